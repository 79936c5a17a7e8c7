//! `netbanking rescue`: a person's word that the rest of a consortium's disks is lost for good.

use clap::Args;

use super::CommandError;
use super::disk::DiskArgs;
use super::stdout;
use crate::store::recovery::whole;

/// What the person reads before they say yes.
const EXPLANATION: &str = "\
O resgate declara que este disco decide sozinho como o consórcio recomeça. Só é preciso quando a maioria dos discos se
perdeu de vez; enquanto uma maioria de discos intactos existir, ligue os bancos e eles se entendem sem ajuda.

O que acontece: no próximo início, quando TODOS os bancos do nodes.json estiverem no ar, o consórcio recomeça com o que
está neste disco, e os demais bancos o copiam.

O que se pode perder: operações que foram confirmadas a clientes e que este disco não tem. Isso só é possível se este
banco estava fora do consórcio quando elas foram confirmadas. Entre vários discos intactos, resgate o que foi membro
por último e tem a maior posição; nunca mais de um. Guarde antes uma cópia de todos os discos que ainda existem.

Nada foi mudado. Para declarar o resgate, repita o comando com --yes.
";

/// What `netbanking rescue` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Only needed when more than half of the disks are lost; without --yes it explains, in the \
    operators' language, what that means and what may be lost. It counts for the next view only."
)]
pub(super) struct RescueArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// Declare it; without this the command explains and changes nothing
    #[arg(long)]
    yes: bool,
}

/// The disk cannot be what the consortium begins from.
#[derive(Debug, thiserror::Error)]
#[error(
    "bank {0}: this disk knows of no view, or has lost something: it cannot say how the consortium goes on. Nothing \
     was changed; take a disk that was intact when its bank stopped"
)]
pub(super) struct UnfitForRescue(crate::protocol::ids::BankId);

/// Sets the mark that the node reads at its next start.
pub(super) fn run(arguments: &RescueArgs) -> Result<(), CommandError> {
    let owner = arguments.disk.owner()?;
    let (mut store, book, disk) = whole(&arguments.disk.data, owner)?;
    let (bank, position) = (owner.bank, book.position());
    let said = if !arguments.yes {
        let view = disk.prepared.ballot;
        format!(
            "Banco {bank}: disco intacto, última visão {view}, posição {position}.\n\n{EXPLANATION}"
        )
    } else if store.declare_rescue()? {
        format!(
            "Banco {bank}: resgate declarado na posição {position}. Agora ligue todos os bancos do nodes.json.\n"
        )
    } else {
        return Err(UnfitForRescue(bank).into());
    };
    stdout::put(&said);
    Ok(())
}

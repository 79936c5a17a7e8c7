//! What the commands that work on a stopped bank's data folder have in common.

use std::path::{Path, PathBuf};

use clap::Args;

use super::node::{bank_of, check_data};
use super::place::PlaceArgs;
use super::{CommandError, outlet};
use crate::config::Config;
use crate::ids::BankId;
use crate::store::{Owner, Place};

/// Tells standard error, in the words of a bank's log, what somebody has done to a disk.
pub(super) fn note(command: &str, bank: BankId, data: &Path) {
    let data = format!("{:?}", data.display().to_string());
    let line = format!("bank {bank}: audit event=operator command={command} data={data}\n");
    outlet::stderr().put(line.into_bytes());
    outlet::stderr().flush(outlet::FLUSH_WITHIN);
}

/// Whose disk, and where.
#[derive(Debug, Args)]
pub(super) struct DiskArgs {
    /// Number of the bank: its index in nodes.json, counted from 0
    #[arg(long, env = "NETBANKING_BANK", value_name = "N")]
    bank: u16,
    /// The banks of the consortium
    #[arg(long, env = "NETBANKING_NODES", value_name = "FILE", default_value = "nodes.json")]
    nodes: PathBuf,
    /// Folder of this bank's own data
    #[arg(long, env = "NETBANKING_DATA", value_name = "DIR")]
    pub(super) data: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Whose disk it is, and where.
pub(super) struct BankDisk {
    pub(super) owner: Owner,
    pub(super) place: Place,
}

impl DiskArgs {
    /// The owner that the disk must have, and where it is; refuses a folder that does not exist,
    /// because opening would create it.
    pub(super) fn find(&self) -> Result<BankDisk, CommandError> {
        let config = Config::load(&self.nodes)?;
        let bank = bank_of(self.bank, &config, &self.nodes)?;
        if !self.data.is_dir() {
            return Err(CommandError::Usage(format!(
                "--data {}: there is no such folder",
                self.data.display()
            )));
        }
        check_data(&self.data)?;
        let place = self.place.place(&config, &self.data)?;
        Ok(BankDisk { owner: Owner { bank, banks: config.nodes.len() }, place })
    }
}

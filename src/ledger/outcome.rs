//! The result of a request, in the words that the customer reads.
//!
//! A refusal is not an error: it is decided by the ledger, the same at every bank, and has its
//! place in the common order. Its text is part of the hash chain, so the banks of a consortium must
//! agree on every character here.

mod values;

use serde::{Deserialize, Serialize};

use super::account::{AccountNumber, TypeAccount};
use super::customer::{TypePerson, UserName};
use super::limits::PartOfDay;
use super::money::Centavos;
use super::pix::{PixKey, PixType};
use crate::ids::{BankId, EventId, Position};

/// Something was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// There is a new customer.
    CustomerCreated {
        /// Their user name.
        user_name: UserName,
    },
    /// There is a new account.
    AccountCreated {
        /// Its number at the bank that was asked.
        number: AccountNumber,
        /// The key it is paid by.
        key: PixKey,
    },
    /// Every operation of the package was executed.
    PackageExecuted,
    /// A joint account waits for its holders.
    JointAsked {
        /// The number that it is going to have.
        number: AccountNumber,
        /// The key that it is going to be paid by.
        key: PixKey,
        /// Who has to accept.
        waiting_for: Vec<UserName>,
    },
    /// One of the holders has accepted.
    JointAccepted {
        /// Who has not.
        waiting_for: Vec<UserName>,
    },
    /// A joint account is not going to be opened.
    JointEnded,
    /// Money of a Pix went back.
    Refunded,
    /// A customer has other limits.
    LimitsSet {
        /// Whether one of them counts only later.
        waits: bool,
    },
    /// An account is closed.
    AccountClosed,
    /// A holder agrees to an account's being closed.
    CloseAgreed {
        /// Who does not yet.
        waiting_for: Vec<UserName>,
    },
    /// An account is not going to be closed.
    CloseTakenBack,
    /// A customer calls something by another name.
    Called,
    /// A Pix of days to come is planned.
    Scheduled {
        /// What the customer calls it by.
        number: Position,
    },
    /// It will not be paid any more.
    ScheduleEnded,
    /// A day of it has been paid.
    ScheduleRan,
    /// A day of it was not paid, and will not be.
    ScheduleFailed {
        /// Why.
        why: Box<Refusal>,
    },
    /// An account has a further key.
    KeyAdded {
        /// The key.
        key: PixKey,
    },
    /// An account has a key no more.
    KeyRemoved,
    /// Another account is paid by a key.
    KeyMoved,
    /// A customer has another password.
    PasswordChanged {
        /// Their user name.
        user_name: UserName,
    },
}

impl Done {
    /// Whether some of it counts only later.
    #[must_use]
    pub(crate) fn waits(&self) -> bool {
        matches!(self, Done::LimitsSet { waits: true })
    }

    /// What the customer reads.
    #[must_use]
    pub fn descript(&self) -> String {
        match self {
            Done::CustomerCreated { user_name } => {
                format!("Cliente {user_name} criado com sucesso")
            }
            Done::AccountCreated { .. } => "Conta criada com sucesso".to_owned(),
            Done::PackageExecuted => "Pacote de operações executado com sucesso".to_owned(),
            Done::JointAsked { .. } => {
                "A conta conjunta abre quando todos os titulares aceitarem".to_owned()
            }
            Done::JointAccepted { .. } => {
                "Aceito: a conta conjunta abre quando os outros titulares aceitarem".to_owned()
            }
            Done::Refunded => "Devolução feita".to_owned(),
            Done::LimitsSet { waits: false } => "Limites alterados".to_owned(),
            Done::LimitsSet { waits: true } => {
                "Limites alterados: o que aumenta só vale daqui a 24 horas".to_owned()
            }
            Done::AccountClosed => "Conta encerrada".to_owned(),
            Done::CloseAgreed { .. } => {
                "Aceito: a conta é encerrada quando os outros titulares também pedirem".to_owned()
            }
            Done::CloseTakenBack => "A conta continua aberta".to_owned(),
            Done::Called => "Nome guardado".to_owned(),
            Done::Scheduled { .. } => "Pix agendado".to_owned(),
            Done::ScheduleEnded => "Agendamento cancelado".to_owned(),
            Done::ScheduleRan => "Pix agendado feito".to_owned(),
            Done::ScheduleFailed { why } => format!("Pix agendado não foi feito: {why}"),
            Done::KeyAdded { .. } => "Chave Pix cadastrada".to_owned(),
            Done::KeyRemoved => "Chave Pix removida".to_owned(),
            Done::KeyMoved => "Chave Pix passada para a outra conta".to_owned(),
            Done::PasswordChanged { .. } => "Senha trocada".to_owned(),
            Done::JointEnded => "A conta conjunta não será aberta".to_owned(),
        }
    }
}

/// What the limit of a day or a night is called.
#[must_use]
pub(crate) fn limit_name(part: PartOfDay) -> &'static str {
    match part {
        PartOfDay::Day => "diurno (das 6h às 20h)",
        PartOfDay::Night => "noturno (das 20h às 6h)",
    }
}

/// Why a request was not executed. No part of it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// A peer sent something that is not a request.
    #[error("Falha na operação: Pedido malformado")]
    Malformed,
    /// The idempotency key was used for another request.
    #[error("Chave de idempotência já usada com outro pedido")]
    KeyReused,
    /// The user name belongs to somebody.
    #[error("Falha na operação: Nome de usuário já cadastrado")]
    UserNameTaken,
    /// The user name looks like somebody's.
    #[error("Falha na operação: Nome de usuário parecido demais com um já cadastrado")]
    UserNameAlike,
    /// The CPF or CNPJ belongs to somebody.
    #[error("Falha na operação: {} já cadastrado", .0.document_name())]
    DocumentTaken(TypePerson),
    /// No such customer.
    #[error("Falha na operação: Cliente {0} não encontrado")]
    UnknownCustomer(UserName),
    /// A person asks for a company's account, or a company for a person's.
    #[error(
        "Falha na operação: Conta {type_account} não pode ser aberta por cliente {type_person}"
    )]
    WrongTypeAccount {
        /// What was asked for.
        type_account: TypeAccount,
        /// What the customer is.
        type_person: TypePerson,
    },
    /// Other holders for an account that is not joint.
    #[error("Falha na operação: Conta {0} não aceita outros titulares")]
    NotJoint(TypeAccount),
    /// No other holders for a joint account, or too many.
    #[error(
        "Falha na operação: Conta CONJUNTA precisa de 1 a {} outros titulares",
        super::request::JOINT_OTHERS_MAX
    )]
    JointHolders,
    /// No joint account of this number waits for the customer's answer.
    #[error(
        "Falha na operação: Não há conta conjunta {account} no banco {bank} que espere a sua resposta"
    )]
    NoJointRequest {
        /// Where it was looked for.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
    },
    /// The opener has as many joint accounts waiting as anybody may have.
    #[error("Falha na operação: Já há contas conjuntas demais esperando os titulares")]
    TooManyJoint,
    /// Somebody would hold the account twice.
    #[error("Falha na operação: Titular {0} repetido")]
    RepeatedHolder(UserName),
    /// A person has no CNPJ and a company no CPF to make a key of.
    #[error("Falha na operação: Cliente {type_person} não pode ter chave Pix {pix_type}")]
    WrongPixType {
        /// What was asked for.
        pix_type: PixType,
        /// What the customer is.
        type_person: TypePerson,
    },
    /// The key belongs to another account.
    #[error("Falha na operação: Chave Pix {0} já cadastrada")]
    PixKeyTaken(PixKey),
    /// The account has as many keys as it may have.
    #[error("Falha na operação: Uma conta como esta pode ter até {most} chaves Pix")]
    TooManyKeys {
        /// How many that is.
        most: usize,
    },
    /// A rule reached a state that must not be: the program has a bug. Nothing was done, at any
    /// bank.
    #[error("Falha na operação: Erro interno, nada foi executado")]
    Broken,
    /// Too little to open an account with.
    #[error(
        "Falha na operação: Valor inicial deve ser de pelo menos {} reais",
        super::request::OPENING_MIN
    )]
    OpeningTooSmall,
    /// All the numbers that were drawn are taken.
    #[error("Falha na operação: Nenhum dos números sorteados está livre, tente novamente")]
    NoFreeNumber,
    /// The bank is not among the members that execute now.
    #[error("Falha na operação: Banco {0} não está online")]
    BankOffline(BankId),
    /// The bank has no such account.
    #[error("Falha na operação: Conta {account} não encontrada no banco {bank}")]
    UnknownAccount {
        /// Where it was looked for.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
    },
    /// The customer would debit an account that they do not hold.
    #[error(
        "Falha na operação: Conta {account} no banco {bank} não pertence ao cliente {user_name}"
    )]
    NotHolder {
        /// The account's bank.
        bank: BankId,
        /// The account.
        account: AccountNumber,
        /// Who asked.
        user_name: UserName,
    },
    /// No account has the key.
    #[error("Falha na operação: Chave Pix {0} não encontrada")]
    UnknownPixKey(PixKey),
    /// The key is the sending account's own.
    #[error("Falha na operação: Transferência da conta {account} no banco {bank} para ela mesma")]
    SameAccount {
        /// The account's bank.
        bank: BankId,
        /// The account.
        account: AccountNumber,
    },
    /// Operations without a customer, from a bank that must name its customers.
    #[error("Falha na operação: O pedido não diz qual cliente o faz")]
    NoCustomer,
    /// The account holds less than is to leave it.
    #[error("Falha na operação: Saldo da conta {account} insuficiente ({balance}) no banco {bank}")]
    InsufficientBalance {
        /// The account's bank.
        bank: BankId,
        /// The account.
        account: AccountNumber,
        /// What it holds at that point of the package.
        balance: Centavos,
    },
    /// More would leave than the customer has allowed for the day or the night.
    #[error("Falha na operação: Acima do seu limite {}, de {most}: restam {left}", limit_name(*.part))]
    AboveLimit {
        /// Which of the two.
        part: PartOfDay,
        /// The limit.
        most: Centavos,
        /// What may still leave.
        left: Centavos,
    },
    /// More would leave than the customer lets leave without giving the password again.
    #[error(
        "Falha na operação: Acima de {most} por dia ou por noite é preciso confirmar com a senha"
    )]
    NeedsPassword {
        /// The sum.
        most: Centavos,
    },
    /// There is money in an account that is to be closed.
    #[error(
        "Falha na operação: A conta {account} no banco {bank} só pode ser encerrada sem saldo: transfira o que há nela"
    )]
    NotEmpty {
        /// Where it is.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
    },
    /// Pix of days to come are to be paid from an account that is to be closed.
    #[error(
        "Falha na operação: Há Pix agendados na conta {account} no banco {bank}: cancele-os antes de encerrar a conta"
    )]
    HasSchedules {
        /// Where it is.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
    },
    /// The key has another owner than when the Pix was planned.
    #[error("Falha na operação: A chave Pix passou a ser de outra pessoa")]
    PayeeChanged,
    /// The account was closed.
    #[error("Falha na operação: A conta {account} no banco {bank} foi encerrada")]
    AccountClosed {
        /// Where it was.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
    },
    /// The customer has as many favourites as anybody may have.
    #[error("Falha na operação: Já há {} favoritos: tire um antes", super::profile::FAVOURITES_MAX)]
    TooManyFavourites,
    /// The customer has no such schedule.
    #[error("Falha na operação: Não há tal agendamento")]
    NoSuchSchedule,
    /// A schedule has no such day, it has been run, or it has not come.
    #[error("Falha na operação: O dia do agendamento não chegou, ou já passou por aqui")]
    NotDue,
    /// A schedule that begins today or before, or too late, or has too many days or none.
    #[error(
        "Falha na operação: Um Pix pode ser agendado a partir de amanhã, até daqui a {} dias, de 1 a {} vezes",
        super::schedule::DAYS_AHEAD_MAX,
        super::schedule::TIMES_MAX
    )]
    ScheduleDays,
    /// The customer has as many schedules as anybody may have.
    #[error(
        "Falha na operação: Já há {} agendamentos: cancele um antes",
        super::schedule::SCHEDULES_MAX
    )]
    TooManySchedules,
    /// The account has received no such Pix.
    #[error("Falha na operação: Não há tal Pix recebido nesta conta")]
    UnknownOriginal,
    /// More than is left of the Pix.
    #[error("Falha na operação: Deste Pix só se pode devolver ainda {left}")]
    RefundTooLarge {
        /// What came and was not given back.
        left: Centavos,
    },
    /// The Pix is too old.
    #[error(
        "Falha na operação: Um Pix só pode ser devolvido até {} dias depois",
        super::refund::REFUND_DAYS
    )]
    RefundTooLate,
    /// The account would hold more than earlier releases could count. No longer decided; a snapshot
    /// of one of them may remember it.
    #[error("Falha na operação: Saldo da conta {account} grande demais no banco {bank}")]
    BalanceTooLarge {
        /// The account's bank.
        bank: BankId,
        /// The account.
        account: AccountNumber,
    },
}

impl Refusal {
    /// The text for a bank's log: without the balance, and without a key, which may be somebody's
    /// document.
    #[must_use]
    pub(crate) fn logged(&self) -> String {
        match self {
            Refusal::InsufficientBalance { bank, account, .. } => {
                format!("Falha na operação: Saldo da conta {account} insuficiente no banco {bank}")
            }
            Refusal::PixKeyTaken(_) => "Falha na operação: Chave Pix já cadastrada".to_owned(),
            Refusal::UnknownPixKey(_) => "Falha na operação: Chave Pix não encontrada".to_owned(),
            Refusal::RefundTooLarge { .. } => {
                "Falha na operação: Devolução maior que o Pix".to_owned()
            }
            Refusal::AboveLimit { part, .. } => {
                format!("Falha na operação: Acima do limite {}", limit_name(*part))
            }
            Refusal::NeedsPassword { .. } => {
                "Falha na operação: É preciso confirmar com a senha".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Whether the customer asked for what only another may ask for.
    #[must_use]
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Refusal::NotHolder { .. } | Refusal::NoCustomer | Refusal::NeedsPassword { .. }
        )
    }
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was executed.
    Done(Done),
    /// It was not.
    Refused(Refusal),
}

impl Outcome {
    /// Whether it was executed: the requirement's `code`.
    #[must_use]
    pub fn code(&self) -> bool {
        matches!(self, Outcome::Done(_))
    }

    /// What the customer reads.
    #[must_use]
    pub fn descript(&self) -> String {
        match self {
            Outcome::Done(done) => done.descript(),
            Outcome::Refused(refusal) => refusal.to_string(),
        }
    }
}

/// The result of a request, and its position. When an idempotency key was repeated, `id` and
/// `position` are those of the first execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// The request that was executed.
    pub id: EventId,
    /// Its place in the common order.
    pub position: Position,
    /// Its result.
    pub outcome: Outcome,
    /// Which operation of the package was refused, from 0, if it was one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountNumber {
        AccountNumber::parse("740358").unwrap()
    }

    #[test]
    fn the_requirements_texts_are_kept_to_the_letter() {
        let bank = BankId(0);
        let balance = Centavos::new(8_000);
        let texts = [
            (
                Refusal::InsufficientBalance { bank, account: account(), balance },
                "Falha na operação: Saldo da conta 740358 insuficiente (80.00) no banco 0",
            ),
            (Refusal::BankOffline(BankId(2)), "Falha na operação: Banco 2 não está online"),
            (Refusal::DocumentTaken(TypePerson::Pf), "Falha na operação: CPF já cadastrado"),
            (Refusal::DocumentTaken(TypePerson::Pj), "Falha na operação: CNPJ já cadastrado"),
            (Refusal::UserNameTaken, "Falha na operação: Nome de usuário já cadastrado"),
            (Refusal::KeyReused, "Chave de idempotência já usada com outro pedido"),
            (Refusal::Malformed, "Falha na operação: Pedido malformado"),
            (Refusal::Broken, "Falha na operação: Erro interno, nada foi executado"),
        ];
        for (refusal, text) in texts {
            let outcome = Outcome::Refused(refusal);
            assert_eq!((outcome.code(), outcome.descript()), (false, text.to_owned()));
        }
    }

    #[test]
    fn the_texts_state_the_values_of_the_limits() {
        let small = Refusal::OpeningTooSmall.to_string();
        assert_eq!(small, "Falha na operação: Valor inicial deve ser de pelo menos 50.00 reais");
        assert_eq!(
            Refusal::JointHolders.to_string(),
            "Falha na operação: Conta CONJUNTA precisa de 1 a 9 outros titulares"
        );
    }

    #[test]
    fn successes_read_as_the_requirement_has_them() {
        let user_name = UserName::parse("pedrinho234").unwrap();
        let key = PixKey::parse("0:pedrinho234").unwrap();
        let texts = [
            (Done::CustomerCreated { user_name }, "Cliente pedrinho234 criado com sucesso"),
            (Done::AccountCreated { number: account(), key }, "Conta criada com sucesso"),
            (Done::PackageExecuted, "Pacote de operações executado com sucesso"),
        ];
        for (done, text) in texts {
            let outcome = Outcome::Done(done);
            assert_eq!((outcome.code(), outcome.descript()), (true, text.to_owned()));
        }
    }

    #[test]
    fn only_debiting_a_strangers_account_and_asking_as_nobody_are_forbidden() {
        let user_name = UserName::parse("renata332").unwrap();
        let refusal = Refusal::NotHolder { bank: BankId(1), account: account(), user_name };
        assert!(refusal.is_forbidden() && Refusal::NoCustomer.is_forbidden());
        assert!(!Refusal::UnknownAccount { bank: BankId(1), account: account() }.is_forbidden());
    }

    #[test]
    fn a_log_has_no_balance_and_no_document() {
        let key = PixKey::parse("0:123.123.123-00").unwrap();
        let (bank, account, balance) =
            (BankId(0), AccountNumber::parse("854777").unwrap(), Centavos::new(14_950));
        for refusal in [
            Refusal::InsufficientBalance { bank, account, balance },
            Refusal::PixKeyTaken(key.clone()),
            Refusal::UnknownPixKey(key),
            Refusal::AboveLimit { part: PartOfDay::Day, most: balance, left: balance },
            Refusal::NeedsPassword { most: balance },
        ] {
            let logged = refusal.logged();
            assert!(!logged.contains("149.50") && !logged.contains("123.123"), "{logged}");
        }
        assert_eq!(Refusal::UserNameTaken.logged(), Refusal::UserNameTaken.to_string());
    }
}

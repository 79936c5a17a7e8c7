//! What bodies and answers are made of.

use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType, Type,
};
use utoipa::openapi::{Components, ComponentsBuilder, RefOr};

/// The words for the kinds of Pix key.
const KINDS_OF_KEY: [&str; 7] =
    ["CPF", "CNPJ", "USER_NAME", "NUM_CONTA", "RANDOM", "EMAIL", "TELEFONE"];

/// A kind that stands among the others under its name.
pub(super) fn named(kind: &str) -> Ref {
    Ref::from_schema_name(kind)
}

/// A text.
pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number.
pub(super) fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

fn words(words: &[&str]) -> ObjectBuilder {
    text().enum_values(Some(words.iter().copied()))
}

fn truth() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

fn list(of: impl Into<RefOr<Schema>>) -> ArrayBuilder {
    ArrayBuilder::new().items(of.into())
}

/// The number of a bank.
pub(super) fn bank() -> ObjectBuilder {
    number().minimum(Some(0)).maximum(Some(63)).examples([json!(0)])
}

/// The number of an account.
pub(super) fn account_number() -> ObjectBuilder {
    let most = 999_999_999_999_999_999_u64;
    number().minimum(Some(1)).maximum(Some(most)).examples([json!(574_425)])
}

/// Money in reais, that moves.
fn amount() -> ObjectBuilder {
    let says = "Reais, above zero, with at most two decimals.";
    let amount = ObjectBuilder::new().schema_type(Type::Number).description(Some(says));
    amount.minimum(Some(0.01)).examples([json!(100.5)])
}

/// Money in reais, that is there.
fn money() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number)
}

/// Money in reais, or no limit.
fn sum_or_none() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Null]))
}

/// A Pix key as packages name it.
pub(super) fn pix_key() -> ObjectBuilder {
    let says = "A bank's number, a colon, and what the key is: `0:123.123.123-00`.";
    let key = text().description(Some(says)).pattern(Some("^[0-9]{1,2}:[!-~]{1,77}$"));
    key.examples([json!("0:123.123.123-00")])
}

/// A user name.
pub(super) fn user_name() -> ObjectBuilder {
    let name = text().pattern(Some("^[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*$"));
    name.min_length(Some(3)).max_length(Some(64)).examples([json!("pedrinho234")])
}

fn password() -> ObjectBuilder {
    text().min_length(Some(8)).max_length(Some(64)).examples([json!("12345678")])
}

fn document() -> ObjectBuilder {
    text().description(Some("CPF or CNPJ.")).examples([json!("123.123.123-00")])
}

fn person() -> ObjectBuilder {
    words(&["PF", "PJ"])
}

fn id() -> ObjectBuilder {
    text().description(Some("The request's name in the common order."))
}

fn position() -> ObjectBuilder {
    number().minimum(Some(0)).description(Some("The place in the common order."))
}

/// An object: which fields must be there, and which may be.
struct Fields(ObjectBuilder);

fn fields() -> Fields {
    Fields(ObjectBuilder::new().schema_type(Type::Object))
}

impl Fields {
    fn with(self, name: &str, kind: impl Into<RefOr<Schema>>) -> Fields {
        Fields(self.0.property(name, kind).required(name))
    }

    fn may(self, name: &str, kind: impl Into<RefOr<Schema>>) -> Fields {
        Fields(self.0.property(name, kind))
    }

    fn said(self) -> Fields {
        self.with("descript", text().description(Some("In Portuguese, for people.")))
    }
}

impl From<Fields> for RefOr<Schema> {
    fn from(Fields(fields): Fields) -> Self {
        fields.into()
    }
}

/// Something with a name of its own for each of its parts.
fn by_name(of: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    let parts = AdditionalProperties::RefOr(of.into());
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(parts))
}

/// An account, by its bank and number.
fn place() -> Fields {
    fields().with("bank", bank()).with("num_account", account_number())
}

/// What a customer calls something.
fn nickname() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(40))
}

/// The same, or no name.
fn name_or_none() -> ObjectBuilder {
    nickname().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

/// How often a Pix of days to come is paid.
fn every() -> ObjectBuilder {
    words(&["DAY", "WEEK", "MONTH"])
}

fn times() -> ObjectBuilder {
    number().minimum(Some(1)).maximum(Some(120))
}

/// A Pix of days to come that is to be.
fn schedule() -> Fields {
    fields()
        .with("bank", bank())
        .with("num_account", account_number())
        .with("pix", pix_key())
        .with("value", amount())
        .may("message", text().max_length(Some(140)))
        .may("txid", text().max_length(Some(35)).pattern(Some("^[A-Za-z0-9]*$")))
        .with("day", text().description(Some("The first day.")).examples([json!("2026-12-01")]))
        .may("every", every())
        .may("times", times())
}

/// A Pix of days to come that stands, and what became of its latest day.
fn scheduled() -> Fields {
    let next = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let last = fields().with("day", text()).with("at", text()).may("refused", text());
    fields()
        .with("number", position())
        .with("bank", bank())
        .with("num_account", account_number())
        .with("pix", pix_key())
        .with("value", amount())
        .may("message", text())
        .with("every", every())
        .with("times", times())
        .with("done", number())
        .with("next", next)
        .may("last", last)
}

/// All kinds, under their names.
pub(super) fn components() -> Components {
    let kinds = requests().into_iter().chain(changes()).chain(answers()).chain(statements());
    let add = |components: ComponentsBuilder, (name, kind)| components.schema(name, kind);
    kinds.fold(ComponentsBuilder::new(), add).build()
}

type Kinds = Vec<(&'static str, RefOr<Schema>)>;

fn requests() -> Kinds {
    let login = || fields().with("user_name", user_name()).with("password", password());
    let operation = fields()
        .with("type", words(&["DEPOSIT", "WITHDRAW", "TRANSFER"]))
        .with("value", amount())
        .with("sender", account_number())
        .may("pix", pix_key())
        .may("message", text().max_length(Some(140)))
        .may("txid", text().max_length(Some(35)).pattern(Some("^[A-Za-z0-9]*$")));
    let of_account = fields().with("package", list(named("Operation")));
    let digits = |pattern| Schema::from(text().pattern(Some(pattern)).build());
    let accounts = by_name(of_account).property_names(Some(digits("^[1-9][0-9]{0,17}$")));
    let package = by_name(accounts).property_names(Some(digits("^(0|[1-9][0-9]?)$")));
    let package = package.examples([json!({"0": {"574425": {"package": [
        {"type": "TRANSFER", "value": 100.5, "sender": 574_425, "pix": "1:renata332"}]}}})]);
    vec![
        ("Login", login().into()),
        ("NewPassword", login().with("new_password", password()).into()),
        (
            "Registration",
            login()
                .with("name", text().min_length(Some(3)).max_length(Some(200)))
                .with("num_cadastro", document())
                .with("type_person", person())
                .into(),
        ),
        (
            "Opening",
            login()
                .with("type_account", words(&["PF", "PJ", "CONJUNTA"]))
                .with("pix_type", words(&KINDS_OF_KEY[..5]))
                .with("users", list(user_name()).max_items(Some(9)))
                .with("value_init", amount())
                .into(),
        ),
        ("SessionEnd", fields().may("session", text()).into()),
        ("JointAnswer", fields().with("accept", truth()).into()),
        ("Operation", operation.into()),
        ("Package", package.into()),
    ]
}

/// What customers change about their accounts.
fn changes() -> Kinds {
    vec![
        (
            "NewKey",
            fields()
                .with("bank", bank())
                .with("num_account", account_number())
                .with("type", words(&KINDS_OF_KEY))
                .may("value", text())
                .into(),
        ),
        ("Schedule", schedule().into()),
        ("Closing", place().may("close", truth()).into()),
        ("Nickname", place().with("name", name_or_none()).into()),
        ("Favourite", fields().with("kay_pix", pix_key()).with("name", nickname()).into()),
        (
            "LimitsChange",
            fields()
                .may("day", sum_or_none())
                .may("night", sum_or_none())
                .may("confirm_above", sum_or_none())
                .may("password", password())
                .into(),
        ),
        ("Key", fields().with("kay_pix", pix_key()).into()),
        (
            "KeyMove",
            fields().with("kay_pix", pix_key()).with("num_account", account_number()).into(),
        ),
        (
            "Refund",
            fields()
                .with("bank", bank())
                .with("num_account", account_number())
                .with("entry", number().minimum(Some(0)))
                .with("value", amount())
                .may("message", text().max_length(Some(140)))
                .into(),
        ),
    ]
}

fn answers() -> Kinds {
    let refused = fields().said().may("id", id()).may("position", position());
    let ordered = fields()
        .said()
        .with("id", id())
        .with("position", position())
        .may("num_account", account_number())
        .may("kay_pix", pix_key())
        .may("waiting_for", list(user_name()))
        .may("warning", text());
    let accounts = || by_name(list(list_of_account()));
    let customer = fields()
        .with("accounts", accounts())
        .with("name", text())
        .with("num_cadastro", document())
        .with("type_person", person())
        .with("user_name", user_name());
    let session = fields()
        .with("session", text())
        .with("began", text())
        .with("used", text())
        .with("from", text())
        .with("is_this", truth());
    let login = fields().with("at", text()).with("from", text());
    let sessions = fields().with("sessions", list(session)).with("logins", list(login));
    vec![
        ("Said", fields().said().into()),
        ("Refused", refused.into()),
        ("Ordered", ordered.into()),
        ("LoggedIn", fields().said().with("data", customer).with("token", text()).into()),
        ("Sessions", fields().said().with("data", sessions).into()),
        ("Accounts", accounts().into()),
        (
            "Ready",
            fields()
                .said()
                .with("ready", truth())
                .may("reason", words(&["cut_off", "outside", "stopping", "stalled"]))
                .into(),
        ),
        (
            "Status",
            fields()
                .with("bank", bank())
                .with("name", text())
                .with("ready", truth())
                .with("position", position())
                .with("hash", text())
                .with(
                    "past",
                    fields()
                        .with("entries", number())
                        .with("missing", number())
                        .may("archived_through", number()),
                )
                .into(),
        ),
        ("Taken", fields().with("taken", truth()).with("expected", number()).into()),
    ]
}

/// An account as the requirement lists it.
fn list_of_account() -> ArrayBuilder {
    let says = "Number, balance, Pix key.";
    let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    list(any).description(Some(says)).min_items(Some(3)).max_items(Some(3))
}

/// An entry of a statement.
fn entry() -> Fields {
    let other = fields()
        .with("name", text())
        .with("num_cadastro", text())
        .with("type_person", person())
        .may("bank", bank())
        .may("bank_name", text())
        .may("num_account", account_number());
    fields()
        .with("entry", number())
        .with("type", words(&["OPENING", "DEPOSIT", "WITHDRAW", "TRANSFER", "RECEIVE"]))
        .with("value", money())
        .with("previous_balance", money())
        .with("app_balance", money())
        .with("date", text())
        .with("time", text())
        .with("at", text())
        .with("made_by", text())
        .with("bank_sender", bank())
        .with("id", id())
        .may("pix", pix_key())
        .may("counterparty", other)
        .may("message", text())
        .may("txid", text())
        .may("sender", account_number())
        .may("refund_of", fields().with("id", id()).with("position", position()))
}

/// What a customer lets leave, and what has left.
fn limits() -> Fields {
    let next = || fields().with("limit", sum_or_none()).with("from", text());
    let line = || fields().with("limit", sum_or_none()).may("next", next());
    fields()
        .with("day", line())
        .with("night", line())
        .with("now", words(&["day", "night"]))
        .with("spent", money())
        .with("left", sum_or_none())
        .with("confirm_above", sum_or_none())
}

fn statements() -> Kinds {
    let account = || {
        fields()
            .with("num_account", account_number())
            .with("balance", money())
            .with("name", text())
            .with("kay_pix", pix_key())
            .with("type_account", text())
            .with("user_names", list(text()))
            .with("transactions", list(named("Entry")))
    };
    let statement = account().said().with("data", account()).may("next_before", number());
    let recipient = fields()
        .with("name", text())
        .with("num_cadastro", text())
        .with("bank", bank())
        .with("bank_name", text())
        .with("type_person", person());
    let opener =
        fields().with("name", text()).with("user_name", text()).with("num_cadastro", text());
    let joint = fields()
        .with("bank", bank())
        .with("num_account", account_number())
        .with("kay_pix", pix_key())
        .with("opener", opener)
        .with("user_names", list(text()))
        .with("waiting_for", list(text()))
        .with("value_init", money())
        .with("at", text())
        .with("your_answer", truth());
    let refundable = fields()
        .with("value", money())
        .with("refunded", money())
        .with("left", money())
        .with("until", text())
        .with("id", id())
        .with("position", position());
    vec![
        ("Entry", entry().into()),
        (
            "Account",
            statement
                .may("older_missing", truth())
                .may(
                    "older_archived",
                    fields().said().with("complete_from", text()).with("position", position()),
                )
                .into(),
        ),
        ("Recipient", fields().said().with("data", recipient).with("kay_pix", pix_key()).into()),
        ("JointRequests", fields().said().with("data", list(joint)).into()),
        ("Keys", fields().said().with("data", list(pix_key())).into()),
        ("Limits", fields().said().with("data", limits()).into()),
        (
            "Profile",
            fields()
                .said()
                .with(
                    "data",
                    fields().with("nicknames", list(place().with("name", text()))).with(
                        "favourites",
                        list(fields().with("kay_pix", pix_key()).with("name", text())),
                    ),
                )
                .into(),
        ),
        ("Schedules", fields().said().with("data", list(scheduled())).into()),
        ("Refundable", fields().said().with("data", refundable).into()),
    ]
}

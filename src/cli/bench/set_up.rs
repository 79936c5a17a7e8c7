//! What the load needs before it begins, made through the customer API: one customer, accounts, a
//! session at every bank.

use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::base_url::BaseUrl;
use super::BenchError;
use super::package::Account;
use super::random::SplitMix64;
use crate::ledger::Document;

/// How long a bank may take over one request.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// What every account is opened with, in reais: more than the longest run can take away.
const OPENING_REAIS: u32 = 10_000_000;
/// CPF numbers without their two check digits.
pub(super) const CPF_NUMBERS: u32 = 1_000_000_000;

/// The customer who pays and is paid.
#[derive(Clone)]
pub(super) struct Customer {
    /// The session's token, by URL.
    pub(super) tokens: Vec<String>,
    /// All accounts, sorted.
    pub(super) accounts: Rc<[Account]>,
}

/// Any answer that gives a reason.
#[derive(Deserialize)]
struct Said {
    descript: String,
}

/// What an answer says, or the beginning of its text when it is not in our form.
pub(super) fn descript(body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Said { descript }) => descript,
        Err(_) => String::from_utf8_lossy(body).chars().take(200).collect(),
    }
}

/// Registers a customer at the first bank, opens accounts at all and logs in at each.
pub(super) async fn prepare(
    urls: &[BaseUrl],
    accounts: usize,
    random: &mut SplitMix64,
) -> Result<Customer, BenchError> {
    let Identity { user_name, password } =
        register(&urls[0], &urls[0].client(ANSWER_WAIT), a_cpf_number(random)).await?;

    let mut banks = JoinSet::new();
    for (index, url) in urls.iter().enumerate() {
        let share = accounts / urls.len() + usize::from(index < accounts % urls.len());
        let identity = Identity { user_name: user_name.clone(), password: password.clone() };
        let url = url.clone();
        banks.spawn_local(async move { Ok((index, prepare_at(&url, &identity, share).await?)) });
    }
    let mut tokens = vec![String::new(); urls.len()];
    let mut accounts = Vec::new();
    while let Some(prepared) = banks.join_next().await {
        let (index, (token, opened)) = prepared.expect("preparing does not panic")?;
        tokens[index] = token;
        accounts.extend(opened);
    }
    accounts.sort_unstable();
    Ok(Customer { tokens, accounts: accounts.into() })
}

/// Registers a customer with the CPF of this number.
async fn register(
    url: &BaseUrl,
    client: &awc::Client,
    number: u32,
) -> Result<Identity, BenchError> {
    let num_cadastro = Document::cpf_of_number(number).expect("it has nine digits");
    let user_name = format!("bench-{}", Uuid::new_v4().simple());
    let password = Uuid::new_v4().to_string();
    let registration = json!({
        "name": "Cliente de Carga", "num_cadastro": num_cadastro, "user_name": user_name,
        "password": password, "type_person": "PF",
    });
    post::<IgnoredAny>(client, url.route("/register-customer"), &registration).await?;
    Ok(Identity { user_name, password })
}

/// The first nine digits of any CPF.
pub(super) fn a_cpf_number(random: &mut SplitMix64) -> u32 {
    u32::try_from(random.below(CPF_NUMBERS as usize)).expect("it is below a number of 32 bits")
}

/// The customer's credentials.
struct Identity {
    user_name: String,
    password: String,
}

#[derive(Deserialize)]
struct Opened {
    num_account: u64,
    kay_pix: String,
}

#[derive(Deserialize)]
struct LoggedIn {
    token: String,
}

/// Opens the accounts of one bank and logs in there.
async fn prepare_at(
    url: &BaseUrl,
    identity: &Identity,
    accounts: usize,
) -> Result<(String, Vec<Account>), BenchError> {
    let client = url.client(ANSWER_WAIT);
    let Identity { user_name, password } = identity;
    let mut opened = Vec::with_capacity(accounts);
    for _ in 0..accounts {
        let Opened { num_account, kay_pix } = open(url, &client, identity).await?;
        // The bank's number, which comes first in the key, is not always the index of its URL.
        let bank = kay_pix.split_once(':').and_then(|(bank, _)| bank.parse().ok());
        let unexpected = || BenchError::Unexpected {
            url: url.to_string(),
            what: format!("Pix key {kay_pix:?}"),
        };
        opened.push(Account {
            bank: bank.ok_or_else(unexpected)?,
            number: num_account,
            pix: kay_pix,
        });
    }
    let login = json!({"user_name": user_name, "password": password});
    let LoggedIn { token } = post(&client, url.route("/login"), &login).await?;
    Ok((token, opened))
}

/// Opens an account.
async fn open(
    url: &BaseUrl,
    client: &awc::Client,
    Identity { user_name, password }: &Identity,
) -> Result<Opened, BenchError> {
    let opening = json!({
        "user_name": user_name, "password": password, "type_account": "PF", "pix_type": "RANDOM", "users": [],
        "value_init": OPENING_REAIS,
    });
    post(client, url.route(&format!("/accounts_user/{user_name}")), &opening).await
}

async fn post<T: DeserializeOwned>(
    client: &awc::Client,
    url: String,
    body: &Value,
) -> Result<T, BenchError> {
    let silent = |why: String| BenchError::Silent { url: url.clone(), why };
    let mut answer =
        client.post(&url).send_json(body).await.map_err(|error| silent(error.to_string()))?;
    let body = answer.body().await.map_err(|error| silent(error.to_string()))?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(BenchError::SetUp { url: url.clone(), status, descript: descript(&body) });
    }
    serde_json::from_slice(&body)
        .map_err(|error| BenchError::Unexpected { url: url.clone(), what: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banks_reason_is_extracted_and_another_servers_answer_is_cut_short() {
        assert_eq!(descript(r#"{"descript": "Não", "id": "x"}"#.as_bytes()), "Não");
        assert_eq!(descript(b"<html>"), "<html>");
        assert_eq!(descript(&[b'x'; 1_000]).len(), 200);
    }
}

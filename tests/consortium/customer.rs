//! A customer of the consortium, over HTTP.

use std::time::Duration;

use netbanking::wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// What a bank answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn descript(&self) -> &str {
        self.body["descript"].as_str().unwrap_or_default()
    }

    pub(crate) fn position(&self) -> u64 {
        self.body["position"].as_u64().unwrap_or_else(|| panic!("no position in {self:?}"))
    }
}

/// An account as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnAccount {
    pub(crate) bank: usize,
    pub(crate) number: u64,
    pub(crate) key: String,
}

#[derive(Clone)]
pub(crate) struct Http {
    client: awc::Client,
}

impl Http {
    pub(crate) fn new() -> Http {
        Http { client: wire::client(256, Duration::from_secs(30)) }
    }

    pub(crate) fn client(&self) -> &awc::Client {
        &self.client
    }

    pub(crate) async fn call(
        &self,
        request: awc::ClientRequest,
        body: String,
    ) -> Result<Answer, awc::error::SendRequestError> {
        let mut response = request.insert_header(("content-type", "application/json")).send_body(body).await?;
        let bytes = response
            .body()
            .limit(16 << 20)
            .await
            .map_err(|error| awc::error::SendRequestError::Body(std::io::Error::other(error.to_string()).into()))?;
        let body =
            serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("every answer is JSON: {error}: {bytes:?}"));
        Ok(Answer { status: response.status().as_u16(), body })
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Answer {
        self.call(self.client.post(url), body.to_string()).await.unwrap()
    }
}

/// A CPF that no other number gives.
pub(crate) fn cpf(number: u32) -> String {
    let digits = format!("{number:09}");
    format!("{}.{}.{}-{:02}", &digits[..3], &digits[3..6], &digits[6..], number % 97)
}

pub(crate) fn registration(user: &str, cpf: &str) -> Value {
    json!({"name": "Cliente de Teste", "num_cadastro": cpf, "user_name": user, "password": "12345678", "type_person": "PF"})
}

/// A registered customer with a token at every bank.
#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) http: Http,
    pub(crate) user: String,
    pub(crate) tokens: Vec<String>,
}

impl Customer {
    pub(crate) async fn register(cluster: &Cluster, user: &str, number: u32) -> Customer {
        let http = Http::new();
        let answer = http.post(&cluster.url(0, "/register-customer"), &registration(user, &cpf(number))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut customer = Customer { http, user: user.to_owned(), tokens: Vec::new() };
        customer.log_in(cluster).await;
        customer
    }

    /// A token at every bank; earlier ones are forgotten.
    pub(crate) async fn log_in(&mut self, cluster: &Cluster) {
        self.tokens.clear();
        for bank in 0..cluster.banks() {
            let body = json!({"user_name": self.user, "password": "12345678"});
            let answer = self.http.post(&cluster.url(bank, "/login"), &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            self.tokens.push(answer.body["token"].as_str().unwrap().to_owned());
        }
    }

    pub(crate) async fn open(&self, cluster: &Cluster, bank: usize, value_init: f64) -> OwnAccount {
        let body = json!({
            "user_name": self.user, "password": "12345678", "type_account": "PF", "pix_type": "RANDOM",
            "users": [], "value_init": value_init,
        });
        let answer = self.http.post(&cluster.url(bank, "/create_account"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        OwnAccount {
            bank,
            number: answer.body["num_account"].as_u64().unwrap(),
            key: answer.body["kay_pix"].as_str().unwrap().to_owned(),
        }
    }

    /// Sends a package; an error is one of the connection.
    pub(crate) async fn operate(
        &self,
        cluster: &Cluster,
        bank: usize,
        package: &str,
        key: &str,
    ) -> Result<Answer, awc::error::SendRequestError> {
        let request = self
            .http
            .client()
            .post(cluster.url(bank, "/operations"))
            .insert_header(("authorization", format!("Bearer {}", self.tokens[bank])))
            .insert_header(("idempotency-key", key));
        self.http.call(request, package.to_owned()).await
    }

    /// The whole statement with the balance, page by page.
    pub(crate) async fn account(&self, cluster: &Cluster, account: &OwnAccount) -> (i64, Vec<Value>) {
        let mut entries = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/get_account/{}?limit=1000{before}", account.number);
            let request = self
                .http
                .client()
                .get(cluster.url(account.bank, &path))
                .insert_header(("authorization", format!("Bearer {}", self.tokens[account.bank])));
            let answer = self.http.call(request, String::new()).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut page = answer.body["data"]["transactions"].as_array().unwrap().clone();
            page.extend(entries);
            entries = page;
            match answer.body["next_before"].as_u64() {
                Some(next) => before = format!("&before={next}"),
                None => return (centavos(&answer.body["data"]["balance"]), entries),
            }
        }
    }
}

/// Reais with at most two decimals as centavos.
pub(crate) fn centavos(value: &Value) -> i64 {
    let text = value.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i64 = whole.trim_start_matches('-').parse().unwrap();
    sign * (whole * 100 + format!("{decimals:0<2}").parse::<i64>().unwrap())
}

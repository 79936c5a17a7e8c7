//! How a customer speaks to a bank.

use std::time::Duration;

use awc::error::SendRequestError;
use netbanking::wire;
use serde_json::{Value, json};

/// The number of simultaneous connections to one bank.
const CONNECTIONS: usize = 512;

/// How long a customer waits for a bank that is slow.
const PATIENCE: Duration = Duration::from_secs(30);

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

#[derive(Clone)]
pub(crate) struct Http {
    client: awc::Client,
    reports: bool,
}

impl Http {
    /// A customer who waits as long as any bank needs.
    pub(crate) fn new() -> Http {
        let client = wire::client_that_connects(PATIENCE, CONNECTIONS, PATIENCE);
        Http { client, reports: false }
    }

    /// A customer who waits this long, and passes on as text what is not JSON instead of panicking.
    pub(crate) fn who_reports(answer_within: Duration) -> Http {
        Http { client: wire::client(CONNECTIONS, answer_within), reports: true }
    }

    pub(crate) fn client(&self) -> &awc::Client {
        &self.client
    }

    pub(crate) async fn call(
        &self,
        request: awc::ClientRequest,
        body: String,
    ) -> Result<Answer, SendRequestError> {
        let mut response =
            request.insert_header(("content-type", "application/json")).send_body(body).await?;
        let lost = |why: String| SendRequestError::Body(std::io::Error::other(why).into());
        let bytes =
            response.body().limit(16 << 20).await.map_err(|error| lost(error.to_string()))?;
        // The client takes the end of the connection for the end of the body.
        let length = response
            .headers()
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| bytes.len() < length) {
            return Err(lost(format!("{} bytes of {length:?}", bytes.len())));
        }
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            assert!(self.reports, "every answer is JSON: {error}: {status} {bytes:?}");
            Value::String(format!("{:?} {bytes:?}", response.headers()))
        });
        Ok(Answer { status, body })
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Answer {
        self.call(self.client.post(url), body.to_string()).await.unwrap()
    }

    /// The whole statement with the balance, page by page, at the account's own bank.
    pub(crate) async fn statement(
        &self,
        base: &str,
        number: u64,
        token: &str,
    ) -> (i64, Vec<Value>) {
        let mut entries = Vec::new();
        let mut before = String::new();
        loop {
            let url = format!("{base}/get_account/{number}?limit=1000{before}");
            let request =
                self.client.get(url).insert_header(("authorization", format!("Bearer {token}")));
            let answer = self.call(request, String::new()).await.unwrap();
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

/// A CPF that no other number gives.
pub(crate) fn cpf(number: u32) -> String {
    let digits = format!("{number:09}");
    format!("{}.{}.{}-{:02}", &digits[..3], &digits[3..6], &digits[6..], number % 97)
}

pub(crate) fn registration(user: &str, cpf: &str) -> Value {
    json!({"name": "Cliente de Teste", "num_cadastro": cpf, "user_name": user, "password": "12345678", "type_person": "PF"})
}

/// The request body that opens an account at the bank that is asked.
pub(crate) fn opening(user: &str, value_init: f64) -> Value {
    json!({
        "user_name": user, "password": "12345678", "type_account": "PF", "pix_type": "RANDOM",
        "users": [], "value_init": value_init,
    })
}

/// Converts reais with at most two decimals to centavos.
pub(crate) fn centavos(value: &Value) -> i64 {
    let text = value.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i64 = whole.trim_start_matches('-').parse().unwrap();
    sign * (whole * 100 + format!("{decimals:0<2}").parse::<i64>().unwrap())
}

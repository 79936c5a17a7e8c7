//! A customer of the consortium, over HTTP.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customers::http::opening;
pub(crate) use crate::customers::http::{Answer, Http, cpf, registration};
pub(crate) use crate::customers::package::OwnAccount;

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
        let answer = http
            .post(&cluster.url(0, "/register-customer"), &registration(user, &cpf(number)))
            .await;
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
        let body = opening(&self.user, value_init);
        OwnAccount::opened(
            bank,
            &self.http.post(&cluster.url(bank, "/create_account"), &body).await,
        )
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

    /// The whole statement with the balance.
    pub(crate) async fn account(
        &self,
        cluster: &Cluster,
        account: &OwnAccount,
    ) -> (i64, Vec<Value>) {
        self.http
            .statement(&cluster.url(account.bank, ""), account.number, &self.tokens[account.bank])
            .await
    }
}

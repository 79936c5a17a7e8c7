//! The same customer registers at all banks at the same moment: exactly one registration succeeds,
//! and all banks agree on which.

use futures_util::future::join_all;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::customer::{Answer, Http, cpf, registration};

const ROUNDS: usize = 200;

async fn at_all_banks(http: &Http, cluster: &Cluster, bodies: &[Value]) -> Vec<Answer> {
    let urls: Vec<_> =
        (0..cluster.banks()).map(|bank| cluster.url(bank, "/register-customer")).collect();
    join_all(urls.iter().zip(bodies).map(|(url, body)| http.post(url, body))).await
}

/// Checks that one bank succeeded and that each of the others says why it did not; returns the
/// winner.
fn assert_one_winner(answers: &[Answer], why: &str) -> usize {
    let winners: Vec<_> =
        (0..answers.len()).filter(|index| answers[*index].status == 200).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.descript()), (400, why));
        assert!(
            answer.position() > answers[winners[0]].position(),
            "the winner came first in the common order"
        );
    }
    winners[0]
}

#[actix_rt::test]
async fn of_three_registrations_of_one_cpf_or_user_name_exactly_one_succeeds() {
    let cluster = Cluster::start(3, "sessions").await;
    let http = Http::new();
    for round in 0..ROUNDS {
        let number = round as u32 * 10;
        let same_cpf = round % 2 == 0;
        let bodies: Vec<_> = (0..3)
            .map(|bank| {
                let user =
                    if same_cpf { format!("cpf{round}.{bank}") } else { format!("nome{round}") };
                let document = if same_cpf { cpf(number) } else { cpf(number + 1 + bank) };
                registration(&user, &document)
            })
            .collect();
        let answers = at_all_banks(&http, &cluster, &bodies).await;
        let why = if same_cpf {
            "Falha na operação: CPF já cadastrado"
        } else {
            "Falha na operação: Nome de usuário já cadastrado"
        };
        let winner = assert_one_winner(&answers, why);
        if round % 20 < 2 {
            all_banks_name_the_winner(&http, &cluster, &bodies[winner]).await;
        }
    }
    cluster.assert_same_everywhere().await;
}

async fn all_banks_name_the_winner(http: &Http, cluster: &Cluster, winner: &Value) {
    for bank in 0..cluster.banks() {
        let answer = http.post(&cluster.url(bank, "/login"), winner).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["data"]["num_cadastro"], winner["num_cadastro"]);
    }
}

//! What a read may ask for, and what its answer says of itself.

use actix_web::test::{self, TestRequest};
use serde_json::json;

use crate::harness::{bank, call, post, ready, service};

fn registration(user: &str, number: u32) -> String {
    serde_json::json!({
        "name": "Pedro Silva", "num_cadastro": format!("123.123.123-{number:02}"), "user_name": user,
        "password": "12345678", "type_person": "PF",
    })
    .to_string()
}

#[actix_rt::test]
async fn a_read_names_its_position_which_is_never_below_the_one_asked_for() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    let register =
        |user: &str, number| call(&service, post("/register-customer", registration(user, number)));
    assert_eq!(register("pedro", 0).await.body["position"], 1);

    let read = |query: &str| TestRequest::get().uri(&format!("/accounts_user/pedro{query}"));
    let answer = test::call_service(&service, read("?min_position=1").to_request()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("netbanking-position").unwrap(), "1");
    assert!(
        !answer.headers().contains_key("warning"),
        "a consortium of one bank is always up to date"
    );

    for request in [
        read("?min_position=2"),
        read("?min_position=1").insert_header(("netbanking-min-position", "2")),
    ] {
        let answer = call(&service, request).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.descript().contains("ainda não executou até a posição 2"), "{answer:?}");
    }
    let (answer, written) =
        futures_util::future::join(call(&service, read("?min_position=2")), register("paula", 1))
            .await;
    assert_eq!(
        (answer.status, &written.body["position"]),
        (200, &2.into()),
        "it waits for what is on its way"
    );
    let login = post("/login", r#"{"user_name": "pedro", "password": "12345678"}"#);
    let answer = call(&service, login.insert_header(("netbanking-min-position", "3"))).await;
    assert_eq!(answer.status, 503, "a login shows balances: {answer:?}");
}

#[actix_rt::test]
async fn an_invalid_position_is_refused_by_name() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    for bad in ["-1", "1.5", "x", "", "+1", "18446744073709551616", "1&min_position=2"] {
        for path in ["/accounts_user/pedro", "/get_account/100000", "/pix/0:pedro"] {
            let answer =
                call(&service, TestRequest::get().uri(&format!("{path}?min_position={bad}"))).await;
            assert_eq!(answer.status, 400, "{bad}: {answer:?}");
            assert!(answer.descript().contains("min_position"), "{answer:?}");
        }
    }
    let request =
        TestRequest::get().uri("/pix/0:pedro").insert_header(("netbanking-min-position", "soon"));
    assert!(call(&service, request).await.descript().contains("min_position"));
}

#[actix_rt::test]
async fn a_pix_key_is_found_whether_or_not_its_slash_is_escaped() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    let company = serde_json::json!({
        "name": "Padaria Sol", "num_cadastro": "12.ABC.345/01DE-35", "user_name": "padaria", "password": "12345678",
        "type_person": "PJ",
    });
    assert_eq!(call(&service, post("/register-customer", company.to_string())).await.status, 200);
    let opening = serde_json::json!({
        "user_name": "padaria", "password": "12345678", "type_account": "PJ", "pix_type": "CNPJ", "users": [],
        "value_init": 50,
    });
    assert_eq!(call(&service, post("/create_account", opening.to_string())).await.status, 200);
    for key in ["0:12.ABC.345/01DE-35", "0:12.ABC.345%2F01DE-35"] {
        let found = call(&service, TestRequest::get().uri(&format!("/pix/{key}"))).await;
        assert_eq!(
            (found.status, &found.body["data"]["name"]),
            (200, &"Padaria Sol".into()),
            "{key}"
        );
    }
    for key in ["0:12.ABC.345/01DE-35/", "0:12.ABC.345"] {
        assert_eq!(
            call(&service, TestRequest::get().uri(&format!("/pix/{key}"))).await.status,
            400,
            "{key}"
        );
    }
    assert_eq!(
        call(&service, TestRequest::get().uri("/pix/")).await.status,
        404,
        "no key, no route"
    );
}

#[actix_rt::test]
async fn a_missing_thing_named_in_a_request_is_400_and_only_an_unknown_address_is_404() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    assert_eq!(
        call(&service, post("/register-customer", registration("pedro", 0))).await.status,
        200
    );
    let elsewhere =
        r#"{"9": {"123456": {"package": [{"type": "DEPOSIT", "value": 1, "sender": 123456}]}}}"#;
    let nowhere = elsewhere.replace("\"9\"", "\"0\"");
    for (request, descript) in [
        (post("/operations", elsewhere), "Banco 9 não existe"),
        (post("/operations", nowhere), "Falha na operação: "),
        (TestRequest::get().uri("/get_account/123456"), "Conta 123456 não existe no banco 0"),
        (TestRequest::get().uri("/accounts_user/ninguem"), "Cliente não encontrado"),
        (TestRequest::get().uri("/pix/0:ninguem"), "Chave Pix não encontrada"),
        (TestRequest::get().uri("/pix/9:ninguem"), "Chave Pix não encontrada"),
    ] {
        let answer = call(&service, request).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.descript().starts_with(descript), "{answer:?}");
    }
    for path in ["/get_account", "/accounts_user", "/pix", "/banks/9"] {
        assert_eq!(call(&service, TestRequest::get().uri(path)).await.status, 404, "{path}");
    }
}

#[actix_rt::test]
async fn a_customer_does_not_learn_which_accounts_others_have() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    ready(&service).await;
    let mut numbers = Vec::new();
    for (name, number) in [("pedro", 0), ("rita", 1)] {
        let registered = call(&service, post("/register-customer", registration(name, number)));
        assert_eq!(registered.await.status, 200);
        let opening = json!({"user_name": name, "password": "12345678", "type_account": "PF",
            "pix_type": "RANDOM", "users": [], "value_init": 50});
        let opened = call(&service, post("/create_account", opening.to_string())).await;
        numbers.push(opened.body["num_account"].as_u64().unwrap());
    }
    let login = json!({"user_name": "pedro", "password": "12345678"}).to_string();
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let read = async |number: u64| {
        let request = TestRequest::get().uri(&format!("/get_account/{number}"));
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        call(&service, request.insert_header(("authorization", bearer))).await
    };
    assert_eq!(read(numbers[0]).await.status, 200);
    let nobodys = (100_000..).find(|number| !numbers.contains(number)).unwrap();
    for number in [numbers[1], nobodys] {
        let answer = read(number).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.descript(), format!("A conta {number} não é sua"));
    }
}

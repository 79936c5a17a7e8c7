//! Bad input gets a 4xx with a reason in Portuguese, and changes nothing.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::harness::{bank, call, post, ready, service};

const REGISTRATION: &str = r#"{"name":"Pedro Silva","num_cadastro":"123.123.123-00","user_name":"pedrinho234","password":"12345678","type_person":"PF"}"#;

/// A package with one operation whose value is written as given.
fn deposit(account: u64, value: &str) -> String {
    format!(
        r#"{{"0":{{"{account}":{{"package":[{{"type":"DEPOSIT","value":{value},"sender":{account}}}]}}}}}}"#
    )
}

fn with(field: &str, value: Value) -> String {
    let mut body: Value = serde_json::from_str(REGISTRATION).unwrap();
    body[field] = value;
    body.to_string()
}

fn without(field: &str) -> String {
    let mut body: Value = serde_json::from_str(REGISTRATION).unwrap();
    body.as_object_mut().unwrap().remove(field);
    body.to_string()
}

#[actix_rt::test]
async fn registrations_with_mistakes_are_refused_naming_the_field() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    ready(&service).await;
    let huge = "x".repeat(1_000_000);
    let deep = format!(r#"{{"name":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let mut bodies: Vec<(String, &str)> = vec![
        (String::new(), "JSON"),
        ("{".into(), "JSON"),
        ("\u{0}".into(), "JSON"),
        ("null".into(), "objeto"),
        ("[1,2]".into(), "objeto"),
        ("{\"name\": 1e400}".into(), ""),
        (r#"{"name":"Pedro","name":"Paulo"}"#.into(), "duas vezes"),
        (deep, ""),
        (with("name", json!("ab")), ""),
        (with("name", json!("Pedro\u{7}")), "name"),
        (with("num_cadastro", json!("1231231230")), ""),
        (with("num_cadastro", json!("12.345.678/0001-00")), ""),
        (with("user_name", json!("pe")), ""),
        (with("user_name", json!("pe dro")), ""),
        (with("user_name", json!("a:b/c")), ""),
        (with("password", json!("1234567")), "senha"),
        (with("password", json!("x".repeat(10_000))), "senha"),
        (with("type_person", json!("XX")), "type_person"),
        (with("name", json!(huge)), ""),
    ];
    for field in ["name", "num_cadastro", "user_name", "password", "type_person"] {
        bodies.push((without(field), field));
        for value in [json!(null), json!(1), json!(true), json!([]), json!({})] {
            bodies.push((with(field, value), field));
        }
    }
    for (body, hint) in bodies {
        let answer = call(&service, post("/register-customer", body.clone())).await;
        let start: String = body.chars().take(80).collect();
        assert!(matches!(answer.status, 400 | 413), "{start}: {answer:?}");
        assert!(answer.descript().contains(hint), "{start}: {answer:?}");
    }
    let status = call(&service, TestRequest::get().uri("/status")).await;
    assert_eq!(status.body["position"], 0, "nothing of it was ordered");
}

#[actix_rt::test]
async fn a_body_that_is_not_utf_8_is_refused() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    let request =
        TestRequest::post().uri("/register-customer").set_payload(&b"{\"name\": \"\xff\xfe\"}"[..]);
    assert_eq!(call(&service, request).await.status, 400);
}

/// Packages for an account with this number and key, each with one mistake.
fn packages_with_mistakes(number: u64, key: &str) -> Vec<String> {
    let operation = |fields: &str| format!(r#"{{"0":{{"{number}":{{"package":[{fields}]}}}}}}"#);
    let mut bodies: Vec<String> = [
        "1e400",
        "0.001",
        "-0",
        "0",
        "0.0",
        "NaN",
        "Infinity",
        "-1",
        "1e2",
        "500.000",
        "\"50\"",
        "null",
        "[]",
        "true",
        "92233720368547758.08",
        "99999999999999999999999999",
        "01",
        "1.",
        ".5",
        "+1",
        "0x10",
    ]
    .iter()
    .map(|value| deposit(number, value))
    .collect();
    bodies.extend(
        [
            "{}",
            "[]",
            "\"0\"",
            r#"{"0":{}}"#,
            r#"{"0":[]}"#,
            r#"{"0":{"x":{"package":[]}}}"#,
            r#"{"1":{"123456":{"package":[]}}}"#,
            r#"{"00":{}}"#,
            r#"{"-1":{"1":{"package":[]}}}"#,
            r#"{"0":{"-5":{"package":[]}}}"#,
        ]
        .map(str::to_owned),
    );
    bodies.extend([
        format!(r#"{{"0":{{"{number}":{{}}}}}}"#),
        format!(r#"{{"0":{{"{number}":{{"package":{{}}}}}}}}"#),
        format!(r#"{{"0":{{"{number}":{{"package":[],"package":[]}}}}}}"#),
        format!(r#"{{"0":{{"{number}":{{"package":[]}},"{number}":{{"package":[]}}}}}}"#),
        operation("1"),
        operation("{}"),
        operation(r#"{"type":"STEAL","value":1,"sender":1}"#),
        operation(r#"{"type":"DEPOSIT","value":1}"#),
        operation(r#"{"type":"DEPOSIT","value":1,"value":2,"sender":1}"#),
        operation(r#"{"type":"DEPOSIT","value":1,"sender":"1"}"#),
        operation(r#"{"type":"DEPOSIT","value":1,"sender":1,"note":"x"}"#),
        operation(&format!(r#"{{"type":"TRANSFER","value":1,"sender":{number}}}"#)),
        operation(&format!(r#"{{"type":"TRANSFER","value":1,"sender":{number},"pix":"nada"}}"#)),
        operation(&format!(r#"{{"type":"TRANSFER","value":1,"sender":{number},"pix":"0:nada"}}"#)),
        operation(&format!(r#"{{"type":"TRANSFER","value":1,"sender":{number},"pix":"{key}"}}"#)),
        operation(r#"{"type":"TRANSFER","value":1,"sender":1,"pix":"0:nada"}"#),
        operation(
            &vec![format!(r#"{{"type":"DEPOSIT","value":1,"sender":{number}}}"#); 1_001].join(","),
        ),
        deposit(999_999_999, "1"),
    ]);
    bodies
}

#[actix_rt::test]
async fn packages_with_mistakes_are_refused_and_move_nothing() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    assert_eq!(call(&service, post("/register-customer", REGISTRATION)).await.status, 200);
    let opening = r#"{"user_name":"pedrinho234","password":"12345678","type_account":"PF","pix_type":"CPF","users":[],"value_init":50}"#;
    let opened = call(&service, post("/create_account", opening)).await;
    let number = opened.body["num_account"].as_u64().unwrap();
    let key = opened.body["kay_pix"].as_str().unwrap().to_owned();
    for body in packages_with_mistakes(number, &key) {
        let answer = call(&service, post("/operations", body.clone())).await;
        let start: String = body.chars().take(100).collect();
        assert_eq!(answer.status, 400, "{start}: {answer:?}");
        assert!(!answer.descript().is_empty(), "{start}");
    }
    let account = call(&service, TestRequest::get().uri(&format!("/get_account/{number}"))).await;
    assert_eq!(account.body["data"]["balance"], json!(50.0));
    assert_eq!(account.body["data"]["transactions"].as_array().unwrap().len(), 1);
}

#[actix_rt::test]
async fn unknown_routes_and_methods_are_answered_in_json() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    for path in [
        "/nada",
        "/operations/",
        "/get_account",
        "/peer",
        "/login/x",
        "/%00",
        "/..%2f..%2fetc/passwd",
    ] {
        let answer = call(&service, TestRequest::get().uri(path)).await;
        assert_eq!((answer.status, answer.descript()), (404, "Rota não encontrada"), "{path}");
    }
    for (method, path) in [
        (Method::DELETE, "/operations"),
        (Method::PUT, "/register-customer"),
        (Method::GET, "/receive-message"),
        (Method::PATCH, "/login"),
        (Method::POST, "/status"),
    ] {
        let answer = call(&service, TestRequest::with_uri(path).method(method)).await;
        assert_eq!(
            (answer.status, answer.descript()),
            (405, "Método não permitido nesta rota"),
            "{path}"
        );
    }
    let query = TestRequest::get().uri("/get_account/123456?limit=muitos");
    assert_eq!(call(&service, query).await.status, 400);
}

#[actix_rt::test]
async fn without_a_session_nothing_of_a_customer_is_read_or_moved() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    for (name, token) in
        [("none", None), ("wrong", Some("Bearer 123")), ("other scheme", Some("Basic 123"))]
    {
        let requests = [
            post("/operations", deposit(123_456, "1")),
            TestRequest::get().uri("/get_account/123456"),
            TestRequest::get().uri("/accounts_user/pedrinho234"),
            post("/logout", ""),
        ];
        for mut request in requests {
            if let Some(token) = token {
                request = request.insert_header(("authorization", token));
            }
            let answer = call(&service, request).await;
            assert_eq!(answer.status, 401, "{name}: {answer:?}");
        }
    }
}

#[actix_rt::test]
async fn a_wrong_password_and_an_unknown_customer_get_the_same_answer() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    ready(&service).await;
    call(&service, post("/register-customer", REGISTRATION)).await;
    let wrong =
        call(&service, post("/login", r#"{"user_name":"pedrinho234","password":"87654321"}"#))
            .await;
    let unknown =
        call(&service, post("/login", r#"{"user_name":"ninguem","password":"12345678"}"#)).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong, unknown);
}

#[actix_rt::test]
async fn a_bad_value_is_named_by_its_place() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    let third = |operation: &str| {
        let fine = r#"{"type":"DEPOSIT","value":1,"sender":932836}"#;
        format!(r#"{{"0":{{"932836":{{"package":[{fine},{fine},{operation}]}}}}}}"#)
    };
    for (operation, descript) in [
        (
            r#"{"type":"DEPOSIT","value":0.001,"sender":1}"#,
            "0.932836.package[2].value: Valor tem mais de duas casas decimais",
        ),
        (
            r#"{"type":"DEPOSIT","value":"1","sender":1}"#,
            "0.932836.package[2].value: Valor não é um número",
        ),
        (
            r#"{"type":"DEPOSIT","value":1,"sender":"1"}"#,
            "O campo 0.932836.package[2].sender deve ser um número de conta",
        ),
        (
            r#"{"type":"TRANSFER","value":1,"sender":5,"pix":"0:ana"}"#,
            "0.932836.package[2].sender: o remetente 5 não é a conta 932836",
        ),
        (
            r#"{"type":"TRANSFER","value":1,"sender":932836,"pix":"9:ana"}"#,
            "0.932836.package[2].pix: Banco 9 não existe",
        ),
        (r#"{"type":"STEAL","value":1,"sender":1}"#, "O campo 0.932836.package[2].type deve ser"),
        (
            r#"{"type":"DEPOSIT","value":1,"sender":1,"memo":1}"#,
            "Campo desconhecido: 0.932836.package[2].memo",
        ),
    ] {
        let answer = call(&service, post("/operations", third(operation))).await;
        assert_eq!(answer.status, 400, "{operation}: {answer:?}");
        assert!(answer.descript().starts_with(descript), "{operation}: {answer:?}");
    }
    let opening = |users: &str, value: &str| {
        format!(
            r#"{{"user_name":"ana","password":"12345678","type_account":"CONJUNTA","pix_type":"CPF","users":{users},"value_init":{value}}}"#
        )
    };
    for (body, start) in [
        (opening(r#"["bia", "c"]"#, "50"), "users[1]: Nome de usuário"),
        (opening(r#"["bia", 7]"#, "50"), "O campo users[1] deve ser um texto"),
        (opening("[]", "1e2"), "value_init: Valor não pode ter expoente"),
    ] {
        let answer = call(&service, post("/create_account", body)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.descript().starts_with(start), "{answer:?}");
    }
}

#[actix_rt::test]
async fn a_byte_order_mark_before_a_body_is_passed_over() {
    let (bank, _data) = bank(0, 1, "open").await;
    let service = service(&bank).await;
    ready(&service).await;
    let answer =
        call(&service, post("/register-customer", format!("\u{feff}{REGISTRATION}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let twice =
        call(&service, post("/register-customer", format!("\u{feff}\u{feff}{REGISTRATION}"))).await;
    assert_eq!(twice.status, 400, "{twice:?}");
}

//! Names that deceive nobody: at the door, and where older ones are shown.

use crate::browser::{Browser, one_bank, one_bank_with, registration};
use crate::harness::{call, post, service};

#[actix_web::test]
async fn a_name_that_could_pass_for_another_is_refused_at_the_door() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    for (name, why) in [
        ("Ana \u{202e}azuoS", "Nome não pode ter o caractere U+202E"),
        ("A\u{200b}na Souza", "Nome não pode ter o caractere U+200B"),
        ("\u{410}na Souza", "Nome não pode misturar alfabetos"),
    ] {
        let fields = registration("k", name, "ana", "111.111.111-11");
        browser.post("/cadastro", &fields).await.is(400).has(why);
        let body = serde_json::json!({"name": name, "num_cadastro": "111.111.111-11", "user_name": "ana",
            "password": "12345678", "type_person": "PF"});
        let answer = call(&service, post("/register-customer", body.to_string())).await;
        assert_eq!((answer.status, answer.descript()), (400, why));
    }
    // Composed and decomposed letters are the same name.
    browser.register("Joa\u{303}o Souza", "joao", "111.111.111-11").await.leads_to("/?senha=comum");
    browser.get("/").await.has("Olá, <bdi>João Souza</bdi>");
    let twin = browser.register("Outro João", "J0A0", "222.222.222-22").await;
    twin.is(400).has("Nome de usuário parecido demais com um já cadastrado");
}

#[actix_web::test]
async fn a_user_name_logs_in_in_any_case() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let fields = [("usuario", "ANA"), ("senha", "12345678"), ("destino", "/")];
    browser.post("/entrar", &fields).await.leads_to("/");
    browser.get("/").await.has("(<bdi>ana</bdi>)");
}

#[actix_web::test]
async fn guesses_under_several_spellings_of_a_name_count_together() {
    let limits = serde_json::json!({"limits": {"loopback": true}});
    let (bank, _data) = one_bank_with(limits).await;
    let service = service(&bank).await;
    for name in ["ana", "nobody"] {
        let mut waits = 0;
        for guess in 0..12_usize {
            // Each guess is spelled in its own way.
            let spelled = |(place, char): (usize, char)| match guess >> (place % 3) & 1 {
                0 => char,
                _ => char.to_ascii_uppercase(),
            };
            let name: String = name.chars().enumerate().map(spelled).collect();
            let body = serde_json::json!({"user_name": name, "password": "12345678"}).to_string();
            let request = post("/login", body).peer_addr("192.0.2.7:1".parse().unwrap());
            waits += usize::from(call(&service, request).await.status == 429);
        }
        assert!(waits > 0, "{name}: nobody guesses twelve times without a delay");
    }
}

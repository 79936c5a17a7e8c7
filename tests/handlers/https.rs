//! A bank that customers reach by HTTPS, asked in the open.

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HOST};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use netbanking::http::https::require;
use netbanking::wire::BANK_HEADER;

use crate::harness::{SECRET, bank};

/// Somebody on another machine.
const ELSEWHERE: &str = "192.0.2.7:50000";
const HERE: &str = "127.0.0.1:50000";

#[actix_web::test]
async fn who_comes_in_the_open_from_elsewhere_is_led_to_https_and_nothing_else_is_said() {
    let (mut bank, _data) = bank(0, 3, "sessions").await;
    bank.https = true;
    let routes = netbanking::web::configure(web::Data::new(bank.clone()));
    let service = init_service(App::new().wrap(from_fn(require)).configure(routes)).await;
    let ask = async |method: Method, path: &str, from: &str, secret: Option<&str>| {
        let mut request = TestRequest::with_uri(path)
            .method(method)
            .insert_header((HOST, "banco.example:3050"))
            .peer_addr(from.parse().unwrap());
        if let Some(secret) = secret {
            request = request
                .insert_header((AUTHORIZATION, format!("Bearer {secret}")))
                .insert_header((BANK_HEADER, "1"));
        }
        let answer = call_service(&service, request.to_request()).await;
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location)
    };
    let to_https = Some("https://banco.example:3050/entrar?a=b".to_owned());
    assert_eq!(ask(Method::GET, "/entrar?a=b", ELSEWHERE, None).await, (308, to_https));
    assert_eq!(ask(Method::POST, "/login", ELSEWHERE, None).await, (403, None));
    // A health check, and a proxy that has decrypted what it passes on.
    assert_eq!(ask(Method::GET, "/check", HERE, None).await.0, 200);
    // Another bank, where banks have no certificates.
    assert_eq!(ask(Method::POST, "/peer/view", ELSEWHERE, Some("wrong")).await.0, 403);
    assert_eq!(ask(Method::POST, "/peer/view", ELSEWHERE, Some(SECRET)).await.0, 400);
}

//! Every address: links lead somewhere, people and programs each learn of an unknown address in
//! their own way, and each route says which methods it knows.

use std::collections::BTreeSet;
use std::net::TcpListener;

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{self, TestRequest};
use netbanking::tls::{Entrance, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::browser::{ACCEPT, Browser, Page, one_bank, unescape};
use crate::harness::{bank, laboratory, ready, service};

/// The addresses in a given attribute of a page, except for those of its own parts (`#…`).
fn addresses(page: &Page, attribute: &str) -> Vec<String> {
    let mark = format!(" {attribute}=\"");
    let found =
        page.html.split(&mark).skip(1).map(|rest| unescape(rest.split('"').next().unwrap()));
    found.filter(|address| !address.starts_with('#')).collect()
}

/// Follows all links from these pages on and returns the addresses that it reached.
async fn follow<S, B>(browser: &mut Browser<'_, S>, start: Vec<Page>) -> BTreeSet<String>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let mut seen = BTreeSet::new();
    let mut pages = start;
    while let Some(page) = pages.pop() {
        for fragment in
            addresses(&page, "href").iter().filter_map(|address| address.strip_prefix('#'))
        {
            page.has(&format!("id=\"{fragment}\""));
        }
        for address in addresses(&page, "hx-get") {
            browser.part(&address).await.is(200);
            seen.insert(address);
        }
        for address in [addresses(&page, "action"), addresses(&page, "hx-post")].concat() {
            // A form from another site changes nothing: an address that takes forms refuses it, and
            // one that takes none is not found.
            let site = std::mem::replace(&mut browser.site, "cross-site");
            let answer = browser.post(&address, &[]).await;
            browser.site = site;
            assert!(
                matches!(answer.status, 400 | 403) || is_get_form(browser, &address).await,
                "{address}: {answer:?}"
            );
            seen.insert(address);
        }
        for address in [addresses(&page, "href"), addresses(&page, "src")].concat() {
            if seen.insert(address.clone()) {
                let answer = browser.get(&address).await;
                assert_eq!(answer.status, 200, "{address}: {answer:?}");
                if answer.headers["content-type"].starts_with("text/html") {
                    pages.push(answer);
                }
            }
        }
    }
    seen
}

/// Whether the address takes a form by GET.
async fn is_get_form<S, B>(browser: &mut Browser<'_, S>, address: &str) -> bool
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    browser.get(address).await.status == 200
}

#[actix_web::test]
async fn every_link_of_every_page_leads_somewhere_for_every_visitor() {
    let (bank, _data) = laboratory(0, 1).await;
    let service = service(&bank).await;
    ready(&service).await;
    let mut browser = Browser::new(&service);
    let start = vec![browser.get("/").await, browser.get("/nada").await];
    let seen = follow(&mut browser, start).await;
    for address in [
        "/entrar",
        "/cadastro",
        "/consorcio",
        "/consorcio/shiviz.log",
        "/consorcio/laboratorio/atraso",
    ] {
        assert!(seen.contains(address), "{address} is not among {seen:?}");
    }

    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let without_account = ["/", "/pacote", "/cobranca"];
    let mut start = Vec::new();
    for path in without_account {
        start.push(browser.get(path).await);
    }
    let place = browser.open("100", "CPF").await;
    let deposit = format!("D.{}.100", place.replace('-', "."));
    let too_much = format!("S.{}.999999", place.replace('-', "."));
    let many: Vec<_> = std::iter::repeat_n(("op", deposit.as_str()), 60).collect();
    start.push(
        browser.package(&[&[("chave", "k1"), ("acao", "confirmar")], &many[..]].concat()).await,
    );
    let refused = [("chave", "k2"), ("acao", "confirmar"), ("op", too_much.as_str())];
    start.push(browser.package(&refused).await);
    start.push(browser.get("/").await);
    start.push(browser.get("/contas/0-1").await);
    let seen = follow(&mut browser, start).await;
    let statement = format!("/contas/{place}");
    for address in
        ["/pagar", "/cobranca", "/contas/nova", "/sair", "/pacote/destinatario", statement.as_str()]
    {
        assert!(seen.contains(address), "{address} is not among {seen:?}");
    }
    assert!(seen.iter().any(|address| address.contains("antes=")), "{seen:?}");
    assert!(seen.iter().any(|address| address.contains("extrato.ofx")), "{seen:?}");
}

#[actix_web::test]
async fn at_an_unknown_address_people_get_a_page_and_programs_get_json() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    for path in [
        "/nada",
        "/pacote/",
        "/entrar/",
        "/contas",
        "/contas/",
        "/contas/%ff",
        "/assets/nada.css",
        "/operations/",
        "/peer",
    ] {
        let page = browser.get(path).await;
        page.is(404).has("lang=\"pt-BR\"").has("Página não encontrada").has(">(<bdi>ana</bdi>)<");
        for accept in
            [None, Some("*/*"), Some("application/json"), Some("application/json, text/html;q=0.9")]
        {
            let request = TestRequest::get().uri(path);
            let request = accept
                .into_iter()
                .fold(request, |request, accept| request.insert_header(("accept", accept)));
            let response = test::call_service(&service, request.to_request()).await;
            let told = (response.status().as_u16(), test::read_body(response).await);
            // What is a page for everybody remains one.
            if path != "/contas/%ff" {
                assert_eq!(
                    told,
                    (404, r#"{"descript":"Rota não encontrada"}"#.into()),
                    "{path} {accept:?}"
                );
            }
        }
    }
    browser.get("/sair").await.is(405).has("lang=\"pt-BR\"").has("Método não permitido");
    browser.get("/pacote/destinatario?pix=0:x").await.leads_to("/pacote");
}

#[actix_web::test]
async fn head_is_answered_like_get_everywhere() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    ready(&service).await;
    let asset = netbanking::web::assets::url("style.css");
    for path in [
        "/check",
        "/ready",
        "/status",
        "/login",
        "/accounts_user/ana",
        "/get_account/123456",
        "/pix/0:ana",
        "/",
        "/entrar",
        "/cadastro",
        "/contas/nova",
        "/contas/0-7",
        "/contas/0-7/extrato.csv",
        "/contas/0-7/extrato.ofx",
        "/pacote",
        "/pacote/destinatario",
        "/pagar",
        "/pagar/valor",
        "/pagar/confirmar",
        "/contas/0-7/comprovante/0",
        "/cobranca",
        "/consorcio",
        "/consorcio/eventos",
        "/consorcio/estado",
        "/consorcio/shiviz.log",
        "/nada",
        asset.as_str(),
    ] {
        let ask = async |method: Method| {
            let request = TestRequest::with_uri(path)
                .method(method)
                .insert_header(("accept", ACCEPT))
                .to_request();
            let response = test::call_service(&service, request).await;
            let headers =
                response.headers().iter().map(|(name, value)| format!("{name}: {value:?}"));
            (response.status(), headers.collect::<BTreeSet<_>>())
        };
        assert_eq!(ask(Method::HEAD).await, ask(Method::GET).await, "{path}");
    }
}

#[actix_web::test]
async fn a_head_has_no_body_on_the_wire() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let entrance = Entrance { transport: Transport::Open, site: None };
    let server =
        netbanking::http::serve(bank, listener, entrance, netbanking::web::configure).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let mut stream = TcpStream::connect(address).await.unwrap();
    for path in ["/check", "/entrar", "/consorcio/eventos"] {
        stream
            .write_all(format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{path}: {}", head.escape_ascii());
    }
    // Had a body been sent, it would come before the answer to this.
    stream.write_all(b"GET /check HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    assert!(told.ends_with("\r\n\r\n{\"descript\":\"Banco no ar\"}"), "{told}");
    handle.stop(false).await;
}

#[actix_web::test]
async fn a_refusal_says_which_methods_there_are_and_how_to_authenticate() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = service(&bank).await;
    ready(&service).await;
    for (method, path, allow) in [
        (Method::DELETE, "/operations", "POST"),
        (Method::GET, "/peer/view", "POST"),
        (Method::OPTIONS, "/status", "GET, HEAD"),
        (Method::PATCH, "/login", "GET, HEAD, POST"),
        (Method::PUT, "/accounts_user/ana", "GET, HEAD, POST"),
        (Method::DELETE, "/", "GET, HEAD"),
        (Method::PUT, "/pacote", "GET, HEAD, POST"),
        (Method::GET, "/sair", "POST"),
        (Method::GET, "/consorcio/laboratorio/evento", "POST"),
    ] {
        for accept in [ACCEPT, "application/json"] {
            let request = TestRequest::with_uri(path)
                .method(method.clone())
                .insert_header(("accept", accept));
            let response = test::call_service(&service, request.to_request()).await;
            assert_eq!(response.status().as_u16(), 405, "{method} {path}");
            assert_eq!(response.headers().get("allow").unwrap(), allow, "{method} {path}");
        }
    }
    for request in [
        TestRequest::post().uri("/operations"),
        TestRequest::get().uri("/get_account/123456"),
        TestRequest::get()
            .uri("/get_account/123456")
            .insert_header(("authorization", "Bearer 123")),
        TestRequest::post().uri("/peer/view"),
        TestRequest::post().uri("/pacote").insert_header(("accept", ACCEPT)),
    ] {
        let response = test::call_service(&service, request.to_request()).await;
        assert_eq!(response.status().as_u16(), 401);
        assert_eq!(
            response.headers().get("www-authenticate").unwrap(),
            "Bearer realm=\"NetBanking\""
        );
    }
}

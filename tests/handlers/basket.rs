//! The basket of a package: it is lost by nothing that a customer does, and nothing is executed
//! unless the customer confirms it.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};

use crate::browser::{Browser, one_bank};
use crate::harness::service;

/// Ana with R$ 100.00; returns her account as an address names it, and as a hidden field does.
async fn ana<S, B>(browser: &mut Browser<'_, S>) -> (String, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = browser.open("100", "USER_NAME").await;
    let dotted = place.replace('-', ".");
    (place, dotted)
}

/// Ana logs in again with the basket that the login page has kept.
async fn log_in<S, B>(browser: &mut Browser<'_, S>, basket: &str)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let login = [("usuario", "ana"), ("senha", "12345678"), ("destino", "/pacote")];
    let fields = [&login[..], &[("pacote", basket)]].concat();
    browser.post("/entrar", &fields).await.leads_to("/pacote");
}

#[actix_web::test]
async fn what_a_session_ended_before_it_was_sent_is_not_executed_by_asking() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (place, dotted) = ana(&mut browser).await;
    let op = format!("S.{dotted}.5000");
    browser.cookie = None;
    let confirm = [("chave", "k-7"), ("op", op.as_str()), ("acao", "confirmar")];
    let login = browser.package(&confirm).await;
    login.is(401).has("A sua sessão terminou");
    let basket = login.value("pacote");
    let wrong = [("usuario", "ana"), ("senha", "x"), ("pacote", basket.as_str())];
    assert_eq!(browser.post("/entrar", &wrong).await.is(400).value("pacote"), basket);
    log_in(&mut browser, &basket).await;
    let page = browser.get("/pacote").await;
    page.is(200).has("Nada foi enviado").has("Confirmar 1 operação").lacks("Perguntar");
    assert_eq!((page.value("chave"), page.values("op")), ("k-7".to_owned(), vec![op.clone()]));

    // Even a page that asks all the same moves nothing.
    let asked = browser.package(&[("chave", "k-7"), ("op", &op), ("acao", "perguntar")]).await;
    asked.is(200).has("Ainda não sabemos o resultado").has("Até agora este banco não executou");
    browser.get(&format!("/contas/{place}")).await.has("R$\u{a0}100,00").lacks("R$\u{a0}50,00");
    // Until it is known, the package stays, whatever other pages send.
    browser.package(&[("chave", "k-8"), ("acao", "adicionar")]).await.has("Perguntar");
    let sent = browser.package(&confirm).await;
    sent.is(200).has("Pacote executado").has("R$\u{a0}50,00");
    browser.package(&confirm).await.has("Pacote executado").has("R$\u{a0}50,00");
    browser.get("/pacote").await.has("O pacote está vazio");
}

#[actix_web::test]
async fn a_package_that_was_sent_before_the_session_ended_is_found_again() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (_, dotted) = ana(&mut browser).await;
    let ops = [format!("D.{dotted}.500"), format!("S.{dotted}.99999")];
    let fields = |op| [("chave", "k"), ("op", op), ("acao", "confirmar"), ("incerto", "sim")];
    browser.package(&fields(ops[0].as_str())).await.is(200).has("Pacote executado");
    browser.cookie = None;
    let basket = browser.package(&fields(ops[0].as_str())).await.is(401).value("pacote");
    log_in(&mut browser, &basket).await;
    browser.get("/pacote").await.leads_to("/pacote/k");
    // The same for a package that was refused: it can be corrected.
    let mut refused = fields(ops[1].as_str());
    refused[0].1 = "k2";
    browser.package(&refused).await.is(400);
    browser.cookie = None;
    let basket = browser.package(&refused).await.is(401).value("pacote");
    log_in(&mut browser, &basket).await;
    let page = browser.get("/pacote").await;
    page.is(400).has("O pacote não foi executado").has("Confirmar 1 operação");
    // And for one of which nothing is known.
    refused[0].1 = "k3";
    browser.cookie = None;
    let basket = browser.package(&refused).await.is(401).value("pacote");
    log_in(&mut browser, &basket).await;
    let page = browser.get("/pacote").await;
    page.is(200).has("Perguntar o que aconteceu").has("Enviar de novo");
    assert_eq!(page.value("chave"), "k3");
    browser.package(&[("acao", "esvaziar"), ("chave", "k3")]).await.has("O pacote está vazio");
}

#[actix_web::test]
async fn a_basket_survives_reload_back_and_other_pages() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (place, dotted) = ana(&mut browser).await;
    let deposit =
        [("chave", "k"), ("acao", "adicionar"), ("tipo", "D"), ("conta", &place), ("valor", "5")];
    // Loading the answer of a form anew must not send the form anew.
    browser.post("/pacote", &deposit).await.leads_to("/pacote");
    let op = format!("D.{dotted}.500");
    for _ in 0..2 {
        assert_eq!(browser.get("/pacote").await.is(200).values("op"), [op.as_str()]);
    }
    let charge = browser.get(&format!("/cobranca?conta={place}&valor=1")).await;
    let (_, code) = charge.html.split_once("spellcheck=\"false\">").unwrap();
    let code = code.split_once("</textarea>").unwrap().0;
    let page = browser.package(&[("acao", "ler"), ("codigo", code)]).await;
    page.is(200).has("value=\"1,00\"").has("Quem recebe: <strong><bdi>Ana Souza</bdi></strong>");
    assert_eq!((page.values("op"), page.value("conferido")), (vec![op.clone()], "0:ana".into()));
    // What was typed and not yet added stays too, and a link to another account adds to the basket.
    browser.get("/").await.is(200);
    let page = browser.get(&format!("/pacote?conta={place}")).await;
    page.has("value=\"1,00\"").has("value=\"0:ana\"");
    assert_eq!(page.values("op"), [op.as_str()]);
    let wrong = [("chave", "k"), ("op", &op), ("acao", "adicionar"), ("tipo", "D"), ("valor", "x")];
    browser.package(&wrong).await.is(400);
    assert_eq!(browser.get("/pacote").await.values("op"), [op.as_str()]);
    // Another customer has a basket of their own.
    let mut bia = Browser::new(&service);
    bia.register("Bia Lima", "bia", "222.222.222-22").await;
    bia.open("50", "CPF").await;
    bia.get("/pacote").await.has("O pacote está vazio");
    browser.package(&[("acao", "esvaziar")]).await.has("O pacote está vazio");
}

#[actix_web::test]
async fn a_code_that_cannot_be_read_or_whose_session_has_ended_need_not_be_pasted_again() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    ana(&mut browser).await;
    let wrong = browser.package(&[("acao", "ler"), ("codigo", "000201 <oi>")]).await;
    wrong.is(400).has("comprimento").has("<details open>").has(">000201 &#60;oi&#62;</textarea>");
    browser.cookie = None;
    let login = browser.package(&[("acao", "ler"), ("codigo", "000201 outro")]).await;
    log_in(&mut browser, &login.is(401).value("pacote")).await;
    browser.get("/pacote").await.is(200).has(">000201 outro</textarea>");
    browser.package(&[("acao", "esvaziar")]).await.has("></textarea>");
}

#[actix_web::test]
async fn a_confirmation_has_an_address_of_its_own() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (_, dotted) = ana(&mut browser).await;
    let op = format!("S.{dotted}.1000");
    let confirm = [("chave", "k-1"), ("op", op.as_str()), ("acao", "confirmar")];
    browser.post("/pacote", &confirm).await.leads_to("/pacote/k-1");
    for _ in 0..2 {
        let page = browser.get("/pacote/k-1").await;
        page.is(200).has("Pacote executado").has("Posição 3").has("Saque").has("R$\u{a0}10,00");
    }
    browser.get("/pacote/k-2").await.is(404).has("últimas 24 horas");
    let mut bia = Browser::new(&service);
    bia.register("Bia Lima", "bia", "222.222.222-22").await;
    bia.get("/pacote/k-1").await.is(404).lacks("10,00");
    browser.cookie = None;
    browser.get("/pacote/k-1").await.leads_to("/entrar?destino=%2Fpacote%2Fk-1");
}

#[actix_web::test]
async fn the_end_of_a_session_shows_no_login_page_where_none_belongs() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (place, _) = ana(&mut browser).await;
    browser.get(&format!("/contas/{place}")).await.has("extrato.csv").lacks("download");
    browser.cookie = None;
    let part = browser.part("/pacote/destinatario?pix=ana").await;
    part.is(401).has("A sua sessão terminou").has("href=\"/entrar?destino=/pacote\"");
    part.lacks("<form").lacks("Ana Souza");
    let answer = browser.get(&format!("/contas/{place}/extrato.ofx?tipo=DEPOSIT")).await;
    let login = browser.get(answer.is(303).location.as_deref().unwrap()).await;
    assert_eq!(login.value("destino"), format!("/contas/{place}?tipo=DEPOSIT"));
}

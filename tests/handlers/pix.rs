//! A Pix in three steps, and its receipt.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};

use crate::browser::{Browser, Page, one_bank};
use crate::harness::service;

/// Two customers, each with R$ 100.00; returns their accounts as addresses name them.
async fn ana_and_bia<S, B>(ana: &mut Browser<'_, S>, bia: &mut Browser<'_, S>) -> (String, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    (ana.open("100", "RANDOM").await, bia.open("100", "CPF").await)
}

/// The first two steps; returns the page of the third.
async fn to_confirm<S, B>(ana: &mut Browser<'_, S>, payee: &str, from: &str, value: &str) -> Page
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    ana.get("/pagar").await.is(200).has("Passo 1 de 3");
    let found = ana.post("/pagar", &[("acao", "destinatario"), ("pix", payee)]).await;
    found.leads_to("/pagar/valor");
    let page = ana.get("/pagar/valor").await;
    page.is(200).has("Passo 2 de 3").has("Bia Lima").has("***.555.666-**");
    let key = page.value("pix");
    let fields = [("acao", "valor"), ("pix", key.as_str()), ("conta", from), ("valor", value)];
    let fields = [&fields[..], &[("mensagem", "almoço <3")]].concat();
    ana.post("/pagar", &fields).await.leads_to("/pagar/confirmar");
    ana.get("/pagar/confirmar").await
}

/// Presses 'pay' with a password.
async fn pay<S, B>(ana: &mut Browser<'_, S>, page: &Page, password: &str) -> Page
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let (key, op) = (page.value("chave"), page.value("op"));
    let fields = [("acao", "confirmar"), ("chave", key.as_str()), ("op", op.as_str())];
    ana.post("/pagar", &[&fields[..], &[("senha", password)]].concat()).await
}

#[actix_web::test]
async fn a_pix_takes_three_steps_and_leaves_a_receipt_that_only_its_parties_see() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = ana_and_bia(&mut ana, &mut bia).await;
    ana.get("/").await.has("href=\"/pagar\"");
    let page = to_confirm(&mut ana, "444.555.666-44", &from, "12,34").await;
    page.is(200).has("Passo 3 de 3").has("Pagar R$\u{a0}12,34").has("almoço &#60;3");

    let wrong = pay(&mut ana, &page, "não é esta").await;
    wrong.is(400).has("A senha não está certa").has("Passo 3 de 3");
    ana.get(&format!("/contas/{from}")).await.has("R$\u{a0}100,00").lacks("12,34");
    // Pressed twice, it is done once.
    let receipt = format!("/contas/{from}/comprovante/1?novo=sim");
    for _ in 0..2 {
        pay(&mut ana, &page, "12345678").await.leads_to(&receipt);
    }
    ana.get(&format!("/contas/{from}")).await.has("R$\u{a0}87,66").lacks("75,32");
    ana.get("/pagar/confirmar").await.leads_to("/pagar");

    let paid = ana.get(&receipt).await;
    paid.is(200).has("Pix feito").has("R$\u{a0}12,34").has("almoço &#60;3").has("<dt>Quem pagou");
    for party in ["Ana Souza", "***.222.333-**", "Bia Lima", "***.555.666-**"] {
        paid.has(party);
    }
    let statement = bia.get(&format!("/contas/{to}")).await;
    let address = format!("/contas/{to}/comprovante/1");
    statement.has(&format!("href=\"{address}\""));
    let received = bia.get(&address).await;
    received.is(200).has("Pix recebido").has("Ana Souza").lacks("Pix feito");
    let id = |page: &Page| {
        let (_, rest) = page.html.split_once("<dt>Identificação</dt><dd class=\"key\">").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(id(&paid), id(&received));
    for (browser, path) in [(&mut bia, &receipt), (&mut ana, &address)] {
        browser.get(path).await.is(404).lacks("Souza");
    }
    for index in ["2", "99", "x", "-1"] {
        ana.get(&format!("/contas/{from}/comprovante/{index}")).await.is(404);
    }
    ana.get(&format!("/contas/{from}/comprovante/0")).await.is(200).has("Abertura");
    ana.cookie = None;
    ana.get(&receipt).await.is(303);
}

#[actix_web::test]
async fn an_account_is_paid_by_its_number_and_its_key_is_told_to_nobody() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = ana_and_bia(&mut ana, &mut bia).await;
    let number = to.split_once('-').unwrap().1;
    let page = to_confirm(&mut ana, number, &from, "1").await;
    page.is(200).lacks("444.555");
    let done = pay(&mut ana, &page, "12345678").await;
    ana.get(done.is(303).location.as_deref().unwrap()).await.has("Bia Lima").lacks("444.555");
    ana.get(&format!("/contas/{from}/extrato.csv"))
        .await
        .has(&format!(";0:@{number};"))
        .lacks("444.555");
    bia.get(&format!("/contas/{to}")).await.has("Ana Souza").has("R$\u{a0}101,00");
}

#[actix_web::test]
async fn a_code_fills_in_the_amount_the_message_and_the_charge() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = ana_and_bia(&mut ana, &mut bia).await;
    let charge = format!("/cobranca?conta={to}&valor=7,50&descricao=pizza&identificador=PEDIDO7");
    let charge = bia.get(&charge).await;
    let (_, code) = charge.html.split_once("spellcheck=\"false\">").unwrap();
    let code = code.split_once("</textarea>").unwrap().0;
    ana.post("/pagar", &[("acao", "destinatario"), ("pix", code)]).await.leads_to("/pagar/valor");
    let page = ana.get("/pagar/valor").await;
    let fields = ["valor", "mensagem", "cobranca"].map(|name| page.value(name));
    assert_eq!(fields, ["7,50", "pizza", "PEDIDO7 0:444.555.666-44"]);
    page.has("PEDIDO7</span>");
    let key = page.value("pix");
    let say = [("acao", "valor"), ("pix", key.as_str()), ("conta", &from), ("valor", "7,50")];
    let say = [&say[..], &[("mensagem", "pizza"), ("cobranca", fields[2].as_str())]].concat();
    ana.post("/pagar", &say).await.leads_to("/pagar/confirmar");
    let page = ana.get("/pagar/confirmar").await;
    let done = pay(&mut ana, &page, "12345678").await;
    ana.get(done.is(303).location.as_deref().unwrap()).await.has("PEDIDO7").has("pizza");
    bia.get(&format!("/contas/{to}")).await.has("PEDIDO7").has("<q><bdi>pizza</bdi></q>");
    // A code that is none says so at the first step, and is kept.
    let wrong = ana.post("/pagar", &[("acao", "destinatario"), ("pix", "000201 oi")]).await;
    wrong.is(400).has("Passo 1 de 3").has("comprimento").has("value=\"000201 oi\"");
}

#[actix_web::test]
async fn what_cannot_be_paid_is_said_at_the_step_where_it_can_be_corrected() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, _) = ana_and_bia(&mut ana, &mut bia).await;
    ana.get("/pagar/valor").await.leads_to("/pagar");
    let nobody = ana.post("/pagar", &[("acao", "destinatario"), ("pix", "ninguem")]).await;
    nobody.is(400).has("Passo 1 de 3").has("Chave Pix não encontrada").has("value=\"ninguem\"");
    let say = |value, message| {
        [
            ("acao", "valor"),
            ("pix", "0:444.555.666-44"),
            ("conta", from.as_str()),
            ("valor", value),
            ("mensagem", message),
        ]
    };
    let long = "x".repeat(141);
    for (value, message, why) in [
        ("um", "", "1.234,56"),
        ("0", "", "maior que zero"),
        ("100,01", "", "insuficiente"),
        ("1", long.as_str(), "140"),
    ] {
        let page = ana.post("/pagar", &say(value, message)).await;
        page.is(400)
            .has("Passo 2 de 3")
            .has(why)
            .has("Bia Lima")
            .has(&format!("value=\"{value}\""));
    }
}

#[actix_web::test]
async fn a_pix_survives_the_end_of_its_session_and_is_not_sent_by_asking() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, _) = ana_and_bia(&mut ana, &mut bia).await;
    let page = to_confirm(&mut ana, "444.555.666-44", &from, "5").await;
    ana.cookie = None;
    let login = pay(&mut ana, &page, "12345678").await;
    login.is(401).has("A sua sessão terminou").lacks("12345678");
    let (kept, target) = (login.value("pacote"), login.value("destino"));
    let fields = [("usuario", "ana"), ("senha", "12345678"), ("destino", target.as_str())];
    ana.post("/entrar", &[&fields[..], &[("pacote", kept.as_str())]].concat())
        .await
        .leads_to("/pagar");
    let shown = ana.get("/pagar").await;
    shown.is(200).has("Nada foi enviado").has("Passo 3 de 3");
    assert_eq!((shown.value("chave"), shown.value("op")), (page.value("chave"), page.value("op")));
    let (key, op) = (page.value("chave"), page.value("op"));
    let asks = [("acao", "perguntar"), ("chave", key.as_str()), ("op", op.as_str())];
    let asked = ana.post("/pagar", &asks).await;
    asked.is(200).has("Ainda não sabemos o resultado").has("Perguntar o que aconteceu");
    ana.get(&format!("/contas/{from}")).await.has("R$\u{a0}100,00").lacks("95,00");
    // A wrong password leaves it unknown; another tab cannot make it forgotten.
    pay(&mut ana, &page, "errada").await.is(400).has("Ainda não sabemos o resultado");
    let other = ana.post("/pagar", &[("acao", "destinatario"), ("pix", "444.555.666-44")]).await;
    other.leads_to("/pagar/confirmar");
    ana.get("/pagar").await.is(200).has("Ainda não sabemos o resultado");
    let done = pay(&mut ana, &page, "12345678").await;
    ana.get(done.is(303).location.as_deref().unwrap()).await.has("Pix feito");
    ana.get("/pagar").await.is(200).has("Passo 1 de 3");
}

//! The internet bank's pages, as a browser without scripts sees them.

use actix_web::test::{self, TestRequest};

use crate::browser::{Browser, Page, one_bank, opening, registration};
use crate::harness::{bank, service};

#[actix_web::test]
async fn a_customer_registers_opens_accounts_and_sees_their_total() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.get("/").await.is(200).has("Cadastrar-se").has("lang=\"pt-BR\"");
    browser.register("Ana Souza", "ana", "111.111.111-11").await.leads_to("/?senha=comum");
    browser.get("/").await.is(200).has("Olá, <bdi>Ana Souza</bdi>").has("ainda não tem conta");
    let first = browser.open("1.250,50", "CPF").await;
    let opened = browser.get(&format!("/?aberta={first}")).await;
    opened.has("aberta no Banco 0").has("R$\u{a0}1.250,50").has("0:111.111.111-11");
    browser.open("100", "RANDOM").await;
    browser.get("/").await.has("R$\u{a0}1.350,50").lacks("aberta no Banco");
    browser.get("/?aberta=0-1").await.lacks("aberta no Banco");
}

#[actix_web::test]
async fn every_page_of_a_customer_asks_a_stranger_to_log_in_and_then_leads_back() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    browser.post("/sair", &[]).await.leads_to("/entrar");
    for path in [
        "/contas/nova",
        "/contas/0-7",
        "/contas/0-7/extrato.csv",
        "/pacote",
        "/cobranca?valor=1",
        "/pagar",
    ] {
        let answer = browser.get(path).await;
        answer.is(303);
        let login = browser.get(answer.location.as_deref().unwrap()).await;
        // A file would leave the login page on the screen.
        assert_eq!(login.is(200).value("destino"), path.replace("/extrato.csv", ""));
    }
    browser
        .post("/entrar", &[("usuario", "ana"), ("senha", "wrong"), ("destino", "/pacote")])
        .await
        .is(400)
        .has("incorretos");
    let fields = [("usuario", "ana"), ("senha", "12345678"), ("destino", "/cobranca?valor=1")];
    browser.post("/entrar", &fields).await.leads_to("/cobranca?valor=1");
    let fields = [("usuario", "ana"), ("senha", "12345678"), ("destino", "//evil.test")];
    browser.post("/entrar", &fields).await.leads_to("/");
}

#[actix_web::test]
async fn a_logout_ends_the_session_at_the_bank_too() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let set =
        browser.register("Ana Souza", "ana", "111.111.111-11").await.headers["set-cookie"].clone();
    for part in ["netbanking-0=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = browser.cookie.clone();
    browser.post("/sair", &[]).await.leads_to("/entrar");
    assert_eq!(browser.cookie, None);
    browser.cookie = cookie;
    browser.get("/pacote").await.is(303);
}

#[actix_web::test]
async fn a_form_from_another_site_does_nothing() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    for site in ["cross-site", "same-site"] {
        browser.site = site;
        for path in ["/sair", "/entrar", "/cadastro", "/contas/nova", "/pacote"] {
            browser.post(path, &[]).await.is(403).has("não veio de uma página deste banco");
        }
    }
    browser.site = "none";
    browser.get("/").await.has("Ana Souza");
    let from = |origin: &'static str| {
        TestRequest::post()
            .uri("/sair")
            .insert_header(("host", "banco0:3050"))
            .insert_header(("origin", origin))
    };
    for (origin, status) in
        [("http://banco0:3051", 403), ("null", 403), ("http://banco0:3050", 303)]
    {
        let response = test::call_service(&service, from(origin).to_request()).await;
        assert_eq!(response.status().as_u16(), status, "{origin}");
    }
}

#[actix_web::test]
async fn bad_fields_are_named_and_what_was_typed_stays() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    for (field, text, problem) in [
        ("nome", "A", "Nome deve ter"),
        ("documento", "123", "CPF deve ter a forma"),
        ("usuario", "a b", "Nome de usuário deve ter"),
        ("senha", "123", "senhas não são iguais"),
        ("tipo", "", "pessoa física ou"),
        ("chave", "", "Formulário incompleto"),
    ] {
        let mut fields = registration("k1", "Ana Souza", "ana", "111.111.111-11");
        fields.iter_mut().find(|(name, _)| *name == field).unwrap().1 = text;
        let page = browser.post("/cadastro", &fields).await;
        page.is(400).has(problem).lacks("12345678");
        assert_eq!(page.value("chave").len(), 36, "a new key");
        if field != "nome" {
            page.has("value=\"Ana Souza\"");
        }
    }
    browser.register("Ana Souza", "ana", "111.111.111-11").await.leads_to("/?senha=comum");
    browser.register("Ana Outra", "ana2", "111.111.111-11").await.is(400).has("CPF já cadastrado");
    for (field, text, problem) in [
        ("banco", "7", "Escolha um banco"),
        ("tipo", "VIP", "Escolha o tipo"),
        ("tipo", "PJ", "não pode ser aberta"),
        ("pix", "", "Escolha o tipo da chave"),
        ("titulares", "bia", "não aceita outros titulares"),
        ("titulares", "b", "Nome de usuário deve ter"),
        ("valor", "49,99", "pelo menos R$\u{a0}50,00"),
        ("valor", "1.2.3", "1.234,56"),
        ("valor", "1,234", "Não está claro quanto é"),
        ("senha", "87654321", "incorretos"),
    ] {
        let key = browser.get("/contas/nova").await.value("chave");
        let mut fields = opening(&key, "0", "80", "CPF");
        fields.iter_mut().find(|(name, _)| *name == field).unwrap().1 = text;
        browser.post("/contas/nova", &fields).await.is(400).has(problem);
    }
    for path in ["/contas/x", "/contas/0-999999", "/contas/9-1"] {
        browser.get(path).await.is(404);
    }
    browser.part("/pacote/destinatario?pix=x:y").await.is(200).has("banco:valor");
    browser.part("/pacote/destinatario?pix=x").await.is(200).has("Chave Pix não encontrada");
    browser.part("/pacote/destinatario?pix=").await.is(200).lacks("bad");
    browser.package(&[("op", "X.1")]).await.is(400).has("incompleto");
}

#[actix_web::test]
async fn forms_that_are_sent_twice_take_effect_once() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let key = browser.get("/cadastro").await.value("chave");
    let fields = registration(&key, "Ana Souza", "ana", "111.111.111-11");
    browser.post("/cadastro", &fields).await.leads_to("/?senha=comum");
    browser.post("/cadastro", &fields).await.leads_to("/?senha=comum");
    let key = browser.get("/contas/nova").await.value("chave");
    let fields = opening(&key, "0", "100", "RANDOM");
    let first = browser.post("/contas/nova", &fields).await.location;
    assert_eq!(browser.post("/contas/nova", &fields).await.location, first);
    let place = first.unwrap().replace("/?aberta=", "");
    let op = format!("D.{}.500", place.replace('-', "."));
    let key = browser.get("/pacote").await.value("chave");
    let fields = [("chave", key.as_str()), ("op", op.as_str()), ("acao", "confirmar")];
    for _ in 0..2 {
        browser.package(&fields).await.is(200).has("Pacote executado").has("R$\u{a0}105,00");
    }
    browser.get("/").await.has("R$\u{a0}105,00");
}

#[actix_web::test]
async fn a_repeated_registration_does_not_log_in_without_the_password() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser
        .post("/cadastro", &registration("known", "Ana Souza", "ana", "111.111.111-11"))
        .await
        .leads_to("/?senha=comum");
    let mut thief = Browser::new(&service);
    let mut fields = registration("known", "Ana Souza", "ana", "111.111.111-11");
    fields[5].1 = "87654321";
    fields[6].1 = "87654321";
    thief.post("/cadastro", &fields).await.is(400).has("incorretos");
    assert_eq!(thief.cookie, None);
}

#[actix_web::test]
async fn a_package_is_built_tried_out_and_sent_without_a_script() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut bia = Browser::new(&service);
    bia.register("Bia Lima", "bia", "222.222.222-22").await;
    bia.open("50", "USER_NAME").await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;

    let page = ana.get(&format!("/pacote?conta={place}")).await;
    page.has("O pacote está vazio");
    let draft = [
        ("chave", "k"),
        ("acao", "adicionar"),
        ("tipo", "T"),
        ("conta", &place),
        ("valor", "30,00"),
        ("pix", "0:bia"),
    ];
    // The payee is shown before the transfer is in the package.
    let page = ana.package(&draft).await;
    page.is(200)
        .has("Quem recebe: <strong><bdi>Bia Lima</bdi></strong>")
        .has("***.222.222-**")
        .has("O pacote está vazio");
    assert!(page.values("op").is_empty());
    let mut checked = draft.to_vec();
    checked.push(("conferido", "0:bia"));
    let page = ana.package(&checked).await;
    page.is(200).has("para <strong><bdi>Bia Lima</bdi></strong>").has("R$\u{a0}70,00");
    let transfer = page.value("op");
    // A key other than the one that was looked at is looked at again.
    let mut other = draft.to_vec();
    other.push(("conferido", "0:x"));
    assert!(ana.package(&other).await.values("op").is_empty());

    let withdrawal = [
        ("op", transfer.as_str()),
        ("acao", "adicionar"),
        ("tipo", "S"),
        ("conta", &place),
        ("valor", "80"),
    ];
    let page = ana.package(&withdrawal).await;
    page.is(200).has("Como estão as contas agora").has("insuficiente (R$\u{a0}70,00)");
    let (key, ops) = (page.value("chave"), page.values("op"));
    assert_eq!(ops.len(), 2);
    let confirm =
        [("chave", key.as_str()), ("op", &ops[0]), ("op", &ops[1]), ("acao", "confirmar")];
    let page = ana.package(&confirm).await;
    page.is(400).has("O pacote não foi executado").has("insuficiente (R$\u{a0}70,00)");
    let (row, _) = page.html.split_once("Esta operação foi recusada").unwrap();
    let refused = row.rsplit_once("<tr").unwrap().1;
    assert!(refused.contains("id=\"recusada\"") && row.contains("Bia Lima"));
    assert_ne!(page.value("chave"), key, "what was refused for good needs a new key");
    // Asked again with the old key: the same refusal, on the same operation.
    ana.package(&confirm).await.is(400).has("id=\"recusada\"");

    let page = ana.package(&[("op", &ops[0]), ("op", &ops[1]), ("acao", "remover-1")]).await;
    assert_eq!(page.values("op"), [ops[0].clone()]);
    let key = page.value("chave");
    let page = ana.package(&[("chave", &key), ("op", &ops[0]), ("acao", "confirmar")]).await;
    page.is(200).has("Pacote executado").has("Posição 7").has("R$\u{a0}70,00");
    ana.package(&[("chave", "k2"), ("acao", "confirmar")]).await.is(400).has("está vazio");
    bia.get("/").await.has("R$\u{a0}80,00");
}

#[actix_web::test]
async fn nobody_debits_or_reads_a_strangers_account_through_the_pages() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut bia = Browser::new(&service);
    bia.register("Bia Lima", "bia", "222.222.222-22").await;
    let place = bia.open("5.431,00", "USER_NAME").await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    ana.open("50", "USER_NAME").await;
    let op = format!("S.{}.100", place.replace('-', "."));
    let page = ana.package(&[("op", &op), ("acao", "adicionar")]).await;
    page.has("não pertence ao cliente ana").lacks("5.431");
    ana.package(&[("chave", "k"), ("op", &op), ("acao", "confirmar")]).await.is(403).lacks("5.431");
    let deposit = format!("D.{}.100", place.replace('-', "."));
    ana.package(&[("op", &deposit), ("acao", "x")]).await.is(200).lacks("5.431").lacks("5.432");
    for path in ["", "/extrato.csv", "/extrato.ofx"] {
        ana.get(&format!("/contas/{place}{path}")).await.is(404).lacks("5.431");
    }
    ana.get(&format!("/cobranca?conta={place}")).await.is(400).has("Escolha uma conta");
}

#[actix_web::test]
async fn customers_text_is_always_shown_as_text() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut eve = Browser::new(&service);
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    eve.register(name, "eve", "333.333.333-33").await.leads_to("/?senha=comum");
    let place = eve.open("100", "USER_NAME").await;
    let mut pages = vec![eve.get("/").await, eve.part("/pacote/destinatario?pix=0:eve").await];
    pages.push(
        eve.get(&format!(
            "/cobranca?conta={place}&descricao=%3Cscript%3E&valor=%22%3E%3Cscript%3E"
        ))
        .await,
    );
    pages.push(eve.get(&format!("/contas/{place}?de=%22%3E%3Cscript%3E")).await);
    let draft = [
        ("acao", "adicionar"),
        ("tipo", "T"),
        ("conta", "\"><script>"),
        ("valor", "\"><script>"),
        ("pix", "\"><script>"),
    ];
    pages.push(eve.package(&draft).await);
    pages.push(eve.post("/cadastro", &registration("k", name, "\"><script>", "\"><script>")).await);
    pages.push(
        eve.post(
            "/entrar",
            &[("usuario", "\"><script>"), ("pacote", "\"><script>"), ("destino", "/\"><script>")],
        )
        .await,
    );
    for page in pages {
        page.lacks("<script>").lacks("<img");
    }
    eve.get("/").await.has("&#60;script&#62;");
}

#[actix_web::test]
async fn a_statement_is_filtered_paged_and_exported() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let deposit = format!("D.{}.100", place.replace('-', "."));
    let withdrawal = format!("S.{}.7", place.replace('-', "."));
    let mut fields = vec![("chave", "k"), ("acao", "confirmar"), ("op", withdrawal.as_str())];
    fields.extend(std::iter::repeat_n(("op", deposit.as_str()), 60));
    ana.package(&fields).await.is(200).has("Pacote executado");
    let path = format!("/contas/{place}");
    let rows = |page: &Page| page.html.matches(">Comprovante</a>").count();
    let newest = ana.get(&path).await;
    newest
        .is(200)
        .has("R$\u{a0}159,93")
        .has("<svg class=\"chart\"")
        .has("Depósito")
        .lacks("Abertura</td>");
    assert_eq!(rows(&newest), 50);
    let (_, older) = newest.html.split_once("&amp;antes=").unwrap();
    let older = ana.get(&format!("{path}?antes={}", older.split('"').next().unwrap())).await;
    older.has("−R$\u{a0}0,07").has("Abertura").lacks("Mais antigos");
    assert_eq!(rows(&older), 12);
    let drawn = ana.get(&format!("{path}?tipo=WITHDRAW")).await;
    assert_eq!(rows(&drawn), 1);
    let today = bank.config.time_zone.date(netbanking::actors::time::unix_ms());
    assert_eq!(rows(&ana.get(&format!("{path}?de={today}&ate={today}&tipo=WITHDRAW")).await), 1);
    ana.get(&format!("{path}?ate=2020-01-01")).await.has("Nenhum lançamento");
    ana.get(&format!("{path}?de=2020-02-01&ate=2020-01-01"))
        .await
        .is(400)
        .has("vem depois da final");
    ana.get(&format!("{path}?de=31/02/2020")).await.is(400).has("23/11/2026");

    let csv = ana.get(&format!("{path}/extrato.csv?tipo=WITHDRAW")).await;
    csv.is(200).has("Saque;-0,07;100,00;99,93;;;;;;;;ana;0;3;");
    assert_eq!(csv.html.lines().count(), 2);
    assert!(csv.headers["content-disposition"].contains(&format!("extrato-{place}.csv")));
    let ofx = ana.get(&format!("{path}/extrato.ofx")).await;
    ofx.is(200)
        .has("<TRNAMT>-0.07</TRNAMT>")
        .has("<BALAMT>159.93</BALAMT>")
        .has("<CURDEF>BRL</CURDEF>");
    assert_eq!(ofx.html.matches("<STMTTRN>").count(), 62);
}

#[actix_web::test]
async fn a_charge_is_made_and_read_into_a_package() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut bia = Browser::new(&service);
    bia.register("Bia Conceição", "bia", "222.222.222-22").await;
    let place = bia.open("50", "USER_NAME").await;
    let page = bia
        .get(&format!(
            "/cobranca?conta={place}&valor=12,34&descricao=caf%C3%A9&identificador=P1&cidade=Manaus"
        ))
        .await;
    page.is(200).has("<svg class=\"qr\"").has("<strong>R$\u{a0}12,34</strong>");
    let code = page
        .html
        .split_once("spellcheck=\"false\">")
        .unwrap()
        .1
        .split_once("</textarea>")
        .unwrap()
        .0
        .to_owned();
    assert!(code.contains("5913Bia Conceicao6006Manaus") && code.contains("540512.34"), "{code}");

    // An independent reader comes to the same result.
    let read = format!("{:?}", brcode::from_str(&code));
    for part in ["0:bia", "12.34", "Bia Conceicao", "cafe"] {
        assert!(read.contains(part), "{part} is not in {read}");
    }
    assert_eq!(brcode::crc16_ccitt(&code[..code.len() - 4]).to_uppercase(), code[code.len() - 4..]);

    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    ana.open("100", "CPF").await;
    ana.get("/pagar").await.is(200).has("copia e cola");
    let page = ana.package(&[("acao", "ler"), ("codigo", &code)]).await;
    page.is(200)
        .has("Quem recebe: <strong><bdi>Bia Conceição</bdi></strong>")
        .has("value=\"12,34\"")
        .has("value=\"0:bia\"");
    assert_eq!(page.value("conferido"), "0:bia");
    let damaged = code.replace("12.34", "92.34");
    ana.package(&[("acao", "ler"), ("codigo", &damaged)]).await.is(400).has("dígito verificador");
    ana.package(&[("acao", "ler"), ("codigo", &code[..40])]).await.is(400).has("comprimento");
    ana.package(&[("acao", "ler"), ("codigo", "oi")]).await.is(400).has("não é um código Pix");
}

#[actix_web::test]
async fn a_bank_that_is_cut_off_says_so_on_every_page_and_loses_nothing() {
    // Of three banks only one is there: no majority, no view.
    let (bank, _data) = bank(0, 3, "sessions").await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let page = browser.get("/").await;
    page.is(200).has("não alcança a maioria dos bancos").has("saldos e extratos");
    let page =
        browser.post("/cadastro", &registration("k", "Ana Souza", "ana", "111.111.111-11")).await;
    page.is(503).has("não terá efeito").has("value=\"Ana Souza\"");
}

#[actix_web::test]
async fn pages_carry_a_security_policy_and_assets_are_cached() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    browser.open("100", "CPF").await;
    let page = browser.get("/pacote").await;
    assert!(page.headers["content-security-policy"].starts_with("default-src 'self'"));
    assert_eq!(page.headers["cache-control"], "no-store");
    page.lacks("style=").lacks("onclick").lacks("http://").lacks("https://");
    let mut weight = page.html.len();
    let assets: Vec<_> = page
        .html
        .split("\"/assets/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert!(assets.len() >= 4, "{assets:?}");
    for asset in assets {
        let path = format!("/assets/{asset}");
        let first = browser.get(&path).await;
        assert!(first.is(200).headers["cache-control"].contains("immutable"), "{path}");
        weight += first.html.len();
        let known = TestRequest::get()
            .uri(&path)
            .insert_header(("if-none-match", first.headers["etag"].as_str()));
        assert!(browser.send(known).await.is(304).html.is_empty());
        let bare = browser.get(path.split('?').next().unwrap()).await;
        assert_eq!(bare.is(200).headers["cache-control"], "no-cache");
    }
    assert!(weight < 150_000, "the heaviest page with all it needs weighs {weight} bytes");
    browser.get("/assets/../Cargo.toml").await.is(404);
    browser.get("/assets/none.css").await.is(404);
}

#[actix_web::test]
async fn a_basket_larger_than_a_package_is_refused_before_it_is_read() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let op = format!("D.{}.500", place.replace('-', "."));
    let basket = |operations: usize| vec![("op", op.as_str()); operations];
    ana.post("/pacote", &basket(1_000)).await.leads_to("/pacote");
    let refused = ana.post("/pacote", &basket(1_001)).await;
    refused.is(400).has("Um pacote tem no máximo 1000 operações").lacks(&op);
    ana.post("/pacote", &basket(10_000)).await.is(413).lacks(&op);
}

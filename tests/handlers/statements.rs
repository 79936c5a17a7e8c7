//! Statements: who paid and what for, as an answer, a page and a file; and statements that are
//! longer than what fits into memory or an answer.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;

use crate::browser::{Browser, one_bank, one_bank_with};
use crate::harness::{call, post, service};

#[actix_web::test]
async fn a_statement_of_any_length_is_exported_whole_and_in_order() {
    const ENTRIES: usize = 25_001;
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let login = r#"{"user_name": "ana", "password": "12345678"}"#;
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let number = place.split_once('-').unwrap().1;
    let deposit = serde_json::json!({"type": "DEPOSIT", "value": 0.01, "sender": number.parse::<u64>().unwrap()});
    let package = serde_json::json!({"0": {number: {"package": vec![deposit; 1_000]}}}).to_string();
    for key in 0..25 {
        let sent = post("/operations", &package)
            .insert_header(("authorization", format!("Bearer {}", token.as_str().unwrap())))
            .insert_header(("idempotency-key", format!("{key}")));
        assert_eq!(call(&service, sent).await.status, 200);
    }
    let csv = ana.get(&format!("/contas/{place}/extrato.csv")).await;
    let balances = csv.html.lines().skip(1).map(|line| {
        let balance = line.split(';').nth(5).unwrap().replace([',', '.'], "");
        balance.parse::<usize>().unwrap()
    });
    assert_eq!(balances.collect::<Vec<_>>(), (10_000..10_000 + ENTRIES).collect::<Vec<_>>());
    let ofx = ana.get(&format!("/contas/{place}/extrato.ofx")).await;
    assert_eq!(ofx.html.matches("<STMTTRN>").count(), ENTRIES);
    ofx.has(&format!("<FITID>{place}-{}</FITID>", ENTRIES - 1)).has("</OFX>");
    // A search for what is rare: it is far back, and the page leads there.
    let path = format!("/contas/{place}?tipo=OPENING");
    ana.get(&path).await.is(200).has("Abertura");
}

/// The fields of `nodes.json` for one bank of this name.
fn called(name: &str) -> serde_json::Value {
    let node =
        serde_json::json!({"name": name, "host": "127.0.0.1", "port": 1, "heartbeat_port": 2});
    serde_json::json!({"nodes": [node]})
}

/// The token of a customer whose password is that of all tests.
async fn token<S, B>(service: &S, user: &str) -> String
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let login = serde_json::json!({"user_name": user, "password": "12345678"}).to_string();
    let token = call(service, post("/login", &login)).await.body["token"].clone();
    format!("Bearer {}", token.as_str().unwrap())
}

#[actix_web::test]
async fn a_statement_says_who_paid_and_what_for() {
    let (bank, _data) = one_bank_with(called("Banco São João")).await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana.entra", "111.222.333-11").await;
    let from = ana.open("100", "RANDOM").await;
    bia.register("Bia Conceição & <Filhas> do Espírito Santo Ltda", "bia", "444.555.666-44").await;
    let to = bia.open("50", "USER_NAME").await;
    let number = |place: &str| place.split_once('-').unwrap().1.to_owned();
    let (payer, payee) = (number(&from), number(&to));
    let token = [token(&service, "ana.entra").await, token(&service, "bia").await];
    let operation = |said: &str| {
        let pay =
            format!(r#""type":"TRANSFER","value":12.34,"sender":{payer},"pix":"0:bia"{said}"#);
        let package = format!(r#"{{"0":{{"{payer}":{{"package":[{{{pay}}}]}}}}}}"#);
        post("/operations", &package).insert_header(("authorization", token[0].as_str()))
    };
    let said = r#","message":" almoço; de \"sexta\" ","txid":"PEDIDO7""#;
    assert_eq!(call(&service, operation(said)).await.status, 200);
    for (wrong, why) in [
        (r#","message":7"#, "message deve ser um texto"),
        (r#","message":"a\u202eb""#, "controle ou de direção"),
        (r#","txid":"a-b""#, "Identificador deve ter"),
        (r#","memo":"x""#, "Campo desconhecido"),
    ] {
        let answer = call(&service, operation(wrong)).await;
        assert_eq!(answer.status, 400);
        let descript = answer.body["descript"].as_str().unwrap();
        assert!(descript.contains(why), "{descript}");
    }

    for (account, token, kind, other) in [
        (
            &payer,
            &token[0],
            "TRANSFER",
            ("Bia Conceição & <Filhas> do Espírito Santo Ltda", "***.555.666-**", &payee),
        ),
        (&payee, &token[1], "RECEIVE", ("Ana Souza", "***.222.333-**", &payer)),
    ] {
        let read = TestRequest::get().uri(&format!("/get_account/{account}"));
        let answer = call(&service, read.insert_header(("authorization", token.as_str()))).await;
        let newest = answer.body["data"]["transactions"].as_array().unwrap().last().unwrap();
        let (name, document, number) = other;
        let expected = serde_json::json!({"name": name, "num_cadastro": document, "type_person": "PF",
            "bank": 0, "bank_name": "Banco São João", "num_account": number.parse::<u64>().unwrap()});
        assert_eq!((&newest["type"], &newest["counterparty"]), (&kind.into(), &expected));
        assert_eq!(newest["message"], "almoço; de \"sexta\"");
        assert_eq!(newest["txid"], "PEDIDO7");
    }

    let received = bia.get(&format!("/contas/{to}")).await;
    received
        .has("Ana Souza")
        .has("***.222.333-**")
        .has("PEDIDO7")
        .has("<q><bdi>almoço; de &#34;sexta&#34;</bdi></q>");
    received.has(&format!("conta {payer}")).lacks("ana.entra");
    ana.get(&format!("/contas/{from}")).await.has("Bia Conceição &#38; &#60;Filhas&#62;");
    let csv = bia.get(&format!("/contas/{to}/extrato.csv")).await;
    csv.has(";Pix recebido;12,34;50,00;62,34;Ana Souza;***.222.333-**;Banco São João;")
        .lacks("ana.entra");
    csv.has(&format!(";{payer};\"almoço; de \"\"sexta\"\"\";PEDIDO7;0:bia;;0;"));
    let ofx = bia.get(&format!("/contas/{to}/extrato.ofx")).await;
    ofx.has("<NAME>Ana Souza</NAME><MEMO>Pix recebido · Ana Souza · almoço; de \"sexta\" · cobrança PEDIDO7</MEMO>");
    ofx.lacks("ana.entra");
    let ofx = ana.get(&format!("/contas/{from}/extrato.ofx")).await;
    ofx.has("<NAME>Bia Conceição &amp; &lt;Filhas&gt; do Espí</NAME>");
}

/// Both common readers in Python, ofxparse 0.21 and ofxtools 1.1.1, read a file of this form, with
/// its accents; the first fails at accents under the header of version 2, the second at character
/// references, an ORG of more than 32 characters and a period that ends when it begins.
#[actix_web::test]
async fn ofx_has_the_form_that_common_readers_understand() {
    let name = "Banco Cooperativo de São João del-Rei e Região";
    let (bank, _data) = one_bank_with(called(name)).await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let field = |ofx: &str, name: &str| {
        let (_, rest) = ofx.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let mut periods = Vec::new();
    for query in [
        "",
        "?de=2020-01-01&ate=2020-01-01",
        "?de=2100-01-01",
        "?ate=2020-01-01",
        "?de=0001-01-01&ate=9999-12-31",
    ] {
        let ofx = ana.get(&format!("/contas/{place}/extrato.ofx{query}")).await;
        let header = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:160\nSECURITY:NONE\nENCODING:UTF-8\nCHARSET:NONE\n";
        assert!(ofx.html.starts_with(header), "{}", ofx.html);
        assert_eq!(field(&ofx.html, "ORG"), "Banco Cooperativo de São João de");
        let period = (field(&ofx.html, "DTSTART"), field(&ofx.html, "DTEND"));
        assert!(period.0 < period.1, "{query}: {period:?}");
        periods.push(period);
    }
    let day = ("20200101000000[-3:LOC]".to_owned(), "20200102000000[-3:LOC]".to_owned());
    assert_eq!(periods[1], day);
}

#[actix_web::test]
async fn a_statement_is_read_by_day_and_month_and_searched_by_name_amount_and_text() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("1000", "USER_NAME").await;
    bia.register("Padaria São João", "padaria", "222.222.222-22").await;
    bia.open("50", "USER_NAME").await;
    let from = place.replace('-', ".");
    let ops = [
        format!("T.{from}.1234.0:padaria PEDIDO7 pão de queijo"),
        format!("T.{from}.500.0:padaria - Aluguel"),
        format!("D.{from}.777"),
    ];
    let fields: Vec<_> = ops.iter().map(|op| ("op", op.as_str())).collect();
    let confirm = [&[("chave", "k"), ("acao", "confirmar")], &fields[..]].concat();
    ana.package(&confirm).await.is(200).has("Pacote executado").has("<q><bdi>Aluguel</bdi></q>");

    let path = format!("/contas/{place}");
    let page = ana.get(&path).await;
    page.is(200).has(">Hoje, ").has("−R$\u{a0}12,34").has("+R$\u{a0}7,77");
    page.has("<strong class=\"name\"><bdi>Padaria São João</bdi></strong>");
    assert_eq!(page.html.matches("class=\"day\"").count(), 1);
    for (words, values) in [
        ("sao joao", &["12,34", "5,00"][..]),
        ("PADARIA", &["12,34", "5,00"]),
        ("12,34", &["12,34"]),
        ("pao de", &["12,34"]),
        ("pedido7", &["12,34"]),
        ("aluguel", &["5,00"]),
        ("depósito", &["7,77"]),
        ("nada disso", &[]),
    ] {
        let query: String = url_encoded(words);
        let found = ana.get(&format!("{path}?busca={query}")).await;
        found.is(200).has(&format!("value=\"{words}\""));
        let shown = ["12,34", "5,00", "7,77"];
        for value in shown {
            let cell = [format!(">−R$\u{a0}{value}<"), format!(">+R$\u{a0}{value}<")];
            let is_shown = cell.iter().any(|cell| found.html.contains(cell));
            assert_eq!(is_shown, values.contains(&value), "{words}: {value}\n{}", found.html);
        }
        let csv = ana.get(&format!("{path}/extrato.csv?busca={query}")).await;
        assert_eq!(csv.html.lines().count(), 1 + values.len(), "{words}: {}", csv.html);
    }
    // A month, the one before it, and all of them.
    let zone = netbanking::civil::Zone::named("America/Sao_Paulo").unwrap();
    let today = zone.date(netbanking::actors::time::unix_ms());
    let month = format!("mes={:04}-{:02}", today.year, today.month);
    page.has(&format!("{path}?{month}"));
    ana.get(&format!("{path}?{month}")).await.is(200).has("12,34").has("aria-current=\"page\">");
    ana.get(&format!("{path}?mes=2020-02"))
        .await
        .is(200)
        .has("Nenhum lançamento")
        .has("2020-02-29");
}

fn url_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What is searched for is rare: the page stops after a while and leads on.
#[actix_web::test]
async fn a_search_in_a_long_statement_goes_on_from_where_it_stopped() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let token = token(&service, "ana").await;
    let number = place.split_once('-').unwrap().1;
    let deposit = serde_json::json!({"type": "DEPOSIT", "value": 0.01, "sender": number.parse::<u64>().unwrap()});
    let package = serde_json::json!({"0": {number: {"package": vec![deposit; 1_000]}}}).to_string();
    for _ in 0..11 {
        let sent = post("/operations", &package);
        let sent = sent.insert_header(("authorization", token.as_str()));
        assert_eq!(call(&service, sent).await.status, 200);
    }
    let mut path = format!("/contas/{place}?busca=abertura");
    let mut pages = 0;
    while !ana.get(&path).await.is(200).html.contains("+R$\u{a0}100,00") {
        let page = ana.get(&path).await;
        let (_, rest) = page.html.split_once("<a href=\"/contas/").unwrap_or_else(|| panic!());
        let next = rest.split("href=\"").find(|link| link.contains("antes=")).unwrap();
        path = crate::browser::unescape(next.split('"').next().unwrap());
        pages += 1;
        assert!(pages < 5, "{path}");
    }
    assert!(pages >= 1, "not all of it is looked at for one page");
}

#[actix_web::test]
async fn a_payee_finds_a_payment_by_its_charge_and_sees_how_the_charge_stands() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let from = ana.open("100", "USER_NAME").await.replace('-', ".");
    bia.register("Bia Lima", "bia", "222.222.222-22").await;
    let to = bia.open("50", "USER_NAME").await;
    let charge = format!("/cobranca?conta={to}&valor=10,00&identificador=PEDIDO7");
    bia.get(&charge).await.is(200).has("<strong>Em aberto</strong>").has("Nenhum pagamento");
    bia.get(&format!("{charge}&validade=2020-01-01")).await.has("<strong>Vencida</strong>");
    bia.get(&format!("{charge}&validade=x")).await.is(400).has("23/11/2026");
    for (key, op) in
        [("1", "400.0:bia PEDIDO7"), ("2", "600.0:bia PEDIDO7 o resto"), ("3", "1.0:bia PEDIDO8")]
    {
        let op = format!("T.{from}.{op}");
        ana.package(&[("chave", key), ("op", &op), ("acao", "confirmar")]).await.has("executado");
        let state = if key == "1" { "Em aberto" } else { "Paga" };
        bia.get(&charge).await.has(&format!("<strong>{state}</strong>"));
    }
    let paid = bia.get(&format!("{charge}&validade=2020-01-01")).await;
    paid.has("<strong>Paga</strong>").has("R$\u{a0}10,00").has("+R$\u{a0}4,00").has("Ana Souza");
    paid.has(&format!("/contas/{to}/comprovante/2")).lacks("0,01");

    let token = token(&service, "bia").await;
    let number = to.split_once('-').unwrap().1;
    let ask = async |query: &str| {
        let read = TestRequest::get().uri(&format!("/get_account/{number}?{query}"));
        call(&service, read.insert_header(("authorization", token.as_str()))).await
    };
    let found = ask("txid=PEDIDO7").await;
    let entries = found.body["data"]["transactions"].as_array().unwrap();
    let values: Vec<_> = entries.iter().map(|entry| entry["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [4.0, 6.0]);
    let none = ask("txid=PEDIDO9").await;
    assert_eq!(none.body["data"]["transactions"], serde_json::json!([]));
    let page = ask("txid=PEDIDO7&limit=1").await;
    assert_eq!(page.body["data"]["transactions"][0]["message"], "o resto");
    let before = format!("txid=PEDIDO7&limit=1&before={}", page.body["next_before"]);
    assert_eq!(ask(&before).await.body["data"]["transactions"][0]["value"], 4.0);
    assert_eq!(ask("txid=a-b").await.status, 400);
    // Every charge that is made has a name, so that its payments are found.
    let made = bia.get(&format!("/cobranca?nova=sim&conta={to}&valor=1&identificador=")).await;
    let address = made.is(303).location.clone().unwrap();
    let page = bia.get(&address).await;
    page.is(200).has("<strong>Em aberto</strong>");
    assert_eq!(page.value("identificador").len(), 25);
    assert_ne!(bia.get(&address).await.value("identificador"), "");
}

/// Whether a PDF shows these letters, which are written as hexadecimal digits.
fn shows(pdf: &str, letters: &[u8]) -> bool {
    let digits: String = letters.iter().map(|letter| format!("{letter:02x}")).collect();
    pdf.contains(&format!("<{digits}>"))
}

/// A PDF in small letters.
async fn file<S, B>(service: &S, browser: &Browser<'_, S>, path: &str) -> (String, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let cookie = browser.cookie.clone().unwrap();
    let request = TestRequest::get().uri(path).insert_header(("cookie", cookie));
    let response = actix_web::test::call_service(service, request.to_request()).await;
    assert_eq!(response.status(), 200);
    let kind = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
    let body = actix_web::test::read_body(response).await;
    (kind, String::from_utf8_lossy(&body).to_lowercase())
}

#[actix_web::test]
async fn receipts_and_statements_can_be_kept_as_pdf() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    bia.register("Bia Conceição", "bia", "222.222.222-22").await;
    let place = ana.open("100", "CPF").await;
    bia.open("100", "USER_NAME").await;
    let from: u64 = place.split_once('-').unwrap().1.parse().unwrap();
    let pay = serde_json::json!({"type": "TRANSFER", "value": 12.5, "sender": from, "pix": "0:bia", "message": "pão"});
    let package = serde_json::json!({"0": {from.to_string(): {"package": [pay]}}}).to_string();
    let bearer = token(&service, "ana").await;
    let sent = post("/operations", &package).insert_header(("authorization", bearer));
    assert_eq!(call(&service, sent).await.status, 200);
    let receipt = format!("/contas/{place}/comprovante/1");
    ana.get(&receipt).await.has(&format!("{receipt}/pdf"));
    let statement = format!("/contas/{place}/extrato.pdf");
    ana.get(&format!("/contas/{place}")).await.has(&statement);
    for (path, says) in [
        (format!("{receipt}/pdf"), &b"R$\xa012,50"[..]),
        (format!("{receipt}/pdf"), b"p\xe3o"),
        (format!("{receipt}/pdf"), b"Bia Concei\xe7\xe3o"),
        (statement.clone(), b"\x96R$\xa012,50"),
        (statement.clone(), b"R$\xa087,50"),
    ] {
        let (kind, pdf) = file(&service, &ana, &path).await;
        assert_eq!(kind, "application/pdf");
        assert!(pdf.starts_with("%pdf-") && shows(&pdf, says), "{path}: {says:?}\n{pdf}");
    }
    // Nobody else may, and whoever has to log in comes to a page.
    bia.get(&format!("{receipt}/pdf")).await.is(404);
    bia.get(&statement).await.is(404);
    Browser::new(&service).get(&format!("{receipt}/pdf")).await.is(303);
    let none = file(&service, &ana, &format!("{statement}?de=01/01/2001&ate=02/01/2001")).await.1;
    assert!(shows(&none, b"N\xe3o h\xe1 lan\xe7amentos neste per\xedodo"), "{none}");
}

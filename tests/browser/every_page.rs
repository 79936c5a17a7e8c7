//! Every page that there is, at three widths and in both themes: nothing runs out of the window,
//! everything that is to be touched is large enough, and axe-core finds nothing. Which pages there
//! are, the bank's own description says. With a folder in `NETBANKING_PICTURES_OF_ALL`, all of them
//! are pictured: to be looked at, not kept.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use netbanking::actors::time::unix_ms;
use netbanking::civil::Zone;
use serde_json::{Value, json};

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;
use crate::pix::looks_right;

const WIDTHS: [u32; 3] = [360, 768, 1_280];
/// The variable that names a folder for the pictures.
const FOLDER: &str = "NETBANKING_PICTURES_OF_ALL";
/// What is only a part of a page.
const PARTS: [&str; 2] = ["/cadastro/documento", "/pacote/destinatario"];

/// The addresses at which the bank answers with a page, as it describes them itself.
fn described() -> BTreeSet<String> {
    let described = serde_json::to_value(netbanking::web::described()).unwrap();
    let is_page =
        |answers: &Value| answers["get"]["responses"]["200"]["content"]["text/html"].is_object();
    let paths = described["paths"].as_object().unwrap().iter();
    let pages = paths.filter(|(_, methods)| is_page(methods)).map(|(path, _)| path.clone());
    pages.filter(|path| !PARTS.contains(&path.as_str())).collect()
}

/// Whether an address is one of those described so.
fn is_of(address: &str, described: &str) -> bool {
    let address = address.split('?').next().unwrap_or_default();
    let (parts, wanted) = (address.split('/'), described.split('/'));
    address.split('/').count() == described.split('/').count()
        && parts.zip(wanted).all(|(part, wanted)| wanted.starts_with('{') || part == wanted)
}

/// Looks at a page in every width and theme.
async fn look(browser: &Browser, url: &str, name: &str) {
    for width in WIDTHS {
        browser.as_wide_as(width).await;
        browser.open(url).await;
        browser.find("main").await;
        if let Some(folder) = env::var_os(FOLDER) {
            for scheme in ["light", "dark"] {
                browser.prefer(scheme).await;
                let png = browser.screenshot(width, "body").await;
                let file = format!("{name}-{width}-{scheme}.png");
                std::fs::write(PathBuf::from(&folder).join(file), png).unwrap();
            }
            browser.as_wide_as(width).await;
        }
        match width {
            // For people who watch; its tables are scrolled where a window is narrow.
            _ if name == "consortium" => browser.is_no_wider_than_its_window().await,
            // axe-core takes its time, and sees nothing new between the two others.
            768 => browser.is_no_wider_than_its_window().await,
            _ => looks_right(browser).await,
        }
    }
}

#[actix_rt::test]
async fn every_page_looks_right_at_every_width_and_in_both_themes() {
    let cluster = Cluster::start(2, "sessions").await;
    let driver = Driver::start();
    let browser = driver.browser().await;
    let url = |path: &str| cluster.url(0, path);
    for (path, name) in [("/", "welcome"), ("/entrar", "login"), ("/cadastro", "register")] {
        look(&browser, &url(path), name).await;
    }
    let pages = furnish(&browser, &cluster).await;
    for (path, name) in &pages {
        look(&browser, &url(path), name).await;
    }
    let mut missing = described();
    missing.retain(|wanted| {
        let seen =
            ["/entrar", "/cadastro"].into_iter().chain(pages.iter().map(|(path, _)| path.as_str()));
        !seen.into_iter().any(|path| is_of(path, wanted))
    });
    assert!(missing.is_empty(), "nobody looks at {missing:?}: add them here");
    browser.close().await;
}

/// Sends requests of the JSON interface in a customer's name; returns the answers.
async fn ask(browser: &Browser, user: &str, requests: Value) -> Vec<Value> {
    let script = format!(
        "const done = arguments[0]; const post = async (path, body, token) => {{ \
         const headers = token ? {{authorization: `Bearer ${{token}}`}} : {{}}; \
         const answer = await fetch(path, {{method: 'POST', headers, body: JSON.stringify(body)}}); \
         return answer.json(); }}; \
         (async () => {{ const {{token}} = await post('/login', {{user_name: '{user}', password: '{PASSWORD}'}}); \
         const answers = []; for (const [path, body] of {requests}) answers.push(await post(path, body, token)); \
         return answers; }})().then(done, (error) => done([String(error)]))"
    );
    let answers = browser.evaluate_later(&script).await;
    let answers = answers.as_array().unwrap().clone();
    for answer in &answers {
        assert!(answer["position"].is_u64() && answer["id"].is_string(), "{answers:#?}");
    }
    answers
}

/// A bank in use; returns its pages with their names.
async fn furnish(browser: &Browser, cluster: &Cluster) -> Vec<(String, String)> {
    browser.register(cluster, 1, "Padaria Pão Quente Ltda", "padaria", "11.222.333/0001-81").await;
    browser.open_account(1, "500").await;
    browser.register(cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    browser.open_account(0, "1.250,00").await;
    let main = browser.find("main .accounts a[href^='/contas/0-']").await;
    let place = main.attr("href").await.unwrap().unwrap();
    let number: u64 = place.trim_start_matches("/contas/0-").parse().unwrap();
    browser.open_account(1, "80,50").await;
    pay_back_and_forth(browser, cluster, number).await;
    let plans = plans(number);
    ask(browser, "ana", plans).await;
    let joint = json!([["/create_account", {"user_name": "padaria", "password": PASSWORD, "type_account": "CONJUNTA",
        "pix_type": "RANDOM", "users": ["ana"], "value_init": 100}]]);
    ask(browser, "padaria", joint).await;
    let receipt = format!("{place}/comprovante/1");
    browser.open(&cluster.url(0, "/pacote")).await;
    browser.add_cash("D", 0, "100,00", 1).await;
    browser.press("Confirmar 1").await;
    browser.sees("Pacote executado").await;
    let executed = browser.path().await;
    browser.open(&cluster.url(0, "/pacote")).await;
    browser.add_cash("D", 0, "100,00", 1).await;
    browser.add_cash("S", 0, "12,00", 2).await;
    // As far as the last step of a Pix, which is then at its address.
    browser.open(&cluster.url(0, "/pagar")).await;
    browser.fill("pix", "1:padaria").await;
    browser.press("Continuar").await;
    browser.fill("valor", "12,90").await;
    browser.fill("mensagem", "pão de queijo").await;
    browser.press("Continuar").await;
    browser.sees("Passo 3 de 3").await;
    let account = place.trim_start_matches("/contas/");
    let charge = format!(
        "/cobranca?nova=sim&conta={account}&valor=12,90&descricao=P%C3%A3o&identificador=PEDIDO7"
    );
    let pages = [
        ("/", "home"),
        ("/seguranca", "security"),
        ("/limites", "limits"),
        ("/contas/nova", "opening"),
        (place.as_str(), "statement"),
        (&format!("{place}/chaves"), "keys"),
        (&format!("{place}/ajustes"), "settings"),
        (&receipt, "receipt"),
        (&format!("{receipt}/devolver"), "refund"),
        ("/pagar", "pix-1"),
        ("/pagar/valor", "pix-2"),
        ("/pagar/confirmar", "pix-3"),
        ("/pacote", "package"),
        (&executed, "executed"),
        ("/favoritos", "favourites"),
        ("/agendados", "schedules"),
        ("/cobranca", "charge"),
        (&charge, "charge-made"),
        ("/consorcio", "consortium"),
        ("/api", "api"),
        ("/ninguem", "missing"),
        (&format!("{place}/comprovante/999"), "no-receipt"),
    ];
    pages.into_iter().map(|(path, name)| (path.to_owned(), name.to_owned())).collect()
}

async fn pay_back_and_forth(browser: &Browser, cluster: &Cluster, number: u64) {
    let pay = |from: u64, pix: &str, value: f64, message: &str| {
        json!([{"type": "TRANSFER", "value": value,
        "sender": from, "pix": pix, "message": message}])
    };
    browser.open(&cluster.url(1, "/")).await;
    let bakery = browser
        .find("main .accounts a[href^='/contas/1-']")
        .await
        .attr("href")
        .await
        .unwrap()
        .unwrap();
    let theirs: u64 = bakery.trim_start_matches("/contas/1-").parse().unwrap();
    let received =
        pay(theirs, "0:ana", 80.0, "Devolução do bolo que não ficou pronto a tempo para a festa");
    ask(
        browser,
        "padaria",
        json!([["/operations", {"1": {theirs.to_string(): {"package": received}}}]]),
    )
    .await;
    browser.open(&cluster.url(0, "/")).await;
    let sent = pay(number, "1:padaria", 340.5, "bolo");
    ask(browser, "ana", json!([["/operations", {"0": {number.to_string(): {"package": sent}}}],
        ["/refunds", {"bank": 0, "num_account": number, "entry": 1, "value": 10, "message": "metade do bolo"}]])).await;
}

/// What Ana keeps and plans.
fn plans(number: u64) -> Value {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let zone = Zone::named("America/Sao_Paulo").unwrap();
    let day = zone.date(unix_ms() + 3 * DAY_MS).to_string();
    let own = json!({"bank": 0, "num_account": number});
    let of = |more: Value| {
        let mut of = own.clone();
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of
    };
    json!([
        ["/nickname", of(json!({"name": "Dia a dia"}))],
        ["/keys", of(json!({"type": "EMAIL", "value": "ana.souza.com.um.endereco.comprido@exemplo.com.br"}))],
        ["/keys", of(json!({"type": "RANDOM"}))],
        ["/favourites", {"kay_pix": "1:padaria", "name": "Padaria da esquina"}],
        ["/favourites", {"kay_pix": "1:ana", "name": "Eu, no outro banco"}],
        ["/schedules", of(json!({"pix": "1:padaria", "value": 25, "message": "pão da semana", "day": day,
            "every": "WEEK", "times": 10}))],
        ["/limits", {"day": 1000, "night": 200}],
    ])
}

//! A customer's way through the internet bank.

use netbanking::civil::Zone;

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;

/// Most bytes of a first view.
const FIRST_VIEW_BYTES_MAX: u64 = 150_000;
/// How many first views are measured.
const VIEWS: usize = 5;
/// How soon a first view from a node on the same machine is there, in milliseconds; a debug build
/// gets more.
const FIRST_VIEW_MS_MAX: f64 = if cfg!(debug_assertions) { 2_000.0 } else { 100.0 };

#[actix_rt::test]
async fn a_customer_walks_through_the_whole_bank() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let (ana, shop) = (driver.browser().await, driver.browser().await);

    first_view(&ana, &cluster.url(0, "/")).await;
    ana.sees("em todos os bancos do consórcio").await;
    ana.is_accessible().await;
    ana.open(&cluster.url(0, "/cadastro")).await;
    ana.is_accessible().await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.open_account(0, "1.000,00").await;
    // An account of another bank, opened from this bank's page.
    ana.open_account(2, "250,50").await;
    ana.sees("R$ 1.250,50").await;
    ana.is_accessible().await;
    ana.open(&cluster.url(0, "/contas/nova")).await;
    ana.is_accessible().await;

    shop.register(&cluster, 1, "Padaria & Filhos <Ltda>", "padaria", "11.222.333/0001-81").await;
    shop.open_account(1, "50").await;
    let code = charge(&shop).await;

    ana.press("Pacote").await;
    ana.sees("O pacote está vazio").await;
    ana.is_accessible().await;
    ana.add_cash("D", 2, "100,00", 1).await;
    // Ana has a key of this name at two banks; the shop is found by its document, as it is spoken.
    ana.tick("tipo", "T").await;
    ana.fill("pix", "ana").await;
    ana.sees("existe em mais de um banco: escreva 0:ana ou 2:ana").await;
    ana.fill("pix", "padaria").await;
    ana.sees("Quem recebe: Padaria & Filhos <Ltda>").await;
    ana.add_pix(2, "340,50", "0:ana", "Ana Souza", 2).await;
    ana.press("Pix copia e cola").await;
    ana.fill("codigo", &code).await;
    ana.press("Ler código").await;
    ana.sees("Quem recebe: Padaria & Filhos <Ltda>").await;
    assert_eq!(ana.value_of("[name='valor']").await, "12,34");
    ana.choose("conta", "0-").await;
    ana.press("Acrescentar").await;
    ana.sees("Confirmar 3 operações").await;
    // What the balance of each of Ana's own accounts will be.
    for balance in ["R$ 1.328,16", "R$ 10,00"] {
        ana.sees(balance).await;
    }
    ana.is_accessible().await;
    go_away_and_confirm(&ana).await;
    ana.is_accessible().await;

    statement(&ana, &cluster).await;
    shop.open(&cluster.url(1, "/")).await;
    shop.sees("R$ 62,34").await;
    ana.press("Sair (ana)").await;
    ana.find("main [name='senha']").await;
    ana.is_accessible().await;
    ana.open(&cluster.url(0, "/pacote")).await;
    assert_eq!(ana.path().await, "/entrar");
    cluster.assert_same_everywhere().await;
    ana.close().await;
    shop.close().await;
}

/// Another page, a reload and the way back lose neither the package of three operations nor, once
/// it is executed, the page that says so.
async fn go_away_and_confirm(ana: &Browser) {
    ana.press("Cobrar").await;
    ana.find("main [name='descricao']").await;
    ana.evaluate("history.back()").await;
    ana.sees("Confirmar 3 operações").await;
    ana.evaluate("location.reload()").await;
    ana.press("Confirmar 3").await;
    ana.sees("Pacote executado").await;
    ana.sees("R$ 1.328,16").await;
    assert!(ana.path().await.starts_with("/pacote/"), "{}", ana.path().await);
    ana.evaluate("location.reload()").await;
    ana.sees("R$ 1.328,16").await;
}

/// Weight and loading time of a page for somebody who has never been there, as the browser measures
/// them: the median of some visits, since the very first one is also the browser's own first.
async fn first_view(browser: &Browser, url: &str) {
    browser.forget_what_it_loads().await;
    let script = "const all = performance.getEntriesByType('resource'); const page = performance.getEntriesByType('navigation')[0]; \
        return [page.transferSize + all.reduce((sum, one) => sum + one.transferSize, 0), page.loadEventEnd, all.length]";
    let mut views = Vec::new();
    for _ in 0..VIEWS {
        browser.open(url).await;
        // The browser records its measurements a little after it has shown the page, and the page
        // is not complete without its style sheet.
        let is_complete =
            |seen: &serde_json::Value| seen[1].as_f64() > Some(0.0) && seen[2].as_u64() > Some(0);
        let seen = browser.evaluate_until(script, is_complete).await;
        let files = seen[2].as_u64().unwrap();
        views.push((seen[1].as_f64().unwrap(), seen[0].as_f64().unwrap() as u64, files));
    }
    views.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ms, bytes, files) = views[VIEWS / 2];
    eprintln!("first view: {bytes} bytes, there after {ms:.0} ms, {files} files besides the page");
    assert!(bytes > 1_000 && bytes < FIRST_VIEW_BYTES_MAX, "the first view weighs {bytes} bytes");
    assert!(ms < FIRST_VIEW_MS_MAX, "the first view takes {ms} ms");
}

/// Makes a charge; independent readers find the same in its picture and in its text.
async fn charge(shop: &Browser) -> String {
    shop.press("Cobrar").await;
    shop.find("main [name='descricao']").await;
    shop.is_accessible().await;
    shop.fill("valor", "12,34").await;
    shop.fill("descricao", "Pão").await;
    shop.fill("identificador", "PEDIDO7").await;
    shop.press("Criar cobrança").await;
    let code = shop.value_of("#codigo").await;
    shop.is_accessible().await;
    let (width, pixels) = shop.picture("svg.qr").await;
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(width, pixels.len() / width, |x, y| {
            pixels[y * width + x]
        });
    let (_, scanned) = image.detect_grids()[0].decode().unwrap();
    assert_eq!(scanned, code);
    let read = format!("{:?}", brcode::from_str(&code));
    for part in
        ["1:padaria", "12.34", "Padaria & Filhos <Ltda>", "PEDIDO7", "Pao", "BR.GOV.BCB.PIX"]
    {
        assert!(read.to_lowercase().contains(&part.to_lowercase()), "{part} is not in {read}");
    }
    code
}

async fn statement(ana: &Browser, cluster: &Cluster) {
    ana.open(&cluster.url(0, "/")).await;
    ana.find("main a[href^='/contas/0-']").await.click().await.unwrap();
    ana.sees("Lançamentos").await;
    ana.sees("Pix recebido").await;
    ana.find("svg.chart path.line").await;
    ana.is_accessible().await;
    ana.press("Procurar e filtrar").await;
    ana.choose("tipo", "TRANSFER").await;
    ana.press("Filtrar").await;
    ana.find("option[value='TRANSFER'][selected]").await;
    let table = ana.text_of("table").await;
    assert!(
        table.contains("Pix enviado")
            && table.contains("Padaria & Filhos <Ltda>")
            && !table.contains("Pix recebido"),
        "{table}"
    );
    let place = ana.path().await;
    let csv = ana.fetch(&format!("{place}/extrato.csv?tipo=TRANSFER")).await;
    let paid =
        "Pix enviado;-12,34;1340,50;1328,16;Padaria & Filhos <Ltda>;**.222.333/****-**;Banco 1;";
    assert!(csv.contains(paid) && csv.contains(";1:padaria;ana;0;"), "{csv}");
    let ofx = ana.fetch(&format!("{place}/extrato.ofx")).await;
    assert!(
        ofx.contains("<TRNAMT>-12.34</TRNAMT>") && ofx.contains("<BALAMT>1328.16</BALAMT>"),
        "{ofx}"
    );
    let zone = Zone::named("America/Sao_Paulo").unwrap();
    let today = zone.date(netbanking::actors::time::unix_ms());
    ana.open(&cluster.url(0, &format!("{place}?ate=2020-01-01"))).await;
    ana.sees("Nenhum lançamento").await;
    ana.open(&cluster.url(0, &format!("{place}?de=2020-01-01&ate={today}"))).await;
    ana.sees("Abertura").await;
    ana.sees(&format!("{:02}/{:02}/{:04}", today.day, today.month, today.year)).await;
    // On a telephone too.
    ana.resize(390).await;
    ana.is_accessible().await;
    ana.resize(1_100).await;
}

#[actix_rt::test]
async fn without_scripts_everything_works_too() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = driver.browser_without_scripts().await;
    ana.open("data:text/html,<p>none</p><script>document.body.textContent = 'ran'</script>").await;
    ana.sees("none").await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "11144477735").await;
    ana.open_account(0, "100").await;
    ana.open_account(1, "50").await;
    ana.press("Pacote").await;
    ana.tick("tipo", "T").await;
    ana.choose("conta", "0-").await;
    ana.fill("valor", "30").await;
    ana.fill("pix", "1:ana").await;
    ana.press("Acrescentar").await;
    ana.sees("Quem recebe: Ana Souza").await;
    ana.sees("O pacote está vazio").await;
    ana.press("Acrescentar").await;
    ana.sees("Confirmar 1 operação").await;
    // An impatient customer: the form is sent twice, and executed once.
    ana.evaluate("const confirm = document.querySelector('[value=confirmar]'); confirm.click(); confirm.click()").await;
    ana.sees("Pacote executado").await;
    ana.press("Banco 1").await;
    ana.sees("Pix recebido").await;
    ana.sees("R$ 80,00").await;
    ana.press("Sair").await;
    ana.find("main [name='senha']").await;
    ana.type_login("ana").await;
    ana.sees("R$ 150,00").await;
    ana.close().await;
}

#[actix_rt::test]
async fn a_document_whose_check_digits_do_not_fit_is_confirmed_while_it_is_typed() {
    let cluster = Cluster::start(1, "sessions").await;
    let driver = Driver::start();
    let ana = driver.browser().await;
    ana.open(&cluster.url(0, "/cadastro")).await;
    ana.fill("nome", "Ana Souza").await;
    ana.fill("documento", "111 111 111 11").await;
    ana.sees("dígitos verificadores do CPF 111.111.111-11 não conferem").await;
    ana.is_accessible().await;
    ana.tick("confirmado", "111.111.111-11").await;
    ana.fill("usuario", "ana").await;
    ana.fill("senha", PASSWORD).await;
    ana.fill("senha2", PASSWORD).await;
    ana.press("Cadastrar").await;
    ana.sees("Olá, Ana Souza").await;
    ana.close().await;
}

#[actix_rt::test]
async fn a_session_that_ends_while_a_key_is_typed_loses_nothing_and_moves_nothing() {
    let cluster = Cluster::start(1, "sessions").await;
    let driver = Driver::start();
    let ana = driver.browser().await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.open_account(0, "100").await;
    ana.press("Pacote").await;
    ana.add_cash("S", 0, "30", 1).await;
    ana.forget_cookies().await;
    ana.tick("tipo", "T").await;
    ana.fill("pix", "ana").await;
    ana.sees("A sua sessão terminou").await;
    assert!(!ana.text().await.contains("Senha"), "no login page inside of the form");
    ana.is_accessible().await;
    ana.press("Confirmar 1").await;
    ana.find("main [name='senha']").await;
    ana.type_login("ana").await;
    ana.sees("Nada foi enviado").await;
    ana.sees("Confirmar 1 operação").await;
    assert!(!ana.text().await.contains("Perguntar"), "there is nothing to ask for");
    ana.is_accessible().await;
    ana.press("Confirmar 1").await;
    ana.sees("Pacote executado").await;
    ana.sees("R$ 70,00").await;
    ana.close().await;
}

#[actix_rt::test]
async fn both_holders_of_a_joint_account_use_it_at_different_banks() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let (ana, bia) = (driver.browser().await, driver.browser().await);
    bia.register(&cluster, 1, "Bia Lima", "bia", "529.982.247-25").await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.press("Abrir conta").await;
    ana.find("main [name='banco']").await;
    ana.choose("banco", "2").await;
    ana.choose("tipo", "CONJUNTA").await;
    ana.fill("titulares", "bia").await;
    ana.choose("pix", "RANDOM").await;
    ana.fill("valor", "300").await;
    ana.fill("senha", PASSWORD).await;
    ana.find("main form button").await.click().await.unwrap();
    ana.sees("quando todos os titulares aceitarem").await;

    bia.open(&cluster.url(1, "/")).await;
    bia.sees("Ana Souza (ana, ***.444.777-**) quer abrir a conta").await;
    bia.is_accessible().await;
    bia.press("Aceitar").await;
    bia.sees("aberta no Banco 2").await;
    bia.sees("R$ 300,00").await;
    bia.press("Pacote").await;
    bia.add_cash("S", 2, "120,00", 1).await;
    bia.press("Confirmar").await;
    bia.sees("Pacote executado").await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("R$ 180,00").await;
    ana.find("main a[href^='/contas/2-']").await.click().await.unwrap();
    ana.sees("Saque").await;
    let table = ana.text_of("table").await;
    assert!(table.contains("bia"), "the statement says who did it: {table}");
    ana.close().await;
    bia.close().await;
}

#[actix_rt::test]
async fn two_browsers_at_two_banks_cannot_spend_the_same_money() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let (first, second) = (driver.browser().await, driver.browser().await);
    first.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    first.open_account(0, "100").await;
    second.register(&cluster, 1, "Bia Lima", "bia", "529.982.247-25").await;
    second.open_account(1, "50").await;
    // Ana at another bank, in another browser.
    second.press("Sair").await;
    second.find("main [name='senha']").await;
    second.type_login("ana").await;
    second.sees("Olá, Ana Souza").await;
    for browser in [&first, &second] {
        browser.press("Pacote").await;
        browser.add_pix(0, "80", "1:bia", "Bia Lima", 1).await;
    }
    futures_util::future::join(first.press("Confirmar"), second.press("Confirmar")).await;
    let mut outcomes = Vec::new();
    for browser in [&first, &second] {
        outcomes
            .push(browser.sees_one_of(&["Pacote executado", "O pacote não foi executado"]).await);
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [0, 1], "one is executed, one refused");
    for browser in [&first, &second] {
        if browser.text().await.contains("não foi executado") {
            browser.sees("insuficiente (R$ 20,00) no Banco 0").await;
            assert!(browser.text_of("#recusada").await.contains("Esta operação foi recusada"));
            browser.is_accessible().await;
        }
    }
    first.open(&cluster.url(0, "/")).await;
    first.sees("R$ 20,00").await;
    cluster.assert_same_everywhere().await;
    first.close().await;
    second.close().await;
}

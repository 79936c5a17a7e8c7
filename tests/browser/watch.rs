//! The consortium page in real browsers: three banks with a laboratory, and a browser at each.

use std::time::{Duration, Instant};

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn page(cluster: &Cluster, driver: &Driver, bank: usize) -> Browser {
    let page = driver.browser().await;
    page.open(&cluster.url(bank, "/consorcio")).await;
    until(&page, "return document.getElementById('situacao').textContent === 'Ao vivo'").await;
    page
}

/// Waits until a script returns true.
pub(crate) async fn until(page: &Browser, script: &str) {
    let deadline = Instant::now() + PATIENCE;
    while page.evaluate(script).await != true {
        assert!(
            Instant::now() < deadline,
            "this does not become true: {script}\n{}",
            page.text().await
        );
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the page shows this many executed events; returns their ids in the order that it
/// shows.
pub(crate) async fn order(page: &Browser, count: usize) -> Vec<String> {
    until(page, &format!("return document.querySelectorAll('#ordem li').length >= {count}")).await;
    let ids = page
        .evaluate("return [...document.querySelectorAll('#ordem li')].map(li => li.dataset.id)")
        .await;
    serde_json::from_value(ids).unwrap()
}

async fn text(page: &Browser, id: &str) -> String {
    page.text_of(&format!("#{id}")).await
}

#[actix_rt::test]
async fn events_just_sent_at_several_banks_are_drawn_on_all_pages_in_the_same_order() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let mut pages = Vec::new();
    for bank in 0..3 {
        pages.push(page(&cluster, &driver, bank).await);
    }
    pages[2].click("#evento-aqui").await;
    order(&pages[0], 1).await;
    // In slow motion nobody hears of another's event before it has stamped its own.
    pages[0].click("#atraso option[value='500']").await;
    pages[0].click("#atrasar").await;
    for page in &pages {
        until(
            page,
            "return document.getElementById('atraso-agora').textContent === 'Atraso agora: 500 ms'",
        )
        .await;
    }
    pages[1].click("#evento-todos").await;
    until(&pages[2], "return document.querySelector('#espera li') !== null").await;
    pages[0].click("#evento-aqui").await;
    let mut orders = Vec::new();
    for page in &pages {
        let order = order(page, 5).await;
        for id in &order {
            let drawn = format!(
                "return !!document.querySelector('#diagrama .event.executed[data-id=\"{id}\"]')"
            );
            until(page, &drawn).await;
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| order == &orders[0]), "{orders:?}");
    let concurrent = "return document.querySelectorAll('#diagrama .event.concurrent').length >= 3";
    until(&pages[0], concurrent).await;
    for page in pages {
        page.close().await;
    }
}

#[actix_rt::test]
async fn the_picture_can_be_paused_and_gone_through_step_by_step() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let page = page(&cluster, &driver, 0).await;
    page.click("#evento-aqui").await;
    order(&page, 1).await;
    until(&page, "return document.querySelectorAll('#espera li').length === 0").await;

    page.click("#pausar").await;
    let held = page.evaluate("return document.getElementById('consorcio').dataset.at").await;
    page.click("#evento-aqui").await;
    let other = cluster.url(0, "/consorcio/estado");
    let both = format!(
        "const done = arguments[arguments.length - 1]; fetch('{other}').then(answer => answer.json())
         .then(told => done(told.now.events.filter(event => event.executed).length >= 2))"
    );
    while page.evaluate_later(&both).await != true {}
    assert_eq!(page.evaluate("return document.getElementById('consorcio').dataset.at").await, held);
    assert_eq!(page.evaluate("return document.querySelectorAll('#ordem li').length").await, 1);

    // Back until the event is not executed yet: it waits, and the page says for whom.
    let at = "return document.getElementById('consorcio').dataset.at";
    while page.evaluate("return document.querySelectorAll('#ordem li').length").await == 1 {
        let before = page.evaluate(at).await;
        page.click("#atras").await;
        until(
            &page,
            &format!("return document.getElementById('consorcio').dataset.at !== {before}"),
        )
        .await;
    }
    assert!(text(&page, "espera").await.contains("Espera:"), "{}", text(&page, "espera").await);
    page.click("#adiante").await;
    order(&page, 1).await;
    page.click("#pausar").await;
    order(&page, 2).await;
    assert_eq!(text(&page, "situacao").await, "Ao vivo");
    page.close().await;
}

#[actix_rt::test]
async fn an_event_tells_its_story_on_a_click_and_by_keyboard() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let page = page(&cluster, &driver, 0).await;
    page.click("#evento-aqui").await;
    order(&page, 1).await;
    page.click("#evento-aqui").await;
    let ids = order(&page, 2).await;
    until(&page, "return document.querySelectorAll('#espera li').length === 0").await;

    page.click(&format!("#diagrama .dot[data-id=\"{}\"]", ids[1])).await;
    until(
        &page,
        "return document.getElementById('historia-titulo').textContent.startsWith('Evento 0·2')",
    )
    .await;
    let story = text(&page, "historia").await;
    for told in [
        "Carimbado neste banco",
        "Banco 1 tem o evento em disco",
        "Banco 2 tem o evento em disco",
        "posição 2",
    ] {
        assert!(story.contains(told), "{told}: {story}");
    }
    assert!(story.contains("Vem depois de 0·1 porque a soma do seu carimbo é maior"), "{story}");

    // From the event that has the keyboard focus, one to the left, and Enter.
    page.key("\u{E012}").await;
    until(&page, &format!("return document.activeElement.dataset.id === '{}'", ids[0])).await;
    page.key("\u{E007}").await;
    until(
        &page,
        "return document.getElementById('historia-titulo').textContent.startsWith('Evento 0·1')",
    )
    .await;
    page.close().await;
}

#[actix_rt::test]
async fn an_event_behind_a_stopped_link_says_whose_word_is_missing_until_the_link_is_healed() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let page = page(&cluster, &driver, 0).await;
    page.click("#parar-2").await;
    until(
        &page,
        "return document.querySelector('[data-ligacao=\"2\"]').textContent.startsWith('parada')",
    )
    .await;
    page.click("#evento-aqui").await;
    let waits = "return document.getElementById('espera').textContent.includes('falta a confirmação de Banco 2')";
    until(&page, waits).await;
    page.click("#religar-2").await;
    order(&page, 1).await;

    // A cut link is as good as a bank that is gone, until it is healed.
    page.click("#cortar-2").await;
    let row = "document.querySelector('#bancos tr:nth-child(3)')";
    until(&page, &format!("return {row}.classList.contains('down')")).await;
    page.click("#religar-2").await;
    until(&page, &format!("return !{row}.classList.contains('down')")).await;
    let log = page.fetch("/consorcio/shiviz.log").await;
    assert!(
        log.starts_with(r"(?<host>\S*) (?<clock>{.*})") && log.contains(r#"bank-0 {"bank-0":1"#),
        "{log}"
    );
    page.close().await;
}

#[actix_rt::test]
async fn what_was_received_shows_the_clock_before_the_stamp_and_the_clock_after() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let (first, second) = (page(&cluster, &driver, 0).await, page(&cluster, &driver, 1).await);
    first.click("#evento-aqui").await;
    order(&second, 1).await;
    second.click("#evento-aqui").await;
    let ids = order(&first, 2).await;
    first.click(&format!("#diagrama .dot[data-id=\"{}\"]", ids[1])).await;
    let told = "relógio antes [1,0,0], carimbo [1,1,0], relógio depois [1,1,0]";
    first.sees(told).await;
    // On this bank's line too, and what this bank has stamped itself is no receipt.
    let labels =
        "return [...document.querySelectorAll('.receive text')].map(one => one.textContent)";
    first.evaluate_until(labels, |seen| *seen == serde_json::json!(["[1,1,0]"])).await;
    first.click(&format!("#diagrama .dot[data-id=\"{}\"]", ids[0])).await;
    first.sees("Carimbado neste banco: relógio antes [0,0,0], carimbo [1,0,0]").await;
    let matrix = "return [...document.querySelectorAll('#matriz .heard')].length";
    first.evaluate_until(matrix, |seen| *seen == 6).await;
    for page in [first, second] {
        page.close().await;
    }
}

#[actix_rt::test]
async fn with_fourteen_banks_the_switches_are_beside_the_diagram_and_the_page_is_short() {
    // One bank of fourteen is enough for a page with fourteen lines.
    let cluster = Cluster::prepare(14, "sessions");
    cluster.change_nodes_json(&cluster.nodes_json(), |config| config["laboratory"] = true.into());
    cluster.start_bank(0);
    cluster.wait_log(0, "up to position").await;
    let driver = Driver::start();
    let browser = driver.browser().await;
    browser.as_wide_as(1_280).await;
    until_served(&cluster, &browser).await;
    let bottom = "return document.documentElement.scrollHeight";
    let height = browser.evaluate(bottom).await.as_u64().unwrap();
    assert!(height < 4_000, "the page is {height} high");
    let beside = "const box = (id) => document.getElementById(id).getBoundingClientRect(); \
        return box('laboratorio').left >= box('rolagem').right && box('evento-todos').top < 900 \
        && box('religar-13').bottom < box('t-ordem').top";
    assert_eq!(browser.evaluate(beside).await, true);
    assert_eq!(
        browser.evaluate("return document.querySelectorAll('#matriz td').length").await,
        196
    );
    browser.is_accessible().await;
    browser.as_wide_as(360).await;
    browser.is_accessible().await;
    browser.close().await;
}

/// Opens the page as soon as the bank answers.
async fn until_served(cluster: &Cluster, browser: &Browser) {
    let live = "return document.getElementById('situacao')?.textContent === 'Ao vivo'";
    let deadline = Instant::now() + PATIENCE;
    while !browser.try_open(&cluster.url(0, "/consorcio")).await {
        assert!(Instant::now() < deadline, "{}", cluster.log(0));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
    until(browser, live).await;
}

#[actix_rt::test]
async fn the_page_has_no_serious_accessibility_fault() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let page = page(&cluster, &driver, 0).await;
    page.click("#evento-todos").await;
    let ids = order(&page, 3).await;
    page.click(&format!("#diagrama .dot[data-id=\"{}\"]", ids[0])).await;
    page.click("#tabela summary").await;
    until(&page, "return document.querySelectorAll('#eventos tr').length >= 3").await;
    page.is_accessible().await;
    page.resize(390).await;
    page.is_accessible().await;
    page.close().await;
}

//! Pages on a telephone: nothing runs out of the window, whatever names there are, and everything
//! that is to be touched is large enough for a finger.

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;

/// What lies to the right of the window, apart from what is there for screen readers only.
const OUTSIDE: &str = "return [...document.querySelectorAll('body *')].filter((one) => { \
    const box = one.getBoundingClientRect(); \
    return box.width > 1 && box.right > innerWidth + 1 && !one.closest('.skip, .hidden, thead, svg'); \
    }).map((one) => one.outerHTML.slice(0, 120))";
/// What is to be touched and is less than 44 pixels high, apart from links within a sentence.
const TOO_SMALL: &str = "return [...document.querySelectorAll('nav a, button, .button, select, \
    input:not([type=hidden], [type=radio], [type=checkbox]), .choice, summary, .accounts a, .cards a')] \
    .filter((one) => { const box = one.getBoundingClientRect(); return box.height > 0 && box.height < 43.5; }) \
    .map((one) => one.outerHTML.slice(0, 120) + ' ' + one.getBoundingClientRect().height)";

pub(crate) async fn fits(browser: &Browser) {
    fits_the_window(browser).await;
    browser.is_accessible().await;
}

/// The same without what axe-core looks at.
pub(crate) async fn fits_the_window(browser: &Browser) {
    for (script, what) in [(OUTSIDE, "runs out of the window"), (TOO_SMALL, "is too small")] {
        let found = browser.evaluate(script).await;
        let path = browser.path().await;
        assert!(found.as_array().unwrap().is_empty(), "{path}: this {what}: {found:#}");
    }
    browser.is_no_wider_than_its_window().await;
}

/// Amounts can be hidden, and stay hidden when the page is opened anew.
async fn hides_amounts(ana: &Browser) {
    ana.click("#ocultar").await;
    let hidden = |text: String| !text.contains("10.000.000") && text.contains("Saldo total");
    assert!(hidden(ana.text().await), "{}", ana.text().await);
    fits(ana).await;
    ana.evaluate("location.reload()").await;
    ana.find("#ocultar:checked").await;
    assert!(hidden(ana.text().await), "{}", ana.text().await);
    ana.click("#ocultar").await;
    ana.sees("R$ 10.000.000,00").await;
    let bar = "const box = document.querySelector('.bar').getBoundingClientRect(); \
        return Math.round(box.bottom) === innerHeight && box.height < 90";
    assert_eq!(ana.evaluate(bar).await, true, "the menu is at the thumb");
}

#[actix_rt::test]
async fn every_page_fits_a_telephone_of_360_pixels() {
    let cluster = Cluster::start(1, "sessions").await;
    let driver = Driver::start();
    let ana = driver.browser().await;
    ana.as_wide_as(360).await;
    let long = "Wolfeschlegelsteinhausenbergerdorff".repeat(3);
    ana.open(&cluster.url(0, "/")).await;
    fits(&ana).await;
    ana.open(&cluster.url(0, "/cadastro")).await;
    ana.fill("documento", "11111111111").await;
    ana.sees("não conferem").await;
    fits(&ana).await;
    ana.register(&cluster, 0, &long, &"a".repeat(64), "111.444.777-35").await;
    ana.open_account(0, "10.000.000,00").await;
    ana.sees("R$ 10.000.000,00").await;
    fits(&ana).await;
    hides_amounts(&ana).await;
    for page in ["/contas/nova", "/pagar", "/pacote/none"] {
        ana.open(&cluster.url(0, page)).await;
        fits(&ana).await;
    }
    ana.press("Pacote").await;
    fits(&ana).await;
    ana.add_cash("D", 0, "1.234.567,89", 1).await;
    ana.fill("valor", "9.000.000,00").await;
    ana.tick("tipo", "T").await;
    ana.fill("pix", &"a".repeat(64)).await;
    ana.sees(&format!("Quem recebe: {long}")).await;
    fits(&ana).await;
    ana.fill("pix", "").await;
    ana.add_cash("S", 0, "99.000.000,00", 2).await;
    ana.sees("Como estão as contas agora").await;
    fits(&ana).await;
    ana.press("Tirar").await;
    ana.press("Confirmar 1").await;
    ana.sees("O pacote não foi executado").await;
    fits(&ana).await;
    ana.press("Esvaziar").await;
    ana.sees("O pacote está vazio").await;
    ana.add_cash("D", 0, "1.234.567,89", 1).await;
    ana.press("Confirmar 1").await;
    ana.sees("Pacote executado").await;
    fits(&ana).await;
    ana.find(".cards a").await.click().await.unwrap();
    ana.sees("Lançamentos").await;
    ana.sees("R$ 20.000.000,00").await;
    fits(&ana).await;
    ana.press("Cobrar").await;
    ana.fill("valor", "12,34").await;
    ana.press("Criar cobrança").await;
    ana.find("svg.qr").await;
    fits(&ana).await;
    ana.close().await;
}

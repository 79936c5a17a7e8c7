//! A Pix from the home page to its receipt: with a finger, with a mouse, and with the keyboard
//! alone.

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;
use crate::telephone::fits;

/// Keys, as WebDriver names them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
/// How often Tab is pressed at most to get to something.
const TABS_MAX: usize = 40;

#[actix_rt::test]
async fn a_pix_takes_four_clicks_from_the_home_page_to_its_receipt() {
    let cluster = Cluster::start(2, "sessions").await;
    let driver = Driver::start();
    let (ana, bia) = (driver.browser().await, driver.browser().await);
    bia.register(&cluster, 1, "Bia Lima", "bia", "529.982.247-25").await;
    bia.open_account(1, "50").await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.open_account(0, "1.000,00").await;
    for (width, left) in [(360, "R$ 990,00"), (1_280, "R$ 980,00")] {
        ana.as_wide_as(width).await;
        ana.open(&cluster.url(0, "/")).await;
        pays_with_four_clicks(&ana).await;
        ana.press("Extrato").await;
        ana.sees(left).await;
        looks_right(&ana).await;
        ana.press("Comprovante").await;
        ana.sees("Quem recebeu").await;
    }
    // A wrong password, an amount that is not there, a way back.
    ana.press("Pix").await;
    ana.fill("pix", "bia").await;
    ana.press("Continuar").await;
    ana.fill("valor", "5.000,00").await;
    ana.press("Continuar").await;
    ana.sees("insuficiente (R$ 980,00)").await;
    looks_right(&ana).await;
    ana.fill("valor", "1,00").await;
    ana.press("Continuar").await;
    ana.fill("senha", "errada").await;
    ana.press("Pagar").await;
    ana.sees("A senha não está certa").await;
    looks_right(&ana).await;
    ana.press("Corrigir").await;
    assert_eq!(ana.value_of("[name='valor']").await, "1,00");

    bia.open(&cluster.url(1, "/")).await;
    bia.find("main a[href^='/contas/1-']").await.click().await.unwrap();
    bia.sees("+R$ 10,00").await;
    bia.press("Comprovante").await;
    bia.sees("Ana Souza").await;
    bia.sees("almoço de sexta").await;
    bia.is_accessible().await;
    cluster.assert_same_everywhere().await;
    ana.close().await;
    bia.close().await;
}

/// On a telephone everything is also large enough for a finger.
pub(crate) async fn looks_right(browser: &Browser) {
    if browser.evaluate("return innerWidth < 640").await == true {
        fits(browser).await;
    } else {
        browser.is_accessible().await;
    }
}

/// The four clicks, with a look at each page on the way.
async fn pays_with_four_clicks(ana: &Browser) {
    looks_right(ana).await;
    ana.press("Pix").await;
    ana.sees("Passo 1 de 3").await;
    looks_right(ana).await;
    ana.fill("pix", "bia").await;
    ana.press("Continuar").await;
    ana.sees("Bia Lima").await;
    ana.sees("***.982.247-**").await;
    looks_right(ana).await;
    ana.fill("valor", "10").await;
    ana.fill("mensagem", "almoço de sexta").await;
    ana.press("Continuar").await;
    ana.sees("Passo 3 de 3").await;
    looks_right(ana).await;
    ana.fill("senha", PASSWORD).await;
    // An impatient customer: the form is sent twice, and executed once.
    ana.evaluate(
        "const pay = document.querySelector('[value=confirmar]'); pay.click(); pay.click()",
    )
    .await;
    ana.sees("Pix feito").await;
    ana.sees("almoço de sexta").await;
    ana.sees("a mesma em todos os bancos").await;
    looks_right(ana).await;
    assert!(ana.path().await.contains("/comprovante/"), "{}", ana.path().await);
}

#[actix_rt::test]
async fn a_pix_needs_no_mouse() {
    let cluster = Cluster::start(2, "sessions").await;
    let driver = Driver::start();
    let (ana, bia) = (driver.browser().await, driver.browser_without_scripts().await);
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.open_account(0, "100").await;
    bia.register(&cluster, 1, "Bia Lima", "bia", "529.982.247-25").await;
    bia.open_account(1, "50").await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("Olá, Ana Souza").await;
    tab_to(&ana, "/pagar").await;
    ana.key(ENTER).await;
    ana.sees("Passo 1 de 3").await;
    is_at(&ana, "pix").await;
    ana.key("bia").await;
    ana.key(ENTER).await;
    ana.sees("Passo 2 de 3").await;
    is_at(&ana, "valor").await;
    ana.key("30").await;
    ana.key(ENTER).await;
    ana.sees("Passo 3 de 3").await;
    is_at(&ana, "senha").await;
    ana.key(PASSWORD).await;
    ana.key(ENTER).await;
    ana.sees("Pix feito").await;
    ana.sees("R$ 30,00").await;
    tab_to(&ana, "/contas/0-").await;
    ana.key(ENTER).await;
    ana.sees("R$ 70,00").await;
    // Nor does it need scripts.
    bia.press("Pix").await;
    bia.fill("pix", "0:ana").await;
    bia.press("Continuar").await;
    bia.fill("valor", "5,50").await;
    bia.press("Continuar").await;
    bia.fill("senha", PASSWORD).await;
    bia.press("Pagar").await;
    bia.sees("Pix feito").await;
    bia.press("Extrato").await;
    bia.sees("R$ 74,50").await;
    ana.close().await;
    bia.close().await;
}

/// Waits until the keyboard is at the field of this name, without anything being pressed.
async fn is_at(browser: &Browser, field: &str) {
    let script = "return document.activeElement.getAttribute('name') || ''";
    browser.evaluate_until(script, |at| at == field).await;
}

/// Presses Tab until the focus is on a link that begins with this and leads no deeper: an account
/// is meant by the beginning of its number, and not what belongs to it.
async fn tab_to(browser: &Browser, link: &str) {
    let script = "return document.activeElement.getAttribute('href') || ''";
    for _ in 0..TABS_MAX {
        browser.key(TAB).await;
        let at = browser.evaluate(script).await;
        let rest = at.as_str().and_then(|at| at.strip_prefix(link));
        if rest.is_some_and(|rest| !rest.contains('/')) {
            return;
        }
    }
    panic!("Tab does not lead to {link}");
}

//! Banks that die while somebody looks at a page: the page must tell the truth.

use std::time::Duration;

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;

/// Ana with R$ 100.00 at each of banks 0, 1 and 2, logged in at bank 0.
async fn ana(cluster: &Cluster, driver: &Driver) -> Browser {
    let ana = driver.browser().await;
    ana.register(cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    for bank in 0..3 {
        ana.open_account(bank, "100").await;
    }
    ana
}

/// Sends a package of unknown outcome again, which executes nothing twice, until the page knows.
async fn send_until_known(browser: &Browser) {
    while browser.sees_one_of(&["Pacote executado", "Ainda não sabemos", "não terá efeito"]).await
        != 0
    {
        // What was seen may be the previous page, and the next one the last.
        let next = ["Pacote executado", "Enviar de novo", "Confirmar"];
        match browser.sees_one_of(&next).await {
            0 => return,
            again => browser.press_if_there(next[again]).await,
        }
    }
}

#[actix_rt::test]
async fn another_bank_dies_while_a_package_is_under_way() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = ana(&cluster, &driver).await;
    ana.press("Pacote").await;
    ana.add_pix(0, "60", "1:ana", "Ana Souza", 1).await;
    // Bank 2 no longer acknowledges anything, so the package is under way until that bank is left
    // out.
    cluster.signal(2, "-STOP");
    ana.press("Confirmar").await;
    cluster.kill(2);
    send_until_known(&ana).await;
    ana.sees("R$ 40,00").await;
    ana.sees("R$ 160,00").await;

    cluster.wait_members(&[0, 1]).await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("Banco 2 fora do consórcio agora").await;
    ana.sees("R$ 300,00").await;
    ana.is_accessible().await;
    ana.press("Pacote").await;
    ana.add_cash("D", 0, "1", 1).await;
    ana.add_cash("D", 2, "1", 2).await;
    ana.sees("Como estão as contas agora: Falha na operação: Banco 2 não está online").await;
    ana.press("Confirmar 2").await;
    ana.sees("O pacote não foi executado").await;
    let refused = ana.text_of("#recusada").await;
    assert!(refused.contains("Banco 2") && refused.starts_with('2'), "{refused}");
    ana.open(&cluster.url(0, "/contas/nova")).await;
    ana.choose("banco", "2").await;
    ana.fill("valor", "50").await;
    ana.fill("senha", PASSWORD).await;
    ana.find("main form button").await.click().await.unwrap();
    ana.sees("Banco 2 não responde agora. Nada foi feito").await;
    ana.close().await;
}

#[actix_rt::test]
async fn another_bank_dies_while_a_pix_is_under_way() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = ana(&cluster, &driver).await;
    ana.press("Pix").await;
    ana.fill("pix", "1:ana").await;
    ana.press("Continuar").await;
    ana.fill("valor", "60").await;
    ana.choose("conta", "0-").await;
    ana.press("Continuar").await;
    ana.fill("senha", PASSWORD).await;
    cluster.signal(2, "-STOP");
    ana.press("Pagar").await;
    cluster.kill(2);
    while ana.sees_one_of(&["Pix feito", "Ainda não sabemos", "Pagar R$"]).await != 0 {
        // It is sent again under its key, which executes nothing twice.
        ana.fill("senha", PASSWORD).await;
        ana.click("[value='confirmar']").await;
    }
    ana.press("Extrato").await;
    ana.sees("−R$ 60,00").await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("R$ 40,00").await;
    ana.sees("R$ 160,00").await;
    ana.press("Pix").await;
    ana.sees("Passo 1 de 3").await;
    ana.close().await;
}

#[actix_rt::test]
async fn the_customers_own_bank_dies_while_a_package_is_under_way() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = ana(&cluster, &driver).await;
    ana.press("Pacote").await;
    ana.add_pix(1, "60", "2:ana", "Ana Souza", 1).await;
    cluster.signal(1, "-STOP");
    ana.press("Confirmar").await;
    ana.find("form.htmx-request").await;
    cluster.kill(0);
    ana.sees("Este banco não respondeu").await;
    ana.sees("Não sabemos se o pacote foi executado").await;
    ana.is_accessible().await;
    cluster.signal(1, "-CONT");
    cluster.start_bank(0);
    cluster.wait_ready().await;
    // The session ended with the bank; the basket and its key did not.
    ana.press("Confirmar").await;
    ana.sees("A sua sessão terminou").await;
    ana.is_accessible().await;
    ana.type_login("ana").await;
    if ana.sees_one_of(&["Pacote executado", "Ainda não sabemos o resultado"]).await == 1 {
        ana.press("Perguntar o que aconteceu").await;
        if ana.sees_one_of(&["Pacote executado", "Até agora este banco não executou"]).await == 1
        {
            send_until_known(&ana).await;
        }
    }
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("R$ 160,00").await;
    ana.sees("R$ 40,00").await;
    cluster.assert_same_everywhere().await;
    ana.close().await;
}

#[actix_rt::test]
async fn a_bank_that_is_cut_off_says_what_still_works() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = ana(&cluster, &driver).await;
    ana.press("Pacote").await;
    ana.add_cash("D", 0, "1", 1).await;
    cluster.kill(1);
    cluster.kill(2);
    while cluster.status(0).await["ready"] != false {
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    ana.press("Confirmar").await;
    ana.sees("O pacote não foi executado").await;
    ana.sees("não terá efeito").await;
    ana.sees("Este banco não alcança a maioria dos bancos agora").await;
    ana.sees("Confirmar 1 operação").await;
    ana.is_accessible().await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("R$ 300,00").await;
    ana.find("main a[href^='/contas/1-']").await.click().await.unwrap();
    ana.sees("Abertura").await;
    ana.sees("Este banco não alcança a maioria").await;
    ana.close().await;
}

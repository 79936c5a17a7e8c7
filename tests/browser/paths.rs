//! Every path that a customer has beside the three steps of a Pix: giving back, keys, days to come,
//! favourites, limits, names, the end of an account, charges, sessions. On a telephone, on a tablet
//! without scripts, and at a desk.

use netbanking::actors::time::unix_ms;
use netbanking::civil::Zone;

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;
use crate::telephone::fits_the_window;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[actix_rt::test]
async fn every_path_is_walked_on_a_telephone() {
    walks_every_path(&Driver::start().browser().await, 360).await;
}

#[actix_rt::test]
async fn every_path_is_walked_on_a_tablet_without_scripts() {
    walks_every_path(&Driver::start().browser_without_scripts().await, 768).await;
}

#[actix_rt::test]
async fn every_path_is_walked_at_a_desk() {
    walks_every_path(&Driver::start().browser().await, 1_280).await;
}

/// Bia is at bank 1 and Ana at bank 0, both in this browser: a session counts at its own bank.
async fn walks_every_path(browser: &Browser, width: u32) {
    let cluster = Cluster::start(2, "sessions").await;
    browser.as_wide_as(width).await;
    browser.register(&cluster, 1, "Bia Lima", "bia", "529.982.247-25").await;
    browser.open_account(1, "500").await;
    browser.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    browser.open_account(0, "1.000,00").await;
    let home = cluster.url(0, "/");
    let place = path_of(browser, "main .accounts a[href^='/contas/0-']").await;
    browser.open(&cluster.url(1, "/")).await;
    browser.pay("0:ana", "80").await;
    browser.open(&home).await;
    gives_back(browser, &place).await;
    changes_keys(browser, &home, &place).await;
    plans(browser).await;
    keeps_a_favourite(browser).await;
    sets_limits(browser, &home).await;
    charges(browser).await;
    calls_and_closes(browser, &home).await;
    ends_sessions(browser, &home).await;
    cluster.assert_same_everywhere().await;
}

/// axe-core, which takes its time and needs scripts, looks at the desk's pages only.
async fn looks_right(browser: &Browser) {
    let width = browser.evaluate("return innerWidth").await.as_u64().unwrap_or_default();
    match width {
        ..640 => fits_the_window(browser).await,
        640..1_024 => browser.is_no_wider_than_its_window().await,
        _ => browser.is_accessible().await,
    }
}

/// Where a link leads.
async fn path_of(browser: &Browser, css: &str) -> String {
    browser.find(css).await.attr("href").await.unwrap().unwrap()
}

/// Follows a link by where it leads.
async fn follow(browser: &Browser, path: &str) {
    browser.click(&format!("main a[href='{path}']")).await;
}

/// Sends a form and waits for what it says.
async fn sends(browser: &Browser, button: &str, says: &str) {
    browser.press(button).await;
    browser.sees(says).await;
    looks_right(browser).await;
}

async fn gives_back(browser: &Browser, place: &str) {
    follow(browser, place).await;
    browser.sees("Bia Lima").await;
    looks_right(browser).await;
    browser.press("Comprovante").await;
    browser.sees("Quem recebeu").await;
    let pdf = path_of(browser, "main a[href$='/pdf']").await;
    if browser.runs_scripts() {
        assert!(browser.fetch(&pdf).await.starts_with("%PDF-"), "{pdf}");
    }
    looks_right(browser).await;
    browser.press("Devolver").await;
    browser.sees("Pode ser devolvido ainda").await;
    looks_right(browser).await;
    browser.fill("valor", "80,01").await;
    browser.fill("senha", PASSWORD).await;
    browser.press("Devolver").await;
    browser.find(".notice.bad").await;
    looks_right(browser).await;
    browser.fill("valor", "30").await;
    browser.fill("senha", PASSWORD).await;
    sends(browser, "Devolver", "Devolução feita.").await;
    browser.press("Extrato").await;
    browser.sees("R$ 1.050,00").await;
    looks_right(browser).await;
}

async fn changes_keys(browser: &Browser, home: &str, place: &str) {
    // An account to give a key to.
    browser.press("Abrir conta").await;
    browser.find("main [name='banco']").await;
    looks_right(browser).await;
    browser.choose("banco", "0").await;
    browser.choose("pix", "RANDOM").await;
    browser.fill("valor", "60").await;
    browser.fill("senha", PASSWORD).await;
    browser.click("main form button").await;
    browser.sees("aberta no Banco 0").await;
    browser.open(home).await;
    follow(browser, place).await;
    browser.press("Chaves Pix").await;
    browser.sees("Chaves desta conta").await;
    looks_right(browser).await;
    browser.choose("tipo", "EMAIL").await;
    browser.fill("valor", "isto não é um e-mail").await;
    browser.press("Cadastrar").await;
    browser.find(".notice.bad").await;
    looks_right(browser).await;
    browser.fill("valor", "ana@example.com").await;
    sends(browser, "Cadastrar", "Chave Pix cadastrada").await;
    browser.sees("ana@example.com").await;
    browser.click("[aria-label='Passar a chave 0:ana@example.com']").await;
    browser.sees("Chave Pix passada").await;
    assert!(!browser.text().await.contains("ana@example.com"), "{}", browser.text().await);
    browser.choose("tipo", "RANDOM").await;
    browser.fill("valor", "").await;
    sends(browser, "Cadastrar", "Chave Pix cadastrada").await;
    browser.click("ul.accounts li:last-child [value='remover']").await;
    browser.sees("Chave Pix removida").await;
    looks_right(browser).await;
}

/// A Pix of days to come: once, every month, given up; and one that cannot be.
async fn plans(browser: &Browser) {
    let zone = Zone::named("America/Sao_Paulo").unwrap();
    let day = |days: i64| {
        let date = zone.date(unix_ms() + days * DAY_MS);
        format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
    };
    browser.press("Pix").await;
    browser.press("Agende um Pix").await;
    browser.sees("Agendar um Pix").await;
    looks_right(browser).await;
    for (on, every, says) in [(day(2), "uma", "em "), (day(3), "mes", "todo mês a partir de ")] {
        browser.fill("pix", "1:bia").await;
        browser.fill("valor", "12,50").await;
        browser.fill("mensagem", "mesada").await;
        // As the field itself keeps it: what keys write depends on the browser's language.
        browser.evaluate(&format!("document.getElementById('dia').value = '{on}'")).await;
        browser.choose("repetir", every).await;
        browser.fill("vezes", "6").await;
        sends(browser, "Continuar", "Confira e confirme").await;
        browser.sees("Bia Lima").await;
        browser.sees(says).await;
        browser.fill("senha", "errada").await;
        browser.press("Agendar").await;
        browser.sees("A senha não está certa").await;
        looks_right(browser).await;
        browser.fill("senha", PASSWORD).await;
        sends(browser, "Agendar", "Pix agendado").await;
        browser.sees("mesada").await;
    }
    sends(browser, "Cancelar", "Agendamento cancelado").await;
    browser.sees("todo mês").await;
}

async fn keeps_a_favourite(browser: &Browser) {
    browser.press("Pix").await;
    browser.press("Guarde nos favoritos").await;
    browser.sees("Guardar um favorito").await;
    looks_right(browser).await;
    browser.fill("pix", "0:ninguem").await;
    browser.press("Guardar").await;
    browser.find(".notice.bad").await;
    browser.fill("pix", "1:bia").await;
    browser.fill("nome", "Bia da padaria").await;
    sends(browser, "Guardar", "Favorito guardado").await;
    // To pay a favourite is one click where the key would be typed.
    browser.press("Pix").await;
    looks_right(browser).await;
    browser.press("Bia da padaria").await;
    browser.sees("Passo 2 de 3").await;
    browser.sees("Bia Lima").await;
    browser.press("Pix").await;
    browser.press("Guarde nos favoritos").await;
    browser.click("[aria-label='Tirar Bia da padaria dos favoritos']").await;
    browser.sees("Favorito tirado").await;
    looks_right(browser).await;
}

/// Limits; above a sum, a package needs the password, too.
async fn sets_limits(browser: &Browser, home: &str) {
    browser.press("Segurança").await;
    looks_right(browser).await;
    browser.press("Limites de Pix e saque").await;
    browser.sees("Mudar os limites").await;
    looks_right(browser).await;
    browser.fill("dia", "200").await;
    browser.fill("noite", "200").await;
    sends(browser, "Mudar", "Limites alterados").await;
    browser.fill("confirmar", "40").await;
    browser.fill("senha", PASSWORD).await;
    sends(browser, "Mudar", "Limites alterados").await;
    browser.fill("dia", "300").await;
    sends(browser, "Mudar", "O que aumenta só vale daqui a 24 horas").await;
    browser.open(home).await;
    browser.press("Pix").await;
    browser.fill("pix", "1:bia").await;
    browser.press("Continuar").await;
    browser.fill("valor", "200,01").await;
    browser.press("Continuar").await;
    browser.sees("limite").await;
    looks_right(browser).await;
    browser.press("Pacote").await;
    browser.add_cash("S", 0, "50", 1).await;
    browser.press("Confirmar 1").await;
    browser.sees("confirmar com a senha").await;
    looks_right(browser).await;
    browser.fill("senha", PASSWORD).await;
    sends(browser, "Confirmar 1", "Pacote executado").await;
}

async fn charges(browser: &Browser) {
    browser.press("Cobrar").await;
    browser.find("main [name='descricao']").await;
    looks_right(browser).await;
    browser.fill("valor", "7,77").await;
    browser.fill("descricao", "Pão").await;
    browser.fill("identificador", "PEDIDO9").await;
    sends(browser, "Criar cobrança", "Em aberto").await;
    browser.find("svg.qr").await;
}

/// A nickname, and the end of an account that is empty.
async fn calls_and_closes(browser: &Browser, home: &str) {
    browser.open(home).await;
    // The second account, which has what it was opened with.
    let script = "return [...document.querySelectorAll('ul.accounts li')]\
        .find((line) => line.textContent.includes('60,00')).querySelector('a').getAttribute('href')";
    let second = browser.evaluate(script).await.as_str().unwrap().to_owned();
    follow(browser, &second).await;
    browser.press("Ajustes").await;
    browser.sees("Encerrar a conta").await;
    looks_right(browser).await;
    browser.fill("apelido", "Reserva").await;
    sends(browser, "Guardar", "Apelido guardado").await;
    browser.fill("senha", PASSWORD).await;
    browser.press("Encerrar").await;
    browser.find(".notice.bad").await;
    looks_right(browser).await;
    browser.press("Pacote").await;
    browser.tick("tipo", "S").await;
    browser.choose("conta", second.trim_start_matches("/contas/")).await;
    browser.fill("valor", "60").await;
    browser.press("Acrescentar").await;
    browser.sees("Confirmar 1").await;
    browser.fill("senha", PASSWORD).await;
    browser.press("Confirmar 1").await;
    browser.sees("Pacote executado").await;
    browser.open(home).await;
    browser.sees("Reserva").await;
    looks_right(browser).await;
    follow(browser, &second).await;
    browser.press("Ajustes").await;
    browser.fill("senha", PASSWORD).await;
    sends(browser, "Encerrar", "Conta encerrada").await;
    browser.open(home).await;
    browser.sees("Contas encerradas").await;
    looks_right(browser).await;
}

async fn ends_sessions(browser: &Browser, home: &str) {
    browser.press("Segurança").await;
    browser.sees("Últimas entradas neste banco").await;
    browser.fill("senha", PASSWORD).await;
    browser.fill("nova", "uma senha nova").await;
    browser.fill("nova2", "outra senha nova").await;
    sends(browser, "Trocar a senha", "não são iguais").await;
    browser.fill("senha", PASSWORD).await;
    browser.fill("nova", "uma senha nova").await;
    browser.fill("nova2", "uma senha nova").await;
    // This session goes on, all others have ended.
    sends(browser, "Trocar a senha", "Senha trocada").await;
    browser.open(home).await;
    browser.press("Segurança").await;
    browser.press("Encerrar todas").await;
    browser.find("main input[name='usuario']:not([type='hidden'])").await;
    looks_right(browser).await;
}

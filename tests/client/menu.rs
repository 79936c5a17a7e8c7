//! The menu, as a person at a terminal sees it.

use crate::cluster::Cluster;
use crate::program::{Machine, PASSWORD};
use crate::stand_in::{Fault, StandIn};
use crate::terminal::{ENTER, ESCAPE, Terminal};

const MENU: &str = "O que deseja fazer?";
const UNKNOWN: &str = "O que fazer agora?";
const BASKET: &str = "O que fazer com o pacote?";

/// Registers at the first bank, which also logs the person in.
fn register(terminal: &mut Terminal) {
    terminal.expect("atende");
    terminal.answer("Qual banco?", "");
    terminal.expect("Banco em uso: Banco 0");
    terminal.answer(MENU, "Cadastrar");
    terminal.answer("Pessoa:", "");
    terminal.answer("Nome completo:", "Ana Souza");
    terminal.answer("CPF:", "123");
    terminal.look_again().expect("CPF deve ter a forma 000.000.000-00");
    terminal.press(&"\x7f".repeat(3));
    terminal.press("12345678901");
    terminal.press(ENTER);
    terminal.expect("Os dígitos verificadores do CPF 123.456.789-01 não conferem.");
    terminal.answer("O número é esse mesmo?", "");
    terminal.answer("CPF:", "123 456 789 01");
    terminal.answer("O número é esse mesmo?", "s");
    terminal.answer("Nome de usuário:", "ana");
    terminal.answer("Nova senha:", PASSWORD);
    terminal.answer("Repita a senha:", PASSWORD);
    // The second question has given way to the answer.
    terminal.look_again().expect("Cliente ana criado com sucesso");
    terminal.expect("Bem-vindo(a), Ana Souza");
}

/// Opens an account; returns its Pix key as the screen shows it.
fn open(terminal: &mut Terminal, bank: &str, value: &str) -> String {
    terminal.answer(MENU, "Abrir");
    terminal.answer("Qual banco?", bank);
    terminal.answer("Tipo de conta:", "");
    terminal.answer("Chave Pix:", "Número");
    terminal.answer("Valor inicial", value);
    let row = terminal.expect("a chave Pix dela é");
    row.trim_end().trim_end_matches('.').rsplit(' ').next().unwrap().to_owned()
}

fn add_deposit(terminal: &mut Terminal, account: &str, value: &str) {
    terminal.answer(BASKET, "depósito");
    terminal.answer("De qual conta?", account);
    terminal.answer("Valor:", value);
}

#[actix_rt::test]
async fn a_person_registers_opens_accounts_sends_a_package_and_reads_the_statement() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    let mut terminal = Terminal::start(&machine, &[], &[]);
    register(&mut terminal);
    open(&mut terminal, "Banco 0", "1.234,56");
    let key = open(&mut terminal, "Banco 2", "50");
    assert!(key.starts_with("2:"), "{key}");

    terminal.answer(MENU, "pacote");
    terminal.expect("O pacote está vazio");
    add_deposit(&mut terminal, "Banco 2", "12.x0");
    terminal.look_again().expect("escreva o valor como 1.234,56");
    terminal.press(&"\x7f".repeat(5));
    terminal.press("12,50");
    terminal.press(ENTER);
    terminal.expect("R$ 62,50");
    terminal.answer(BASKET, "Pix");
    terminal.answer("De qual conta?", "Banco 0");
    terminal.answer("Chave Pix de quem recebe:", "0:ninguem");
    terminal.expect("Chave Pix não encontrada");
    terminal.answer(BASKET, "Pix");
    terminal.answer("De qual conta?", "Banco 0");
    // The number alone is enough: the bank finds out whose it is, and where.
    terminal.answer("Chave Pix de quem recebe:", key.trim_start_matches("2:"));
    terminal.expect("Quem recebe: Ana Souza, CPF ***.456.789-**, Banco 2");
    terminal.answer("Pagar a Ana Souza?", "s");
    terminal.answer("Valor:", "1.000,00");
    terminal.answer("Mensagem a quem recebe", "almoço");
    // Deposit first, as added; each row with the balance at its turn.
    terminal.expect("R$ 62,50");
    let transfer = terminal.expect("Pix enviado");
    assert!(transfer.contains("-R$ 1.000,00") && transfer.contains("R$ 234,56"), "{transfer}");

    terminal.answer(BASKET, "saque");
    terminal.answer("De qual conta?", "Banco 0");
    terminal.answer("Valor:", "1.000,00");
    terminal.expect("-R$ 765,44");
    terminal.expect("Atenção: falta saldo");
    terminal.answer(BASKET, "Enviar");
    terminal.answer("Enviar o pacote com 3 operações?", "s");
    terminal.expect("insuficiente (234.56) no banco 0");
    terminal.expect("Nada do pacote foi executado.");
    terminal.answer(BASKET, "Retirar");
    terminal.answer("Qual operação sai do pacote?", "Saque");
    terminal.answer(BASKET, "Enviar");
    terminal.answer("Enviar o pacote com 2 operações?", "s");
    terminal.expect("Pacote de operações executado com sucesso (posição");
    terminal.expect("R$ 234,56");
    terminal.expect("R$ 1.062,50");
    let total = terminal.expect("Total");
    assert!(total.contains("R$ 1.297,06"), "{total}");

    terminal.answer(MENU, "Extrato");
    terminal.answer("De qual conta?", "Banco 2");
    terminal.expect("Saldo atual: R$ 1.062,50");
    for kind in ["Abertura", "Depósito", "Pix recebido"] {
        terminal.expect(kind);
    }
    leave_and_come_back(&mut terminal);
    assert!(
        !terminal.raw().contains(PASSWORD),
        "the password is never shown:\n{}",
        terminal.contents()
    );
    assert!(terminal.raw().contains("\x1b[32m"), "a terminal gets colours");
    cluster.assert_same_everywhere().await;
}

/// Logs out, mistypes the password, logs in and quits.
fn leave_and_come_back(terminal: &mut Terminal) {
    terminal.answer(MENU, "Encerrar");
    terminal.expect("Sessão encerrada.");
    terminal.answer(MENU, "Entrar");
    terminal.answer("Nome de usuário:", "ana");
    terminal.answer("Senha:", "wrong horse");
    terminal.expect("Nome de usuário ou senha incorretos");
    terminal.answer(MENU, "Entrar");
    terminal.expect("Nome de usuário:");
    terminal.press(ESCAPE);
    terminal.answer(MENU, "Entrar");
    terminal.answer("Nome de usuário:", "ana");
    terminal.answer("Senha:", PASSWORD);
    terminal.expect("Bem-vindo(a), Ana Souza");
    let arguments = std::fs::read(format!("/proc/{}/cmdline", terminal.process_id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(PASSWORD));
    terminal.answer(MENU, "Sair");
    terminal.expect("Até logo!");
    assert_eq!(terminal.end(), 0);
}

#[actix_rt::test]
async fn when_the_bank_in_use_dies_the_package_goes_to_another_and_the_person_is_told() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(1);
    let environment = [("NO_COLOR", "1"), ("NETBANKING_USER", "ana")];
    let mut terminal = Terminal::start(&machine, &["--outcome-wait", "60"], &environment);
    terminal.answer("Qual banco?", "Banco 0");
    terminal.answer(MENU, "Entrar");
    terminal.answer("Senha:", PASSWORD);
    terminal.answer(MENU, "pacote");
    add_deposit(&mut terminal, "Banco 1", "25");
    terminal.answer(BASKET, "Enviar");
    terminal.expect("Enviar o pacote com 1 operação?");
    cluster.kill(0);
    terminal.press("s");
    terminal.press(ENTER);
    let told = terminal.expect("Banco 0");
    assert!(
        told.contains("não atendeu") && told.contains("com a mesma chave de idempotência"),
        "{told}"
    );
    terminal.expect("Agora quem atende é Banco 1");
    terminal.expect("Pacote de operações executado com sucesso");
    terminal.expect("R$ 125,00");
    terminal.expect(MENU);
    terminal.press("\x03");
    assert_eq!(terminal.end(), 130, "Ctrl-C ends it");
    let coloured = (30..38).any(|colour| terminal.raw().contains(&format!("\x1b[{colour}m")));
    assert!(
        !coloured && !terminal.raw().contains("\x1b[38"),
        "NO_COLOR is honoured:\n{:?}",
        terminal.raw()
    );
    assert_eq!(machine.balance(account), "125.0");
}

#[actix_rt::test]
async fn a_person_who_does_not_wait_is_told_the_outcome_is_unknown_and_can_ask_again() {
    let cluster = Cluster::start(1, "sessions").await;
    let mut machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    machine.open(0);
    let hanging = StandIn::before(&cluster.url(0, ""), Fault::Hangs);
    machine.set_banks(vec![hanging.url.clone()]);
    let mut terminal = Terminal::start(&machine, &[], &[("NETBANKING_PASSWORD", PASSWORD)]);
    terminal.answer(MENU, "Entrar");
    terminal.answer("Nome de usuário:", "ana");
    terminal.answer(MENU, "pacote");
    add_deposit(&mut terminal, "Banco 0", "25");
    terminal.answer(BASKET, "Enviar");
    terminal.answer("Enviar o pacote com 1 operação?", "s");
    let told = [(); 3].map(|()| {
        hanging.wait_for_one();
        terminal.press("\x03");
        let unknown = terminal.expect("Resultado desconhecido");
        terminal.expect(UNKNOWN);
        terminal.press("Perguntar");
        terminal.press(ENTER);
        unknown.split_once("--key ").unwrap().1.trim_end().to_owned()
    });
    assert!(told.iter().all(|key| *key == told[0]), "it is asked for with the same key: {told:?}");
    give_up(&mut terminal, &hanging);

    terminal.answer(MENU, "Abrir");
    terminal.answer("Qual banco?", "");
    terminal.answer("Tipo de conta:", "");
    terminal.answer("Chave Pix:", "Aleat");
    terminal.answer("Valor inicial", "50");
    give_up(&mut terminal, &hanging);
    terminal.answer(MENU, "Sair");
    assert_eq!(terminal.end(), 0);
}

fn give_up(terminal: &mut Terminal, hanging: &StandIn) {
    hanging.wait_for_one();
    terminal.press("\x03");
    terminal.expect("Resultado desconhecido");
    terminal.answer(UNKNOWN, "Desistir");
}

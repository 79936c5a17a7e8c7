//! What never broke at a bank's port, and must not: requests that two programs read differently,
//! senders that are slow on purpose, texts that end a line, and the time that a login takes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Customer, Http};

/// What a bank answers to the request that is hidden in another.
const HIDDEN: &str = "Rota n\u{e3}o encontrada";
/// More than one connection's buffers and a body can have, in bytes.
const POURED_MAX: usize = 64 * 1_024 * 1_024;
/// After how long without a word a bank has nothing more to say.
const QUIET: Duration = Duration::from_secs(3);
/// How long the bank waits for a head or a body, and what a busy machine may take in addition.
const SLOW_MAX: Duration = Duration::from_secs(40);

fn connect(cluster: &Cluster) -> TcpStream {
    let stream =
        TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], cluster.ports(0).0))).unwrap();
    stream.set_read_timeout(Some(SLOW_MAX)).unwrap();
    stream
}

/// All that a bank says to this until it closes the connection or has nothing more to say.
fn answers(cluster: &Cluster, said: &[u8]) -> String {
    let mut stream = connect(cluster);
    stream.set_read_timeout(Some(QUIET)).unwrap();
    stream.write_all(said).unwrap();
    let mut answers = Vec::new();
    // What was not read when the connection closed resets it.
    let _ = stream.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

#[actix_rt::test]
async fn no_request_is_hidden_in_another() {
    let cluster = Cluster::start(1, "sessions").await;
    let hidden = "GET /hidden HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n\r\n";
    // Seen as it is, the hidden one is answered.
    let plain = format!("GET /check HTTP/1.1\r\nhost: bank\r\n\r\n{hidden}");
    assert!(answers(&cluster, plain.as_bytes()).contains(HIDDEN));
    let length = hidden.len();
    for (headers, body) in [
        // Two lengths: a program before the bank may go by the other.
        (
            format!("content-length: {length}\r\ntransfer-encoding: chunked"),
            format!("0\r\n\r\n{hidden}"),
        ),
        (
            format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
            format!("0\r\n\r\n{hidden}"),
        ),
        (format!("content-length: 0\r\ncontent-length: {length}"), hidden.to_owned()),
        (format!("content-length: {length}\r\ncontent-length: 0"), hidden.to_owned()),
        (format!("content-length: 0, {length}"), hidden.to_owned()),
        // Lengths that programs read differently.
        ("content-length: +0".into(), hidden.to_owned()),
        ("content-length: -0".into(), hidden.to_owned()),
        ("content-length: 0x0".into(), hidden.to_owned()),
        ("content-length: 18446744073709551616".into(), hidden.to_owned()),
        (format!("content-length : 0\r\ncontent-length: {length}"), hidden.to_owned()),
        (format!("content-length:\r\n {length}\r\ncontent-length: 0"), hidden.to_owned()),
        // Codings that only some know.
        ("transfer-encoding: xchunked\r\ncontent-length: 0".into(), hidden.to_owned()),
        ("transfer-encoding: chunked, identity".into(), format!("0\r\n\r\n{hidden}")),
        ("transfer-encoding: identity, chunked".into(), format!("0\r\n\r\n{hidden}")),
        ("transfer-encoding: \u{b}chunked".into(), format!("0\r\n\r\n{hidden}")),
        // Pieces whose length is none.
        ("transfer-encoding: chunked".into(), format!("-1\r\n{hidden}")),
        ("transfer-encoding: chunked".into(), format!("fffffffffffffffff\r\n{hidden}")),
        ("transfer-encoding: chunked".into(), format!("1\r\nxx{hidden}")),
    ] {
        let said = format!("POST /login HTTP/1.1\r\nhost: bank\r\n{headers}\r\n\r\n{body}");
        let answered = answers(&cluster, said.as_bytes());
        assert!(!answered.contains(HIDDEN), "{headers:?} with {body:?}: {answered}");
    }
    assert!(answers(&cluster, plain.as_bytes()).contains(HIDDEN), "the bank goes on");
}

#[actix_rt::test]
async fn senders_that_are_slow_on_purpose_are_sent_away_and_hold_up_nobody() {
    let cluster = Cluster::start(1, "sessions").await;
    let mut customer = Customer::register(&cluster, "karen123", 5).await;
    let unfinished = [
        &b"GET /check HTTP/1.1\r\nhost: bank\r\nx: "[..],
        b"POST /login HTTP/1.1\r\nhost: bank\r\ncontent-length: 100\r\n\r\n{",
        b"POST /login HTTP/1.1\r\nhost: bank\r\ntransfer-encoding: chunked\r\n\r\n400\r\n{",
    ];
    let slow: Vec<_> = unfinished
        .into_iter()
        .map(|said| {
            let mut stream = connect(&cluster);
            std::thread::spawn(move || {
                stream.write_all(said).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                let (began, mut answer) = (Instant::now(), Vec::new());
                // A byte now and then does not make it quick.
                while began.elapsed() < SLOW_MAX {
                    if stream.write_all(b" ").is_err() {
                        break;
                    }
                    let mut some = [0; 1_024];
                    match stream.read(&mut some) {
                        Ok(0) => break,
                        Ok(bytes) => answer.extend_from_slice(&some[..bytes]),
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => break,
                    }
                }
                assert!(began.elapsed() < SLOW_MAX, "it still listens to {said:?}");
                let answer = String::from_utf8_lossy(&answer).into_owned();
                assert!(answer.starts_with("HTTP/1.1 408 "), "{said:?}: {answer:?}");
            })
        })
        .collect();
    customer.log_in(&cluster).await;
    slow.into_iter().for_each(|slow| slow.join().unwrap());
}

#[actix_rt::test]
async fn no_text_begins_a_header_or_a_line_of_the_log() {
    let cluster = Cluster::start(1, "sessions").await;
    let http = Http::new();
    let text =
        "ana\r\nset-cookie: own=1\r\n\n2026-01-01T00:00:00.000Z WARN bank 0: FORGED\u{85}FORGED";
    let body = json!({"user_name": text, "password": text});
    http.post(&cluster.url(0, "/login"), &body).await;
    let registration = json!({"name": text, "num_cadastro": text, "type_person": "PF",
        "user_name": text, "password": "12345678"});
    http.post(&cluster.url(0, "/register-customer"), &registration).await;
    let encoded = "%0d%0aset-cookie:%20own=1%0d%0a%0d%0a%0aWARN%20FORGED";
    for path in ["/entrar?destino=", "/contas/", "/pacote/", "/get_account/", "/pix/", "/FORGED"] {
        let said = format!(
            "GET {path}{encoded} HTTP/1.1\r\nhost: bank\r\nuser-agent: {encoded}\r\nconnection: close\r\n\r\n"
        );
        let answered = answers(&cluster, said.as_bytes());
        let (head, _) = answered.split_once("\r\n\r\n").unwrap();
        assert!(
            !head.contains("own=1\r")
                && !head.lines().any(|line| line.starts_with("set-cookie: own")),
            "{path}: {head}"
        );
    }
    let form = format!("usuario={encoded}&senha={encoded}&destino=/{encoded}");
    let said = format!(
        "POST /entrar HTTP/1.1\r\nhost: bank\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    );
    let answered = answers(&cluster, said.as_bytes());
    assert!(!answered.contains("\r\nset-cookie: own"), "{answered}");
    let log = cluster.log(0);
    assert!(
        !log.lines().any(|line| line.starts_with("FORGED") || line.contains("WARN bank 0: FORGED")),
        "{log}"
    );
}

#[actix_rt::test]
async fn a_login_takes_as_long_for_a_name_that_nobody_has() {
    let cluster = Cluster::start(1, "sessions").await;
    let customer = Customer::register(&cluster, "karen123", 5).await;
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (name, taken) in ["karen123", "nobody99"].into_iter().zip(&mut taken) {
            let body = json!({"user_name": name, "password": "a wrong one"});
            let asked = Instant::now();
            let answer = customer.http.post(&cluster.url(0, "/login"), &body).await;
            taken.push(asked.elapsed());
            assert_eq!(answer.descript(), "Nome de usu\u{e1}rio ou senha incorretos");
        }
    }
    let [known, unknown] = taken.map(|mut taken| {
        taken.sort();
        taken[taken.len() / 2]
    });
    // Without hashing it would take a twentieth.
    assert!(unknown > known / 2 && known > unknown / 2, "{known:?} and {unknown:?}");
}

#[actix_rt::test]
async fn nobody_pours_into_a_bank_what_it_does_not_want_to_read() {
    let cluster = Cluster::start(1, "sessions").await;
    for begun in [
        &b"POST /login HTTP/1.1\r\nhost: bank\r\ncontent-length: 1000000000000\r\n\r\n"[..],
        b"POST /login HTTP/1.1\r\nhost: bank\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n",
        b"GET /check HTTP/1.1\r\nhost: bank\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n",
    ] {
        let mut stream = connect(&cluster);
        stream.set_write_timeout(Some(SLOW_MAX)).unwrap();
        stream.write_all(begun).unwrap();
        let mut poured = 0;
        while poured < POURED_MAX && stream.write_all(&[b' '; 64 * 1_024]).is_ok() {
            poured += 64 * 1_024;
        }
        let begun = begun.escape_ascii();
        assert!(poured < POURED_MAX, "{begun}: it has taken {poured} bytes and takes more");
    }
}

//! A bank that fails in one precise way: it passes everything on to a real bank except for packages
//! and new accounts, of which it makes what the test wants.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long a package may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The requests that it does not simply pass on.
const FAULTY: [&[u8]; 2] = [b"POST /operations ", b"POST /create_account "];

/// What becomes of a package, or of a new account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The bank executes it, and the connection ends before the answer.
    AnswerLost,
    /// The bank executes it, and half of the answer comes.
    AnswerCut,
    /// The request never reaches the bank, and no answer comes.
    Hangs,
    /// The request never reaches the bank; this status comes back.
    Status(u16),
}

pub(crate) struct StandIn {
    pub(crate) url: String,
    packages: Arc<AtomicUsize>,
    arrivals: Receiver<()>,
}

impl StandIn {
    /// Stands in front of the bank at `host:port` until the test's process ends.
    pub(crate) fn before(bank: &str, fault: Fault) -> StandIn {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let packages = Arc::new(AtomicUsize::new(0));
        let (arrive, arrivals) = channel();
        let (bank, seen) = (bank.trim_start_matches("http://").to_owned(), Arc::clone(&packages));
        thread::spawn(move || {
            for customer in listener.incoming() {
                let (bank, seen, arrive) = (bank.clone(), Arc::clone(&seen), arrive.clone());
                thread::spawn(move || attend(customer.unwrap(), &bank, fault, &seen, &arrive));
            }
        });
        StandIn { url, packages, arrivals }
    }

    /// Waits for the next package.
    pub(crate) fn wait_for_one(&self) {
        self.arrivals.recv_timeout(PATIENCE).expect("a package or a new account comes");
    }

    /// How many packages came.
    pub(crate) fn packages(&self) -> usize {
        self.packages.load(Ordering::SeqCst)
    }
}

fn attend(
    mut customer: TcpStream,
    bank: &str,
    fault: Fault,
    packages: &AtomicUsize,
    arrive: &Sender<()>,
) {
    let request = read_request(&mut customer);
    if !FAULTY.iter().any(|route| request.starts_with(route)) {
        let _ = customer.write_all(&ask(bank, &request));
        return;
    }
    packages.fetch_add(1, Ordering::SeqCst);
    // Most tests only count, and nobody receives this.
    let _ = arrive.send(());
    match fault {
        Fault::AnswerLost => drop(ask(bank, &request)),
        Fault::AnswerCut => {
            let answer = ask(bank, &request);
            let _ = customer.write_all(&answer[..answer.len() - 5]);
        }
        Fault::Hangs => {
            // Waits until the customer has had enough.
            let _ = customer.read(&mut [0; 1]);
        }
        Fault::Status(status) => {
            let body = r#"{"descript": "O banco de mentira não quer"}"#;
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = customer.write_all(answer.as_bytes());
        }
    }
}

/// The whole answer; the customer has asked for the connection to be closed after it.
fn ask(bank: &str, request: &[u8]) -> Vec<u8> {
    let mut connection = TcpStream::connect(bank).unwrap();
    connection.write_all(request).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    answer
}

fn read_request(customer: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        if let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if request.len() >= head + 4 + length.unwrap_or(0) {
                return request;
            }
        }
        match customer.read(&mut chunk).unwrap() {
            0 => return request,
            read => request.extend_from_slice(&chunk[..read]),
        }
    }
}

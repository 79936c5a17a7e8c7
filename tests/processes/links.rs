//! The network between the banks: a TCP proxy before every port, which delivers, delays, slows
//! down, holds back or closes.
//!
//! All banks read the same `nodes.json`, so all call the same proxy; it recognises the caller by
//! the beginning of the call (the header of a peer request, the first line of a heartbeat). What is
//! held back is delivered when the cut ends, as with TCP: banks hear late what was said before and
//! during it. The proxies live on a thread of their own.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netbanking::wire::BANK_HEADER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The most bytes from the beginning of a call within which the caller must be named.
const BEGINNING_BYTES_MAX: usize = 64 * 1024;
/// The most that is carried at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many chunks may be on their way in one direction of one connection.
const CHUNKS_UNDER_WAY: usize = 64;
/// How many turns a second a narrow line gives: its connections share it in pieces of that length.
const TURNS_PER_SECOND: u32 = 50;

/// What becomes of bytes from one bank to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    /// Each chunk takes this long, one after the other.
    Slow(Duration),
    /// Everything arrives this much later: distance, which costs no throughput.
    Far(Duration),
    /// All connections from one to the other share this many bytes a second.
    Narrow(u32),
    /// Nothing arrives until the cut ends.
    Held,
    /// Connections between the two, whoever made them, end at once.
    Closed,
}

/// By row, the bank that speaks; by column, the bank that hears; in each cell, what becomes of what
/// is said in a call to either port, and of what is answered there.
type Passages = Vec<Vec<[Passage; WAYS]>>;

/// What is said and what is answered at two ports.
const WAYS: usize = 4;

/// One direction between two banks.
#[derive(Clone, Copy)]
struct Line {
    /// When it is next free, if it is narrow.
    free_at: Instant,
    /// Bytes that have arrived.
    carried: u64,
}

type Lines = Arc<Mutex<Vec<Vec<Line>>>>;

pub(crate) struct Links {
    passages: watch::Sender<Passages>,
    lines: Lines,
}

/// The port that is called; its number is the index, in [`Passages`], of what is said there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    Http = 0,
    Heartbeat = 2,
}

/// A proxy: the address that `nodes.json` names, and where the bank listens.
struct Front {
    bank: usize,
    port: Port,
    at: String,
    leads_to: String,
}

/// Where a bank that is behind proxies listens; the proxies themselves have 127.0.0.1.
pub(crate) fn own_address(bank: usize) -> String {
    format!("127.0.1.{}", bank + 1)
}

/// The proxies of a bank.
fn fronts_of((bank, (port, heartbeat_port)): (usize, &(u16, u16))) -> [Front; 2] {
    [(Port::Http, *port), (Port::Heartbeat, *heartbeat_port)].map(|(kind, port)| Front {
        bank,
        port: kind,
        at: format!("127.0.0.1:{port}"),
        leads_to: format!("{}:{port}", own_address(bank)),
    })
}

impl Links {
    /// Proxies before the port and the heartbeat port of each bank, all open.
    pub(crate) fn start(ports: &[(u16, u16)]) -> Links {
        let (banks, fronts) = (ports.len(), ports.iter().enumerate().flat_map(fronts_of));
        let (passages, seen) = watch::channel(vec![vec![[Passage::Open; WAYS]; banks]; banks]);
        let line = Line { free_at: Instant::now(), carried: 0 };
        let lines = Arc::new(Mutex::new(vec![vec![line; banks]; banks]));
        let lines_of_proxies = lines.clone();
        let bind = |front: Front| (std::net::TcpListener::bind(&front.at).unwrap(), front);
        let listeners: Vec<_> = fronts.map(bind).collect();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for (listener, front) in listeners {
                    listener.set_nonblocking(true).unwrap();
                    let listener = TcpListener::from_std(listener).unwrap();
                    tokio::spawn(receive(listener, front, seen.clone(), lines_of_proxies.clone()));
                }
                // The proxies end when the sender of the passages is dropped.
                let mut seen = seen;
                while seen.changed().await.is_ok() {}
            });
        });
        Links { passages, lines }
    }

    /// How many bytes have come from one bank to another so far.
    pub(crate) fn carried(&self, from: usize, to: usize) -> u64 {
        self.lines.lock().unwrap()[from][to].carried
    }

    pub(crate) fn set(&self, from: usize, to: usize, passage: Passage) {
        self.passages.send_modify(|passages| passages[from][to] = [passage; WAYS]);
    }

    /// Sets the passage only for calls of one bank to one port of another: for what is said in
    /// them, and for what is answered.
    pub(crate) fn set_calls(&self, caller: usize, called: usize, port: Port, passage: Passage) {
        self.passages.send_modify(|passages| {
            passages[caller][called][port as usize] = passage;
            passages[called][caller][port as usize + 1] = passage;
        });
    }

    pub(crate) fn set_both(&self, one: usize, other: usize, passage: Passage) {
        self.set(one, other, passage);
        self.set(other, one, passage);
    }

    pub(crate) fn open_all(&self) {
        let open = |passages: &mut Passages| {
            passages.iter_mut().flatten().for_each(|ways| *ways = [Passage::Open; WAYS])
        };
        self.passages.send_modify(open);
    }

    pub(crate) fn both_open(&self, one: usize, other: usize) -> bool {
        let passages = self.passages.borrow();
        (passages[one][other], passages[other][one])
            == ([Passage::Open; WAYS], [Passage::Open; WAYS])
    }

    pub(crate) fn any_slow(&self) -> bool {
        let slow = |passage: &Passage| {
            matches!(passage, Passage::Slow(_) | Passage::Far(_) | Passage::Narrow(_))
        };
        self.passages.borrow().iter().flatten().flatten().any(slow)
    }
}

async fn receive(
    listener: TcpListener,
    front: Front,
    passages: watch::Receiver<Passages>,
    lines: Lines,
) {
    let front = Arc::new(front);
    loop {
        let Ok((caller, _)) = listener.accept().await else { continue };
        let (front, passages, lines) = (front.clone(), passages.clone(), lines.clone());
        // However a connection ends, the banks open a new one.
        tokio::spawn(async move {
            let _ = carry(caller, &front, passages, lines).await;
        });
    }
}

async fn carry(
    mut caller: TcpStream,
    front: &Front,
    passages: watch::Receiver<Passages>,
    lines: Lines,
) -> io::Result<()> {
    let mut beginning = Vec::new();
    let from = loop {
        if caller.read_buf(&mut beginning).await? == 0 || beginning.len() > BEGINNING_BYTES_MAX {
            return Ok(());
        }
        if let Some(from) = front.port.caller(&beginning) {
            break from;
        }
    };
    let kind = front.port as usize;
    let there =
        Way { from, to: front.bank, kind, passages: passages.clone(), lines: lines.clone() };
    let back = Way { from: front.bank, to: from, kind: kind + 1, passages, lines };
    there.clone().passable(Instant::now(), 0).await?;
    let callee = TcpStream::connect(&front.leads_to).await?;
    caller.set_nodelay(true)?;
    callee.set_nodelay(true)?;
    let (callers_words, callers_ear) = caller.into_split();
    let (callees_words, callees_ear) = callee.into_split();
    let closed = (there.clone().closed(), back.clone().closed());
    tokio::select! {
        ended = async { tokio::try_join!(
            there.clone().pump(beginning, callers_words, callees_ear, back.clone()),
            back.clone().pump(Vec::new(), callees_words, callers_ear, there),
        ) } => ended.map(|_| ()),
        () = closed.0 => Ok(()),
        () = closed.1 => Ok(()),
    }
}

impl Port {
    /// The bank that calls, once the beginning of the call names it.
    fn caller(self, beginning: &[u8]) -> Option<usize> {
        let text = String::from_utf8_lossy(beginning).to_ascii_lowercase();
        match self {
            Port::Http => {
                let (_, rest) = text.split_once(&format!("\r\n{BANK_HEADER}:"))?;
                rest.split_once("\r\n")?.0.trim().parse().ok()
            }
            Port::Heartbeat => {
                let hello: serde_json::Value =
                    serde_json::from_str(text.split_once('\n')?.0).ok()?;
                hello["bank"].as_u64()?.try_into().ok()
            }
        }
    }
}

/// One direction between two banks.
#[derive(Clone)]
struct Way {
    from: usize,
    to: usize,
    /// Which of the [`WAYS`].
    kind: usize,
    passages: watch::Receiver<Passages>,
    lines: Lines,
}

impl Way {
    fn passage(&mut self) -> Passage {
        self.passages.borrow_and_update()[self.from][self.to][self.kind]
    }

    async fn changed(&mut self) -> io::Result<()> {
        self.passages.changed().await.map_err(io::Error::other)
    }

    /// Waits until this many bytes that were said at that moment have got through; an error if the
    /// way is closed.
    async fn passable(mut self, said: Instant, bytes: usize) -> io::Result<()> {
        loop {
            match self.passage() {
                Passage::Open => return Ok(()),
                Passage::Closed => return Err(io::ErrorKind::ConnectionReset.into()),
                Passage::Slow(delay) => {
                    tokio::time::sleep(delay).await;
                    return Ok(());
                }
                Passage::Far(delay) => {
                    tokio::time::sleep_until(said + delay).await;
                    return Ok(());
                }
                Passage::Narrow(rate) => {
                    tokio::time::sleep_until(self.turn(bytes, rate)).await;
                    return Ok(());
                }
                Passage::Held => self.changed().await?,
            }
        }
    }

    /// When this many bytes, whose turn begins as soon as the line is free, will have passed.
    fn turn(&self, bytes: usize, rate: u32) -> Instant {
        let free_at = &mut self.lines.lock().unwrap()[self.from][self.to].free_at;
        *free_at =
            Instant::now().max(*free_at) + Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        *free_at
    }

    /// The most bytes that may be passed on at once.
    fn piece(&mut self) -> usize {
        match self.passage() {
            Passage::Narrow(rate) => (rate / TURNS_PER_SECOND).max(1) as usize,
            _ => CHUNK_BYTES,
        }
    }

    async fn closed(mut self) {
        self.passages.mark_changed();
        while self.changed().await.is_ok() {
            if self.passage() == Passage::Closed {
                return;
            }
        }
    }

    /// Carries one direction until its speaker is done; that the listener is gone is noticed only
    /// if the way back is open.
    async fn pump(
        self,
        beginning: Vec<u8>,
        words: tcp::OwnedReadHalf,
        ear: tcp::OwnedWriteHalf,
        back: Way,
    ) -> io::Result<()> {
        let (under_way, arriving) = mpsc::channel(CHUNKS_UNDER_WAY);
        tokio::try_join!(listen(beginning, words, under_way), self.deliver(arriving, ear, back))
            .map(|_| ())
    }

    async fn deliver(
        mut self,
        mut arriving: mpsc::Receiver<(Instant, Vec<u8>)>,
        mut ear: tcp::OwnedWriteHalf,
        back: Way,
    ) -> io::Result<()> {
        while let Some((said, chunk)) = arriving.recv().await {
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(self.piece()));
                self.clone().passable(said, piece.len()).await?;
                if let Err(gone) = ear.write_all(piece).await {
                    back.passable(Instant::now(), 0).await?;
                    return Err(gone);
                }
                self.lines.lock().unwrap()[self.from][self.to].carried += piece.len() as u64;
                rest = later;
            }
        }
        self.passable(Instant::now(), 0).await?;
        ear.shutdown().await
    }
}

/// Takes in what is said, with the time at which it was said.
async fn listen(
    beginning: Vec<u8>,
    mut words: tcp::OwnedReadHalf,
    under_way: mpsc::Sender<(Instant, Vec<u8>)>,
) -> io::Result<()> {
    let mut chunk = beginning;
    loop {
        if chunk.is_empty() {
            chunk.reserve(CHUNK_BYTES);
            if !matches!(words.read_buf(&mut chunk).await, Ok(1..)) {
                return Ok(());
            }
        }
        let said = (Instant::now(), std::mem::take(&mut chunk));
        if under_way.send(said).await.is_err() {
            return Ok(());
        }
    }
}

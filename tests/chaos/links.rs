//! The network between the banks: a TCP proxy before every port, which delivers, delays, holds back or closes.
//!
//! All banks read the same `nodes.json`, so all call the same proxy; it knows the caller by how the call begins (the
//! header of a peer request, the first line of a heartbeat). What is held back is delivered when the cut ends, as TCP
//! does: banks hear late what was said before and during it. Lives on a thread of its own.

use std::io;
use std::time::Duration;

use netbanking::wire::BANK_HEADER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;

/// Longest beginning of a call in which the caller must be named, in bytes.
const BEGINNING_BYTES_MAX: usize = 64 * 1024;
/// What is carried at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What becomes of bytes from one bank to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    /// Each chunk takes so long.
    Slow(Duration),
    /// Nothing arrives until the cut ends.
    Held,
    /// Connections between the two, whoever made them, end at once.
    Closed,
}

/// Rows: from; columns: to.
type Passages = Vec<Vec<Passage>>;

pub(crate) struct Links {
    passages: watch::Sender<Passages>,
}

#[derive(Clone, Copy)]
pub(crate) enum Port {
    Http,
    Heartbeat,
}

/// A proxy: the address that `nodes.json` names, and where the bank listens.
pub(crate) struct Front {
    pub(crate) bank: usize,
    pub(crate) port: Port,
    pub(crate) at: String,
    pub(crate) leads_to: String,
}

impl Links {
    /// All open.
    pub(crate) fn start(banks: usize, fronts: Vec<Front>) -> Links {
        let (passages, seen) = watch::channel(vec![vec![Passage::Open; banks]; banks]);
        let bind = |front: Front| (std::net::TcpListener::bind(&front.at).unwrap(), front);
        let listeners: Vec<_> = fronts.into_iter().map(bind).collect();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for (listener, front) in listeners {
                    listener.set_nonblocking(true).unwrap();
                    tokio::spawn(receive(TcpListener::from_std(listener).unwrap(), front, seen.clone()));
                }
                // The proxies end with whoever sets the passages.
                let mut seen = seen;
                while seen.changed().await.is_ok() {}
            });
        });
        Links { passages }
    }

    pub(crate) fn set(&self, from: usize, to: usize, passage: Passage) {
        self.passages.send_modify(|passages| passages[from][to] = passage);
    }

    pub(crate) fn set_both(&self, one: usize, other: usize, passage: Passage) {
        self.set(one, other, passage);
        self.set(other, one, passage);
    }

    pub(crate) fn open_all(&self) {
        self.passages
            .send_modify(|passages| passages.iter_mut().flatten().for_each(|passage| *passage = Passage::Open));
    }

    pub(crate) fn both_open(&self, one: usize, other: usize) -> bool {
        let passages = self.passages.borrow();
        (passages[one][other], passages[other][one]) == (Passage::Open, Passage::Open)
    }

    pub(crate) fn any_slow(&self) -> bool {
        self.passages.borrow().iter().flatten().any(|passage| matches!(passage, Passage::Slow(_)))
    }
}

async fn receive(listener: TcpListener, front: Front, passages: watch::Receiver<Passages>) {
    let front = std::sync::Arc::new(front);
    loop {
        let Ok((caller, _)) = listener.accept().await else { continue };
        let (front, passages) = (front.clone(), passages.clone());
        // However a connection ends, the banks make a new one.
        tokio::spawn(async move {
            let _ = carry(caller, &front, passages).await;
        });
    }
}

async fn carry(mut caller: TcpStream, front: &Front, passages: watch::Receiver<Passages>) -> io::Result<()> {
    let mut beginning = Vec::new();
    let from = loop {
        if caller.read_buf(&mut beginning).await? == 0 || beginning.len() > BEGINNING_BYTES_MAX {
            return Ok(());
        }
        if let Some(from) = front.port.caller(&beginning) {
            break from;
        }
    };
    let there = Way { from, to: front.bank, passages: passages.clone() };
    let back = Way { from: front.bank, to: from, passages };
    there.clone().passable().await?;
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
                let hello: serde_json::Value = serde_json::from_str(text.split_once('\n')?.0).ok()?;
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
    passages: watch::Receiver<Passages>,
}

impl Way {
    fn is(&self, passage: Passage) -> bool {
        self.passages.borrow()[self.from][self.to] == passage
    }

    async fn changed(&mut self) -> io::Result<()> {
        self.passages.changed().await.map_err(io::Error::other)
    }

    /// Waits as long as what is said now would take; an error where the way is closed.
    async fn passable(mut self) -> io::Result<()> {
        loop {
            let passage = self.passages.borrow_and_update()[self.from][self.to];
            match passage {
                Passage::Open => return Ok(()),
                Passage::Closed => return Err(io::ErrorKind::ConnectionReset.into()),
                Passage::Slow(delay) => {
                    tokio::time::sleep(delay).await;
                    return Ok(());
                }
                Passage::Held => self.changed().await?,
            }
        }
    }

    async fn closed(mut self) {
        self.passages.mark_changed();
        while self.changed().await.is_ok() {
            if self.is(Passage::Closed) {
                return;
            }
        }
    }

    /// Carries one direction until its speaker is done; that the listener is gone becomes known only where the way
    /// back is open.
    async fn pump(
        self,
        beginning: Vec<u8>,
        mut words: tcp::OwnedReadHalf,
        mut ear: tcp::OwnedWriteHalf,
        back: Way,
    ) -> io::Result<()> {
        let mut chunk = beginning;
        loop {
            if chunk.is_empty() {
                chunk.reserve(CHUNK_BYTES);
                let spoken = words.read_buf(&mut chunk).await;
                if !matches!(spoken, Ok(1..)) {
                    self.clone().passable().await?;
                    return ear.shutdown().await;
                }
            }
            self.clone().passable().await?;
            if let Err(gone) = ear.write_all(&chunk).await {
                back.passable().await?;
                return Err(gone);
            }
            chunk.clear();
        }
    }
}

//! The answering side: a caller that proves to be a peer with the same settings is told, at each
//! ping, how this node is.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};

use super::door::{Door, in_one_line};
use super::lines::{HELLO_BYTES_MAX, Hello, LINE_BYTES_MAX, Lines, Ping, Pong, Welcome, hear, say};
use super::{Introduction, RETRY_MS};
use crate::actors::heartbeat::OwnHealth;
use crate::actors::laboratory::{self, Laboratory};
use crate::actors::routes::Routes;
use crate::actors::time::{Monotonic, unix_ms};
use crate::actors::view::Report;
use crate::config::HeartbeatTimes;
use crate::ids::BankId;
use crate::protocol::report::PeerReport;
use crate::tls::{Proof, Transport};
use crate::wire::PROTOCOL_VERSION;

/// How long a caller may take to say who it is.
const HELLO_WAIT: Duration = Duration::from_secs(3);
/// A peer that has not asked for this many times the silence that means failure has another
/// connection, or is gone.
const SILENCE_FACTOR: u64 = 3;

/// What answering a peer takes.
#[derive(Clone)]
pub struct Answering {
    /// This node.
    pub introduction: Introduction,
    /// How many banks the consortium has.
    pub banks: usize,
    /// The intervals and bounds of heartbeats.
    pub times: HeartbeatTimes,
    /// The parts that know how this node is.
    pub routes: Routes,
    /// Measures the time.
    pub time: Monotonic,
    /// What people do to the links, in a laboratory.
    pub laboratory: Option<Laboratory>,
}

/// Answers the pings of all peers, for as long as the node lives.
pub async fn answer_pings(listener: TcpListener, answering: Answering) {
    let answering = Rc::new(answering);
    // All connections live on this thread.
    let door = Rc::new(RefCell::new(Door::default()));
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let (answering, door) = (Rc::clone(&answering), Rc::clone(&door));
                actix_rt::spawn(async move { answering.receive(stream, from, &door).await });
            }
            Err(error) => {
                let said = door.borrow_mut().refuse(None, &error.to_string(), answering.time.now());
                if let Some(repeated) = said {
                    log::warn!(
                        "bank {}: heartbeat port: {error}{repeated}",
                        answering.introduction.me
                    );
                }
                actix_rt::time::sleep(Duration::from_millis(RETRY_MS)).await;
            }
        }
    }
}

impl Answering {
    fn transport(&self) -> &Transport {
        &self.introduction.credentials.transport
    }

    async fn receive(&self, stream: TcpStream, from: SocketAddr, door: &RefCell<Door>) {
        let (number, must_end) = door.borrow_mut().enter(from.ip(), self.time.now());
        tokio::select! {
            biased;
            _ = must_end => {}
            // However a connection ends, the peer makes a new one.
            _ = self.converse(stream, from, number, door) => {}
        }
        door.borrow_mut().leave(number, self.time.now());
    }

    async fn converse(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        number: u64,
        door: &RefCell<Door>,
    ) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let welcomed = async {
            let (channel, proved) = match self.transport().answer(stream).await {
                Ok(opened) => opened,
                Err(error) => {
                    self.log_refusal(None, from, &format!("no certificate: {error}"), door);
                    return Err(error);
                }
            };
            let mut lines = BufReader::new(channel);
            let peer = self.welcome(&mut lines, proved, from, door).await?;
            Ok(peer.map(|peer| (lines, peer)))
        };
        let Ok(welcomed) = actix_rt::time::timeout(HELLO_WAIT, welcomed).await else {
            self.log_refusal(None, from, "it did not say in time who it is", door);
            return Ok(());
        };
        let Some((mut lines, peer)) = welcomed? else { return Ok(()) };
        door.borrow_mut().introduce(number, peer);
        tokio::select! {
            biased;
            () = laboratory::cut(&self.laboratory, peer) => Ok(()),
            ended = self.answer_each(&mut lines) => ended,
        }
    }

    /// Hears who it is and says whether it is welcome.
    async fn welcome(
        &self,
        lines: &mut Lines,
        proved: Option<BankId>,
        from: SocketAddr,
        door: &RefCell<Door>,
    ) -> std::io::Result<Option<BankId>> {
        let hello: Hello = match hear(lines, HELLO_BYTES_MAX).await {
            Ok(hello) => hello,
            Err(error) => {
                // A caller that only checks whether the port is open sends nothing.
                if error.kind() == std::io::ErrorKind::Other {
                    self.log_refusal(None, from, "its introduction cannot be understood", door);
                }
                return Err(error);
            }
        };
        match why_refused(&hello, proved, &self.introduction, self.banks) {
            Some((whom, why)) => {
                self.log_refusal(whom, from, &why, door);
                say(lines, &Welcome::Refused(why)).await.map(|()| None)
            }
            None => say(lines, &Welcome::Welcome(true)).await.map(|()| Some(hello.bank)),
        }
    }

    fn log_refusal(&self, whom: Option<BankId>, from: SocketAddr, why: &str, door: &RefCell<Door>) {
        let why = in_one_line(why);
        // Whoever names a bank that is not there is a stranger.
        let known = whom.filter(|bank| bank.index() < self.banks);
        let Some(repeated) = door.borrow_mut().refuse(known, &why, self.time.now()) else { return };
        let whom = whom.map_or_else(|| format!("from {from}"), |bank| format!("of bank {bank}"));
        log::warn!("bank {}: heartbeat {whom} refused: {why}{repeated}", self.introduction.me);
    }

    async fn answer_each(&self, lines: &mut Lines) -> std::io::Result<()> {
        let silence =
            Duration::from_millis(SILENCE_FACTOR.saturating_mul(self.times.failure_after_ms));
        let proof = Proof::shown_on(lines.get_ref());
        // Ends also when the other end no longer reads, or when this node itself does not answer.
        while let Ok(answered) = actix_rt::time::timeout(silence, self.answer(lines)).await {
            answered?;
            if proof.as_ref().is_some_and(|proof| !proof.holds(self.transport())) {
                break;
            }
        }
        Ok(())
    }

    async fn answer(&self, lines: &mut Lines) -> std::io::Result<()> {
        let Ping { ping } = hear(lines, LINE_BYTES_MAX).await?;
        let health = self.routes.heartbeat.send(OwnHealth).await.map_err(std::io::Error::other)?;
        let report = self.routes.view.send(Report).await.map_err(std::io::Error::other)?;
        let report = PeerReport { health, ..report };
        say(lines, &Pong { pong: ping, wall_ms: unix_ms(), report }).await
    }
}

/// Why a caller is not accepted as a peer, and which bank it is, if it has proved that.
fn why_refused(
    hello: &Hello,
    proved: Option<BankId>,
    introduction: &Introduction,
    banks: usize,
) -> Option<(Option<BankId>, String)> {
    if !bool::from(hello.secret.as_bytes().ct_eq(introduction.credentials.secret.as_bytes())) {
        return Some((None, "wrong secret".into()));
    }
    if let Some(proved) = proved.filter(|proved| *proved != hello.bank) {
        return Some((Some(proved), format!("it speaks for bank {}", hello.bank)));
    }
    let me = introduction.me;
    let why = if hello.protocol != PROTOCOL_VERSION {
        Some(format!(
            "protocol version {}, but this bank uses version {PROTOCOL_VERSION}",
            hello.protocol
        ))
    } else if let Some(difference) =
        introduction.settings.difference(me, &hello.settings, hello.bank)
    {
        Some(difference)
    } else if hello.bank.index() >= banks || hello.bank == me {
        Some(format!("bank {} is not a peer", hello.bank))
    } else {
        None
    };
    why.map(|why| (Some(hello.bank), why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Settings};
    use crate::tls::Credentials;

    fn settings(more: &str) -> Settings {
        Settings::of(
            &Config::parse(&format!(r#"{{"nodes":[{{"host":"a"}},{{"host":"b"}}]{more}}}"#))
                .unwrap(),
        )
    }

    fn refusal(change: impl FnOnce(&mut Hello)) -> Option<(Option<BankId>, String)> {
        refusal_of(None, change)
    }

    /// The same for a caller that has proved to be a bank.
    fn refusal_of(
        proved: Option<BankId>,
        change: impl FnOnce(&mut Hello),
    ) -> Option<(Option<BankId>, String)> {
        let credentials = Credentials { secret: "s".into(), transport: Transport::Open };
        let introduction = Introduction { me: BankId(0), credentials, settings: settings("") };
        let mut hello = Hello {
            bank: BankId(1),
            secret: "s".into(),
            protocol: PROTOCOL_VERSION,
            settings: settings(""),
        };
        change(&mut hello);
        why_refused(&hello, proved, &introduction, 2)
    }

    #[test]
    fn only_a_peer_with_our_secret_protocol_and_settings_is_welcome() {
        assert_eq!(refusal(|_| {}), None);
        let peer = |why: &str| Some((Some(BankId(1)), why.to_owned()));
        assert_eq!(refusal(|hello| hello.secret = "t".into()), Some((None, "wrong secret".into())));
        assert_eq!(
            refusal(|hello| hello.protocol = 1),
            peer(&format!("protocol version 1, but this bank uses version {PROTOCOL_VERSION}"))
        );
        assert_eq!(
            refusal(|hello| hello.settings = settings(r#","check_digits":true"#)),
            peer("check_digits differs: true at bank 1, false at bank 0")
        );
        for bank in [BankId(0), BankId(2), BankId(64)] {
            let why = format!("bank {bank} is not a peer");
            assert_eq!(refusal(|hello| hello.bank = bank), Some((Some(bank), why)));
        }
    }

    #[test]
    fn a_bank_that_has_proved_who_it_is_speaks_for_no_other() {
        assert_eq!(refusal_of(Some(BankId(1)), |_| {}), None);
        let why = Some((Some(BankId(2)), "it speaks for bank 1".to_owned()));
        assert_eq!(refusal_of(Some(BankId(2)), |_| {}), why);
    }
}

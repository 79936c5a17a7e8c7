//! Heartbeats as `actors/heartbeat.rs` exchanges them: over a connection that is kept open, one
//! ping after the other; when it is refused, closed or silent for too long the peer is lost, and a
//! new connection is tried.

use netbanking::ids::BankId;
use netbanking::protocol::confirmation::{ConfirmationInput, ReadNumber};
use netbanking::protocol::effect::HeartbeatInput;
use netbanking::protocol::report::{Answered, PeerReport};

use super::agenda::Timer;
use super::gray::Lasting;
use super::network::Message;
use super::world::World;

/// Pause before a new connection; as in the actor.
const RETRY_MS: u64 = 200;

/// What one process has with one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    /// The number of the last ping.
    number: u64,
    /// The last read that it proves.
    through: ReadNumber,
    /// Counts what has happened, so that a timer that was set earlier is void.
    turn: u64,
    /// When the last ping left.
    asked_us: u64,
    /// Whether the process is waiting for the answer.
    is_waiting: bool,
    /// Whether the peer has answered on this connection.
    is_open: bool,
}

impl World {
    fn conversation(&mut self, bank: BankId, peer: BankId) -> &mut Conversation {
        &mut self.machines[bank.index()].conversations[peer.index()]
    }

    pub(crate) fn ping(&mut self, bank: BankId, peer: BankId) {
        let life = self.life_of(bank).number;
        let now_us = self.now_us;
        let process = self.machines[bank.index()].process.as_ref().expect("only a process asks");
        let (through, hello) = (process.asked(), process.hello());
        let conversation = self.conversation(bank, peer);
        if conversation.is_waiting {
            return;
        }
        conversation.asked_us = now_us;
        conversation.number += 1;
        conversation.through = through;
        conversation.turn += 1;
        conversation.is_waiting = true;
        let number = conversation.number;
        let hello = (!conversation.is_open).then_some(hello);
        self.send(bank, peer, Message::Ping { hello, life, number });
        let patience_ms = self.scenario.patience.failure_after;
        self.timer_in(bank, patience_ms, Timer::PingOverdue(peer, number));
    }

    /// A new read is to be proved: a connection that is open and idle is used at once.
    pub(crate) fn ping_for_reads(&mut self, bank: BankId, peer: BankId) {
        let asked =
            self.machines[bank.index()].process.as_ref().map_or(0, |process| process.asked());
        let conversation = self.conversation(bank, peer);
        if conversation.is_open && !conversation.is_waiting && conversation.through < asked {
            self.ping(bank, peer);
        }
    }

    /// The pause between two pings is over, unless something else has happened since.
    pub(crate) fn ping_in_turn(&mut self, bank: BankId, peer: BankId, turn: u64) {
        if self.conversation(bank, peer).turn == turn {
            self.ping(bank, peer);
        }
    }

    pub(crate) fn pong(
        &mut self,
        bank: BankId,
        peer: BankId,
        number: u64,
        (report, wall_ms): (PeerReport, i64),
    ) {
        let now_us = self.now_us;
        let conversation = self.conversation(bank, peer);
        if !conversation.is_waiting || conversation.number != number {
            return;
        }
        conversation.is_waiting = false;
        conversation.is_open = true;
        let round_trip = (now_us - conversation.asked_us) / 1_000;
        let (through, turn) = (conversation.through, conversation.turn);
        self.word(
            bank,
            ConfirmationInput::Answered { bank: peer, through, active: report.active, round_trip },
        );
        let at = self.machines[bank.index()]
            .process
            .as_ref()
            .expect("only a process hears")
            .now_ms(now_us);
        self.pulse(bank, HeartbeatInput::Heard(peer, report, Answered { round_trip, wall_ms, at }));
        let interval_ms = self.scenario.ping_every_ms;
        // While the peer is in no view, things change fast.
        let pause_ms =
            if report.active.is_some() { interval_ms } else { interval_ms.min(RETRY_MS) };
        self.timer_in(bank, pause_ms, Timer::Ping(peer, turn));
        self.ping_for_reads(bank, peer);
    }

    /// The ping of this number was refused, or not answered in time.
    pub(crate) fn lost_touch(&mut self, bank: BankId, peer: BankId, number: u64) {
        let conversation = self.conversation(bank, peer);
        if conversation.is_waiting && conversation.number == number {
            self.begin_anew(bank, peer);
        }
    }

    /// The peer's end of the connection was closed.
    pub(crate) fn closed(&mut self, bank: BankId, peer: BankId) {
        if self.conversation(bank, peer).is_open {
            self.begin_anew(bank, peer);
        }
    }

    fn begin_anew(&mut self, bank: BankId, peer: BankId) {
        let conversation = self.conversation(bank, peer);
        let (number, turn) = (conversation.number + 1, conversation.turn + 1);
        *conversation = Conversation { number, turn, ..Conversation::default() };
        self.pulse(bank, HeartbeatInput::Lost(peer));
        self.word(bank, ConfirmationInput::Lost(peer));
        let pause_ms = self.scenario.ping_every_ms.min(RETRY_MS);
        self.timer_in(bank, pause_ms, Timer::Ping(peer, turn));
    }

    /// A bank refuses another one's heartbeat: it does not know the connection, or its settings
    /// differ.
    pub(crate) fn turn_away(
        &mut self,
        bank: BankId,
        peer: BankId,
        why: &str,
        (life, number): (u64, u64),
    ) {
        self.trace
            .line(self.now_us, Some(bank), || format!("! heartbeat of bank {peer} refused: {why}"));
        let differs = why.contains("heartbeat.failure_after_ms differs");
        let is_fair =
            why.is_empty() || (differs && matches!(self.lasting, Lasting::OtherSettings { .. }));
        assert!(is_fair, "bank {bank} refuses bank {peer}: {why}");
        self.tally.refused_settings += u64::from(differs);
        self.send(bank, peer, Message::Refused { life, number });
        self.plan_work(bank);
    }

    fn word(&mut self, bank: BankId, word: ConfirmationInput) {
        self.machines[bank.index()].process.as_mut().expect("only a process hears").word(word);
        self.plan_work(bank);
    }

    fn pulse(&mut self, bank: BankId, input: HeartbeatInput) {
        self.machines[bank.index()].process.as_mut().expect("only a process hears").pulse(input);
        self.plan_work(bank);
    }
}

//! The door of the buffer: what an event says about itself must be possible before it is taken in.
//!
//! A date far above the clocks of most banks would spoil the dates of all, and an authority that
//! this bank does not have would let somebody act for others. A wrong date alone does not keep out
//! a bank without which there is no majority: the ledger can bear it.

use super::complaints::Complaints;
use super::effect::Effect;
use super::event::Event;
use super::notice::Notice;
use super::possible::Impossible;
use crate::ids::{BankId, BankSet, majority};

/// What is let in at one bank.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    banks: usize,
    /// Events dated later than this are not taken in, in Unix milliseconds.
    latest_ms: Option<i64>,
    /// Whether operations need no named customer here, and therefore at any bank.
    open: bool,
    /// Whether banks sign their events.
    signs: bool,
    /// The banks already reported in this view for events that should not have been sent.
    named: BankSet,
    complaints: Complaints,
}

impl Door {
    /// A door that knows no time yet.
    #[must_use]
    pub(crate) fn new(banks: usize, open: bool) -> Self {
        let (named, complaints) = Default::default();
        Door { banks, latest_ms: None, open, signs: false, named, complaints }
    }

    /// From now on only events are let in that their sender has signed, if `signs`.
    pub(crate) fn set_signs(&mut self, signs: bool) {
        self.signs = signs;
    }

    /// Learns from what date on a majority of clocks makes an event impossible; `None` while this
    /// bank cannot tell.
    pub(crate) fn set_latest(&mut self, latest_ms: Option<i64>) {
        self.latest_ms = latest_ms;
    }

    /// A view begins: a bank that sends impossible events in it is reported anew.
    pub(crate) fn install(&mut self) {
        self.named = BankSet::default();
    }

    /// People are told that a bank has sent something that cannot be.
    pub(crate) fn complain(&mut self, bank: BankId, what: Impossible, out: &mut Vec<Effect>) {
        out.extend(self.complaints.about(bank, what).map(Effect::Notice));
    }

    /// A tick has passed.
    pub(crate) fn tick(&mut self) {
        self.complaints.tick();
    }

    /// Whether a peer's event is taken in, in a view of these members. A bank that sends an
    /// impossible one is reported only once, as the event comes again and again.
    pub(crate) fn admits(
        &mut self,
        event: &Event,
        members: BankSet,
        out: &mut Vec<Effect>,
    ) -> bool {
        // Only journals hold events without a header.
        let Some(header) = event.header else { return false };
        let bank = event.sender;
        if self.signs && !event.is_proved(members) {
            self.complain(bank, Impossible::Signature, out);
            return false;
        }
        let taken = members.len() <= majority(self.banks);
        let (admitted, why) = if header.open != self.open {
            (false, Notice::OtherAuthority(bank))
        } else if self.latest_ms.is_some_and(|latest_ms| header.at_ms > latest_ms) {
            (taken, Notice::FromTheFuture { bank, taken })
        } else {
            return true;
        };
        if !self.named.contains(bank) {
            self.named.insert(bank);
            out.push(Effect::Notice(why));
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::request::{Header, RawRequest, raw};
    use crate::ids::signature::{CertificateId, Signature};
    use crate::ids::{Ballot, EventId};

    fn event(at_ms: i64, open: bool) -> Event {
        let request =
            RawRequest { id: EventId::new(BankId(1), "x"), type_msg: "X".into(), msg: raw(&1) };
        let header = Header { at_ms, open };
        Event::stamp(Ballot::default(), BankId(1), vec![0, 1, 0].into(), vec![request], header)
    }

    fn door(open: bool) -> Door {
        let mut door = Door::new(3, open);
        door.set_latest(Some(5_000));
        door
    }

    #[test]
    fn an_event_from_the_future_is_not_let_in_and_its_sender_is_named_once_a_view() {
        let (mut door, mut out) = (door(false), Vec::new());
        for _ in 0..3 {
            assert!(!door.admits(&event(5_001, false), BankSet::all(3), &mut out));
        }
        assert!(door.admits(&event(5_000, false), BankSet::all(3), &mut out));
        assert!(matches!(
            out[..],
            [Effect::Notice(Notice::FromTheFuture { bank: BankId(1), taken: false })]
        ));
        door.install();
        door.admits(&event(5_001, false), BankSet::all(3), &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn an_event_from_the_future_is_let_in_where_nothing_works_without_its_sender() {
        let (mut door, mut out) = (door(false), Vec::new());
        assert!(door.admits(&event(5_001, false), BankSet::all(2), &mut out));
        assert!(
            matches!(out[..], [Effect::Notice(Notice::FromTheFuture { taken: true, .. })]),
            "{out:?}"
        );
    }

    #[test]
    fn an_event_with_another_authority_than_this_banks_is_never_let_in() {
        for (open, said) in [(false, true), (true, false)] {
            let (mut door, mut out) = (door(open), Vec::new());
            assert!(!door.admits(&event(0, said), BankSet::all(2), &mut out));
            assert!(
                matches!(out[..], [Effect::Notice(Notice::OtherAuthority(BankId(1)))]),
                "{out:?}"
            );
            assert!(door.admits(&event(0, open), BankSet::all(2), &mut out));
        }
    }

    #[test]
    fn where_banks_sign_an_event_without_its_senders_signature_is_not_let_in() {
        let (mut door, mut out) = (door(false), Vec::new());
        door.set_signs(true);
        let (by, members) = (CertificateId([1; 16]), BankSet::all(3));
        let signature = Signature { by, members, seal: [1].into() };
        let signed = event(0, false).with_signature(Some(signature));
        let mut proved = signed.clone();
        proved.set_proved();
        assert!(door.admits(&proved, BankSet::all(3), &mut out) && out.is_empty());
        // The same event again is not proved by having been so.
        let again = proved.clone().with_signature(proved.signature().cloned());
        for unproved in [event(0, false), signed, again] {
            assert!(!door.admits(&unproved, BankSet::all(3), &mut out));
        }
        assert!(!door.admits(&proved, BankSet::all(2), &mut out), "in another view");
        let (bank, what, more) = (BankId(1), Impossible::Signature, 0);
        let said = Notice::Impossible { bank, what, more };
        assert!(matches!(&out[..], [Effect::Notice(notice)] if *notice == said), "{out:?}");
    }

    #[test]
    fn while_the_time_is_unknown_any_date_is_let_in_but_never_an_event_without_one() {
        let (mut door, mut out) = (Door::new(3, false), Vec::new());
        assert!(door.admits(&event(i64::from(u32::MAX), false), BankSet::all(3), &mut out));
        let mut wire = event(0, false).to_wire();
        wire.at_ms = None;
        let undated = Event::from_wire(wire, Ballot::default()).unwrap();
        assert!(!door.admits(&undated, BankSet::all(3), &mut out));
    }
}

//! What one bank passes on of another's events, in a flush or as journal: it is taken only with the
//! signature of the bank whose event it is. The door has held each signature against its
//! certificate before the event came here.
//!
//! Events from before the banks signed have none. The first signed view is known, so nobody can
//! leave out a signature later.

use super::View;
use super::message::{PreparePlan, WireEntry, WireHeld};
use crate::ids::{Ballot, BankId};
use crate::protocol::effect::Effect;
use crate::protocol::event::{Event, Held};
use crate::protocol::possible::Impossible;

impl View {
    /// A view for which other banks' events count only with their senders' signatures, if `signs`.
    #[must_use]
    pub fn with_signatures(self, signs: bool) -> Self {
        View { signs, ..self }
    }

    /// The first view in which banks signed, as this bank writes it down with a plan: what it knows
    /// itself, or else what the coordinator says.
    pub(super) fn signed_from(&self, plan: &PreparePlan) -> Option<Ballot> {
        let said = plan.signed_from.filter(|from| *from <= plan.ballot);
        self.signs.then(|| self.disk.signed_from.or(said).unwrap_or(plan.ballot))
    }

    /// The events of a flush that their senders have sent, of those that a bank gives. One that
    /// gives others is left out for a while: what it says to hold, nobody else may have.
    pub(super) fn genuine(
        &mut self,
        from: BankId,
        events: Vec<WireHeld>,
        out: &mut Vec<Effect>,
    ) -> Vec<WireHeld> {
        let planned = |key| {
            let fetching = self.phase.fetching();
            fetching.is_some_and(|it| it.plan.events.iter().any(|(planned, _)| *planned == key))
        };
        let signed_from = self.phase.fetching().and_then(|fetching| fetching.plan.signed_from);
        let (genuine, forged): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|WireHeld(held)| self.is_genuine(held, signed_from));
        if forged.iter().any(|WireHeld(held)| planned(held.event.order_key())) {
            self.peers[from.index()].distrust();
            self.complain(from, Impossible::Signature, out);
        }
        genuine
    }

    /// Whether all events of a piece of journal are those of their senders. Those without a
    /// signature can only stand before the first with one.
    pub(super) fn are_genuine(&self, entries: &[WireEntry]) -> bool {
        let mut signed_from = self.disk.signed_from;
        entries.iter().all(|entry| {
            let WireHeld(held) = &entry.held;
            let is_genuine = self.is_genuine(held, signed_from);
            signed_from = signed_from.or(first_signed(&held.event));
            is_genuine
        })
    }

    fn is_genuine(&self, held: &Held, signed_from: Option<Ballot>) -> bool {
        let Held { event, members } = held;
        let is_older = event.signature().is_none() && signed_from.is_none_or(|at| event.view < at);
        !self.signs || event.is_proved(*members) || is_older
    }
}

/// The view of a signed event.
pub(crate) fn first_signed(event: &Event) -> Option<Ballot> {
    event.signature().map(|_| event.view)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::request::{Header, RawRequest, raw};
    use crate::ids::signature::{CertificateId, Signature};
    use crate::ids::{BankSet, ChainHash, EventId, Position};
    use crate::protocol::notice::Notice;
    use crate::protocol::view::phase::Stage;
    use crate::protocol::view::{Interim, OnDisk, Phase};

    #[derive(Clone, Copy)]
    enum By {
        Nobody,
        Another,
        Sender,
    }

    fn view_of(round: u64) -> Ballot {
        Ballot { round, coordinator: BankId(0) }
    }

    /// An event of bank 1.
    fn event(round: u64, by: By) -> Event {
        let request =
            RawRequest { id: EventId::new(BankId(1), "x"), type_msg: "X".into(), msg: raw(&1) };
        let (timestamp, header) = (vec![0, round, 0].into(), Header::default());
        let event = Event::stamp(view_of(round), BankId(1), timestamp, vec![request], header);
        let seal = Arc::from([1]);
        match by {
            By::Nobody => event,
            By::Another | By::Sender => {
                let (certificate, members) = (CertificateId([1; 16]), BankSet::all(3));
                let signature = Signature { by: certificate, members, seal };
                let mut event = event.with_signature(Some(signature));
                if matches!(by, By::Sender) {
                    event.set_proved();
                }
                event
            }
        }
    }

    fn held(round: u64, by: By) -> WireHeld {
        WireHeld(Held { event: Arc::new(event(round, by)), members: BankSet::all(3) })
    }

    fn entries(events: &[(u64, By)]) -> Vec<WireEntry> {
        let entry = |(position, (round, by)): (u64, &(u64, By))| WireEntry {
            held: held(*round, *by),
            position: Position(position),
            hash: ChainHash::default(),
        };
        (1..).zip(events).map(entry).collect()
    }

    fn view(signs: bool, signed_from: Option<u64>) -> View {
        let disk = OnDisk { signed_from: signed_from.map(view_of), ..OnDisk::default() };
        View::new(BankId(0), 3, disk).with_signatures(signs)
    }

    #[test]
    fn unsigned_events_stand_only_before_the_first_signed_one_of_a_journal() {
        use By::{Another, Nobody, Sender};
        let is_taken = |from, events: &[(u64, By)]| view(true, from).are_genuine(&entries(events));
        assert!(is_taken(None, &[(1, Nobody), (2, Sender), (3, Sender)]));
        assert!(!is_taken(None, &[(1, Sender), (2, Nobody)]));
        assert!(!is_taken(None, &[(1, Sender), (2, Another)]));
        assert!(is_taken(Some(2), &[(1, Nobody), (2, Sender)]));
        assert!(!is_taken(Some(2), &[(2, Nobody)]) && !is_taken(Some(2), &[(1, Another)]));
        // The members of a view belong to what was signed.
        let mut of_another_view = entries(&[(1, Sender)]);
        of_another_view[0].held.0.members = BankSet::all(2);
        assert!(!view(true, None).are_genuine(&of_another_view));
        assert!(view(false, None).are_genuine(&entries(&[(1, Sender), (2, Another), (3, Nobody)])));
    }

    #[test]
    fn a_bank_that_gives_a_forged_event_of_a_flush_is_named_and_left_out_for_a_while() {
        let mut view = view(true, Some(1));
        let events = [1, 2].map(|round| (event(round, By::Sender).order_key(), BankId(2)));
        let plan = PreparePlan {
            ballot: view_of(9),
            members: BankSet::all(3),
            events: events.to_vec(),
            ..PreparePlan::default()
        };
        let plan = PreparePlan { signed_from: view.signed_from(&plan), ..plan };
        let mut interim = Interim::outside(Default::default());
        interim.begin_fetching(plan);
        assert!(matches!(interim.stage, Stage::Fetching(_)));
        view.phase = Phase::Between(Box::new(interim));
        let mut out = Vec::new();
        let given = vec![held(1, By::Sender), held(2, By::Another), held(3, By::Nobody)];
        let taken = view.genuine(BankId(2), given, &mut out);
        assert_eq!(taken, [held(1, By::Sender)]);
        let (what, more) = (Impossible::Signature, 0);
        let named = Notice::Impossible { bank: BankId(2), what, more };
        assert!(matches!(&out[..], [Effect::Notice(notice)] if *notice == named), "{out:?}");
        assert!(view.peers[2].is_distrusted() && !view.peers[1].is_distrusted());
        view.genuine(BankId(1), vec![held(2, By::Sender)], &mut out);
        assert!(out.len() == 1 && !view.peers[1].is_distrusted());
    }

    #[test]
    fn a_bank_writes_down_what_it_knows_of_the_first_signed_view_and_else_what_it_is_told() {
        let plan = |said: Option<u64>| PreparePlan {
            ballot: view_of(9),
            signed_from: said.map(view_of),
            ..PreparePlan::default()
        };
        let written = |from, said| view(true, from).signed_from(&plan(said)).map(|it| it.round);
        assert_eq!(written(Some(3), Some(9)), Some(3));
        assert_eq!(written(None, Some(4)), Some(4));
        assert_eq!(written(None, Some(10)), Some(9), "it cannot be later than the plan");
        assert_eq!(written(None, None), Some(9));
        assert_eq!(view(false, Some(3)).signed_from(&plan(Some(3))), None);
    }
}

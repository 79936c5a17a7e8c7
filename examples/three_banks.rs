//! Three banks in memory. Somebody registers as `ana` at each of them at the same time: one gets
//! the name, and all banks agree who. A queue carries effects, and disk and network are instant.

use std::collections::VecDeque;

use netbanking::ids::request::{RawRequest, raw};
use netbanking::ids::{Ballot, BankId, BankSet, EventId};
use netbanking::ledger::{Book, UserName};
use netbanking::protocol::{clock::Clock, effect::*, envelope::Envelope, executor::Executor};
use netbanking::protocol::{ordered_buffer::OrderedBuffer, view::*};

fn main() {
    let (ballot, members) = (Ballot { round: 1, coordinator: BankId(0) }, BankSet::all(3));
    let plan = PreparePlan { ballot, members, clock: vec![0; 3].into(), ..Default::default() };
    let begin = Installed { plan, flush: Vec::new(), fates: Fates::default() };
    let (mut banks, mut queue) = (Vec::new(), VecDeque::new());
    for me in BankId::all(3) {
        let executor = Executor::new(me, 3, Book::new(3), None);
        banks.push((Clock::new(me, 3), OrderedBuffer::new(me, 3), executor));
        let ana = serde_json::json!({"name": "Ana", "num_cadastro": format!("123.456.789-0{me}"),
            "user_name": "ana", "password_hash": "$argon2id$"});
        let msg = raw(&serde_json::json!({"action": {"REGISTER": ana}}));
        let request = RawRequest { id: EventId::new(me, "ana"), type_msg: "REGISTER".into(), msg };
        let time = ClockInput::Time { base_ms: 0, known: members };
        let begin = [time, ClockInput::Install(begin.clone()), ClockInput::Reach(Reach::Members)];
        let inputs = begin.into_iter().chain([ClockInput::Submit(request)]);
        queue.extend(inputs.map(|input| (me, Effect::Clock(input))));
    }
    while let Some((me, effect)) = queue.pop_front() {
        let (clock, buffer, executor) = &mut banks[me.index()];
        let (mut who, mut out) = (me, Vec::new());
        match effect {
            Effect::Clock(input) => clock.handle(input, 0, &mut out),
            Effect::Buffer(input) => buffer.handle(input, &mut out),
            Effect::Ledger(input) => _ = executor.handle(input, &mut out),
            Effect::Journal(JournalInput::Append { view, clock, .. }) => {
                out.push(Effect::Buffer(BufferInput::Persisted { view, clock }));
            }
            Effect::Peer(peer, said) => {
                let (events, clock) = match said {
                    PeerInput::Event(event) => (vec![event], None),
                    PeerInput::Durable { clock, .. } => (Vec::new(), Some(clock)),
                    _ => continue,
                };
                let envelope = Envelope { view: Some(ballot), events, clock, gathered: None };
                banks[peer.index()].1.receive(me, envelope, &mut out);
                who = peer;
            }
            _ => {}
        }
        queue.extend(out.into_iter().map(|effect| (who, effect)));
    }
    for book in banks.iter().map(|(.., executor)| executor.book()) {
        let ana =
            UserName::parse("ana").ok().and_then(|ana| book.customer(&ana)).expect("a winner");
        println!("{}: ana is {}, {}", book.position(), ana.num_cadastro, book.hash());
        assert_eq!((book.position().0, book.hash()), (3, banks[0].2.book().hash()), "they agree");
    }
}

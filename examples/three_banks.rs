//! Three banks in memory. At each of them somebody registers as `ana` at the same time: one of them
//! gets the name, and all banks agree who. A node's actors carry effects from part to part; here a
//! queue does.

use std::collections::VecDeque;

use netbanking::ledger::{Book, UserName};
use netbanking::protocol::effect::*;
use netbanking::protocol::event::{RawRequest, raw};
use netbanking::protocol::ids::{Ballot, BankId, BankSet, EventId};
use netbanking::protocol::{
    clock::Clock, executor::Executor, ordered_buffer::OrderedBuffer, view::PreparePlan,
};

fn main() {
    let (view, members) = (Ballot { round: 1, coordinator: BankId(0) }, BankSet::all(3));
    let plan =
        PreparePlan { ballot: view, members, clock: vec![0; 3].into(), ..PreparePlan::default() };
    let begin = Installed { plan, flush: Vec::new(), fates: Fates::default() };
    let new = |me| {
        (Clock::new(me, 3), OrderedBuffer::new(me, 3), Executor::new(me, 3, Book::new(3), None))
    };
    let mut banks: Vec<_> = BankId::all(3).map(new).collect();
    let mut queue = VecDeque::new();
    for me in BankId::all(3) {
        let (cpf, hash) = (format!("123.456.789-0{me}"), "$argon2id$");
        let ana = serde_json::json!({"name": "Ana", "num_cadastro": cpf, "user_name": "ana", "password_hash": hash});
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
            // The disk: what is appended is written at once.
            Effect::Journal(JournalInput::Append { view, clock, .. }) => {
                out.push(Effect::Buffer(BufferInput::Persisted { view, clock }))
            }
            // The network: what is said is heard at once.
            Effect::Peer(peer, said) => {
                let (events, clock) = match said {
                    PeerInput::Event(event) => (vec![event], None),
                    PeerInput::Durable { clock, .. } => (Vec::new(), Some(clock)),
                    _ => continue,
                };
                who = peer;
                banks[peer.index()].1.receive(
                    me,
                    Envelope { view: Some(view), events, clock },
                    &mut out,
                );
            }
            _ => {}
        }
        queue.extend(out.into_iter().map(|effect| (who, effect)));
    }
    for book in banks.iter().map(|(_, _, executor)| executor.book()) {
        let ana = UserName::parse("ana")
            .ok()
            .and_then(|ana| book.customer(&ana))
            .expect("somebody got the name");
        println!("position {}, ana is {}, hash {}", book.position(), ana.num_cadastro, book.hash());
        assert_eq!(
            (book.position().0, book.hash()),
            (3, banks[0].2.book().hash()),
            "the banks agree"
        );
    }
}

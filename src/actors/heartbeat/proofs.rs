//! Reads that want to be proved fresh: they wait here while all banks are asked anew, this bank's
//! own ledger included.

use std::collections::VecDeque;

use actix::{Addr, Context, Handler, Message, MessageResult};
use tokio::sync::{oneshot, watch};

use super::HeartbeatActor;
use crate::actors::ledger::{InForce, LedgerActor};
use crate::ids::BankId;
use crate::protocol::confirmation::{Confirmation, ConfirmationInput, ReadNumber, Verdict};
use crate::protocol::time::Millis;

/// The reads that wait for their proof.
pub(super) struct Proofs {
    confirmation: Confirmation,
    verdicts: Vec<Verdict>,
    /// In their order.
    readers: VecDeque<(ReadNumber, oneshot::Sender<bool>)>,
    /// The last read that is to be proved: the tasks that ask the banks wait for it to change.
    asked: watch::Sender<ReadNumber>,
}

impl Proofs {
    pub(super) fn new(me: BankId, banks: usize) -> Self {
        let (asked, _) = watch::channel(0);
        Proofs {
            confirmation: Confirmation::new(me, banks),
            verdicts: Vec::new(),
            readers: VecDeque::new(),
            asked,
        }
    }

    /// What the tasks that ask the banks look at: the answer to a question proves all reads up to
    /// the number that this has when the question leaves.
    pub(super) fn asked(&self) -> watch::Receiver<ReadNumber> {
        self.asked.subscribe()
    }

    pub(super) fn confirm(&mut self, input: ConfirmationInput, now: Millis) {
        self.confirmation.handle(input, now, &mut self.verdicts);
        self.hand_out();
    }

    fn prove(&mut self, now: Millis) -> oneshot::Receiver<bool> {
        let (reader, verdict) = oneshot::channel();
        let number = self.confirmation.ask(now, &mut self.verdicts);
        self.readers.push_back((number, reader));
        self.asked.send_replace(number);
        self.hand_out();
        verdict
    }

    fn hand_out(&mut self) {
        for Verdict { read, fresh } in self.verdicts.drain(..) {
            let (number, reader) = self.readers.pop_front().expect("a read has one verdict");
            assert_eq!(number, read, "verdicts come in the order of the reads");
            // A reader that has given up waiting needs no verdict.
            let _ = reader.send(fresh);
        }
    }
}

/// A bank has said in which view it acts.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Acts(pub(super) ConfirmationInput);

impl Handler<Acts> for HeartbeatActor {
    type Result = ();

    fn handle(&mut self, Acts(input): Acts, _: &mut Context<Self>) {
        self.proofs.confirm(input, self.time.now());
    }
}

/// A read wants proof that it shows everything that was answered anywhere before now; the answer is
/// whether it does. To be sent before the ledger is read.
#[derive(Message)]
#[rtype(result = "oneshot::Receiver<bool>")]
pub(crate) struct Prove;

impl Handler<Prove> for HeartbeatActor {
    type Result = MessageResult<Prove>;

    fn handle(&mut self, _: Prove, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.proofs.prove(self.time.now()))
    }
}

/// Asks this bank's own ledger in which view it executes, whenever a read wants proof. The view's
/// actor would not do: it knows that a view has begun before the ledger has executed what the view
/// begins with.
pub(super) async fn ask_myself(
    me: BankId,
    ledger: Addr<LedgerActor>,
    monitor: Addr<HeartbeatActor>,
    mut asked: watch::Receiver<ReadNumber>,
) {
    loop {
        let through = *asked.borrow_and_update();
        let Ok(active) = ledger.send(InForce).await else { return };
        monitor.do_send(Acts(ConfirmationInput::Answered {
            bank: me,
            through,
            active,
            round_trip: 0,
        }));
        if asked.changed().await.is_err() {
            return;
        }
    }
}

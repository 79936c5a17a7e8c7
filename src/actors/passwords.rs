//! Has passwords hashed and checked with Argon2id, on threads of their own so that logins delay
//! nobody else.
//!
//! Few may wait: a queue that is longer than what the threads do in a few seconds would keep them
//! busy for customers who have long given up. Who finds it full is told to come again.

mod hashing;
mod queue;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, SyncArbiter};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use zeroize::Zeroizing;

use self::hashing::{Hasher, HashingThread};
use self::queue::{Queue, Work};
use crate::ledger::PasswordHash;

/// The most that wait for a hashing thread: about as many as one thread hashes in three seconds.
const WAITING_MAX: usize = 128;

/// Whoever asks gets a receiver; `None` when too many wait already. Dropping the receiver takes the
/// question back.
pub(crate) type Promised<T> = Option<Receiver<T>>;

/// A password to be hashed or checked, and who is to be told.
#[derive(Message)]
#[rtype(result = "()")]
enum Job {
    Hash(Zeroizing<String>, Sender<PasswordHash>),
    Verify(Verify, Sender<bool>),
}

impl Job {
    fn done_by(self, hasher: &mut Hasher) {
        // A customer may leave while the password is being hashed.
        match self {
            Job::Hash(password, reply) => _ = reply.send(hasher.hash(&password)),
            Job::Verify(Verify { password, hash }, reply) => {
                _ = reply.send(hasher.verify(&password, hash.as_ref()));
            }
        }
    }
}

impl Work for Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Job::Hash(_, reply) => reply.is_closed(),
            Job::Verify(_, reply) => reply.is_closed(),
        }
    }
}

/// Where passwords are handed in.
pub struct PasswordsActor {
    queue: Queue<Job>,
    /// How many threads there are, and how many of them have nothing to do.
    threads: usize,
    idle: usize,
    hashing: Option<Addr<HashingThread>>,
}

impl PasswordsActor {
    /// An actor that starts so many hashing threads.
    #[must_use]
    pub(crate) fn new(threads: usize) -> Self {
        PasswordsActor { queue: Queue::new(WAITING_MAX), threads, idle: threads, hashing: None }
    }

    fn put<T>(&mut self, job: Job, reply: Receiver<T>) -> Promised<T> {
        let is_taken = self.queue.put(job);
        self.hand_out();
        is_taken.then_some(reply)
    }

    fn hand_out(&mut self) {
        let Some(hashing) = &self.hashing else { return };
        while self.idle > 0
            && let Some(job) = self.queue.next()
        {
            self.idle -= 1;
            hashing.do_send(job);
        }
    }
}

impl Actor for PasswordsActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let desk = context.address();
        self.hashing =
            Some(SyncArbiter::start(self.threads, move || HashingThread::new(desk.clone())));
    }
}

/// A thread has nothing to do.
#[derive(Message)]
#[rtype(result = "()")]
struct Idle;

impl Handler<Idle> for PasswordsActor {
    type Result = ();

    fn handle(&mut self, _: Idle, _: &mut Self::Context) {
        self.idle += 1;
        self.hand_out();
    }
}

/// Asks for the hash of a new password, which is wiped from memory then.
#[derive(Message)]
#[rtype(result = "Promised<PasswordHash>")]
pub(crate) struct Hash(pub Zeroizing<String>);

impl Handler<Hash> for PasswordsActor {
    type Result = MessageResult<Hash>;

    fn handle(&mut self, Hash(password): Hash, _: &mut Self::Context) -> Self::Result {
        let (reply, promised) = channel();
        MessageResult(self.put(Job::Hash(password, reply), promised))
    }
}

/// Asks whether a password is the one that was hashed; `None` means that there is no such customer.
#[derive(Message)]
#[rtype(result = "Promised<bool>")]
pub(crate) struct Verify {
    /// What the customer sent; wiped from memory then.
    pub password: Zeroizing<String>,
    /// What the ledger has.
    pub hash: Option<PasswordHash>,
}

impl Handler<Verify> for PasswordsActor {
    type Result = MessageResult<Verify>;

    fn handle(&mut self, verify: Verify, _: &mut Self::Context) -> Self::Result {
        let (reply, promised) = channel();
        MessageResult(self.put(Job::Verify(verify, reply), promised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_login() -> Verify {
        Verify { password: String::from("a wrong password").into(), hash: None }
    }

    #[actix_rt::test]
    async fn logins_beyond_the_queue_are_refused_and_abandoned_ones_cost_nothing() {
        let desk = PasswordsActor::new(1).start();
        let mut taken = Vec::new();
        for _ in 0..WAITING_MAX + 8 {
            taken.extend(desk.send(wrong_login()).await.unwrap());
        }
        assert!(taken.len() < WAITING_MAX + 8, "the queue has no bound");
        drop(taken);
        let began = std::time::Instant::now();
        let answer = desk.send(wrong_login()).await.unwrap().expect("abandoned logins make room");
        assert!(!answer.await.unwrap());
        let one = began.elapsed();
        assert!(one.as_secs() < 3, "it waited {one:?} for logins that nobody waits for");
    }
}

//! Has passwords hashed and checked with Argon2id, on threads of their own so that logins delay
//! nobody else.
//!
//! Few may wait: a queue that is longer than what the threads do in a few seconds would keep them
//! busy for customers who have long given up. Who finds it full is told to come again. Those who
//! come from one address wait in one line, and the lines take turns.

mod hashing;
mod queue;

use std::time::Duration;

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, SpawnHandle, SyncArbiter,
};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use zeroize::Zeroizing;

use self::hashing::{Assignment, Hasher, HashingThread};
use self::queue::{Queue, Work};
use crate::ledger::PasswordHash;
use crate::limits::Origin;

/// The most that wait for a hashing thread: about as many as one thread hashes in three seconds.
const WAITING_MAX: usize = 128;
/// For how long the memory of the hashing threads is kept when none of them has anything to do:
/// logins come in bursts, and 19 MiB a thread are much for a bank that nobody logs in to.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Whoever asks gets a receiver; `None` when too many wait already. Dropping the receiver takes the
/// question back.
pub(crate) type Promised<T> = Option<Receiver<T>>;

/// A password to be hashed or checked, and who is to be told.
enum Job {
    Hash(Zeroizing<String>, Sender<PasswordHash>),
    Verify(Verify, Sender<bool>),
}

impl Job {
    fn done_by(self, hasher: &mut Hasher) {
        // A customer may leave while the password is being hashed.
        match self {
            Job::Hash(password, reply) => _ = reply.send(hasher.hash(&password)),
            Job::Verify(Verify { password, hash, .. }, reply) => {
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
    /// How many threads there are,
    threads: usize,
    /// and what those hash with that have nothing to do.
    idle: Vec<Hasher>,
    hashing: Option<Addr<HashingThread>>,
    /// For how long their memory is kept,
    kept_for: Duration,
    /// and what is going to give it back, unless somebody comes.
    resting: Option<SpawnHandle>,
}

impl PasswordsActor {
    /// An actor that starts so many hashing threads.
    #[must_use]
    pub(crate) fn new(threads: usize) -> Self {
        let idle = std::iter::repeat_with(Hasher::default).take(threads).collect();
        let queue = Queue::new(WAITING_MAX);
        PasswordsActor { queue, threads, idle, hashing: None, kept_for: KEPT_FOR, resting: None }
    }

    fn put<T>(&mut self, from: Option<Origin>, job: Job, reply: Receiver<T>) -> Promised<T> {
        let is_taken = self.queue.put(from, job);
        self.hand_out();
        is_taken.then_some(reply)
    }

    fn hand_out(&mut self) {
        let Some(hashing) = &self.hashing else { return };
        while !self.idle.is_empty()
            && let Some(job) = self.queue.next()
        {
            let hasher = self.idle.pop().expect("somebody is idle");
            hashing.do_send(Assignment(job, hasher));
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

/// A thread has nothing to do, and gives back what it hashed with.
#[derive(Message)]
#[rtype(result = "()")]
struct Idle(Hasher);

impl Handler<Idle> for PasswordsActor {
    type Result = ();

    fn handle(&mut self, Idle(hasher): Idle, context: &mut Self::Context) {
        self.idle.push(hasher);
        self.hand_out();
        if let Some(resting) = self.resting.take() {
            context.cancel_future(resting);
        }
        if self.idle.len() == self.threads {
            self.resting = Some(context.run_later(self.kept_for, |desk, _| {
                desk.idle.iter_mut().for_each(Hasher::rest);
            }));
        }
    }
}

/// Asks for the hash of a new password, which is wiped from memory then, for somebody at an address
/// if that is limited.
#[derive(Message)]
#[rtype(result = "Promised<PasswordHash>")]
pub(crate) struct Hash(pub Zeroizing<String>, pub Option<Origin>);

impl Handler<Hash> for PasswordsActor {
    type Result = MessageResult<Hash>;

    fn handle(&mut self, Hash(password, from): Hash, _: &mut Self::Context) -> Self::Result {
        let (reply, promised) = channel();
        MessageResult(self.put(from, Job::Hash(password, reply), promised))
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
    /// Where the customer is, if that is limited.
    pub from: Option<Origin>,
}

impl Handler<Verify> for PasswordsActor {
    type Result = MessageResult<Verify>;

    fn handle(&mut self, verify: Verify, _: &mut Self::Context) -> Self::Result {
        let (reply, promised) = channel();
        MessageResult(self.put(verify.from, Job::Verify(verify, reply), promised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_login() -> Verify {
        Verify { password: String::from("a wrong password").into(), hash: None, from: None }
    }

    /// Asks how many threads are idle and have memory.
    #[derive(Message)]
    #[rtype(result = "usize")]
    struct Kept;

    impl Handler<Kept> for PasswordsActor {
        type Result = usize;

        fn handle(&mut self, _: Kept, _: &mut Self::Context) -> usize {
            self.idle.iter().filter(|hasher| hasher.has_memory()).count()
        }
    }

    #[actix_rt::test]
    async fn memory_is_kept_for_the_next_login_and_given_back_when_none_comes() {
        let desk = PasswordsActor::new(1).start();
        assert!(!desk.send(wrong_login()).await.unwrap().unwrap().await.unwrap());
        while desk.send(Kept).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        let kept_for = Duration::from_millis(1);
        let desk = PasswordsActor { kept_for, ..PasswordsActor::new(1) }.start();
        let answer = desk.send(wrong_login()).await.unwrap().unwrap();
        assert!(!answer.await.unwrap());
        while desk.send(Kept).await.unwrap() > 0 {
            actix_rt::time::sleep(kept_for).await;
        }
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

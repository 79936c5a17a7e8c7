//! Argon2id in memory that is kept from one hash to the next: a block of 19 MiB that is freed after
//! each hash stays with the allocator, and the next one may be taken from elsewhere.

use actix::{Actor, Addr, Handler, Message, SyncContext};
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::{Idle, Job, PasswordsActor};
use crate::ledger::PasswordHash;
use crate::machine::name_thread;

/// Memory for one hash in KiB, passes over it and lanes: OWASP's recommendation for Argon2id
/// (2025).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Used in place of a hash where there is no such customer, so that the answer takes as long as for
/// a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bmV0YmFua2luZy1ub2JvZHk$0000000000000000000000000000000000000000000";

/// Hashes and checks passwords in a memory of its own, which it asks for at the first and after
/// having given it back.
#[derive(Default)]
pub(super) struct Hasher {
    memory: Vec<Block>,
}

impl Hasher {
    #[cfg(test)]
    pub(super) fn has_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    /// Gives its memory back.
    pub(super) fn rest(&mut self) {
        self.memory = Vec::new();
    }

    /// The hash of a new password.
    pub(super) fn hash(&mut self, password: &str) -> PasswordHash {
        let salt = phc::Salt::generate();
        let params = params();
        let output = self.output(&params, password, &salt);
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().expect("the parameters can be written"),
            salt: Some(salt),
            hash: Some(output.expect("Argon2 hashes any password of bounded length")),
        };
        PasswordHash::parse(&hash.to_string()).expect("a PHC string is a password hash")
    }

    /// Whether it is the password of this hash; `None` means that there is no such customer.
    pub(super) fn verify(&mut self, password: &str, hash: Option<&PasswordHash>) -> bool {
        let text = hash.map_or_else(|| NOBODY.to_owned(), PasswordHash::text);
        let matches = phc::PasswordHash::new(&text)
            .is_ok_and(|expected| self.matches(password, &expected) == Some(true));
        matches && hash.is_some()
    }

    /// `None` for a hash that no bank of this version made: another bank's word must not decide
    /// how much memory and time a login takes here.
    fn matches(&mut self, password: &str, expected: &phc::PasswordHash) -> Option<bool> {
        let made = Params::try_from(expected).ok()?;
        let is_ours = expected.algorithm == Algorithm::Argon2id.ident()
            && expected.version == Some(Version::V0x13.into())
            && (made.m_cost(), made.t_cost(), made.p_cost()) == (MEMORY_KIB, PASSES, LANES);
        let output = self.output(&made, password, expected.salt.as_ref().filter(|_| is_ours)?)?;
        // `Output` compares in constant time.
        Some(expected.hash.as_ref()? == &output)
    }

    fn output(&mut self, params: &Params, password: &str, salt: &[u8]) -> Option<phc::Output> {
        self.memory.resize(params.block_count(), Block::new());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut buffer = [0; phc::Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = buffer.get_mut(..length)?;
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.memory)
            .ok()?;
        phc::Output::new(output).ok()
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters lie within Argon2's bounds")
}

/// One of the hashing threads.
pub(super) struct HashingThread {
    desk: Addr<PasswordsActor>,
}

impl HashingThread {
    /// A thread that tells the desk whenever it has nothing to do.
    pub(super) fn new(desk: Addr<PasswordsActor>) -> Self {
        name_thread("passwords");
        HashingThread { desk }
    }
}

/// A job, and what it is done with; that goes back to the desk with [`Idle`].
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Assignment(pub Job, pub Hasher);

impl Actor for HashingThread {
    type Context = SyncContext<Self>;
}

impl Handler<Assignment> for HashingThread {
    type Result = ();

    fn handle(&mut self, Assignment(job, mut hasher): Assignment, _: &mut Self::Context) {
        job.done_by(&mut hasher);
        self.desk.do_send(Idle(hasher));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_by_its_hash_and_by_no_other() {
        let mut hasher = Hasher::default();
        let (hash, other) = (hasher.hash("correct horse"), hasher.hash("battery staple"));
        assert!(hasher.verify("correct horse", Some(&hash)));
        assert!(!hasher.verify("correct horse", Some(&other)));
        assert!(!hasher.verify("correct horse", None));
        assert_ne!(hash, hasher.hash("correct horse"), "each has a salt of its own");
    }

    #[test]
    fn a_hash_made_before_the_memory_was_kept_is_recognised() {
        use argon2::PasswordHasher;
        let earlier: phc::PasswordHash =
            Argon2::from(params()).hash_password(b"correct horse").unwrap();
        let earlier = PasswordHash::parse(&earlier.to_string()).unwrap();
        assert!(Hasher::default().verify("correct horse", Some(&earlier)));
    }

    #[test]
    fn a_hash_that_would_cost_more_is_never_computed() {
        let costs_4_gib = "$argon2id$v=19$m=4194304,t=2,p=1$bmV0YmFua2luZy1ub2JvZHk$0000000000000000000000000000000000000000000";
        let hash = PasswordHash::parse(costs_4_gib).unwrap();
        let mut hasher = Hasher::default();
        assert!(!hasher.verify("correct horse", Some(&hash)));
        assert!(hasher.memory.is_empty());
    }

    #[test]
    fn all_hashes_are_computed_in_the_same_memory() {
        let mut hasher = Hasher::default();
        hasher.hash("correct horse");
        let (place, blocks) = (hasher.memory.as_ptr(), hasher.memory.len());
        let hash = hasher.hash("battery staple");
        hasher.verify("battery staple", Some(&hash));
        assert_eq!((hasher.memory.as_ptr(), hasher.memory.len()), (place, blocks));
    }
}

//! Hashes and checks passwords with Argon2id, on threads of their own so that a queue of logins
//! delays nobody else.

use actix::{Actor, Handler, Message, MessageResult, SyncContext};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::ledger::PasswordHash;

/// Memory for one hash in KiB, passes over it and lanes: OWASP's recommendation for Argon2id
/// (2025).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most hashes computed at once.
pub(crate) const THREADS: usize = 2;

/// Used in place of a hash where there is no such customer, so that the answer takes as long as for
/// a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bmV0YmFua2luZy1ub2JvZHk$0000000000000000000000000000000000000000000";

/// One of the hashing threads.
pub struct PasswordsActor;

impl Actor for PasswordsActor {
    type Context = SyncContext<Self>;
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the parameters lie within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Asks for the hash of a new password.
#[derive(Message)]
#[rtype(result = "PasswordHash")]
pub struct Hash(pub String);

impl Handler<Hash> for PasswordsActor {
    type Result = MessageResult<Hash>;

    fn handle(&mut self, Hash(password): Hash, _: &mut Self::Context) -> Self::Result {
        let hash = argon2()
            .hash_password(password.as_bytes())
            .expect("Argon2 hashes any password of bounded length");
        MessageResult(
            PasswordHash::parse(&hash.to_string()).expect("a PHC string is a password hash"),
        )
    }
}

/// Asks whether a password is the one that was hashed; `None` means that there is no such customer.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Verify {
    /// What the customer sent.
    pub password: String,
    /// What the ledger has.
    pub hash: Option<PasswordHash>,
}

impl Handler<Verify> for PasswordsActor {
    type Result = bool;

    fn handle(&mut self, verify: Verify, _: &mut Self::Context) -> bool {
        let text = verify.hash.as_ref().map_or(NOBODY, PasswordHash::as_str);
        let Ok(hash) = phc::PasswordHash::new(text) else { return false };
        argon2().verify_password(verify.password.as_bytes(), &hash).is_ok() && verify.hash.is_some()
    }
}

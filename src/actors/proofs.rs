//! The door for events: whether their senders have signed them is found out here, by whoever reads
//! what a peer says, before any part of the node hears of them.

use std::sync::Arc;
use std::time::Duration;

use awc::http::header::AUTHORIZATION;

use crate::ids::BankId;
use crate::ids::signature::CertificateId;
use crate::protocol::event::Event;
use crate::tls::Transport;
use crate::wire::{self, BANK_HEADER, CERTIFICATE_PATH};

/// How long the peer may take to send a certificate.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The largest answer, in bytes: a certificate with those between it and its authority.
const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// Who has handed over events, and how it is asked for certificates that are not known here.
pub(crate) struct Giver<'a> {
    pub(crate) me: BankId,
    pub(crate) from: BankId,
    /// Its base URL, without a slash at the end.
    pub(crate) url: String,
    pub(crate) secret: &'a str,
    pub(crate) transport: &'a Transport,
}

/// Marks the events that their senders have signed, up to the first that its sender has not: no
/// bank hands over such an event, so what is behind it is not worth the work. Whoever handed them
/// over is asked for certificates that are not known here; it must have them, or it could not have
/// taken the events.
pub(crate) async fn prove(giver: &Giver<'_>, events: impl Iterator<Item = &mut Arc<Event>>) {
    if !giver.transport.signs() {
        return;
    }
    for (place, event) in events.enumerate() {
        if place > 0 {
            // Others who work on this thread need not wait for all of them.
            tokio::task::yield_now().await;
        }
        let Some(by) = event.signature().map(|signature| signature.by) else { continue };
        let is_known = giver.transport.knows(by) || giver.fetch(by).await;
        let is_genuine = is_known
            && event.signature().is_some_and(|signature| {
                giver.transport.is_by(event.sender, event.wire().get(), signature)
            });
        if !is_genuine {
            let (sender, from) = (event.sender, giver.from);
            log::debug!("bank {from} sent an event of bank {sender} that is not proved: by {by}");
            return;
        }
        // Nobody else has it yet.
        Arc::get_mut(event).into_iter().for_each(Event::set_proved);
    }
}

impl Giver<'_> {
    /// Returns whether the certificate is known now. A bank that was asked in vain is left in peace
    /// for a while.
    async fn fetch(&self, id: CertificateId) -> bool {
        if !self.transport.may_ask(self.from) {
            return false;
        }
        let client = wire::client_of_peer(self.from, self.transport, 1, ANSWER_WITHIN);
        let asked = client
            .get(format!("{}{CERTIFICATE_PATH}/{id}", self.url))
            .insert_header((AUTHORIZATION, format!("Bearer {}", self.secret)))
            .insert_header((BANK_HEADER, self.me.to_string()))
            .send()
            .await;
        let learnt = match asked {
            Ok(mut answer) if answer.status().is_success() => {
                let body = answer.body().limit(CERTIFICATE_BYTES_MAX).await;
                body.map_err(|error| error.to_string()).and_then(|text| {
                    self.transport.learn(id, &text).map_err(|error| error.to_string())
                })
            }
            Ok(answer) => Err(answer.status().to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &learnt {
            log::debug!("certificate {id} from bank {}: {why}", self.from);
            self.transport.asked_in_vain(self.from);
        }
        learnt.is_ok()
    }
}

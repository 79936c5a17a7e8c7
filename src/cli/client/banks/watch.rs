//! What arrives while somebody looks: a bank's stream of server-sent events, which is opened again
//! where it ends, at the next bank if need be. Every bank knows the accounts at all banks, and the
//! name of the last event says how much has been told: nothing is missed, or told twice.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use awc::error::PayloadError;
use futures_util::{Stream, StreamExt as _};

use super::super::call::{ARRIVALS, Request, Silence, Stood, stand};
use super::super::screen::Tone;
use super::super::session::Session;
use super::super::{ClientError, texts};
use super::{Banks, ROUND_PAUSE, Step};

/// A bank sends something every quarter of a minute, news or not; one that is silent for so long is
/// gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// The longest event that is read, in bytes: an arrival, or the name of what a hundred accounts
/// had.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Events as they come in pieces.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
    /// The name of the last event.
    name: Option<String>,
}

impl Events {
    /// Takes a piece; returns what the events say that it completes. `None` if one is too long.
    fn take(&mut self, piece: &[u8]) -> Option<Vec<String>> {
        self.rest.extend_from_slice(piece);
        let mut said = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|end| end == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            for line in String::from_utf8_lossy(&event).lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    said.push(data.to_owned());
                } else if let Some(name) = line.strip_prefix("id: ") {
                    self.name = Some(name.to_owned());
                }
            }
        }
        (self.rest.len() <= EVENT_BYTES_MAX).then_some(said)
    }
}

impl Banks {
    /// Hands over what arrives, as the bank says it, until `tell` has enough and says so, or the
    /// person presses Ctrl-C. While no bank can be reached, they are asked as patiently as for an
    /// outcome.
    pub(in super::super) async fn watch(
        &mut self,
        session: &mut Session,
        tell: impl FnMut(&Banks, &str) -> Result<bool, ClientError>,
    ) -> Result<(), ClientError> {
        tokio::select! {
            ended = self.watch_on(session, tell) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }

    async fn watch_on(
        &mut self,
        session: &mut Session,
        mut tell: impl FnMut(&Banks, &str) -> Result<bool, ClientError>,
    ) -> Result<(), ClientError> {
        let mut events = Events::default();
        let mut heard = Instant::now();
        loop {
            let mut has_session = false;
            for place in self.places(&Request::get(ARRIVALS)) {
                match self.stand_at(place, session, &events).await? {
                    None => self.remark_silence(place, texts::NO_SESSION),
                    Some(Err(silence)) => {
                        has_session = true;
                        self.remark_silence(place, &silence.why);
                    }
                    Some(Ok(stream)) => {
                        has_session = true;
                        self.current = place;
                        if self.follow(stream, &mut events, &mut tell).await? {
                            return Ok(());
                        }
                        heard = Instant::now();
                        self.screen.remark(Tone::Remark, &texts::watch_cut(&self.name(place)));
                    }
                }
            }
            if !has_session {
                return Err(ClientError::Usage(texts::LOG_IN_FIRST.to_owned()));
            }
            if heard.elapsed() + ROUND_PAUSE > self.patience.outcome {
                let descript = texts::NO_BANK_ANSWERS.to_owned();
                return Err(ClientError::NoAnswer { descript, may_have_effect: false, key: None });
            }
            actix_rt::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// Opens the stream at one bank; `None` where there is no session and none can be begun.
    async fn stand_at(
        &self,
        place: usize,
        session: &mut Session,
        events: &Events,
    ) -> Result<
        Option<Result<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>, Silence>>,
        ClientError,
    > {
        let url = &self.list[place].url;
        let mut fresh = false;
        loop {
            if session.token(url).is_none() {
                match self.log_in_at(place, session).await? {
                    Step::Heard(Ok(_)) => fresh = true,
                    Step::Heard(Err(silence)) => return Ok(Some(Err(silence))),
                    Step::NoSession => return Ok(None),
                }
            }
            let asking = self.asking(session.token(url));
            match stand(&self.clients, url, asking, events.name.as_deref()).await {
                Ok(Stood::Stream(stream)) => return Ok(Some(Ok(stream))),
                // The session has ended, as all sessions do when the bank's process ends.
                Ok(Stood::Answer(answer)) if answer.status == 401 && !fresh => {
                    session.end(url);
                }
                Ok(Stood::Answer(answer)) => return Err(ClientError::Refused(answer.descript())),
                Err(silence) => return Ok(Some(Err(silence))),
            }
        }
    }

    /// Reads a stream to its end; returns whether `tell` has enough.
    async fn follow(
        &self,
        mut stream: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
        events: &mut Events,
        tell: &mut impl FnMut(&Banks, &str) -> Result<bool, ClientError>,
    ) -> Result<bool, ClientError> {
        // What a broken connection left unfinished comes again.
        events.rest.clear();
        let mut begins = true;
        while let Ok(Some(Ok(piece))) = actix_rt::time::timeout(SILENCE_MAX, stream.next()).await {
            let Some(said) = events.take(&piece) else { break };
            // The first piece has the name: from now on nothing is missed.
            if std::mem::take(&mut begins) {
                let name = self.name(self.current);
                self.screen.remark(Tone::Remark, &texts::watching(&name));
            }
            for said in said {
                if tell(self, &said)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn remark_silence(&self, place: usize, why: &str) {
        self.tell_silence(place, None, why, &Request::get(ARRIVALS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "id: 0-1:1\n\n: \n\ndata: {\"a\":1}\n\ndata: {\"ç\":2}\nid: 0-1:3\n\ndata: {";
        for size in 1..text.len() {
            let mut events = Events::default();
            let pieces = text.as_bytes().chunks(size);
            let said: Vec<_> = pieces.flat_map(|piece| events.take(piece).unwrap()).collect();
            assert_eq!(said, ["{\"a\":1}", "{\"ç\":2}"], "{size}");
            assert_eq!(events.name.as_deref(), Some("0-1:3"), "{size}");
        }
        assert!(Events::default().take(&[b'x'; EVENT_BYTES_MAX + 1]).is_none());
    }
}

//! The connection to one peer, as its sender sees it: how much is under way on it, what of that the
//! peer has confirmed, and when it counts as broken.
//!
//! What is sent is not answered frame by frame. Now and then a *probe* follows the frames; the peer
//! echoes it once it has processed everything that came before, so one echo confirms all of that.
//! Until then the frames count as under way, and so much may be under way that any near or distant
//! peer is kept busy, but no more: that is all that a slow or deaf peer costs. A connection whose
//! probe has no echo in time is given up, whatever the operating system thinks of it: after a
//! silent cut, both sides would otherwise believe in it for a long time.

use std::collections::VecDeque;

use super::time::Millis;

/// The most frames under way on a connection.
pub(crate) const FRAMES_MAX: u64 = 256;
/// The most bytes under way on a connection, and one frame more.
pub(crate) const BYTES_MAX: u64 = 2 * 1024 * 1024;
/// After how many frames a probe follows at once,
pub(crate) const PROBE_FRAMES: u64 = FRAMES_MAX / 4;
/// or after how many bytes,
pub(crate) const PROBE_BYTES: u64 = BYTES_MAX / 32;
/// or how long after the first frame that no probe has followed yet, in milliseconds.
pub(crate) const PROBE_AFTER_MS: Millis = 200;
/// How long a peer may take to echo a probe, and a connection to open, in milliseconds.
pub const ANSWER_WITHIN_MS: Millis = 3_000;

/// An amount of what has been sent on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    frames: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Since this time.
    Opening(Millis),
    Open,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// Everything that it confirms.
    through: Sent,
    left_at: Millis,
}

/// The connections to one peer, one after the other.
#[derive(Debug)]
pub(crate) struct Line {
    /// Number of the connection, or of the last one.
    number: u64,
    state: State,
    sent: Sent,
    confirmed: Sent,
    probes: VecDeque<Probe>,
    /// When the first frame left that no probe has followed.
    unprobed_since: Option<Millis>,
    /// Whether the next probe is not to wait.
    is_hurried: bool,
}

impl Line {
    /// No connection yet.
    pub(crate) fn new() -> Self {
        Line {
            number: 0,
            state: State::Closed,
            sent: Sent::default(),
            confirmed: Sent::default(),
            probes: VecDeque::new(),
            unprobed_since: None,
            is_hurried: false,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The number of the connection, or of the last one.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether this is the connection that is open or being opened.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.number == number && self.state != State::Closed
    }

    /// How many frames have left on this connection.
    pub(crate) fn frames(&self) -> u64 {
        self.sent.frames
    }

    /// Whether the peer has confirmed everything.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_closed() || self.sent == self.confirmed
    }

    /// Whether one more frame may leave.
    pub(crate) fn has_room(&self) -> bool {
        self.is_open()
            && self.sent.frames - self.confirmed.frames < FRAMES_MAX
            && self.sent.bytes - self.confirmed.bytes < BYTES_MAX
    }

    /// A further connection is to be opened; returns its number.
    pub(crate) fn open(&mut self, now: Millis) -> u64 {
        *self = Line { number: self.number + 1, state: State::Opening(now), ..Line::new() };
        self.number
    }

    pub(crate) fn opened(&mut self) {
        self.state = State::Open;
    }

    /// The connection is of no use any more. Returns for how long something on it had waited for
    /// an answer, if anything had.
    pub(crate) fn end(&mut self, now: Millis) -> Option<Millis> {
        let probe = self.probes.front().map(|probe| probe.left_at);
        let since = match self.state {
            State::Opening(since) => Some(since),
            _ => probe.or(self.unprobed_since),
        };
        self.state = State::Closed;
        self.probes.clear();
        self.unprobed_since = None;
        since.map(|since| now.saturating_sub(since))
    }

    /// A frame leaves; returns the number of the connection.
    pub(crate) fn send(&mut self, bytes: u64, now: Millis) -> u64 {
        self.sent.frames += 1;
        self.sent.bytes += bytes;
        self.unprobed_since.get_or_insert(now);
        self.number
    }

    /// When a probe is to leave, if nothing else does.
    pub(crate) fn probes_at(&self) -> Option<Millis> {
        let since = self.unprobed_since.filter(|_| self.is_open())?;
        let probed = self.probes.back().map_or(self.confirmed, |probe| probe.through);
        // The first frames on a connection show at once whether it carries anything.
        let at_once = probed.frames == 0
            || self.sent.frames - probed.frames >= PROBE_FRAMES
            || self.sent.bytes - probed.bytes >= PROBE_BYTES;
        Some(if at_once || self.is_hurried { 0 } else { since + PROBE_AFTER_MS })
    }

    /// The next probe is not to wait.
    pub(crate) fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// A probe leaves; returns the number of the connection and of the last frame before it.
    pub(crate) fn probe(&mut self, now: Millis) -> (u64, u64) {
        self.probes.push_back(Probe { through: self.sent, left_at: now });
        self.unprobed_since = None;
        self.is_hurried = false;
        (self.number, self.sent.frames)
    }

    /// The peer has processed so many frames of this connection.
    pub(crate) fn confirm(&mut self, frames: u64) {
        while let Some(probe) = self.probes.front().filter(|probe| probe.through.frames <= frames) {
            self.confirmed = probe.through;
            self.probes.pop_front();
        }
    }

    /// When the connection counts as broken unless the peer answers until then.
    pub(crate) fn breaks_at(&self) -> Option<Millis> {
        let since = match self.state {
            State::Opening(since) => since,
            State::Open => self.probes.front()?.left_at,
            State::Closed => return None,
        };
        Some(since + ANSWER_WITHIN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Line {
        let mut line = Line::new();
        line.open(0);
        line.opened();
        line
    }

    #[test]
    fn the_first_frame_is_probed_at_once_and_later_ones_after_a_while() {
        let mut line = open();
        line.send(10, 5);
        assert_eq!(line.probes_at(), Some(0));
        assert_eq!(line.probe(5), (1, 1));
        assert_eq!(line.probes_at(), None);
        line.send(10, 20);
        line.send(10, 30);
        assert_eq!(line.probes_at(), Some(20 + PROBE_AFTER_MS));
        assert!(!line.is_idle());
        line.probe(20 + PROBE_AFTER_MS);
        line.confirm(3);
        assert!(line.is_idle());
    }

    #[test]
    fn no_more_than_the_bound_is_under_way_and_probes_follow_before_it_is_reached() {
        let (mut line, mut probes) = (open(), 0);
        while line.has_room() {
            line.send(10, 0);
            if line.probes_at() == Some(0) {
                line.probe(0);
                probes += 1;
            }
        }
        assert_eq!((line.frames(), probes), (FRAMES_MAX, 4));
        line.confirm(PROBE_FRAMES);
        assert!(line.has_room());

        let mut line = open();
        while line.has_room() {
            line.send(BYTES_MAX / 3, 0);
        }
        assert_eq!(line.frames(), 4);
        line.confirm(4);
        assert!(!line.has_room(), "only what a probe followed can be confirmed");
    }

    #[test]
    fn a_connection_whose_probe_has_no_echo_breaks() {
        let mut line = open();
        assert_eq!(line.breaks_at(), None, "an idle one lasts");
        line.send(10, 7);
        line.probe(7);
        assert_eq!(line.breaks_at(), Some(7 + ANSWER_WITHIN_MS));
        assert_eq!(line.end(1_007), Some(1_000));
        assert!(line.is_idle() && line.is_closed() && !line.is_current(1));
        assert_eq!(line.open(2_000), 2);
        assert_eq!(line.breaks_at(), Some(2_000 + ANSWER_WITHIN_MS));
    }

    #[test]
    fn a_peer_that_confirms_what_was_never_sent_confirms_what_was() {
        let mut line = open();
        line.send(10, 0);
        line.probe(0);
        line.confirm(u64::MAX);
        assert!(line.is_idle());
        line.send(10, 0);
        assert!(!line.is_idle());
    }
}

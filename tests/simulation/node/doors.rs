//! What comes to a process from outside: customers, timers, other banks.

use super::*;

/// Everything that comes from outside.
impl Process {
    pub(crate) fn submit(&mut self, request: RawRequest) {
        self.put(Part::Http, Part::Clock, Post::Effect(Effect::Clock(ClockInput::Submit(request))));
    }

    pub(crate) fn tick(&mut self, wall_ms: i64, now_us: u64) {
        let own = HeartbeatInput::OwnClock { wall_ms, at: self.now_ms(now_us) };
        self.put(Part::Timers, Part::Heartbeat, Post::Effect(Effect::Heartbeat(own)));
        self.put(Part::Timers, Part::Clock, Post::Effect(Effect::Clock(ClockInput::Tick)));
        self.put(Part::Timers, Part::Buffer, Post::Effect(Effect::Buffer(BufferInput::Tick)));
        self.put(Part::Timers, Part::Checks, Post::Effect(Effect::Checks(ChecksInput::Tick)));
        self.put(Part::Timers, Part::View, Post::Effect(Effect::View(ViewInput::Tick)));
        self.put(
            Part::Timers,
            Part::Heartbeat,
            Post::Effect(Effect::Heartbeat(HeartbeatInput::Tick)),
        );
        self.put(Part::Timers, Part::Heartbeat, Post::Word(ConfirmationInput::Tick));
    }

    pub(crate) fn lazy_flush(&mut self) {
        self.put(Part::Timers, Part::Journal, Post::LazyFlush);
    }

    pub(crate) fn wake_clock(&mut self) {
        self.put(Part::Timers, Part::Clock, Post::Effect(Effect::Clock(ClockInput::Tick)));
    }

    pub(crate) fn wake(&mut self, peer: BankId) {
        self.queue_pump(peer);
    }

    /// A ping is answered by the view itself.
    pub(crate) fn report(&self, now_us: u64) -> PeerReport {
        PeerReport { health: self.heartbeat.health(self.now_ms(now_us)), ..self.view.report() }
    }

    /// What it says about itself to every bank that it meets.
    pub(crate) fn hello(&self) -> Arc<netbanking::config::Settings> {
        Arc::clone(&self.hello)
    }

    /// Takes a ping, or says why not, as `actors/heartbeat/answers.rs` does. A connection that this
    /// process does not know belonged to an earlier process, and the machine refuses it without a
    /// word.
    pub(crate) fn welcome(
        &mut self,
        from: BankId,
        hello: Option<Arc<netbanking::config::Settings>>,
        life: u64,
    ) -> Result<(), String> {
        if let Some(hello) = hello {
            match self.hello.difference(self.settings.me, &hello, from) {
                Some(difference) => return Err(difference),
                None => self.introduced[from.index()] = Some(life),
            }
        }
        if self.introduced[from.index()] == Some(life) { Ok(()) } else { Err(String::new()) }
    }

    pub(crate) fn pulse(&mut self, input: HeartbeatInput) {
        self.put(Part::Http, Part::Heartbeat, Post::Effect(Effect::Heartbeat(input)));
    }

    pub(crate) fn view_message(&mut self, from: BankId, mut message: ViewMessage) {
        prove(message.events_mut());
        // Each message is a request of its own, and requests overtake each other on the way
        // already.
        self.put(
            Part::Http,
            Part::View,
            Post::Effect(Effect::View(ViewInput::Message(from, message))),
        );
    }

    /// Whether it is a large answer that nobody waits for: the real door throws it away.
    pub(crate) fn is_unasked(&self, from: BankId, message: &ViewMessage) -> bool {
        message.bulk().is_some_and(|bulk| !self.view.wants(from, bulk))
    }

    /// Something arrives on a connection that a peer has opened; returns whether it is known here.
    pub(crate) fn on_line(&mut self, from: BankId, line: LineId, what: OnLine) -> bool {
        let post = match what {
            OnLine::Open => {
                self.incoming.insert((from, line), 0);
                return true;
            }
            OnLine::Frame(mut parcel) => {
                prove(parcel.envelope.events.iter_mut());
                Post::Frame(from, line, parcel)
            }
            OnLine::Probe(frames) => Post::Probe(from, line, frames),
            _ => unreachable!("a peer does not answer on a connection of its own"),
        };
        let is_known = self.incoming.contains_key(&(from, line));
        if is_known {
            self.put(Part::Link(from), Part::Buffer, post);
        }
        is_known
    }

    /// The connections that a peer has opened to this process.
    pub(crate) fn incoming(&self) -> impl Iterator<Item = (BankId, LineId)> {
        self.incoming.keys().copied()
    }

    /// What has become of something that a link of this process has sent.
    pub(crate) fn delivered(&mut self, peer: BankId, delivery: Delivery, now_us: u64) {
        let now = self.now_ms(now_us);
        self.outbox(peer).delivered(delivery, now);
        self.queue_pump(peer);
    }

    /// How a message about views fared.
    pub(crate) fn fared(&mut self, peer: BankId, arrived: bool, waited: Millis) {
        self.outbox(peer).fared(arrived, waited);
        self.queue_pump(peer);
    }
}

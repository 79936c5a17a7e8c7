//! What lies between the banks: messages are late, lost, repeated and overtake each other; links
//! are cut in one direction or in both, wholly or only for heartbeats or only for everything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use netbanking::config::Settings;
use netbanking::ids::BankId;
use netbanking::protocol::outbox::Parcel;
use netbanking::protocol::report::PeerReport;
use netbanking::protocol::view::ViewMessage;

use super::random::Random;

/// How long a machine needs to say that no process listens there.
pub(crate) const REFUSAL_US: u64 = 300;

/// The bytes of a request or an answer apart from its content.
const HEAD_BYTES: u64 = 300;

/// What travels between banks. The asker's life and a number identify a question, and the question
/// that an answer belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// Travels on a connection, behind what was sent there before.
    OnLine(LineId, OnLine),
    View {
        message: Box<ViewMessage>,
        life: u64,
        number: u64,
    },
    /// A message about views has arrived.
    ViewTaken {
        life: u64,
        number: u64,
    },
    Ping {
        /// The first ping on a connection follows the asker's introduction: its settings.
        hello: Option<Arc<Settings>>,
        life: u64,
        number: u64,
    },
    Pong {
        report: PeerReport,
        /// What the answerer's wall clock says, in Unix milliseconds.
        wall_ms: i64,
        life: u64,
        number: u64,
    },
    /// The answer to a ping that no process has heard.
    Refused {
        life: u64,
        number: u64,
    },
    /// The process at the other end has ended, and its machine closes its connections.
    Closed,
}

/// The connection that a process opened to a peer: its life and the number of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineId {
    pub(crate) life: u64,
    pub(crate) line: u64,
}

/// What travels on a connection for envelopes.
#[derive(Clone, Debug)]
pub(crate) enum OnLine {
    /// To the peer: the request to open it, an envelope, a probe behind so many of them.
    Open,
    Frame(Parcel),
    Probe(u64),
    /// Back: it is open, the echo of a probe, an envelope that was not taken.
    Opened,
    Echo(u64),
    NotTaken {
        frame: u64,
        expected: u64,
    },
    /// Back: nobody listens there, or not any more.
    Reset,
}

impl OnLine {
    fn goes_back(&self) -> bool {
        !matches!(self, OnLine::Open | OnLine::Frame(_) | OnLine::Probe(_))
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// When the last thing sent on it arrives.
    last_us: u64,
    /// Whether nothing sent on it from now on arrives any more.
    is_broken: bool,
}

impl Message {
    fn wire(&self) -> Wire {
        match self {
            Message::OnLine(..) => Wire::Requests,
            Message::View { .. } | Message::ViewTaken { .. } => Wire::Requests,
            _ => Wire::Heartbeat,
        }
    }

    /// Whether it has a connection of its own, and roughly how many bytes it is.
    fn size(&self) -> (bool, u64) {
        let bytes = match self {
            Message::View { message, .. } => {
                serde_json::to_string(message).expect("views speak JSON").len()
            }
            // What is not a request of its own has a small head.
            Message::OnLine(_, OnLine::Frame(parcel)) => {
                return (false, parcel.bytes());
            }
            Message::OnLine(..) => return (false, 10),
            _ => 0,
        };
        let is_bulk = matches!(self, Message::View { message, .. } if message.bulk().is_some());
        (is_bulk, HEAD_BYTES + bytes as u64)
    }

    /// A number for the trace's hash.
    pub(crate) fn code(&self) -> u64 {
        match self {
            Message::OnLine(_, what) if what.goes_back() => 2,
            Message::OnLine(..) => 1,
            Message::View { .. } => 3,
            Message::Ping { .. } => 4,
            Message::Pong { .. } => 5,
            Message::Refused { .. } => 6,
            Message::Closed => 7,
            Message::ViewTaken { .. } => 8,
        }
    }
}

/// The two ports at which banks reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Requests = 0,
    Heartbeat = 1,
}

/// How bad the network is; drawn once a seed.
#[derive(Clone, Copy, Debug)]
struct Weather {
    delay_min_us: u64,
    delay_max_us: u64,
    lost_per_mille: u64,
    repeated_per_mille: u64,
    late_per_mille: u64,
    late_max_us: u64,
}

#[derive(Debug)]
pub(crate) struct Network {
    banks: usize,
    weather: Weather,
    /// Per direction and wire, how many cuts are in force.
    cuts: Vec<u32>,
    /// Per direction, how much longer every message takes.
    slow_us: Vec<u64>,
    /// Per direction, how many bytes of requests it carries in a second; 0 is without limit.
    rates: Vec<u64>,
    /// Per direction, until when it is busy, with large answers and with everything else: large
    /// answers have a connection of their own.
    taken_until_us: Vec<[u64; 2]>,
    /// Per direction of banks, the connections that were opened, in both directions.
    streams: Vec<BTreeMap<LineId, [Stream; 2]>>,
    /// How many connections broke without a word.
    pub(crate) broken: u64,
    /// How many messages were lost, repeated and late.
    pub(crate) troubles: [u64; 3],
}

/// A network that behaves as networks mostly do.
const FAIR: Weather = Weather {
    delay_min_us: 100,
    delay_max_us: 2_000,
    lost_per_mille: 0,
    repeated_per_mille: 0,
    late_per_mille: 0,
    late_max_us: 1,
};

impl Network {
    pub(crate) fn new(banks: usize, random: &mut Random) -> Self {
        let weather = if random.per_mille(150) {
            FAIR
        } else {
            let often =
                |random: &mut Random, most| if random.coin() { 0 } else { random.skewed(1, most) };
            Weather {
                delay_min_us: random.skewed(50, 5_000),
                delay_max_us: 5_000 + random.skewed(500, 60_000),
                lost_per_mille: often(random, 100),
                repeated_per_mille: often(random, 100),
                late_per_mille: often(random, 100),
                late_max_us: random.skewed(50_000, 5_000_000),
            }
        };
        let directions = banks * banks;
        Network {
            banks,
            weather,
            cuts: vec![0; directions * 2],
            slow_us: vec![0; directions],
            rates: vec![0; directions],
            taken_until_us: vec![[0; 2]; directions],
            streams: vec![BTreeMap::new(); directions],
            broken: 0,
            troubles: [0; 3],
        }
    }

    fn direction(&self, from: BankId, to: BankId) -> usize {
        from.index() * self.banks + to.index()
    }

    pub(crate) fn cut(&mut self, from: BankId, to: BankId, wire: Wire) {
        let direction = self.direction(from, to);
        self.cuts[direction * 2 + wire as usize] += 1;
    }

    pub(crate) fn uncut(&mut self, from: BankId, to: BankId, wire: Wire) {
        let direction = self.direction(from, to);
        let cuts = &mut self.cuts[direction * 2 + wire as usize];
        *cuts = cuts.saturating_sub(1);
    }

    pub(crate) fn set_slow(&mut self, from: BankId, to: BankId, slow_us: u64) {
        let direction = self.direction(from, to);
        self.slow_us[direction] = slow_us;
    }

    /// All lines from and to a bank carry this many bytes a second.
    pub(crate) fn set_rate(&mut self, bank: BankId, rate: u64) {
        for other in BankId::all(self.banks) {
            for (from, to) in [(bank, other), (other, bank)] {
                let direction = self.direction(from, to);
                self.rates[direction] = rate;
            }
        }
    }

    /// How long a message waits for its turn on the line and then occupies it.
    pub(crate) fn line_us(
        &mut self,
        from: BankId,
        to: BankId,
        message: &Message,
        now_us: u64,
    ) -> u64 {
        let direction = self.direction(from, to);
        let rate = self.rates[direction];
        if rate == 0 || message.wire() == Wire::Heartbeat {
            return 0;
        }
        // The two kinds share the line.
        let (is_bulk, bytes) = message.size();
        let until_us = &mut self.taken_until_us[direction][usize::from(is_bulk)];
        *until_us = now_us.max(*until_us) + bytes * 1_000_000 / (rate / 2).max(1);
        *until_us - now_us
    }

    /// Makes everything whole, with fair weather from now on.
    pub(crate) fn heal(&mut self) {
        self.weather = FAIR;
        self.cuts.fill(0);
        self.slow_us.fill(0);
        self.rates.fill(0);
    }

    /// How long each copy of a message takes; none when it is lost.
    pub(crate) fn delays(
        &mut self,
        from: BankId,
        to: BankId,
        message: &Message,
        random: &mut Random,
    ) -> [Option<u64>; 2] {
        let weather = self.weather;
        let wire = message.wire();
        if self.cuts[self.direction(from, to) * 2 + wire as usize] > 0 {
            return [None, None];
        }
        let is_lost = random.per_mille(weather.lost_per_mille);
        self.troubles[0] += u64::from(is_lost);
        let first = self.delay(from, to, random);
        match wire {
            // As with TCP: what is lost is sent again after a while.
            Wire::Heartbeat if is_lost => [Some(first + random.between(200_000, 2_000_000)), None],
            Wire::Heartbeat => [Some(first), None],
            Wire::Requests if is_lost => [None, None],
            Wire::Requests if random.per_mille(weather.repeated_per_mille) => {
                self.troubles[1] += 1;
                [Some(first), Some(self.delay(from, to, random))]
            }
            Wire::Requests => [Some(first), None],
        }
    }

    /// When something that travels on a connection arrives, if it does. The order is kept. What is
    /// lost is sent again after a while, as with TCP; but a cut, and sometimes bad weather, breaks
    /// the connection: nothing sent on it in this direction arrives any more, and nobody is told.
    pub(crate) fn arrival_us(
        &mut self,
        (from, to): (BankId, BankId),
        line: LineId,
        message: &Message,
        (now_us, random): (u64, &mut Random),
    ) -> Option<u64> {
        let Message::OnLine(_, what) = message else { unreachable!("it travels on a connection") };
        let back = what.goes_back();
        let of = if back { self.direction(to, from) } else { self.direction(from, to) };
        let is_cut = self.cuts[self.direction(from, to) * 2 + Wire::Requests as usize] > 0;
        let is_lost = random.per_mille(self.weather.lost_per_mille);
        let breaks = is_cut || (is_lost && random.per_mille(200));
        let mut delay_us = self.delay(from, to, random);
        if is_lost {
            self.troubles[0] += 1;
            delay_us += random.between(200_000, 2_000_000);
        }
        let streams = &mut self.streams[of];
        if matches!(what, OnLine::Open) {
            // Nobody remembers the connections of long ago.
            while streams.len() > 8 {
                streams.pop_first();
            }
            streams.insert(line, [Stream::default(); 2]);
        }
        let stream = &mut streams.get_mut(&line)?[usize::from(back)];
        self.broken += u64::from(breaks && !stream.is_broken);
        stream.is_broken |= breaks;
        if stream.is_broken {
            return None;
        }
        let line_us = self.line_us(from, to, message, now_us);
        let stream = &mut self.streams[of].get_mut(&line)?[usize::from(back)];
        stream.last_us = stream.last_us.max(now_us + delay_us + line_us);
        Some(stream.last_us)
    }

    fn delay(&mut self, from: BankId, to: BankId, random: &mut Random) -> u64 {
        let weather = &self.weather;
        let is_late = random.per_mille(weather.late_per_mille);
        self.troubles[2] += u64::from(is_late);
        let late = if is_late { random.below(weather.late_max_us) } else { 0 };
        random.between(weather.delay_min_us, weather.delay_max_us)
            + late
            + self.slow_us[self.direction(from, to)]
    }

    /// How long a request or an answer is under way between a customer and a bank; `None` when it
    /// is lost.
    pub(crate) fn customer_delay(&self, random: &mut Random) -> Option<u64> {
        let weather = &self.weather;
        let is_lost = random.per_mille(weather.lost_per_mille);
        let delay = random.between(weather.delay_min_us, weather.delay_max_us);
        (!is_lost).then_some(delay)
    }
}

//! What lies between the banks: messages are late, lost, repeated and overtake each other; links are cut in one
//! direction or in both.

use netbanking::protocol::effect::PeerReport;
use netbanking::protocol::ids::BankId;
use netbanking::protocol::outbox::{Delivery, Parcel};
use netbanking::protocol::view::ViewMessage;

use super::random::Random;

/// How a customer's or peer's own machine answers when no process listens: at once.
pub(crate) const REFUSAL_US: u64 = 300;

/// What travels between banks. Where an answer belongs to is said by the asker's `life` and `number`.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Envelope { parcel: Parcel, life: u64, era: u64, number: u64 },
    EnvelopeAnswer { delivery: Delivery, life: u64, era: u64, number: u64 },
    View(ViewMessage),
    Ping { life: u64, number: u64 },
    Pong { report: PeerReport, life: u64, number: u64 },
    /// The connection was refused or has closed.
    Closed,
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
    /// Per direction, whether nothing comes through.
    cut: Vec<bool>,
    /// Per direction, what every message takes longer.
    slow_us: Vec<u64>,
}

const FAIR: Weather = Weather {
    delay_min_us: 100,
    delay_max_us: 2_000,
    lost_per_mille: 0,
    repeated_per_mille: 0,
    late_per_mille: 0,
    late_max_us: 1,
};

impl Network {
    pub(crate) fn new(banks: usize, is_calm: bool, random: &mut Random) -> Self {
        let weather = if is_calm {
            FAIR
        } else {
            Weather {
                delay_min_us: random.skewed(50, 5_000),
                delay_max_us: 5_000 + random.skewed(500, 150_000),
                lost_per_mille: if random.coin() { 0 } else { random.skewed(1, 60) },
                repeated_per_mille: if random.coin() { 0 } else { random.skewed(1, 100) },
                late_per_mille: if random.coin() { 0 } else { random.skewed(1, 60) },
                late_max_us: random.skewed(50_000, 8_000_000),
            }
        };
        Network { banks, weather, cut: vec![false; banks * banks], slow_us: vec![0; banks * banks] }
    }

    fn direction(&self, from: BankId, to: BankId) -> usize {
        from.index() * self.banks + to.index()
    }

    pub(crate) fn set_cut(&mut self, from: BankId, to: BankId, is_cut: bool) {
        let direction = self.direction(from, to);
        self.cut[direction] = is_cut;
    }

    pub(crate) fn is_cut(&self, from: BankId, to: BankId) -> bool {
        self.cut[self.direction(from, to)]
    }

    pub(crate) fn set_slow(&mut self, from: BankId, to: BankId, slow_us: u64) {
        let direction = self.direction(from, to);
        self.slow_us[direction] = slow_us;
    }

    /// Everything whole, and fair weather from now on.
    pub(crate) fn heal(&mut self) {
        self.weather = FAIR;
        self.cut.fill(false);
        self.slow_us.fill(0);
    }

    /// How long each copy of a message takes; none when it is lost.
    pub(crate) fn delays(&self, from: BankId, to: BankId, random: &mut Random) -> Vec<u64> {
        let weather = &self.weather;
        if self.is_cut(from, to) || random.per_mille(weather.lost_per_mille) {
            return Vec::new();
        }
        let copies = if random.per_mille(weather.repeated_per_mille) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(from, to, random)).collect()
    }

    fn delay(&self, from: BankId, to: BankId, random: &mut Random) -> u64 {
        let weather = &self.weather;
        let late = if random.per_mille(weather.late_per_mille) { random.below(weather.late_max_us) } else { 0 };
        random.between(weather.delay_min_us, weather.delay_max_us) + late + self.slow_us[self.direction(from, to)]
    }

    /// As for TCP: what is lost is sent again after a while, unless the link is cut.
    pub(crate) fn delays_of_connection(&self, from: BankId, to: BankId, random: &mut Random) -> Option<u64> {
        if self.is_cut(from, to) {
            return None;
        }
        let again_us = if random.per_mille(self.weather.lost_per_mille) { random.between(200_000, 2_000_000) } else { 0 };
        Some(self.delay(from, to, random) + again_us)
    }

    /// Whether an answer to a customer is lost on the way.
    pub(crate) fn loses_answer(&self, random: &mut Random) -> bool {
        random.per_mille(self.weather.lost_per_mille)
    }
}

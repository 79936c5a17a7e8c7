//! Consortium time: what events are dated with. It rests on the clocks of all banks, not on one.
//!
//! Every clock that this bank reads, its own included, is kept as a *base*: what it says when this
//! bank's monotonic clock says zero. Consortium time is the median of the bases plus the monotonic
//! clock, so that a minority of wrong clocks moves nothing; of an even number the lower of the
//! middle two counts, so that of two banks the lower clock rules.
//!
//! A peer's clock is read over the network with an error of half the round trip (F. Cristian,
//! 'Probabilistic Clock Synchronization', 1989). A better reading is kept as long as a later one
//! does not contradict it; it grows uncertain with time. A reading that contradicts it means that
//! the clock was set, and counts at once. The reading of a peer that is no longer heard is kept for
//! [`REMEMBERED_MS`], so that when only two banks are left they know which of their clocks is
//! wrong.
//!
//! It hears what the heartbeat monitor hears, and tells the clock, the buffer's door and the people
//! who watch.

use super::effect::{BufferInput, ClockInput, Effect, HeartbeatInput};
use super::notice::Notice;
use super::report::Answered;
use super::time::Millis;
use crate::ids::request::AT_MS_MAX;
use crate::ids::{BankId, BankSet, majority};

/// How far a bank's clock may be from consortium time before every bank reports it, in
/// milliseconds.
pub(crate) const OFF_MS: i64 = 3_000;
/// How near it must come to count as right again, in milliseconds.
const RIGHT_AGAIN_MS: i64 = 2_000;
/// For how long a peer's clock counts after it was last read, in milliseconds: four hours.
pub(crate) const REMEMBERED_MS: Millis = 4 * 60 * 60 * 1_000;
/// A reading's error grows by one millisecond in every so many: far faster than clocks drift, so
/// that fresh readings soon win.
const DRIFT_ONE_IN: Millis = 20;
/// How far above the clocks of a majority an event may be dated and still be taken in, in
/// milliseconds.
pub(crate) const AHEAD_MAX_MS: i64 = 60_000;
/// The clock is told when consortium time has moved this far from what it was last told, in
/// milliseconds,
const TOLD_EVERY_MS: i64 = 20;
/// and the door when its limit has moved this far.
const LIMIT_TOLD_EVERY_MS: i64 = 1_000;

/// One clock as this bank has read it.
#[derive(Clone, Copy, Debug)]
struct Reading {
    base_ms: i64,
    error_ms: i64,
    at: Millis,
    /// When it was last confirmed.
    heard: Millis,
}

impl Reading {
    fn new(wall_ms: i64, round_trip: Millis, at: Millis) -> Self {
        let [round_trip_ms, at_ms] =
            [round_trip, at].map(|millis| i64::try_from(millis).unwrap_or(i64::MAX));
        let half_ms = round_trip_ms / 2;
        let base_ms = wall_ms.saturating_add(half_ms).saturating_sub(at_ms);
        Reading { base_ms, error_ms: half_ms.saturating_add(1), at, heard: at }
    }

    fn error_ms(&self, now: Millis) -> i64 {
        let aged = now.saturating_sub(self.at) / DRIFT_ONE_IN;
        self.error_ms.saturating_add(i64::try_from(aged).unwrap_or(i64::MAX))
    }

    /// The better of two readings of one clock.
    fn followed_by(self, next: Reading) -> Reading {
        let error_ms = self.error_ms(next.at);
        let apart_ms = self.base_ms.saturating_sub(next.base_ms).saturating_abs();
        let is_contradicted = apart_ms > error_ms.saturating_add(next.error_ms);
        if is_contradicted || next.error_ms <= error_ms {
            next
        } else {
            Reading { heard: next.heard, ..self }
        }
    }
}

/// What is known of one bank's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockState {
    /// How far it is ahead of consortium time, in milliseconds; `None` while it is not known.
    pub offset_ms: Option<i64>,
    /// Whether it is reported as wrong; when only two clocks are known and they differ, both are.
    pub is_off: bool,
}

/// The clocks of all banks.
#[derive(Debug)]
pub struct ConsortiumTime {
    me: BankId,
    readings: Vec<Option<Reading>>,
    /// Whose clocks have been reported as off.
    off: BankSet,
    /// Whether only two clocks are known, so that nobody can tell which is off.
    two: bool,
    /// What the clock was told last.
    told: Option<(i64, BankSet)>,
    /// What the door was told last.
    limit: Option<i64>,
}

impl ConsortiumTime {
    /// No clock read yet.
    #[must_use]
    pub fn new(me: BankId, banks: usize) -> Self {
        let readings = vec![None; banks];
        ConsortiumTime {
            me,
            readings,
            off: BankSet::default(),
            two: false,
            told: None,
            limit: None,
        }
    }

    /// Takes the heartbeat monitor's inputs; those that are not readings of a clock are ignored.
    pub fn handle(&mut self, input: HeartbeatInput, now: Millis, out: &mut Vec<Effect>) {
        let (bank, reading) = match input {
            HeartbeatInput::OwnClock { wall_ms, at } => (self.me, Reading::new(wall_ms, 0, at)),
            HeartbeatInput::Heard(bank, _, Answered { round_trip, wall_ms, at }) => {
                (bank, Reading::new(wall_ms, round_trip, at))
            }
            _ => return,
        };
        let known = &mut self.readings[bank.index()];
        *known = Some(known.map_or(reading, |known| known.followed_by(reading)));
        let is_remembered = |reading: &Reading| now.saturating_sub(reading.heard) < REMEMBERED_MS;
        self.readings.iter_mut().for_each(|known| *known = known.filter(is_remembered));
        self.tell_clock(out);
        self.tell_door(now, out);
        self.tell_people(now, out);
    }

    /// What is known of each bank's clock.
    #[must_use]
    pub fn states(&self) -> Vec<ClockState> {
        let median_ms = self.median().map(|median| median.base_ms);
        let state = |bank: BankId| {
            let offset_ms = self.readings[bank.index()]
                .zip(median_ms)
                .map(|(it, of)| it.base_ms.saturating_sub(of));
            ClockState { offset_ms, is_off: self.off.contains(bank) }
        };
        BankId::all(self.readings.len()).map(state).collect()
    }

    /// Consortium time, in Unix milliseconds, once any clock is known.
    #[must_use]
    pub fn now_ms(&self, now: Millis) -> Option<i64> {
        self.median().map(|median| at(median.base_ms, now))
    }

    fn known(&self) -> BankSet {
        BankId::all(self.readings.len())
            .filter(|bank| self.readings[bank.index()].is_some())
            .collect()
    }

    /// All known clocks, the slowest first.
    fn sorted(&self) -> Vec<Reading> {
        let mut sorted: Vec<_> = self.readings.iter().flatten().copied().collect();
        sorted.sort_by_key(|reading| reading.base_ms);
        sorted
    }

    fn median(&self) -> Option<Reading> {
        let sorted = self.sorted();
        sorted.len().checked_sub(1).map(|last| sorted[last / 2])
    }

    fn tell_clock(&mut self, out: &mut Vec<Effect>) {
        let Some(Reading { base_ms, .. }) = self.median() else { return };
        let known = self.known();
        let is_news = self.told.is_none_or(|(told_ms, told)| {
            told != known || base_ms.saturating_sub(told_ms).saturating_abs() >= TOLD_EVERY_MS
        });
        if is_news {
            self.told = Some((base_ms, known));
            out.push(Effect::Clock(ClockInput::Time { base_ms, known }));
        }
    }

    /// An event dated above the clocks of a majority of all banks is wrong, no matter which of
    /// those clocks is; a bank that knows fewer clocks cannot tell, and must not keep out what
    /// others are right to take in.
    fn tell_door(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let enough = self.sorted().get(majority(self.readings.len()) - 1).copied();
        let limit = enough.map(|reading| at(reading.base_ms, now).saturating_add(AHEAD_MAX_MS));
        let is_news = match (self.limit, limit) {
            (Some(told_ms), Some(ms)) => {
                ms.saturating_sub(told_ms).saturating_abs() >= LIMIT_TOLD_EVERY_MS
            }
            (told, new) => told != new,
        };
        if is_news {
            self.limit = limit;
            out.push(Effect::Buffer(BufferInput::LatestDate(limit)));
        }
    }

    fn tell_people(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let known = self.known();
        if self.two != (known.len() == 2) {
            // A third clock shows which of the two is off; without it, nobody can tell any more.
            self.two = known.len() == 2;
            self.off = BankSet::default();
        }
        if self.two {
            self.compare_two(known, now, out);
        } else {
            known.iter().for_each(|bank| self.compare(bank, now, out));
        }
        self.off = self.off.intersection(known);
    }

    /// One bank's clock against consortium time.
    fn compare(&mut self, bank: BankId, now: Millis, out: &mut Vec<Effect>) {
        let Some((reading, median)) = self.readings[bank.index()].zip(self.median()) else {
            return;
        };
        let by_ms = reading.base_ms.saturating_sub(median.base_ms);
        let error_ms = reading.error_ms(now).saturating_add(median.error_ms(now));
        if !self.off.contains(bank) && by_ms.saturating_abs().saturating_sub(error_ms) > OFF_MS {
            self.off.insert(bank);
            out.push(Effect::Notice(Notice::ClockOff { bank, by_ms }));
        } else if self.off.contains(bank) && by_ms.saturating_abs() <= RIGHT_AGAIN_MS {
            self.off.remove(bank);
            out.push(Effect::Notice(Notice::ClockRight(bank)));
        }
    }

    fn compare_two(&mut self, known: BankSet, now: Millis, out: &mut Vec<Effect>) {
        let mut two: Vec<_> = known
            .iter()
            .filter_map(|bank| self.readings[bank.index()].map(|reading| (bank, reading)))
            .collect();
        two.sort_by_key(|(_, reading)| reading.base_ms);
        let [(behind, low), (ahead, high)] = two[..] else { return };
        let by_ms = high.base_ms.saturating_sub(low.base_ms);
        let error_ms = low.error_ms(now).saturating_add(high.error_ms(now));
        if self.off.is_empty() && by_ms.saturating_sub(error_ms) > OFF_MS {
            self.off = known;
            out.push(Effect::Notice(Notice::ClocksDiffer { ahead, behind, by_ms }));
        } else if !self.off.is_empty() && by_ms <= RIGHT_AGAIN_MS {
            self.off = BankSet::default();
            out.push(Effect::Notice(Notice::ClocksAgree(behind, ahead)));
        }
    }
}

/// What a clock of this base says now, within the calendar.
#[must_use]
pub fn at(base_ms: i64, now: Millis) -> i64 {
    base_ms.saturating_add(i64::try_from(now).unwrap_or(i64::MAX)).clamp(0, AT_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::report::PeerReport;

    const TRUE_MS: i64 = 1_795_442_602_000;
    const HOUR_MS: i64 = 3_600_000;
    const YEARS_MS: i64 = 64 * 365 * 24 * HOUR_MS;

    /// What bank 0 sees of clocks that are each wrong by a given amount.
    struct Trial {
        time: ConsortiumTime,
        wrong_ms: Vec<i64>,
        now: Millis,
        notices: Vec<String>,
        told_ms: Option<i64>,
        limit_ms: Option<i64>,
    }

    impl Trial {
        fn new(wrong_ms: &[i64]) -> Self {
            let time = ConsortiumTime::new(BankId(0), wrong_ms.len());
            let wrong_ms = wrong_ms.to_vec();
            Trial { time, wrong_ms, now: 0, notices: Vec::new(), told_ms: None, limit_ms: None }
        }

        fn give(&mut self, input: HeartbeatInput) {
            let mut out = Vec::new();
            self.time.handle(input, self.now, &mut out);
            for effect in out {
                match effect {
                    Effect::Clock(ClockInput::Time { base_ms, .. }) => self.told_ms = Some(base_ms),
                    Effect::Buffer(BufferInput::LatestDate(limit)) => self.limit_ms = limit,
                    Effect::Notice(notice) => self.notices.push(notice.to_string()),
                    other => panic!("{other:?}"),
                }
            }
        }

        fn hear_with(&mut self, bank: usize, round_trip: Millis, late_ms: i64) {
            let late_ms = if bank == 0 { 0 } else { late_ms };
            let wall_ms =
                (TRUE_MS + self.now.cast_signed() - late_ms).saturating_add(self.wrong_ms[bank]);
            let at = self.now;
            self.give(match bank {
                0 => HeartbeatInput::OwnClock { wall_ms, at },
                _ => {
                    let answered = Answered { round_trip, wall_ms, at };
                    HeartbeatInput::Heard(BankId(bank as u16), PeerReport::default(), answered)
                }
            });
        }

        /// A second in which these banks are heard, over a line of 20 ms.
        fn second(&mut self, heard: &[usize]) {
            self.now += 1_000;
            heard.iter().for_each(|bank| self.hear_with(*bank, 20, 10));
        }

        /// How far consortium time is from the truth.
        fn error_ms(&self) -> i64 {
            let base_ms = self.told_ms.expect("a clock is known");
            assert!(
                base_ms.saturating_sub(self.time.median().unwrap().base_ms).saturating_abs()
                    < TOLD_EVERY_MS
            );
            at(base_ms, self.now) - TRUE_MS - self.now.cast_signed()
        }

        fn offsets_ms(&self) -> Vec<Option<i64>> {
            self.time.states().iter().map(|state| state.offset_ms).collect()
        }
    }

    #[test]
    fn a_minority_of_wrong_clocks_moves_nothing_whichever_way_they_go_and_each_is_named() {
        for wrong_ms in [
            HOUR_MS,
            -HOUR_MS,
            25 * HOUR_MS,
            -25 * HOUR_MS,
            YEARS_MS,
            -YEARS_MS,
            i64::MAX,
            i64::MIN,
        ] {
            for (banks, wrong) in
                [(3, vec![0]), (3, vec![2]), (5, vec![0, 1]), (5, vec![2, 4]), (4, vec![1])]
            {
                let mut clocks = vec![0; banks];
                wrong.iter().for_each(|bank| clocks[*bank] = wrong_ms);
                let mut trial = Trial::new(&clocks);
                let all: Vec<_> = (0..banks).collect();
                (0..5).for_each(|_| trial.second(&all));
                assert_eq!(trial.error_ms(), 0, "{wrong_ms} at {wrong:?} of {banks}");
                let off: Vec<_> =
                    (0..banks).filter(|bank| trial.time.states()[*bank].is_off).collect();
                assert_eq!(off, wrong);
            }
        }
    }

    #[test]
    fn of_two_banks_the_lower_clock_rules_and_both_are_named() {
        for (clocks, by) in [([0, 25 * HOUR_MS], "bank 1's"), ([25 * HOUR_MS, 0], "bank 0's")] {
            let mut trial = Trial::new(&clocks);
            trial.second(&[0, 1]);
            assert_eq!(trial.error_ms(), 0);
            assert_eq!(trial.notices.len(), 1, "{:?}", trial.notices);
            assert!(
                trial.notices[0].contains(by) && trial.notices[0].contains("25 h"),
                "{:?}",
                trial.notices
            );
            trial.wrong_ms = vec![0, 0];
            trial.second(&[0, 1]);
            assert_eq!(trial.notices.len(), 2, "{:?}", trial.notices);
        }
    }

    #[test]
    fn a_clock_that_is_set_while_running_is_named_once_and_again_when_it_is_right() {
        let mut trial = Trial::new(&[0, 0, 0]);
        (0..5).for_each(|_| trial.second(&[0, 1, 2]));
        assert!(trial.notices.is_empty());
        trial.wrong_ms[0] = -25 * HOUR_MS;
        (0..5).for_each(|_| trial.second(&[0, 1, 2]));
        assert_eq!((trial.notices.len(), trial.error_ms()), (1, 0), "{:?}", trial.notices);
        assert!(
            trial.notices[0].contains("bank 0's") && trial.notices[0].contains("behind"),
            "{:?}",
            trial.notices
        );
        trial.wrong_ms[0] = 0;
        (0..5).for_each(|_| trial.second(&[0, 1, 2]));
        assert_eq!(trial.notices.len(), 2, "{:?}", trial.notices);
        assert_eq!(trial.offsets_ms(), [Some(0); 3]);
    }

    #[test]
    fn two_remaining_banks_know_whose_clock_is_wrong_until_the_third_is_forgotten() {
        let mut trial = Trial::new(&[0, -25 * HOUR_MS, 0]);
        trial.second(&[0, 1, 2]);
        (0..60).for_each(|_| trial.second(&[0, 1]));
        assert_eq!(trial.error_ms(), 0);
        trial.now += REMEMBERED_MS;
        trial.second(&[0, 1]);
        assert_eq!(trial.error_ms(), -25 * HOUR_MS, "the lower rules");
    }

    #[test]
    fn a_slow_answer_does_not_spoil_a_good_reading_and_no_clock_is_blamed_for_the_line() {
        let mut trial = Trial::new(&[0, 0, 0]);
        trial.second(&[0, 1, 2]);
        for _ in 0..10 {
            trial.second(&[0]);
            // All of the round trip was spent on the way there, or on the way back.
            trial.hear_with(1, 8_000, 0);
            trial.hear_with(2, 8_000, 8_000);
        }
        assert!(trial.error_ms().abs() <= 100, "{}", trial.error_ms());
        assert!(trial.notices.is_empty(), "{:?}", trial.notices);
    }

    #[test]
    fn the_door_is_a_minute_above_the_clocks_of_a_majority_and_open_while_fewer_are_known() {
        let mut trial = Trial::new(&[0, 25 * HOUR_MS, 0]);
        trial.second(&[0]);
        assert_eq!(trial.limit_ms, None);
        trial.second(&[0, 1]);
        assert_eq!(
            trial.limit_ms,
            Some(TRUE_MS + trial.now.cast_signed() + 25 * HOUR_MS + AHEAD_MAX_MS)
        );
        trial.second(&[0, 1, 2]);
        assert_eq!(trial.limit_ms, Some(TRUE_MS + trial.now.cast_signed() + AHEAD_MAX_MS));
    }

    #[test]
    fn no_clock_takes_consortium_time_out_of_the_calendar() {
        for wall_ms in [i64::MIN, -1, i64::MAX] {
            let mut time = ConsortiumTime::new(BankId(0), 1);
            time.handle(HeartbeatInput::OwnClock { wall_ms, at: 0 }, 0, &mut Vec::new());
            for now in [0, 5, u64::MAX] {
                assert!((0..=AT_MS_MAX).contains(&time.now_ms(now).unwrap()));
            }
            let answered = Answered { round_trip: u64::MAX, wall_ms, at: u64::MAX };
            let mut two = ConsortiumTime::new(BankId(0), 2);
            for input in
                [HeartbeatInput::OwnClock { wall_ms: i64::MAX, at: 0 }, HeartbeatInput::Tick]
            {
                two.handle(input, 0, &mut Vec::new());
                two.handle(
                    HeartbeatInput::Heard(BankId(1), PeerReport::default(), answered),
                    9,
                    &mut Vec::new(),
                );
            }
        }
    }
}

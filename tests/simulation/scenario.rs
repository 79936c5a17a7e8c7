//! What a seed is about: how many banks, how patient, how much breaks and how often. Every seed
//! leaves some kinds of faults out, so that the others get their turn (A. Groce et al., 'Swarm
//! Testing', 2012).

use netbanking::ids::BankId;
use netbanking::protocol::heartbeat::Patience;
use netbanking::store::Snapshots;

use super::faults::{KINDS, Kind};
use super::random::Random;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) banks: usize,
    pub(crate) patience: Patience,
    pub(crate) ping_every_ms: u64,
    pub(crate) customers: usize,
    /// Longest pause of a customer between two requests.
    pub(crate) think_max_us: u64,
    /// How long the first phase lasts.
    pub(crate) chaos_us: u64,
    /// How much likelier one kind of fault is than another; 0 for those left out.
    pub(crate) weights: [u64; KINDS],
    /// Longest time between two faults.
    pub(crate) fault_gap_max_us: u64,
    /// How often a bank dies right after saying something about views.
    pub(crate) dies_in_view_change_per_mille: u64,
    /// The longest that a dead bank stays dead.
    pub(crate) dead_max_us: u64,
    /// The longest that one step of a process takes.
    pub(crate) step_max_us: u64,
    /// The longest that a disk usually needs for a commit.
    pub(crate) fsync_max_us: u64,
    /// When banks make snapshots.
    pub(crate) snapshots: Snapshots,
    /// How many positions' keys are sealed together.
    pub(crate) span: u64,
    /// The one bank whose clock may be wrong,
    pub(crate) clock_victim: BankId,
    /// or whether all clocks may be: then dates are not promised, only that no key is forgotten.
    pub(crate) clocks_of_many: bool,
    /// Whether only as many banks as needed are healed in the end.
    pub(crate) heals_only_some: bool,
    /// From how many members on acknowledgements are gathered.
    pub(crate) gather_from: usize,
}

/// After how many positions a snapshot is made beside the journal: in half of the runs never, in
/// the others all the time. Not drawn but made of what was, so that the draws of earlier seeds stay
/// what they were.
fn every(drawn: u64) -> u64 {
    if (drawn / 16).is_multiple_of(2) { 0 } else { 1 + drawn / 32 % 40 }
}

/// How many positions' keys are sealed together: in half of the runs as many as in earnest, which
/// is more than there are, in the others some dozens: each run is a piece of a snapshot, and one a
/// second is all that a slow disk takes. Not drawn, either.
fn span(drawn: u64) -> u64 {
    if (drawn / 8).is_multiple_of(2) { 1 << 16 } else { 32 + drawn / 64 % 32 }
}

impl Scenario {
    pub(crate) fn draw(banks: Option<usize>, random: &mut Random) -> Self {
        let drawn = if random.per_mille(15) {
            14
        } else {
            random.pick(&[1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7])
        };
        let banks = banks.unwrap_or(drawn);
        let failure_after = random.pick(&[300, 600, 1_000, 1_000, 5_000]);
        let rejoin_after = random.pick(&[0, 100, 300, failure_after]);
        let patience = Patience {
            failure_after,
            rejoin_after,
            slow_after: random.pick(&[200, 500, 500, 1_000]),
        };
        let mut weights = [0; KINDS];
        weights.iter_mut().for_each(|weight| {
            *weight = if random.per_mille(350) { 0 } else { random.between(1, 4) }
        });
        if random.coin() {
            weights[Kind::PowerCut as usize] = 0;
        }
        // Many banks send many messages: their seeds are shorter.
        let chaos_max = if banks > 7 { 6 * SECOND } else { 20 * SECOND };
        let mut scenario = Scenario {
            banks,
            patience,
            ping_every_ms: random.pick(&[50, 100, 200]).min(failure_after / 3),
            customers: random.between(1, 5) as usize,
            think_max_us: random.skewed(20 * MS, 2 * SECOND),
            chaos_us: random.between(3 * SECOND, chaos_max),
            weights,
            fault_gap_max_us: random.skewed(400 * MS, 8 * SECOND),
            dies_in_view_change_per_mille: if random.coin() { 0 } else { random.skewed(2, 60) },
            dead_max_us: random.skewed(200 * MS, 8 * SECOND),
            step_max_us: random.skewed(20, 2 * MS),
            fsync_max_us: random.skewed(100, 60 * MS),
            snapshots: Snapshots {
                journal_max: if random.coin() { 0 } else { random.skewed(2, 100) },
                every: 0,
            },
            span: 0,
            clock_victim: BankId(random.below(banks as u64) as u16),
            clocks_of_many: random.per_mille(250),
            heals_only_some: random.per_mille(300),
            gather_from: random.pick(&[2, 3, 5, 5, usize::MAX]),
        };
        scenario.snapshots.every = every(scenario.chaos_us);
        scenario.span = span(scenario.chaos_us);
        scenario
    }

    /// How long it may take, once everything is mended, until all are members again and every
    /// customer is served: a bank that was lost often is watched for longer.
    pub(crate) fn settles_within_us(&self) -> u64 {
        60 * SECOND + (self.patience.rejoin_after << 4) * MS
    }
}

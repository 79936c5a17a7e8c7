//! What can happen to a consortium: drawn from the seed, done, and undone.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::consortium::{Consortium, Shifts};
use crate::processes::clocks::RIGHT;
use crate::processes::links::{Passage, Port};
use crate::random::Random;

/// The longest SIGSTOP, and the longest time for which a bank limps.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// How long a limping bank sleeps and is awake.
const LIMP_SLEEPS: Duration = Duration::from_millis(4_200);
const LIMP_WAKES: Duration = Duration::from_millis(300);
/// The longest that any other fault lasts.
const FAULT_MAX: Duration = Duration::from_secs(9);
/// Longest time between two faults.
const QUIET_MAX: Duration = Duration::from_secs(4);
/// How long all banks may take to become members before a disk is emptied; if they take longer,
/// another fault happens instead.
const MEMBERS_WITHIN: Duration = Duration::from_secs(8);
/// How much longer a disk stays full while the bank has not ended: the store first uses up the
/// space that it had set aside.
const FULL_DISK_NOTICED_WITHIN: Duration = Duration::from_secs(8);
/// How long a write that began on a full disk may take to fail.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(1);
/// What wrong clocks are off by; those that are ahead come last.
const SHIFTS: [&str; 4] = ["-25h", "-64y", "+25h", "+64y"];

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// SIGKILL, and a new start.
    Kill(Vec<usize>),
    /// SIGSTOP and SIGCONT.
    Pause(Vec<usize>),
    /// No path between one bank and all others.
    Isolated(usize, Passage),
    /// No path between two banks, which both reach the others.
    Partial(usize, usize, Passage),
    /// No path from one bank to another.
    OneWay(usize, usize),
    /// A bank that nobody hears.
    Mute(usize),
    /// A bank that hears nobody.
    Deaf(usize),
    /// No path between these banks and the others.
    Split(Vec<usize>),
    /// Every chunk to and from a bank takes this long.
    Slow(usize, Duration),
    /// A bank that sleeps 4.2 of every 4.5 s.
    Limp(usize),
    /// All lines of a bank carry this many bytes a second.
    Narrow(usize, u32),
    /// Nobody reads what a bank logs.
    UnreadLog(usize),
    /// At one port, nothing that one bank says reaches the other, and no answer comes back; at the
    /// other port, and in the other direction, everything does.
    Port(usize, usize, Port),
    /// The wall clock of a bank jumps, and later back.
    Clock(usize, &'static str),
    FullDisk(usize),
    /// SIGKILL, and a new start with an empty folder.
    Wipe(usize),
}

impl Fault {
    pub(crate) fn kind(&self, banks: usize) -> &'static str {
        match self {
            Fault::Kill(several) if several.len() == banks => "all killed",
            Fault::Kill(several) if several.len() > 1 => "several killed",
            Fault::Kill(_) => "killed",
            Fault::Pause(several) if several.len() > 1 => "several paused",
            Fault::Pause(_) => "paused",
            Fault::Isolated(..) => "cut off",
            Fault::Partial(..) => "partial cut",
            Fault::OneWay(..) => "one-way cut",
            Fault::Mute(_) => "mute",
            Fault::Deaf(_) => "deaf",
            Fault::Split(_) => "split",
            Fault::Slow(..) => "slow links",
            Fault::Limp(_) => "limping",
            Fault::Narrow(..) => "narrow links",
            Fault::UnreadLog(_) => "unread log",
            Fault::Port(_, _, Port::Http) => "requests blocked",
            Fault::Port(..) => "heartbeats blocked",
            Fault::Clock(..) => "wrong clock",
            Fault::FullDisk(_) => "full disk",
            Fault::Wipe(_) => "wiped disk",
        }
    }

    fn draw(consortium: &Consortium, random: &mut Random) -> Fault {
        let banks = consortium.len();
        let bank = random.index(banks);
        let other = (bank + 1 + random.index(banks - 1)) % banks;
        let cut = if random.coin() { Passage::Held } else { Passage::Closed };
        let port = if random.coin() { Port::Http } else { Port::Heartbeat };
        match random.below(35) {
            0..4 => Fault::Kill(vec![bank]),
            4..6 => Fault::Kill(several(banks, random)),
            6 => Fault::Kill((0..banks).collect()),
            7..10 => Fault::Pause(vec![bank]),
            10 => Fault::Pause(several(banks, random)),
            11..13 => Fault::Isolated(bank, cut),
            13..15 => Fault::Partial(bank, other, cut),
            15 => Fault::OneWay(bank, other),
            16 => Fault::Mute(bank),
            17 => Fault::Deaf(bank),
            18 => Fault::Split(several(banks, random)),
            19 => Fault::Slow(bank, Duration::from_millis(20 + random.below(300))),
            24..27 => Fault::Port(bank, other, port),
            27..29 => Fault::Limp(bank),
            29..31 => Fault::Narrow(bank, 4_000 << random.below(5)),
            31..33 => Fault::UnreadLog(bank),
            33..35 => draw_jump(&consortium.shifts(), random),
            20..22 => consortium.small_disk().map_or(Fault::Kill(vec![bank]), Fault::FullDisk),
            _ => Fault::Wipe(bank),
        }
    }
}

/// Draws whose clocks are wrong in a run, for a while or the whole time: always those of less than
/// half of the banks, or nobody could tell the wrong clocks from the right ones.
pub(crate) fn draw_clocks(banks: usize, random: &mut Random) -> Shifts {
    let first = random.index(banks);
    let count = 1 + random.index((banks - 1) / 2);
    let shift = |next: usize, random: &mut Random| {
        if random.coin() { RIGHT } else { draw_shift(next, random) }
    };
    (0..count).map(|next| ((first + next) % banks, shift(next, random))).collect()
}

/// Of several wrong clocks only one may be ahead: if so many banks are away that a majority of the
/// rest have clocks that are ahead, these are believed.
fn draw_shift(next: usize, random: &mut Random) -> &'static str {
    SHIFTS[random.index(if next == 0 { SHIFTS.len() } else { SHIFTS.len() / 2 })]
}

fn draw_jump(shifts: &Shifts, random: &mut Random) -> Fault {
    let chosen = random.index(shifts.len());
    let (bank, _) = shifts.iter().nth(chosen).expect("below their number");
    Fault::Clock(*bank, draw_shift(chosen, random))
}

/// Two banks or more, and not all of them unless there are only two.
fn several(banks: usize, random: &mut Random) -> Vec<usize> {
    let first = random.index(banks);
    let count = (2 + random.index(banks - 2)).min(banks - 1).max(2);
    let mut chosen: Vec<_> = (0..count).map(|next| (first + next) % banks).collect();
    chosen.sort_unstable();
    chosen
}

/// Lets faults happen for a given time, some while others still last; returns their kinds.
pub(crate) async fn rage(
    consortium: &Rc<Consortium>,
    mut random: Random,
    run_lasts: Duration,
) -> Vec<&'static str> {
    let until = Instant::now() + run_lasts;
    let mut happened = Vec::new();
    let mut lasting = Vec::new();
    while Instant::now() < until {
        let mut fault = Fault::draw(consortium, &mut random);
        // If there were two at once, the end of the first would give the disk its space back.
        if let Fault::FullDisk(bank) = fault
            && consortium.disk_is_full(bank)
        {
            fault = Fault::Kill(vec![bank]);
        }
        if let Fault::Wipe(bank) = fault {
            // A consortium cannot do without a majority of disks that have everything on them.
            futures_util::future::join_all(lasting.drain(..)).await;
            if !consortium.wait_members(MEMBERS_WITHIN).await {
                consortium.note("not all banks are members: no disk is wiped now");
                fault = Fault::Kill(vec![bank]);
            }
        }
        let longest =
            if matches!(fault, Fault::Pause(_) | Fault::Limp(_)) { PAUSE_MAX } else { FAULT_MAX };
        // So several fit even into a short run.
        let longest = longest.min(run_lasts / 3);
        // Squaring makes short ones more frequent.
        let share = random.below(1_000) as f64 / 1_000.0;
        let lasts = longest.mul_f64(0.03 + 0.97 * share * share);
        let lasts = lasts
            .min(until.saturating_duration_since(Instant::now()))
            .max(Duration::from_millis(200));
        happened.push(fault.kind(consortium.len()));
        consortium.note(&format!(
            "{}: {fault:?} for {:.1} s",
            happened.last().unwrap(),
            lasts.as_secs_f64()
        ));
        let (seed, held) = (random.below(1 << 40), consortium.clone());
        let may_overlap = !matches!(fault, Fault::Wipe(_)) && random.below(3) == 0;
        let happening =
            actix_rt::spawn(async move { happen(&held, &fault, lasts, Random::new(seed)).await });
        if may_overlap {
            lasting.push(happening);
        } else {
            happening.await.unwrap();
        }
        let quiet = QUIET_MAX.min(run_lasts / 10).mul_f64(random.below(1_000) as f64 / 1_000.0);
        actix_rt::time::sleep(quiet.min(until.saturating_duration_since(Instant::now()))).await;
    }
    for happening in lasting {
        happening.await.unwrap();
    }
    happened
}

async fn happen(consortium: &Consortium, fault: &Fault, lasts: Duration, mut random: Random) {
    let links = &consortium.links;
    let others = |bank: usize| (0..consortium.len()).filter(move |other| *other != bank);
    match fault {
        Fault::Kill(banks) => {
            banks.iter().for_each(|bank| consortium.kill(*bank));
            actix_rt::time::sleep(lasts).await;
            start_again(consortium, banks, &mut random).await;
        }
        Fault::Pause(banks) => {
            banks.iter().for_each(|bank| consortium.pause(*bank));
            actix_rt::time::sleep(lasts).await;
            banks.iter().for_each(|bank| consortium.go_on(*bank));
        }
        Fault::Isolated(bank, cut) => {
            consortium.set_all(*bank, *cut, *cut);
            actix_rt::time::sleep(lasts).await;
            consortium.set_all(*bank, Passage::Open, Passage::Open);
        }
        Fault::Partial(one, other, cut) => {
            links.set_both(*one, *other, *cut);
            actix_rt::time::sleep(lasts).await;
            links.set_both(*one, *other, Passage::Open);
        }
        Fault::OneWay(from, to) => {
            links.set(*from, *to, Passage::Held);
            actix_rt::time::sleep(lasts).await;
            links.set(*from, *to, Passage::Open);
        }
        Fault::Mute(bank) => {
            consortium.set_all(*bank, Passage::Held, Passage::Open);
            actix_rt::time::sleep(lasts).await;
            consortium.set_all(*bank, Passage::Open, Passage::Open);
        }
        Fault::Deaf(bank) => {
            consortium.set_all(*bank, Passage::Open, Passage::Held);
            actix_rt::time::sleep(lasts).await;
            consortium.set_all(*bank, Passage::Open, Passage::Open);
        }
        Fault::Split(banks) => {
            let across =
                || banks.iter().flat_map(|one| others(*one).map(move |other| (*one, other)));
            let across = || across().filter(|(_, other)| !banks.contains(other));
            across().for_each(|(one, other)| links.set_both(one, other, Passage::Held));
            actix_rt::time::sleep(lasts).await;
            across().for_each(|(one, other)| links.set_both(one, other, Passage::Open));
        }
        Fault::Slow(bank, delay) => {
            consortium.set_all(*bank, Passage::Slow(*delay), Passage::Slow(*delay));
            actix_rt::time::sleep(lasts).await;
            consortium.set_all(*bank, Passage::Open, Passage::Open);
        }
        _ => happen_to_one(consortium, fault, lasts).await,
    }
}

/// What makes one bank ill.
async fn happen_to_one(consortium: &Consortium, fault: &Fault, lasts: Duration) {
    let links = &consortium.links;
    match fault {
        Fault::Limp(bank) => {
            let until = Instant::now() + lasts;
            consortium.set_limping(*bank, true);
            while Instant::now() < until {
                consortium.pause(*bank);
                actix_rt::time::sleep(LIMP_SLEEPS).await;
                consortium.go_on(*bank);
                actix_rt::time::sleep(LIMP_WAKES).await;
            }
            consortium.set_limping(*bank, false);
        }
        Fault::Narrow(bank, rate) => {
            consortium.set_all(*bank, Passage::Narrow(*rate), Passage::Narrow(*rate));
            actix_rt::time::sleep(lasts).await;
            consortium.set_all(*bank, Passage::Open, Passage::Open);
        }
        Fault::UnreadLog(bank) => {
            consortium.read_log(*bank, false);
            actix_rt::time::sleep(lasts).await;
            consortium.read_log(*bank, true);
        }
        Fault::Port(from, to, port) => {
            links.set_calls(*from, *to, *port, Passage::Held);
            actix_rt::time::sleep(lasts).await;
            links.set_calls(*from, *to, *port, Passage::Open);
        }
        Fault::Clock(bank, shift) => {
            consortium.set_clock(*bank, shift);
            actix_rt::time::sleep(lasts).await;
            consortium.reset_clock(*bank);
        }
        Fault::FullDisk(bank) => {
            consortium.fill_disk(*bank).await;
            actix_rt::time::sleep(lasts).await;
            let until = Instant::now() + FULL_DISK_NOTICED_WITHIN;
            while consortium.runs(*bank) && Instant::now() < until {
                actix_rt::time::sleep(Duration::from_millis(100)).await;
            }
            free(consortium, *bank).await;
        }
        Fault::Wipe(bank) => {
            consortium.wipe(*bank);
            actix_rt::time::sleep(lasts).await;
            consortium.start(*bank);
        }
        _ => unreachable!("what concerns several banks is done above"),
    }
}

/// Starts the banks again: all at once, or one after the other in any order.
async fn start_again(consortium: &Consortium, banks: &[usize], random: &mut Random) {
    let first = random.index(banks.len());
    let at_once = random.coin();
    for bank in banks.iter().cycle().skip(first).take(banks.len()) {
        consortium.start(*bank);
        if !at_once {
            actix_rt::time::sleep(Duration::from_millis(random.below(1_500))).await;
        }
    }
}

/// Gives a disk its space back. A process on a full disk may or may not have ended, or be about to;
/// where it has, a new one is started.
async fn free(consortium: &Consortium, bank: usize) {
    consortium.free_disk(bank);
    actix_rt::time::sleep(LAST_WRITE_WITHIN).await;
    consortium.notice_ends();
    if consortium.runs(bank) {
        consortium.note(&format!("bank {bank} has outlived its full disk"));
    }
    consortium.disk_is_well(bank);
    consortium.start(bank);
}

/// Undoes everything that may still be wrong.
pub(crate) async fn heal(consortium: &Consortium) {
    consortium.links.open_all();
    for bank in 0..consortium.len() {
        consortium.read_log(bank, true);
        consortium.go_on(bank);
        if consortium.disk_is_full(bank) {
            free(consortium, bank).await;
        }
        consortium.start(bank);
    }
}

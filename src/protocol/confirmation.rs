//! Whether a read at this bank is fresh: it shows every write that was answered anywhere before the
//! read began.
//!
//! Source: ReadIndex in D. Ongaro's thesis on Raft (2014), section 6.4. No clock is trusted, unlike
//! with a lease:
//!
//! ```text
//! read k arrives  ──▶ ask this bank's own ledger and all peers anew
//! enough answered, after they were asked: 'I act in view V'  ──▶ now read the ledger: fresh
//! ```
//!
//! 'Enough' means more banks than can lie outside a majority, this one included: such a set shares
//! a bank with every majority. Why that suffices, for a write that was answered before the read
//! began:
//!
//! - In `V`: every member had executed it before the answer, and so had this bank.
//! - In an earlier view: its members had executed it, each new view begins with the longest
//!   executed journal of a majority and the events that were held, and this bank's ledger has
//!   executed all of that before it says `V`.
//! - In a later view: it began only after a majority had promised it, hence before the answer. One
//!   of that majority is among those that said afterwards that they act in `V`; but a bank that has
//!   promised a later view, or was restarted, no longer acts in `V`.
//!
//! The proof relies on no disk, so a disk that forgets its promises does not break it. It holds
//! while the consortium grows and after a `rescue`: both need the promises of at least a majority
//! of all banks of `nodes.json`.
//!
//! A read that cannot be proved fresh in time is answered all the same and marked as possibly old.
//! While one proof is overdue nobody waits for the next, so a bank that is cut off answers its
//! customers at once.

use std::collections::VecDeque;

use super::time::Millis;
use crate::ids::{Ballot, BankId, majority};

/// The longest that a read waits for its proof, in milliseconds, unless the banks that are needed
/// are far away.
pub(crate) const PROOF_WITHIN_MS: Millis = 300;
/// The longest that it waits for banks that are far away.
pub(crate) const PROOF_WITHIN_MAX_MS: Millis = 2_000;

/// Number of a read; a later one has a higher number. The answer to a question proves all reads
/// that had begun before the question left.
pub type ReadNumber = u64;

/// What the confirmation is told.
#[derive(Clone, Copy, Debug)]
pub enum ConfirmationInput {
    /// A bank, perhaps this one, has answered in which view it acts.
    Answered {
        /// The bank.
        bank: BankId,
        /// The last read that had been asked for when the question left.
        through: ReadNumber,
        /// The view in which it acts.
        active: Option<Ballot>,
        /// How long the answer took.
        round_trip: Millis,
    },
    /// A bank cannot be asked now.
    Lost(BankId),
    /// Time has passed.
    Tick,
}

/// Whether a read is proved to be fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The read.
    pub read: ReadNumber,
    /// Whether it is proved; if not, it may be old.
    pub fresh: bool,
}

/// What a bank said last.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Whether it can be asked.
    reachable: bool,
    through: ReadNumber,
    active: Option<Ballot>,
    round_trip: Millis,
}

/// The proofs that reads wait for.
#[derive(Debug)]
pub struct Confirmation {
    me: BankId,
    /// The number of the last read.
    last_read: ReadNumber,
    words: Vec<Word>,
    /// Reads that wait, with the time at which they began to.
    waiting: VecDeque<(ReadNumber, Millis)>,
    /// The last read whose proof did not come in time, for as long as it is still missing.
    overdue: Option<ReadNumber>,
}

impl Confirmation {
    /// Nobody has said anything yet.
    #[must_use]
    pub fn new(me: BankId, banks: usize) -> Self {
        let mut words = vec![Word::default(); banks];
        words[me.index()].reachable = true;
        Confirmation { me, last_read: 0, words, waiting: VecDeque::new(), overdue: None }
    }

    /// The number of the last read: a question that leaves now proves all reads up to it.
    #[must_use]
    pub fn asked(&self) -> ReadNumber {
        self.last_read
    }

    /// A read begins. Its verdict is in `out` at once or comes later; either way all banks are to
    /// be asked anew.
    pub fn ask(&mut self, now: Millis, out: &mut Vec<Verdict>) -> ReadNumber {
        self.last_read += 1;
        if self.overdue.is_some() {
            out.push(Verdict { read: self.last_read, fresh: false });
        } else {
            self.waiting.push_back((self.last_read, now));
            self.decide(now, out);
        }
        self.last_read
    }

    /// Takes one input; see [`ConfirmationInput`].
    pub fn handle(&mut self, input: ConfirmationInput, now: Millis, out: &mut Vec<Verdict>) {
        match input {
            ConfirmationInput::Answered { bank, through, active, round_trip } => {
                self.words[bank.index()] = Word { reachable: true, through, active, round_trip };
            }
            ConfirmationInput::Lost(bank) => self.words[bank.index()].reachable = bank == self.me,
            ConfirmationInput::Tick => {}
        }
        self.decide(now, out);
    }

    /// How many banks share one with every majority.
    fn enough(&self) -> usize {
        self.words.len() - majority(self.words.len()) + 1
    }

    fn own(&self) -> Word {
        self.words[self.me.index()]
    }

    fn decide(&mut self, now: Millis, out: &mut Vec<Verdict>) {
        let proved = self.proved_through();
        if self.overdue.is_some_and(|read| read <= proved) {
            self.overdue = None;
        }
        let hopeless = self.hopeless_through();
        let began_before = now.saturating_sub(self.within());
        while let Some((read, since)) = self.waiting.front().copied() {
            let fresh = read <= proved;
            let too_late = since < began_before;
            // Verdicts come in the order of the reads, and nobody waits behind one whose proof is
            // overdue.
            if !fresh && !too_late && read > hopeless && self.overdue.is_none() {
                break;
            }
            if !fresh && too_late {
                self.overdue = Some(read);
            }
            self.waiting.pop_front();
            out.push(Verdict { read, fresh });
        }
    }

    /// The last read for which enough banks have said that they act in this bank's view.
    fn proved_through(&self) -> ReadNumber {
        let own = self.own();
        let agrees = |word: &&Word| own.active.is_some() && word.active == own.active;
        let proofs = self.words.iter().filter(agrees).map(|word| word.through).collect();
        // Without this bank's own answer the others' answers say nothing.
        nth_largest(proofs, self.enough()).min(own.through)
    }

    /// The last read that can no longer be proved, because too few banks are left that could do so.
    fn hopeless_through(&self) -> ReadNumber {
        let own = self.own();
        if own.active.is_none() {
            return own.through;
        }
        let disproof = |word: &Word| match word {
            _ if !word.reachable => Some(ReadNumber::MAX),
            _ if word.active != own.active => Some(word.through.min(own.through)),
            _ => None,
        };
        let disproofs = self.words.iter().filter_map(disproof).collect();
        nth_largest(disproofs, majority(self.words.len()))
    }

    /// How long a read waits. Where the banks that are needed are far away: twice their round trip,
    /// as another question may just be under way, and once more for good measure.
    fn within(&self) -> Millis {
        let peers = self
            .words
            .iter()
            .enumerate()
            .filter(|(bank, word)| *bank != self.me.index() && word.reachable);
        let mut round_trips: Vec<_> = peers.map(|(_, word)| word.round_trip).collect();
        round_trips.sort_unstable();
        let farthest = self
            .enough()
            .checked_sub(2)
            .and_then(|place| round_trips.get(place))
            .copied()
            .unwrap_or(0);
        PROOF_WITHIN_MS.max(3 * farthest).min(PROOF_WITHIN_MAX_MS)
    }
}

fn nth_largest(mut numbers: Vec<ReadNumber>, n: usize) -> ReadNumber {
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.get(n - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: BankId = BankId(0);

    fn view(round: u64) -> Option<Ballot> {
        Some(Ballot { round, coordinator: BankId(0) })
    }

    struct Reads {
        confirmation: Confirmation,
        now: Millis,
        verdicts: Vec<Verdict>,
    }

    impl Reads {
        /// All banks have just said that they act in view 1.
        fn of(banks: usize) -> Reads {
            let mut reads = Reads {
                confirmation: Confirmation::new(ME, banks),
                now: 1_000,
                verdicts: Vec::new(),
            };
            BankId::all(banks).for_each(|bank| reads.word(bank.0, 0, view(1)));
            reads
        }

        fn ask(&mut self) -> ReadNumber {
            self.confirmation.ask(self.now, &mut self.verdicts)
        }

        fn give(&mut self, input: ConfirmationInput) {
            self.confirmation.handle(input, self.now, &mut self.verdicts);
        }

        fn word(&mut self, bank: u16, through: ReadNumber, active: Option<Ballot>) {
            self.give(ConfirmationInput::Answered {
                bank: BankId(bank),
                through,
                active,
                round_trip: 1,
            });
        }

        fn pass(&mut self, millis: Millis) {
            self.now += millis;
            self.give(ConfirmationInput::Tick);
        }

        fn told(&mut self) -> Vec<(ReadNumber, bool)> {
            self.verdicts.drain(..).map(|verdict| (verdict.read, verdict.fresh)).collect()
        }
    }

    #[test]
    fn statements_made_before_a_read_began_prove_nothing_for_it() {
        let mut reads = Reads::of(3);
        let read = reads.ask();
        assert_eq!(reads.told(), []);
        reads.word(1, read - 1, view(1));
        reads.word(0, read, view(1));
        assert_eq!(reads.told(), [], "the answer is to a question that left before");
        reads.word(1, read, view(1));
        assert_eq!(reads.told(), [(read, true)]);
    }

    #[test]
    fn enough_banks_are_needed_to_overlap_with_every_majority() {
        for (banks, enough) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4)] {
            let mut reads = Reads::of(banks);
            let read = reads.ask();
            for bank in 0..banks {
                assert_eq!(reads.told(), [], "{bank} of {banks} suffice");
                reads.word(u16::try_from(bank).unwrap(), read, view(1));
                if bank + 1 == enough {
                    break;
                }
            }
            assert_eq!(reads.told(), [(read, true)], "{enough} of {banks} do not suffice");
        }
    }

    #[test]
    fn others_prove_nothing_without_this_banks_own_word() {
        let mut reads = Reads::of(3);
        let read = reads.ask();
        reads.word(1, read, view(1));
        reads.word(2, read, view(1));
        assert_eq!(reads.told(), []);
        reads.word(0, read, None);
        assert_eq!(reads.told(), [(read, false)], "it has promised another view, or is in none");
    }

    #[test]
    fn a_bank_in_no_view_or_another_proves_nothing_and_a_read_with_too_few_proofs_is_marked() {
        let mut reads = Reads::of(5);
        let read = reads.ask();
        reads.word(0, read, view(1));
        reads.word(1, read, view(1));
        reads.word(2, read, view(2));
        reads.word(3, read, None);
        assert_eq!(reads.told(), [], "one more could still say so");
        reads.give(ConfirmationInput::Lost(BankId(4)));
        assert_eq!(reads.told(), [(read, false)]);
    }

    #[test]
    fn a_bank_that_has_lost_all_peers_marks_reads_at_once_and_two_of_three_suffice() {
        let mut reads = Reads::of(3);
        reads.give(ConfirmationInput::Lost(BankId(1)));
        reads.give(ConfirmationInput::Lost(BankId(2)));
        let read = reads.ask();
        assert_eq!(reads.told(), [(read, false)]);
        reads.word(2, read, view(1));
        reads.word(0, read, view(1));
        let next = reads.ask();
        reads.word(0, next, view(1));
        reads.word(2, next, view(1));
        assert_eq!(reads.told(), [(next, true)]);
    }

    #[test]
    fn reads_that_come_while_a_question_is_under_way_share_the_next() {
        let mut reads = Reads::of(3);
        let first = reads.ask();
        let others: Vec<_> = (0..3).map(|_| reads.ask()).collect();
        reads.word(0, first, view(1));
        reads.word(1, first, view(1));
        assert_eq!(reads.told(), [(first, true)]);
        let through = reads.confirmation.asked();
        reads.word(0, through, view(1));
        reads.word(2, through, view(1));
        assert_eq!(reads.told(), others.iter().map(|read| (*read, true)).collect::<Vec<_>>());
    }

    #[test]
    fn a_missing_proof_marks_the_read_in_time_and_later_reads_do_not_wait_until_one_comes() {
        let mut reads = Reads::of(3);
        let read = reads.ask();
        reads.word(0, read, view(1));
        reads.pass(PROOF_WITHIN_MS);
        assert_eq!(reads.told(), []);
        let later = reads.ask();
        reads.pass(100);
        assert_eq!(reads.told(), [(read, false), (later, false)]);
        let next = reads.ask();
        assert_eq!(reads.told(), [(next, false)], "at once");
        reads.word(0, next, view(1));
        reads.word(1, next, view(1));
        let fresh = reads.ask();
        reads.word(0, fresh, view(1));
        reads.word(1, fresh, view(1));
        assert_eq!(reads.told(), [(fresh, true)]);
    }

    #[test]
    fn a_distant_bank_is_waited_for_only_when_nearer_ones_do_not_suffice() {
        let far = |reads: &mut Reads, bank, through| {
            reads.give(ConfirmationInput::Answered {
                bank: BankId(bank),
                through,
                active: view(1),
                round_trip: 300,
            });
        };
        let mut reads = Reads::of(3);
        far(&mut reads, 1, 0);
        far(&mut reads, 2, 0);
        let read = reads.ask();
        reads.word(0, read, view(1));
        reads.pass(700);
        assert_eq!(reads.told(), [], "a question was under way, and then its own");
        far(&mut reads, 2, read);
        assert_eq!(reads.told(), [(read, true)]);

        let mut reads = Reads::of(3);
        far(&mut reads, 2, 0);
        let read = reads.ask();
        reads.pass(PROOF_WITHIN_MS + 100);
        assert_eq!(reads.told(), [(read, false)], "the near one is the one that is needed");
    }
}

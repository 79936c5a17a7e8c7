//! Who hears whom: the largest clique of banks that all hear each other.
//!
//! Source: C. Bron, J. Kerbosch, 'Algorithm 457: finding all cliques of an undirected graph'
//! (1973), pruned where a branch cannot win any more.

use crate::ids::{BankId, BankSet};

/// The most branches that are followed. A consortium with one or two cut lines needs a handful;
/// beyond this limit, the best clique found so far will do.
const BRANCHES_MAX: usize = 10_000;

/// The largest clique with `me` in it; among equally large ones, the one with most of the first set
/// of `preferred`, then of the second, then with the lowest numbers. `hears` has a row for each
/// bank: whom it hears, itself included; an empty row means a bank that is absent.
pub(super) fn largest_clique(me: BankId, hears: &[BankSet], preferred: [BankSet; 2]) -> BankSet {
    let mutual = |bank: BankId| {
        let back = |peer: &BankId| hears.get(peer.index()).is_some_and(|row| row.contains(bank));
        hears
            .get(bank.index())
            .map(|row| row.iter().filter(back).collect::<BankSet>())
            .unwrap_or_default()
    };
    let mut search = Search {
        neighbours: BankId::all(hears.len()).map(mutual).collect(),
        preferred,
        best: BankSet::default().with(me),
        branches: 0,
    };
    let neighbours = search.neighbours[me.index()];
    let mut candidates = neighbours;
    candidates.remove(me);
    search.grow(BankSet::default().with(me), candidates);
    search.best
}

struct Search {
    neighbours: Vec<BankSet>,
    preferred: [BankSet; 2],
    best: BankSet,
    branches: usize,
}

impl Search {
    fn worth(&self, clique: BankSet) -> (usize, [usize; 2]) {
        (clique.len(), self.preferred.map(|preferred| clique.intersection(preferred).len()))
    }

    fn grow(&mut self, clique: BankSet, candidates: BankSet) {
        self.branches += 1;
        let cannot_win = self.worth(self.best) >= self.worth(clique.union(candidates));
        let is_leaf = candidates.is_empty();
        if self.branches > BRANCHES_MAX || (cannot_win && !is_leaf) {
            return;
        }
        let Some(next) = candidates.first() else {
            if self.worth(clique) > self.worth(self.best) {
                self.best = clique;
            }
            return;
        };
        let mut others = candidates;
        others.remove(next);
        self.grow(clique.with(next), others.intersection(self.neighbours[next.index()]));
        self.grow(clique, others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a consortium in which all banks hear each other, except for the pairs named.
    fn rows(banks: usize, deaf: &[(u16, u16)]) -> Vec<BankSet> {
        let mut rows = vec![BankSet::all(banks); banks];
        for (bank, peer) in deaf {
            rows[usize::from(*bank)].remove(BankId(*peer));
        }
        rows
    }

    fn clique(me: u16, rows: &[BankSet], preferred: &[u16]) -> Vec<u16> {
        clique_by(me, rows, [preferred, &[]])
    }

    fn clique_by(me: u16, rows: &[BankSet], preferred: [&[u16]; 2]) -> Vec<u16> {
        let set = |banks: &[u16]| banks.iter().map(|bank| BankId(*bank)).collect();
        largest_clique(BankId(me), rows, preferred.map(set)).iter().map(|bank| bank.0).collect()
    }

    #[test]
    fn a_bank_heard_in_only_one_direction_is_not_in_the_clique() {
        assert_eq!(clique(0, &rows(3, &[]), &[]), [0, 1, 2]);
        assert_eq!(clique(0, &rows(3, &[(0, 2)]), &[]), [0, 1]);
        assert_eq!(clique(0, &rows(3, &[(2, 0)]), &[]), [0, 1]);
    }

    #[test]
    fn of_two_cliques_of_equal_size_the_one_with_the_members_wins_and_otherwise_the_lowest() {
        let cut = rows(3, &[(1, 2), (2, 1)]);
        assert_eq!(clique(0, &cut, &[]), [0, 1]);
        assert_eq!(clique(0, &cut, &[0, 2]), [0, 2]);
    }

    #[test]
    fn of_two_cliques_with_equally_many_members_the_one_with_more_that_may_join_wins() {
        let cut = rows(4, &[(2, 3), (3, 2)]);
        assert_eq!(clique_by(0, &cut, [&[0, 1], &[]]), [0, 1, 2]);
        assert_eq!(clique_by(0, &cut, [&[0, 1], &[3]]), [0, 1, 3]);
        assert_eq!(clique_by(0, &cut, [&[0, 1, 2], &[3]]), [0, 1, 2], "members come first");
    }

    #[test]
    fn the_largest_clique_is_found_in_a_consortium_that_is_cut_in_several_places() {
        let cut = rows(7, &[(0, 1), (2, 3), (3, 4), (5, 6)]);
        assert_eq!(clique(2, &cut, &[]), [0, 2, 4, 5]);
    }

    #[test]
    fn the_clique_among_sixty_four_banks_is_found_quickly() {
        let deaf: Vec<_> = (0..32).map(|bank| (bank * 2, bank * 2 + 1)).collect();
        assert!(clique(0, &rows(64, &deaf), &[]).len() >= 32);
        assert_eq!(clique(0, &rows(64, &[]), &[]).len(), 64);
    }
}

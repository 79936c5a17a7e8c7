//! Whether everything works again once the mad bank is silent.

use std::collections::BTreeMap;

use netbanking::ids::{BankId, ChainHash, Position};

use super::world::World;

impl World {
    /// Whether every other bank takes writes, and all copies agree as far as they go.
    pub(super) fn works(&self) -> bool {
        self.others().all(|bank| self.served.contains(&bank)) && self.copies_agree()
    }

    /// At the same position all have the same hash.
    fn copies_agree(&self) -> bool {
        let mut copies: BTreeMap<Position, ChainHash> = BTreeMap::new();
        self.others().all(|bank| {
            let Some(process) = &self.machines[bank.index()].process else { return false };
            let book = process.book();
            *copies.entry(book.position()).or_insert(book.hash()) == book.hash()
        })
    }

    pub(super) fn what_is_wrong(&self) -> String {
        let state = |bank: BankId| {
            let process = self.machines[bank.index()].process.as_ref();
            process.map_or_else(
                || format!("bank {bank} is down"),
                |process| {
                    format!(
                        "bank {bank} is {:?} at {} {:.8} promised {} reaches {:?}{}",
                        process.view().phase(),
                        process.book().position(),
                        process.book().hash().to_string(),
                        process.view().report().promised,
                        process.view().reach(),
                        if self.served.contains(&bank) { "" } else { ", not served" }
                    )
                },
            )
        };
        let states: Vec<_> = BankId::all(self.banks).map(state).collect();
        format!("bank {} was mad ({:?}): {}", self.mad, self.end, states.join("; "))
    }
}

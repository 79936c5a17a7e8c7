//! The judge: it replays every answer by position, single-threaded and written independently of the
//! node's own ledger, and says where answers, statements and balances differ from the replay. It
//! reports and never panics, so that a test can count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::http::{Answer, centavos};
use super::package::{Operation, OwnAccount};

/// What the answers and statements show that must not happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Answered, and missing in a statement.
    pub(crate) lost: Vec<String>,
    /// More often in a statement than answered, or two packages at one position.
    pub(crate) doubled: Vec<String>,
    /// Below zero.
    pub(crate) overdrafts: Vec<String>,
    /// Everything else: an answer, balance or sum that the replay does not confirm.
    pub(crate) wrong: Vec<String>,
}

impl Findings {
    /// All of them, each with its kind.
    pub(crate) fn texts(&self) -> Vec<String> {
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("overdraft", &self.overdrafts),
            ("wrong", &self.wrong),
        ];
        kinds
            .iter()
            .flat_map(|(kind, texts)| texts.iter().map(move |text| format!("{kind}: {text}")))
            .collect()
    }
}

/// Package, kind of entry and centavos.
type Entry = (String, &'static str, i64);

pub(crate) struct Judge<'a> {
    accounts: &'a [OwnAccount],
    balances: Vec<i64>,
    /// What each account's statement must say after the opening.
    statements: Vec<Vec<Entry>>,
    /// Of all statements judged.
    found_sum: i64,
    findings: Findings,
}

impl<'a> Judge<'a> {
    /// Replays; every account begins with `opening` centavos.
    pub(crate) fn replay<'b>(
        accounts: &'a [OwnAccount],
        opening: i64,
        answered: impl Iterator<Item = (&'b [Operation], &'b Answer)>,
    ) -> Judge<'a> {
        let mut judge = Judge {
            accounts,
            balances: vec![opening; accounts.len()],
            statements: vec![Vec::new(); accounts.len()],
            found_sum: 0,
            findings: Findings::default(),
        };
        let mut by_position = BTreeMap::new();
        for (operations, answer) in answered {
            let Some(position) = answer.body["position"].as_u64() else {
                judge.findings.wrong.push(format!("an answer without position: {answer:?}"));
                continue;
            };
            if let Some((_, twin)) = by_position.insert(position, (operations, answer)) {
                judge
                    .findings
                    .doubled
                    .push(format!("two packages at position {position}: {twin:?} and {answer:?}"));
            }
        }
        for (operations, answer) in by_position.values() {
            judge.execute(operations, answer);
        }
        judge
    }

    fn execute(&mut self, operations: &[Operation], answer: &Answer) {
        let expected = match (self.attempt(operations, offline(answer)), answer.status) {
            (Ok(balances), 200) => {
                self.balances = balances;
                let id = answer.body["id"].as_str().unwrap_or_default();
                operations.iter().for_each(|operation| self.enter(id, operation));
                return;
            }
            (Err(why), 400) if why == answer.descript() => return,
            (Ok(_), _) => "done".to_owned(),
            (Err(why), _) => why,
        };
        self.findings.wrong.push(format!("{answer:?} instead of {expected:?} for {operations:?}"));
    }

    /// Applies all operations or none, and never lets a balance fall below zero; stops at the first
    /// operation that touches a bank that is away.
    fn attempt(
        &self,
        operations: &[Operation],
        offline: Option<usize>,
    ) -> Result<Vec<i64>, String> {
        let mut after = self.balances.clone();
        for operation in operations {
            let to = if let Operation::Transfer { to, .. } = operation { Some(*to) } else { None };
            let touched = [Some(operation.account()), to];
            if let Some(away) = offline
                .filter(|bank| touched.iter().flatten().any(|a| self.accounts[*a].bank == *bank))
            {
                return Err(format!("Falha na operação: Banco {away} não está online"));
            }
            match operation {
                Operation::Deposit { account, value } => after[*account] += value,
                Operation::Withdraw { account, value }
                | Operation::Transfer { from: account, value, .. } => {
                    let (OwnAccount { bank, number, .. }, has) =
                        (&self.accounts[*account], after[*account]);
                    if has < *value {
                        let has = format!("{}.{:02}", has / 100, has % 100);
                        return Err(format!(
                            "Falha na operação: Saldo da conta {number} insuficiente ({has}) no banco {bank}"
                        ));
                    }
                    after[*account] -= value;
                }
            }
            if let Operation::Transfer { to, value, .. } = operation {
                after[*to] += value;
            }
        }
        Ok(after)
    }

    fn enter(&mut self, id: &str, operation: &Operation) {
        let mut enter = |account: usize, kind, value| {
            self.statements[account].push((id.to_owned(), kind, value))
        };
        match operation {
            Operation::Deposit { account, value } => enter(*account, "DEPOSIT", *value),
            Operation::Withdraw { account, value } => enter(*account, "WITHDRAW", -value),
            Operation::Transfer { from, to, value } => {
                enter(*from, "TRANSFER", -value);
                enter(*to, "RECEIVE", *value);
            }
        }
    }

    /// Compares what a bank says about the account at `index` with the replay.
    pub(crate) fn statement(&mut self, index: usize, balance: i64, said: &[Value]) {
        let account = &self.accounts[index];
        self.found_sum += balance;
        if balance != self.balances[index] {
            let expected = self.balances[index];
            self.findings
                .wrong
                .push(format!("{account:?} has {balance} centavos instead of {expected}"));
        }
        let mut running = 0;
        for entry in said {
            let follows = centavos(&entry["previous_balance"]) == running;
            running += centavos(&entry["value"]);
            if !follows || centavos(&entry["app_balance"]) != running {
                self.findings
                    .wrong
                    .push(format!("{account:?}: does not follow the entry before it: {entry}"));
            }
            if running < 0 {
                self.findings.overdrafts.push(format!("{account:?}: {entry}"));
            }
        }
        if running != balance || balance < 0 {
            self.findings.wrong.push(format!(
                "{account:?}: the entries come to {running}, the balance is {balance}"
            ));
        }
        self.compare_entries(index, said);
    }

    fn compare_entries(&mut self, index: usize, said: &[Value]) {
        let account = &self.accounts[index];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said = said.iter().filter(|entry| entry["type"] != "OPENING");
        let said: Vec<_> = said
            .map(|entry| (text(&entry["id"]), text(&entry["type"]), centavos(&entry["value"])))
            .collect();
        let expected: Vec<_> = self.statements[index]
            .iter()
            .map(|(id, kind, value)| (id.clone(), (*kind).to_owned(), *value))
            .collect();
        if said == expected {
            return;
        }
        let mut surplus: BTreeMap<_, i64> = BTreeMap::new();
        said.into_iter().for_each(|entry| *surplus.entry(entry).or_default() += 1);
        expected.into_iter().for_each(|entry| *surplus.entry(entry).or_default() -= 1);
        surplus.retain(|_, count| *count != 0);
        if surplus.is_empty() {
            self.findings.wrong.push(format!("{account:?}: the entries stand in another order"));
        }
        for (entry, count) in surplus {
            let kind = if count < 0 { &mut self.findings.lost } else { &mut self.findings.doubled };
            kind.push(format!("{account:?}: {entry:?}, {count} too many"));
        }
    }

    /// To be called when every statement has been judged.
    pub(crate) fn finish(mut self) -> Findings {
        let sum: i64 = self.balances.iter().sum();
        if self.found_sum != sum {
            self.findings
                .wrong
                .push(format!("the sum is {} centavos instead of {sum}", self.found_sum));
        }
        self.findings
    }
}

/// The bank that, according to this refusal, was not a member at this position; only the banks know
/// that.
fn offline(answer: &Answer) -> Option<usize> {
    let rest = answer.descript().strip_prefix("Falha na operação: Banco ")?;
    rest.strip_suffix(" não está online")?.parse().ok()
}

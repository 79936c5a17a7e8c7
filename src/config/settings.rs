//! What must be the same at all banks of a consortium: everything that decides about money or about
//! who acts when. Banks show it to one another when they connect, and one that differs is refused
//! with the name of the field.
//!
//! Fields are compared as JSON under the names that they have in `nodes.json`, so that an unknown
//! field of another version is also reported by name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Config;
use crate::hex::Hex;
use crate::ids::BankId;
use crate::ledger::RULES_VERSION;

/// The most fields that a refusal names; once these are corrected, the next refusal names the
/// others.
const NAMED_MAX: usize = 3;
/// Longest value that a refusal repeats, in characters.
const VALUE_CHARS_MAX: usize = 120;
/// Digits of the fingerprint that replaces the list of banks where anybody can read it.
const FINGERPRINT_DIGITS: usize = 16;

/// The settings that must be the same at every bank: path of the field, value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// The settings given by a configuration and this program.
    #[must_use]
    pub fn of(config: &Config) -> Settings {
        // `journal` may differ: how much of its own journal a disk keeps, and when it writes its
        // ledger down, does not concern other banks, since a bank that lacks more is given the
        // snapshot, and all snapshots of a position are the same. Where a bank keeps its journal is
        // its own matter, too. So may `limits`, `sessions` and `common_passwords`: each bank
        // protects its own machine and its own logins. A bank with certificates and one without do
        // not understand each other anyway.
        let Config {
            nodes,
            heartbeat,
            customer_auth,
            check_digits,
            operation_max,
            joint_consent,
            stranger_deposits,
            time_zone,
            journal: _,
            laboratory,
            insecure_peers: _,
            limits: _,
            sessions: _,
            common_passwords: _,
            store: _,
        } = config;
        let mut settings = BTreeMap::new();
        let as_value =
            |written: serde_json::Result<Value>| written.expect("settings can be written as JSON");
        flatten("heartbeat", as_value(serde_json::to_value(heartbeat)), &mut settings);
        flatten("customer_auth", as_value(serde_json::to_value(customer_auth)), &mut settings);
        flatten("check_digits", Value::from(*check_digits), &mut settings);
        flatten("operation_max", Value::from(i64::from(*operation_max) / 100), &mut settings);
        flatten("joint_consent", Value::from(*joint_consent), &mut settings);
        flatten("stranger_deposits", Value::from(*stranger_deposits), &mut settings);
        flatten("time_zone", Value::from(time_zone.name()), &mut settings);
        flatten("laboratory", Value::from(*laboratory), &mut settings);
        flatten("nodes", Value::from(nodes.len()), &mut settings);
        for (index, node) in nodes.iter().enumerate() {
            flatten(
                &format!("nodes[{index}]"),
                as_value(serde_json::to_value(node)),
                &mut settings,
            );
        }
        // Rules and texts are part of what is hashed.
        flatten("program.version", Value::from(env!("CARGO_PKG_VERSION")), &mut settings);
        flatten("program.rules", Value::from(RULES_VERSION), &mut settings);
        Settings(settings)
    }

    /// The same, with a fingerprint instead of the banks' names and addresses: for pages that
    /// anybody can read.
    #[must_use]
    pub(crate) fn without_addresses(&self) -> Settings {
        let (nodes, mut others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.clone().into_iter().partition(|(field, _)| field.starts_with("nodes"));
        let canonical = serde_json::to_vec(&nodes).expect("settings can be written as JSON");
        let digits = Hex(&Sha256::digest(canonical)).to_string();
        others.insert("nodes".into(), Value::from(&digits[..FINGERPRINT_DIGITS]));
        Settings(others)
    }

    /// The fields that differ, in the order of their names, with the values on both sides. For
    /// banks that only one side lists, how many there are says enough.
    fn differences<'a>(
        &'a self,
        other: &'a Settings,
    ) -> impl Iterator<Item = (&'a String, Value, Value)> {
        let fields: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        fields.into_iter().filter_map(|field| {
            let value = |of: &Settings| of.0.get(field).cloned().unwrap_or_default();
            let (here, there) = (value(self), value(other));
            let is_one_sided = field.starts_with("nodes[") && (here.is_null() || there.is_null());
            (here != there && !is_one_sided).then_some((field, here, there))
        })
    }

    /// Why the owner of these settings does not work with the owner of the others, for the log;
    /// `None` if nothing differs.
    #[must_use]
    pub fn difference(&self, me: BankId, other: &Settings, peer: BankId) -> Option<String> {
        self.said(other, &format!("at bank {me}"), &format!("at bank {peer}"))
    }

    /// The same for a person at a terminal who compares a file with a running bank.
    #[must_use]
    pub(crate) fn difference_to_file(&self, file: &Settings) -> Option<String> {
        self.said(file, "at the bank", "in the file")
    }

    fn said(&self, other: &Settings, here: &str, there: &str) -> Option<String> {
        let text = |value: &Value| match value {
            Value::Null => "nothing".to_owned(),
            value => value.to_string().chars().take(VALUE_CHARS_MAX).collect(),
        };
        let named = |(field, own, others): (&String, Value, Value)| {
            let field: String = field.chars().take(VALUE_CHARS_MAX).collect();
            format!("{field} differs: {} {there}, {} {here}", text(&others), text(&own))
        };
        let all: Vec<_> = self.differences(other).map(named).collect();
        let rest = all.len().saturating_sub(NAMED_MAX);
        let first = all[..all.len() - rest].join("; ");
        match (all.is_empty(), rest) {
            (true, _) => None,
            (false, 0) => Some(first),
            (false, rest) => Some(format!("{first}; and {rest} more")),
        }
    }
}

/// One entry for each value that is not an object.
fn flatten(path: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            fields
                .into_iter()
                .for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, into));
        }
        value => {
            into.insert(path.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"nodes":[{"host":"a"},{"host":"b"}]}"#;

    fn settings(text: &str) -> Settings {
        Settings::of(&Config::parse(text).unwrap())
    }

    fn said(theirs: &str) -> Option<String> {
        settings(PLAIN).difference(BankId(0), &settings(theirs), BankId(2))
    }

    #[test]
    fn a_difference_in_money_or_safety_settings_is_refused_by_name_with_both_values() {
        for (theirs, expected) in [
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"customer_auth":"open","joint_consent":true,
                    "stranger_deposits":false}"#,
                r#"customer_auth differs: "open" at bank 2, "sessions" at bank 0"#,
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"check_digits":true}"#,
                "check_digits differs: true at bank 2, false at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"time_zone":"america/manaus"}"#,
                r#"time_zone differs: "America/Manaus" at bank 2, "America/Sao_Paulo" at bank 0"#,
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"operation_max":5000}"#,
                "operation_max differs: 5000 at bank 2, 100000000000 at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"joint_consent":false}"#,
                "joint_consent differs: false at bank 2, true at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"stranger_deposits":true}"#,
                "stranger_deposits differs: true at bank 2, false at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b"}],"laboratory":true,"joint_consent":true,
                    "stranger_deposits":false}"#,
                "laboratory differs: true at bank 2, false at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"b","name":"Sul"}]}"#,
                r#"nodes[1].name differs: "Sul" at bank 2, "Banco 1" at bank 0"#,
            ),
            (
                r#"{"nodes":[{"host":"a"},{"host":"c"}]}"#,
                r#"nodes[1].host differs: "c" at bank 2, "b" at bank 0"#,
            ),
            (
                r#"{"nodes":[{"host":"a","port":1},{"host":"b"}]}"#,
                "nodes[0].port differs: 1 at bank 2, 3050 at bank 0",
            ),
            (
                r#"{"nodes":[{"host":"a","heartbeat_port":1},{"host":"b"}]}"#,
                "nodes[0].heartbeat_port differs: 1 at bank 2, 2050 at bank 0",
            ),
        ] {
            assert_eq!(said(theirs).as_deref(), Some(expected));
        }
    }

    #[test]
    fn every_heartbeat_time_is_compared() {
        let times = serde_json::to_value(crate::config::HeartbeatTimes::default()).unwrap();
        for (field, value) in times.as_object().unwrap() {
            let other = value.as_u64().unwrap() + 1;
            let theirs = format!(
                r#"{{"nodes":[{{"host":"a"}},{{"host":"b"}}],"heartbeat":{{"{field}":{other}}}}}"#
            );
            let expected =
                format!("heartbeat.{field} differs: {other} at bank 2, {value} at bank 0");
            assert_eq!(said(&theirs), Some(expected));
        }
    }

    #[test]
    fn the_report_of_many_differences_is_bounded() {
        let theirs = r#"{"nodes":[{"host":"c"},{"host":"d"},{"host":"e"}],"check_digits":true,"laboratory":true}"#;
        let expected = "check_digits differs: true at bank 2, false at bank 0; joint_consent differs: false at bank 2, \
            true at bank 0; laboratory differs: true at bank 2, false at bank 0; and 4 more";
        assert_eq!(said(theirs).as_deref(), Some(expected));
    }

    #[test]
    fn only_the_length_of_the_journal_and_the_limits_may_differ_between_banks() {
        assert_eq!(said(PLAIN), None);
        assert_eq!(
            said(r#"{"nodes":[{"host":"a"},{"host":"b"}],"limits":{"connections":9}}"#),
            None
        );
        assert_eq!(
            said(r#"{"nodes":[{"host":"a"},{"host":"b"}],"journal":{"positions_max":5000}}"#),
            None
        );
    }

    #[test]
    fn another_program_differs_by_version_and_rules() {
        let mut theirs = settings(PLAIN);
        theirs.0.insert("program.rules".into(), Value::from(RULES_VERSION + 1));
        theirs.0.insert("program.version".into(), Value::from("9.0.0"));
        let said = settings(PLAIN).difference(BankId(0), &theirs, BankId(2)).unwrap();
        let [rules, version] = said.split("; ").collect::<Vec<_>>()[..] else { panic!("{said}") };
        assert!(rules.starts_with("program.rules differs: "), "{said}");
        assert!(version.starts_with(r#"program.version differs: "9.0.0" at bank 2"#), "{said}");
    }

    #[test]
    fn public_settings_hold_no_address_and_still_show_that_one_differs() {
        let here = settings(PLAIN).without_addresses();
        assert!(!serde_json::to_string(&here).unwrap().contains("host"));
        let file = settings(r#"{"nodes":[{"host":"a"},{"host":"c"}]}"#).without_addresses();
        assert!(here.difference_to_file(&file).unwrap().starts_with("nodes differs: "));
        assert_eq!(here.difference_to_file(&here.clone()), None);
    }
}

//! A model of the view change: three banks, two to four events, two coordinators, a crash and
//! return, and a network that loses, repeats, delays and reorders messages, explored to the last
//! state that can be reached within the bounds of each scenario. Every bank is the node's own
//! [`View`](netbanking::protocol::view::View); `stateright` does the exploring.
//!
//! - `bank`: one bank with its disk, and what a crash leaves of it; `consortium`: three of them and
//!   the network.
//! - `scenarios`: where it begins and what may happen: how often time passes at each bank, crashes,
//!   cuts, events.
//! - `properties`: what must always hold, and what must be seen to happen, so that the rest is not
//!   vacuously true.
//!
//! A message once sent stays under way for ever, so each may arrive never, late or repeatedly, in
//! any order. Questions that change nothing where they arrive are carried at once: losing or
//! delaying one is the same as the time for it not having come yet.

#![allow(clippy::unwrap_used)]

mod bank;
mod consortium;
mod properties;
mod scenarios;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::consortium::{Consortium, Step};
use crate::properties::{FLUSH, JOURNAL, NEVER_WAS, OLD_VIEW, RETURN, TAKE_OVER};
use crate::scenarios::Scenario;

impl Model for Scenario {
    type State = Consortium;
    type Action = Step;

    fn init_states(&self) -> Vec<Consortium> {
        vec![self.begin()]
    }

    fn actions(&self, consortium: &Consortium, steps: &mut Vec<Step>) {
        consortium.steps(&self.events, steps);
    }

    fn next_state(&self, consortium: &Consortium, step: Step) -> Option<Consortium> {
        consortium.after(&step, &self.events)
    }

    fn properties(&self) -> Vec<Property<Scenario>> {
        properties::all()
    }
}

/// Goes through every state that can be reached. The error says what is not as it must be, with the
/// steps that lead there.
fn explore(scenario: Scenario) -> Result<(), String> {
    let name = scenario.name;
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checked = scenario
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    let (steps, states, depth) =
        (checked.state_count(), checked.unique_state_count(), checked.max_depth());
    println!(
        "{name}: {states} states, {steps} steps, at most {depth} in a row, {:.1?}",
        begun.elapsed()
    );
    let found = checked.discoveries();
    for Property { expectation, name: property, .. } in checked.model().properties() {
        match (expectation.discovery_is_failure(), found.get(property)) {
            (true, Some(path)) => {
                let steps: Vec<_> =
                    path.clone().into_actions().iter().map(|step| format!("{step:?}")).collect();
                let broken = path.last_state().history.broken.unwrap_or_default();
                return Err(format!("{name}: not so: {property} {broken}\n{}", steps.join("\n")));
            }
            (false, None) if checked.model().happens.contains(&property) => {
                return Err(format!("{name}: this should be seen to happen: {property}"));
            }
            (false, Some(_)) => println!("    seen: {property}"),
            _ => {}
        }
    }
    Ok(())
}

fn holds(scenario: Scenario) {
    if let Err(what) = explore(scenario) {
        panic!("{what}");
    }
}

#[test]
fn a_bank_is_cut_off_while_events_go_on() {
    holds(scenarios::cut_off_with_traffic([1, 1, 0], &[RETURN, OLD_VIEW, FLUSH, JOURNAL]));
}

#[test]
fn a_bank_is_cut_off_and_comes_back() {
    holds(scenarios::cut_off_and_healed([0, 1, 0], 1, &[RETURN, OLD_VIEW, FLUSH]));
}

#[test]
fn all_banks_restart_and_one_of_them_again() {
    holds(scenarios::all_restarted([0, 1, 0], 1, &[RETURN, JOURNAL]));
}

#[test]
fn what_nobody_else_heard_of_never_existed() {
    holds(scenarios::unheard_event([0, 1, 1], &[TAKE_OVER, FLUSH, JOURNAL, NEVER_WAS]));
}

#[test]
#[ignore = "half a minute in the profile sim, where the gate runs it"]
fn a_bank_is_cut_off_while_events_go_on_and_two_banks_coordinate() {
    holds(scenarios::cut_off_with_traffic(
        [1, 1, 1],
        &[TAKE_OVER, RETURN, OLD_VIEW, FLUSH, JOURNAL],
    ));
}

#[test]
#[ignore = "some seconds in the profile sim, where the gate runs it"]
fn a_bank_is_cut_off_and_comes_back_and_two_banks_coordinate() {
    holds(scenarios::cut_off_and_healed(
        [0, 1, 1],
        1,
        &[TAKE_OVER, RETURN, OLD_VIEW, FLUSH, JOURNAL],
    ));
    holds(scenarios::cut_off_and_healed(
        [1, 1, 0],
        1,
        &[TAKE_OVER, RETURN, OLD_VIEW, FLUSH, JOURNAL],
    ));
}

#[test]
#[ignore = "some seconds in the profile sim, where the gate runs it"]
fn all_banks_restart_and_two_coordinate() {
    holds(scenarios::all_restarted([1, 1, 0], 0, &[TAKE_OVER, JOURNAL]));
}

#[test]
fn the_model_notices_when_too_many_disks_have_forgotten() {
    let what = explore(scenarios::two_disks_that_lie()).unwrap_err();
    assert!(what.contains("not so"), "{what}");
}

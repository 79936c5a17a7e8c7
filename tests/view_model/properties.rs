//! What must always hold, and what must be seen to happen.

use netbanking::ids::BankId;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::view::{PreparePlan, ViewMessage};
use stateright::Property;

use crate::bank::BANKS;
use crate::consortium::{Consortium, Content};
use crate::scenarios::{FIRST, Scenario};

pub(crate) const TAKE_OVER: &str = "a second coordinator takes over and its view begins";
pub(crate) const RETURN: &str = "a view begins with a bank that crashed and came back";
pub(crate) const OLD_VIEW: &str = "a bank acts in an old view while others act in a later one";
pub(crate) const FLUSH: &str = "a bank fetches an event of the flush";
pub(crate) const JOURNAL: &str = "a bank fetches executed events";
pub(crate) const NEVER_WAS: &str = "an event that was on a disk never existed";

/// The order that a view begins with.
fn begins_with(consortium: &Consortium, plan: &PreparePlan) -> Vec<OrderKey> {
    let executed = usize::try_from(plan.position.0).expect("a journal of a few events");
    let order = &consortium.history.order;
    order[..executed.min(order.len())]
        .iter()
        .copied()
        .chain(plan.events.iter().map(|(key, _)| *key))
        .collect()
}

fn one_continues_the_other<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    let common = a.len().min(b.len());
    a[..common] == b[..common]
}

pub(crate) fn all() -> Vec<Property<Scenario>> {
    let mut properties = vec![
        Property::<Scenario>::always("no step breaks its rule", |_, consortium| {
            consortium.history.broken.is_none()
        }),
        Property::<Scenario>::always(
            "all banks execute the same events in the same order",
            |_, consortium| {
                BankId::all(BANKS).all(|bank| {
                    let log: Vec<_> = consortium.bank(bank).log().collect();
                    one_continues_the_other(&log, &consortium.history.order)
                })
            },
        ),
        Property::<Scenario>::always(
            "what was executed is in every view that begins, at the same place",
            |_, consortium| {
                consortium.history.started.values().all(|plan| {
                    let order = &consortium.history.order;
                    let earlier = order.iter().filter(|key| key.view < plan.ballot).count();
                    let begin = begins_with(consortium, plan);
                    begin.len() >= earlier && one_continues_the_other(&begin, order)
                })
            },
        ),
    ];
    properties.extend(what_must_be_reached());
    properties
}

/// What a search that proves anything has come across.
fn what_must_be_reached() -> Vec<Property<Scenario>> {
    vec![
        Property::<Scenario>::sometimes(TAKE_OVER, |_, consortium| {
            let attempts: Vec<_> = consortium
                .messages()
                .filter_map(|in_flight| match in_flight.content {
                    Content::View(ViewMessage::Stop(ballot)) => Some(ballot),
                    _ => None,
                })
                .collect();
            let started = |ballot| consortium.history.started.contains_key(&ballot);
            let given_up = |ballot| {
                attempts.iter().any(|other| {
                    *other < ballot && other.coordinator != ballot.coordinator && !started(*other)
                })
            };
            consortium.history.started.keys().any(|ballot| *ballot > FIRST && given_up(*ballot))
        }),
        Property::<Scenario>::sometimes(RETURN, |_, consortium| {
            consortium.running().any(|bank| {
                let plan = consortium.bank(bank).acting();
                consortium.history.returned[bank.index()]
                    && plan.is_some_and(|plan| plan.ballot > FIRST)
            })
        }),
        Property::<Scenario>::sometimes(OLD_VIEW, |_, consortium| {
            let views = || {
                consortium
                    .running()
                    .filter_map(|bank| consortium.bank(bank).acting())
                    .map(|plan| plan.ballot)
            };
            views().max() != views().min()
        }),
        Property::<Scenario>::sometimes(FLUSH, |_, consortium| {
            consortium.messages().any(|in_flight| {
                matches!(in_flight.content, Content::View(ViewMessage::Events { .. }))
            })
        }),
        Property::<Scenario>::sometimes(JOURNAL, |_, consortium| {
            consortium.messages().any(|in_flight| match &in_flight.content {
                Content::View(ViewMessage::JournalPiece { entries, .. }) => !entries.is_empty(),
                _ => false,
            })
        }),
        Property::<Scenario>::sometimes(NEVER_WAS, |model, consortium| {
            let begun = consortium.history.started.values().filter(|plan| plan.ballot > FIRST);
            let orders: Vec<_> = begun.map(|plan| begins_with(consortium, plan)).collect();
            let on_disk = model.events.iter().map(|held| held.event.order_key());
            let mut on_disk =
                on_disk.filter(|key| model.disks.iter().any(|disk| disk.events.contains_key(key)));
            on_disk.any(|key| orders.iter().any(|order| !order.contains(&key)))
        }),
    ]
}

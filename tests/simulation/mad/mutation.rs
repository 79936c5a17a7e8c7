//! Lies: what a bank said, with something in it changed.

use serde_json::{Map, Number, Value};

use crate::random::Random;

/// The most changes to one message.
const CHANGES_MAX: u64 = 3;
/// How long a list or a text is made at most.
const LONG: usize = 300;

/// Changes something in a message; `others` are things that were said elsewhere.
pub(super) fn mutate(message: &mut Value, others: &[Value], random: &mut Random) {
    for _ in 0..random.between(1, CHANGES_MAX) {
        let mut paths = Vec::new();
        collect(message, &mut Vec::new(), &mut paths);
        let path = &paths[random.index(paths.len())];
        let other = others.get(random.index(others.len().max(1)));
        let donor = other.and_then(|other| at_same_name(other, path.last()?));
        if let Some(place) = reach(message, path) {
            match donor {
                Some(donor) if random.per_mille(250) => *place = donor.clone(),
                _ => change(place, random),
            }
        }
    }
}

/// Sets every ballot that a message is about, and leaves those of views and events alone.
pub(super) fn speak_of(message: &mut Value, ballot: &Value) {
    let Value::Object(fields) = message else { return };
    for content in fields.values_mut() {
        match content {
            Value::Object(inner) if inner.contains_key("ballot") => {
                inner.insert("ballot".into(), ballot.clone());
            }
            Value::Object(inner) if inner.contains_key("round") => *content = ballot.clone(),
            _ => {}
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

fn collect(value: &Value, path: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    paths.push(path.clone());
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                path.push(Step::Key(name.clone()));
                collect(field, path, paths);
                path.pop();
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                path.push(Step::Index(index));
                collect(element, path, paths);
                path.pop();
            }
        }
        _ => {}
    }
}

fn reach<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// Something that stands under the same name elsewhere.
fn at_same_name<'a>(value: &'a Value, name: &Step) -> Option<&'a Value> {
    let Step::Key(name) = name else { return None };
    match value {
        Value::Object(fields) => fields.get(name).or_else(|| {
            fields.values().find_map(|field| at_same_name(field, &Step::Key(name.clone())))
        }),
        Value::Array(elements) => {
            elements.iter().find_map(|element| at_same_name(element, &Step::Key(name.clone())))
        }
        _ => None,
    }
}

fn change(value: &mut Value, random: &mut Random) {
    match value {
        Value::Number(number) => *number = another_number(number, random),
        Value::String(text) => *text = another_text(text, random),
        Value::Bool(truth) => *truth = !*truth,
        Value::Array(list) => change_list(list, random),
        Value::Object(fields) => change_fields(fields, random),
        Value::Null => *value = Value::from(random.bits()),
    }
}

fn another_number(number: &Number, random: &mut Random) -> Number {
    let before = number.as_u64().unwrap_or_default();
    let extremes = [0, 1, 2, 7, 63, 64, 255, 60_000, 65_535, 65_536];
    let powers = [22, 28, 31, 32, 53, 61, 62, 63].map(|power: u32| 1_u64 << power);
    match random.below(8) {
        0 => before.wrapping_add(1),
        1 => before.wrapping_sub(1),
        2 => before.wrapping_mul(2),
        3 => before.wrapping_add(random.below(1_000)),
        4 => u64::MAX - random.below(2),
        5 => random.pick(&extremes),
        _ => random.pick(&powers).wrapping_add(random.below(3)).wrapping_sub(1),
    }
    .into()
}

fn another_text(text: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    match random.below(5) {
        0 => String::new(),
        1 => text.repeat(2 + random.index(3)),
        2 => "x".repeat(LONG),
        3 => "$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".into(),
        _ => {
            if !characters.is_empty() {
                let place = random.index(characters.len());
                characters[place] = random.pick(&['0', '1', 'f', 'z', '"', 'é']);
            }
            characters.into_iter().collect()
        }
    }
}

fn change_list(list: &mut Vec<Value>, random: &mut Random) {
    if list.is_empty() {
        return list.push(Value::from(random.below(70)));
    }
    let (one, other) = (random.index(list.len()), random.index(list.len()));
    match random.below(6) {
        0 => list.clear(),
        1 => list.truncate(one),
        2 => list.insert(one, list[other].clone()),
        3 => list.swap(one, other),
        4 => list.reverse(),
        _ => {
            let again = list[one].clone();
            list.resize(LONG, again);
        }
    }
}

fn change_fields(fields: &mut Map<String, Value>, random: &mut Random) {
    let names: Vec<_> = fields.keys().cloned().collect();
    if names.is_empty() {
        return;
    }
    let (one, other) = (&names[random.index(names.len())], &names[random.index(names.len())]);
    if random.coin() {
        fields.remove(one);
    } else if let Some((first, second)) = fields.get(one).cloned().zip(fields.get(other).cloned()) {
        fields.insert(one.clone(), second);
        fields.insert(other.clone(), first);
    }
}

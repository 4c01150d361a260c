//! Generic changes of an answer's body, whatever it says.

use ciborium::Value;

use super::dice::Dice;

/// How large an oversized thing is, in bytes; lists are repeated up to this many entries.
const HUGE: (usize, usize) = (2 << 20, 5_000);

/// The places in which a byte string is broken.
pub(crate) const PLACES: usize = 4;

/// A place in a value: which entry of each map or array on the way.
type Place = Vec<usize>;

/// The value that a body is; `None` where it is none.
pub(crate) fn read(body: &[u8]) -> Option<Value> {
    ciborium::from_reader(body).ok()
}

/// Every part of a value with the name of the field that it stands in.
fn parts<'a>(
    value: &'a Value,
    name: &'a str,
    place: &mut Place,
    found: &mut Vec<(Place, &'a str, &'a Value)>,
) {
    found.push((place.clone(), name, value));
    let children: Vec<(&str, &Value)> = match value {
        Value::Map(entries) => {
            entries.iter().map(|(key, value)| (key.as_text().unwrap_or_default(), value)).collect()
        }
        Value::Array(items) => items.iter().map(|item| (name, item)).collect(),
        _ => Vec::new(),
    };
    for (number, (name, child)) in children.into_iter().enumerate() {
        place.push(number);
        parts(child, name, place, found);
        place.pop();
    }
}

fn all_parts(value: &Value) -> Vec<(Place, &str, &Value)> {
    let mut found = Vec::new();
    parts(value, "", &mut Vec::new(), &mut found);
    found
}

/// What a part can be taken for: hashes, ids and keys of one length, maps with the same fields, blobs of one name.
fn kind(name: &str, value: &Value) -> String {
    match value {
        Value::Bytes(bytes) if bytes.len() <= 64 => format!("{} bytes", bytes.len()),
        Value::Map(entries) => {
            let fields = entries.iter().map(|(key, _)| key.as_text().unwrap_or_default());
            fields.collect::<Vec<_>>().join(" ")
        }
        Value::Integer(_) => "number".to_owned(),
        Value::Text(_) => "text".to_owned(),
        Value::Bytes(_) => format!("long {name}"),
        Value::Array(_) => format!("list {name}"),
        _ => format!("other {name}"),
    }
}

fn at<'a>(value: &'a mut Value, place: &[usize]) -> &'a mut Value {
    place.iter().fold(value, |value, number| match value {
        Value::Map(entries) => &mut entries[*number].1,
        Value::Array(items) => &mut items[*number],
        other => other,
    })
}

/// The value with one of its parts in the place of another of the same type, or with one of `others`.
pub(crate) fn swapped(value: &Value, others: &[Value], dice: &mut Dice) -> Option<Value> {
    let here = all_parts(value);
    let (place, name, part) = dice.pick(&here)?;
    let wanted = kind(name, part);
    let fits = |(_, name, other): &(Place, &str, &Value)| kind(name, other) == wanted && other != part;
    let inside: Vec<_> = here.iter().filter(|other| fits(other)).collect();
    if let Some((other, _, there)) = dice.pick(&inside).filter(|_| dice.clone().below(2) == 0) {
        let mut changed = value.clone();
        let nested = other.starts_with(place) || place.starts_with(other);
        *at(&mut changed, place) = (*there).clone();
        if !nested {
            *at(&mut changed, other) = (*part).clone();
        }
        return Some(changed);
    }
    let outside: Vec<Value> =
        others.iter().flat_map(all_parts).filter(fits).map(|(_, _, other)| other.clone()).collect();
    let mut changed = value.clone();
    *at(&mut changed, place) = dice.pick(&outside)?.clone();
    Some(changed)
}

/// The value with one part as large as will go.
pub(crate) fn oversized(value: &Value, dice: &mut Dice) -> Option<Value> {
    let mut changed = value.clone();
    let (place, ..) = dice.pick(&all_parts(value))?.clone();
    match at(&mut changed, &place) {
        Value::Bytes(bytes) => bytes.resize(HUGE.0, 0),
        Value::Text(text) => *text = "0".repeat(HUGE.0),
        Value::Array(items) => {
            let first = items.first().cloned().unwrap_or(Value::Null);
            items.resize(HUGE.1, first);
        }
        Value::Map(entries) => {
            let more = (0..HUGE.1).map(|number| (Value::Text(format!("more {number}")), Value::Null));
            entries.extend(more);
        }
        other => *other = Value::Integer(u64::MAX.into()),
    }
    Some(changed)
}

/// The value with one field, or one entry, there twice.
pub(crate) fn duplicated(value: &Value, dice: &mut Dice) -> Option<Value> {
    let mut changed = value.clone();
    let holds = |part: &Value| match part {
        Value::Map(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let places: Vec<Place> =
        all_parts(value).into_iter().filter(|(.., part)| holds(part)).map(|(place, ..)| place).collect();
    match at(&mut changed, dice.pick(&places)?) {
        Value::Map(entries) => {
            let entry = entries[dice.below(entries.len())].clone();
            entries.push(entry);
        }
        Value::Array(items) => {
            let item = items[dice.below(items.len())].clone();
            items.push(item);
        }
        _ => {}
    }
    Some(changed)
}

/// The value with every byte string changed.
pub(crate) fn with_bytes(value: &mut Value, change: &mut dyn FnMut(&mut Vec<u8>)) {
    match value {
        Value::Bytes(bytes) => change(bytes),
        Value::Array(items) => items.iter_mut().for_each(|item| with_bytes(item, change)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| with_bytes(value, change)),
        _ => {}
    }
}

/// The value as a server of another age would give it: cheaper stretching, no or an older protocol, suite and version.
pub(crate) fn aged(value: &Value, dice: &mut Dice) -> Value {
    let mut changed = value.clone();
    let number = [0_i64, -1, 2, 255][dice.below(4)];
    for (place, name, part) in all_parts(value) {
        let claim = ["protocol", "profile", "ksf_profile", "server_version", "suite"].contains(&name);
        match part {
            Value::Integer(_) if claim => *at(&mut changed, &place) = Value::Integer(number.into()),
            Value::Text(_) if claim => *at(&mut changed, &place) = Value::Text("0.0.1".to_owned()),
            _ => {}
        }
    }
    let suite = number.to_le_bytes()[0];
    with_bytes(&mut changed, &mut |bytes| {
        for label in ["account-link", "vault-commit", "item-header"] {
            let marked = [&[label.len() as u8], label.as_bytes()].concat();
            if let Some(at) = bytes.windows(marked.len()).position(|window| window == marked) {
                bytes[at + marked.len()] = suite;
            }
        }
        if bytes.first() == Some(&1) {
            bytes[0] = suite;
        }
    });
    changed
}

/// The number and length of the longest byte string; `None` where there is none.
pub(crate) fn longest(value: &Value) -> Option<(usize, usize)> {
    let (mut number, mut found) = (0, None::<(usize, usize)>);
    with_bytes(&mut value.clone(), &mut |bytes| {
        if found.is_none_or(|(_, length)| bytes.len() > length) {
            found = Some((number, bytes.len()));
        }
        number += 1;
    });
    found
}

/// The value with its longest byte string broken in one of its places: the first byte, the last, or one between.
pub(crate) fn broken(value: &Value, place: usize) -> Option<Value> {
    let (wanted, length) = longest(value)?;
    let (mut changed, mut number) = (value.clone(), 0);
    with_bytes(&mut changed, &mut |bytes| {
        if number == wanted && length > 0 {
            bytes[place % PLACES * (length - 1) / (PLACES - 1)] ^= 1;
        }
        number += 1;
    });
    Some(changed).filter(|_| length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value() -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        Value::Map(vec![
            (text("protocol"), Value::Integer(1.into())),
            (text("one"), Value::Bytes(vec![1; 32])),
            (text("two"), Value::Bytes(vec![2; 32])),
            (text("list"), Value::Array(vec![Value::Bytes(vec![3; 100]), Value::Bytes(vec![4; 100])])),
        ])
    }

    #[test]
    fn swaps_are_of_one_type_and_change_something() {
        let mut seen = 0;
        for seed in 0..200 {
            let Some(changed) = swapped(&value(), &[], &mut Dice::new(seed)) else { continue };
            assert_ne!(changed, value(), "seed {seed}");
            let lengths = |value: &Value| {
                let mut lengths = Vec::new();
                with_bytes(&mut value.clone(), &mut |bytes| lengths.push(bytes.len()));
                lengths
            };
            assert_eq!(lengths(&changed), lengths(&value()), "seed {seed}");
            seen += 1;
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn things_of_other_answers_come_in() {
        let other = Value::Bytes(vec![9; 32]);
        let came = |seed| {
            let changed = swapped(&value(), std::slice::from_ref(&other), &mut Dice::new(seed));
            changed.is_some_and(|changed| all_parts(&changed).iter().any(|(.., part)| **part == other))
        };
        assert!((0..200).any(came));
    }

    #[test]
    fn what_is_large_double_or_old_differs() {
        for seed in 0..50 {
            let dice = &mut Dice::new(seed);
            assert_ne!(oversized(&value(), dice), Some(value()));
            assert_ne!(duplicated(&value(), dice), Some(value()));
            assert_ne!(aged(&value(), dice), value());
        }
        assert_eq!(longest(&value()), Some((2, 100)));
    }
}

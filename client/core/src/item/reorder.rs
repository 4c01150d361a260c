//! The places of list elements when a record is imported again.
//!
//! An element's place is no part of its value: elements that the source only moved are not changed by that, and where it
//! only removed or appended some, the others keep the places that they have here.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::source::{ORDER, Seen, is_inner, order_of};
use super::value::Value;

/// Where elements go.
pub(super) struct Places {
    /// Elements that get another place, or that are new.
    given: BTreeMap<String, i64>,
    is_reordered: bool,
}

impl Places {
    /// The places after an import; `bases` say in which orders the source had the elements before.
    pub(super) fn new(current: &Document, fresh: &Document, bases: &[&Seen]) -> Self {
        let mut places = Self { given: BTreeMap::new(), is_reordered: false };
        let bases: Vec<_> = bases.iter().map(|seen| by_list(seen)).collect();
        for (list, now) in sequences(fresh) {
            let held: BTreeSet<&String> = now.iter().collect();
            let before = |keys: &BTreeMap<&str, Vec<&String>>| {
                let keys = keys.get(list).into_iter().flatten();
                keys.filter(|key| held.contains(*key)).map(|key| (*key).clone()).collect::<Vec<_>>()
            };
            let kept = bases.iter().map(before).find(|kept| now.starts_with(kept));
            match kept.or_else(|| bases.is_empty().then(Vec::new)) {
                Some(kept) => places.append(current, list, &now[kept.len()..]),
                None => {
                    places.is_reordered = true;
                    let order = |key: &String| Some((key.clone(), order_of(fresh.value(key)?)?));
                    places.given.extend(now.iter().filter_map(order));
                }
            }
        }
        places
    }

    /// Whether the source put elements into another order.
    pub(super) fn are_new(&self) -> bool {
        self.is_reordered
    }

    /// Elements of this document that get another place, as they are then.
    pub(super) fn moved(&self, current: &Document) -> Vec<(String, Value)> {
        let moved = self.given.iter().filter_map(|(key, place)| {
            let value = current.value(key)?;
            (order_of(value)? != *place).then(|| (key.clone(), at(value.clone(), *place)))
        });
        moved.collect()
    }

    /// What the source says of an element, at the place that it has here.
    pub(super) fn placed(&self, current: &Document, key: &str, value: Value) -> Value {
        let here = || current.value(key).and_then(order_of);
        match self.given.get(key).copied().or_else(here) {
            Some(place) if key.contains('/') && order_of(&value).is_some() => at(value, place),
            _ => value,
        }
    }

    /// New elements go behind all that are there.
    fn append(&mut self, current: &Document, list: &str, new: &[String]) {
        let last = current.list(list).filter_map(|(_, value)| order_of(value)).max();
        let next = last.map_or(0, |last| last.saturating_add(1));
        let absent = new.iter().filter(|key| current.value(key).is_none());
        self.given.extend(absent.cloned().zip(next..));
    }
}

/// The list elements of a base by list, each in their order; whatever a file claims, in one pass.
fn by_list(seen: &Seen) -> BTreeMap<&str, Vec<&String>> {
    let mut lists = BTreeMap::<&str, Vec<&String>>::new();
    for (key, _) in &seen.0 {
        if let Some((list, _)) = key.split_once('/') {
            lists.entry(list).or_default().push(key);
        }
    }
    lists
}

fn at(value: Value, place: i64) -> Value {
    match value {
        Value::Map(mut members) => {
            members.insert(ORDER.to_owned(), Value::Int(place));
            Value::Map(members)
        }
        other => other,
    }
}

/// The lists of a document whose elements have places, each with its keys in order.
fn sequences(document: &Document) -> BTreeMap<&str, Vec<String>> {
    let keys = document.registers().map(|(key, _)| key).filter(|key| !is_inner(key));
    let lists: BTreeSet<&str> = keys.filter_map(|key| Some(key.split_once('/')?.0)).collect();
    let sequence = |list| {
        let mut elements: Vec<_> =
            document.list(list).filter_map(|(id, value)| Some((order_of(value)?, id))).collect();
        elements.sort_unstable();
        (list, elements.into_iter().map(|(_, id)| format!("{list}/{id}")).collect())
    };
    lists.into_iter().map(sequence).collect()
}

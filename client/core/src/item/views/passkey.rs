//! Passkeys.

use std::collections::BTreeMap;

use super::ORDER;
use crate::item::value::Value;

/// A passkey: an element of `passkeys`, or the field `passkey` of an item of that kind. All parts are texts as
/// exporters write them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Passkey {
    parts: BTreeMap<String, String>,
    /// Its place in the list.
    pub order: Option<i64>,
}

impl Passkey {
    /// The names of all parts. Frozen.
    pub const PARTS: [&'static str; 13] = [
        "algorithm",
        "counter",
        "created",
        "credential-id",
        "curve",
        "discoverable",
        "key-type",
        "private-key",
        "rp-id",
        "rp-name",
        "user-display-name",
        "user-handle",
        "user-name",
    ];

    /// Reads an element; parts of another type read as absent.
    pub fn read(value: &Value) -> Self {
        let mut passkey = Self { order: value.member(ORDER).and_then(Value::as_int), ..Self::default() };
        for part in Self::PARTS {
            passkey.put(part, value.member(part).and_then(Value::as_text));
        }
        passkey
    }

    /// One of [`Passkey::PARTS`].
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.get(name).map(String::as_str)
    }

    /// Sets one of [`Passkey::PARTS`]; `None` removes it.
    pub fn put(&mut self, name: &str, part: Option<&str>) {
        match part {
            Some(part) => self.parts.insert(name.to_owned(), part.to_owned()),
            None => self.parts.remove(name),
        };
    }

    /// The site that the passkey is for.
    pub fn relying_party(&self) -> Option<&str> {
        self.part("rp-id")
    }

    /// The element as a value.
    pub fn to_value(&self) -> Value {
        let parts = self.parts.iter().map(|(name, part)| (name.clone(), Value::from(part.as_str())));
        let order = self.order.map(|order| (ORDER.to_owned(), Value::Int(order)));
        Value::Map(parts.chain(order).collect())
    }
}

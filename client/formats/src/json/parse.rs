//! One value from its bytes: mended, parsed, and nothing of it dropped.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::mend::{Mended, mend};
use super::scan::{Extent, extent};

/// Levels of nesting that are read; below the parser's own limit.
pub(crate) const MAX_DEPTH: usize = 120;
/// Bytes of one value that are read. The values of an item are a small part of it.
pub(crate) const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;

/// A value that was read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) json: Json,
    pub(crate) mended: Mended,
    /// Names of members that stood more than once in one object with different values. The last value has the name, the
    /// others stand beside it as `name (1)`, `name (2)`.
    pub(crate) repeated: BTreeSet<String>,
}

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unparsed {
    /// It is not JSON.
    Broken,
    /// It is nested too deeply.
    TooDeep,
    /// It has too many bytes.
    TooLong,
}

/// Reads the value that is all of `value`.
///
/// # Errors
/// [`Unparsed`].
pub(crate) fn parse(value: &[u8]) -> Result<Parsed, Unparsed> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(Unparsed::TooLong);
    }
    let Some(Extent { depth, .. }) = extent(value, 0) else { return Err(Unparsed::Broken) };
    if depth > MAX_DEPTH {
        return Err(Unparsed::TooDeep);
    }
    let (text, mended) = mend(value);
    let mut repeated = BTreeSet::new();
    let mut parser = serde_json::Deserializer::from_str(&text);
    let json = Whole { repeated: &mut repeated }.deserialize(&mut parser).map_err(|_| Unparsed::Broken)?;
    parser.end().map_err(|_| Unparsed::Broken)?;
    Ok(Parsed { json, mended, repeated })
}

/// A value, of which no member gets lost to another of the same name.
struct Whole<'r> {
    repeated: &'r mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(Whole { repeated: &mut *self.repeated })? {
            list.push(element);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let (mut map, mut number) = (Map::new(), 0_usize);
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Whole { repeated: &mut *self.repeated })?;
            if let Some(earlier) = map.insert(name.clone(), value)
                && map.get(&name) != Some(&earlier)
            {
                let beside = loop {
                    number += 1;
                    let beside = format!("{name} ({number})");
                    if !map.contains_key(&beside) {
                        break beside;
                    }
                };
                map.insert(beside, earlier);
                self.repeated.insert(name);
            }
        }
        Ok(Json::Object(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_of_the_same_name_are_all_kept_and_named() {
        let parsed = parse(br#"{"a":1,"in":{"b":"x","b":"y","b":"z"},"a":1,"b (1)":0}"#).unwrap();
        assert_eq!(
            parsed.json,
            json!({ "a": 1, "in": { "b": "z", "b (1)": "x", "b (2)": "y" }, "b (1)": 0 })
        );
        assert_eq!(parsed.repeated, BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn a_value_is_bounded_before_it_is_parsed() {
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&deep(MAX_DEPTH + 1)).unwrap_err(), Unparsed::TooDeep);
        assert_eq!(parse(&deep(1_000_000)).unwrap_err(), Unparsed::TooDeep);
        let long = format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES));
        assert_eq!(parse(long.as_bytes()).unwrap_err(), Unparsed::TooLong);
    }

    #[test]
    fn what_is_no_value_is_broken() {
        for text in ["", " ", "{", "[1,]", "{\"a\"}", "tru", "[1}", "{\"a\":1,}", "1 2", "[]]", "\"", "é"] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), Unparsed::Broken, "{text}");
        }
    }
}

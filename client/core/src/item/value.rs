//! Values: the CBOR data model without floats, tags and undefined.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroize as _;

/// What a field holds. Every value has exactly one encoding.
///
/// `Debug` shows types and lengths, never contents: most values are secrets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Value {
    /// Nothing: a cleared field, a removed list element.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of 64 bits with sign.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// UTF-8 text, kept as typed (no normalisation).
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// A map with text keys.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// Whether this stands for "nothing".
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The bytes, if they are.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(values) = self { Some(values) } else { None }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The member of a map; `None` when this is no map, lacks it, or holds null there.
    pub fn member(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key).filter(|value| !value.is_null())
    }

    /// A map without its null members.
    pub fn map<const N: usize>(members: [(&str, Value); N]) -> Self {
        let present = members.into_iter().filter(|(_, value)| !value.is_null());
        Self::Map(present.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Overwrites texts and bytes in memory and leaves them empty.
    pub(super) fn wipe(&mut self) {
        match self {
            Self::Bytes(bytes) => bytes.zeroize(),
            Self::Text(text) => text.zeroize(),
            Self::Array(values) => values.iter_mut().for_each(Self::wipe),
            Self::Map(map) => map.values_mut().for_each(Self::wipe),
            Self::Null | Self::Bool(_) | Self::Int(_) => {}
        }
    }

    /// Levels of nesting: 1 for a scalar.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 1,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(_) => f.write_str("bool"),
            Self::Int(_) => f.write_str("int"),
            Self::Bytes(bytes) => write!(f, "bytes({} B)", bytes.len()),
            Self::Text(text) => write!(f, "text({} B)", text.len()),
            Self::Array(values) => write!(f, "array({})", values.len()),
            Self::Map(map) => write!(f, "map({})", map.len()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

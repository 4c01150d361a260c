//! Fields that an item's owner named.

use super::{ORDER, text_member};
use crate::item::value::Value;

const NAME: &str = "name";
const VALUE: &str = "value";
const TYPE: &str = "type";
const LINKED: &str = "linked";

/// How a custom field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CustomType {
    /// Text in the clear.
    Text,
    /// Hidden until asked for.
    Hidden,
    /// A switch; the value is `true` or `false`.
    Boolean,
    /// Stands for another field of the item.
    Linked,
}

impl CustomType {
    /// All types.
    pub const ALL: [Self; 4] = [Self::Text, Self::Hidden, Self::Boolean, Self::Linked];

    /// How it is written in a document. Frozen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Hidden => "hidden",
            Self::Boolean => "boolean",
            Self::Linked => "linked",
        }
    }

    /// The type written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A custom field: an element of `custom`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CustomField {
    /// Its name.
    pub name: Option<String>,
    /// What it holds.
    pub value: Option<String>,
    /// How it is shown; as text where absent.
    pub custom_type: Option<CustomType>,
    /// The number of the field that it stands for, as Bitwarden counts them.
    pub linked: Option<i64>,
    /// Its place in the list.
    pub order: Option<i64>,
}

impl CustomField {
    /// Reads an element; members of another type read as absent.
    pub fn read(value: &Value) -> Self {
        Self {
            name: text_member(value, NAME),
            value: text_member(value, VALUE),
            custom_type: value.member(TYPE).and_then(Value::as_text).and_then(CustomType::parse),
            linked: value.member(LINKED).and_then(Value::as_int),
            order: value.member(ORDER).and_then(Value::as_int),
        }
    }

    /// The element as a value.
    pub fn to_value(&self) -> Value {
        Value::map([
            (NAME, self.name.clone().into()),
            (VALUE, self.value.clone().into()),
            (TYPE, self.custom_type.map(CustomType::as_str).into()),
            (LINKED, self.linked.into()),
            (ORDER, self.order.into()),
        ])
    }
}

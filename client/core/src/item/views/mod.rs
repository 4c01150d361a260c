//! Typed views: what the fields of each kind are called and hold.
//!
//! A view borrows a [`Document`](super::Document) and names its fields; writing goes through [`Edit`](super::Edit) or
//! [`Draft`](super::Draft) with the same keys ([`field`]).
//!
//! **Invariants:** a view reads and names, it never owns: fields and kinds that no view knows stay in the document. A
//! field whose value has another type than expected reads as absent and is left alone.

mod custom_field;
pub mod field;
mod kind;
mod login;
mod passkey;
mod records;
#[cfg(test)]
mod schema_tests;
mod shared;
#[cfg(test)]
mod tests;
mod uri;

pub use custom_field::{CustomField, CustomType};
pub use kind::Kind;
pub use login::Login;
pub use passkey::Passkey;
pub use records::{ApiCredential, Card, FileDocument, Identity, SshKey, Wifi};
pub use uri::{MatchMode, Uri};

use super::value::Value;

/// List elements in the order that their owner gave them: by the member `order`, then by id.
fn in_order<'a, T>(
    elements: impl Iterator<Item = (&'a str, &'a Value)>,
    read: impl Fn(&Value) -> T,
) -> Vec<(&'a str, T)> {
    let mut elements: Vec<_> = elements.collect();
    elements
        .sort_by_key(|(id, value)| (value.member(ORDER).and_then(Value::as_int).unwrap_or(i64::MAX), *id));
    elements.into_iter().map(|(id, value)| (id, read(value))).collect()
}

const ORDER: &str = "order";

fn text_member(value: &Value, key: &str) -> Option<String> {
    value.member(key).and_then(Value::as_text).map(str::to_owned)
}

//! Values of fields.

use lockstep_client::item::Value;
use serde_json::{Value as Json, json};

use crate::custom;

/// A value for a program. Bytes become `{"base64url": …}`.
pub fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({ "base64url": lockstep_client::proto::bytes::to_base64url(bytes) }),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), json(value))).collect()),
    }
}

/// A value for a person, not yet cleaned: text as it is, an address as its text, a custom field with its name, anything else
/// as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Map(members) => match value.member("uri") {
            Some(uri) => text(uri),
            None if custom::is_custom(members) => custom::shown(value),
            None => json(value).to_string(),
        },
        _ => json(value).to_string(),
    }
}

/// Elements of lists in the order that their owner gave them, list by list.
pub fn in_order<'v>(elements: impl Iterator<Item = (String, &'v Value)>) -> Vec<(String, &'v Value)> {
    let order = |key: &str, held: &Value| {
        let list = key.split_once('/').map_or(key, |(list, _)| list).to_owned();
        let place = held.member("order").and_then(Value::as_int).unwrap_or(i64::MAX);
        (list, place, key.to_owned())
    };
    let mut elements: Vec<_> = elements.collect();
    elements.sort_by_cached_key(|(key, held)| order(key, held));
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_wrote_them() {
        assert_eq!(text(&"a".into()), "a");
        assert_eq!(text(&Value::Bool(true)), "true");
        assert_eq!(
            text(&Value::map([("uri", "https://x.test".into()), ("order", Value::Int(1))])),
            "https://x.test"
        );
        assert_eq!(text(&Value::map([("name", "PIN".into()), ("value", "1".into())])), "PIN: 1");
        assert_eq!(text(&Value::map([("type", "text".into()), ("value", "1".into())])), "(no name): 1");
        assert_eq!(text(&Value::map([("name", "PIN".into())])), "PIN: (empty)");
        let linked = [("name", "as".into()), ("type", "linked".into()), ("linked", Value::Int(100))];
        assert_eq!(text(&Value::map(linked)), "as: (stands for username)");
        assert_eq!(text(&Value::map([("x", Value::Int(1))])), r#"{"x":1}"#);
    }

    #[test]
    fn bytes_are_marked_as_such() {
        assert_eq!(json(&Value::Bytes(vec![1, 2])), json!({ "base64url": "AQI" }));
    }
}

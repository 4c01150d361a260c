//! Values of fields.

use lockstep_client::item::Value;
use serde_json::{Value as Json, json};

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

/// A value for a person, not yet cleaned: text as it is, an address as its text, anything else as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Map(_) => match (value.member("uri"), value.member("name"), value.member("value")) {
            (Some(uri), _, _) => text(uri),
            (_, Some(name), Some(held)) => format!("{}: {}", text(name), text(held)),
            (_, None, Some(held)) => text(held),
            _ => json(value).to_string(),
        },
        _ => json(value).to_string(),
    }
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
        assert_eq!(text(&Value::map([("x", Value::Int(1))])), r#"{"x":1}"#);
    }

    #[test]
    fn bytes_are_marked_as_such() {
        assert_eq!(json(&Value::Bytes(vec![1, 2])), json!({ "base64url": "AQI" }));
    }
}

//! Values as JSON that gives them back exactly: bytes are `{"bytes": base64url}`, maps `{"map": {…}}`, all else is itself.

use lockstep_client::item::Value;
use lockstep_proto::bytes::{from_base64url, to_base64url};
use serde_json::{Value as Json, json};

pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({ "bytes": to_base64url(bytes) }),
        Value::Array(values) => values.iter().map(to_json).collect(),
        Value::Map(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), to_json(value)));
            json!({ "map": Json::Object(members.collect()) })
        }
    }
}

/// The value; `None` for JSON that [`to_json`] does not write.
pub(crate) fn from_json(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Int(number.as_i64()?),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(values) => Value::Array(values.iter().map(from_json).collect::<Option<_>>()?),
        Json::Object(members) => match (members.len(), members.get("bytes"), members.get("map")) {
            (1, Some(bytes), None) => Value::Bytes(from_base64url(bytes.as_str()?)?),
            (1, None, Some(Json::Object(map))) => {
                let members = map.iter().map(|(key, value)| Some((key.clone(), from_json(value)?)));
                Value::Map(members.collect::<Option<_>>()?)
            }
            _ => return None,
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_with_its_type() {
        let map =
            Value::map([("bytes", Value::Bytes(vec![0, 255])), ("map", Value::map([("x", "y".into())]))]);
        for value in [
            Value::Null,
            Value::Bool(false),
            Value::Int(i64::MIN),
            "{\"bytes\":\"AA\"}".into(),
            Value::Bytes(Vec::new()),
            Value::Array(vec![map.clone(), Value::Null]),
            Value::Map(std::collections::BTreeMap::from([("none".to_owned(), Value::Null)])),
            map,
        ] {
            let written = to_json(&value).to_string();
            assert_eq!(from_json(&serde_json::from_str(&written).unwrap()), Some(value), "{written}");
        }
    }

    #[test]
    fn what_no_value_gives_is_none() {
        for json in [
            json!(1.5),
            json!(u64::MAX),
            json!({}),
            json!({ "bytes": 1 }),
            json!({ "bytes": "é" }),
            json!([{ "map": 1 }]),
        ] {
            assert_eq!(from_json(&json), None, "{json}");
        }
    }
}

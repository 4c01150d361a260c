//! Every way in which one answer can be a little different.

use ciborium::Value;
use lockstep_client::ports::Response;
use lockstep_tests::{decode, encode};

/// Places in a byte string whose bytes are changed, at most.
const PLACES: usize = 6;

/// The answer with each of its fields changed, and with a body that is none.
pub(super) fn of_answer(response: &Response) -> Vec<(String, Response)> {
    let with = |body: Vec<u8>| Response { body, ..response.clone() };
    let body = &response.body;
    let mut found = vec![
        ("empty".to_owned(), with(Vec::new())),
        ("half".to_owned(), with(body[..body.len() / 2].to_vec())),
        ("one byte short".to_owned(), with(body[..body.len() - 1].to_vec())),
        ("one byte long".to_owned(), with([&body[..], &[0]].concat())),
        ("null".to_owned(), with(vec![0xf6])),
        ("endless".to_owned(), with(vec![0x9f; 4096])),
        ("as text".to_owned(), Response { content_type: "text/html".to_owned(), ..response.clone() }),
        ("204".to_owned(), Response { status: 204, body: Vec::new(), ..response.clone() }),
        ("redirect".to_owned(), Response { status: 302, ..response.clone() }),
    ];
    let value: Value = decode(body);
    for (what, value) in of_value(&value) {
        found.push((what, with(encode(&value))));
    }
    found
}

fn of_value(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Map(entries) => of_map(entries),
        Value::Array(items) => of_array(items),
        Value::Bytes(bytes) => of_bytes(bytes),
        Value::Text(text) => vec![
            ("=''".to_owned(), Value::Text(String::new())),
            ("+'0'".to_owned(), Value::Text(format!("{text}0"))),
            ("=null".to_owned(), Value::Null),
        ],
        Value::Bool(yes) => vec![("=not".to_owned(), Value::Bool(!yes))],
        Value::Integer(number) => {
            let number = i128::from(*number);
            [0, number ^ 1, number + 1000, -1, i128::from(u64::MAX)]
                .into_iter()
                .filter(|other| *other != number)
                .map(|other| (format!("={other}"), Value::Integer(other.try_into().unwrap())))
                .chain([("=null".to_owned(), Value::Null)])
                .collect()
        }
        _ => Vec::new(),
    }
}

fn of_map(entries: &[(Value, Value)]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (at, (key, value)) in entries.iter().enumerate() {
        let name = key.as_text().unwrap_or("?");
        for (what, changed) in of_value(value) {
            let mut entries = entries.to_vec();
            entries[at].1 = changed;
            found.push((format!(".{name}{what}"), Value::Map(entries)));
        }
        let mut without = entries.to_vec();
        without.remove(at);
        found.push((format!(".{name} absent"), Value::Map(without)));
    }
    found
}

fn of_array(items: &[Value]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (at, item) in items.iter().enumerate() {
        for (what, changed) in of_value(item) {
            let mut items = items.to_vec();
            items[at] = changed;
            found.push((format!("[{at}]{what}"), Value::Array(items)));
        }
        let edited = |edit: &dyn Fn(&mut Vec<Value>)| {
            let mut items = items.to_vec();
            edit(&mut items);
            Value::Array(items)
        };
        found.push((format!("[{at}] dropped"), edited(&|items| drop(items.remove(at)))));
        found.push((format!("[{at}] repeated"), edited(&|items| items.insert(at, items[at].clone()))));
        if at + 1 < items.len() {
            found.push((format!("[{at}] after the next"), edited(&|items| items.swap(at, at + 1))));
            found.push((
                format!("[{at}] twice, without the next"),
                edited(&|items| items[at + 1] = items[at].clone()),
            ));
        }
    }
    if !items.is_empty() {
        found.push((" emptied".to_owned(), Value::Array(Vec::new())));
    }
    found
}

fn of_bytes(bytes: &[u8]) -> Vec<(String, Value)> {
    let mut found =
        vec![("=null".to_owned(), Value::Null), ("+0".to_owned(), Value::Bytes([bytes, &[0]].concat()))];
    if let Some((_, short)) = bytes.split_last() {
        found.push(("=''".to_owned(), Value::Bytes(Vec::new())));
        found.push(("-1".to_owned(), Value::Bytes(short.to_vec())));
        for place in 0..PLACES.min(bytes.len()) {
            let at = place * (bytes.len() - 1) / (PLACES - 1).max(1);
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << (place % 8);
            found.push((format!("@{at}"), Value::Bytes(changed)));
        }
    }
    found
}

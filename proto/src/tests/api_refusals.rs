//! What is not quite a request or response: every member of every type, taken away, nulled or of another type.

use ciborium::Value as Cbor;
use serde_json::{Value as Json, json};

use super::api_samples::{Sample, samples, to_cbor};
use crate::api::account::{LogPage, LogQuery};
use crate::api::info::SignupPolicy;
use crate::api::{BODY_DEPTH, ErrorCode, Problem};
use crate::bytes::{Bytes, from_base64url};

/// The members that may be absent; everything else is mandatory (R-NULL).
pub(super) const OPTIONAL: [&str; 28] = [
    "LogQuery/after",
    "SlotsQuery/generation",
    "Slots/oldest",
    "AppendLinks/record",
    "BarDevices/head",
    "BarDevices/signature",
    "SignupStart/invite",
    "SignupFinish/invite",
    "CommitsQuery/after",
    "CommitsQuery/limit",
    "ControlQuery/after",
    "ItemsQuery/after_seq",
    "ItemsQuery/after_item",
    "ItemsQuery/upto",
    "VersionsQuery/before",
    "VersionsQuery/limit",
    "VersionPage/versions/0/replaced_ms",
    "PairingReceived/message",
    "HealAccount/record",
    "HealProgress/head",
    "HealProgress/staged",
    "SidesQuery/after_seq",
    "SidesQuery/after_hash",
    "Problem/head",
    "Problem/room",
    "Problem/item_id",
    "Problem/retry_after_seconds",
    "Problem/overtaken",
];

fn is_optional(path: &str) -> bool {
    OPTIONAL.contains(&path)
}

/// The JSON pointers of all values inside, objects' members and lists' elements alike.
pub(super) fn pointers(value: &Json, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Json)> = match value {
        Json::Object(members) => members.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Json::Array(elements) => {
            elements.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        pointers(child, &pointer, found);
        found.push(pointer);
    }
}

/// The same place in the CBOR form.
pub(super) fn cbor_at<'a>(value: &'a mut Cbor, pointer: &str) -> &'a mut Cbor {
    pointer.split('/').skip(1).fold(value, |value, step| match value {
        Cbor::Map(members) => {
            let member = members.iter_mut().find(|(name, _)| name.as_text() == Some(step));
            &mut member.unwrap().1
        }
        Cbor::Array(elements) => &mut elements[step.parse::<usize>().unwrap()],
        _ => panic!("{pointer} leads nowhere"),
    })
}

fn json_with(sample: &Sample, pointer: &str, value: Json) -> Option<Json> {
    let mut json = sample.json.clone();
    *json.pointer_mut(pointer).unwrap() = value;
    (sample.read_json)(&json)
}

fn cbor_with(sample: &Sample, pointer: &str, value: Cbor) -> Option<Json> {
    let mut cbor = sample.cbor.clone();
    *cbor_at(&mut cbor, pointer) = value;
    (sample.read_cbor)(&cbor)
}

fn for_each_value(mut check: impl FnMut(&Sample, &str, &Json, &Cbor)) {
    for sample in samples() {
        let mut found = Vec::new();
        pointers(&sample.json, "", &mut found);
        assert!(!found.is_empty(), "{}", sample.name);
        for pointer in found {
            let cbor = cbor_at(&mut sample.cbor.clone(), &pointer).clone();
            check(&sample, &pointer, sample.json.pointer(&pointer).unwrap(), &cbor);
        }
    }
}

#[test]
fn a_member_that_is_missing_is_refused_unless_it_may_be_absent() {
    let mut optional = 0;
    for_each_value(|sample, pointer, _, _| {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut json = sample.json.clone();
        let Json::Object(members) = json.pointer_mut(parent).unwrap() else { return };
        members.remove(name);
        let mut cbor = sample.cbor.clone();
        let Cbor::Map(members) = cbor_at(&mut cbor, parent) else { panic!("a map as in JSON") };
        members.retain(|(key, _)| key.as_text() != Some(name));
        let (from_json, from_cbor) = ((sample.read_json)(&json), (sample.read_cbor)(&cbor));
        let expected = is_optional(&format!("{}{pointer}", sample.name)).then_some(json);
        optional += usize::from(expected.is_some());
        assert_eq!(from_json, expected, "{}{pointer} in JSON", sample.name);
        assert_eq!(from_cbor, expected, "{}{pointer} in CBOR", sample.name);
    });
    assert_eq!(optional, OPTIONAL.len(), "every optional member was there to be taken away");
}

#[test]
fn null_stands_for_an_absent_optional_member_and_for_nothing_else() {
    for_each_value(|sample, pointer, _, _| {
        let optional = is_optional(&format!("{}{pointer}", sample.name));
        let from_json = json_with(sample, pointer, Json::Null);
        assert_eq!(from_json.is_some(), optional, "{}{pointer} in JSON", sample.name);
        let from_cbor = cbor_with(sample, pointer, Cbor::Null);
        assert_eq!(from_cbor.is_some(), optional, "{}{pointer} in CBOR", sample.name);
    });
}

#[test]
fn bytes_are_bytes_and_neither_lists_nor_other_texts() {
    let mut seen = 0;
    for_each_value(|sample, pointer, json, cbor| {
        let Cbor::Bytes(bytes) = cbor else { return };
        seen += 1;
        let text = json.as_str().unwrap();
        let listed: Vec<u64> = bytes.iter().map(|byte| u64::from(*byte)).collect();
        let mut wrong = vec![json!(listed), json!(7), json!(true), json!({}), json!(format!("{text}="))];
        wrong.extend([json!(format!("{text}\n")), json!(format!("+/{text}")), json!("A")]);
        for value in wrong {
            assert_eq!(json_with(sample, pointer, value.clone()), None, "{}{pointer}: {value}", sample.name);
        }
        let listed = Cbor::Array(listed.into_iter().map(Cbor::from).collect());
        let tagged = Cbor::Map(vec![(Cbor::from("bytes"), cbor.clone())]);
        for value in [listed, tagged, Cbor::Text(text.to_owned()), Cbor::from(7), Cbor::from(true)] {
            let refused = cbor_with(sample, pointer, value.clone());
            assert_eq!(refused, None, "{}{pointer}: {value:?}", sample.name);
        }
    });
    assert!(seen > 50, "{seen} byte strings");
}

#[test]
fn ids_and_signatures_have_their_length() {
    for_each_value(|sample, pointer, json, cbor| {
        let Some(bytes) = cbor.as_bytes().filter(|bytes| [16, 32, 64].contains(&bytes.len())) else { return };
        for length in [0, bytes.len() - 1, bytes.len() + 1, 2 * bytes.len()] {
            let wrong = cbor_with(sample, pointer, Cbor::Bytes(vec![1; length]));
            assert_eq!(wrong, None, "{}{pointer} of {length} bytes", sample.name);
            if from_base64url(json.as_str().unwrap()).is_some_and(|read| read == *bytes) {
                let text = serde_json::to_value(Bytes(vec![1; length])).unwrap();
                assert_eq!(json_with(sample, pointer, text), None, "{}{pointer}", sample.name);
            }
        }
    });
}

#[test]
fn numbers_and_truths_are_what_they_are() {
    for_each_value(|sample, pointer, json, _| {
        let wrong = match json {
            Json::Number(_) => vec![json!("1"), json!(-1), json!(1.5), json!(true), json!([1]), json!(1e30)],
            Json::Bool(_) => vec![json!("true"), json!(0), json!(1), json!([])],
            Json::Array(_) => vec![json!({}), json!("AA"), json!(0), json!(true)],
            Json::Object(_) => vec![json!("AA"), json!(0), json!([null])],
            Json::String(_) | Json::Null => {
                vec![json!(0), json!(false), json!(["AA"]), json!({ "text": "AA" })]
            }
        };
        for value in wrong {
            assert_eq!(json_with(sample, pointer, value.clone()), None, "{}{pointer}: {value}", sample.name);
        }
    });
}

#[test]
fn members_that_a_newer_peer_adds_are_ignored_at_every_depth_but_not_in_queries() {
    for sample in samples() {
        if sample.name.ends_with("Query") {
            // A name that is not known there would ask for another page than the one that is given.
            let (mut json, mut cbor) = (sample.json.clone(), sample.cbor.clone());
            json.as_object_mut().unwrap().insert("new".to_owned(), json!(1));
            cbor.as_map_mut().unwrap().push((Cbor::from("new"), Cbor::from(1)));
            assert_eq!((sample.read_json)(&json), None, "{}", sample.name);
            assert_eq!((sample.read_cbor)(&cbor), None, "{}", sample.name);
            continue;
        }
        let mut places = vec![String::new()];
        pointers(&sample.json, "", &mut places);
        for place in places {
            let mut json = sample.json.clone();
            let Json::Object(members) = json.pointer_mut(&place).unwrap() else { continue };
            members.insert("new".to_owned(), json!({ "deep": [1, null, "x"] }));
            assert_eq!((sample.read_json)(&json).as_ref(), Some(&sample.json), "{}{place}", sample.name);
            let mut cbor = sample.cbor.clone();
            let Cbor::Map(members) = cbor_at(&mut cbor, &place) else { panic!("a map as in JSON") };
            members.insert(0, (Cbor::from("new"), Cbor::Array(vec![Cbor::Null, Cbor::Bytes(vec![1])])));
            assert_eq!((sample.read_cbor)(&cbor).as_ref(), Some(&sample.json), "{}{place}", sample.name);
        }
    }
}

#[test]
fn a_member_given_twice_is_refused() {
    assert!(serde_json::from_str::<LogQuery>(r#"{"after":1,"after":2}"#).is_err());
    for sample in samples() {
        let Cbor::Map(members) = &sample.cbor else { panic!("{} is a map", sample.name) };
        for member in members {
            let twice = Cbor::Map([&members[..], std::slice::from_ref(member)].concat());
            assert_eq!((sample.read_cbor)(&twice), None, "{}: {member:?}", sample.name);
        }
    }
}

#[test]
fn what_is_cut_short_or_announces_more_than_there_is_is_refused() {
    for sample in samples() {
        let cbor = to_cbor(&sample.cbor);
        for end in 0..cbor.len() {
            let cut: Result<Cbor, _> = ciborium::from_reader(&cbor[..end]);
            assert!(cut.is_err(), "{} cut at {end}", sample.name);
        }
    }
    // A byte string, then a list, of 2^62 elements: memory grows with what comes, not with what is announced.
    for announced in [0x5b, 0x9b] {
        let bytes = [announced, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        assert!(ciborium::from_reader::<Bytes, _>(&bytes[..]).is_err());
        let page = [&b"\xa1\x65links"[..], &bytes].concat();
        assert!(ciborium::from_reader::<LogPage, _>(&page[..]).is_err());
    }
}

#[test]
fn no_body_nests_deeper_than_a_reader_allows() {
    fn depth(value: &Json) -> usize {
        match value {
            Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
            Json::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }
    for sample in samples() {
        assert!(depth(&sample.json) <= BODY_DEPTH / 2, "{}: room for what is added later", sample.name);
    }
}

#[test]
fn unknown_words_are_refused_but_for_error_codes() {
    for (policy, text) in [
        (SignupPolicy::Open, "\"open\""),
        (SignupPolicy::Invite, "\"invite\""),
        (SignupPolicy::Closed, "\"closed\""),
        (SignupPolicy::FirstAccount, "\"first-account\""),
    ] {
        assert_eq!(serde_json::to_string(&policy).unwrap(), text);
        assert_eq!(serde_json::from_str::<SignupPolicy>(text).unwrap(), policy);
    }
    for wrong in ["\"Open\"", "\"anybody\"", "\"\"", "0"] {
        assert!(serde_json::from_str::<SignupPolicy>(wrong).is_err(), "{wrong}");
    }
    let problem = samples().into_iter().find(|sample| sample.name == "Problem").unwrap();
    let unknown = json_with(&problem, "/code", json!("from-a-newer-server")).unwrap();
    let unknown: Problem = serde_json::from_value(unknown).unwrap();
    assert_eq!((unknown.code, unknown.status), (ErrorCode::Unknown, ErrorCode::ItemChanged.status()));
}

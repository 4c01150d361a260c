//! What is not quite a request or response: every member of every type, taken away, nulled or of another type.

use ciborium::Value as Cbor;
use serde_json::Value as Json;

use super::api_samples::{Sample, samples, to_cbor};
use crate::api::account::{AppendLinks, LogPage};
use crate::api::heal::{HealAccount, HealBlobs};
use crate::api::info::SignupPolicy;
use crate::api::{BODY_DEPTH, ErrorCode, Problem, SLOTS_PER_REQUEST, WANTED_LIMIT};
use crate::bytes::Bytes;
use crate::log::ALL_LINKS_LIMIT;

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

/// The pointers (RFC 6901) to all values inside, objects' members and lists' elements alike.
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

/// The same place on the wire.
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

fn cbor_with(sample: &Sample, pointer: &str, value: Cbor) -> Option<Json> {
    let mut cbor = sample.cbor.clone();
    *cbor_at(&mut cbor, pointer) = value;
    (sample.read)(&cbor)
}

fn for_each_value(mut check: impl FnMut(&Sample, &str, &Cbor)) {
    for sample in samples() {
        let mut found = Vec::new();
        pointers(&sample.tree, "", &mut found);
        assert!(!found.is_empty(), "{}", sample.name);
        for pointer in found {
            let cbor = cbor_at(&mut sample.cbor.clone(), &pointer).clone();
            check(&sample, &pointer, &cbor);
        }
    }
}

#[test]
fn a_member_that_is_missing_is_refused_unless_it_may_be_absent() {
    let mut optional = 0;
    for_each_value(|sample, pointer, _| {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut tree = sample.tree.clone();
        let Json::Object(members) = tree.pointer_mut(parent).unwrap() else { return };
        members.remove(name);
        let mut cbor = sample.cbor.clone();
        let Cbor::Map(members) = cbor_at(&mut cbor, parent) else { panic!("a map") };
        members.retain(|(key, _)| key.as_text() != Some(name));
        let expected = is_optional(&format!("{}{pointer}", sample.name)).then_some(tree);
        optional += usize::from(expected.is_some());
        assert_eq!((sample.read)(&cbor), expected, "{}{pointer}", sample.name);
    });
    assert_eq!(optional, OPTIONAL.len(), "every optional member was there to be taken away");
}

#[test]
fn null_stands_for_an_absent_optional_member_and_for_nothing_else() {
    for_each_value(|sample, pointer, _| {
        let optional = is_optional(&format!("{}{pointer}", sample.name));
        let read = cbor_with(sample, pointer, Cbor::Null);
        assert_eq!(read.is_some(), optional, "{}{pointer}", sample.name);
    });
}

#[test]
fn bytes_are_bytes_and_neither_lists_nor_texts() {
    let mut seen = 0;
    for_each_value(|sample, pointer, cbor| {
        let Cbor::Bytes(bytes) = cbor else { return };
        seen += 1;
        let text = sample.tree.pointer(pointer).and_then(Json::as_str).unwrap();
        let listed = Cbor::Array(bytes.iter().map(|byte| Cbor::from(*byte)).collect());
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
    for_each_value(|sample, pointer, cbor| {
        let Some(bytes) = cbor.as_bytes().filter(|bytes| [16, 32, 64].contains(&bytes.len())) else { return };
        for length in [0, bytes.len() - 1, bytes.len() + 1, 2 * bytes.len()] {
            let wrong = cbor_with(sample, pointer, Cbor::Bytes(vec![1; length]));
            assert_eq!(wrong, None, "{}{pointer} of {length} bytes", sample.name);
        }
    });
}

#[test]
fn numbers_and_truths_are_what_they_are() {
    for_each_value(|sample, pointer, cbor| {
        let (one, list) = (Cbor::from(1), Cbor::Array(vec![Cbor::from(1)]));
        let (text, map) = (Cbor::from("1"), Cbor::Map(Vec::new()));
        let wrong = match cbor {
            Cbor::Integer(_) => {
                vec![text, Cbor::from(-1), Cbor::from(1.5), Cbor::from(true), list, Cbor::from(1e30)]
            }
            Cbor::Bool(_) => vec![Cbor::from("true"), Cbor::from(0), one, list],
            Cbor::Array(_) => vec![map, text, one, Cbor::from(true)],
            Cbor::Map(_) => vec![text, one, Cbor::Array(vec![Cbor::Null])],
            _ => vec![one, Cbor::from(false), Cbor::Array(vec![text]), map],
        };
        for value in wrong {
            assert_eq!(
                cbor_with(sample, pointer, value.clone()),
                None,
                "{}{pointer}: {value:?}",
                sample.name
            );
        }
    });
}

#[test]
fn members_that_a_newer_peer_adds_are_ignored_at_every_depth_but_not_in_queries() {
    for sample in samples() {
        if sample.name.ends_with("Query") {
            // A name that is not known there would ask for another page than the one that is given.
            let mut cbor = sample.cbor.clone();
            cbor.as_map_mut().unwrap().push((Cbor::from("new"), Cbor::from(1)));
            assert_eq!((sample.read)(&cbor), None, "{}", sample.name);
            continue;
        }
        let mut places = vec![String::new()];
        pointers(&sample.tree, "", &mut places);
        for place in places {
            let mut cbor = sample.cbor.clone();
            let Cbor::Map(members) = cbor_at(&mut cbor, &place) else { continue };
            members.insert(0, (Cbor::from("new"), Cbor::Array(vec![Cbor::Null, Cbor::Bytes(vec![1])])));
            assert_eq!((sample.read)(&cbor).as_ref(), Some(&sample.tree), "{}{place}", sample.name);
        }
    }
}

#[test]
fn a_member_given_twice_is_refused() {
    for sample in samples() {
        let Cbor::Map(members) = &sample.cbor else { panic!("{} is a map", sample.name) };
        for member in members {
            let twice = Cbor::Map([&members[..], std::slice::from_ref(member)].concat());
            assert_eq!((sample.read)(&twice), None, "{}: {member:?}", sample.name);
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

/// A byte of a body must not become many of memory.
#[test]
fn lists_of_byte_strings_have_a_bound_however_short_these_are() {
    fn read<T: serde::de::DeserializeOwned>(members: &[(&str, usize)]) -> bool {
        let empty = |count| Cbor::Array(vec![Cbor::Bytes(Vec::new()); count]);
        let map = members.iter().map(|(name, count)| (Cbor::from(*name), empty(*count)));
        let bytes = to_cbor(&Cbor::Map(map.collect()));
        ciborium::from_reader::<T, _>(&bytes[..]).is_ok()
    }
    for more in [0, 1] {
        let links = |slots| read::<HealAccount>(&[("links", ALL_LINKS_LIMIT + more), ("slots", slots)]);
        assert_eq!(links(0), more == 0);
        let slots = [("links", 0), ("slots", SLOTS_PER_REQUEST + more)];
        assert_eq!((read::<HealAccount>(&slots), read::<AppendLinks>(&slots)), (more == 0, more == 0));
        assert_eq!(read::<HealBlobs>(&[("blobs", WANTED_LIMIT + more)]), more == 0);
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
        assert!(depth(&sample.tree) <= BODY_DEPTH / 2, "{}: room for what is added later", sample.name);
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
    let unknown = cbor_with(&problem, "/code", Cbor::from("from-a-newer-server")).unwrap();
    let unknown: Problem = serde_json::from_value(unknown).unwrap();
    assert_eq!((unknown.code, unknown.status), (ErrorCode::Unknown, ErrorCode::ItemChanged.status()));
}

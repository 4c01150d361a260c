#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_proto::ids::DeviceId;

use super::merge::merge;
use super::*;

fn at(now_ms: u64, device: u8) -> Author {
    Author { now_ms, device: DeviceId([device; 16]) }
}

fn login() -> Document {
    Draft::by("login", at(1_000, 1)).unwrap().set("password", "one").set("name", "Mail").build().unwrap()
}

#[test]
fn edits_of_different_fields_both_stay() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(2_000, 1)).set("password", "two").apply().unwrap();
    b.edit(at(2_000, 2)).set("name", "Post").apply().unwrap();
    let merged = merge(&a, &b);
    assert_eq!((merged.text("password"), merged.text("name")), (Some("two"), Some("Post")));
    assert!(merged.conflicts().is_empty());
}

#[test]
fn the_losing_value_of_one_field_is_kept_and_marked_until_resolved() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(2_000, 1)).set("password", "mine").apply().unwrap();
    b.edit(at(3_000, 2)).set("password", "yours").apply().unwrap();
    let mut merged = merge(&a, &b);
    let conflicts = merged.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].field), (1, "password"));
    assert_eq!(conflicts[0].winner.value().as_text(), Some("yours"));
    assert_eq!(
        conflicts[0].losers.iter().map(|entry| entry.value().as_text()).collect::<Vec<_>>(),
        [Some("mine")]
    );
    merged.edit(at(4_000, 1)).set("password", "later").apply().unwrap();
    assert_eq!(merged.conflicts().len(), 1, "an ordinary edit leaves the question open");
    merged.edit(at(5_000, 1)).resolve("password", "later").apply().unwrap();
    assert!(merged.conflicts().is_empty());
    assert_eq!(merged.register("password").unwrap().entries().len(), 5);
}

#[test]
fn equal_values_never_conflict_even_after_one_of_them_is_replaced() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(2_000, 1)).set("password", "same").apply().unwrap();
    b.edit(at(2_001, 2)).set("password", "same").apply().unwrap();
    assert!(merge(&a, &b).conflicts().is_empty());
    a.edit(at(3_000, 1)).set("password", "next").apply().unwrap();
    assert!(merge(&a, &b).conflicts().is_empty());
}

#[test]
fn setting_what_is_there_already_writes_nothing() {
    let mut document = login();
    let before = document.to_bytes();
    assert!(!document.edit(at(9_000, 1)).set("password", "one").clear("absent").apply().unwrap());
    assert_eq!(document.to_bytes(), before);
}

#[test]
fn trash_holds_until_an_edit_that_it_has_not_seen_arrives() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(5_000, 1)).trash().apply().unwrap();
    assert_eq!(a.trash_state(), TrashState::Trashed { since_ms: 5_000 });
    assert_eq!(merge(&a, &b).trash_state(), TrashState::Trashed { since_ms: 5_000 });
    b.edit(at(2_000, 2)).set("name", "older clock, unseen").apply().unwrap();
    assert_eq!(merge(&a, &b).trash_state(), TrashState::BroughtBack);
}

#[test]
fn an_item_that_two_devices_trash_stays_in_the_trash_and_one_restore_takes_it_out() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(5_000, 1)).trash().apply().unwrap();
    b.edit(at(6_000, 2)).trash().apply().unwrap();
    let mut merged = merge(&a, &b);
    assert_eq!(merged.trash_state(), TrashState::Trashed { since_ms: 6_000 });
    merged.edit(at(7_000, 1)).restore().apply().unwrap();
    assert_eq!(merged.trash_state(), TrashState::Live);
    assert!(merged.conflicts().is_empty());
}

#[test]
fn a_restore_that_a_later_trashing_has_not_seen_wins() {
    let mut a = login();
    a.edit(at(5_000, 1)).trash().apply().unwrap();
    let mut b = a.clone();
    a.edit(at(6_000, 1)).restore().apply().unwrap();
    b.edit(at(7_000, 2)).set("name", "x").trash().apply().unwrap();
    assert_eq!(merge(&a, &b).trash_state(), TrashState::BroughtBack);
}

#[test]
fn an_edit_that_is_too_large_changes_nothing() {
    let mut document = login();
    let before = document.clone();
    let long = "x".repeat(MAX_LIVE_BYTES);
    assert!(matches!(
        document.edit(at(2_000, 1)).set("notes", long).apply(),
        Err(ItemError::TooLarge { found }) if found > MAX_LIVE_BYTES
    ));
    assert!(matches!(
        document.edit(at(2_000, 1)).set("", "x").apply(),
        Err(ItemError::FieldKey { found: 0 })
    ));
    let deep = (0..MAX_VALUE_DEPTH).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    assert!(matches!(document.edit(at(2_000, 1)).set("a", deep).apply(), Err(ItemError::TooDeep { .. })));
    assert!(document == before);
}

#[test]
fn history_gives_up_its_oldest_values_when_a_document_has_too_much() {
    let mut document = login();
    for round in 0..12_u64 {
        let mut edit = document.edit(at(2_000 + round, 1));
        for field in 0..8 {
            edit = edit.set(format!("f{field}"), format!("{round}{}", "x".repeat(12_000)));
        }
        edit.apply().unwrap();
    }
    assert!(
        document.history_bytes() <= MAX_HISTORY_BYTES && document.history_bytes() > MAX_HISTORY_BYTES / 2
    );
    assert!(document.to_bytes().len() <= MAX_DOCUMENT_BYTES);
    assert!(Document::from_bytes(&document.to_bytes()).unwrap() == document);
    assert!(document.text("f0").unwrap().starts_with("11"));
}

#[test]
fn two_documents_at_their_limits_still_merge_into_one_blob() {
    let fill = |device: u8| {
        let mut document = login();
        for round in 0..12_u64 {
            let mut edit = document.edit(at(2_000 + round, device));
            for field in 0..16 {
                edit = edit.set(format!("f{device}/{field}"), format!("{round}{}", "x".repeat(16_000)));
            }
            edit.apply().unwrap();
        }
        document
    };
    assert!(merge(&fill(1), &fill(2)).to_bytes().len() <= MAX_DOCUMENT_BYTES);
}

#[test]
fn a_small_login_stays_small() {
    let mut draft = Draft::by("login", at(1_700_000_000_000, 1)).unwrap();
    for field in ["name", "username", "password", "uris/0", "tags/Home", "created", "favourite"] {
        draft.put(field, "12345678");
    }
    let bytes = draft.build().unwrap().to_bytes();
    assert!(bytes.len() < 230, "{} bytes", bytes.len());
}

#[test]
fn debug_shows_no_values() {
    let shown =
        format!("{:?}", Draft::by("login", at(1, 1)).unwrap().set("password", "hunter2").build().unwrap());
    assert!(shown.contains("password") && !shown.contains("hunter2"));
}

#[test]
fn foreign_or_endless_cbor_is_refused() {
    let refused: [&[u8]; 7] = [
        &[],
        &[0xa0],
        &[0xbf, 0xff],
        &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x81; 5_000],
        &[0xa3, 0x61, 0x64, 0x80, 0x61, 0x66, 0xa0, 0x61, 0x73, 0x80, 0x00],
    ];
    for bytes in refused {
        assert!(Document::from_bytes(bytes).is_err());
    }
    assert!(Document::from_bytes(&vec![0; MAX_DOCUMENT_BYTES + 1]).is_err());
    assert_eq!(Document::from_bytes(&refused[6][..10]).unwrap(), Document::default());
}

#[test]
fn members_of_a_later_protocol_are_written_back() {
    let bytes = [0xa4, 0x61, 0x64, 0x80, 0x61, 0x66, 0xa0, 0x61, 0x73, 0x80, 0x61, 0x7a, 0x81, 0x18, 0x2a];
    let document = Document::from_bytes(&bytes).unwrap();
    assert_eq!(document.to_bytes(), bytes);
    assert_eq!(merge(&document, &Document::default()).to_bytes(), bytes);
}

#[test]
fn of_two_members_of_a_later_protocol_the_one_with_the_higher_encoding_stays() {
    let with = |value: Value| Document { unknown: [("z".to_owned(), value)].into(), ..Document::default() };
    let (lower, higher) = (with(41_i64.into()), with(42_i64.into()));
    assert!(merge(&lower, &higher) == higher && merge(&higher, &lower) == higher);
}

#[test]
fn a_value_that_was_chosen_again_is_a_conflict_for_who_did_not_see_the_choice() {
    let (mut a, mut b) = (login(), login());
    a.edit(at(2_000, 1)).set("password", "mine").apply().unwrap();
    b.edit(at(3_000, 2)).set("password", "yours").apply().unwrap();
    let mut chosen = merge(&a, &b);
    chosen.edit(at(4_000, 1)).resolve("password", "mine").apply().unwrap();
    b.edit(at(5_000, 2)).set("password", "newer").apply().unwrap();
    let merged = merge(&chosen, &b);
    let conflicts = merged.register("password").unwrap().conflicts();
    let waiting: Vec<_> = conflicts.into_iter().map(|entry| entry.value().as_text().unwrap()).collect();
    assert_eq!((merged.text("password"), waiting), (Some("newer"), vec!["mine"]));
}

#[test]
fn versions_that_do_not_fit_together_part_the_same_way_on_every_device() {
    let fill = |device: u8| {
        let mut document = login();
        for round in 0..40_u64 {
            let mut edit = document.edit(at(2_000 + round, device));
            for field in 0..30 {
                edit = edit.set(format!("f{device}/{field}"), format!("{round}{}", "x".repeat(8_600)));
            }
            edit.apply().unwrap();
        }
        document
    };
    let [a, b, c] = [fill(1), fill(2), fill(3)];
    let merge::Merged::One(ab) = merge::merge_fitting(&a, &b) else { panic!("two at their limits fit") };
    let apart = merge::merge_fitting(&ab, &c);
    assert!(matches!(&apart, merge::Merged::Apart { stays, leaves } if *stays == c && *leaves == ab));
    assert!(merge::merge_fitting(&c, &ab) == apart);
}

#[test]
fn a_clock_more_than_a_day_ahead_is_noticed() {
    let document = edit_at(login(), 200_000_000);
    assert_eq!((document.ahead_ms(1_000), document.ahead_ms(150_000_000)), (Some(199_999_000), None));
}

fn edit_at(mut document: Document, now_ms: u64) -> Document {
    document.edit(at(now_ms, 1)).set("name", "later").apply().unwrap();
    document
}

#[test]
fn an_item_that_a_merge_made_too_large_can_be_shortened_and_trashed_but_not_grown() {
    let fill = |device: u8| {
        let mut document = login();
        document.edit(at(2_000, device)).set(format!("f{device}"), "x".repeat(200_000)).apply().unwrap();
        document
    };
    let mut merged = merge(&fill(1), &fill(2));
    assert!(merged.live_bytes() > MAX_LIVE_BYTES);
    assert!(merged.edit(at(3_000, 1)).set("f1", "x".repeat(199_000)).apply().unwrap());
    assert!(matches!(merged.edit(at(3_000, 1)).set("more", "x").apply(), Err(ItemError::TooLarge { .. })));
    assert!(merged.edit(at(4_000, 1)).trash().apply().unwrap());
    assert_eq!(merged.trash_state(), TrashState::Trashed { since_ms: 4_000 });
}

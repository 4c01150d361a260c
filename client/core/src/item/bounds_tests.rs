//! Registers and documents at their exact limits.

#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::DeviceId;

use super::*;

/// The size that an entry that replaces one stamp and has 11 bytes counts for.
const ENTRY: usize = 68;

fn at(now_ms: u64, device: u8) -> Author {
    Author { now_ms, device: DeviceId([device; 16]) }
}

fn stamp(ms: u64) -> Stamp {
    Stamp::new(ms, 0, DeviceId([1; 16])).unwrap()
}

/// An entry that was written over the one a millisecond before.
fn entry(ms: u64, byte: u8) -> Entry {
    Entry::new(stamp(ms), Value::Bytes(vec![byte; 11]), vec![stamp(ms - 1)])
}

/// An entry whose writer had seen nothing.
fn unseen(ms: u64, device: u8, bytes: usize) -> Entry {
    let stamp = Stamp::new(ms, 0, DeviceId([device; 16])).unwrap();
    Entry::new(stamp, Value::Bytes(vec![device; bytes]), Vec::new())
}

fn floor(ms: u64) -> Floors {
    Floors::at([stamp(ms)])
}

fn login() -> Document {
    Draft::by("login", at(1_000, 1)).unwrap().set("name", "Mail").build().unwrap()
}

#[test]
fn history_is_cut_exactly_where_the_bounds_say() {
    for (entries, history_count, history_bytes, kept, cut) in [
        (1, 0, 0, 0, None),
        (2, 0, 1_000, 0, Some(1)),
        (2, 1, ENTRY - 1, 0, Some(1)),
        (2, 1, ENTRY, 1, None),
        (3, 1, 1_000, 1, Some(1)),
        (3, 2, 2 * ENTRY - 1, 1, Some(1)),
        (3, 2, 2 * ENTRY, 2, None),
        (5, 9, ENTRY, 1, Some(3)),
        (21, 20, 20 * ENTRY, 20, None),
        (22, 20, 99 * ENTRY, 20, Some(1)),
        (22, 99, 20 * ENTRY, 20, Some(1)),
    ] {
        let bounds = Bounds { history_count, history_bytes };
        let all = (1..=entries).map(|ms| entry(ms, 0)).collect();
        let register = Register::from_entries(all, Floors::default(), &bounds).unwrap();
        let case = format!("{entries} entries in {bounds:?}");
        let floors = register.floors().highest();
        assert_eq!((register.history().len(), floors), (kept, cut.map(stamp)), "{case}");
        assert_eq!(register.winner().stamp(), stamp(entries), "{case}");
        assert!(register.merge(&register, &bounds) == register, "{case}");
    }
}

/// What waits for a choice takes nearly all of the document: choosing, and any other edit, is possible all the same.
#[test]
fn history_makes_room_for_what_waits_for_a_choice() {
    let (mut document, mut other) = (login(), login());
    let fields: Vec<_> = (0..9).map(|number| format!("text{number}")).collect();
    let text = |byte: &str, length| byte.repeat(length);
    for (number, field) in fields.iter().enumerate() {
        let now = 2_000 + number as u64;
        document.edit(at(now, 1)).set(field, text("a", 27_000)).apply().unwrap();
        for round in 0..3 {
            other.edit(at(3_000 + 10 * now + round, 2)).set(field, text("b", 27_000)).apply().unwrap();
        }
    }
    for number in 0..10 {
        document
            .edit(at(9_000 + number, 1))
            .set("notes", format!("{number}{}", text("n", 6_000)))
            .apply()
            .unwrap();
    }
    let mut full = merge::merge(&document, &other);
    // Further devices fill it up to its last bytes.
    for device in 3.. {
        let mut more = login();
        let room = MAX_DOCUMENT_BYTES.saturating_sub(full.to_bytes().len() + 100);
        more.edit(at(5_000, device)).set("text0", text("c", room.min(27_000))).apply().unwrap();
        full = merge::merge(&full, &more);
        if room < 27_000 {
            break;
        }
    }
    let length = full.to_bytes().len();
    assert!((MAX_DOCUMENT_BYTES - 200..=MAX_DOCUMENT_BYTES).contains(&length), "{length}");
    let (waiting, history) = (full.conflicts().len(), full.history_bytes());
    assert!(history > 50_000, "{history}");
    let mut edited = full.clone();
    edited.edit(at(90_000, 1)).set("username", text("u", 5_000)).apply().unwrap();
    assert!(edited.to_bytes().len() <= MAX_DOCUMENT_BYTES);
    assert_eq!(edited.conflicts().len(), waiting, "what nobody has seen stays");
    assert!((1..history).contains(&edited.history_bytes()));
    for field in &fields {
        let mut chosen = full.clone();
        chosen.edit(at(90_000, 1)).resolve(field, text("a", 27_000)).apply().unwrap();
        assert!(chosen.to_bytes().len() <= MAX_DOCUMENT_BYTES, "{field}");
    }
}

#[test]
fn a_document_has_its_limit_of_bytes_and_not_one_more() {
    let of = |bytes: usize| {
        let mut document = login();
        document.fields.insert("file".to_owned(), Register::new(unseen(2_000, 1, bytes)));
        document.to_bytes()
    };
    let room = MAX_DOCUMENT_BYTES - of(1_000_000).len();
    assert_eq!(of(1_000_000 + room).len(), 1_044_480);
    assert!(Document::from_bytes(&of(1_000_000 + room)).is_ok());
    let refused = Document::from_bytes(&of(1_000_001 + room));
    assert!(matches!(refused, Err(DecodeError::TooLarge { found: 1_044_481 })));
}

#[test]
fn every_stamp_that_an_entry_replaces_counts_as_much_as_its_own() {
    let writes_over = |replaced: u64| {
        let older = (1..=replaced).map(stamp).collect();
        Entry::new(stamp(10), Value::Bytes(vec![0; 11]), older)
    };
    let newest = || Entry::new(stamp(20), Value::Null, vec![stamp(10)]);
    for replaced in [0, 1, 3] {
        let room = ENTRY - 28 + 28 * usize::try_from(replaced).unwrap();
        for (history_bytes, kept) in [(room, 1), (room - 1, 0)] {
            let bounds = Bounds { history_count: 9, history_bytes };
            let entries = vec![newest(), writes_over(replaced)];
            let register = Register::from_entries(entries, Floors::default(), &bounds).unwrap();
            assert_eq!(register.history().len(), kept, "{replaced} replaced, {history_bytes} bytes");
        }
    }
}

#[test]
fn what_shares_the_stamp_of_the_cut_is_cut_too() {
    let bounds = Bounds { history_count: 2, history_bytes: 1_000 };
    let over =
        |ms, byte, replaced| Entry::new(stamp(ms), Value::Bytes(vec![byte; 11]), vec![stamp(replaced)]);
    let entries = vec![over(9, 0, 8), over(8, 0, 5), over(5, 1, 4), over(5, 2, 4), over(4, 0, 3)];
    let register = Register::from_entries(entries, Floors::default(), &bounds).unwrap();
    let kept: Vec<u64> = register.entries().iter().map(|entry| entry.stamp().ms()).collect();
    assert_eq!((kept, register.floors()), (vec![9, 8], &floor(5)));
}

#[test]
fn floors_cut_history_and_are_below_the_winner() {
    let bounds = Bounds::PROTOCOL;
    for (at, kept) in [(0, Some(3)), (1, Some(2)), (2, Some(1)), (3, None), (9, None)] {
        let entries = vec![entry(1, 0), entry(2, 0), entry(3, 0)];
        let register = Register::from_entries(entries, floor(at), &bounds);
        assert_eq!(register.map(|register| register.entries().len()), kept, "floor {at}");
    }
    assert!(Register::from_entries(Vec::new(), Floors::default(), &bounds).is_none());
}

#[test]
fn what_nobody_has_seen_is_outside_the_bounds() {
    let bounds = Bounds { history_count: 0, history_bytes: 0 };
    let heads =
        || (2..=31_u8).map(|device| unseen(100 + u64::from(device), device, 9_000)).collect::<Vec<_>>();
    let lone = Register::from_entries(heads(), Floors::default(), &bounds).unwrap();
    assert_eq!((lone.conflicts().len(), lone.floors().highest()), (29, None));
    // Also where other devices have given up newer history since.
    let chain = (0..90).map(|ms| entry(200 + ms, 7)).collect();
    let busy = Register::from_entries(chain, Floors::default(), &Bounds::PROTOCOL).unwrap();
    assert!(busy.floors().highest() > Some(stamp(200)));
    let mut both = lone.merge(&busy, &Bounds::PROTOCOL);
    assert_eq!((both.conflicts().len(), both.history().len()), (30, 20));
    // Chosen once, all of them are history, and age out.
    both.resolve(stamp(400), "chosen".into(), &Bounds::PROTOCOL);
    assert_eq!((both.conflicts().len(), both.history().len() <= 20), (0, true));
    // What was given up does not come back from a device that has not heard of the choice.
    for late in [lone, busy] {
        let met = both.merge(&late, &Bounds::PROTOCOL);
        assert!(met == both && met.conflicts().is_empty());
    }
}

#[test]
fn two_machines_with_one_copied_profile_lose_nothing_within_the_bounds() {
    let both_wrote = |writes: u64| {
        let base = Register::new(entry(100, 0));
        let (mut one, mut other) = (base.clone(), base);
        other.write(stamp(102), "by the copy".into(), &Bounds::PROTOCOL);
        for write in 0..writes {
            one.write(stamp(110 + write), Value::Int(i64::try_from(write).unwrap()), &Bounds::PROTOCOL);
        }
        one.merge(&other, &Bounds::PROTOCOL).conflicts().into_iter().map(Entry::stamp).collect::<Vec<_>>()
    };
    for writes in [1, 20] {
        assert_eq!(both_wrote(writes), [stamp(102)], "{writes} writes");
    }
}

#[test]
fn a_former_value_of_64_kib_is_kept_and_of_one_byte_more_is_not() {
    let fits = Bounds::PROTOCOL.history_bytes - 28 - 3;
    for (length, kept) in [(fits, 1), (fits + 1, 0)] {
        let mut document = login();
        document.edit(at(2_000, 1)).set("key", Value::Bytes(vec![7; length])).apply().unwrap();
        document.edit(at(3_000, 1)).set("key", "short").apply().unwrap();
        assert_eq!(document.register("key").unwrap().history().len(), kept, "{length} bytes");
        assert!(Document::from_bytes(&document.to_bytes()).unwrap() == document);
    }
}

#[test]
fn the_twentieth_old_value_stays_and_the_twenty_first_goes() {
    let mut document = login();
    for round in 0..21_u64 {
        document.edit(at(2_000 + round, 1)).set("name", format!("{round}")).apply().unwrap();
        let register = document.register("name").unwrap();
        assert_eq!(register.history().len(), usize::try_from(round + 1).unwrap().min(20));
        assert_eq!(register.floors().highest().is_some(), round == 20);
    }
    let floors = document.register("name").unwrap().floors().highest();
    assert_eq!(floors, Stamp::new(1_000, 0, DeviceId([1; 16])));
}

#[test]
fn a_document_with_too_much_history_gives_up_no_more_than_it_must() {
    let mut document = login();
    for round in 0..60_u64 {
        let (field, text) = (format!("f{}", round % 15), format!("{round:12000}"));
        document.edit(at(2_000 + round, 1)).set(field, text).apply().unwrap();
    }
    let room = MAX_HISTORY_BYTES - document.history_bytes();
    assert!(room < 12_100, "{room} bytes are left");
    let kept = document.registers().flat_map(|(_, register)| register.history());
    let oldest = kept.map(|entry| entry.stamp().ms()).min().unwrap();
    // The newest 15 are shown; before them every one is there down to the oldest.
    let count = document.registers().map(|(_, register)| register.history().len() as u64).sum::<u64>();
    assert_eq!(oldest + count, 2_000 + 60 - 15);
}

#[test]
fn a_document_that_somebody_filled_with_history_is_bounded_in_one_pass() {
    let mut document = login();
    for field in 0..2_000 {
        let entries = (1..=21).map(|ms| Entry::new(stamp(ms), Value::Null, vec![stamp(ms - 1)])).collect();
        let register = Register::from_entries(entries, Floors::default(), &Bounds::PROTOCOL).unwrap();
        document.fields.insert(format!("f{field}"), register);
    }
    assert!(document.history_bytes() > 8 * MAX_HISTORY_BYTES);
    assert!(document.edit(at(2_000, 1)).set("name", "later").trash().apply().unwrap());
    let kept = document.history_bytes();
    assert!(kept <= MAX_HISTORY_BYTES && kept > 0, "{kept}");
    assert!(Document::from_bytes(&document.to_bytes()).unwrap() == document);
}

#[test]
fn an_item_holds_exactly_its_limit() {
    let room = MAX_LIVE_BYTES - login().live_bytes() - "notes".len() - 5;
    let mut document = login();
    assert!(document.edit(at(2_000, 1)).set("notes", "x".repeat(room)).apply().unwrap());
    assert_eq!(document.live_bytes(), MAX_LIVE_BYTES);
    let full = document.clone();
    for (field, value) in
        [("notes", "x".repeat(room + 1)), ("a", String::new()), ("name", "Mails".to_owned())]
    {
        let edit = document.edit(at(3_000, 1)).set(field, value).apply();
        assert!(matches!(edit, Err(ItemError::TooLarge { found }) if found > MAX_LIVE_BYTES), "{field}");
        assert!(document == full, "{field}");
    }
    assert!(document.edit(at(3_000, 1)).set("name", "Post").trash().apply().unwrap());
}

#[test]
fn a_refused_edit_leaves_the_document_as_it_was_and_says_so() {
    let deep = |levels: usize| (1..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let key = |bytes: usize| "k".repeat(bytes);
    let late = Author { now_ms: MAX_MS, ..at(0, 1) };
    let refused: Vec<(Author, String, Value, ItemError)> = vec![
        (at(2_000, 1), key(0), 1_i64.into(), ItemError::FieldKey { found: 0 }),
        (at(2_000, 1), key(513), 1_i64.into(), ItemError::FieldKey { found: 513 }),
        (at(2_000, 1), "a".into(), deep(17), ItemError::TooDeep { field: "a".into(), found: 17 }),
        (late, "a".into(), 1_i64.into(), ItemError::ClockOutOfRange),
        (Author { now_ms: u64::MAX, ..late }, "a".into(), 1_i64.into(), ItemError::ClockOutOfRange),
    ];
    for (author, field, value, expected) in refused {
        let mut document = login();
        let others = [("name", "kept from"), ("other", "this edit")];
        let edit = others.iter().fold(document.edit(author), |edit, (field, value)| edit.set(*field, *value));
        assert_eq!(edit.set(field, value).trash().apply(), Err(expected.clone()));
        assert!(document == login());
        assert!(expected.to_string().contains("nothing was changed"), "{expected}");
    }
    let mut document = login();
    for (field, value) in [(key(1), deep(16)), (key(512), Value::Null), ("ü".repeat(256), Value::from("x"))]
    {
        document.edit(at(2_000, 1)).set(field, value).apply().unwrap();
    }
    assert!(document.edit(Author { now_ms: MAX_MS - 1, ..late }).set("a", 1_i64).apply().unwrap());
}

#[test]
fn after_the_last_stamp_nothing_can_be_written_and_nothing_is_lost() {
    let last = Stamp::new(MAX_MS - 1, u32::MAX, DeviceId([9; 16])).unwrap();
    let mut document = Draft::new("login", last).set("name", "Mail").build().unwrap();
    let before = document.clone();
    let refusal = document.edit(at(5, 1)).set("name", "x").apply();
    assert_eq!(refusal, Err(ItemError::StampsUsedUp));
    assert_eq!(document.edit(at(5, 1)).trash().apply(), Err(ItemError::StampsUsedUp));
    assert!(document == before);
    let almost = Stamp::new(MAX_MS - 1, u32::MAX - 1, DeviceId([9; 16])).unwrap();
    let mut document = Draft::new("login", almost).build().unwrap();
    assert!(document.edit(at(5, 1)).set("name", "x").apply().unwrap());
    assert_eq!(document.highest_stamp().unwrap().counter(), u32::MAX);
}

#[test]
fn a_drafts_history_is_only_what_is_older_than_the_draft() {
    let mut draft = Draft::new("login", stamp(10)).set("password", "now");
    for ms in [9, 10, 11] {
        draft.remember("password", stamp(ms), format!("{ms}"));
        draft.remember("totp", stamp(ms), format!("{ms}"));
    }
    let document = draft.build().unwrap();
    let history =
        |field| document.register(field).unwrap().history().into_iter().map(Entry::stamp).collect::<Vec<_>>();
    assert_eq!((history("password"), history("totp")), (vec![stamp(9)], vec![stamp(9)]));
    assert_eq!((document.text("password"), document.value("totp")), (Some("now"), None));
    assert!(document.conflicts().is_empty());
}

#[test]
fn what_a_document_from_outside_claims_to_have_seen_drops_nothing() {
    let mut here = login();
    here.edit(at(2_000, 1)).set("notes", "mine").apply().unwrap();
    let mine = here.register("notes").unwrap().winner().stamp();
    // Forged: it names the value that is shown here as written over, and its history and floors leave no room for it.
    let chain = (0..30).map(|round: u64| {
        let before = if round == 0 { mine } else { Stamp::new(8_999 + round, 0, DeviceId([9; 16])).unwrap() };
        let stamp = Stamp::new(9_000 + round, 0, DeviceId([9; 16])).unwrap();
        Entry::new(stamp, Value::from(format!("forged {round}")), vec![before])
    });
    let forged = Register::from_entries(chain.collect(), Floors::at([mine]), &Bounds::PROTOCOL).unwrap();
    let mut outside = here.clone();
    outside.fields.insert("notes".to_owned(), forged);
    let waiting = |document: &Document| {
        let losers = document.register("notes").unwrap().conflicts();
        losers.into_iter().any(|entry| entry.value().as_text() == Some("mine"))
    };
    let believed = merge::merge(&here, &outside);
    assert!(believed.register("notes").unwrap().entries().iter().all(|entry| entry.stamp() != mine));
    let taken = merge::without_claims_on(&here, &outside);
    let met = merge::merge(&here, &taken);
    assert!(waiting(&met) && met.text("notes") == Some("forged 29"));
    // Where nothing would be dropped it is taken byte for byte, and again it changes nothing.
    assert!(merge::without_claims_on(&here, &here.clone()) == here);
    assert!(merge::merge(&met, &merge::without_claims_on(&met, &outside)) == met);
}

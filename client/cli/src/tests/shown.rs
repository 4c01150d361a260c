//! Results that people and scripts read, in their rarer forms.

use lockstep_client::api::ServerWords;
use lockstep_client::client::{
    ConflictInfo, ConflictValue, ImportOutcome, ImportedItems, ItemNotice, ItemSummary, Notice, OpenItem,
    Pending, QuarantineInfo, QuarantineReason, SyncReport,
};
use lockstep_client::item::{Author, Document, Draft, Stamp, Value};
use lockstep_client::proto::ids::{DeviceId, ItemId, VaultId};
use lockstep_formats::bitwarden::{ImportContext, import_bitwarden_json};
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::find::Found;
use crate::show::conflict::Conflicts;
use crate::show::import::Imported;
use crate::show::item::{Item, Secrets};
use crate::show::list::List;
use crate::show::sync::{Report, Synced};

type Change = fn(&mut ItemSummary);

const VAULT: VaultId = VaultId([1; 32]);

fn id() -> ItemId {
    ItemId::from_random([7; 16])
}

fn author() -> Author {
    Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) }
}

fn opened(document: Document) -> OpenItem {
    OpenItem { document, leaf: None, pending: Pending::No, quarantine: None }
}

fn summary(change: impl Fn(&mut ItemSummary)) -> Found {
    let mut item = ItemSummary {
        item_id: id(),
        kind: "login".into(),
        title: "Bank".into(),
        username: None,
        tags: Vec::new(),
        favourite: false,
        trashed: false,
        archived: false,
        updated_ms: 0,
        conflict: false,
        pending: false,
        quarantined: false,
    };
    change(&mut item);
    Found { vault_id: VAULT, item }
}

#[test]
fn each_mark_of_a_list_is_a_word() {
    let rows: [(Change, &str); 9] = [
        (|_| (), "07070707  Bank"),
        (|item| item.title.clear(), "07070707  (no title)"),
        (|item| item.username = Some(String::new()), "07070707  Bank"),
        (|item| item.kind = "bitwarden/99".into(), "07070707  Bank  [bitwarden/99]"),
        (|item| item.trashed = true, "07070707  Bank  (trash)"),
        (|item| item.archived = true, "07070707  Bank  (archived)"),
        (|item| item.quarantined = true, "07070707  Bank  (unreadable)"),
        (|item| (item.conflict, item.pending) = (true, true), "07070707  Bank  (conflict, not synced)"),
        (|item| item.title = "a\nb\u{1b}]0;x\u{7}".into(), "07070707  a b\u{fffd}]0;x\u{fffd}"),
    ];
    for (change, line) in rows {
        assert_eq!(List::of(&[summary(change)]).text(), format!("{line}\n1 item."));
    }
    assert_eq!(List::of(&[]).text(), "No items.");
    assert_eq!(serde_json::to_value(List::of(&[])).unwrap(), json!({ "items": [] }));
    assert!(List::of(&[summary(|_| ()), summary(|_| ())]).text().ends_with("\n2 items."));
}

#[test]
fn no_secret_of_any_kind_is_shown_unasked() {
    let secret = "canary";
    let fields = ["password", "totp", "number", "code", "private-key", "secret", "ssn", "passport-number"];
    for field in fields {
        let document = Draft::by("login", author()).unwrap().set(field, secret).build().unwrap();
        let item = Item::of(VAULT, id(), &opened(document.clone()), Secrets::Hide);
        let json = serde_json::to_value(&item).unwrap();
        assert!(!item.text().contains(secret) && !json.to_string().contains(secret), "{field}");
        assert_eq!(json["hidden"], json!([field]));
        let revealed = Item::of(VAULT, id(), &opened(document), Secrets::Reveal);
        assert_eq!(serde_json::to_value(&revealed).unwrap()["fields"][field], json!(secret));
        assert!(revealed.text().contains(&format!("  {field}: {secret}\n")), "{field}");
    }
}

#[test]
fn every_state_of_an_item_is_said() {
    let mut document = Draft::by("note", author()).unwrap().set("name", "x").build().unwrap();
    document.edit(author()).trash().apply().unwrap();
    let quarantine = QuarantineInfo {
        vault_id: VAULT,
        item_id: id(),
        author: author().device,
        reason: QuarantineReason::Sealed,
    };
    for (pending, word) in
        [(Pending::No, "no"), (Pending::Edited, "edited"), (Pending::InFlight, "in-flight")]
    {
        let open = OpenItem { pending, quarantine: Some(quarantine.clone()), ..opened(document.clone()) };
        let item = Item::of(VAULT, id(), &open, Secrets::Hide);
        let json = serde_json::to_value(&item).unwrap();
        assert_eq!(
            (&json["pending"], &json["trashed"], &json["quarantined"]),
            (&json!(word), &json!(true), &json!(true))
        );
        let text = item.text();
        assert!(text.contains("in the trash") && text.contains("cannot be opened"), "{text}");
        assert_eq!(text.contains("waits for the next sync"), pending != Pending::No);
    }
}

#[test]
fn every_notice_of_a_sync_has_a_word_and_a_sentence() {
    let notices = [
        (Notice::Merged, "merged"),
        (Notice::Conflict, "conflict"),
        (Notice::BroughtBack, "brought-back"),
        (Notice::OutOfTrash, "brought-back"),
        (Notice::PurgeDropped, "purge-dropped"),
        (Notice::Quarantined, "quarantined"),
        (Notice::SplitOff, "split-off"),
    ];
    for (what, word) in notices {
        let notices = vec![ItemNotice { vault_id: VAULT, item_id: id(), what }; 23];
        let synced = Synced::Done(Report::of(&SyncReport { notices, pulled: 23, ..SyncReport::default() }));
        let json = serde_json::to_value(&synced).unwrap();
        assert_eq!(
            (&json["notices"][22]["what"], json["notices"].as_array().unwrap().len()),
            (&json!(word), 23)
        );
        let is_listed_elsewhere = matches!(what, Notice::Merged | Notice::Conflict);
        assert_eq!(synced.text().ends_with("  and 3 more"), is_listed_elsewhere, "{}", synced.text());
        assert_eq!(synced.text().matches("07070707").count(), if is_listed_elsewhere { 20 } else { 23 });
        assert!(synced.text().lines().nth(1).unwrap().split_whitespace().count() > 4);
    }
}

#[test]
fn a_sync_that_did_not_happen_has_a_state() {
    let state = |synced: &Synced| serde_json::to_value(synced).unwrap();
    assert_eq!(state(&Synced::Skipped), json!({ "state": "skipped" }));
    let later = Synced::later(Failure::failed("x", "no way there"));
    assert_eq!(state(&later), json!({ "state": "later", "reason": "no way there" }));
    let busy = Synced::later(Failure::failed("x", "busy").said(ServerWords::new("come\nback")));
    assert_eq!(state(&busy), json!({ "state": "later", "reason": "busy", "server_says": "come back" }));
    assert!(busy.text().ends_with("(Busy.)\nThe server says: \"come back\""), "{}", busy.text());
    for (conflicts, quarantined, exit) in [(0, 0, 0), (1, 0, 5), (0, 1, 5)] {
        let report = SyncReport { conflicts, quarantined, ..SyncReport::default() };
        assert_eq!(Report::of(&report).exit() as u8, exit);
    }
    let parted = ItemNotice { vault_id: VAULT, item_id: id(), what: Notice::SplitOff };
    let report = SyncReport { notices: vec![parted], ..SyncReport::default() };
    assert_eq!(Report::of(&report).exit() as u8, 5);
}

#[test]
fn a_conflict_of_any_type_of_value_is_shown_or_hidden_as_a_whole() {
    let at = |ms| Stamp::new(ms, 0, author().device).unwrap();
    let hidden = Value::map([("type", "hidden".into()), ("value", "canary".into())]);
    let open = Value::map([("type", "text".into()), ("value", "canary".into())]);
    for (field, winner, loser, shown) in [
        ("notes", Value::Null, Value::from("canary"), true),
        ("favourite", Value::Bool(true), Value::from("canary"), true),
        ("custom/1", open.clone(), Value::Null, true),
        ("custom/1", open, hidden, false),
        ("password", Value::Null, Value::from("canary"), false),
        ("passkeys/1", Value::from("canary"), Value::Int(1), false),
    ] {
        let value = |value: &Value, ms| ConflictValue { stamp: at(ms), value: value.clone() };
        let (winner, losers) = (value(&winner, 2), vec![value(&loser, 1)]);
        let title = "T\u{1b}[31m".to_owned();
        let info =
            ConflictInfo { vault_id: VAULT, item_id: id(), title, field: field.to_owned(), winner, losers };
        let conflicts = Conflicts::of(std::slice::from_ref(&info), Secrets::Hide);
        let json = serde_json::to_value(&conflicts).unwrap();
        assert_eq!(conflicts.text().contains("canary"), shown, "{field}");
        assert_eq!(json.to_string().contains("canary"), shown, "{field}");
        assert!(!conflicts.text().contains('\u{1b}'));
        assert!(Conflicts::of(&[info], Secrets::Reveal).text().contains("canary"), "{field}");
    }
    assert_eq!(serde_json::to_value(Conflicts::of(&[], Secrets::Hide)).unwrap(), json!({ "conflicts": [] }));
    assert!(Conflicts::of(&[], Secrets::Hide).text().starts_with("No conflicts"));
}

#[test]
fn an_import_counts_what_did_not_fit_and_shortens_long_lists() {
    let items: Vec<Json> =
        (0..30).map(|number| json!({ "id": format!("{number}"), "type": 50 + number })).collect();
    let file = json!({ "items": items, "collections": [], "equivalentDomains": [1], "vNext": 1 }).to_string();
    let report = import_bitwarden_json(file.as_bytes(), &ImportContext { now_ms: 1 }).unwrap();
    let mut outcomes = vec![(id(), ImportOutcome::Created); 29];
    outcomes.insert(4, (id(), ImportOutcome::TooLarge { length: 1_100_000 }));
    let done = ImportedItems { outcomes, absent: Vec::new() };
    let imported = Imported::new(&report, &done, Synced::Skipped);
    let json = serde_json::to_value(&imported).unwrap();
    assert_eq!((&json["left_out"], json["problems"].as_array().unwrap().len()), (&json!(1), 31));
    assert_eq!(json["left_out_members"], json!(["equivalentDomains", "vNext"]));
    assert_eq!(json["problems"][5]["index"], json!(4));
    let text = imported.text();
    assert!(
        text.contains("29 new")
            && text.contains("and 11 more remarks")
            && text.contains("equivalentDomains, vNext")
    );
}

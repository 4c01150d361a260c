//! Documents of any history, archived and sealed, are the same documents.

#![allow(clippy::unwrap_used)]

use lockstep_client::item::merge::merge;
use lockstep_client::item::{Author, Document, Draft, Value};
use lockstep_proto::ids::{DeviceId, ItemId, VaultId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

const QUICK: WorkFactor = WorkFactor::new(1).unwrap();
const KINDS: [&str; 8] = ["login", "note", "card", "identity", "ssh-key", "wifi", "spaceship", "ü/🙂"];
const FIELDS: [&str; 6] = ["name", "password", "notes", "uris/a", "kind", "later/field"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[a-c]{0,2}", inner, 0..4).prop_map(Value::Map),
        ]
    })
}

fn author() -> impl Strategy<Value = Author> {
    // Device 0 is that of imports; clocks far ahead are kept as they are.
    (prop_oneof![0..100_u64, (1 << 47)..(1_u64 << 48)], 0..4_u8)
        .prop_map(|(now_ms, device)| Author { now_ms, device: DeviceId([device; 16]) })
}

#[derive(Debug, Clone)]
enum Act {
    Set(Author, &'static str, Value),
    Trash(Author),
    Restore(Author),
    Resolve(Author, Value),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (author(), prop::sample::select(&FIELDS[..]), value()).prop_map(|(a, f, v)| Act::Set(a, f, v)),
        1 => author().prop_map(Act::Trash),
        1 => author().prop_map(Act::Restore),
        1 => (author(), value()).prop_map(|(a, v)| Act::Resolve(a, v)),
    ]
}

fn edited(mut document: Document, acts: &[Act]) -> Document {
    for act in acts {
        // An edit that an item cannot take leaves it as it was.
        let _ = match act.clone() {
            Act::Set(author, field, value) => document.edit(author).set(field, value).apply(),
            Act::Trash(author) => document.edit(author).trash().apply(),
            Act::Restore(author) => document.edit(author).restore().apply(),
            Act::Resolve(author, value) => document.edit(author).resolve("password", value).apply(),
        };
    }
    document
}

/// A document that two devices have edited apart: histories, conflicts, trash.
fn document() -> impl Strategy<Value = Document> {
    let kind = prop::sample::select(&KINDS[..]);
    (kind, author(), vec(act(), 0..6), vec(act(), 0..30), vec(act(), 0..8)).prop_map(
        |(kind, author, before, here, there)| {
            let base = Draft::by(kind, author).unwrap().set("password", "first").build().unwrap();
            let base = edited(base, &before);
            merge(&edited(base.clone(), &here), &edited(base, &there))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_of_any_history_come_back(
        vaults in btree_map(any::<[u8; 32]>(), (any::<String>(), btree_map(any::<[u8; 16]>(), document(), 0..5)), 0..4),
        made_ms in any::<u64>(),
        secret in any::<String>().prop_filter("a passphrase is not empty", |text| !text.is_empty()),
    ) {
        let bytes: Vec<_> = vaults.iter().map(|(vault_id, (name, items))| {
            let items = items.iter().map(|(id, document)| (ItemId::from_random(*id), document.to_bytes()));
            (VaultId(*vault_id), name, items.collect::<Vec<_>>())
        }).collect();
        let vaults = bytes.iter().map(|(vault_id, name, items)| {
            let items = items.iter().map(|(id, document)| (*id, document.as_slice())).collect();
            (*vault_id, ArchivedVault { name, items })
        });
        let archive = Archive { made_ms, vaults: vaults.collect() };
        let passphrase = Passphrase::new(&secret).unwrap();
        let file = seal(&archive.to_bytes().unwrap(), &passphrase, QUICK).unwrap();
        let content = open(&file, &passphrase).unwrap();
        let read = Archive::from_bytes(&content).unwrap();
        prop_assert_eq!(&read, &archive);
        prop_assert_eq!(&**read.to_bytes().unwrap(), &**content);
        for vault in read.vaults.values() {
            for document in vault.items.values() {
                prop_assert_eq!(&Document::from_bytes(document).unwrap().to_bytes(), document);
            }
        }
    }
}

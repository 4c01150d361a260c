//! Frozen bytes of canon, `H`, ids, the digest, item headers and wrap contexts.

use serde_json::{Value, json};

use super::vector_file::{check, hex, unhex};
use crate::blob::{Blob, ItemHeader, ItemState, blob_hash};
use crate::canon::{Encoder, from_bytes, to_bytes};
use crate::digest::{Leaf, LeafSum};
use crate::hash::hash;
use crate::ids::*;
use crate::log::DevicePublicKeys;
use crate::signin::{KsfProfile, opaque_context, record_hash};
use crate::wrap::{KeyKind, SlotKind, WrapContext, slot_hash};

#[test]
fn canon_fields_are_frozen() {
    let mut cases: Vec<Value> = Vec::new();
    let mut field = |name: &str, write: &dyn Fn(&mut Encoder)| {
        let mut out = Encoder::new();
        write(&mut out);
        cases.push(json!({ "name": name, "bytes": hex(out.into_bytes()) }));
    };
    field("u8 7", &|out| out.u8(7));
    field("u16 258", &|out| out.u16(258));
    field("u32 16909060", &|out| out.u32(16_909_060));
    field("u64 72623859790382856", &|out| out.u64(72_623_859_790_382_856));
    field("bool true", &|out| out.bool(true));
    field("fixed 010203", &|out| out.fixed(&[1, 2, 3]));
    field("bytes 010203", &|out| out.bytes(&[1, 2, 3]));
    field("bytes empty", &|out| out.bytes(&[]));
    field("label wrap", &|out| out.label("wrap"));
    field("list of seq 1, 2", &|out| out.list(&[Seq(1), Seq(2)]));
    field("item id", &|out| out.fixed(ItemId::from_random([0xff; 16]).as_bytes()));
    field("derived item id", &|out| out.fixed(ItemId::from_derived([0xff; 16]).as_bytes()));
    check("canon", "Fields as canon writes them.", cases);
}

#[test]
fn labelled_hashes_are_frozen() {
    let device = DevicePublicKeys {
        signing: crate::sign::PublicKey([1; 32]),
        kem: crate::log::KemKey::from_bytes(&[2; 1216]).unwrap(),
    };
    let cases = vec![
        json!({ "name": "H", "label": "test", "x": "", "hash": hex(hash("test", &[])) }),
        json!({ "name": "H", "label": "test", "x": "616263", "hash": hex(hash("test", &[b"abc"])) }),
        json!({ "name": "blob hash", "label": "blob", "x": "616263", "hash": hex(blob_hash(b"abc")) }),
        json!({ "name": "slot hash", "label": "slot", "x": "616263", "hash": hex(slot_hash(b"abc")) }),
        json!({ "name": "record hash", "label": "opaque-record", "x": "616263", "hash": hex(record_hash(b"abc")) }),
        json!({ "name": "device id", "signing": "01 x 32", "kem": "02 x 1216", "id": hex(device.device_id()) }),
        json!({ "name": "OPAQUE context", "server_id": "03 x 16", "profile": 1,
            "context": hex(opaque_context(&ServerId([3; 16]), KsfProfile::Profile1)) }),
    ];
    for case in
        check("hashes", "H(label, x) = SHA-256(\"LS1/\" || label || 00 || x), and what is made of it.", cases)
    {
        if let (Some(label), Some(x)) = (case["label"].as_str(), case["x"].as_str()) {
            assert_eq!(hex(hash(label, &[&unhex(x)])), case["hash"].as_str().unwrap());
        }
    }
}

#[test]
fn digests_are_frozen() {
    let vault = VaultId([9; 32]);
    let leaf = |index: u8| {
        let leaf = Leaf { version: Version(u64::from(index) + 1), blob_hash: Hash([index; 32]) };
        (ItemId::from_random([index; 16]), leaf)
    };
    let mut sum = LeafSum::empty();
    let mut cases = vec![json!({ "name": "empty", "digest": hex(sum.to_digest().0) })];
    for index in 1..=3 {
        let (item, leaf) = leaf(index);
        sum.add(&vault, &item, &leaf);
        cases.push(json!({ "name": "add", "vault_id": hex(vault), "item_id": item.to_string(),
            "version": leaf.version.0, "blob_hash": hex(leaf.blob_hash), "digest": hex(sum.to_digest().0) }));
    }
    let (item, first) = leaf(1);
    sum.remove(&vault, &item, &first);
    cases.push(json!({ "name": "remove", "vault_id": hex(vault), "item_id": item.to_string(),
        "version": first.version.0, "blob_hash": hex(first.blob_hash), "digest": hex(sum.to_digest().0) }));
    check("digest", "The vault digest, step by step from the empty vault.", cases);
}

#[test]
fn item_headers_and_blobs_are_frozen() {
    let header = |state| ItemHeader {
        vault_id: VaultId([1; 32]),
        epoch: Epoch(2),
        item_id: ItemId::from_random([3; 16]),
        version: Version(4),
        prev_blob_hash: Hash([5; 32]),
        author_account: AccountId([6; 32]),
        author_device: DeviceId([7; 16]),
        state,
    };
    let live = Blob { header: header(ItemState::Live), envelope: vec![8; 337] };
    let tombstone = Blob { header: header(ItemState::Tombstone), envelope: vec![9; 337] };
    let case = |name: &str, blob: &Blob| {
        json!({ "name": name, "header": hex(blob.header.context()), "envelope": hex(&blob.envelope),
            "blob": hex(blob.to_bytes()), "blob_hash": hex(blob_hash(&blob.to_bytes())) })
    };
    let cases = vec![case("live", &live), case("tombstone", &tombstone)];
    for case in
        check("blob", "Item headers, blobs and their hashes; the envelope here is not a real one.", cases)
    {
        let bytes = unhex(case["blob"].as_str().unwrap());
        assert_eq!(Blob::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn wrap_contexts_are_frozen_for_every_kind() {
    let kinds = [
        (KeyKind::Auk, KeyKind::Ark),
        (KeyKind::Recovery, KeyKind::Ark),
        (KeyKind::Device, KeyKind::Ark),
        (KeyKind::Ark, KeyKind::Uek),
        (KeyKind::Ark, KeyKind::SecretKey),
        (KeyKind::Ark, KeyKind::VaultKey),
        (KeyKind::VaultKey, KeyKind::VaultKey),
        (KeyKind::Ark, KeyKind::Ark),
        (KeyKind::Luk, KeyKind::Lrk),
        (KeyKind::Ark, KeyKind::OpaqueRecord),
        (KeyKind::Luk, KeyKind::PasswordKey),
    ];
    let case = |(slot, (wrapping, wrapped)): (&SlotKind, (KeyKind, KeyKind))| {
        let context = WrapContext {
            account_id: AccountId([1; 32]),
            slot: *slot,
            wrapping,
            wrapping_generation: Generation(2),
            wrapped,
            wrapped_generation: Generation(3),
            vault_id: VaultId([4; 32]),
            device_id: DeviceId([5; 16]),
            log_seq: Seq(6),
            log_hash: Hash([7; 32]),
        };
        json!({ "name": format!("{slot:?}"), "context": hex(to_bytes(&context)) })
    };
    let cases: Vec<Value> = SlotKind::ALL.iter().zip(kinds).map(case).collect();
    assert_eq!(cases.len(), SlotKind::ALL.len());
    for case in check("wrap", "The context of every slot kind, generations 2 and 3, link 6.", cases) {
        let bytes = unhex(case["context"].as_str().unwrap());
        assert_eq!(to_bytes(&from_bytes::<WrapContext>(&bytes).unwrap()), bytes);
    }
}

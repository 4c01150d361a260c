//! Padding, envelopes and item blobs.

use lockstep_crypto::envelope::{open, seal};
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::item::{open_item, seal_item};
use lockstep_crypto::keys::{DeviceRngSecret, SymmetricKey, VaultKey};
use lockstep_crypto::padme;
use lockstep_proto::blob::{Blob, ItemHeader, ItemState, blob_hash};
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, VaultId, Version};
use serde_json::json;

use crate::{CountingRandom, frozen, hex, unhex, unhex_array};

const DEVICE_SECRET: [u8; 32] = [0xdd; 32];

#[test]
fn padme_sizes_are_frozen() {
    let lengths = [
        0, 1, 252, 253, 256, 257, 300, 316, 317, 508, 509, 1_000, 1_020, 1_021, 4_096, 10_000, 65_532,
        65_536, 262_144, 1_000_000, 1_048_576, 16_777_216,
    ];
    let cases =
        lengths.map(|length: usize| json!({ "length": length, "padded": padme::padded_length(length) }));
    let description = "length = bytes of the plaintext; padded = bytes of (u32 length, plaintext, zeros)";
    for case in frozen("padme.json", description, cases.to_vec()) {
        let length = usize::try_from(case["length"].as_u64().unwrap()).unwrap();
        assert_eq!(padme::padded_length(length) as u64, case["padded"].as_u64().unwrap());
    }
}

#[test]
fn envelopes_are_frozen() {
    let secret = DeviceRngSecret::from_bytes(DEVICE_SECRET);
    let inputs: [(u8, &[u8], &[u8]); 4] = [
        (1, b"", b""),
        (1, b"context", b"plaintext"),
        (2, b"context", b"plaintext"),
        (3, b"long", &[0x5a; 300]),
    ];
    let cases = inputs.map(|(key, ctx, plaintext)| {
        let random = CountingRandom::new();
        let sealed =
            seal(&SymmetricKey::from_bytes([key; 32]), ctx, plaintext, &Hedge::new(&random, &secret));
        json!({
            "key": hex(&[key; 32]),
            "context": hex(ctx),
            "plaintext": hex(plaintext),
            "device_rng_secret": hex(&DEVICE_SECRET),
            "envelope": hex(&sealed.unwrap()),
        })
    });
    let description = "suite 1 envelopes; the random source gives bytes 00 01 02 ... anew for each case";
    for case in frozen("envelope.json", description, cases.to_vec()) {
        let key = SymmetricKey::from_bytes(unhex_array(&case["key"]));
        let opened = open(&key, &unhex(&case["context"]), &unhex(&case["envelope"])).unwrap();
        assert_eq!(*opened, unhex(&case["plaintext"]));
    }
}

#[test]
fn item_blobs_are_frozen() {
    let secret = DeviceRngSecret::from_bytes(DEVICE_SECRET);
    let vault_key = VaultKey::from_bytes([7; 32]);
    let header = ItemHeader {
        vault_id: VaultId([1; 32]),
        epoch: Epoch(2),
        item_id: ItemId::from_random([3; 16]),
        version: Version(4),
        prev_blob_hash: Hash([5; 32]),
        author_account: AccountId([6; 32]),
        author_device: DeviceId([7; 16]),
        state: ItemState::Live,
    };
    let random = CountingRandom::new();
    let live = seal_item(&vault_key, &header, b"a document", &Hedge::new(&random, &secret)).unwrap();
    let random = CountingRandom::new();
    let gone = ItemHeader { state: ItemState::Tombstone, ..header };
    // Format 1, one stamp: 1,000 ms, counter 2, of device 07…07.
    let seen = [&[0, 1, 0, 0, 0, 1][..], &[7; 16], &1_000_u64.to_be_bytes(), &2_u32.to_be_bytes()].concat();
    let purged = seal_item(&vault_key, &gone, &seen, &Hedge::new(&random, &secret)).unwrap();
    let case = |blob: &[u8], hash: &Hash, plaintext: &[u8]| {
        json!({
            "vault_key": hex(vault_key.expose_bytes()),
            "device_rng_secret": hex(&DEVICE_SECRET),
            "plaintext": hex(plaintext),
            "blob": hex(blob),
            "blob_hash": hex(&hash.0),
        })
    };
    let cases = vec![case(&live.bytes, &live.hash, b"a document"), case(&purged.bytes, &purged.hash, &seen)];
    for case in frozen(
        "item_blob.json",
        "a live item's blob and its tombstone, which holds what was seen of it, with their hashes",
        cases,
    ) {
        let bytes = unhex(&case["blob"]);
        assert_eq!(blob_hash(&bytes).0[..], unhex(&case["blob_hash"]));
        let blob = Blob::from_bytes(&bytes).unwrap();
        let vault_key = VaultKey::from_bytes(unhex_array(&case["vault_key"]));
        assert_eq!(*open_item(&vault_key, &blob).unwrap(), unhex(&case["plaintext"]));
    }
}

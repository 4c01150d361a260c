//! Bytes that no reader may take, frozen with the rule that each breaks.

use serde_json::{Value, json};

use super::rules;
use super::vector_file::{check, hex, unhex};
use crate::blob::{Blob, ItemHeader, ItemState};
use crate::canon::{Canon, CanonError, Decoder, Encoder, from_bytes, to_bytes};
use crate::digest::Digest;
use crate::ids::*;
use crate::log::*;
use crate::sign::{PublicKey, Signature, Signed};
use crate::wrap::{KeyKind, SlotKind, WrapContext};

/// A bool by itself.
#[derive(Debug, PartialEq)]
struct Truth(bool);

impl Canon for Truth {
    fn encode(&self, out: &mut Encoder) {
        out.bool(self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.bool().map(Self)
    }
}

/// What becomes of these bytes, read as this structure.
fn read(structure: &str, bytes: &[u8]) -> Result<(), &'static str> {
    fn of<T: Canon>(bytes: &[u8]) -> Result<(), &'static str> {
        from_bytes::<T>(bytes).map(drop).map_err(|error| rules::of_bytes(&error))
    }
    match structure {
        "bool" => of::<Truth>(bytes),
        "item_id" => of::<ItemId>(bytes),
        "item header" => of::<ItemHeader>(bytes),
        "item blob" => Blob::from_bytes(bytes).map(drop).map_err(|error| rules::of_bytes(&error)),
        "slot context" => of::<WrapContext>(bytes),
        "X-Wing public key" => of::<KemKey>(bytes),
        "Ed25519 public key" => {
            let key = PublicKey(bytes.try_into().unwrap());
            key.check().map(drop).map_err(|error| rules::of_signature(&error))
        }
        "digest" => {
            let digest = Digest(Hash(bytes.try_into().unwrap()));
            let change = Change {
                item_id: ItemId::from_random([1; 16]),
                old_version: Version(0),
                old_blob_hash: Hash::ZERO,
                new_version: Version(1),
                new_blob_hash: Hash([1; 32]),
            };
            change_digest(&VaultId([1; 32]), &digest, &[change])
                .map(drop)
                .map_err(|error| rules::of_bytes(&error))
        }
        "public key, signature, message" => {
            let (key, rest) = bytes.split_at(32);
            let (signature, message) = rest.split_at(64);
            let key = PublicKey(key.try_into().unwrap());
            let signature = Signature(signature.try_into().unwrap());
            key.verify(message, &signature).map_err(|error| rules::of_signature(&error))
        }
        _ => of::<Signed<ForkStatement>>(bytes),
    }
}

fn header() -> ItemHeader {
    ItemHeader {
        vault_id: VaultId([1; 32]),
        epoch: Epoch(1),
        item_id: ItemId::from_random([2; 16]),
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: AccountId([3; 32]),
        author_device: DeviceId([4; 16]),
        state: ItemState::Live,
    }
}

fn slot() -> WrapContext {
    WrapContext {
        account_id: AccountId([1; 32]),
        slot: SlotKind::Password,
        wrapping: KeyKind::Auk,
        wrapping_generation: Generation(1),
        wrapped: KeyKind::Ark,
        wrapped_generation: Generation(1),
        vault_id: VaultId::ZERO,
        device_id: DeviceId::ZERO,
        log_seq: Seq(0),
        log_hash: Hash::ZERO,
    }
}

/// The bytes with the one at this place changed.
fn with(mut bytes: Vec<u8>, place: usize, byte: u8) -> Vec<u8> {
    bytes[place] = byte;
    bytes
}

fn small_order() -> [[u8; 32]; 3] {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    // y = p + 1: the identity again, in another encoding.
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    [identity, order_two, not_canonical]
}

fn signed(change: impl FnOnce(&mut [u8; 32], &mut [u8; 64])) -> Vec<u8> {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let (mut public, mut signature) = (key.verifying_key().to_bytes(), key.sign(b"message").to_bytes());
    change(&mut public, &mut signature);
    [&public[..], &signature, b"message"].concat()
}

/// The signature's S plus the group's order: the same number, in a second encoding.
fn malleated() -> Vec<u8> {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    signed(|_, signature| {
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(L) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
    })
}

fn statement() -> Vec<u8> {
    let head = LogHead { seq: Seq(1), hash: Hash([1; 32]) };
    let statement = ForkStatement {
        account_id: AccountId([1; 32]),
        device_id: DeviceId([2; 16]),
        position: head,
        vault_id: VaultId::ZERO,
        held: head,
        served: head,
        time_ms: LATEST_MS + 1,
    };
    Signed::sign(statement, &ed25519_dalek::SigningKey::from_bytes(&[7; 32])).to_wire()
}

/// What is read well, then what is refused: (what it is, structure, bytes).
fn tried() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (header, slot) = (to_bytes(&header()), to_bytes(&slot()));
    let id = ItemId::from_random([2; 16]).as_bytes().to_vec();
    let blob = |header: &[u8], envelope: &[u8]| {
        let mut out = Encoder::new();
        out.bytes(header);
        out.bytes(envelope);
        out.into_bytes()
    };
    let end = header.len() - 1;
    let [identity, order_two, not_canonical] = small_order();
    let mut high = vec![0xff; 32];
    high[31] = 0x7f;
    let kem = tests::fixture::kem_key("x").as_bytes().to_vec();
    let mut no_point = kem.clone();
    no_point[1_184..].fill(0);
    vec![
        ("true", "bool", vec![1]),
        ("an item id", "item_id", id.clone()),
        ("a header", "item header", header.clone()),
        ("a slot's context", "slot context", slot.clone()),
        ("an X-Wing key", "X-Wing public key", kem.clone()),
        ("a signature", "public key, signature, message", signed(|_, _| {})),
        ("a bool of 2", "bool", vec![2]),
        ("nothing", "bool", vec![]),
        ("a byte behind the value", "bool", vec![1, 0]),
        ("version 4", "item_id", with(id.clone(), 6, 0x42)),
        ("another variant", "item_id", with(id.clone(), 8, 0xc2)),
        ("the nil UUID", "item_id", vec![0; 16]),
        ("the max UUID", "item_id", vec![0xff; 16]),
        ("fifteen bytes", "item_id", id[1..].to_vec()),
        ("another label", "item header", with(header.clone(), 1, b'x')),
        ("another suite", "item header", with(header.clone(), 12, 2)),
        ("an unknown state", "item header", with(header.clone(), end, 3)),
        ("cut short", "item header", header[..end].to_vec()),
        ("a byte behind the header", "item header", [&header[..], &[0]].concat()),
        ("a live item without an envelope", "item blob", blob(&header, &[])),
        ("an envelope that nothing seals to", "item blob", blob(&header, &[1; 336])),
        ("a tombstone without an envelope", "item blob", blob(&with(header.clone(), end, 2), &[])),
        ("a tombstone above its bound", "item blob", blob(&with(header.clone(), end, 2), &[1; 1_025])),
        ("a header above its bound", "item blob", blob(&[0; 257], &[1; 337])),
        ("an unknown slot kind", "slot context", with(slot.clone(), 38, 12)),
        ("an unknown wrapping key", "slot context", with(slot.clone(), 39, 12)),
        ("an unknown wrapped key", "slot context", with(slot, 44, 0)),
        ("a coefficient of 3,329", "X-Wing public key", {
            let low = with(kem.clone(), 0, 0x01);
            with(low, 1, (kem[1] & 0xf0) | 0x0d)
        }),
        ("an X25519 half of small order", "X-Wing public key", no_point),
        ("the identity", "Ed25519 public key", identity.to_vec()),
        ("a point of order two", "Ed25519 public key", order_two.to_vec()),
        ("y is not below the modulus", "Ed25519 public key", not_canonical.to_vec()),
        ("no canonical encoding", "digest", high),
        ("S is not below the order", "public key, signature, message", malleated()),
        ("another message", "public key, signature, message", {
            let mut bytes = signed(|_, _| {});
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
        (
            "the identity for key and R, S = 0: true of every message",
            "public key, signature, message",
            signed(|key, signature| {
                *key = identity;
                signature[..32].copy_from_slice(&identity);
                signature[32..].fill(0);
            }),
        ),
        ("a time of 2^48", "fork-statement", statement()),
    ]
}

#[test]
fn bytes_that_break_a_rule_are_refused_by_its_name() {
    let case = |(name, structure, bytes): (&str, &str, Vec<u8>)| {
        let mut case = json!({ "name": name, "structure": structure, "bytes": hex(&bytes) });
        if let Err(rule) = read(structure, &bytes) {
            case["rule"] = json!(rule);
        }
        case
    };
    let cases: Vec<Value> = tried().into_iter().map(case).collect();
    let description = "Bytes of a structure. Those without a rule are read; all others are refused, by the rule that is named.";
    for case in check("refused_bytes", description, cases) {
        let bytes = unhex(case["bytes"].as_str().unwrap());
        let found = read(case["structure"].as_str().unwrap(), &bytes).err();
        assert_eq!(found, case["rule"].as_str(), "{}", case["name"]);
    }
}

//! Canon: decode∘encode is the identity, and nothing but the one encoding is accepted.

use proptest::prelude::*;

use crate::blob::{Blob, ENVELOPE_LENGTH_MIN, ItemHeader, ItemState};
use crate::canon::{Canon, CanonError, Decoder, Encoder, from_bytes, to_bytes};
use crate::ids::*;
use crate::log::{Change, Commit, CommitBody, CommitKind, ContentBody, LATEST_MS, LogHead, VaultHead};
use crate::wrap::{KeyKind, SlotKind, WrapContext};

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn item_id() -> impl Strategy<Value = ItemId> {
    any::<[u8; 16]>().prop_map(ItemId::from_random)
}

fn header() -> impl Strategy<Value = ItemHeader> {
    let ids = (any::<[u8; 32]>(), any::<u32>(), item_id(), any::<u64>());
    (ids, hash(), any::<[u8; 32]>(), any::<[u8; 16]>(), any::<bool>()).prop_map(
        |((vault, epoch, item_id, version), prev_blob_hash, account, device, live)| ItemHeader {
            vault_id: VaultId(vault),
            epoch: Epoch(epoch),
            item_id,
            version: Version(version),
            prev_blob_hash,
            author_account: AccountId(account),
            author_device: DeviceId(device),
            state: if live { ItemState::Live } else { ItemState::Tombstone },
        },
    )
}

fn blob() -> impl Strategy<Value = Blob> {
    (header(), prop::collection::vec(any::<u8>(), ENVELOPE_LENGTH_MIN..700))
        .prop_map(|(header, envelope)| Blob { envelope, header })
}

fn wrap() -> impl Strategy<Value = WrapContext> {
    let kinds = (0..SlotKind::ALL.len(), 0..KeyKind::ALL.len(), 0..KeyKind::ALL.len());
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>());
    (kinds, numbers, any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 16]>(), hash()).prop_map(
        |((slot, outer, inner), (from, to, seq), account, vault, device, log_hash)| WrapContext {
            account_id: AccountId(account),
            slot: SlotKind::ALL[slot],
            wrapping: KeyKind::ALL[outer],
            wrapping_generation: Generation(from),
            wrapped: KeyKind::ALL[inner],
            wrapped_generation: Generation(to),
            vault_id: VaultId(vault),
            device_id: DeviceId(device),
            log_seq: Seq(seq),
            log_hash,
        },
    )
}

fn commit() -> impl Strategy<Value = Commit> {
    let numbers = (any::<u64>(), 0..=LATEST_MS, any::<u64>(), any::<u64>(), any::<u32>());
    let observed = prop::collection::btree_map(any::<[u8; 32]>(), (any::<u64>(), hash()), 0..5);
    (numbers, 0..4usize, prop::array::uniform6(hash()), observed, any::<[u8; 16]>()).prop_map(
        |((seq, time_ms, live, tombstones, epoch), kind, hashes, observed, device)| Commit {
            vault_id: VaultId(hashes[0].0),
            seq: Seq(seq),
            prev_hash: hashes[1],
            kind: CommitKind::ALL[kind],
            epoch: Epoch(epoch),
            control_hash: hashes[2],
            author_account: AccountId(hashes[3].0),
            author_device: DeviceId(device),
            author_position: LogHead { seq: Seq(seq), hash: hashes[4] },
            time_ms,
            digest: crate::digest::Digest(hashes[4]),
            live,
            tombstones,
            observed: observed
                .into_iter()
                .map(|(vault, (seq, hash))| VaultHead {
                    vault_id: VaultId(vault),
                    head: LogHead { seq: Seq(seq), hash },
                })
                .collect(),
            body_hash: hashes[5],
        },
    )
}

fn holds_for<T: Canon + PartialEq + std::fmt::Debug>(value: &T, flip: usize) -> Result<(), TestCaseError> {
    let bytes = to_bytes(value);
    prop_assert_eq!(&from_bytes::<T>(&bytes).unwrap(), value);
    prop_assert!(from_bytes::<T>(&bytes[..bytes.len() - 1]).is_err());
    let mut longer = bytes.clone();
    longer.push(0);
    prop_assert!(from_bytes::<T>(&longer).is_err());
    let mut flipped = bytes.clone();
    let index = flip % flipped.len();
    flipped[index] ^= 1 << (flip % 8);
    if let Ok(other) = from_bytes::<T>(&flipped) {
        prop_assert_ne!(&other, value);
        prop_assert_eq!(to_bytes(&other), flipped);
    }
    Ok(())
}

proptest! {
    #[test]
    fn structures_have_exactly_one_encoding(
        blob in blob(), wrap in wrap(), commit in commit(), flip in any::<usize>(),
    ) {
        holds_for(&blob.header, flip)?;
        holds_for(&blob, flip)?;
        holds_for(&wrap, flip)?;
        holds_for(&commit, flip)?;
    }

    #[test]
    fn any_bytes_that_decode_are_what_the_encoder_writes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(value) = from_bytes::<Blob>(&bytes) { prop_assert_eq!(to_bytes(&value), bytes.clone()); }
        if let Ok(value) = from_bytes::<WrapContext>(&bytes) { prop_assert_eq!(to_bytes(&value), bytes.clone()); }
        for kind in CommitKind::ALL {
            if let Ok(body) = CommitBody::from_bytes(kind, &bytes) { prop_assert_eq!(body.to_bytes(), bytes.clone()); }
        }
    }
}

#[test]
fn a_list_announcing_more_than_it_holds_allocates_nothing_and_is_refused() {
    let mut out = Encoder::new();
    out.u32(1_024);
    assert_eq!(from_bytes::<ContentBody>(&out.into_bytes()), Err(CanonError::Truncated));
    let mut out = Encoder::new();
    out.u32(u32::MAX);
    assert!(matches!(from_bytes::<ContentBody>(&out.into_bytes()), Err(CanonError::TooLong { .. })));
}

#[test]
fn changes_out_of_order_or_twice_are_refused() {
    let change = |byte| Change {
        item_id: ItemId::from_random([byte; 16]),
        old_version: Version(0),
        old_blob_hash: Hash::ZERO,
        new_version: Version(1),
        new_blob_hash: Hash([byte; 32]),
    };
    for changes in [vec![change(2), change(1)], vec![change(1), change(1)]] {
        let bytes = to_bytes(&ContentBody { changes });
        assert_eq!(from_bytes::<ContentBody>(&bytes), Err(CanonError::Unsorted("changes")));
    }
}

#[test]
fn a_bool_is_zero_or_one() {
    assert_eq!(Decoder::new(&[1]).bool(), Ok(true));
    assert_eq!(Decoder::new(&[2]).bool(), Err(CanonError::Invalid("bool")));
}

#[test]
fn every_blob_has_an_envelope_and_a_tombstone_a_small_one() {
    let header = ItemHeader {
        vault_id: VaultId::ZERO,
        epoch: Epoch(1),
        item_id: ItemId::from_random([0; 16]),
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: AccountId::ZERO,
        author_device: DeviceId::ZERO,
        state: ItemState::Tombstone,
    };
    let read = |state, length| {
        let blob = Blob { header: ItemHeader { state, ..header }, envelope: vec![1; length] };
        Blob::from_bytes(&blob.to_bytes()).map(|_| ())
    };
    let (tombstone, live) = (ItemState::Tombstone, ItemState::Live);
    for (state, length) in [(tombstone, 0), (tombstone, 336), (tombstone, 1_025), (live, 0), (live, 336)] {
        assert_eq!(read(state, length), Err(CanonError::Invalid("envelope")), "{length}");
    }
    for (state, length) in [(tombstone, 337), (tombstone, 1_024), (live, 337), (live, 1_025)] {
        assert_eq!(read(state, length), Ok(()), "{length}");
    }
}

#[test]
fn a_truth_value_is_one_of_two_bytes() {
    let read = |byte: u8| Decoder::new(&[byte]).bool();
    assert_eq!((read(0), read(1)), (Ok(false), Ok(true)));
    for byte in 2..=u8::MAX {
        assert_eq!(read(byte), Err(CanonError::Invalid("bool")));
    }
}

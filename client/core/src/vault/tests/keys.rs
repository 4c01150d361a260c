//! Which key of a vault is used when.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_crypto::keys::VaultKey;
use lockstep_proto::canon::{self, CanonError};
use lockstep_proto::ids::Epoch;

use super::super::VaultKeys;
use crate::sync::tests::fixture::World;

fn key(byte: u8) -> VaultKey {
    VaultKey::from_bytes([byte; 32])
}

fn bytes(key: Option<&VaultKey>) -> Option<[u8; 32]> {
    key.map(|key| *key.expose_bytes())
}

fn ahead(keys: impl IntoIterator<Item = (u32, VaultKey)>) -> BTreeMap<Epoch, Arc<VaultKey>> {
    keys.into_iter().map(|(epoch, key)| (Epoch(epoch), Arc::new(key))).collect()
}

/// A commit brings an epoch: of the keys that wait the one that it commits to counts, and no other.
#[test]
fn a_key_counts_when_a_commit_has_brought_its_epoch_and_names_it() {
    let world = World::new();
    let right =
        || VaultKeys::default().with_ahead(ahead([(1, VaultKey::from_bytes(world.key)), (2, key(2))]));
    assert!(right().is_empty() && right().key(Epoch(1)).is_none(), "not before a commit has brought it");
    let raised = right().raised_to(&world.state);
    assert_eq!(bytes(raised.key(Epoch(1))), Some(world.key));
    assert!(raised.key(Epoch(2)).is_none() && raised.are_due(), "the next one still waits");
    let wrong = VaultKeys::default().with_ahead(ahead([(1, key(9)), (2, key(2))])).raised_to(&world.state);
    assert!(wrong.key(Epoch(1)).is_none() && wrong.is_empty());
    // What is known already is not given up for it.
    let known = VaultKeys::of(Epoch(1), VaultKey::from_bytes(world.key)).with_ahead(ahead([(1, key(9))]));
    let raised = known.raised_to(&world.state);
    assert_eq!(bytes(raised.key(Epoch(1))), Some(world.key));
    assert!(!raised.are_due());
}

/// Where the slot that the account's log names holds something else, a rekey goes on from the newest key that is here;
/// where it does not, nobody takes another key for the named one.
#[test]
fn another_key_than_the_named_one_is_used_only_where_that_is_lost() {
    let keys = VaultKeys::of(Epoch(1), key(1)).with_ahead(ahead([(2, key(2))]));
    let named = |keys: &VaultKeys, epoch| bytes(keys.named(Epoch(epoch)).as_deref());
    assert_eq!([1, 2, 3].map(|epoch| named(&keys, epoch)), [Some([1; 32]), Some([2; 32]), None]);
    let lost = keys.clone().with_lost();
    assert_eq!([1, 2, 3].map(|epoch| named(&lost, epoch)), [Some([1; 32]), Some([2; 32]), Some([2; 32])]);
    assert!(keys.are_due() && !lost.are_due() && lost.are_lost());
    let alone = VaultKeys::of(Epoch(1), key(1)).with_lost();
    assert_eq!(named(&alone, 3), Some([1; 32]));
    // What is found later ends the loss.
    assert!(!lost.with_ahead(BTreeMap::new()).are_lost());
}

/// Only what commits have brought is kept; items of every epoch stay readable after a restart.
#[test]
fn keys_survive_their_record_in_the_order_of_their_epochs() {
    let mut keys = VaultKeys::of(Epoch(7), key(7)).with_ahead(ahead([(8, key(8))])).with_lost();
    keys.add(Epoch(1), key(1));
    let record = canon::to_bytes(&keys);
    let read: VaultKeys = canon::from_bytes(&record).unwrap_or_default();
    assert_eq!([1, 7, 8].map(|epoch| bytes(read.key(Epoch(epoch)))), [Some([1; 32]), Some([7; 32]), None]);
    assert!(read.same_epochs(&keys) && !read.are_due() && !read.are_lost());
    // Count, then epoch and key of each: out of order, twice, or too many.
    let (first, second) = (&record[4..4 + 36], &record[4 + 36..]);
    let of = |count: u32, parts: &[&[u8]]| [&count.to_be_bytes()[..], &parts.concat()].concat();
    for unordered in [of(2, &[second, first]), of(2, &[first, first])] {
        let refused = canon::from_bytes::<VaultKeys>(&unordered).err();
        assert_eq!(refused, Some(CanonError::Invalid("vault keys")));
    }
    assert!(matches!(
        canon::from_bytes::<VaultKeys>(&of(u32::MAX, &[first])).err(),
        Some(CanonError::TooLong { .. })
    ));
    for short in [of(3, &[first, second]), of(1, &[first, second])] {
        assert!(canon::from_bytes::<VaultKeys>(&short).is_err());
    }
}

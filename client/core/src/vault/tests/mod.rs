//! Records of a vault, what is read of them, and what is shown.
#![allow(clippy::unwrap_used, clippy::panic)]

mod durable;
mod in_flight;
mod keys;
mod shown;

use lockstep_proto::canon::{self, CanonError};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Hash, ItemId, Seq, VaultId, Version};
use proptest::prelude::*;

use super::leaves::{LeafState, Leaves, StoredLeaf};
use super::names;
use super::quarantine::{Mark, QuarantineReason};
use super::reading::item_of;
use super::records::{item_key, seq_key};
use crate::item::Author;
use crate::ports::Table;

fn leaf(version: u64, state: LeafState) -> StoredLeaf {
    StoredLeaf { leaf: Leaf { version: Version(version), blob_hash: Hash([version as u8; 32]) }, state }
}

#[test]
fn leaf_records_survive_and_unknown_states_are_refused() {
    for state in [LeafState::Live, LeafState::Tombstone, LeafState::Unreadable] {
        let bytes = canon::to_bytes(&leaf(3, state));
        assert_eq!(canon::from_bytes::<StoredLeaf>(&bytes), Ok(leaf(3, state)));
    }
    let mut bytes = canon::to_bytes(&leaf(3, LeafState::Live));
    *bytes.last_mut().unwrap() = 9;
    assert_eq!(canon::from_bytes::<StoredLeaf>(&bytes), Err(CanonError::Invalid("leaf state")));
}

#[test]
fn the_digest_is_over_versions_not_over_states() {
    let vault_id = VaultId([1; 32]);
    let item_id = ItemId::from_random([1; 16]);
    let digest = |state| Leaves::from_iter([(item_id, leaf(1, state))]).digest(&vault_id);
    assert_eq!(digest(LeafState::Live), digest(LeafState::Unreadable));
    let mut moved = Leaves::from_iter([(item_id, leaf(1, LeafState::Live))]);
    moved.extend([(item_id, leaf(2, LeafState::Live))]);
    assert_ne!(moved.digest(&vault_id), digest(LeafState::Live));
}

#[test]
fn keys_sort_as_their_numbers_do() {
    let vault_id = VaultId([1; 32]);
    assert!(seq_key(&vault_id, Seq(255)) < seq_key(&vault_id, Seq(256)));
    let item_id = ItemId::from_random([7; 16]);
    assert_eq!(item_of(Table::Items, &item_key(&vault_id, &item_id)).unwrap(), item_id);
    assert!(item_of(Table::Items, b"short").is_err());
}

#[test]
fn a_name_is_a_document_of_its_own_kind_and_can_be_changed() {
    let author = Author { now_ms: 1, device: DeviceId([1; 16]) };
    let first = names::named(None, "Home", author).unwrap();
    assert!(names::is_name(&first));
    let second = names::named(Some(first), "House", author).unwrap();
    assert_eq!(names::name_of(&second), "House");
}

proptest! {
    #[test]
    fn marks_survive_their_record(version in 1_u64.., reason in 0_usize..4, blob in proptest::collection::vec(any::<u8>(), 0..100)) {
        let reasons =
            [QuarantineReason::UpdateNeeded, QuarantineReason::Header, QuarantineReason::Sealed, QuarantineReason::Document];
        let leaf = Leaf { version: Version(version), blob_hash: Hash([1; 32]) };
        let mark = Mark { leaf, author: DeviceId([2; 16]), reason: reasons[reason], blob };
        prop_assert_eq!(canon::from_bytes::<Mark>(&canon::to_bytes(&mark)).unwrap(), mark);
    }
}

//! The digest: order does not matter, and removing undoes adding.

use proptest::prelude::*;

use crate::digest::{Digest, Leaf, LeafSum, digest_of};
use crate::ids::*;
use crate::log::{Change, LeafMap, change_digest};

const VAULT: VaultId = VaultId([5; 32]);

fn leaves() -> impl Strategy<Value = Vec<(ItemId, Leaf)>> {
    let leaf = (any::<[u8; 16]>(), 1..1_000u64, any::<[u8; 32]>());
    prop::collection::vec(leaf, 0..12).prop_map(|leaves| {
        let leaf = |version, hash| Leaf { version: Version(version), blob_hash: Hash(hash) };
        leaves.into_iter().map(|(id, version, hash)| (ItemId::from_random(id), leaf(version, hash))).collect()
    })
}

fn digest(leaves: &[(ItemId, Leaf)]) -> Digest {
    digest_of(&VAULT, leaves.iter().map(|(id, leaf)| (id, leaf)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_does_not_matter_and_every_leaf_does(leaves in leaves(), at in any::<prop::sample::Index>()) {
        let mut other = leaves.clone();
        other.reverse();
        prop_assert_eq!(digest(&leaves), digest(&other));
        if !leaves.is_empty() {
            let index = at.index(leaves.len());
            other.remove(index);
            prop_assert_ne!(digest(&leaves), digest(&other));
            let mut doubled = leaves.clone();
            doubled.push(leaves[index]);
            prop_assert_ne!(digest(&leaves), digest(&doubled));
            let mut newer = leaves.clone();
            newer[index].1.version = newer[index].1.version.next();
            prop_assert_ne!(digest(&leaves), digest(&newer));
        }
    }

    #[test]
    fn changes_move_the_digest_to_that_of_the_new_leaves(leaves in leaves(), new in any::<[u8; 32]>()) {
        let Some((item_id, old)) = leaves.first().copied() else { return Ok(()) };
        let change = Change {
            item_id,
            old_version: old.version,
            old_blob_hash: old.blob_hash,
            new_version: old.version.next(),
            new_blob_hash: Hash(new),
        };
        let mut after = leaves.clone();
        after[0].1 = Leaf { version: change.new_version, blob_hash: change.new_blob_hash };
        prop_assert_eq!(change_digest(&VAULT, &digest(&leaves), &[change]).unwrap(), digest(&after));
    }
}

#[test]
fn a_map_of_leaves_holds_all_it_was_made_of() {
    let leaf =
        |byte| (ItemId::from_random([byte; 16]), Leaf { version: Version(1), blob_hash: Hash([byte; 32]) });
    let leaves = [leaf(1), leaf(2)];
    let map: LeafMap = leaves.into_iter().collect();
    assert_eq!((map.len(), map.is_empty(), map.digest(&VAULT)), (2, false, digest(&leaves)));
    assert!(map.iter().map(|(item_id, leaf)| (*item_id, *leaf)).eq(leaves));
    assert!(LeafMap::default().is_empty());
}

#[test]
fn the_empty_digest_is_zero_and_another_vault_has_another_leaf() {
    assert_eq!(LeafSum::empty().to_digest(), Digest::default());
    let leaf = Leaf { version: Version(1), blob_hash: Hash([1; 32]) };
    let item = ItemId::from_random([2; 16]);
    let (mut here, mut there) = (LeafSum::empty(), LeafSum::empty());
    here.add(&VAULT, &item, &leaf);
    there.add(&VaultId([6; 32]), &item, &leaf);
    assert_ne!(here, there);
    here.remove(&VAULT, &item, &leaf);
    assert_eq!(here, LeafSum::empty());
}

#[test]
fn a_digest_that_is_no_canonical_point_is_refused() {
    assert!(LeafSum::from_digest(&Digest(Hash([0xff; 32]))).is_err());
    let mut negative = [0; 32];
    negative[0] = 1;
    assert!(LeafSum::from_digest(&Digest(Hash(negative))).is_err());
}

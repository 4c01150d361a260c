//! Commits as this device makes them: each adds up, opens again, and is as large as was reckoned at most.

use std::collections::BTreeMap;

use lockstep_proto::blob::{Blob, ItemState, blob_hash};
use lockstep_proto::ids::{Epoch, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{
    AccountLink, CommitBody, LinkBody, LogHead, OBSERVED_LIMIT, Signer, VaultCreate, VaultHead,
};
use lockstep_proto::wrap::slot_hash;
use proptest::prelude::*;

use super::fixture::{document, item};
use crate::account::tests::device::{Device, account};
use crate::account::{LinkParts, Unlocked, append_link, make_vault_key_slot};
use crate::item::{Author, Saw};
use crate::sync::build::{BuildError, build};
use crate::sync::plan::blob_size;
use crate::sync::room::{CHANGE_BYTES, COMMIT_BYTES};
use crate::testing::block_on;
use crate::vault::{
    Creation, Edit, InFlight, LeafState, OpenVault, OutboxEntry, StoredLeaf, open_document, open_tombstone,
};

const NOW_MS: u64 = 1_700_000_000_000;

/// A device with a vault that its account has.
fn device() -> (Unlocked, OpenVault) {
    let (_, device, signed_up) = account();
    let mut unlocked = signed_up.unlocked;
    let vault = block_on(make_vault(&device, &mut unlocked));
    (unlocked, vault)
}

async fn make_vault(device: &Device, unlocked: &mut Unlocked) -> OpenVault {
    let (ports, api) = (&device.ports, device.api());
    let creation = Creation::make(unlocked, "home", NOW_MS);
    let vault_id = creation.vault_id();
    creation.store(ports, unlocked).await.unwrap();
    let slot = make_vault_key_slot(unlocked, vault_id, Epoch(1), creation.key()).unwrap();
    let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot: slot_hash(&slot) });
    let signer = Signer::Device(unlocked.device_id());
    let link =
        AccountLink::after(unlocked.account_id(), &unlocked.state().head(), signer, 0, Vec::new(), body);
    let (link, session) = (unlocked.sign_link(link), unlocked.session(&api));
    append_link(ports, &api, unlocked, &session, link, LinkParts::of_slots(vec![slot])).await.unwrap();
    let author = Author { now_ms: NOW_MS, device: unlocked.device_id() };
    let (mut vault, _) = creation.adopt(unlocked, unlocked.state(), author).unwrap();
    vault.outbox.clear();
    vault
}

fn edit(vault: &mut OpenVault, item_id: ItemId, edit: Edit) {
    let entry = OutboxEntry { base: vault.leaf(&item_id), base_document: None, edit };
    vault.outbox.insert(item_id, entry);
}

/// The server has it.
fn acknowledge(unlocked: &Unlocked, vault: &mut OpenVault, own: &InFlight) {
    let state = vault.pin.state().apply(own.entry(), unlocked.state()).unwrap();
    vault.pin = vault.pin.advance(state, unlocked.device_id());
    let leaves: Vec<_> = own
        .edits()
        .iter()
        .map(|(item_id, entry)| {
            let state = if entry.edit.is_purge() { LeafState::Tombstone } else { LeafState::Live };
            (*item_id, StoredLeaf { leaf: own.leaf(item_id).unwrap(), state })
        })
        .collect();
    vault.leaves.extend(leaves);
    own.edits().keys().for_each(|item_id| drop(vault.outbox.remove(item_id)));
}

fn heads(count: usize) -> Vec<VaultHead> {
    let head = LogHead { seq: Seq(9), hash: Hash([9; 32]) };
    (0..count).map(|number| VaultHead { vault_id: VaultId([number as u8 + 1; 32]), head }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Items that come, change, go and come back, several in a commit.
    #[test]
    fn whatever_waits_the_commit_adds_up_and_its_blobs_open(
        rounds in prop::collection::vec(
            prop::collection::btree_map(0..6_u8, (any::<bool>(), 0..3_000_usize), 1..5), 1..6
        ),
        observed in 0..=OBSERVED_LIMIT,
    ) {
        let (unlocked, mut vault) = device();
        let vault_id = vault.vault_id();
        for round in rounds {
            for (number, (purge, length)) in &round {
                let written = Edit::Write(document(&"x".repeat(*length)));
                let purged = Edit::Purge(Saw::of(&document("seen")));
                edit(&mut vault, item(*number), if *purge { purged } else { written });
            }
            let chosen: Vec<ItemId> = vault.outbox.keys().copied().collect();
            let own = build(&unlocked, &vault, &chosen, heads(observed), NOW_MS).unwrap();
            let CommitBody::Content(body) = &own.entry().body else { panic!("content") };
            let changes: BTreeMap<_, _> = body.changes.iter().map(|change| (change.item_id, change)).collect();
            prop_assert!(body.changes.is_sorted_by_key(|change| change.item_id) && changes.len() == chosen.len());
            for (item_id, bytes) in own.blobs() {
                // What the server checks.
                let (blob, change) = (Blob::from_bytes(bytes).unwrap(), changes[item_id]);
                let header = blob.header;
                prop_assert_eq!(change.new_blob_hash, blob_hash(bytes));
                let place = (vault_id, *item_id, change.new_version);
                prop_assert_eq!((header.vault_id, header.item_id, header.version), place);
                prop_assert_eq!(header.prev_blob_hash, change.old_blob_hash);
                let author = (unlocked.account_id(), unlocked.device_id());
                prop_assert_eq!((header.author_account, header.author_device), author);
                // What every device reads.
                match &own.edits()[item_id].edit {
                    Edit::Write(document) => {
                        prop_assert_eq!(header.state, ItemState::Live);
                        prop_assert_eq!(&open_document(&vault.keys, &blob).unwrap(), document);
                    }
                    Edit::Purge(saw) => {
                        prop_assert_eq!(header.state, ItemState::Tombstone);
                        let opened = open_tombstone(&vault.keys, &blob);
                        prop_assert_eq!(opened.as_ref(), Ok(saw));
                    }
                }
            }
            let reckoned = own.edits().values().map(|entry| blob_size(&entry.edit) + CHANGE_BYTES).sum::<u64>();
            let request = own.to_request();
            let blobs = request.blobs.iter().map(|blob| blob.len()).sum::<usize>();
            let bytes = (request.commit.len() + request.body.len() + blobs) as u64;
            prop_assert!(bytes <= COMMIT_BYTES + reckoned, "{} bytes, {} reckoned", bytes, COMMIT_BYTES + reckoned);
            acknowledge(&unlocked, &mut vault, &own);
            let state = vault.pin.state();
            let count = |of| vault.leaves.iter().filter(|(_, stored)| stored.state == of).count() as u64;
            prop_assert_eq!((state.live(), state.tombstones()), (count(LeafState::Live), count(LeafState::Tombstone)));
            prop_assert_eq!(state.digest(), vault.leaves.digest(&vault_id));
        }
    }
}

#[test]
fn what_stands_on_another_version_or_has_no_key_is_not_signed() {
    let (unlocked, mut vault) = device();
    edit(&mut vault, item(1), Edit::Write(document("one")));
    let own = build(&unlocked, &vault, &[item(1)], Vec::new(), NOW_MS).unwrap();
    acknowledge(&unlocked, &mut vault, &own);
    let attempt = |vault: &OpenVault| build(&unlocked, vault, &[item(1)], Vec::new(), NOW_MS).err();
    let newer = vault.leaf(&item(1)).map(|leaf| lockstep_proto::digest::Leaf { version: Version(2), ..leaf });
    for base in [None, newer] {
        let entry = OutboxEntry { base, base_document: None, edit: Edit::Write(document("two")) };
        vault.outbox.insert(item(1), entry);
        assert_eq!(attempt(&vault), Some(BuildError::Base(item(1))));
    }
    edit(&mut vault, item(1), Edit::Write(document("two")));
    let keys = std::mem::take(&mut vault.keys);
    assert_eq!(attempt(&vault), Some(BuildError::KeyMissing));
    vault.keys = keys;
    assert_eq!(attempt(&vault), None);
    // Nothing chosen, or nothing that waits, is no commit.
    for nothing in [&[][..], &[item(9)]] {
        assert!(build(&unlocked, &vault, nothing, Vec::new(), NOW_MS).is_err());
    }
}

/// A clock far beyond every calendar makes no commit that others cannot read.
#[test]
fn a_commit_has_a_time_that_every_reader_shows() {
    let (unlocked, mut vault) = device();
    edit(&mut vault, item(1), Edit::Write(document("one")));
    let own = build(&unlocked, &vault, &[item(1)], Vec::new(), u64::MAX).unwrap();
    assert_eq!(own.entry().commit.value().time_ms, lockstep_proto::log::LATEST_MS);
    let request = own.to_request();
    assert!(lockstep_proto::log::Entry::from_wire(&request.commit, &request.body).is_ok());
}

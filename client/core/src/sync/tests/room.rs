//! What is signed where the account is nearly full: whatever the server is known to take, and nothing beyond.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_proto::api::account::{AccountRoom, room_reserve};
use lockstep_proto::api::vaults::Room;
use lockstep_proto::api::{CBOR, ErrorCode, PROBLEM_CBOR, Problem};
use lockstep_proto::ids::ItemId;
use proptest::prelude::*;

use super::fixture::{Make, World, document, item};
use crate::account::tests::device::account;
use crate::api::Api;
use crate::item::Saw;
use crate::ports::{Request, Response, Transport, TransportError};
use crate::sync::plan::{BatchSize, blob_size};
use crate::sync::room::{CHANGE_BYTES, COMMIT_BYTES, Told};
use crate::sync::{Silent, SyncError, Wire};
use crate::testing::block_on;
use crate::vault::{Edit, OpenVault, OutboxEntry, Pin};

/// A server whose accounts have this much left, or that takes no new data at all.
struct Nearly {
    left: Option<u64>,
    asked: AtomicUsize,
    others: Arc<dyn Transport>,
}

#[async_trait::async_trait]
impl Transport for Nearly {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.path != "/v1/account/room" {
            return self.others.send(request).await;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut body = Vec::new();
        let limit_bytes = 1 << 30;
        let (status, content_type) = match self.left {
            Some(left) => {
                let used_bytes = limit_bytes - room_reserve(limit_bytes) - left;
                ciborium::into_writer(&AccountRoom { used_bytes, limit_bytes }, &mut body).unwrap();
                (200, CBOR)
            }
            None => {
                let problem = Problem::new(ErrorCode::InsufficientStorage, "full");
                ciborium::into_writer(&problem, &mut body).unwrap();
                (problem.status, PROBLEM_CBOR)
            }
        };
        Ok(Response { status, content_type: content_type.to_owned(), body, retry_after: None })
    }
}

/// What a device chooses again and again in one push, as if each commit were taken; and how often it asked.
struct Push {
    device: crate::account::tests::device::Device,
    unlocked: crate::account::Unlocked,
    server: Arc<Nearly>,
    told: Told,
}

impl Push {
    fn new(left: Option<u64>) -> Self {
        let (_, device, signed_up) = account();
        let others = device.ports.transport.clone();
        let server = Arc::new(Nearly { left, asked: AtomicUsize::new(0), others });
        Self { device, unlocked: signed_up.unlocked, server, told: Told::default() }
    }

    fn choose(&mut self, vault: &OpenVault) -> Result<Vec<ItemId>, SyncError> {
        let api = Api::new(self.server.clone());
        let session = self.unlocked.session(&api);
        let (ports, unlocked) = (&self.device.ports, &self.unlocked);
        let wire = Wire { ports, api: &api, session: &session, unlocked, progress: &Silent };
        block_on(self.told.choose(wire, vault, BatchSize::default()))
    }

    fn asked(&self) -> usize {
        self.server.asked.load(Ordering::Relaxed)
    }
}

/// A vault of which this much is left, where items of these lengths wait, and a purge of a live item if asked for.
fn vault(share: u64, lengths: &[usize], purge: bool) -> OpenVault {
    let mut world = World::new();
    world.commit(&[(item(200), Make::Write(document("to be purged")))]);
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let room = Room { bytes: share, commit_blob_bytes: 1 << 22, commit_changes: 1_024 };
    let mut vault = OpenVault::empty(pin.confirmed(1, room), world.keys());
    vault.leaves = world.leaves.clone();
    for (number, length) in lengths.iter().enumerate() {
        let edit = Edit::Write(document(&"x".repeat(*length)));
        let entry = OutboxEntry { base: None, base_document: None, edit };
        vault.outbox.insert(item(number as u8), entry);
    }
    if purge {
        let entry = OutboxEntry {
            base: vault.leaf(&item(200)),
            base_document: None,
            edit: Edit::Purge(Saw::default()),
        };
        vault.outbox.insert(item(200), entry);
    }
    vault
}

fn needed(vault: &OpenVault, chosen: &[ItemId]) -> u64 {
    let blobs = chosen.iter().map(|item_id| blob_size(&vault.outbox[item_id].edit) + CHANGE_BYTES);
    COMMIT_BYTES + blobs.sum::<u64>()
}

#[test]
fn a_vault_with_room_of_its_own_asks_nobody() {
    let vault = vault(1 << 20, &[100; 40], false);
    let mut push = Push::new(Some(0));
    assert_eq!(push.choose(&vault).unwrap().len(), 40);
    assert_eq!(push.asked(), 0);
}

/// Each change takes room beside its blob, so many small items need more than their blobs: as many of them go as fit.
#[test]
fn of_many_small_items_those_go_that_fit() {
    let vault = vault(0, &[10; 40], false);
    let one = blob_size(&vault.outbox[&item(0)].edit);
    let mut push = Push::new(Some(COMMIT_BYTES + 39 * (one + CHANGE_BYTES)));
    let chosen = push.choose(&vault).unwrap();
    assert_eq!(chosen.len(), 39);
    // What was signed is used; nothing else fits then.
    assert!(matches!(push.choose(&vault), Err(SyncError::Full { room: Some(0), .. })));
    assert_eq!(push.asked(), 1);
}

/// Whoever is overtaken has stored nothing: the next try has the same room, however often.
#[test]
fn a_commit_that_was_not_taken_has_used_nothing() {
    let vault = vault(0, &[10; 40], false);
    let all: Vec<ItemId> = vault.outbox.keys().copied().collect();
    let mut push = Push::new(Some(needed(&vault, &all)));
    for tries in 1..4 {
        assert_eq!(push.choose(&vault).unwrap(), all);
        push.told.forget();
        assert_eq!(push.asked(), tries);
    }
}

/// The account keeps a reserve that nobody counts on; what this vault was told to have left is its own all the same.
#[test]
fn a_vault_uses_its_share_where_the_account_has_nothing_left() {
    let all = vault(u64::MAX, &[10_000; 10], false);
    let half = needed(&all, &(0..5).map(item).collect::<Vec<_>>());
    let vault = vault(half, &[10_000; 10], false);
    assert_eq!(Push::new(Some(0)).choose(&vault).unwrap().len(), 5);
}

#[test]
fn purges_go_where_nothing_else_does_and_alone() {
    for left in [Some(0), None] {
        let with_purge = vault(0, &[10, 10], true);
        assert_eq!(Push::new(left).choose(&with_purge).unwrap(), [item(200)]);
        let without = vault(0, &[10, 10], false);
        match (Push::new(left).choose(&without), left) {
            (Err(SyncError::Full { room: Some(0), .. }), Some(_))
            | (Err(SyncError::ServerFull { .. }), None) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
    let nothing = vault(0, &[], false);
    let mut push = Push::new(Some(0));
    assert!(push.choose(&nothing).unwrap().is_empty() && push.asked() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever waits: what is chosen fits, and nothing is called full while one of the items fits.
    #[test]
    fn something_goes_exactly_where_something_fits(
        lengths in prop::collection::vec(prop_oneof![0..400_usize, 0..30_000_usize], 1..30),
        share in prop_oneof![Just(0), 0..200_000_u64],
        left in prop_oneof![Just(0), 0..200_000_u64],
    ) {
        let vault = vault(share, &lengths, false);
        let mut push = Push::new(Some(left));
        let fits = |chosen: &[ItemId]| needed(&vault, chosen) <= share.max(left);
        match push.choose(&vault) {
            Ok(chosen) => prop_assert!(!chosen.is_empty() && fits(&chosen)),
            Err(SyncError::Full { .. }) => {
                prop_assert!(vault.outbox.keys().all(|item_id| !fits(std::slice::from_ref(item_id))));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

//! A vault as an honest device makes its commits.

use lockstep_proto::api::vaults::{Committed, CreateVault, PostCommit};
use lockstep_proto::blob::{Blob, ENVELOPE_LENGTH_MIN, ItemHeader, ItemState, blob_hash};
use lockstep_proto::digest::Digest;
use lockstep_proto::ids::*;
use lockstep_proto::log::*;
use lockstep_proto::sign::Signed;

use super::fixture::{NOON_MS, TestAccount, World, device_id, named, signing_key};
use crate::caller::Caller;
use crate::services::CommitRefusal;

/// A vault as a device has it.
#[derive(Clone)]
pub(super) struct TestVault {
    pub(super) name: String,
    pub(super) state: VaultState,
    pub(super) leaves: LeafMap,
    genesis: CreateVault,
}

/// What becomes of an item in a commit.
#[derive(Clone, Copy)]
pub(super) enum Make<'a> {
    Write(&'a str),
    Purge,
}

impl TestVault {
    pub(super) fn new(account: &TestAccount, by: &str, name: &str) -> Self {
        let member = Member {
            account_id: account.id(),
            role: Role::Admin,
            position: account.state.head(),
            uek_generation: Generation(1),
            slot: Hash::ZERO,
        };
        let body = CommitBody::Genesis(GenesisCommit {
            seed: named(&format!("{name} seed")).0,
            control: ControlBody {
                members: vec![member],
                epoch: Epoch(1),
                vault_key_commit: named(&format!("{name} key")),
                prev_vault_key: Vec::new(),
            },
        });
        let commit = Commit {
            vault_id: VaultId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            kind: CommitKind::Genesis,
            epoch: Epoch(1),
            control_hash: Hash::ZERO,
            author_account: account.id(),
            author_device: device_id(by),
            author_position: account.state.head(),
            time_ms: NOON_MS,
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        let entry = Entry { commit: Signed::sign(commit, &signing_key(by)), body };
        let state = VaultState::from_genesis(&entry, &account.state).unwrap();
        let genesis = CreateVault { commit: entry.commit.to_body(), body: entry.body.to_bytes().into() };
        Self { name: name.to_owned(), state, leaves: LeafMap::default(), genesis }
    }

    pub(super) fn id(&self) -> VaultId {
        self.state.vault_id()
    }

    pub(super) async fn create(&self, world: &World, caller: Caller) -> Result<Committed, CommitRefusal> {
        world.services.vaults.create(caller, &self.genesis).await
    }

    /// The next commit of a device, with the blobs of its changes; it is not in the chain yet.
    pub(super) fn content(
        &self,
        account: &AccountState,
        by: &str,
        items: &[(&str, Make<'_>)],
    ) -> (Entry, PostCommit) {
        self.content_with(account, by, items, |_| {})
    }

    /// The same, after `change` of what is signed.
    pub(super) fn content_with(
        &self,
        account: &AccountState,
        by: &str,
        items: &[(&str, Make<'_>)],
        change: impl FnOnce(&mut Commit),
    ) -> (Entry, PostCommit) {
        let mut made: Vec<(Change, Vec<u8>, Make<'_>)> =
            items.iter().map(|(item, make)| self.change(account, by, item, *make)).collect();
        made.sort_by_key(|(change, ..)| change.item_id);
        let (mut live, mut tombstones) = (self.state.live(), self.state.tombstones());
        for (change, _, make) in &made {
            match (make, change.old_version.0) {
                (Make::Write(_), 0) => live += 1,
                (Make::Write(_), _) => {}
                (Make::Purge, 0) => tombstones += 1,
                (Make::Purge, _) => (live, tombstones) = (live - 1, tombstones + 1),
            }
        }
        let changes: Vec<Change> = made.iter().map(|(change, ..)| *change).collect();
        let digest = change_digest(&self.id(), &self.state.digest(), &changes).unwrap();
        let body = CommitBody::Content(ContentBody { changes });
        let mut commit = Commit {
            vault_id: self.id(),
            seq: self.state.head().seq.next(),
            prev_hash: self.state.head().hash,
            kind: body.kind(),
            epoch: self.state.epoch(),
            control_hash: self.state.control().hash,
            author_account: account.account_id(),
            author_device: device_id(by),
            author_position: account.head(),
            time_ms: NOON_MS,
            digest,
            live,
            tombstones,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        change(&mut commit);
        let entry = Entry { commit: Signed::sign(commit, &signing_key(by)), body };
        let blobs = made.into_iter().map(|(_, blob, _)| blob.into()).collect();
        let request =
            PostCommit { commit: entry.commit.to_body(), body: entry.body.to_bytes().into(), blobs };
        (entry, request)
    }

    fn change<'a>(
        &self,
        account: &AccountState,
        by: &str,
        item: &str,
        make: Make<'a>,
    ) -> (Change, Vec<u8>, Make<'a>) {
        let item_id = item_id(item);
        let old = self.leaves.leaf(&item_id);
        let (old_version, old_blob_hash) =
            old.map_or((Version(0), Hash::ZERO), |leaf| (leaf.version, leaf.blob_hash));
        let (state, envelope) = match make {
            Make::Write(content) => {
                let mut envelope = content.as_bytes().repeat(8);
                envelope.resize(envelope.len().max(ENVELOPE_LENGTH_MIN), 0);
                (ItemState::Live, envelope)
            }
            Make::Purge => (ItemState::Tombstone, vec![9; ENVELOPE_LENGTH_MIN]),
        };
        let header = ItemHeader {
            vault_id: self.id(),
            epoch: self.state.epoch(),
            item_id,
            version: old_version.next(),
            prev_blob_hash: old_blob_hash,
            author_account: account.account_id(),
            author_device: device_id(by),
            state,
        };
        let blob = Blob { header, envelope }.to_bytes();
        let new_version = old_version.next();
        let change =
            Change { item_id, old_version, old_blob_hash, new_version, new_blob_hash: blob_hash(&blob) };
        (change, blob, make)
    }

    /// The commit is the chain's next.
    pub(super) fn follow(&mut self, entry: &Entry, accounts: &impl AccountStates) {
        self.state = self.state.apply(entry, accounts).unwrap();
        if let CommitBody::Content(content) = &entry.body {
            self.leaves.apply(&content.changes);
        }
    }

    /// Writes items, on the server and here.
    pub(super) async fn write(
        &mut self,
        world: &World,
        account: &TestAccount,
        by: &str,
        items: &[(&str, Make<'_>)],
    ) -> Result<Committed, CommitRefusal> {
        let (entry, request) = self.content(&account.state, by, items);
        let committed = world.services.vaults.commit(account.caller(by), self.id(), request).await?;
        self.follow(&entry, &account.state);
        Ok(committed)
    }
}

pub(super) fn item_id(name: &str) -> ItemId {
    ItemId::from_derived(named(name).0[..16].try_into().unwrap())
}

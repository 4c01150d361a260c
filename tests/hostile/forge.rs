//! A device of the account that makes commits of its own, whatever its program would do.

use lockstep_client::api::{Api, ApiError};
use lockstep_proto::api::vaults::{CommitsQuery, Committed, CreateVault, PostCommit};
use lockstep_proto::blob::{ItemHeader, ItemState, blob_hash};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::digest::Digest;
use lockstep_proto::ids::{Epoch, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{
    Change, Commit, CommitBody, CommitKind, ContentBody, ControlBody, Entry, GenesisCommit, LogHead, Member,
    Role, VaultHead, VaultState, change_digest, vault_id_of,
};
use lockstep_tests::TestDevice;

/// The device, and a vault of it as the server has it.
pub(crate) struct Forger<'a> {
    device: &'a TestDevice,
    api: Api,
    vault_id: VaultId,
    /// The vault's log.
    pub(crate) state: VaultState,
    /// The position of the account's log that commits name.
    pub(crate) position: LogHead,
    /// What its commits say that it has seen of other vaults.
    pub(crate) observed: Vec<VaultHead>,
}

impl<'a> Forger<'a> {
    /// This device, with what the server gives it now.
    pub(crate) async fn of(device: &'a TestDevice) -> Self {
        Self::in_vault(device, device.vault().await.unwrap()).await
    }

    /// The same in one of its vaults.
    pub(crate) async fn in_vault(device: &'a TestDevice, vault_id: VaultId) -> Self {
        let unlocked = device.client.unlocked();
        let api = Api::new(device.net.clone());
        let session = unlocked.session(&api);
        let page = api.commits(&session, &vault_id, &CommitsQuery::default()).await.unwrap();
        let entries = page.commits.iter();
        let entries: Vec<Entry> =
            entries.map(|stored| Entry::from_wire(&stored.commit, &stored.body).unwrap()).collect();
        let mut state = VaultState::from_genesis(&entries[0], unlocked.state()).unwrap();
        for entry in &entries[1..] {
            state = state.apply(entry, unlocked.state()).unwrap();
        }
        let position = unlocked.state().head();
        Self { device, api, vault_id, state, position, observed: Vec::new() }
    }

    /// This device, on a vault of which it knows no more than this.
    pub(crate) fn with(device: &'a TestDevice, vault_id: VaultId, state: VaultState) -> Self {
        let api = Api::new(device.net.clone());
        let position = device.client.unlocked().state().head();
        Self { device, api, vault_id, state, position, observed: Vec::new() }
    }

    /// A signed commit that adds one item with the blob that `seal` makes for its header.
    pub(crate) fn commit(&self, seal: impl FnOnce(ItemHeader) -> Vec<u8>) -> (ItemId, PostCommit) {
        let unlocked = self.device.client.unlocked();
        let item_id = self.device.client.make_item_id();
        let header = ItemHeader {
            vault_id: self.vault_id,
            epoch: self.state.epoch(),
            item_id,
            version: Version(1),
            prev_blob_hash: Hash::ZERO,
            author_account: unlocked.account_id(),
            author_device: unlocked.device_id(),
            state: ItemState::Live,
        };
        (item_id, self.adding(item_id, seal(header)))
    }

    /// A signed commit that adds this item with this blob, whatever its header says.
    pub(crate) fn adding(&self, item_id: ItemId, blob: Vec<u8>) -> PostCommit {
        let (unlocked, state) = (self.device.client.unlocked(), &self.state);
        let change = Change {
            item_id,
            old_version: Version(0),
            old_blob_hash: Hash::ZERO,
            new_version: Version(1),
            new_blob_hash: blob_hash(&blob),
        };
        let digest = change_digest(&self.vault_id, &state.digest(), &[change]).unwrap();
        let body = CommitBody::Content(ContentBody { changes: vec![change] });
        let commit = Commit {
            vault_id: self.vault_id,
            seq: state.head().seq.next(),
            prev_hash: state.head().hash,
            kind: CommitKind::Content,
            epoch: state.epoch(),
            control_hash: state.control().hash,
            author_account: unlocked.account_id(),
            author_device: unlocked.device_id(),
            author_position: self.position,
            time_ms: 0,
            digest,
            live: state.live() + 1,
            tombstones: state.tombstones(),
            observed: self.observed.clone(),
            body_hash: body.hash(),
        };
        let commit = unlocked.sign_commit(commit).to_body();
        PostCommit { commit, body: Bytes(body.to_bytes()), blobs: vec![Bytes(blob)] }
    }

    /// A signed control commit.
    pub(crate) fn control(&self, body: ControlBody) -> PostCommit {
        let (unlocked, state) = (self.device.client.unlocked(), &self.state);
        let (epoch, body) = (body.epoch, CommitBody::Control(body));
        let commit = Commit {
            vault_id: self.vault_id,
            seq: state.head().seq.next(),
            prev_hash: state.head().hash,
            kind: CommitKind::Control,
            epoch,
            control_hash: state.control().hash,
            author_account: unlocked.account_id(),
            author_device: unlocked.device_id(),
            author_position: self.position,
            time_ms: 0,
            digest: state.digest(),
            live: state.live(),
            tombstones: state.tombstones(),
            observed: self.observed.clone(),
            body_hash: body.hash(),
        };
        let commit = unlocked.sign_commit(commit).to_body();
        PostCommit { commit, body: Bytes(body.to_bytes()), blobs: Vec::new() }
    }

    /// Sends it.
    pub(crate) async fn post(&self, post: &PostCommit) -> Result<Committed, ApiError> {
        let session = self.device.client.unlocked().session(&self.api);
        self.api.post_commit(&session, &self.vault_id, post).await
    }
}

/// The first commit of a vault of this device's, whose key is committed to like this.
pub(crate) fn genesis(device: &TestDevice, vault_key_commit: Hash) -> (VaultHead, CreateVault) {
    let unlocked = device.client.unlocked();
    let state = unlocked.state();
    let member = Member {
        account_id: unlocked.account_id(),
        role: Role::Admin,
        position: state.head(),
        uek_generation: state.uek().0,
        slot: Hash::ZERO,
    };
    let mut seed = [0; 32];
    unlocked.random().fill(&mut seed);
    let control =
        ControlBody { members: vec![member], epoch: Epoch(1), vault_key_commit, prev_vault_key: Vec::new() };
    let body = CommitBody::Genesis(GenesisCommit { seed, control });
    let commit = Commit {
        vault_id: VaultId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        kind: CommitKind::Genesis,
        epoch: Epoch(1),
        control_hash: Hash::ZERO,
        author_account: unlocked.account_id(),
        author_device: unlocked.device_id(),
        author_position: state.head(),
        time_ms: 0,
        digest: Digest::default(),
        live: 0,
        tombstones: 0,
        observed: Vec::new(),
        body_hash: body.hash(),
    };
    let commit = unlocked.sign_commit(commit);
    let head = LogHead { seq: Seq(0), hash: commit.hash() };
    let create = CreateVault { commit: commit.to_body(), body: Bytes(body.to_bytes()) };
    (VaultHead { vault_id: vault_id_of(&commit), head }, create)
}

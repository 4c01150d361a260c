//! A vault as one writer knows it.

use lockstep_proto::api::vaults::{Committed, CreateVault, PostCommit};
use lockstep_proto::blob::{Blob, ENVELOPE_LENGTH_MIN, ItemHeader, ItemState, blob_hash};
use lockstep_proto::digest::{Digest, Leaf};
use lockstep_proto::ids::{Epoch, Generation, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{
    Change, Commit, CommitBody, CommitKind, ContentBody, ControlBody, GenesisCommit, HealBody, LeafMap,
    LogHead, Member, Role, VaultHead, change_digest,
};
use lockstep_proto::sign::Signed;

use super::account::random;
use super::{Account, World};

#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) id: VaultId,
    pub(crate) head: LogHead,
    control: Hash,
    rules: ControlBody,
    pub(crate) leaves: LeafMap,
    digest: Digest,
    live: u64,
    tombstones: u64,
}

impl Vault {
    /// Makes a vault and links it.
    pub(crate) async fn create(world: &World, account: &mut Account, token: &str) -> Self {
        let (vault, request) = Self::genesis(account);
        let created: Committed = world.post("/v1/vaults", token, &request).await.ok();
        assert_eq!((created.vault_id, created.head), (vault.id, vault.head));
        account.link_vault(world, token, vault.id, vault.head).await;
        vault
    }

    pub(crate) fn genesis(account: &Account) -> (Self, CreateVault) {
        let member = Member {
            account_id: account.id,
            role: Role::Admin,
            position: account.head,
            uek_generation: Generation(1),
            slot: Hash::ZERO,
        };
        let control = ControlBody {
            members: vec![member],
            epoch: Epoch(1),
            vault_key_commit: Hash(random()),
            prev_vault_key: Vec::new(),
        };
        let body = CommitBody::Genesis(GenesisCommit { seed: random(), control: control.clone() });
        let empty = Self {
            id: VaultId::ZERO,
            head: LogHead::default(),
            control: Hash::ZERO,
            rules: control,
            leaves: LeafMap::default(),
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
        };
        let mut commit = empty.commit(account, CommitKind::Genesis, &body);
        commit.seq = Seq(0);
        let signed = Signed::sign(commit, &account.device.key);
        let head = LogHead { seq: Seq(0), hash: signed.hash() };
        let vault = Self { id: VaultId::from(head.hash), head, control: head.hash, ..empty };
        (vault, CreateVault { commit: signed.to_body(), body: body.to_bytes().into() })
    }

    /// A commit that writes these items, and the vault after it.
    pub(crate) fn write(
        &self,
        account: &Account,
        items: &[(ItemId, ItemState, Vec<u8>)],
    ) -> (Self, PostCommit) {
        self.write_and_observe(account, items, Vec::new())
    }

    /// The same, which names heads of other vaults.
    pub(crate) fn write_and_observe(
        &self,
        account: &Account,
        items: &[(ItemId, ItemState, Vec<u8>)],
        observed: Vec<VaultHead>,
    ) -> (Self, PostCommit) {
        let mut items = items.to_vec();
        items.sort_by_key(|(item_id, ..)| *item_id);
        let mut after = self.clone();
        let (mut changes, mut blobs) = (Vec::new(), Vec::new());
        for (item_id, state, envelope) in items {
            let old = self.leaves.leaf(&item_id).copied();
            let old = old.unwrap_or(Leaf { version: Version(0), blob_hash: Hash::ZERO });
            let header = ItemHeader {
                vault_id: self.id,
                epoch: Epoch(1),
                item_id,
                version: old.version.next(),
                prev_blob_hash: old.blob_hash,
                author_account: account.id,
                author_device: account.device.id(),
                state,
            };
            let blob = Blob { header, envelope }.to_bytes();
            match (state, old.version.0) {
                (ItemState::Live, 0) => after.live += 1,
                (ItemState::Live, _) => {}
                (ItemState::Tombstone, _) => {
                    after.live -= 1;
                    after.tombstones += 1;
                }
            }
            changes.push(Change {
                item_id,
                old_version: old.version,
                old_blob_hash: old.blob_hash,
                new_version: old.version.next(),
                new_blob_hash: blob_hash(&blob),
            });
            blobs.push(blob.into());
        }
        after.digest = change_digest(&self.id, &self.digest, &changes).unwrap();
        after.leaves.apply(&changes);
        let body = CommitBody::Content(ContentBody { changes });
        let commit = Commit { observed, ..after.commit(account, CommitKind::Content, &body) };
        let signed = Signed::sign(commit, &account.device.key);
        after.head = LogHead { seq: signed.value().seq, hash: signed.hash() };
        (after, PostCommit { commit: signed.to_body(), body: body.to_bytes().into(), blobs })
    }

    /// Sends a control commit that names the account's newest position and changes nothing else.
    pub(crate) async fn push_control(&mut self, world: &World, account: &Account, token: &str) {
        self.rules.members[0].position = account.head;
        let body = CommitBody::Control(self.rules.clone());
        let signed = Signed::sign(self.commit(account, CommitKind::Control, &body), &account.device.key);
        let request =
            PostCommit { commit: signed.to_body(), body: body.to_bytes().into(), blobs: Vec::new() };
        let committed: Committed = world.post(&self.path("commits"), token, &request).await.ok();
        self.control = signed.hash();
        self.head = committed.head;
    }

    /// A control commit with these members, and the vault after it.
    pub(crate) fn with_members(&self, account: &Account, members: Vec<Member>) -> (Self, PostCommit) {
        let mut after = self.clone();
        after.rules.members = members;
        let body = CommitBody::Control(after.rules.clone());
        let signed = Signed::sign(self.commit(account, CommitKind::Control, &body), &account.device.key);
        after.head = LogHead { seq: signed.value().seq, hash: signed.hash() };
        after.control = signed.hash();
        (after, PostCommit { commit: signed.to_body(), body: body.to_bytes().into(), blobs: Vec::new() })
    }

    /// A heal commit that joins the branch of `side` since `fork` to this one, and the vault after it.
    pub(crate) fn heal(&self, account: &Account, fork: LogHead, side: &Self) -> (Self, PostCommit) {
        let heal = HealBody { fork, side: side.head, side_control_hash: side.control };
        let body = CommitBody::Heal(heal);
        let mut commit = self.commit(account, CommitKind::Heal, &body);
        commit.seq = self.head.seq.max(side.head.seq).next();
        commit.control_hash = side.control;
        let signed = Signed::sign(commit, &account.device.key);
        let head = LogHead { seq: signed.value().seq, hash: signed.hash() };
        let after = Self { head, control: head.hash, rules: side.rules.clone(), ..self.clone() };
        (after, PostCommit { commit: signed.to_body(), body: body.to_bytes().into(), blobs: Vec::new() })
    }

    /// A commit after `self.head` with `self`'s digest and counts.
    pub(crate) fn commit(&self, account: &Account, kind: CommitKind, body: &CommitBody) -> Commit {
        Commit {
            vault_id: self.id,
            seq: self.head.seq.next(),
            prev_hash: self.head.hash,
            kind,
            epoch: Epoch(1),
            control_hash: self.control,
            author_account: account.id,
            author_device: account.device.id(),
            author_position: account.head,
            time_ms: 0,
            digest: self.digest,
            live: self.live,
            tombstones: self.tombstones,
            observed: Vec::new(),
            body_hash: body.hash(),
        }
    }

    /// Sends a write and moves on.
    pub(crate) async fn push(
        &mut self,
        world: &World,
        account: &Account,
        token: &str,
        items: &[(ItemId, ItemState, Vec<u8>)],
    ) {
        let (after, request) = self.write(account, items);
        let committed: Committed = world.post(&self.path("commits"), token, &request).await.ok();
        assert_eq!(committed.head, after.head);
        *self = after;
    }

    /// The same vault with another head.
    pub(crate) fn at(&self, head: LogHead) -> Self {
        Self { head, ..self.clone() }
    }

    /// The same vault with one live item counted as a tombstone.
    pub(crate) fn miscount(&self) -> Self {
        Self { live: self.live - 1, tombstones: self.tombstones + 1, ..self.clone() }
    }

    pub(crate) fn path(&self, what: &str) -> String {
        format!("/v1/vaults/{}/{what}", self.id)
    }
}

/// A live item with `size` bytes of envelope, or the fewest that there are.
pub(crate) fn item(size: usize) -> (ItemId, ItemState, Vec<u8>) {
    (ItemId::from_random(random()), ItemState::Live, vec![7; size.max(ENVELOPE_LENGTH_MIN)])
}

//! Made-up rows.

use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{CommitKind, LogHead};
use lockstep_proto::signin::KsfProfile;

use super::super::{
    CommitRow, CreateVaultOutcome, NewAccount, NewCommit, NewItem, NewVault, QuotaRule, Standing, Store,
    StoredLink, StoredRecord, StoredSlot, VaultReader,
};

pub(super) const OWNER: AccountId = AccountId([1; 32]);
pub(super) const VAULT: VaultId = VaultId([2; 32]);
pub(super) const READER: VaultReader = VaultReader { vault_id: VAULT, account_id: OWNER };
pub(super) const WRITER: DeviceId = DeviceId([5; 16]);
pub(super) const NONE: Leaf = Leaf { version: Version(0), blob_hash: Hash::ZERO };

pub(super) fn made_hash(parts: &[&[u8]]) -> Hash {
    hash("made-up", parts)
}

pub(super) fn link(account: u8, seq: u64, size: usize) -> StoredLink {
    let hash = made_hash(&[&[account], &seq.to_be_bytes()]);
    StoredLink { head: LogHead { seq: Seq(seq), hash }, bytes: vec![account; size], added_ms: 1_000 + seq }
}

pub(super) fn slot(byte: u8) -> StoredSlot {
    StoredSlot { hash: Hash([byte; 32]), bytes: vec![byte; 40] }
}

pub(super) fn record(byte: u8) -> StoredRecord {
    StoredRecord { upload: vec![byte; 192], profile: KsfProfile::CURRENT }
}

pub(super) fn account(byte: u8) -> NewAccount {
    NewAccount {
        account_id: AccountId([byte; 32]),
        links: vec![link(byte, 0, 100), link(byte, 1, 100)],
        slots: vec![slot(byte)],
        record: Some(record(byte)),
    }
}

pub(super) fn row(seq: u64, salt: &[u8]) -> CommitRow {
    let head = LogHead { seq: Seq(seq), hash: made_hash(&[&seq.to_be_bytes(), salt]) };
    let author = AuthorPosition { account_id: OWNER, head: LogHead { seq: Seq(1), hash: Hash([1; 32]) } };
    let entry = StoredCommit { commit: head.hash.0.to_vec().into(), body: salt.to_vec().into() };
    let kind = if seq == 0 { CommitKind::Genesis } else { CommitKind::Content };
    CommitRow { head, kind, author, entry }
}

/// A vault whose share leaves so many bytes beside its genesis.
pub(super) fn new_vault(bytes_left: u64) -> NewVault {
    let genesis = row(0, b"genesis");
    NewVault {
        vault_id: VAULT,
        owner: OWNER,
        device_id: WRITER,
        now_ms: 0,
        quota_bytes: genesis.bytes() + bytes_left,
        genesis,
        checkpoint: b"at 0".to_vec(),
        members: vec![OWNER],
    }
}

/// A fresh vault's genesis.
pub(super) async fn make_vault(store: &dyn Store, bytes_left: u64) -> LogHead {
    match store.create_vault(new_vault(bytes_left)).await.unwrap() {
        CreateVaultOutcome::Created(Standing { head, .. }) => head,
        other => panic!("{other:?}"),
    }
}

pub(super) fn item_id(number: u16) -> ItemId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    ItemId::from_random(bytes)
}

/// An item that goes from `old` to the next version with this blob.
pub(super) fn item(item_id: ItemId, old: Leaf, blob: &[u8]) -> NewItem {
    let new = Leaf { version: old.version.next(), blob_hash: made_hash(&[blob]) };
    NewItem { item_id, old, new, state: ItemState::Live, blob: blob.to_vec() }
}

/// A commit after `after` that leaves these counts. It holds 64 bytes, its salt and its blobs.
pub(super) fn new_commit(after: LogHead, salt: &[u8], items: Vec<NewItem>, counts: (u64, u64)) -> NewCommit {
    let row = row(after.seq.0 + 1, &[&after.hash.0[..], salt].concat());
    NewCommit {
        vault_id: VAULT,
        device_id: WRITER,
        after,
        checkpoint: format!("at {}", row.head.seq).into_bytes(),
        row,
        members: None,
        items,
        live: counts.0,
        tombstones: counts.1,
        now_ms: 1_000,
        quota: QuotaRule::Enforced,
    }
}

//! Made-up vaults whose every commit makes one item, so that the counts follow from the position.

use lockstep_domain::store::{
    CommitRow, NewCommit, NewItem, NewVault, QuotaRule, Standing, VaultReader, VaultStore as _,
};
use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{CommitKind, LogHead};

use super::super::PostgresStore;
use super::super::lanes::lane;

pub(super) const OWNER: AccountId = AccountId([1; 32]);
pub(super) const QUOTA: u64 = 1 << 30;
const WRITER: DeviceId = DeviceId([5; 16]);

/// A number's bytes, told apart from others by `kind`.
fn bytes32(kind: u8, one: u64, two: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&one.to_be_bytes());
    bytes[8..16].copy_from_slice(&two.to_be_bytes());
    bytes
}

pub(super) fn vault_id(number: u64) -> VaultId {
    VaultId(bytes32(b'v', number, 0))
}

/// So many vaults whose commits go into the same lane.
pub(super) fn neighbours(count: usize) -> Vec<VaultId> {
    (0..).map(vault_id).filter(|vault_id| lane(*vault_id) == 0).take(count).collect()
}

pub(super) fn reader(vault_id: VaultId) -> VaultReader {
    VaultReader { vault_id, account_id: OWNER }
}

fn row(seq: u64, salt: u64) -> CommitRow {
    let head = LogHead { seq: Seq(seq), hash: Hash(bytes32(b'h', seq, salt)) };
    let author = AuthorPosition { account_id: OWNER, head: LogHead::default() };
    let entry = StoredCommit { commit: vec![seq as u8; 200].into(), body: vec![salt as u8; 100].into() };
    let kind = if seq == 0 { CommitKind::Genesis } else { CommitKind::Content };
    CommitRow { head, kind, author, entry }
}

/// The head of every new vault.
pub(super) fn genesis() -> LogHead {
    row(0, 0).head
}

pub(super) fn new_vault(vault_id: VaultId) -> NewVault {
    NewVault {
        vault_id,
        owner: OWNER,
        device_id: WRITER,
        now_ms: 0,
        genesis: row(0, 0),
        checkpoint: vec![0],
        members: vec![OWNER],
        quota_bytes: row(0, 0).bytes() + QUOTA,
    }
}

/// Makes these vaults.
pub(super) async fn make_vaults(store: &PostgresStore, ids: &[VaultId]) {
    for vault_id in ids {
        store.create_vault(new_vault(*vault_id)).await.unwrap();
    }
}

pub(super) fn item(number: u64, salt: u64) -> NewItem {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&(number as u32).to_be_bytes());
    id[8..].copy_from_slice(&salt.to_be_bytes());
    NewItem {
        item_id: ItemId::from_random(id),
        old: Leaf { version: Version(0), blob_hash: Hash::ZERO },
        new: Leaf { version: Version(1), blob_hash: Hash(bytes32(b'b', number, salt)) },
        state: ItemState::Live,
        blob: vec![salt as u8; 64],
    }
}

/// The commit after `after` that makes one item; another salt makes another commit and another item.
pub(super) fn next(vault_id: VaultId, after: LogHead, salt: u64) -> NewCommit {
    let row = row(after.seq.0 + 1, salt);
    NewCommit {
        vault_id,
        device_id: WRITER,
        after,
        checkpoint: row.head.seq.0.to_be_bytes().to_vec(),
        members: None,
        items: vec![item(row.head.seq.0, salt)],
        live: row.head.seq.0,
        tombstones: 0,
        now_ms: 1_000,
        quota: QuotaRule::Enforced,
        row,
    }
}

/// A commit that writes the vault's one item anew, as every one before it did.
pub(super) fn rewrite(vault_id: VaultId, after: LogHead, salt: u64) -> NewCommit {
    let seq = after.seq.0 + 1;
    let mut commit = next(vault_id, after, salt);
    let mut change = item(0, 0);
    if seq > 1 {
        change.old = Leaf { version: Version(seq - 1), ..change.new };
        change.new.version = Version(seq);
    }
    (commit.items, commit.live) = (vec![change], 1);
    commit
}

/// Where a vault is after this commit.
pub(super) fn standing(commit: &NewCommit) -> Standing {
    Standing { head: commit.row.head, bytes_left: QUOTA - 364 * commit.row.head.seq.0 }
}

/// A vault's chain, after checking that it is whole: no gap, and an item for every commit.
pub(super) async fn whole_chain(store: &PostgresStore, vault_id: VaultId) -> Vec<LogHead> {
    let page = store.commit_page(reader(vault_id), None, 10_000).await.unwrap().unwrap();
    assert!(!page.more);
    let heads: Vec<LogHead> = page.rows.iter().map(|row| row.head).collect();
    assert!(heads.iter().zip(0..).all(|(head, seq)| head.seq.0 == seq), "{heads:?}");
    assert_eq!(heads.last(), Some(&page.standing.head));
    let items = store.item_page(reader(vault_id), Default::default()).await.unwrap().unwrap();
    assert_eq!((items.rows.len(), items.more), (heads.len() - 1, false));
    assert_eq!(page.standing.bytes_left, QUOTA - 364 * items.rows.len() as u64);
    heads
}

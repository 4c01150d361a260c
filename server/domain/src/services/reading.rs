//! Pages of a vault, for its members.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemsQuery, VersionPage, VersionsQuery};
use lockstep_proto::api::sides::{SidesPage, SidesQuery};
use lockstep_proto::api::vaults::{AuthorPosition, CommitPage, CommitsQuery, ControlPage, ControlQuery};
use lockstep_proto::api::{VERSIONS_LIMIT, WANTED_LIMIT};
use lockstep_proto::ids::{AccountId, Hash, ItemId, VaultId};
use lockstep_proto::log::LogHead;

use super::commits::room;
use crate::caller::Caller;
use crate::limits::Storage;
use crate::store::{CommitRow, CommitRows, ItemPlace, Store, StoreError, VaultReader, VersionPlace};

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such vault, or the caller is not a member.
    #[error("there is no such vault")]
    NoVault,
    /// More was asked for than one request may.
    #[error("more was asked for than one request may")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Upper bound of the commits of one page.
const PAGE_COMMITS: u32 = 1_024;

/// The service.
pub struct Reading {
    store: Arc<dyn Store>,
    storage: Arc<Storage>,
}

impl Reading {
    pub(super) fn new(store: Arc<dyn Store>, storage: Arc<Storage>) -> Self {
        Self { store, storage }
    }

    /// Commits in order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn commits(
        &self,
        caller: Caller,
        vault_id: VaultId,
        query: CommitsQuery,
    ) -> Result<CommitPage, ReadError> {
        let limit = query.limit.unwrap_or(PAGE_COMMITS).clamp(1, PAGE_COMMITS);
        let page = self.store.commit_page(reader(caller, vault_id), query.after, limit).await?;
        let mut page = page_of(page.ok_or(ReadError::NoVault)?);
        page.room.bytes = self.storage.left(page.room.bytes);
        Ok(page)
    }

    /// The commits that say who may write, and the one at the head.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn control(
        &self,
        caller: Caller,
        vault_id: VaultId,
        query: ControlQuery,
    ) -> Result<ControlPage, ReadError> {
        let page = self.store.control_page(reader(caller, vault_id), query.after).await?;
        let page = page.ok_or(ReadError::NoVault)?;
        Ok(ControlPage {
            head: page.standing.head,
            room: room(self.storage.left(page.standing.bytes_left)),
            authors: authors(page.rows.iter().chain([&page.last])),
            last: page.last.entry,
            control: page.rows.into_iter().map(|row| row.entry).collect(),
            more: page.more,
        })
    }

    /// The side commits that the vault keeps, in the order of position and hash.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sides(
        &self,
        caller: Caller,
        vault_id: VaultId,
        query: SidesQuery,
    ) -> Result<SidesPage, ReadError> {
        // No commit has the highest hash of all: after it is after the whole position.
        let hash = query.after_hash.unwrap_or(Hash([0xff; 32]));
        let after = query.after_seq.map(|seq| LogHead { seq, hash });
        let page = self.store.side_page(reader(caller, vault_id), after).await?.ok_or(ReadError::NoVault)?;
        Ok(SidesPage {
            head: page.standing.head,
            authors: authors(&page.rows),
            commits: page.rows.into_iter().map(|row| row.entry).collect(),
            more: page.more,
        })
    }

    /// Current versions of items, in the order of their last change.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn items(
        &self,
        caller: Caller,
        vault_id: VaultId,
        query: ItemsQuery,
    ) -> Result<ItemPage, ReadError> {
        let place = ItemPlace { seq: query.after_seq, item_id: query.after_item, upto: query.upto };
        let page = self.store.item_page(reader(caller, vault_id), place).await?.ok_or(ReadError::NoVault)?;
        Ok(ItemPage {
            head: page.standing.head,
            room: room(self.storage.left(page.standing.bytes_left)),
            items: page.rows,
            more: page.more,
        })
    }

    /// What is still held of an item's history, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn versions(
        &self,
        caller: Caller,
        vault_id: VaultId,
        item_id: ItemId,
        query: VersionsQuery,
    ) -> Result<VersionPage, ReadError> {
        let limit = query.limit.unwrap_or(VERSIONS_LIMIT).clamp(1, VERSIONS_LIMIT);
        let place = VersionPlace { item_id, before: query.before, limit };
        self.store.versions(reader(caller, vault_id), place).await?.ok_or(ReadError::NoVault)
    }

    /// Blobs of item versions.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn blobs(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: BlobsRequest,
    ) -> Result<BlobsPage, ReadError> {
        if request.want.len() > WANTED_LIMIT {
            return Err(ReadError::TooMany);
        }
        self.store.blobs(reader(caller, vault_id), request.want).await?.ok_or(ReadError::NoVault)
    }
}

fn reader(caller: Caller, vault_id: VaultId) -> VaultReader {
    VaultReader { vault_id, account_id: caller.account_id }
}

/// A page of a vault's log, as it is answered.
pub(super) fn page_of(page: CommitRows) -> CommitPage {
    CommitPage {
        head: page.standing.head,
        room: room(page.standing.bytes_left),
        authors: authors(&page.rows),
        commits: page.rows.into_iter().map(|row| row.entry).collect(),
        more: page.more,
    }
}

/// The highest position that the rows name, per author.
fn authors<'a>(rows: impl IntoIterator<Item = &'a CommitRow>) -> Vec<AuthorPosition> {
    let mut highest = BTreeMap::<AccountId, LogHead>::new();
    for row in rows {
        let head = highest.entry(row.author.account_id).or_insert(row.author.head);
        if row.author.head.seq > head.seq {
            *head = row.author.head;
        }
    }
    highest.into_iter().map(|(account_id, head)| AuthorPosition { account_id, head }).collect()
}

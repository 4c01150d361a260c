//! New vaults and new commits.

use std::sync::Arc;

use lockstep_proto::api::account::AccountRoom;
use lockstep_proto::api::items::StoredBlob;
use lockstep_proto::api::vaults::{
    AuthorPosition, Committed, CreateVault, Overtaken, PostCommit, Room, StoredCommit,
};
use lockstep_proto::api::{COMMIT_BLOBS_LIMIT, OVERTAKEN_LIMIT, SIDES_LIMIT};
use lockstep_proto::ids::{ItemId, Seq, VaultId};
use lockstep_proto::log::{CHANGES_LIMIT, CommitBody, CommitError, Entry, LogHead, VaultState, vault_id_of};

use super::accounts::{Accounts, KnownAccounts};
use super::bars::Bars;
use super::blobs::new_items;
use super::lines::{After, Lines, Verified};
use super::reading::page_of;
use super::shares::{Shares, rule_for};
use super::turns::Turns;
use crate::cache::{CacheRoom, Newest};
use crate::caller::Caller;
use crate::limits::StorageUsedUp;
use crate::ports::Clock;
use crate::signin::TooManyAttempts;
use crate::store::{
    CommitOutcome, CommitRow, CommitRows, CreateVaultOutcome, JoinOutcome, NewCommit, NewItem, NewJoin,
    NewVault, QuotaRule, Shortage, StagePlace, Store, StoreError, VaultReader,
};

/// Why a commit was not accepted. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitRefusal {
    /// There is no such vault, or the caller is not a member.
    #[error("there is no such vault")]
    NoVault,
    /// The vault's head is elsewhere.
    #[error("the vault's log has moved on")]
    HeadMoved(Box<Moved>),
    /// The commit's author is not the caller.
    #[error("the commit's author is not the one who sends it")]
    Foreign,
    /// The device is being revoked.
    #[error("this device is being removed from the account")]
    Barred,
    /// The verifier refused it.
    #[error(transparent)]
    Verifier(#[from] CommitError),
    /// There is not exactly one blob per change.
    #[error("there is not exactly one blob per change")]
    BlobCount,
    /// The blob of this item is not the one that the commit names.
    #[error("the blob of item {0} is not the one that the commit names")]
    Blob(ItemId),
    /// The blobs together are above their limit.
    #[error("the blobs of one commit are above their limit")]
    TooLarge,
    /// The item is not at the version that the commit replaces.
    #[error("item {item_id} is not at the version that the commit replaces")]
    Item {
        /// The item.
        item_id: ItemId,
        /// The vault's head.
        head: LogHead,
    },
    /// The counts of live items and tombstones do not add up.
    #[error("the commit's counts do not add up")]
    Counts,
    /// The account holds what it may hold.
    #[error("the account is full")]
    Quota {
        /// What it still takes.
        room: Room,
        /// What it holds and may hold.
        shortage: Shortage,
    },
    /// The server's storage is used up.
    #[error(transparent)]
    StorageUsedUp(#[from] StorageUsedUp),
    /// A commit on the side of a heal is neither kept nor staged.
    #[error("a commit of the branch that a heal joins is missing")]
    SideMissing,
    /// More side commits than may be staged, or kept.
    #[error("the commits of joined branches are above their limit")]
    SidesFull,
    /// Too many chains with heals were to be verified.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// What is staged is not whole.
    #[error("something that was staged is not whole yet")]
    Incomplete,
    /// The account has as many vaults as it may have.
    #[error("the account has as many vaults as it may have")]
    TooManyVaults,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a vault is after all, and what happened meanwhile.
#[derive(Debug)]
pub struct Moved {
    /// The head.
    pub head: LogHead,
    /// What the vault still takes.
    pub room: Room,
    /// Everything since the commit that the refused one follows, unless that is too much.
    pub overtaken: Option<Overtaken>,
}

/// How many vaults' states stay in memory.
const ROOM: CacheRoom = CacheRoom { states: 4_096, bytes: usize::MAX };
/// Commits with more changes, or more bytes in them, are verified away from the threads that serve requests.
const INLINE_CHANGES: usize = 16;
const INLINE_BYTES: usize = 256 << 10;

/// The service.
pub struct Vaults {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    bars: Arc<Bars>,
    lines: Arc<Lines>,
    shares: Arc<Shares>,
    states: Newest<VaultId, VaultState>,
    turns: Turns,
}

impl Vaults {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        accounts: Arc<Accounts>,
        bars: Arc<Bars>,
        lines: Arc<Lines>,
        shares: Arc<Shares>,
    ) -> Self {
        let states = Newest::new(ROOM, |state: &VaultState| state.head().seq, |_| 0);
        Self { store, clock, accounts, bars, lines, shares, states, turns: Turns::default() }
    }

    /// Makes a vault from its genesis. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn create(&self, caller: Caller, request: &CreateVault) -> Result<Committed, CommitRefusal> {
        let entry = Entry::from_wire(&request.commit, &request.body)?;
        check_author(caller, &entry)?;
        let vault_id = vault_id_of(&entry.commit);
        let now_ms = self.clock.now_ms();
        let accounts = self.known(caller, &entry).await?;
        let state = VaultState::from_genesis(&entry, &accounts)?;
        if let Some(account) = accounts.0.get(&caller.account_id)
            && self.bars.is_barred(caller, account).await?
        {
            return Err(CommitRefusal::Barred);
        }
        let genesis = row(&entry, &request.commit.0, &request.body.0);
        let place = StagePlace { vault_id, account_id: caller.account_id };
        if let Err(refusal) = self.shares.make_room(place, genesis.bytes()).await {
            // One that is there needs no room.
            let reader = VaultReader { vault_id, account_id: caller.account_id };
            let found = self.store.find_commit(reader, state.head()).await?;
            found.filter(|(found, _)| *found).ok_or(refusal)?;
            return Ok(Committed { vault_id, head: state.head(), room: room(0) });
        }
        let vault = NewVault {
            vault_id,
            owner: caller.account_id,
            device_id: entry.commit.value().author_device,
            now_ms,
            // Its share grows with the first commit: what was made room for may be another vault's by now.
            quota_bytes: genesis.bytes(),
            genesis,
            checkpoint: state.to_checkpoint(),
            members: state.members().keys().copied().collect(),
        };
        match self.store.create_vault(vault).await? {
            // The same every time: its share grows with its first commit.
            CreateVaultOutcome::Created(_) | CreateVaultOutcome::Already(_) => {
                Ok(Committed { vault_id, head: state.head(), room: room(0) })
            }
            CreateVaultOutcome::Barred => Err(CommitRefusal::Barred),
        }
    }

    /// What the caller's account holds and may hold.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn account_room(&self, caller: Caller) -> Result<AccountRoom, CommitRefusal> {
        self.shares.account_room(caller.account_id).await
    }

    /// Appends a commit: an atomic compare-and-set. Commits of one vault wait for each other in the order in which they
    /// come; whoever was overtaken keeps its turn for a short time. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn commit(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: PostCommit,
    ) -> Result<Committed, CommitRefusal> {
        let entry = Entry::from_wire(&request.commit, &request.body)?;
        check_author(caller, &entry)?;
        // Who is no member stands in nobody's way.
        self.check_member(vault_id, caller).await?;
        let turn = self.turns.take(vault_id, entry.commit.value().author_device).await;
        let outcome = match entry.body {
            CommitBody::Heal(_) => self.join_now(caller, vault_id, request, entry).await,
            _ => self.commit_now(caller, vault_id, request, entry).await,
        };
        if let Err(CommitRefusal::HeadMoved(moved)) = &outcome {
            turn.keep(moved.head.seq);
        }
        outcome
    }

    async fn commit_now(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: PostCommit,
        entry: Entry,
    ) -> Result<Committed, CommitRefusal> {
        let head = entry.commit.value().head(entry.commit.hash());
        let reader = VaultReader { vault_id, account_id: caller.account_id };
        let before = match self.state_before(vault_id, &entry).await? {
            Some(before) => before,
            None => return self.not_at_head(reader, head, base_of(&entry)).await,
        };
        if !before.members().contains_key(&caller.account_id) {
            return Err(CommitRefusal::NoVault);
        }
        // First the time, then the accounts: see [`Bars`].
        let now_ms = self.clock.now_ms();
        let accounts = self.known(caller, &entry).await?;
        let after = before.head();
        let (state, commit) = verify(request, entry, before, accounts, now_ms).await?;
        let outcome = match commit.quota {
            QuotaRule::Enforced => self.write(reader, commit).await?,
            QuotaRule::Waived => self.store.commit(commit).await?,
        };
        match outcome {
            CommitOutcome::Committed(standing) => {
                self.states.keep(vault_id, state);
                Ok(Committed { vault_id, head, room: room(standing.bytes_left) })
            }
            CommitOutcome::Already(standing) => {
                Ok(Committed { vault_id, head, room: room(standing.bytes_left) })
            }
            CommitOutcome::NoVault => Err(CommitRefusal::NoVault),
            CommitOutcome::HeadMoved(_) => Err(self.moved(reader, after).await?),
            CommitOutcome::Barred => Err(CommitRefusal::Barred),
            CommitOutcome::Item(item_id) => Err(CommitRefusal::Item { item_id, head: after }),
            CommitOutcome::Counts => Err(CommitRefusal::Counts),
            CommitOutcome::Quota(_) => Err(StoreError::Failed("room was made and taken".into()).into()),
        }
    }

    /// Where the vault's share is used up, it is raised, and the commit judged anew. The quota is that of the account that made
    /// the vault, which is its one member's, who commits.
    async fn write(&self, reader: VaultReader, commit: NewCommit) -> Result<CommitOutcome, CommitRefusal> {
        let place = StagePlace { vault_id: reader.vault_id, account_id: reader.account_id };
        let (bytes, after) = (commit.bytes(), Some(commit.after));
        let is_full = |outcome: &CommitOutcome| matches!(outcome, CommitOutcome::Quota(_));
        let write = async |_| self.store.commit(commit.clone()).await;
        self.shares.with_room(place, after, bytes, is_full, write).await
    }

    /// A heal commit: the whole chain is verified with both branches, and the joined one kept beside it.
    async fn join_now(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: PostCommit,
        entry: Entry,
    ) -> Result<Committed, CommitRefusal> {
        let (account_id, head) = (caller.account_id, entry.commit.value().head(entry.commit.hash()));
        let (reader, place) = (VaultReader { vault_id, account_id }, StagePlace { vault_id, account_id });
        let Some(before) = self.state_before(vault_id, &entry).await? else {
            // At which position the commit before it is, a heal does not say.
            return self.not_at_head(reader, head, LogHead::default()).await;
        };
        if !before.members().contains_key(&account_id) {
            return Err(CommitRefusal::NoVault);
        }
        let items = items_of(&request, &entry, vault_id)?;
        let row = row(&entry, &request.commit.0, &request.body.0);
        let device_id = entry.commit.value().author_device;
        let now_ms = self.clock.now_ms();
        // Before anything long is done: who says so, and about which head.
        entry.check_signer(vault_id, &self.known(caller, &entry).await?)?;
        let Verified { state, sides, writers, .. } =
            match self.lines.verify(place, After::Vault, vec![entry]).await {
                Ok(verified) => verified,
                // What was verified may have been a chain that had moved on already.
                Err(CommitRefusal::Verifier(_))
                    if self.read_state(vault_id).await?.head() != before.head() =>
                {
                    return Err(self.moved(reader, before.head()).await?);
                }
                Err(refusal) => return Err(refusal),
            };
        let commit = NewCommit {
            vault_id,
            device_id,
            after: before.head(),
            row,
            checkpoint: state.to_checkpoint(),
            members: Some(state.members().keys().copied().collect()),
            items,
            live: state.live(),
            tombstones: state.tombstones(),
            now_ms,
            quota: QuotaRule::Enforced,
        };
        let bytes = commit.bytes();
        let join = NewJoin { commit, place, sides, writers, limit_bytes: SIDES_LIMIT };
        let is_full = |outcome: &JoinOutcome| matches!(outcome, JoinOutcome::Quota(_));
        let write = async |_| self.store.join(join.clone()).await;
        match self.shares.with_room(place, Some(before.head()), bytes, is_full, write).await? {
            JoinOutcome::Joined(standing) => {
                self.states.keep(vault_id, state);
                Ok(Committed { vault_id, head, room: room(standing.bytes_left) })
            }
            JoinOutcome::Already(standing) => {
                Ok(Committed { vault_id, head, room: room(standing.bytes_left) })
            }
            JoinOutcome::NoVault => Err(CommitRefusal::NoVault),
            JoinOutcome::HeadMoved(_) => Err(self.moved(reader, before.head()).await?),
            JoinOutcome::SideMissing => Err(CommitRefusal::SideMissing),
            JoinOutcome::Barred => Err(CommitRefusal::Barred),
            JoinOutcome::Counts => Err(CommitRefusal::Counts),
            JoinOutcome::Quota(_) => Err(StoreError::Failed("room was made and taken".into()).into()),
            JoinOutcome::SidesFull => Err(CommitRefusal::SidesFull),
        }
    }

    async fn known(&self, caller: Caller, entry: &Entry) -> Result<KnownAccounts, StoreError> {
        let mut known = KnownAccounts::default();
        self.accounts.note_known(&mut known, caller.account_id, entry).await?;
        Ok(known)
    }

    /// The state that the commit follows, if the vault is there: verified for that hash, so never out of date.
    async fn state_before(
        &self,
        vault_id: VaultId,
        entry: &Entry,
    ) -> Result<Option<Arc<VaultState>>, CommitRefusal> {
        let prev_hash = entry.commit.value().prev_hash;
        if let Some(state) = self.states.find(&vault_id)
            && state.head().hash == prev_hash
        {
            return Ok(Some(state));
        }
        let state = self.states.keep(vault_id, self.read_state(vault_id).await?);
        Ok((state.head().hash == prev_hash).then_some(state))
    }

    /// Members as this node knows them; as the store has them before somebody is refused.
    async fn check_member(&self, vault_id: VaultId, caller: Caller) -> Result<(), CommitRefusal> {
        let is_member = |state: &VaultState| state.members().contains_key(&caller.account_id);
        if self.states.find(&vault_id).is_some_and(|state| is_member(&state))
            || is_member(&self.read_state(vault_id).await?)
        {
            return Ok(());
        }
        Err(CommitRefusal::NoVault)
    }

    async fn read_state(&self, vault_id: VaultId) -> Result<VaultState, CommitRefusal> {
        let stored = self.store.checkpoint(vault_id).await?.ok_or(CommitRefusal::NoVault)?;
        let read = VaultState::from_checkpoint(&stored);
        Ok(read.map_err(|_| StoreError::Corrupt("a vault's checkpoint"))?)
    }

    /// The commit does not follow the head: it is in the chain already, or overtaken.
    async fn not_at_head(
        &self,
        reader: VaultReader,
        commit: LogHead,
        base: LogHead,
    ) -> Result<Committed, CommitRefusal> {
        let (found, standing) =
            self.store.find_commit(reader, commit).await?.ok_or(CommitRefusal::NoVault)?;
        if found {
            Ok(Committed { vault_id: reader.vault_id, head: commit, room: room(standing.bytes_left) })
        } else {
            Err(self.moved(reader, base).await?)
        }
    }

    /// What whoever follows `base` has missed.
    async fn moved(&self, reader: VaultReader, base: LogHead) -> Result<CommitRefusal, CommitRefusal> {
        let news = self.store.news(reader, base, OVERTAKEN_LIMIT).await?.ok_or(CommitRefusal::NoVault)?;
        let (head, room) = (news.standing.head, room(news.standing.bytes_left));
        let overtaken = news.since.map(|since| Overtaken {
            page: page_of(CommitRows { standing: news.standing, rows: since.commits, more: false }),
            blobs: since
                .items
                .into_iter()
                .map(|item| StoredBlob { item_id: item.item_id, version: item.version, blob: item.blob })
                .collect(),
        });
        Ok(CommitRefusal::HeadMoved(Box::new(Moved { head, room, overtaken })))
    }
}

/// The commit that this one follows.
fn base_of(entry: &Entry) -> LogHead {
    let commit = entry.commit.value();
    LogHead { seq: Seq(commit.seq.0.saturating_sub(1)), hash: commit.prev_hash }
}

/// Everything that needs no store: blobs, signature, authority, digest. Large commits go to a thread of their own.
async fn verify(
    request: PostCommit,
    entry: Entry,
    before: Arc<VaultState>,
    accounts: KnownAccounts,
    now_ms: u64,
) -> Result<(VaultState, NewCommit), CommitRefusal> {
    let bytes: usize = request.blobs.iter().map(|blob| blob.len()).sum();
    let inline = request.blobs.len() <= INLINE_CHANGES && bytes <= INLINE_BYTES;
    let check = move || verify_now(&request, &entry, &before, &accounts, now_ms);
    if inline {
        return check();
    }
    tokio::task::spawn_blocking(check).await.map_err(|_| StoreError::Closed)?
}

fn verify_now(
    request: &PostCommit,
    entry: &Entry,
    before: &VaultState,
    accounts: &KnownAccounts,
    now_ms: u64,
) -> Result<(VaultState, NewCommit), CommitRefusal> {
    let items = items_of(request, entry, before.vault_id())?;
    let state = before.apply(entry, accounts)?;
    let members =
        matches!(entry.body, CommitBody::Control(_)).then(|| state.members().keys().copied().collect());
    let commit = NewCommit {
        vault_id: before.vault_id(),
        device_id: entry.commit.value().author_device,
        after: before.head(),
        row: row(entry, &request.commit.0, &request.body.0),
        checkpoint: state.to_checkpoint(),
        members,
        items,
        live: state.live(),
        tombstones: state.tombstones(),
        now_ms,
        quota: rule_for(entry, before, &state),
    };
    Ok((state, commit))
}

fn items_of(request: &PostCommit, entry: &Entry, vault_id: VaultId) -> Result<Vec<NewItem>, CommitRefusal> {
    let bytes: usize = request.blobs.iter().map(|blob| blob.len()).sum();
    if bytes > COMMIT_BLOBS_LIMIT {
        return Err(CommitRefusal::TooLarge);
    }
    let changes = match &entry.body {
        CommitBody::Content(body) => body.changes.as_slice(),
        CommitBody::Genesis(_) | CommitBody::Control(_) | CommitBody::Heal(_) => &[],
    };
    if changes.len() != request.blobs.len() {
        return Err(CommitRefusal::BlobCount);
    }
    new_items(vault_id, entry.commit.value(), changes, &request.blobs).map_err(CommitRefusal::Blob)
}

/// A commit is sent by the device that wrote it.
fn check_author(caller: Caller, entry: &Entry) -> Result<(), CommitRefusal> {
    let commit = entry.commit.value();
    let same = caller.account_id == commit.author_account && caller.device_id() == Some(commit.author_device);
    if same { Ok(()) } else { Err(CommitRefusal::Foreign) }
}

pub(super) fn row(entry: &Entry, commit: &[u8], body: &[u8]) -> CommitRow {
    let value = entry.commit.value();
    CommitRow {
        head: value.head(entry.commit.hash()),
        kind: value.kind,
        author: AuthorPosition { account_id: value.author_account, head: value.author_position },
        entry: StoredCommit { commit: commit.to_vec().into(), body: body.to_vec().into() },
    }
}

/// What a commit may bring while the vault has so many bytes of its share left.
pub(super) fn room(bytes: u64) -> Room {
    Room { bytes, commit_blob_bytes: COMMIT_BLOBS_LIMIT as u64, commit_changes: CHANGES_LIMIT as u64 }
}

//! Healing a vault: devices stage the commits and blobs that a restored database lacks, in as many requests as it takes,
//! and then the vault's head moves in one transaction.
//!
//! **Invariants:** every staged commit is verified by the one verifier, from the vault's head on or from the genesis, and
//! where there are heals with the side commits that they join, which are staged before and verified with the heal alone;
//! nothing staged is read as the vault's before every item at the staged head has its blob; only vaults that the
//! account's log names have an area, which counts as the vault itself does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_proto::api::heal::{FinishHeal, HealBlobs, HealCommits, HealProgress};
use lockstep_proto::api::sides::{SidesStaged, StageSides};
use lockstep_proto::api::vaults::Committed;
use lockstep_proto::api::{HEAL_COMMITS_LIMIT, SIDES_LIMIT, WANTED_LIMIT};
use lockstep_proto::blob::{Blob, ItemHeader, ItemState, blob_hash};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::{Change, Commit, CommitBody, CommitError, Entry, LogHead, VaultState, vault_id_of};

use super::accounts::{Accounts, KnownAccounts};
use super::commits::{CommitRefusal, Moved, room, row};
use super::lines::{After, Lines, Verified};
use super::shares::Shares;
use crate::caller::Caller;
use crate::ports::Clock;
use crate::store::{
    FinishOutcome, FinishStage, NewSides, NewStage, SidesOutcome, StageOutcome, StagePlace, Staged,
    StagedBlob, StagedChange, StagedRow, Store, StoreError, VaultReader,
};

/// An area to which nothing was added for so long is forgotten, in milliseconds: 7 days.
const STAGE_MS: u64 = 7 * 24 * 3_600_000;

/// The service.
pub struct HealVaults {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    lines: Arc<Lines>,
    shares: Arc<Shares>,
}

impl HealVaults {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        accounts: Arc<Accounts>,
        lines: Arc<Lines>,
        shares: Arc<Shares>,
    ) -> Self {
        Self { store, clock, accounts, lines, shares }
    }

    /// How far the caller's account is with a vault.
    ///
    /// # Errors
    /// [`CommitRefusal::NoVault`], [`CommitRefusal::Store`].
    pub async fn progress(&self, caller: Caller, vault_id: VaultId) -> Result<HealProgress, CommitRefusal> {
        let (place, staged) = self.open(caller, vault_id).await?;
        self.answer(place, staged.vault, staged.staged).await
    }

    /// Stages commits, all or none. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn commits(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: HealCommits,
    ) -> Result<HealProgress, CommitRefusal> {
        if request.commits.len() > HEAL_COMMITS_LIMIT {
            return Err(CommitRefusal::TooLarge);
        }
        let (place, staged) = self.open(caller, vault_id).await?;
        let entries = request.commits.iter().map(|stored| Entry::from_wire(&stored.commit, &stored.body));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let end = staged.staged.or(staged.vault);
        if let Some(end) = end
            && entries.iter().any(|entry| is_rival(end, entry))
        {
            return Err(moved(end));
        }
        let new = entries.into_iter().filter(|entry| is_new(end, entry)).collect::<Vec<_>>();
        if new.is_empty() {
            return self.answer(place, staged.vault, staged.staged).await;
        }
        let verified = self.verify(place, &staged, new).await?;
        let now_ms = self.clock.now_ms();
        let stage = new_stage(place, end, verified, now_ms)?;
        let head = stage.rows.last().map(|staged| staged.row.head);
        let bytes = stage.rows.iter().map(|staged| staged.row.bytes()).sum();
        let is_full = |outcome: &StageOutcome| *outcome == StageOutcome::Full;
        let write = async |limit_bytes| self.store.stage(NewStage { limit_bytes, ..stage.clone() }).await;
        match self.shares.with_room(place, staged.vault, bytes, is_full, write).await? {
            StageOutcome::Staged => self.answer(place, staged.vault, head).await,
            StageOutcome::Moved => Err(moved(end.unwrap_or_default())),
            StageOutcome::Item(item_id) => {
                Err(CommitRefusal::Item { item_id, head: end.unwrap_or_default() })
            }
            StageOutcome::SideMissing => Err(CommitRefusal::SideMissing),
            StageOutcome::Full => Err(taken()),
        }
    }

    /// Stages side commits, all or none, for a heal commit or for a chain that has one. A device of their author's account has
    /// signed them; what they are worth the heal commit shows.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn sides(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: StageSides,
    ) -> Result<SidesStaged, CommitRefusal> {
        if request.commits.len() > HEAL_COMMITS_LIMIT {
            return Err(CommitRefusal::TooLarge);
        }
        let (place, staged) = self.open(caller, vault_id).await?;
        if request.commits.is_empty() {
            return Ok(SidesStaged {});
        }
        let entries = request.commits.iter().map(|stored| Entry::from_wire(&stored.commit, &stored.body));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut known = KnownAccounts::default();
        for entry in &entries {
            self.accounts.note_known(&mut known, caller.account_id, entry).await?;
        }
        let read = move || {
            let mut rows = Vec::with_capacity(entries.len());
            for (entry, stored) in entries.iter().zip(&request.commits) {
                if entry.commit.value().vault_id != vault_id {
                    return Err(CommitError::Vault);
                }
                entry.check_signer(vault_id, &known)?;
                let row = row(entry, &stored.commit.0, &stored.body.0);
                rows.push(StagedRow { row, device_id: entry.commit.value().author_device });
            }
            Ok(rows)
        };
        let rows = tokio::task::spawn_blocking(read).await.map_err(|_| StoreError::Closed)??;
        let (now_ms, bytes) = (self.clock.now_ms(), rows.iter().map(|staged| staged.row.bytes()).sum());
        let is_full = |outcome: &SidesOutcome| *outcome == SidesOutcome::Full;
        let write = async |stage_bytes| {
            let rows = rows.clone();
            let sides = NewSides { place, rows, now_ms, limit_bytes: SIDES_LIMIT, stage_bytes };
            self.store.stage_sides(sides).await
        };
        match self.shares.with_room(place, staged.vault, bytes, is_full, write).await? {
            SidesOutcome::Staged => Ok(SidesStaged {}),
            SidesOutcome::SidesFull => Err(CommitRefusal::SidesFull),
            SidesOutcome::Full => Err(taken()),
        }
    }

    /// Stages those of the blobs that are wanted.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn blobs(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: HealBlobs,
    ) -> Result<HealProgress, CommitRefusal> {
        let (place, staged) = self.open(caller, vault_id).await?;
        let blobs = request.blobs.into_iter().map(|bytes| {
            let header = Blob::from_bytes(&bytes).map_err(CommitError::Format)?.header;
            let (item_id, state) = (header.item_id, header.state);
            let header = ItemHeader { state: ItemState::Live, ..header }.context();
            Ok(StagedBlob { item_id, blob_hash: blob_hash(&bytes), header, state, blob: bytes.0 })
        });
        let blobs = blobs.collect::<Result<Vec<_>, CommitRefusal>>()?;
        let (now_ms, bytes) = (self.clock.now_ms(), blobs.iter().map(|sent| sent.blob.len() as u64).sum());
        let write =
            async |limit_bytes| self.store.stage_blobs(place, blobs.clone(), now_ms, limit_bytes).await;
        if !self.shares.with_room(place, staged.vault, bytes, |fits| !fits, write).await? {
            return Err(taken());
        }
        let (_, staged) = self.open(caller, vault_id).await?;
        self.answer(place, staged.vault, staged.staged).await
    }

    /// Makes the staged head the vault's. Asked again, it answers the same.
    ///
    /// # Errors
    /// [`CommitRefusal`].
    pub async fn finish(
        &self,
        caller: Caller,
        vault_id: VaultId,
        request: FinishHeal,
    ) -> Result<Committed, CommitRefusal> {
        // First the time, then the accounts: see [`super::Bars`].
        let now_ms = self.clock.now_ms();
        let (place, staged) = self.open(caller, vault_id).await?;
        if staged.staged == Some(request.head)
            && let Some(checkpoint) = &staged.checkpoint
        {
            self.judge(place, &read_state(checkpoint)?).await?;
        }
        let finish = FinishStage { place, head: request.head, now_ms, sides_limit: SIDES_LIMIT };
        match self.store.finish_stage(finish).await? {
            FinishOutcome::Finished(standing) | FinishOutcome::Already(standing) => {
                Ok(Committed { vault_id, head: request.head, room: room(standing.bytes_left) })
            }
            FinishOutcome::Moved => Err(moved(staged.staged.or(staged.vault).unwrap_or_default())),
            FinishOutcome::Incomplete => Err(CommitRefusal::Incomplete),
            FinishOutcome::Barred => Err(CommitRefusal::Barred),
            FinishOutcome::Counts => Err(CommitRefusal::Counts),
            FinishOutcome::SidesFull => Err(CommitRefusal::SidesFull),
        }
    }

    /// Forgets what the caller's account has staged of a vault.
    ///
    /// # Errors
    /// [`CommitRefusal::NoVault`], [`CommitRefusal::Store`].
    pub async fn drop_stage(&self, caller: Caller, vault_id: VaultId) -> Result<(), CommitRefusal> {
        let (place, _) = self.open(caller, vault_id).await?;
        Ok(self.store.drop_stage(place, u64::MAX >> 1).await?)
    }

    /// Forgets areas that nobody has added to for a week.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let before_ms = self.clock.now_ms().saturating_sub(STAGE_MS);
        let mut last = None;
        while let Some(place) = self.store.next_stage(last).await? {
            self.store.drop_stage(place, before_ms).await?;
            last = Some(place);
        }
        Ok(())
    }

    /// The area of the caller's account, for a vault that its log names and, where it is there, that it may read.
    async fn open(&self, caller: Caller, vault_id: VaultId) -> Result<(StagePlace, Staged), CommitRefusal> {
        let account_id = caller.account_id;
        let state = self.accounts.find(account_id).await?.ok_or(CommitRefusal::NoVault)?;
        if !state.vaults().contains_key(&vault_id) {
            return Err(CommitRefusal::NoVault);
        }
        let place = StagePlace { vault_id, account_id };
        let staged = self.store.staged(place).await?;
        let reader = VaultReader { vault_id, account_id };
        if staged.vault.is_some() && self.store.find_commit(reader, LogHead::default()).await?.is_none() {
            return Err(CommitRefusal::NoVault);
        }
        Ok((place, staged))
    }

    /// Judges what is staged by what the account's log says now: a device may have been removed since its commits came.
    async fn judge(&self, place: StagePlace, end: &VaultState) -> Result<(), CommitRefusal> {
        let account = self.accounts.find(place.account_id).await?.ok_or(CommitRefusal::NoVault)?;
        end.cut_offs(&KnownAccounts::of(account))?;
        // The chain goes on: it ends below a commit that a revocation says it has.
        if end.pending_cut_offs().is_empty() { Ok(()) } else { Err(CommitRefusal::Incomplete) }
    }

    async fn answer(
        &self,
        place: StagePlace,
        head: Option<LogHead>,
        staged: Option<LogHead>,
    ) -> Result<HealProgress, CommitRefusal> {
        let wanted = self.store.wanted(place, WANTED_LIMIT as u32).await?;
        Ok(HealProgress { head, staged, wanted })
    }

    /// Verifies commits that follow what is staged: one after another, or, where a heal says which of them count, with the
    /// whole chain.
    async fn verify(
        &self,
        place: StagePlace,
        staged: &Staged,
        entries: Vec<Entry>,
    ) -> Result<Verified, CommitRefusal> {
        let before = staged.checkpoint.as_deref().map(read_state).transpose()?;
        let end = before.as_ref().map(VaultState::head).unwrap_or_default();
        let mut known = KnownAccounts::default();
        for entry in &entries {
            self.accounts.note_known(&mut known, place.account_id, entry).await?;
        }
        // Signatures are verified away from the threads that serve requests.
        let verify = move || {
            let state = follow(place.vault_id, before, &entries, &known);
            (entries, state)
        };
        let (entries, state) = tokio::task::spawn_blocking(verify).await.map_err(|_| StoreError::Closed)?;
        match state {
            Ok(state) => Ok(Verified { entries, state, sides: Vec::new(), writers: BTreeSet::new() }),
            Err(CommitRefusal::Verifier(error)) if asks_for_heals(&error, &entries) => {
                let verified = self.lines.verify(place, After::Staged, entries).await;
                verified.map_err(|error| match error {
                    CommitRefusal::Verifier(CommitError::Chain { .. }) => moved(end),
                    error => error,
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// The state after commits, each verified after the one before it.
fn follow(
    vault_id: VaultId,
    before: Option<VaultState>,
    entries: &[Entry],
    known: &KnownAccounts,
) -> Result<VaultState, CommitRefusal> {
    let mut state = before;
    for entry in entries {
        state = Some(match state {
            Some(state) => state.apply(entry, known).map_err(|error| refusal(&state, error))?,
            None if vault_id_of(&entry.commit) == vault_id => VaultState::from_genesis(entry, known)?,
            None => return Err(CommitRefusal::NoVault),
        });
    }
    state.ok_or(CommitRefusal::NoVault)
}

/// Whether the commits may be valid for all that, because a heal among them says so.
fn asks_for_heals(error: &CommitError, entries: &[Entry]) -> bool {
    match error {
        CommitError::Heal => true,
        CommitError::Author(_) | CommitError::CutOff { .. } => {
            entries.iter().any(|entry| matches!(entry.body, CommitBody::Heal(_)))
        }
        _ => false,
    }
}

/// Whether a commit goes on where this ends: what is at or below it was given back before, or is refused there.
fn is_new(end: Option<LogHead>, entry: &Entry) -> bool {
    end.is_none_or(|end| entry.commit.value().seq > end.seq)
}

/// Whether a commit is at this place and is another one: the caller's chain is of another branch.
fn is_rival(end: LogHead, entry: &Entry) -> bool {
    entry.commit.value().seq == end.seq && entry.commit.hash() != end.hash
}

fn read_state(checkpoint: impl AsRef<[u8]>) -> Result<VaultState, CommitRefusal> {
    let read = VaultState::from_checkpoint(checkpoint.as_ref());
    Ok(read.map_err(|_| StoreError::Corrupt("a vault's checkpoint"))?)
}

/// A commit that follows another one than the last is of another branch, or there is a gap.
fn refusal(state: &VaultState, error: CommitError) -> CommitRefusal {
    match error {
        CommitError::Chain { .. } => moved(state.head()),
        error => error.into(),
    }
}

/// Others took the room that was made, again and again.
fn taken() -> CommitRefusal {
    StoreError::Failed("room was made and taken".into()).into()
}

fn moved(head: LogHead) -> CommitRefusal {
    CommitRefusal::HeadMoved(Box::new(Moved { head, room: room(0), overtaken: None }))
}

fn new_stage(
    place: StagePlace,
    after: Option<LogHead>,
    Verified { entries, state, sides, .. }: Verified,
    now_ms: u64,
) -> Result<NewStage, CommitRefusal> {
    let mut changes = BTreeMap::new();
    let mut rows = Vec::with_capacity(entries.len());
    for entry in &entries {
        let commit = entry.commit.value();
        if let CommitBody::Content(body) = &entry.body {
            for change in &body.changes {
                note_change(&mut changes, place.vault_id, commit, change)?;
            }
        }
        let bytes = (entry.commit.to_body(), entry.body.to_bytes());
        rows.push(StagedRow { row: row(entry, &bytes.0, &bytes.1), device_id: commit.author_device });
    }
    Ok(NewStage {
        place,
        after,
        rows,
        sides,
        changes: changes.into_values().collect(),
        checkpoint: state.to_checkpoint(),
        live: state.live(),
        tombstones: state.tombstones(),
        members: state.members().keys().copied().collect(),
        now_ms,
        limit_bytes: 0,
    })
}

/// Adds a commit's change to what the commits before it made of the item.
fn note_change(
    changes: &mut BTreeMap<ItemId, StagedChange>,
    vault_id: VaultId,
    commit: &Commit,
    change: &Change,
) -> Result<(), CommitRefusal> {
    let item_id = change.item_id;
    let old = Leaf { version: change.old_version, blob_hash: change.old_blob_hash };
    let before = changes.get(&item_id);
    if before.is_some_and(|before| before.new != old) {
        return Err(CommitRefusal::Item { item_id, head: commit.head(commit.prev_hash) });
    }
    let header = ItemHeader {
        vault_id,
        epoch: commit.epoch,
        item_id,
        version: change.new_version,
        prev_blob_hash: change.old_blob_hash,
        author_account: commit.author_account,
        author_device: commit.author_device,
        state: ItemState::Live,
    };
    let staged = StagedChange {
        item_id,
        old: before.map_or(old, |before| before.old),
        new: Leaf { version: change.new_version, blob_hash: change.new_blob_hash },
        seq: commit.seq,
        header: header.context(),
    };
    changes.insert(item_id, staged);
    Ok(())
}

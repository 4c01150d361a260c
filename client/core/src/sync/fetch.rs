//! What a pull asks the server for: commits up to a target, then the blobs that changed.
//!
//! Verified pages are put aside in the local store while more follow, so that a pull that is cut off goes on where it
//! was. Nothing is shown or pinned here.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::WANTED_LIMIT;
use lockstep_proto::api::items::{BlobsRequest, ItemVersion};
use lockstep_proto::api::vaults::{CommitPage, CommitsQuery, Overtaken, Room};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::ids::{Hash, ItemId, Seq, VaultId};
use lockstep_proto::log::{CommitError, Entry, LogHead, VaultState};

use super::Wire;
use super::blob_page::{Answer, BadPage, read_page};
use super::error::{Missing, SyncError};
use super::plan::{Standing, standing};
use super::pull::garbage;
use super::report::Progress;
use super::staging::{Known, Staged};
use crate::ports::Batch;
use crate::vault::{self, InFlight, Leaves, OpenVault, Records};

/// How often the target moves because the server no longer has what it had.
const MOVES_LIMIT: usize = 3;
/// Blobs asked for in one request.
const WANTED: usize = if WANTED_LIMIT < 1024 { WANTED_LIMIT } else { 1024 };

/// A verified chain up to the target, with the blob of every changed item.
pub(crate) struct Fetched {
    pub(crate) staged: Staged,
    pub(crate) blobs: BTreeMap<ItemId, Vec<u8>>,
    pub(crate) room: Room,
}

/// Where a pull goes on from.
#[derive(Clone, Copy)]
pub(crate) enum Base<'a> {
    /// A vault that this device has.
    Pinned(&'a OpenVault),
    /// A first sync's target, with the leaves that did not change while they were fetched.
    Begun(&'a VaultState, &'a Leaves),
}

impl<'a> Base<'a> {
    fn state(self) -> &'a VaultState {
        match self {
            Self::Pinned(vault) => vault.pin().state(),
            Self::Begun(state, _) => state,
        }
    }

    fn leaves(self) -> &'a Leaves {
        match self {
            Self::Pinned(vault) => &vault.leaves,
            Self::Begun(_, leaves) => leaves,
        }
    }

    /// From where on every commit is here.
    fn since(self) -> Seq {
        match self {
            Self::Pinned(vault) => vault.pin().history().since(),
            Self::Begun(state, _) => state.head().seq,
        }
    }

    fn in_flight(self) -> Option<&'a InFlight> {
        match self {
            Self::Pinned(vault) => vault.in_flight(),
            Self::Begun(..) => None,
        }
    }

    fn staged(self) -> Staged {
        let known = match self {
            Self::Pinned(_) => Known::Whole,
            Self::Begun(..) => Known::Gaps,
        };
        Staged::new(self.state().clone(), known)
    }
}

/// One pull of one vault.
pub(crate) struct Fetch<'a> {
    wire: Wire<'a>,
    vault_id: VaultId,
    base: Base<'a>,
    staged: Staged,
    store: BTreeMap<Hash, Vec<u8>>,
    brought: Option<CommitPage>,
}

impl<'a> Fetch<'a> {
    /// Begins at the base, or goes on with what an earlier pull from there has put aside.
    ///
    /// # Errors
    /// [`SyncError`] when the local store fails.
    pub(crate) async fn start(wire: Wire<'a>, base: Base<'a>) -> Result<Self, SyncError> {
        let vault_id = base.state().vault_id();
        let (entries, store) = vault::staged(&*wire.ports.store, &vault_id).await?;
        let mut fetch = Self { wire, vault_id, base, staged: base.staged(), store, brought: None };
        for entry in entries {
            if fetch.staged.push(entry, base.leaves(), wire.unlocked.state()).is_err() {
                fetch.forget_staged().await?;
                break;
            }
        }
        Ok(fetch)
    }

    /// For a chain that was verified as a whole: its blobs are still to come.
    pub(crate) fn healed(wire: Wire<'a>, base: Base<'a>, staged: Staged) -> Self {
        let vault_id = base.state().vault_id();
        Self { wire, vault_id, base, staged, store: BTreeMap::new(), brought: None }
    }

    /// Fetches the blobs alone.
    ///
    /// # Errors
    /// [`SyncError`]; where the server no longer has one, the chain has moved on, and the next sync sees it.
    pub(crate) async fn blobs_only(mut self, room: Room) -> Result<Fetched, SyncError> {
        match self.blobs().await? {
            Blobs::Whole => Ok(self.finish(room)),
            Blobs::Lacking(item_id) => Err(self.withheld(Missing::Item(item_id))),
        }
    }

    /// Takes what a refused commit's answer brought along as the first answer, unless an earlier pull has come further.
    pub(crate) fn with(mut self, brought: Option<Overtaken>) -> Self {
        if let Some(Overtaken { page, blobs }) = brought
            && self.staged.entries().is_empty()
        {
            self.store.extend(blobs.into_iter().map(|stored| (blob_hash(&stored.blob), stored.blob.0)));
            self.brought = Some(page);
        }
        self
    }

    /// Commits up to the head that the first answer names, then their blobs.
    ///
    /// # Errors
    /// [`SyncError`]; nothing but what was put aside has changed.
    pub(crate) async fn run(mut self) -> Result<Fetched, SyncError> {
        let mut room = match self.commits().await {
            Err(SyncError::Diverged { .. }) if !self.staged.entries().is_empty() => {
                self.forget_staged().await?;
                self.commits().await?
            }
            other => other?,
        };
        for _ in 0..MOVES_LIMIT {
            match self.blobs().await? {
                Blobs::Whole => return Ok(self.finish(room)),
                Blobs::Lacking(_) => room = self.commits().await?,
            }
        }
        match self.blobs().await? {
            Blobs::Whole => Ok(self.finish(room)),
            Blobs::Lacking(item_id) => Err(self.withheld(Missing::Item(item_id))),
        }
    }

    fn finish(mut self, room: Room) -> Fetched {
        let changed = self.staged.changed().iter();
        let found =
            changed.filter_map(|(id, change)| Some((*id, self.store.get(&change.leaf.blob_hash)?.clone())));
        let blobs = found.collect();
        self.store.clear();
        Fetched { staged: self.staged, blobs, room }
    }

    /// Pulls and verifies commits until the target is reached.
    async fn commits(&mut self) -> Result<Room, SyncError> {
        let mut target: Option<LogHead> = None;
        loop {
            let page = match self.brought.take() {
                Some(page) => page,
                None => self.ask_commits().await?,
            };
            let target = *target.get_or_insert(page.head);
            self.check_head(&page.head).await?;
            let before = self.staged.entries().len();
            self.take_page(&page, &target).await?;
            if self.staged.head().seq >= target.seq {
                return self.arrived(&target, page.room);
            }
            if self.staged.entries().len() == before {
                return Err(self.withheld(Missing::Commits(target.seq)));
            }
        }
    }

    async fn ask_commits(&self) -> Result<CommitPage, SyncError> {
        let query = CommitsQuery { after: Some(self.staged.head().seq), limit: None };
        Ok(self.wire.repeat(|| self.wire.api.commits(self.wire.session, &self.vault_id, &query)).await?)
    }

    /// The server's head against what is verified.
    async fn check_head(&self, served: &LogHead) -> Result<(), SyncError> {
        let vault_id = self.vault_id;
        let pinned = self.staged.head();
        match standing(&pinned, served) {
            Standing::Diverged => Err(SyncError::Diverged { vault_id, at: served.seq }),
            Standing::Behind if !self.staged.entries().is_empty() => {
                Err(SyncError::Diverged { vault_id, at: served.seq })
            }
            Standing::Behind => {
                let own = vault::read_commit(&*self.wire.ports.store, &vault_id, served.seq).await?;
                let is_own = match own {
                    Some(own) => own.commit.hash() == served.hash,
                    // Before a heal there are positions without a commit; before a first sync, commits that are not
                    // here.
                    None => self.base.since() > served.seq,
                };
                match is_own {
                    true => Err(SyncError::Behind { vault_id, pinned, served: *served }),
                    false => Err(SyncError::Diverged { vault_id, at: served.seq }),
                }
            }
            Standing::Same | Standing::Ahead => Ok(()),
        }
    }

    async fn take_page(&mut self, page: &CommitPage, target: &LogHead) -> Result<(), SyncError> {
        let records = Records::new(self.wire.unlocked, self.vault_id);
        let mut batch = Batch::new();
        for stored in &page.commits {
            let entry =
                Entry::from_wire(&stored.commit, &stored.body).map_err(|source| self.refused(source))?;
            if entry.commit.value().seq > target.seq {
                break;
            }
            if page.more {
                records.stage_commit(&mut batch, &entry);
            }
            let pushed = self.staged.push(entry, self.base.leaves(), self.wire.unlocked.state());
            pushed.map_err(|source| self.refused(source))?;
        }
        if !batch.is_empty() {
            self.wire.ports.store.write(batch).await?;
        }
        let done = self.staged.entries().len() as u64;
        let total = target.seq.0.saturating_sub(self.base.state().head().seq.0);
        self.wire.progress.progress(Progress::Commits { vault_id: self.vault_id, done, total });
        Ok(())
    }

    fn arrived(&self, target: &LogHead, room: Room) -> Result<Room, SyncError> {
        if self.staged.head() != *target && self.staged.commit_at(target.seq) != Some(*target) {
            return Err(SyncError::Diverged { vault_id: self.vault_id, at: target.seq });
        }
        match self.staged.open_cut_off() {
            Some(cut_off) => Err(self.withheld(Missing::CutOff(cut_off))),
            None => Ok(room),
        }
    }

    /// Fetches the blobs that are neither put aside nor in the commit in flight.
    async fn blobs(&mut self) -> Result<Blobs, SyncError> {
        let own = self.base.in_flight().into_iter().flat_map(|own| own.blobs().values());
        for blob in own {
            self.store.insert(blob_hash(blob), blob.clone());
        }
        let total = self.staged.changed().len() as u64;
        loop {
            let wanted = self.wanted();
            self.wire.progress.progress(Progress::Items {
                vault_id: self.vault_id,
                done: total.saturating_sub(wanted.len() as u64),
                total,
            });
            if wanted.is_empty() {
                return Ok(Blobs::Whole);
            }
            let asked: BTreeSet<ItemVersion> = wanted.iter().take(WANTED).copied().collect();
            let body = BlobsRequest { want: asked.iter().copied().collect() };
            let page =
                self.wire.repeat(|| self.wire.api.blobs(self.wire.session, &self.vault_id, &body)).await?;
            let blobs = match read_page(page, asked, self.staged.changed()) {
                Ok(Answer::Blobs(blobs)) => blobs,
                Ok(Answer::Lacking(item_id)) => return Ok(Blobs::Lacking(item_id)),
                Err(BadPage::Blob(item_id)) => {
                    return Err(SyncError::Blob { vault_id: self.vault_id, item_id });
                }
                Err(BadPage::NotAsked) => {
                    return Err(garbage());
                }
            };
            let rest = if wanted.len() == blobs.len() { Rest::None } else { Rest::ToCome };
            self.take_blobs(blobs, rest).await?;
        }
    }

    /// Keeps blobs; puts them aside while more are to come.
    async fn take_blobs(&mut self, blobs: Vec<(Hash, Vec<u8>)>, rest: Rest) -> Result<(), SyncError> {
        let records = Records::new(self.wire.unlocked, self.vault_id);
        let mut batch = Batch::new();
        for (hash, blob) in blobs {
            if rest == Rest::ToCome {
                records.stage_blob(&mut batch, &hash, &blob);
            }
            self.store.insert(hash, blob);
        }
        if !batch.is_empty() {
            self.wire.ports.store.write(batch).await?;
        }
        Ok(())
    }

    fn wanted(&self) -> Vec<ItemVersion> {
        let changed = self.staged.changed().iter();
        let lacking = changed.filter(|(_, change)| !self.store.contains_key(&change.leaf.blob_hash));
        lacking
            .map(|(item_id, change)| ItemVersion { item_id: *item_id, version: change.leaf.version })
            .collect()
    }

    async fn forget_staged(&mut self) -> Result<(), SyncError> {
        self.staged = self.base.staged();
        let mut batch = Batch::new();
        Records::new(self.wire.unlocked, self.vault_id).clear_pull(&mut batch);
        Ok(self.wire.ports.store.write(batch).await?)
    }

    /// A commit that does not follow is a divergence; everything else is a broken rule.
    fn refused(&self, source: CommitError) -> SyncError {
        match source {
            CommitError::Chain { expected, found } if expected == found => {
                SyncError::Diverged { vault_id: self.vault_id, at: found }
            }
            source => SyncError::Commit { vault_id: self.vault_id, source },
        }
    }

    fn withheld(&self, what: Missing) -> SyncError {
        SyncError::Withheld { vault_id: self.vault_id, what }
    }
}

enum Blobs {
    Whole,
    Lacking(ItemId),
}

/// Whether blobs are still lacking after a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    ToCome,
}

//! The first sync of a vault: the items as they are, then what happened meanwhile.
//!
//! Its target is the head at the beginning. The control commits and that head say who may write and what the items must
//! add up to; the items come in the order of their last change, so that a change only moves one to the end; the commits
//! since name the leaves at the target that were lacking by then. When all of them add up to the target's digest, and
//! every later commit is verified over them, one local write makes the vault this device's. What each page brings is
//! durable at once, so that a sync that is cut off goes on where it was; and nothing of it is held in memory but
//! leaves, and up to 16 MiB of versions that cannot be opened.
//!
//! The commits before the target are verified by [`super::history`].

use std::collections::BTreeMap;

use lockstep_proto::api::items::{ItemPage, ItemsQuery};
use lockstep_proto::api::vaults::{ControlQuery, Room};
use lockstep_proto::digest::{Leaf, digest_of};
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::{CommitBody, CommitError, Entry, LogHead, Sides, lineage};

use super::Wire;
use super::apply::{Ground, LiveCount, Step, step};
use super::beginning::Beginning;
use super::branch::{head_of, served_sides, signed};
use super::error::{Missing, SyncError};
use super::fetch::{Base, Fetch, Fetched};
use super::freshness::check_cut_offs;
use super::headers::QUARANTINE_BYTES;
use super::inspect::{Incoming, inspect_alone};
use super::item_page::read_item_page;
use super::news::{news, tell_all};
use super::pull::{End, finish, garbage, raised, refused};
use super::report::{Progress, SyncReport};
use super::staging::Staged;
use crate::account::{Claims, RecordError};
use crate::ports::Batch;
use crate::vault::{
    self, Begun, Cursor, History, Leaves, Mark, Notice, OpenVault, Outbox, Pin, Records, StoredLeaf, Untold,
    VaultKeys,
};

/// Fetches a vault that is new on this device, or goes on with fetching it, and notes the heads of other vaults that
/// its commits name.
///
/// # Errors
/// [`SyncError`]; nothing of the vault is shown, and what was fetched so far is put aside.
pub(crate) async fn first_pull(
    wire: Wire<'_>,
    vault_id: VaultId,
    claims: &mut Claims,
    report: &mut SyncReport,
) -> Result<OpenVault, SyncError> {
    if let Some(first) = First::resume(wire, vault_id).await? {
        match first.run(claims, report).await {
            Err(error) if is_outdated(&error) => {}
            other => return other,
        }
    }
    First::begin(wire, vault_id).await?.run(claims, report).await
}

/// Whether what was put aside may be at fault, and beginning anew help: a hostile server may have put anything there
/// that is found out only later, and an honest one may have been restored since.
fn is_outdated(error: &SyncError) -> bool {
    match error {
        SyncError::Api(_) | SyncError::Account(_) | SyncError::Store(_) => false,
        SyncError::Commit { source: CommitError::Withheld { .. }, .. } => false,
        SyncError::Withheld { what, .. } => matches!(what, Missing::Item(_)),
        _ => true,
    }
}

/// A first sync under way.
struct First<'a> {
    wire: Wire<'a>,
    vault_id: VaultId,
    beginning: Beginning,
    keys: VaultKeys,
    cursor: Cursor,
    leaves: Leaves,
    marks: BTreeMap<ItemId, Mark>,
    /// What to tell of the items fetched so far, durable with their pages.
    untold: Untold,
}

impl<'a> First<'a> {
    /// What an earlier sync has put aside; `None` where there is none, or where it cannot be used.
    async fn resume(wire: Wire<'a>, vault_id: VaultId) -> Result<Option<Self>, SyncError> {
        let found = match vault::begun(&*wire.ports.store, wire.unlocked, &vault_id).await {
            Ok(found) => found,
            Err(RecordError::Store(error)) => return Err(error.into()),
            Err(_) => None,
        };
        let Some(Begun { entries, cursor, leaves, marks, untold }) = found else { return Ok(None) };
        match Beginning::verify(vault_id, entries, wire.unlocked.state()) {
            Ok(beginning) => match Self::new(wire, vault_id, beginning).await {
                Ok(first) => Ok(Some(Self { cursor, leaves, marks, untold, ..first })),
                Err(error @ SyncError::Store(_)) => Err(error),
                Err(_) => Ok(None),
            },
            Err(source @ CommitError::Withheld { .. }) => Err(SyncError::Commit { vault_id, source }),
            Err(_) => Ok(None),
        }
    }

    /// Asks for control commits and head, verifies them, opens the key, and puts them aside.
    async fn begin(wire: Wire<'a>, vault_id: VaultId) -> Result<Self, SyncError> {
        let first = Self::new(wire, vault_id, control(wire, vault_id).await?).await?;
        let records = Records::new(wire.unlocked, vault_id);
        let mut batch = Batch::new();
        records.put_beginning(&mut batch, first.beginning.entries().iter());
        records.put_cursor(&mut batch, &first.cursor);
        wire.ports.store.write(batch).await?;
        Ok(first)
    }

    /// Nothing is fetched yet.
    async fn new(wire: Wire<'a>, vault_id: VaultId, beginning: Beginning) -> Result<Self, SyncError> {
        let entries: Vec<&Entry> = beginning.entries().iter().collect();
        let known = VaultKeys::default();
        let keys = vault::vault_keys(wire.ports, wire.unlocked, known, beginning.state(), &entries).await?;
        if keys.key(beginning.state().epoch()).is_none() && !keys.are_lost() {
            return Err(SyncError::KeyMissing { vault_id });
        }
        let (cursor, leaves, marks) = (Cursor::default(), Leaves::default(), BTreeMap::new());
        Ok(Self { wire, vault_id, beginning, keys, cursor, leaves, marks, untold: Untold::default() })
    }

    async fn run(mut self, claims: &mut Claims, report: &mut SyncReport) -> Result<OpenVault, SyncError> {
        while !self.cursor.done {
            self.page().await?;
        }
        let base = Base::Begun(self.beginning.state(), &self.leaves);
        let Fetched { staged, blobs, room } = Fetch::start(self.wire, base).await?.run().await?;
        self.check_whole(&staged)?;
        let vault_id = self.vault_id;
        self.keys = raised(self.wire, &self.keys, &staged).await?;
        let since = self.beginning.target().seq;
        check_cut_offs(&*self.wire.ports.store, &staged, since, self.wire.unlocked.state()).await?;
        let outbox = Outbox::new();
        let ground = Ground {
            vault_id,
            leaves: &self.leaves,
            live: LiveCount::of(&self.leaves),
            outbox: &outbox,
            in_flight: None,
            keys: &self.keys,
        };
        let mut step = step(ground, self.wire.unlocked.device_id(), &staged, blobs)
            .map_err(|error| refused(vault_id, error))?;
        tell_all(&mut step);
        let unopened = self.marks.keys().filter(|item_id| !staged.changed().contains_key(item_id));
        step.notices.extend(unopened.map(|item_id| (*item_id, Notice::Quarantined)));
        self.install(&staged, room, step, claims, report).await
    }

    /// Fetches and puts aside one page of items.
    async fn page(&mut self) -> Result<(), SyncError> {
        let (wire, target) = (self.wire, self.beginning.target().seq);
        let (after_seq, after_item) = self.cursor.after.unzip();
        let query = ItemsQuery { after_seq, after_item, upto: Some(target) };
        let page = wire.repeat(|| wire.api.items(wire.session, &self.vault_id, &query)).await?;
        let total = self.total();
        let left = total.saturating_sub(self.leaves.len() as u64);
        let cursor = read_item_page(&page, &self.cursor, target, &self.leaves, left)
            .map_err(|_| SyncError::Items { vault_id: self.vault_id })?;
        self.keep(page, cursor).await?;
        let done = self.leaves.len() as u64;
        wire.progress.progress(Progress::Items { vault_id: self.vault_id, done, total });
        Ok(())
    }

    fn total(&self) -> u64 {
        let state = self.beginning.state();
        state.live().saturating_add(state.tombstones())
    }

    async fn keep(&mut self, page: ItemPage, cursor: Cursor) -> Result<(), SyncError> {
        let records = Records::new(self.wire.unlocked, self.vault_id);
        let mut batch = Batch::new();
        if lockstep_proto::seeded!("cursor-before-items") {
            records.put_cursor(&mut batch, &cursor);
            self.wire.ports.store.write(std::mem::take(&mut batch)).await?;
        }
        let (mut leaves, mut told) = (Vec::new(), Vec::new());
        let mut held: usize = self.marks.values().map(|mark| mark.blob.len()).sum();
        for item in page.items {
            let leaf = Leaf { version: item.version, blob_hash: item.blob_hash };
            let (state, incoming, author) =
                inspect_alone(&self.keys, &self.vault_id, &item.item_id, item.version, &item.blob);
            let stored = StoredLeaf { leaf, state };
            records.put_leaf(&mut batch, &item.item_id, &stored)?;
            leaves.push((item.item_id, stored));
            match &incoming {
                Incoming::Quarantined(reason) => {
                    let fits = held + item.blob.len() <= QUARANTINE_BYTES;
                    let blob = if fits { item.blob.0 } else { Vec::new() };
                    let mark = Mark::new(leaf, author, *reason, blob);
                    held += mark.blob.len();
                    records.put_mark(&mut batch, &item.item_id, &mark);
                    self.marks.insert(item.item_id, mark);
                }
                Incoming::Live(_) | Incoming::Tombstone(_) => {
                    records.put_blob(&mut batch, &item.item_id, &item.blob);
                }
            }
            if let Incoming::Live(document) = &incoming {
                told.extend(news(None, document).into_iter().map(|notice| (item.item_id, notice)));
            }
        }
        records.put_cursor(&mut batch, &cursor);
        let untold = self.untold.with(&told);
        records.put_untold(&mut batch, &untold)?;
        self.wire.ports.store.write(batch).await?;
        self.leaves.extend(leaves);
        self.untold.extend(untold);
        self.cursor = cursor;
        Ok(())
    }

    /// The leaves at the target, those that changed since taken from the changes that replace them, add up.
    fn check_whole(&self, staged: &Staged) -> Result<(), SyncError> {
        let (vault_id, target) = (self.vault_id, staged.base());
        let count = self.leaves.len() as u64 + staged.gaps().len() as u64;
        if Some(count) != target.live().checked_add(target.tombstones()) {
            return Err(SyncError::Counts { vault_id });
        }
        let fetched = self.leaves.iter().map(|(item_id, stored)| (item_id, &stored.leaf));
        let digest = digest_of(&vault_id, fetched.chain(staged.gaps()));
        if digest != target.digest() && !lockstep_proto::seeded!("first-digest-unchecked") {
            return Err(SyncError::Commit { vault_id, source: CommitError::Digest });
        }
        Ok(())
    }

    async fn install(
        self,
        staged: &Staged,
        room: Room,
        step: Step,
        claims: &mut Claims,
        report: &mut SyncReport,
    ) -> Result<OpenVault, SyncError> {
        let Self { wire, vault_id, beginning, keys, leaves, marks, untold, .. } = self;
        let target = beginning.target();
        let entries: Vec<&Entry> = beginning.on_chain().chain(staged.entries()).collect();
        let author = entries.last().map(|entry| entry.commit.value().author_device);
        let author = author.unwrap_or(wire.unlocked.device_id());
        let history = if target.seq.0 == 0 { History::Checked } else { History::Since(target) };
        let pin = Pin::new(staged.state().clone(), author, wire.ports.clock.now_ms()).with_history(history);
        let mut vault = OpenVault::empty(pin.clone(), VaultKeys::default());
        report.pulled += leaves.iter().filter(|(item_id, _)| !staged.changed().contains_key(item_id)).count();
        report.new_vaults.push(vault_id);
        vault.leaves = leaves;
        vault.quarantine = marks;
        vault.untold = untold;
        let end = End { pin, keys, room, entries: &entries, step, rewound: None };
        finish(wire, &mut vault, end, claims, report).await?;
        Ok(vault)
    }
}

/// The control commits up to the head that the first answer names, and the commit there.
async fn control(wire: Wire<'_>, vault_id: VaultId) -> Result<Beginning, SyncError> {
    let refused = |source| SyncError::Commit { vault_id, source };
    let accounts = wire.unlocked.state();
    let mut begun: Option<(LogHead, Entry)> = None;
    let mut named: Vec<Entry> = Vec::new();
    loop {
        let after = named.last().map(|entry| entry.commit.value().seq);
        let query = ControlQuery { after };
        let page = wire.repeat(|| wire.api.control(wire.session, &vault_id, &query)).await?;
        if begun.is_none() {
            let last = Entry::from_wire(&page.last.commit, &page.last.body).map_err(refused)?;
            if head_of(&last) != page.head {
                return Err(garbage());
            }
            begun = Some((page.head, last));
        }
        let head = begun.as_ref().map(|(head, _)| *head).unwrap_or_default();
        let mut is_end = !page.more;
        for stored in &page.control {
            let entry = signed(wire, &vault_id, stored)?;
            let seq = entry.commit.value().seq;
            if seq > head.seq {
                is_end = true;
                break;
            }
            if named.last().is_some_and(|before| seq <= before.commit.value().seq) {
                return Err(garbage());
            }
            named.push(entry);
        }
        if is_end || named.last().map(|entry| entry.commit.value().seq) == after {
            break;
        }
    }
    let (head, last) = begun.ok_or_else(garbage)?;
    let mut named = with_sides(wire, &vault_id, named, &last).await?;
    if named.last().is_none_or(|entry| entry.commit.value().seq < head.seq) {
        named.push(last);
    }
    let beginning = Beginning::verify(vault_id, named, accounts).map_err(refused)?;
    match beginning.target() == head {
        true => Ok(beginning),
        false => Err(SyncError::Diverged { vault_id, at: head.seq }),
    }
}

/// Where the chain has heals, the control commits of their sides come in between.
async fn with_sides(
    wire: Wire<'_>,
    vault_id: &VaultId,
    named: Vec<Entry>,
    last: &Entry,
) -> Result<Vec<Entry>, SyncError> {
    if !named.iter().any(|entry| matches!(entry.body, CommitBody::Heal(_))) {
        return Ok(named);
    }
    let sides = Sides::new(served_sides(wire, vault_id).await?);
    let newest = match last.body {
        CommitBody::Content(_) => last.commit.value().control_hash,
        _ => last.commit.hash(),
    };
    match lineage(&named, &sides, newest) {
        Ok(line) => Ok(line.into_iter().cloned().collect()),
        Err(_) => {
            Err(SyncError::Withheld { vault_id: *vault_id, what: Missing::Commits(last.commit.value().seq) })
        }
    }
}

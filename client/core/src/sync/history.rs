//! The commits before a first sync's target: verified from the genesis, once, before this device writes.
//!
//! A first sync takes digest and counts at its target, and the heads that earlier commits name, on the word of that
//! commit's author. This check fetches the chain from its genesis, verifies every commit, and comes to the very commit
//! that is pinned; then the pin says so. What was fetched is put aside as it comes, so that a check that is cut off
//! asks for the rest only, and joins the vault's commits (healing needs them) once it is known to lead to the target: a
//! commit that was signed but never accepted verifies too, up to there. It holds one page and the leaves in memory.

use std::collections::BTreeSet;

use lockstep_proto::api::vaults::CommitsQuery;
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{CommitBody, CommitError, Entry, LeafMap, LogHead, VaultState};

use super::Wire;
use super::error::{Missing, SyncError};
use super::freshness::check_cut_offs;
use super::headers::Headers;
use super::healed_history::check_healed;
use super::join::may_be_healed;
use super::pull::garbage;
use super::report::Progress;
use super::staging::{Known, Staged};
use crate::account::{Claims, Said, said};
use crate::ports::Batch;
use crate::vault::{self, History, Notice, OpenVault, Records};

/// Verifies the vault's chain from its genesis to its pin, unless that was done, and notes the heads of other vaults
/// that its commits name.
///
/// # Errors
/// [`SyncError`]; the pin is as it was.
pub(crate) async fn check_history(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    let History::Since(target) = vault.pin.history() else { return Ok(()) };
    let vault_id = vault.vault_id();
    let store = &*wire.ports.store;
    let resumed = vault::has_history(store, &vault_id).await?;
    let mut chain = Chain::new(wire, vault, target);
    let mut walked = chain.walk_or_forget().await;
    if resumed && walked.as_ref().is_err_and(is_refusal) {
        chain = Chain::new(wire, vault, target);
        walked = chain.walk_or_forget().await;
    }
    if let Err(error) = walked {
        return match may_be_healed(&error) {
            true => check_healed(wire, vault, target, claims).await.map_err(|healed| match healed {
                // What does not explain the failure does not hide it.
                SyncError::Commit { .. } | SyncError::Diverged { .. } | SyncError::Withheld { .. } => error,
                healed => healed,
            }),
            false => Err(error),
        };
    }
    let Chain { state: Some(state), leaves, headers, said, .. } = chain else { return Err(garbage()) };
    let marks = headers.into_marks();
    let same = leaves.len() == vault.leaves.len()
        && vault.leaves.iter().all(|(item_id, stored)| leaves.leaf(item_id) == Some(&stored.leaf));
    if !same {
        return Err(SyncError::Commit { vault_id, source: CommitError::Digest });
    }
    let whole = Staged::new(state.clone(), Known::Whole);
    vault::keep_history(wire.ports, wire.unlocked, &vault_id).await?;
    check_cut_offs(store, &whole, Seq(0), wire.unlocked.state()).await?;
    let pin = vault.pin.advance(state, vault.pin.head_author()).with_history(History::Checked);
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    records.put_pin(&mut batch, &pin)?;
    for (item_id, mark) in &marks {
        records.put_mark(&mut batch, item_id, mark);
        records.delete_blob(&mut batch, item_id);
    }
    let notices: Vec<_> = marks.keys().map(|item_id| (*item_id, Notice::Quarantined)).collect();
    let untold = vault.untold.with(&notices);
    records.put_untold(&mut batch, &untold)?;
    if !said.is_empty() {
        claims.note(said);
        claims.put(&mut batch, wire.unlocked)?;
    }
    store.write(batch).await?;
    vault.pin = pin;
    vault.quarantine.extend(marks);
    vault.untold.extend(untold);
    Ok(())
}

/// Whether the chain itself was refused: what was put aside of it may be at fault.
fn is_refusal(error: &SyncError) -> bool {
    match error {
        SyncError::Commit { source, .. } => !matches!(source, CommitError::Withheld { .. }),
        SyncError::Diverged { .. } | SyncError::Record(_) => true,
        _ => false,
    }
}

/// A chain from its genesis on, as far as it is verified.
struct Chain<'a> {
    wire: Wire<'a>,
    vault_id: VaultId,
    target: LogHead,
    pinned: LogHead,
    state: Option<VaultState>,
    leaves: LeafMap,
    headers: Headers<'a>,
    said: BTreeSet<Said>,
}

impl<'a> Chain<'a> {
    fn new(wire: Wire<'a>, vault: &'a OpenVault, target: LogHead) -> Self {
        let (vault_id, pinned) = (vault.vault_id(), vault.pin.state().head());
        let (leaves, headers, said) = (LeafMap::default(), Headers::new(vault), BTreeSet::new());
        Self { wire, vault_id, target, pinned, state: None, leaves, headers, said }
    }

    /// What was put aside of a chain that is refused goes.
    async fn walk_or_forget(&mut self) -> Result<(), SyncError> {
        let walked = self.walk().await;
        if walked.as_ref().is_err_and(is_refusal) {
            let mut batch = Batch::new();
            Records::new(self.wire.unlocked, self.vault_id).clear_history(&mut batch);
            self.wire.ports.store.write(batch).await?;
        }
        walked
    }

    /// From the genesis to the pin.
    async fn walk(&mut self) -> Result<(), SyncError> {
        self.kept().await?;
        while self.next_seq() <= self.target.seq {
            self.page().await?;
        }
        // From the target on every commit is here.
        self.kept().await?;
        match &self.state {
            Some(state) if state.head() == self.pinned => Ok(()),
            _ => Err(SyncError::Diverged { vault_id: self.vault_id, at: self.pinned.seq }),
        }
    }

    fn next_seq(&self) -> Seq {
        self.state.as_ref().map_or(Seq(0), |state| state.head().seq.next())
    }

    /// Verifies the commits that are on this device, up to the first that is not.
    async fn kept(&mut self) -> Result<(), SyncError> {
        while self.next_seq() <= self.pinned.seq {
            let seq = self.next_seq();
            let store = &*self.wire.ports.store;
            let Some(entry) = vault::read_history(store, &self.vault_id, seq).await? else { return Ok(()) };
            self.push(&entry)?;
            self.headers.read(store).await?;
        }
        Ok(())
    }

    /// Fetches, verifies and puts aside one page of those that are not.
    async fn page(&mut self) -> Result<(), SyncError> {
        let (wire, vault_id) = (self.wire, self.vault_id);
        let query = CommitsQuery { after: self.state.as_ref().map(|state| state.head().seq), limit: None };
        let page = wire.repeat(|| wire.api.commits(wire.session, &vault_id, &query)).await?;
        let records = Records::new(wire.unlocked, vault_id);
        let mut batch = Batch::new();
        for stored in &page.commits {
            let entry = Entry::from_wire(&stored.commit, &stored.body)
                .map_err(|source| SyncError::Commit { vault_id, source })?;
            if entry.commit.value().seq > self.target.seq {
                break;
            }
            self.push(&entry)?;
            records.put_history(&mut batch, &entry);
        }
        if batch.is_empty() {
            return Err(SyncError::Withheld { vault_id, what: Missing::Commits(self.target.seq) });
        }
        wire.ports.store.write(batch).await?;
        self.headers.read(&*wire.ports.store).await?;
        let (done, total) = (self.next_seq().0, self.pinned.seq.0.saturating_add(1));
        wire.progress.progress(Progress::History { vault_id, done, total });
        Ok(())
    }

    fn push(&mut self, entry: &Entry) -> Result<(), SyncError> {
        let vault_id = self.vault_id;
        let accounts = self.wire.unlocked.state();
        let next = match &self.state {
            Some(state) => state.apply(entry, accounts),
            None => VaultState::from_genesis(entry, accounts),
        };
        let next = next.map_err(|source| SyncError::Commit { vault_id, source })?;
        if next.vault_id() != vault_id {
            return Err(SyncError::Commit { vault_id, source: CommitError::Vault });
        }
        if next.head().seq == self.target.seq && next.head() != self.target {
            return Err(SyncError::Diverged { vault_id, at: self.target.seq });
        }
        if let CommitBody::Content(body) = &entry.body {
            let checked = self.leaves.check(&body.changes);
            checked.map_err(|source| SyncError::Commit { vault_id, source })?;
            self.leaves.apply(&body.changes);
            // What changed since the target came by a pull, which has compared it.
            if entry.commit.value().seq <= self.target.seq {
                self.headers.note(entry.commit.value(), &body.changes);
            }
        }
        self.said.extend(said(entry.commit.value(), self.wire.unlocked.account_id()));
        self.state = Some(next);
        Ok(())
    }
}

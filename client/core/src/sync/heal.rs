//! Catch-up of a vault (R-HEAL): a server whose log ends below this device's pin, on the same chain, was restored from
//! a backup. It gets back the commits that it lost, byte for byte, and the blobs of the items as they are at the pin;
//! its head moves at once when all of them are there. Whatever stops it, the next device that connects goes on.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use lockstep_proto::api::heal::{FinishHeal, HealBlobs, HealCommits, HealProgress, WantedBlob};
use lockstep_proto::api::vaults::StoredCommit;
use lockstep_proto::api::{ErrorCode, HEAL_COMMITS_LIMIT, PAGE_LIMIT};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{CommitBody, Entry, LogHead};

use super::driver::Engine;
use super::error::SyncError;
use super::join::stage_sides;
use super::report::SyncReport;
use super::wire::Patience;
use crate::account::{self, AccountError, SecurityEvent};
use crate::ports::Batch;
use crate::vault::{self, OpenVault};

/// Bytes of one request, at most: well below what any server takes.
const REQUEST_BYTES: usize = PAGE_LIMIT;
/// Commits of one request, at most.
const COMMITS: usize = 256;

impl Engine<'_> {
    /// After a failed pull of the account's log: gives the server back what it lost, if that is the reason. `false`
    /// where it is not.
    pub(super) async fn heal_account(
        &mut self,
        error: &AccountError,
        report: &mut SyncReport,
    ) -> Result<bool, AccountError> {
        let after = match error {
            AccountError::Behind { server, .. } => Some(*server),
            // A server from before this device joined, or from before the account.
            AccountError::Api(error) if error.code() == Some(ErrorCode::ChallengeFailed) => None,
            _ => return Ok(false),
        };
        let mut patience = Patience::new();
        loop {
            match account::give_back_log(self.ports, self.api, self.unlocked, after).await {
                Ok(()) => break,
                Err(AccountError::Api(error)) if error.code() == Some(ErrorCode::HeadMoved) => {
                    return Ok(false);
                }
                Err(AccountError::Api(error)) => patience.wait(self.ports, error).await?,
                Err(error) => return Err(error),
            }
        }
        self.note_caught_up(VaultId::ZERO).await?;
        report.healed += 1;
        Ok(true)
    }

    /// After a failed pull of a vault: the same. `false` where the server has not lost anything that this device has.
    ///
    /// # Errors
    /// [`SyncError::Commit`] where what this device has is not valid any more, so that the server cannot get it back.
    pub(super) async fn heal_vault(
        &mut self,
        vault_id: VaultId,
        error: &SyncError,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let is_lost = match error {
            SyncError::Behind { .. } => true,
            SyncError::Api(error) => error.code() == Some(ErrorCode::NoVault),
            _ => false,
        };
        if !is_lost || !self.vaults.contains_key(&vault_id) {
            return Ok(false);
        }
        let Some(vault) = self.vaults.get(&vault_id) else { return Ok(false) };
        let pinned = vault.pin().state().head();
        match Box::pin(self.give_back(vault, pinned)).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // Another device was faster, or the server is on another branch: the next pull says which.
            Err(SyncError::Api(error)) if error.code() == Some(ErrorCode::HeadMoved) => return Ok(true),
            Err(error) if error.is_offline() => return Err(error),
            // A removal may say of what this device has that it does not count: then it is for a join.
            Err(error) => {
                self.check_own(&vault_id).await?;
                return Err(error);
            }
        }
        self.note_caught_up(vault_id).await?;
        report.healed += 1;
        Ok(true)
    }

    /// Gives back what the server lacks up to the pin. What another device has staged and cannot be finished here,
    /// since it has more than this one or is another branch, is dropped, and staged anew.
    async fn give_back(&self, vault: &OpenVault, pinned: LogHead) -> Result<bool, SyncError> {
        let (vault_id, wire) = (vault.vault_id(), self.wire());
        let first = self.stage(vault, pinned).await;
        let is_stuck = match &first {
            Ok(done) => !done,
            Err(SyncError::Api(error)) => error.code() == Some(ErrorCode::HeadMoved),
            Err(_) => false,
        };
        if !is_stuck {
            return first;
        }
        let progress = wire.repeat(|| wire.api.heal_progress(wire.session, &vault_id)).await?;
        if progress.staged.is_none_or(|staged| staged == pinned) {
            return first;
        }
        wire.repeat(|| wire.api.drop_heal(wire.session, &vault_id)).await?;
        self.stage(vault, pinned).await
    }

    /// Stages commits and blobs up to the pin, and makes the server's head the pinned one. `false` where this device
    /// lacks a commit or a blob that the server needs.
    async fn stage(&self, vault: &OpenVault, pinned: LogHead) -> Result<bool, SyncError> {
        let vault_id = vault.vault_id();
        let wire = self.wire();
        let own = vault::read_chain(&*self.ports.store, &vault_id).await?;
        let sides = vault::read_sides(&*self.ports.store, &vault_id).await?;
        stage_sides(wire, &vault_id, &sides.iter().collect::<Vec<_>>()).await?;
        let mut progress = wire.repeat(|| wire.api.heal_progress(wire.session, &vault_id)).await?;
        loop {
            let reached = progress.staged.or(progress.head);
            if reached.is_some_and(|reached| reached.seq >= pinned.seq) {
                break;
            }
            let next = own.partition_point(|entry| {
                Some(entry.commit.value().seq) <= reached.map(|reached| reached.seq)
            });
            let commits = next_request(own.get(next..).unwrap_or_default());
            if commits.is_empty() {
                return Ok(false);
            }
            let body = HealCommits { commits };
            progress = wire.repeat(|| wire.api.heal_commits(wire.session, &vault_id, &body)).await?;
            let now = progress.staged.or(progress.head).map(|now| now.seq);
            if now <= reached.map(|reached| reached.seq) {
                return Ok(false);
            }
        }
        // Each blob is given once: a server that asks for one again has no end.
        let mut given = BTreeSet::new();
        while !progress.wanted.is_empty() {
            let blobs = self.blobs_of(vault, &progress).await?;
            if blobs.is_empty() || !blobs.iter().all(|blob| given.insert(blob_hash(blob))) {
                return Ok(false);
            }
            let body = HealBlobs { blobs };
            progress = wire.repeat(|| wire.api.heal_blobs(wire.session, &vault_id, &body)).await?;
        }
        let body = FinishHeal { head: pinned };
        let finished = wire.repeat(|| wire.api.finish_heal(wire.session, &vault_id, &body)).await?;
        Ok(finished.head == pinned)
    }

    /// Wanted blobs that this device has, as many as one request takes.
    async fn blobs_of(&self, vault: &OpenVault, progress: &HealProgress) -> Result<Vec<Bytes>, SyncError> {
        let (mut blobs, mut bytes) = (Vec::new(), 0);
        for WantedBlob { item_id, blob_hash: wanted, .. } in &progress.wanted {
            if bytes >= REQUEST_BYTES {
                break;
            }
            let kept = vault::read_blob(&*self.ports.store, vault, item_id).await?;
            if let Some(blob) = kept.filter(|blob| blob_hash(blob) == *wanted) {
                bytes += blob.len();
                blobs.push(Bytes(blob));
            }
        }
        Ok(blobs)
    }

    /// Notes that the server had lost something; twice within a day is an event of its own.
    async fn note_caught_up(&self, vault_id: VaultId) -> Result<(), AccountError> {
        let now_ms = self.ports.clock.now_ms();
        let mut batch = Batch::new();
        let events = account::security_events(&*self.ports.store, self.unlocked).await?;
        let recent = events.iter().any(|record| {
            record.event == SecurityEvent::ServerCaughtUp { vault_id }
                && now_ms.saturating_sub(record.at_ms) < 24 * 60 * 60 * 1_000
        });
        if recent {
            let event = SecurityEvent::ServerKeepsLosing { vault_id };
            account::note_event(self.unlocked, event, now_ms, &mut batch)?;
        }
        account::note_event(self.unlocked, SecurityEvent::ServerCaughtUp { vault_id }, now_ms, &mut batch)?;
        Ok(self.ports.store.write(batch).await?)
    }
}

/// The commits of the next request of a catch-up. Where a heal makes some of them valid it goes with them, as far as a
/// request may be long.
pub(super) fn next_request(entries: &[Entry]) -> Vec<StoredCommit> {
    let mut count = fitting(entries);
    for (index, entry) in entries.iter().enumerate().take(HEAL_COMMITS_LIMIT).skip(count) {
        let last = entries.get(count.saturating_sub(1)).map(|entry| entry.commit.value().seq);
        if let CommitBody::Heal(heal) = &entry.body
            && Some(heal.fork.seq) < last
        {
            count = index + 1;
        }
    }
    entries.iter().take(count).map(stored).collect()
}

/// How many commits one request takes.
fn fitting<E: Borrow<Entry>>(entries: &[E]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().map(Borrow::borrow).take(COMMITS).take_while(|entry: &&Entry| {
        let before = bytes;
        bytes += entry.commit.to_wire().len() + entry.body.to_bytes().len();
        before < REQUEST_BYTES
    });
    fits.count()
}

/// As many commits as one request takes.
pub(super) fn one_request<E: Borrow<Entry>>(entries: &[E]) -> Vec<StoredCommit> {
    entries.iter().take(fitting(entries)).map(|entry| stored(entry.borrow())).collect()
}

fn stored(entry: &Entry) -> StoredCommit {
    StoredCommit { commit: entry.commit.to_body(), body: Bytes(entry.body.to_bytes()) }
}

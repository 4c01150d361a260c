//! Where the server's chain leaves this device's, and what follows there.
//!
//! Asking finds the place from both ends: back from the pin in growing steps to a commit that both have, then forward to the
//! first that differs. What follows is not verified here, but every commit was signed by a device that may sign: a server
//! cannot make more of them than there are.

use lockstep_proto::api::vaults::{CommitPage, CommitsQuery, Room, StoredCommit};
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{CommitError, Entry, LogHead};

use super::Wire;
use super::driver::Engine;
use super::error::SyncError;

/// Questions that look for the place, at most.
const STEPS_LIMIT: usize = 64;

/// What the server has after the last commit that is also this device's.
pub(super) struct Branch {
    /// That commit.
    pub(super) fork: LogHead,
    /// The commits after it, in order.
    pub(super) served: Vec<Entry>,
    /// The server's head.
    pub(super) head: LogHead,
    /// What the vault still takes.
    pub(super) room: Room,
}

impl Branch {
    /// Whether these are all commits up to the server's head.
    pub(super) fn is_whole(&self) -> bool {
        self.served.last().map_or(self.fork, head_of) == self.head
    }
}

impl Engine<'_> {
    /// The server's branch after `own`, this device's chain; at most about `limit` commits of it. `None` where the server has
    /// exactly `own`, or nothing in common with it.
    pub(super) async fn branch(
        &self,
        vault_id: &VaultId,
        own: &[Entry],
        limit: usize,
    ) -> Result<Option<Branch>, SyncError> {
        let Some((mut at, mut page)) = self.common(vault_id, own).await? else { return Ok(None) };
        let (head, room) = (page.head, page.room);
        let mut served: Vec<Entry> = Vec::new();
        loop {
            for stored in &page.commits {
                let entry = read(vault_id, stored)?;
                let next = own.get(at + 1).filter(|_| served.is_empty());
                if next.is_some_and(|next| next.commit.hash() == entry.commit.hash()) {
                    at += 1;
                    continue;
                }
                let last = served.last().or_else(|| own.get(at)).map(head_of).unwrap_or_default();
                let (seq, prev) = (entry.commit.value().seq, entry.commit.value().prev_hash);
                if prev != last.hash || seq <= last.seq || seq > head.seq || served.len() >= limit {
                    break;
                }
                match entry.check_signer(*vault_id, self.unlocked.state()) {
                    Ok(()) => served.push(entry),
                    Err(_) if !served.is_empty() => break,
                    Err(source) => return Err(SyncError::Commit { vault_id: *vault_id, source }),
                }
            }
            let reached = served.last().or_else(|| own.get(at)).map(head_of).unwrap_or_default();
            let is_end = page.commits.last().is_none_or(|last| {
                read(vault_id, last).map_or(true, |last| last.commit.hash() != reached.hash)
            });
            if is_end || reached.seq >= head.seq || served.len() >= limit {
                break;
            }
            page = self.page(vault_id, reached.seq).await?;
        }
        let fork = own.get(at).map(head_of).unwrap_or_default();
        let is_same = served.is_empty() && at + 1 == own.len();
        Ok((!is_same).then_some(Branch { fork, served, head, room }))
    }

    /// The place of a commit that the server has too, and the page after it.
    async fn common(
        &self,
        vault_id: &VaultId,
        own: &[Entry],
    ) -> Result<Option<(usize, CommitPage)>, SyncError> {
        let (mut at, mut step) = (own.len().saturating_sub(1), 1);
        for _ in 0..STEPS_LIMIT {
            let Some(here) = own.get(at).map(head_of) else { return Ok(None) };
            let page = self.page(vault_id, here.seq).await?;
            let follows = match page.commits.first() {
                Some(first) => read(vault_id, first)?.commit.value().prev_hash == here.hash,
                None => page.head == here,
            };
            if follows {
                return Ok(Some((at, page)));
            }
            if at == 0 {
                return Ok(None);
            }
            at = at.saturating_sub(step);
            step *= 2;
        }
        Ok(None)
    }

    async fn page(&self, vault_id: &VaultId, after: Seq) -> Result<CommitPage, SyncError> {
        let wire = self.wire();
        let query = CommitsQuery { after: Some(after), limit: None };
        Ok(wire.repeat(|| wire.api.commits(wire.session, vault_id, &query)).await?)
    }
}

/// Reads a commit and verifies who signed it.
pub(super) fn signed(wire: Wire<'_>, vault_id: &VaultId, stored: &StoredCommit) -> Result<Entry, SyncError> {
    let entry = read(vault_id, stored)?;
    let signed = entry.check_signer(*vault_id, wire.unlocked.state());
    signed.map_err(|source| SyncError::Commit { vault_id: *vault_id, source })?;
    Ok(entry)
}

fn read(vault_id: &VaultId, stored: &StoredCommit) -> Result<Entry, SyncError> {
    let read = Entry::from_wire(&stored.commit, &stored.body);
    read.map_err(|source: CommitError| SyncError::Commit { vault_id: *vault_id, source })
}

/// Where a commit stands.
pub(super) fn head_of(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

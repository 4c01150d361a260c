//! The history of a vault whose chain has heals: verified as a whole, with the branches that they joined.
//!
//! As [`super::history`], but all commits are in memory at once, since a heal says about those before it whether they
//! count.

use std::collections::BTreeSet;

use lockstep_proto::api::vaults::CommitsQuery;
use lockstep_proto::ids::ItemId;
use lockstep_proto::log::{CommitBody, CommitError, Entry, HealBody, Line, LogHead, Sides};

use super::Wire;
use super::branch::{head_of, served_sides, signed};
use super::error::{Missing, SyncError};
use super::join::judge;
use crate::account::{Claims, Said, said};
use crate::ports::Batch;
use crate::vault::{self, History, Mark, OpenVault, QuarantineReason};

/// Commits of one local write, at most.
const WRITTEN: usize = 64;

/// Verifies the vault's chain from its genesis to its pin. Items that a removed device wrote where a heal says that
/// they do not count are put into quarantine.
///
/// # Errors
/// [`SyncError`]; the pin is as it was.
pub(super) async fn check_healed(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    target: LogHead,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    let (vault_id, pinned, store) = (vault.vault_id(), vault.pin.state().head(), &*wire.ports.store);
    let mut sides = vault::read_sides(store, &vault_id).await?;
    sides.extend(served_sides(wire, &vault_id).await?);
    let mut chain = before(wire, vault, target, &sides).await?;
    if sides.iter().next().is_none() && !chain.iter().any(|entry| matches!(entry.body, CommitBody::Heal(_))) {
        // No heal explains anything.
        return Err(SyncError::Diverged { vault_id, at: target.seq });
    }
    let kept = vault::read_chain(store, &vault_id).await?;
    chain.extend(kept.into_iter().filter(|entry| entry.commit.value().seq > target.seq));
    let line = Line::verify(&chain, &sides, wire.unlocked.state());
    let line = line.map_err(|source| match source {
        CommitError::SideMissing(_) => SyncError::Withheld { vault_id, what: Missing::Commits(pinned.seq) },
        source => SyncError::Commit { vault_id, source },
    })?;
    if line.state().head() != pinned {
        return Err(SyncError::Diverged { vault_id, at: pinned.seq });
    }
    let same = line.items().len() == vault.leaves.len()
        && line.items().iter().all(|(item_id, last)| vault.leaf(item_id) == Some(last.leaf));
    if !same {
        return Err(SyncError::Commit { vault_id, source: CommitError::Digest });
    }
    judge(&line, wire.unlocked.state())?;
    keep(wire, vault, &chain, &sides, &line).await?;
    pin(wire, vault, &chain, &line, claims).await
}

/// The commits up to a first sync's target, as the server has them: on its chain, or by now on the side of a heal.
async fn before(
    wire: Wire<'_>,
    vault: &OpenVault,
    target: LogHead,
    sides: &Sides,
) -> Result<Vec<Entry>, SyncError> {
    let vault_id = vault.vault_id();
    let mut chain: Vec<Entry> = Vec::new();
    loop {
        let after = chain.last().map(|entry| entry.commit.value().seq);
        let query = CommitsQuery { after, limit: None };
        let page = wire.repeat(|| wire.api.commits(wire.session, &vault_id, &query)).await?;
        for stored in &page.commits {
            let entry = signed(wire, &vault_id, stored)?;
            let (last, commit) = (chain.last().map(head_of).unwrap_or_default(), entry.commit.value());
            if commit.prev_hash != last.hash || (!chain.is_empty() && commit.seq <= last.seq) {
                return Err(SyncError::Diverged { vault_id, at: commit.seq });
            }
            let is_target = head_of(&entry) == target;
            chain.push(entry);
            if is_target {
                return Ok(chain);
            }
        }
        if !page.more || chain.last().map(|entry| entry.commit.value().seq) == after {
            let withheld = SyncError::Withheld { vault_id, what: Missing::Commits(target.seq) };
            return beside(&chain, target, sides).ok_or(withheld);
        }
    }
}

/// The same where the target is on the side of one of the chain's heals.
fn beside(chain: &[Entry], target: LogHead, sides: &Sides) -> Option<Vec<Entry>> {
    chain.iter().find_map(|entry| {
        let CommitBody::Heal(heal) = &entry.body else { return None };
        let side = sides.side_of(&HealBody { side: target, ..*heal })?;
        let common = chain.iter().take_while(|entry| entry.commit.value().seq <= heal.fork.seq);
        Some(common.chain(side).cloned().collect())
    })
}

/// Keeps all commits, in several writes: until the pin says that they were verified, nobody uses them.
async fn keep(
    wire: Wire<'_>,
    vault: &OpenVault,
    chain: &[Entry],
    sides: &Sides,
    line: &Line,
) -> Result<(), SyncError> {
    let records = vault.records(wire.unlocked);
    let beside: Vec<&Entry> = sides.iter().filter(|entry| line.beside().contains(&head_of(entry))).collect();
    for piece in beside.chunks(WRITTEN) {
        let mut batch = Batch::new();
        piece.iter().for_each(|entry| records.put_side(&mut batch, entry));
        wire.ports.store.write(batch).await?;
    }
    for piece in chain.chunks(WRITTEN) {
        let mut batch = Batch::new();
        piece.iter().for_each(|entry| records.put_commit(&mut batch, entry));
        wire.ports.store.write(batch).await?;
    }
    Ok(())
}

/// One write says that the history is verified, and hides what does not count.
async fn pin(
    wire: Wire<'_>,
    vault: &mut OpenVault,
    chain: &[Entry],
    line: &Line,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    let records = vault.records(wire.unlocked);
    let mut batch = Batch::new();
    records.clear_history(&mut batch);
    let marks = mark_void(wire, vault, line, &mut batch).await?;
    let pin = vault.pin.advance(line.state().clone(), vault.pin.head_author()).with_history(History::Checked);
    let pin = pin.judged(wire.unlocked.state().head().seq);
    records.put_pin(&mut batch, &pin)?;
    let own = wire.unlocked.account_id();
    let named: BTreeSet<Said> = chain.iter().flat_map(|entry| said(entry.commit.value(), own)).collect();
    if !named.is_empty() {
        claims.note(named);
        claims.put(&mut batch, wire.unlocked)?;
    }
    wire.ports.store.write(batch).await?;
    vault.pin = pin;
    vault.quarantine.extend(marks);
    Ok(())
}

/// Hides every version that does not count and is shown.
async fn mark_void(
    wire: Wire<'_>,
    vault: &OpenVault,
    line: &Line,
    batch: &mut Batch,
) -> Result<Vec<(ItemId, Mark)>, SyncError> {
    let records = vault.records(wire.unlocked);
    let mut marks = Vec::new();
    for (item_id, last) in line.items().iter().filter(|(_, last)| last.is_void) {
        if vault.quarantine.get(item_id).is_some_and(|mark| mark.reason == QuarantineReason::Removed) {
            continue;
        }
        let blob = vault::read_blob(&*wire.ports.store, vault, item_id).await?.unwrap_or_default();
        let mark = Mark::new(last.leaf, last.author_device, QuarantineReason::Removed, blob);
        records.put_mark(batch, item_id, &mark);
        records.delete_blob(batch, item_id);
        marks.push((*item_id, mark));
    }
    Ok(marks)
}

/// Judges a healed chain anew where a device was revoked since it was verified: what that one wrote on a branch that a
/// heal writes over does not count any more.
///
/// # Errors
/// [`SyncError`]; the pin is as it was.
pub(super) async fn judge_anew(wire: Wire<'_>, vault: &mut OpenVault) -> Result<(), SyncError> {
    let (account, state) = (wire.unlocked.state(), vault.pin.state());
    let is_new = account.revoked_between(vault.pin.judged_at(), account.head().seq);
    if state.joins().is_empty() || vault.pin.history() != History::Checked || !is_new {
        return Ok(());
    }
    let (vault_id, store) = (vault.vault_id(), &*wire.ports.store);
    let chain = vault::read_chain(store, &vault_id).await?;
    let sides = vault::read_sides(store, &vault_id).await?;
    let line = Line::verify(&chain, &sides, account);
    let line = line.map_err(|source| SyncError::Commit { vault_id, source })?;
    judge(&line, account)?;
    let mut batch = Batch::new();
    let marks = mark_void(wire, vault, &line, &mut batch).await?;
    let pin = vault.pin.clone().judged(account.head().seq);
    vault.records(wire.unlocked).put_pin(&mut batch, &pin)?;
    store.write(batch).await?;
    vault.pin = pin;
    vault.quarantine.extend(marks);
    Ok(())
}

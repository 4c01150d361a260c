//! Fork evidence: collected when the server shows another history, kept for good, convincing without this device.
//!
//! Collecting asks the server for its branch; what it answers counts only as far as it verifies. A server that answers
//! nothing then keeps its branch to itself, and there is no evidence but this device's refusal.

use lockstep_proto::api::account::LogQuery;
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{
    AccountLink, AccountState, BRANCH_LIMIT, Branches, CommitBody, Entry, ForkEvidence, ForkStatement,
    LATEST_MS, LogHead, VaultHead, VaultState, Witness,
};
use lockstep_proto::sign::Signed;

use super::branch::{Branch, head_of};
use super::driver::Engine;
use super::error::SyncError;
use crate::account;
use crate::ports::{Batch, LocalStore, Table};
use crate::vault::{self, History};

/// Keys of kept evidence in [`Table::Profile`]. Frozen: they are part of the profile's format.
pub(crate) const PREFIX: &[u8] = b"fork/";
/// Keys of evidence about histories one of which was accepted since. Frozen as well.
pub(crate) const ACCEPTED_PREFIX: &[u8] = b"fork-accepted/";

/// One of the histories is accepted: the evidence stays, and makes room for that of another fork.
pub(super) async fn archive(
    store: &dyn LocalStore,
    vault_id: &VaultId,
    batch: &mut Batch,
) -> Result<(), SyncError> {
    let key = [PREFIX, vault_id.as_bytes()].concat();
    if let Some(kept) = store.read(Table::Profile, &key).await? {
        batch.put(Table::Profile, [ACCEPTED_PREFIX, vault_id.as_bytes()].concat(), kept);
        batch.delete(Table::Profile, key);
    }
    Ok(())
}

impl Engine<'_> {
    /// Collects and keeps evidence that this vault's log, or with the zero id the account's own, is forked: once, and again
    /// where what is kept is one device's word alone.
    /// Whatever fails, there is none: that is no failure of its own.
    pub(crate) async fn keep_evidence(&mut self, vault_id: VaultId) -> Result<(), SyncError> {
        let key = [PREFIX, vault_id.as_bytes()].concat();
        let strength = |evidence: &ForkEvidence| evidence.verify().ok().map(|proof| proof.is_continued);
        let kept = self.ports.store.read(Table::Profile, &key).await?;
        let kept =
            kept.and_then(|file| ForkEvidence::from_bytes(&file).ok()).and_then(|kept| strength(&kept));
        if kept == Some(true) {
            return Ok(());
        }
        let collected = match vault_id.is_zero() {
            true => self.account_evidence().await,
            false => self.vault_evidence(&vault_id).await,
        };
        let Ok(Some(evidence)) = collected else { return Ok(()) };
        if strength(&evidence) > kept {
            let mut batch = Batch::new();
            batch.put(Table::Profile, key, evidence.to_bytes());
            self.ports.store.write(batch).await?;
        }
        Ok(())
    }

    async fn vault_evidence(&self, vault_id: &VaultId) -> Result<Option<ForkEvidence>, SyncError> {
        let Some(vault) = self.vaults.get(vault_id) else { return Ok(None) };
        if vault.pin().history() != History::Checked {
            return Ok(None);
        }
        let own = vault::read_chain(&*self.ports.store, vault_id).await?;
        let pinned = vault.pin().state().head();
        let branch = self.branch(vault_id, &own, BRANCH_LIMIT).await?;
        match branch.filter(|branch| branch.fork != pinned && !branch.served.is_empty()) {
            Some(branch) => self.of_branches(*vault_id, &own, branch).await.map(Some),
            None => self.of_claims(*vault_id, &own).await,
        }
    }

    async fn of_branches(
        &self,
        vault_id: VaultId,
        own: &[Entry],
        branch: Branch,
    ) -> Result<ForkEvidence, SyncError> {
        let after = own.partition_point(|entry| entry.commit.value().seq <= branch.fork.seq);
        let common = Self::skeleton(own.get(..after).unwrap_or(own));
        let held: Vec<Entry> = own.iter().skip(after).take(BRANCH_LIMIT).cloned().collect();
        let held = verified(&common, held, self.unlocked.state());
        let served = verified(&common, branch.served, self.unlocked.state());
        let ends = (last_of(&held), last_of(&served));
        let branches = Branches::Vault { common, held, served };
        self.evidence(branches, vault_id, ends).await
    }

    /// The server's chain is this device's, but another device of the account was given another head.
    async fn of_claims(&self, vault_id: VaultId, own: &[Entry]) -> Result<Option<ForkEvidence>, SyncError> {
        let at = |seq: Seq| own.binary_search_by_key(&seq, |entry| entry.commit.value().seq).ok();
        let hash_at = |seq: Seq| own.get(at(seq)?).map(|entry| entry.commit.hash());
        let claims = self.claims.all().filter(|claim| claim.vault_id == vault_id);
        let other = |claim: &VaultHead| hash_at(claim.head.seq).is_some_and(|hash| hash != claim.head.hash);
        let Some(claim) = claims.into_iter().find(other) else { return Ok(None) };
        let Some(witness) = self.witness(&claim).await? else { return Ok(None) };
        let held = at(claim.head.seq).and_then(|at| own.get(..=at)).unwrap_or(own);
        let held = Self::skeleton(held);
        let ends = (last_of(&held), claim.head);
        self.evidence(Branches::Claimed { held, witness }, vault_id, ends).await.map(Some)
    }

    /// Where a device says so.
    async fn witness(&self, claim: &VaultHead) -> Result<Option<Witness>, SyncError> {
        let links = self.links().await?;
        if let Some(link) = links.iter().rev().find(|link| link.value().heads.contains(claim)) {
            return Ok(Some(Witness::Link(link.value().seq)));
        }
        for vault_id in self.vaults.keys() {
            for entry in vault::read_chain(&*self.ports.store, vault_id).await? {
                if entry.commit.value().observed.contains(claim) {
                    return Ok(Some(Witness::Commit(Box::new(entry.commit))));
                }
            }
        }
        Ok(None)
    }

    /// What says who may write after a chain: genesis, control commits, and the last one.
    fn skeleton(chain: &[Entry]) -> Vec<Entry> {
        let last = chain.len().saturating_sub(1);
        let is_part =
            |(at, entry): &(usize, &Entry)| *at == last || !matches!(entry.body, CommitBody::Content(_));
        chain.iter().enumerate().filter(is_part).map(|(_, entry)| entry.clone()).collect()
    }

    async fn links(&self) -> Result<Vec<Signed<AccountLink>>, SyncError> {
        let links = account::kept_links(&*self.ports.store, &self.unlocked.account_id()).await;
        links.map_err(|error| account::AccountError::from(error).into())
    }

    async fn account_evidence(&self) -> Result<Option<ForkEvidence>, SyncError> {
        let own = self.links().await?;
        let mut served = Vec::new();
        let mut after = None;
        loop {
            let page =
                self.api.account_log(self.session, &LogQuery { after }).await.map_err(SyncError::Api)?;
            let links = page.links.iter().map(|wire| Signed::from_wire(wire));
            let links: Vec<Signed<AccountLink>> =
                links.collect::<Result<_, _>>().map_err(account::AccountError::from)?;
            after = links.last().map(|link| link.value().seq);
            served.extend(links);
            if !page.more || after.is_none() {
                break;
            }
        }
        let same = own.iter().zip(&served).take_while(|(own, served)| own.hash() == served.hash()).count();
        let (common, held) = own.split_at(same);
        let held: Vec<_> = held.iter().take(BRANCH_LIMIT).cloned().collect();
        let mut state = AccountState::from_links(common).map_err(account::AccountError::from)?;
        let mut branch = Vec::new();
        for link in served.into_iter().skip(same).take(BRANCH_LIMIT) {
            let Ok(next) = state.apply(&link) else { break };
            state = next;
            branch.push(link);
        }
        let head = |link: Option<&Signed<AccountLink>>| {
            link.map_or_else(LogHead::default, |link| LogHead { seq: link.value().seq, hash: link.hash() })
        };
        let ends = (head(held.last()), head(branch.last()));
        let position = head(common.last());
        let statement = self.statement(VaultId::ZERO, position, ends);
        let branches = Branches::Account { held, served: branch };
        Ok(Some(ForkEvidence { accounts: vec![common.to_vec()], branches, statement }))
    }

    async fn evidence(
        &self,
        branches: Branches,
        vault_id: VaultId,
        ends: (LogHead, LogHead),
    ) -> Result<ForkEvidence, SyncError> {
        let statement = self.statement(vault_id, self.unlocked.state().head(), ends);
        Ok(ForkEvidence { accounts: vec![self.links().await?], branches, statement })
    }

    fn statement(
        &self,
        vault_id: VaultId,
        position: LogHead,
        (held, served): (LogHead, LogHead),
    ) -> Signed<ForkStatement> {
        self.unlocked.sign_fork_statement(ForkStatement {
            account_id: self.unlocked.account_id(),
            device_id: self.unlocked.device_id(),
            position,
            vault_id,
            held,
            served,
            time_ms: self.ports.clock.now_ms().min(LATEST_MS),
        })
    }
}

/// As much of the served branch as verifies.
fn verified(common: &[Entry], served: Vec<Entry>, accounts: &AccountState) -> Vec<Entry> {
    let Some((genesis, rest)) = common.split_first() else { return Vec::new() };
    let Ok(mut state) = VaultState::from_genesis(genesis, accounts) else { return Vec::new() };
    for entry in rest {
        let Ok(next) = state.skip_to(entry, accounts) else { return Vec::new() };
        state = next;
    }
    let mut branch = Vec::new();
    for entry in served {
        let Ok(next) = state.apply(&entry, accounts) else { break };
        state = next;
        branch.push(entry);
    }
    branch
}

fn last_of(entries: &[Entry]) -> LogHead {
    entries.last().map(head_of).unwrap_or_default()
}

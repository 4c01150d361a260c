//! Re-anchoring (R-REANCHOR): a vault goes on from the history of a server that was restored from a backup and used since.
//!
//! Such a server has another branch than the devices that were ahead of it. When the owner says on one of these that it was
//! so, that device signs a link which names what it goes on from ([`Engine::reanchor`]). Every device then follows by itself
//! ([`Engine::follow_anchor`]): it verifies the server's history from the genesis on, takes it as it is, and brings what it
//! knew in as ordinary edits. Before, it signs nothing in that vault.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::password::Password;
use lockstep_proto::ids::{DeviceId, Epoch, VaultId};
use lockstep_proto::log::{AccountState, Anchor, CommitError, Distrusted, Entry, LogHead, VaultHead};

use super::Wire;
use super::apply::{Ground, step};
use super::branch::{Branch, head_of};
use super::carry::{Own, carry, needed, purged};
use super::driver::Engine;
use super::error::{Missing, SyncError};
use super::fetch::{Base, Fetch, Fetched};
use super::life_cycle::ATTEMPTS;
use super::news::tell_news;
use super::pull::{End, Rewound, finish, raised, refused};
use super::staging::Staged;
use super::whole::Whole;
use crate::account::{self, AccountError, LinkParts, SecurityEvent, TwoLogs, note_event};
use super::report::{BranchInfo, SyncReport, TwoHistories};
use crate::ports::Batch;
use crate::vault::{self, Fate, History, VaultKeys};

/// Commits of the server's branch that are held in memory, at most.
const COMMITS_LIMIT: usize = 1 << 20;

/// Both branches.
struct Branches {
    own: Vec<Entry>,
    branch: Branch,
}

impl Branches {
    /// The server's chain, whole.
    fn chain(&self) -> Vec<Entry> {
        self.own.iter().take(self.common()).chain(&self.branch.served).cloned().collect()
    }

    fn common(&self) -> usize {
        self.own.partition_point(|entry| entry.commit.value().seq <= self.branch.fork.seq)
    }

    /// Where the histories part, as a link names it: the last commit that both have, but where a device was removed with a
    /// cut-off that neither has. Then nothing here shows from where on its remover's history is another one: the genesis.
    fn parting(&self, account: &AccountState) -> LogHead {
        let genesis = self.own.first().map(head_of).unwrap_or_default();
        let vault_id = VaultId::from(genesis.hash);
        let known: BTreeSet<LogHead> = self.own.iter().chain(&self.branch.served).map(head_of).collect();
        let cut_offs = account.devices().values().filter_map(|device| device.revocation()?.cut_off(&vault_id));
        match cut_offs.into_iter().all(|cut_off| known.contains(&cut_off)) {
            true => self.branch.fork,
            false => genesis,
        }
    }

    /// The epoch of the last commit that both have.
    fn epoch(&self) -> Epoch {
        let common = self.own.get(..self.common()).unwrap_or_default();
        common.last().map_or(Epoch(1), |entry| entry.commit.value().epoch)
    }

    /// This device's commits after the fork.
    fn own_after(&self) -> &[Entry] {
        self.own.get(self.common()..).unwrap_or_default()
    }
}

/// A history that was verified as if it were accepted, and the keys that its epochs have.
pub(super) struct Accepted {
    pub(super) anchor: Anchor,
    pub(super) keys: VaultKeys,
}

impl Engine<'_> {
    /// Follows to the history that the account goes on from, where this device's chain lacks the accepted head. `false` where
    /// it has it, or the server does not. A pull would do where nothing is given up, but takes what is distrusted for news.
    pub(super) async fn follow_anchor(
        &mut self,
        vault_id: VaultId,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let Some(accepted) = self.lacks_accepted(&vault_id).await? else { return Ok(false) };
        // What is given up must be verified; where that fails, too, the failure is what it was.
        match self.check_history(vault_id).await {
            Err(error) if error.is_offline() => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let Some(branches) = self.branches(&vault_id).await? else { return Ok(false) };
        if !branches.branch.served.iter().any(|entry| head_of(entry) == accepted) {
            return Ok(false);
        }
        let whole = match Whole::verify(&branches.chain(), self.unlocked.state()) {
            Ok(whole) if branches.branch.is_whole() => whole,
            Err(source @ CommitError::Withheld { .. }) => return Err(SyncError::Commit { vault_id, source }),
            Ok(_) | Err(_) => return Ok(false),
        };
        whole.check_cut_offs(self.unlocked.state())?;
        self.adopt(&branches, &whole, report).await?;
        Ok(true)
    }

    /// The head that the account has accepted last, where this device's chain does not have it.
    pub(super) async fn lacks_accepted(&self, vault_id: &VaultId) -> Result<Option<LogHead>, SyncError> {
        let accepted = self.unlocked.state().anchors(vault_id).last().map(|anchored| anchored.head);
        let (Some(accepted), Some(vault)) = (accepted, self.vaults.get(vault_id)) else { return Ok(None) };
        // What comes before a first sync is not here; its check asks for the accepted head.
        if accepted.seq < vault.pin().history().since() {
            return Ok(None);
        }
        let has = vault::read_commit(&*self.ports.store, vault_id, accepted.seq).await?;
        Ok((has.map(|entry| entry.commit.hash()) != Some(accepted.hash)).then_some(accepted))
    }

    /// Goes on from the server's histories: the owner, who was shown them, says that the server was restored from a backup. Where
    /// the account's log forked, too, no vault's could be shown before: the answer is about all of them. Nothing is lost when it
    /// stops anywhere; what is not done then is done by saying it again.
    pub(crate) async fn reanchor(
        &mut self,
        log: Option<&TwoLogs>,
        shown: &[TwoHistories],
        password: &Password,
    ) -> Result<SyncReport, SyncError> {
        if let Some(log) = log {
            self.relog(log).await?;
        }
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            let due = self.removals_due().await?;
            let active: BTreeSet<DeviceId> = self.active_devices().intersection(&due).copied().collect();
            if !active.is_empty() {
                self.remove_again(&active, password, &mut report).await?;
                continue;
            }
            let accepted = match log.is_some() || !due.is_empty() {
                true => self.accepted_everywhere(&Distrusted(due.iter().copied().collect())).await?,
                false => self.accepted(shown, &mut report).await?,
            };
            if accepted.is_empty() {
                // Another device was faster, and this one has followed; or the log alone had forked.
                self.ports.store.write(self.removed_again(&BTreeSet::new())?).await?;
                let nothing = shown.first().filter(|_| report.accepted == 0 && log.is_none());
                return nothing
                    .map_or(Ok(report), |two| Err(SyncError::NothingToAccept { vault_id: two.vault_id }));
            }
            let key = self.countersigning_key(password).await?;
            let heads = self.heads_with(&accepted, &mut report).await?;
            let said = (self.ports.clock.now_ms(), heads);
            let vault_ids: Vec<VaultId> = accepted.iter().map(|accepted| accepted.anchor.vault_id).collect();
            let anchors = accepted.into_iter().map(|accepted| accepted.anchor).collect();
            let link = account::make_reanchor(self.unlocked, &key, said, anchors);
            let done = self.removed_again(&BTreeSet::new())?;
            if self.append(link, LinkParts::default(), done).await? {
                for vault_id in vault_ids {
                    // Whatever keeps this device from following now: the next sync does, and nothing more is signed.
                    self.pull_vault(vault_id, &mut report).await?;
                }
                return Ok(report);
            }
            // Another link was faster: what was to be distrusted still is.
            self.ports.store.write(self.removed_again(&due)?).await?;
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// What is accepted of each vault of which there are still two histories.
    async fn accepted(
        &mut self,
        shown: &[TwoHistories],
        report: &mut SyncReport,
    ) -> Result<Vec<Accepted>, SyncError> {
        let mut accepted = Vec::new();
        for two in shown {
            let vault_id = two.vault_id;
            if self.pull_vault(vault_id, report).await.is_ok() {
                continue;
            }
            let branches = self.branches(&vault_id).await?.ok_or(SyncError::NothingToAccept { vault_id })?;
            let is_shown = |head: LogHead| head == two.served.head;
            let Branch { fork, served, .. } = &branches.branch;
            if !served.iter().map(head_of).chain([*fork]).any(is_shown) {
                return Err(SyncError::OtherHistory { vault_id });
            }
            accepted.push(self.accept(&branches, Distrusted::default()).await?);
        }
        accepted.sort_unstable_by_key(|accepted| accepted.anchor.vault_id);
        Ok(accepted)
    }

    /// What is accepted of every vault of which the server has something that this device does not, or the other way round.
    pub(super) async fn accepted_everywhere(
        &self,
        distrusted: &Distrusted,
    ) -> Result<Vec<Accepted>, SyncError> {
        let mut accepted = Vec::new();
        for vault_id in self.unlocked.state().vaults().keys() {
            if let Some(branches) = self.branches(vault_id).await? {
                accepted.push(self.accept(&branches, distrusted.clone()).await?);
            }
        }
        Ok(accepted)
    }

    /// Verifies a history as if it were accepted: nothing is that would not be valid then.
    async fn accept(&self, branches: &Branches, distrusted: Distrusted) -> Result<Accepted, SyncError> {
        let head = branches.branch.head;
        let fork = branches.parting(self.unlocked.state());
        let chain = branches.chain();
        let vault_id = chain.first().map(|genesis| VaultId::from(genesis.commit.hash())).unwrap_or_default();
        if !branches.branch.is_whole() {
            return Err(SyncError::Withheld { vault_id, what: Missing::Commits(head.seq) });
        }
        let anchor = Anchor { vault_id, fork, head, distrusted };
        let assumed = self.unlocked.state().assuming(std::slice::from_ref(&anchor));
        let whole = Whole::verify(&chain, &assumed);
        let whole = whole.map_err(|source| SyncError::NotAccepted { vault_id, source })?;
        whole.check_cut_offs(&assumed)?;
        let known = self.vaults.get(&vault_id).map(|vault| vault.keys().up_to(branches.epoch()));
        let entries: Vec<&Entry> = chain.iter().collect();
        let keys = vault::vault_keys(
            self.ports,
            self.unlocked,
            known.unwrap_or_default(),
            whole.state(),
            &entries,
        );
        Ok(Accepted { anchor, keys: keys.await? })
    }

    /// The head of every vault: the accepted ones, and the pinned ones of all others.
    pub(super) async fn heads_with(
        &mut self,
        accepted: &[Accepted],
        report: &mut SyncReport,
    ) -> Result<Vec<VaultHead>, SyncError> {
        let accepted: BTreeMap<VaultId, LogHead> =
            accepted.iter().map(|accepted| (accepted.anchor.vault_id, accepted.anchor.head)).collect();
        let vault_ids: Vec<VaultId> = self.unlocked.state().vaults().keys().copied().collect();
        let mut heads = Vec::new();
        for vault_id in vault_ids {
            match accepted.get(&vault_id) {
                Some(head) => heads.push(VaultHead { vault_id, head: *head }),
                None => heads.extend(self.head_of_vault(vault_id, report).await?),
            }
        }
        Ok(heads)
    }

    /// The vaults of which the server shows another history than this device has, once everything else was pulled.
    pub(crate) async fn two_histories(&mut self) -> Result<Vec<TwoHistories>, SyncError> {
        let mut report = SyncReport::default();
        self.sync_account(&mut report).await?;
        let vault_ids: Vec<VaultId> = self.vaults.keys().copied().collect();
        let (mut found, mut failure) = (Vec::new(), None);
        for vault_id in vault_ids {
            let Err(error) = self.pull_vault(vault_id, &mut report).await else { continue };
            let branches = match is_fork(&error) {
                true => self.branches(&vault_id).await?,
                false => None,
            };
            match branches {
                Some(branches) => {
                    let (own, served) = (info(branches.own_after()), info(&branches.branch.served));
                    found.push(TwoHistories { vault_id, own, served });
                }
                None => failure = failure.or(Some(error)),
            }
        }
        match failure {
            // What cannot be accepted does not hide what can.
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Verifies this device's own chain by what the account's log says now.
    pub(super) async fn check_own(&self, vault_id: &VaultId) -> Result<(), SyncError> {
        let own = vault::read_chain(&*self.ports.store, vault_id).await?;
        let whole = Whole::verify(&own, self.unlocked.state());
        whole.map(|_| ()).map_err(|source| SyncError::Commit { vault_id: *vault_id, source })
    }

    /// This device's branch and the server's; `None` where there are not two, or this device has not verified all of its own.
    async fn branches(&self, vault_id: &VaultId) -> Result<Option<Branches>, SyncError> {
        let Some(vault) = self.vaults.get(vault_id) else { return Ok(None) };
        if vault.pin().history() != History::Checked {
            return Ok(None);
        }
        let own = vault::read_chain(&*self.ports.store, vault_id).await?;
        let branch = self.branch(vault_id, &own, COMMITS_LIMIT).await?;
        Ok(branch.map(|branch| Branches { own, branch }))
    }

    /// The vault becomes what the accepted history says, and what the own one had made of items waits as edits: one local
    /// write.
    async fn adopt(
        &mut self,
        branches: &Branches,
        whole: &Whole,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let vault_id = whole.state().vault_id();
        let Self { ports, api, session, unlocked, vaults, progress, claims } = self;
        let wire = Wire { ports, api, session, unlocked, progress: *progress };
        let Some(vault) = vaults.get_mut(&vault_id) else { return Ok(()) };
        let own = Own::of(&branches.own, branches.branch.fork.seq, unlocked.state());
        let mut documents = BTreeMap::new();
        for item_id in needed(vault, whole, &own) {
            let found = vault.below(ports, &item_id).await?.document;
            documents.extend(found.map(|document| (item_id, document)));
        }
        let mut tombstones = BTreeMap::new();
        for item_id in purged(vault, &own) {
            tombstones.insert(item_id, vault.tombstone(ports, &item_id).await?);
        }
        let fate = vault.in_flight().map(|own| {
            let found = whole.hash_at(own.head().seq).map(|hash| LogHead { seq: own.head().seq, hash });
            own.fate(whole.state().head().seq, found.as_ref())
        });
        let mut outbox = vault.outbox.clone();
        let flown = vault.in_flight().filter(|_| fate == Some(Fate::Overtaken));
        flown.into_iter().for_each(|own| own.return_to(&mut outbox));
        let after = carry(vault, whole, &own, outbox, (&documents, &tombstones));
        let state = whole.state().clone();
        let served = branches.branch.served.clone();
        let staged = Staged::whole(vault.pin.state().clone(), state.clone(), served, after.changed);
        let fetch = Fetch::whole(wire, Base::Pinned(vault), staged);
        let Fetched { staged, blobs, room } = fetch.blobs_only(branches.branch.room).await?;
        // Epochs of the own history after the fork may have other keys there.
        let keys = raised(wire, &vault.keys.up_to(branches.epoch()), &staged).await?;
        let ground = Ground {
            vault_id,
            leaves: &vault.leaves,
            live: after.live,
            outbox: &after.outbox,
            in_flight: None,
            keys: &keys,
        };
        let mut step =
            step(ground, unlocked.device_id(), &staged, blobs).map_err(|error| refused(vault_id, error))?;
        tell_news(ports, vault, &mut step).await?;
        step.fate = fate;
        step.touched.extend(after.touched);
        step.touched.extend(flown.into_iter().flat_map(|own| own.edits().keys().copied()));
        let author = staged.entries().last().map(|entry| entry.commit.value().author_device);
        let pin = vault.pin.advance(state, author.unwrap_or(vault.pin.head_author())).above(after.above);
        let pin = pin.judged(unlocked.state().head().seq);
        let entries: Vec<&Entry> = staged.entries().iter().collect();
        let mut event = Batch::new();
        let gives_up = !branches.own_after().is_empty();
        if gives_up {
            let accepted = SecurityEvent::HistoryAccepted { vault_id };
            note_event(unlocked, accepted, ports.clock.now_ms(), &mut event).map_err(AccountError::from)?;
        }
        super::evidence::archive(&*ports.store, &vault_id, &mut event).await?;
        // What others had said of the history that is given up.
        claims.forget(&vault_id);
        claims.put(&mut event, unlocked)?;
        let last = vault.pin.state().head().seq;
        let rewound = Rewound {
            after: branches.branch.fork.seq,
            last,
            gone: after.gone,
            distrusted: own.distrusted(vault, whole),
            event,
        };
        let end = End { pin, keys, room, entries: &entries, step, rewound: Some(rewound) };
        report.accepted += usize::from(gives_up);
        finish(wire, vault, end, claims, report).await
    }
}

fn info(branch: &[Entry]) -> BranchInfo {
    let last = branch.last().map(|entry| entry.commit.value());
    let last = last.map(|commit| (commit.time_ms, commit.author_device));
    BranchInfo { commits: branch.len(), head: branch.last().map(head_of).unwrap_or_default(), last }
}

/// Whether another history could be what the failure comes from: another chain, or one that is valid only once it is accepted.
pub(super) fn is_fork(error: &SyncError) -> bool {
    match error {
        SyncError::Diverged { .. } => true,
        // Whichever rule a commit breaks: what is asked next does not tell.
        SyncError::Commit { source, .. } => !matches!(source, CommitError::Withheld { .. }),
        SyncError::Withheld { what, .. } => matches!(what, Missing::CutOff(_)),
        _ => false,
    }
}

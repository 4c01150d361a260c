//! Re-anchoring (R-REANCHOR): a vault goes on from the history of a server that was restored from a backup and used since.
//!
//! Such a server has another branch than the devices that were ahead of it. When the owner says on one of these that it was
//! so, that device signs a link which names what it goes on from ([`Engine::reanchor`]). Every device then follows by itself
//! ([`Engine::follow_anchor`]): it verifies the server's history from the genesis on, takes it as it is, and brings what it
//! knew in as ordinary edits. Before, it signs nothing in that vault.

use std::collections::BTreeMap;

use lockstep_crypto::password::Password;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{Anchor, CommitError, Distrusted, Entry, LogHead, VaultHead};

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
use crate::account::{self, AccountError, LinkParts, SecurityEvent, note_event};
use super::report::{BranchInfo, SyncReport, TwoHistories};
use crate::ports::Batch;
use crate::vault::{self, Fate, History};

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

    /// This device's commits after the fork.
    fn own_after(&self) -> &[Entry] {
        self.own.get(self.common()..).unwrap_or_default()
    }
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
        let is_served = branches.branch.served.iter().any(|entry| head_of(entry) == accepted);
        if !is_served && accepted != branches.branch.fork {
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
    async fn lacks_accepted(&self, vault_id: &VaultId) -> Result<Option<LogHead>, SyncError> {
        let accepted = self.unlocked.state().anchors(vault_id).last().map(|anchored| anchored.head);
        let (Some(accepted), Some(vault)) = (accepted, self.vaults.get(vault_id)) else { return Ok(None) };
        // What comes before a first sync is not here; its check asks for the accepted head.
        if accepted.seq < vault.pin().history().since() {
            return Ok(None);
        }
        let has = vault::read_commit(&*self.ports.store, vault_id, accepted.seq).await?;
        Ok((has.map(|entry| entry.commit.hash()) != Some(accepted.hash)).then_some(accepted))
    }

    /// Goes on from the server's history: the owner, who was shown it up to `shown`, says that the server was restored from a
    /// backup. Nothing is lost when it stops anywhere; before the server has the link it is as if nothing had been said.
    pub(crate) async fn reanchor(
        &mut self,
        shown: &[TwoHistories],
        password: &Password,
    ) -> Result<SyncReport, SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            let anchors = self.anchors(shown, &mut report).await?;
            if anchors.is_empty() {
                // Another device was faster, and this one has followed.
                let nothing = shown.first().filter(|_| report.accepted == 0);
                return nothing
                    .map_or(Ok(report), |two| Err(SyncError::NothingToAccept { vault_id: two.vault_id }));
            }
            let key = self.countersigning_key(password).await?;
            let heads = self.heads_with(&anchors, &mut report).await?;
            let said = (self.ports.clock.now_ms(), heads);
            let vault_ids: Vec<VaultId> = anchors.iter().map(|anchor| anchor.vault_id).collect();
            let link = account::make_reanchor(self.unlocked, &key, said, anchors);
            if self.append(link, LinkParts::default(), Batch::new()).await? {
                for vault_id in vault_ids {
                    // Whatever keeps this device from following now: the next sync does, and nothing more is signed.
                    self.pull_vault(vault_id, &mut report).await?;
                }
                return Ok(report);
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// What is accepted of each vault of which there are still two histories.
    async fn anchors(
        &mut self,
        shown: &[TwoHistories],
        report: &mut SyncReport,
    ) -> Result<Vec<Anchor>, SyncError> {
        let mut anchors = Vec::new();
        for two in shown {
            let vault_id = two.vault_id;
            if self.pull_vault(vault_id, report).await.is_ok() {
                continue;
            }
            let branches = self.branches(&vault_id).await?.ok_or(SyncError::NothingToAccept { vault_id })?;
            let Branch { fork, head, served, .. } = &branches.branch;
            if !served.iter().any(|entry| head_of(entry) == two.served.head) {
                return Err(SyncError::OtherHistory { vault_id });
            }
            if !branches.branch.is_whole() {
                return Err(SyncError::Withheld { vault_id, what: Missing::Commits(head.seq) });
            }
            let distrusted = Distrusted::default();
            let anchor = Anchor { vault_id, fork: *fork, head: *head, distrusted };
            // Nothing is accepted that is not valid once it is.
            let assumed = self.unlocked.state().assuming(std::slice::from_ref(&anchor));
            let whole = Whole::verify(&branches.chain(), &assumed);
            let whole = whole.map_err(|source| SyncError::NotAccepted { vault_id, source })?;
            whole.check_cut_offs(&assumed)?;
            anchors.push(anchor);
        }
        anchors.sort_unstable_by_key(|anchor| anchor.vault_id);
        Ok(anchors)
    }

    /// The head of every vault: the accepted ones, and the pinned ones of all others.
    async fn heads_with(
        &mut self,
        anchors: &[Anchor],
        report: &mut SyncReport,
    ) -> Result<Vec<VaultHead>, SyncError> {
        let accepted: BTreeMap<VaultId, LogHead> =
            anchors.iter().map(|anchor| (anchor.vault_id, anchor.head)).collect();
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
        let keys = raised(wire, &vault.keys, &staged).await?;
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

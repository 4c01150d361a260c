//! Heals (R-HEAL): two branches of a vault's log become one again.
//!
//! A server that was restored from a backup and then went on has another branch than the devices that were ahead of it.
//! When the owner says on one of these that it was so, that device signs a heal, and the server keeps its branch beside
//! the other one ([`Engine::join`]). Every device then goes along with the heal by itself ([`Engine::follow_heal`]):
//! those of the joined branch bring back what it had made of items, as ordinary edits, so that any of them can finish;
//! the others have nothing to do. Both verify both branches, from the genesis on.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::sides::StageSides;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Epoch, Hash, ItemId, VaultId};
use lockstep_proto::log::{
    AccountState, Commit, CommitBody, CommitError, CommitKind, Entry, HealBody, LATEST_MS, Line, LogHead,
    Sides, VaultState,
};
use lockstep_proto::sign::Signed;

use super::Wire;
use super::apply::{Ground, step};
use super::branch::{Branch, head_of, served_sides};
use super::driver::Engine;
use super::error::{Missing, SyncError};
use super::fetch::{Base, Fetch, Fetched};
use super::heal::one_request;
use super::news::tell_news;
use super::pull::{End, Rewound, finish, raised, refused};
use super::rejoin::{Own, needed, purged, rejoin};
use super::report::SyncReport;
use super::staging::Staged;
use crate::account::{SecurityEvent, note_event};
use crate::api::ApiError;
use crate::client::{BranchInfo, TwoHistories};
use crate::ports::Batch;
use crate::vault::{self, Fate, History, OpenVault};

/// How often a heal is made anew because the server's branch went on meanwhile.
const ATTEMPTS: usize = 8;

/// Commits of the server's branch that are held in memory, at most.
const COMMITS_LIMIT: usize = 1 << 20;

/// Both branches, as far as they are known.
struct Branches {
    own: Vec<Entry>,
    branch: Branch,
    sides: Sides,
}

impl Branches {
    /// The server's chain, whole.
    fn chain(&self) -> Vec<Entry> {
        self.common().chain(&self.branch.served).cloned().collect()
    }

    fn common(&self) -> impl Iterator<Item = &Entry> {
        self.own.iter().take_while(|entry| entry.commit.value().seq <= self.branch.fork.seq)
    }

    /// This device's commits after the fork.
    fn own_after(&self) -> &[Entry] {
        self.own.get(self.common().count()..).unwrap_or_default()
    }
}

/// What became of a heal that was sent.
enum Sent {
    Accepted,
    /// The server's branch has gone on.
    Moved,
}

impl Engine<'_> {
    /// After a failed pull: goes along with a heal of another device, or of this one. `false` where no heal explains
    /// the failure.
    pub(super) async fn follow_heal(
        &mut self,
        vault_id: VaultId,
        error: &SyncError,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        if !may_be_healed(error) {
            return Ok(false);
        }
        // What it compares with must be verified; where that fails, too, the failure is what it was.
        match self.check_history(vault_id).await {
            Err(error) if error.is_offline() => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let Some(mut branches) = self.branches(&vault_id).await? else { return Ok(false) };
        // A heal that was signed on this very head before this device was stopped: its owner has said yes.
        if let Some(heal) = self.signed_on(&vault_id, &branches).await? {
            match self.send_heal(&branches, &heal).await {
                Ok(Sent::Accepted) => match self.branches(&vault_id).await? {
                    Some(now) => branches = now,
                    None => return Ok(false),
                },
                Err(error) if error.is_offline() => return Err(error),
                // Another device's heal may cover this device's branch all the same.
                Ok(Sent::Moved) | Err(_) => {}
            }
        }
        if !branches.branch.is_whole() || !branches.branch.served.iter().any(is_heal) {
            return Ok(false);
        }
        let line = Line::verify(&branches.chain(), &branches.sides, self.unlocked.state());
        let line = match line {
            Ok(line) => line,
            Err(source @ CommitError::Withheld { .. }) => return Err(SyncError::Commit { vault_id, source }),
            Err(_) => return Ok(false),
        };
        let Some(vault) = self.vaults.get(&vault_id) else { return Ok(false) };
        if !line.covers(&vault.pin().state().head()) {
            return Ok(false);
        }
        judge(&line, self.unlocked.state())?;
        self.adopt(&branches, &line, report).await?;
        Ok(true)
    }

    /// Joins this device's branch of a vault to the server's: the owner, who was shown the server's branch up to
    /// `shown`, says that the server was restored from a backup. Nothing is lost when it stops anywhere; before the
    /// server has the heal it is as if nothing had been said.
    pub(crate) async fn join(&mut self, vault_id: VaultId, shown: LogHead) -> Result<SyncReport, SyncError> {
        let mut report = SyncReport::default();
        self.sync_account(&mut report).await?;
        let mut tried = None;
        for _ in 0..ATTEMPTS {
            if self.pull_vault(vault_id, &mut report).await.is_ok() {
                return match report.joined {
                    0 => Err(SyncError::NothingToJoin { vault_id }),
                    _ => Ok(report),
                };
            }
            let branches = self.branches(&vault_id).await?.ok_or(SyncError::NothingToJoin { vault_id })?;
            if !branches.branch.served.iter().any(|entry| head_of(entry) == shown) {
                return Err(SyncError::OtherHistory { vault_id });
            }
            // A server that refuses a heal on the head that it names: nothing else is signed on that one (R-ONCE).
            if tried.replace(branches.branch.head) == Some(branches.branch.head) {
                break;
            }
            let heal = match self.signed_on(&vault_id, &branches).await? {
                Some(heal) => heal,
                None => self.sign_heal(&vault_id, &branches).await?,
            };
            if let Sent::Accepted = self.send_heal(&branches, &heal).await? {
                // Whatever keeps this device from going along now: the next sync does, and nothing more is signed.
                self.pull_vault(vault_id, &mut report).await?;
                return Ok(report);
            }
        }
        Err(SyncError::Busy { vault_id, refusals: ATTEMPTS as u32 })
    }

    /// The vaults of which the server shows another history than this device has, once everything else was pulled.
    pub(crate) async fn two_histories(&mut self) -> Result<Vec<TwoHistories>, SyncError> {
        let mut report = SyncReport::default();
        self.sync_account(&mut report).await?;
        let vault_ids: Vec<VaultId> = self.vaults.keys().copied().collect();
        let (mut found, mut failure) = (Vec::new(), None);
        for vault_id in vault_ids {
            let Err(error) = self.pull_vault(vault_id, &mut report).await else { continue };
            let branches = match may_be_healed(&error) {
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
            // What cannot be joined does not hide what can.
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// The heal that this device has signed on the server's head.
    async fn signed_on(&self, vault_id: &VaultId, branches: &Branches) -> Result<Option<Entry>, SyncError> {
        let on = branches.branch.head.hash;
        Ok(vault::read_heal(&*self.ports.store, self.unlocked, vault_id, &on).await?)
    }

    /// Verifies this device's own chain by what the account's log says now.
    pub(super) async fn check_own(&self, vault_id: &VaultId) -> Result<(), SyncError> {
        let own = vault::read_chain(&*self.ports.store, vault_id).await?;
        let sides = vault::read_sides(&*self.ports.store, vault_id).await?;
        let line = Line::verify(&own, &sides, self.unlocked.state());
        line.map(|_| ()).map_err(|source| SyncError::Commit { vault_id: *vault_id, source })
    }

    /// This device's branch and the server's; `None` where there are not two, or this device has not verified all of
    /// its own.
    async fn branches(&self, vault_id: &VaultId) -> Result<Option<Branches>, SyncError> {
        let Some(vault) = self.vaults.get(vault_id) else { return Ok(None) };
        if vault.pin().history() != History::Checked {
            return Ok(None);
        }
        let store = &*self.ports.store;
        let own = vault::read_chain(store, vault_id).await?;
        let Some(branch) = self.branch(vault_id, &own, COMMITS_LIMIT).await? else { return Ok(None) };
        let mut sides = vault::read_sides(store, vault_id).await?;
        if branch.served.iter().any(is_heal) {
            sides.extend(served_sides(self.wire(), vault_id).await?);
        }
        Ok(Some(Branches { own, branch, sides }))
    }

    /// Makes the heal and stores it. What is in flight on the own branch stays there, until this device is on the
    /// healed chain.
    async fn sign_heal(&self, vault_id: &VaultId, branches: &Branches) -> Result<Entry, SyncError> {
        let vault_id = *vault_id;
        let vault = self.vaults.get(&vault_id).ok_or(SyncError::NothingToJoin { vault_id })?;
        let withheld = SyncError::Withheld { vault_id, what: Missing::Commits(branches.branch.head.seq) };
        let last = branches.branch.served.last().filter(|_| branches.branch.is_whole()).ok_or(withheld)?;
        let (state, last) = (vault.pin.state(), &last.commit);
        let own = (state.control().hash, state.epoch());
        let served = (control_after(last), last.value().epoch);
        let heal = self.verified_heal(branches, state, last.value(), own).or_else(|error| {
            // Where the server's branch has changed members or epoch, and this one has not, those are kept.
            self.verified_heal(branches, state, last.value(), served).map_err(|_| error)
        });
        let (heal, line) = heal.map_err(|source| SyncError::NotJoined { vault_id, source })?;
        if let Some(cut_off) = line.state().pending_cut_offs().first() {
            return Err(SyncError::Withheld { vault_id, what: Missing::CutOff(*cut_off) });
        }
        let mut batch = Batch::new();
        vault.records(self.unlocked).put_heal(&mut batch, &heal)?;
        self.ports.store.write(batch).await?;
        Ok(heal)
    }

    /// A heal under this control state, if it makes a valid chain. Nothing is stored.
    fn verified_heal(
        &self,
        branches: &Branches,
        side: &VaultState,
        last: &Commit,
        (control_hash, epoch): (Hash, Epoch),
    ) -> Result<(Entry, Line), CommitError> {
        let Branches { branch, sides, .. } = branches;
        let body = CommitBody::Heal(HealBody {
            fork: branch.fork,
            side: side.head(),
            side_control_hash: side.control().hash,
        });
        let commit = Commit {
            vault_id: side.vault_id(),
            seq: side.head().seq.max(branch.head.seq).next(),
            prev_hash: branch.head.hash,
            kind: CommitKind::Heal,
            epoch,
            control_hash,
            author_account: self.unlocked.account_id(),
            author_device: self.unlocked.device_id(),
            author_position: self.unlocked.state().head(),
            time_ms: self.ports.clock.now_ms().min(LATEST_MS),
            digest: last.digest,
            live: last.live,
            tombstones: last.tombstones,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        let heal = Entry { commit: self.unlocked.sign_commit(commit), body };
        let mut chain = branches.chain();
        chain.push(heal.clone());
        let mut all = sides.clone();
        all.extend(branches.own_after().iter().cloned());
        let line = Line::verify(&chain, &all, self.unlocked.state())?;
        Ok((heal, line))
    }

    /// Gives the server the own branch, and then the heal. What another device has staged may be in the way: then it
    /// goes.
    async fn send_heal(&self, branches: &Branches, heal: &Entry) -> Result<Sent, SyncError> {
        let vault_id = heal.commit.value().vault_id;
        match self.try_heal(branches, heal).await {
            Err(SyncError::Api(error)) if !error.is_offline() => {
                let wire = self.wire();
                wire.repeat(|| wire.api.drop_heal(wire.session, &vault_id)).await?;
                self.try_heal(branches, heal).await
            }
            other => other,
        }
    }

    async fn try_heal(&self, branches: &Branches, heal: &Entry) -> Result<Sent, SyncError> {
        let (wire, vault_id) = (self.wire(), heal.commit.value().vault_id);
        let all: Vec<&Entry> = branches.own_after().iter().chain(branches.sides.iter()).collect();
        stage_sides(wire, &vault_id, &all).await?;
        let request = PostCommit {
            commit: heal.commit.to_body(),
            body: Bytes(heal.body.to_bytes()),
            blobs: Vec::new(),
        };
        match wire.repeat(|| wire.api.post_commit(wire.session, &vault_id, &request)).await {
            Ok(committed) if committed.head == head_of(heal) => Ok(Sent::Accepted),
            Ok(_) => Err(super::pull::garbage()),
            Err(error) if is_moved(&error) => Ok(Sent::Moved),
            Err(error) => Err(error.into()),
        }
    }

    /// The vault becomes what the healed chain says, and what the own branch had made of items waits as edits: one
    /// local write.
    async fn adopt(
        &mut self,
        branches: &Branches,
        line: &Line,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let vault_id = line.state().vault_id();
        let Self { ports, api, session, unlocked, vaults, progress, claims } = self;
        let wire = Wire { ports, api, session, unlocked, progress: *progress };
        let Some(vault) = vaults.get_mut(&vault_id) else { return Ok(()) };
        let own = Own::of(&branches.own, branches.branch.fork.seq, line, finished(branches, line, vault));
        let mut documents = BTreeMap::new();
        for item_id in needed(vault, line, &own) {
            let found = vault.below(ports, &item_id).await?.document;
            documents.extend(found.map(|document| (item_id, document)));
        }
        let mut tombstones = BTreeMap::new();
        for item_id in purged(vault, &own) {
            tombstones.insert(item_id, vault.tombstone(ports, &item_id).await?);
        }
        let fate = vault.in_flight().map(|own| {
            let found = line.hash_at(own.head().seq).map(|hash| LogHead { seq: own.head().seq, hash });
            own.fate(line.state().head().seq, found.as_ref())
        });
        let mut outbox = vault.outbox.clone();
        let flown = vault.in_flight().filter(|_| fate == Some(Fate::Overtaken));
        flown.into_iter().for_each(|own| own.return_to(&mut outbox));
        let after = rejoin(vault, line, &own, outbox, (&documents, &tombstones));
        let state = line.state().clone();
        let served = branches.branch.served.clone();
        let staged = Staged::healed(vault.pin.state().clone(), state.clone(), served, after.changed);
        let fetch = Fetch::healed(wire, Base::Pinned(vault), staged);
        let Fetched { staged, blobs, room } = fetch.blobs_only(branches.branch.room).await?;
        let keys = healed_keys(wire, vault, &staged, &branches.sides).await?;
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
        let beside = |entry: &&Entry| line.beside().contains(&head_of(entry));
        let sides = branches.own_after().iter().chain(branches.sides.iter()).filter(beside).collect();
        let mut event = Batch::new();
        let joined = SecurityEvent::BranchesJoined { vault_id };
        note_event(unlocked, joined, ports.clock.now_ms(), &mut event)
            .map_err(crate::account::AccountError::from)?;
        super::evidence::archive(&*ports.store, &vault_id, &mut event).await?;
        vault.records(unlocked).delete_heals(&mut event);
        let last = vault.pin.state().head().seq;
        let rewound = Rewound {
            after: branches.branch.fork.seq,
            last,
            sides,
            gone: after.gone,
            void: own.void_of(vault, line),
            event,
        };
        let end = End { pin, keys, room, entries: &entries, step, rewound: Some(rewound) };
        report.joined += 1;
        finish(wire, vault, end, claims, report).await
    }
}

/// The control state that a commit leaves.
fn control_after(commit: &Signed<Commit>) -> Hash {
    match commit.value().kind {
        CommitKind::Content => commit.value().control_hash,
        CommitKind::Genesis | CommitKind::Control | CommitKind::Heal => commit.hash(),
    }
}

fn info(branch: &[Entry]) -> BranchInfo {
    let last = branch.last().map(|entry| entry.commit.value());
    let last = last.map(|commit| (commit.time_ms, commit.author_device));
    BranchInfo { commits: branch.len(), head: branch.last().map(head_of).unwrap_or_default(), last }
}

/// Items in which the author of the heal that covers this device's branch has written since, and counts: it had that
/// branch, so nothing of it is to be brought back there.
fn finished(branches: &Branches, line: &Line, vault: &OpenVault) -> BTreeSet<ItemId> {
    let pinned = vault.pin().state().head();
    let counts = |entry: &&Entry| !line.is_void(&entry.commit.hash());
    let covers = |heal: &HealBody| branches.sides.holds(&heal.fork, &heal.side, &pinned);
    let mut served = branches.branch.served.iter().filter(counts);
    let heal = served.find(|entry| matches!(&entry.body, CommitBody::Heal(heal) if covers(heal)));
    let Some(heal) = heal.map(|entry| entry.commit.value()) else { return BTreeSet::new() };
    // What comes after it.
    let later = served.filter(|entry| entry.commit.value().author_device == heal.author_device);
    let changes = later.flat_map(|entry| match &entry.body {
        CommitBody::Content(body) => body.changes.as_slice(),
        _ => &[],
    });
    changes.map(|change| change.item_id).collect()
}

/// The keys after a heal: its side may have brought epochs that this device did not have.
async fn healed_keys(
    wire: Wire<'_>,
    vault: &OpenVault,
    staged: &Staged,
    sides: &Sides,
) -> Result<vault::VaultKeys, SyncError> {
    let keys = raised(wire, &vault.keys, staged).await?;
    let entries: Vec<&Entry> = sides.iter().collect();
    Ok(vault::vault_keys(wire.ports, wire.unlocked, keys, staged.state(), &entries).await?)
}

/// What the account's log says now of a healed chain: every cut-off is on it or on a side. That what is above one is
/// written over by a heal was verified with the line.
pub(super) fn judge(line: &Line, accounts: &AccountState) -> Result<(), SyncError> {
    let state = line.state();
    let vault_id = state.vault_id();
    let cut_offs = state.cut_offs(accounts).map_err(|source| SyncError::Commit { vault_id, source })?;
    for cut_off in cut_offs.contained.iter().chain(state.pending_cut_offs()) {
        if cut_off.seq > state.head().seq {
            return Err(SyncError::Withheld { vault_id, what: Missing::CutOff(*cut_off) });
        }
        if !line.covers(cut_off) {
            return Err(SyncError::Diverged { vault_id, at: cut_off.seq });
        }
    }
    Ok(())
}

/// Stages commits beside the chain, in as many requests as it takes.
pub(super) async fn stage_sides(
    wire: Wire<'_>,
    vault_id: &VaultId,
    sides: &[&Entry],
) -> Result<(), SyncError> {
    let mut left = sides;
    while !left.is_empty() {
        let body = StageSides { commits: one_request(left) };
        wire.repeat(|| wire.api.stage_sides(wire.session, vault_id, &body)).await?;
        left = left.get(body.commits.len()..).unwrap_or_default();
    }
    Ok(())
}

/// Whether a heal could be what the failure comes from: another chain, or commits on it that only a heal makes valid.
pub(super) fn may_be_healed(error: &SyncError) -> bool {
    match error {
        SyncError::Diverged { .. } => true,
        // Whichever rule a commit breaks: what is asked next does not tell.
        SyncError::Commit { source, .. } => !matches!(source, CommitError::Withheld { .. }),
        SyncError::Withheld { what, .. } => matches!(what, Missing::CutOff(_)),
        _ => false,
    }
}

fn is_moved(error: &ApiError) -> bool {
    error.code() == Some(ErrorCode::HeadMoved)
}

fn is_heal(entry: &Entry) -> bool {
    matches!(entry.body, CommitBody::Heal(_))
}

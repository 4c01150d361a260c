//! Heal commits: two branches of a vault's log become one chain (R-HEAL).

use std::collections::{BTreeMap, BTreeSet};

use super::super::LogHead;
use super::super::author::{AccountStates, Alone, Removals, authority};
use super::super::commit::{Commit, CommitKind, Entry};
use super::super::commit_bodies::{CommitBody, HealBody};
use super::super::error::CommitError;
use super::{VaultState, check_body};
use crate::ids::{AccountId, DeviceId, Epoch, Hash, Seq};

/// How far a heal may stand after the commit before it: branches have no more commits.
const GAP_LIMIT: u64 = 1 << 19;

/// A heal of a chain: the branch after `fork` that ends before it is kept, and what the side says counts beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The last commit that both branches share.
    pub fork: LogHead,
    /// The head of the side.
    pub side: LogHead,
    /// The heal commit.
    pub heal: LogHead,
    /// The last commit of each device that wrote on the chain between fork and heal.
    pub(super) written: Written,
    /// The last commit of each device that wrote on the side, or on what heals there have joined.
    pub(super) beside: Written,
}

/// The last commit of each device.
pub(super) type Written = BTreeMap<(AccountId, DeviceId), Seq>;

impl Join {
    /// Whether what stands at this position of the chain is written over.
    pub fn is_over(&self, seq: Seq) -> bool {
        self.fork.seq < seq && seq < self.heal.seq
    }
}

/// Where the commits must be that revocations name (R-AUTHOR 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CutOffs {
    /// The chain contains these, or the side of one of its heals does. One above the head means `withheld`.
    pub contained: BTreeSet<LogHead>,
    /// A revoked device wrote at this position, beyond this commit: a heal that writes over the position must have the
    /// commit on its side's chain.
    pub written_over: BTreeSet<(Seq, LogHead)>,
}

/// The other branch of a heal, verified from the fork on.
pub(in super::super) struct Side<'a> {
    pub(in super::super) fork: &'a VaultState,
    pub(in super::super) head: &'a VaultState,
    /// Whether the side's chain, from the genesis on, or the side of a heal of it, has this commit.
    pub(in super::super) holds: &'a dyn Fn(&LogHead) -> bool,
    /// Whether the side's chain has brought this key.
    pub(in super::super) has_key: &'a dyn Fn(Epoch, Hash) -> bool,
}

impl VaultState {
    /// The state after a heal that counts: the items of this chain, members and epoch of the branch that it names.
    pub(in super::super) fn apply_heal(
        &self,
        entry: &Entry,
        side: &Side<'_>,
        accounts: &impl AccountStates,
        removals: &impl Removals,
    ) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        let body = heal_body(entry)?;
        self.check_heal_place(commit, body)?;
        if body.fork != side.fork.head || body.side != side.head.head {
            return Err(CommitError::Rule("a heal names the fork and the head of its side"));
        }
        if body.side_control_hash != side.head.control.hash {
            return Err(CommitError::Rule("a heal names the control state of its side"));
        }
        let ruling = self.ruling(commit, side)?;
        let authority = authority(entry, self.vault_id, accounts, removals)?;
        entry.commit.verify(&authority.key)?;
        self.check_position_kept(commit)?;
        side.head.check_position_kept(commit)?;
        for state in [side.head, ruling] {
            state.in_force().check_role(commit)?;
        }
        let mut next = side.head.clone();
        next.take_control(ruling);
        for (account_id, position) in &self.positions {
            let known = next.positions.entry(*account_id).or_insert(*position);
            *known = (*known).max(*position);
        }
        let written = after(&self.last_written, side.fork.head.seq).collect();
        let mut beside: Written = after(&side.head.last_written, side.fork.head.seq).collect();
        let is_new = |join: &Join| side.fork.joins.iter().all(|known| known.heal != join.heal);
        // A heal on either branch may have left it before `fork`.
        let joins = self.joins.iter().chain(&side.head.joins).filter(|join| is_new(join));
        let shared = joins.map(|join| join.fork.seq).chain([side.fork.head.seq]).min().unwrap_or_default();
        next.last_written.clone_from(&side.fork.last_written);
        next.last_written.retain(|_, last| *last <= shared);
        note_last(&mut beside, after(&side.fork.last_written, shared));
        // What a heal on the side writes over, or has joined, is beside this chain as well.
        for join in next.joins.iter_mut().filter(|join| is_new(join)) {
            let inner = std::mem::take(&mut join.written).into_iter();
            note_last(&mut beside, inner.chain(std::mem::take(&mut join.beside)));
        }
        next.joins.retain(|join| self.joins.iter().all(|known| known.heal != join.heal));
        next.joins.extend(self.joins.iter().cloned());
        next.join(entry, *body, written, beside);
        next.pending_cut_offs.extend(&self.pending_cut_offs);
        next.note_cut_off(authority.cut_off)?;
        Ok(next)
    }

    /// The state after a void heal, which joins nothing: whoever writes after it names it and its epoch.
    pub(in super::super) fn pass_void_heal(
        &self,
        entry: &Entry,
        accounts: &impl AccountStates,
        removals: &impl Removals,
    ) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        let body = heal_body(entry)?;
        self.check_heal_place(commit, body)?;
        let authority = authority(entry, self.vault_id, accounts, removals)?;
        entry.commit.verify(&authority.key)?;
        self.check_position_kept(commit)?;
        if !authority.is_void {
            return Err(CommitError::Heal);
        }
        if commit.seq.0 - self.head.seq.0 > GAP_LIMIT {
            return Err(CommitError::Rule("a heal stands no further on than branches can be long"));
        }
        let mut next = self.clone();
        // As of a branch on which nothing was written: positions in between are nobody's.
        let nothing = HealBody { fork: self.head, side: self.head, ..*body };
        next.join(entry, nothing, Written::new(), Written::new());
        next.epoch = commit.epoch;
        next.overrule(self, Some(commit.author_device));
        next.note_cut_off(None)?;
        Ok(next)
    }

    /// A heal follows this chain, at the position after both branches, and changes no item.
    fn check_heal_place(&self, commit: &Commit, body: &HealBody) -> Result<(), CommitError> {
        let due = self.head.seq.max(body.side.seq).next();
        if commit.vault_id != self.vault_id {
            return Err(CommitError::Vault);
        }
        if commit.seq != due || commit.prev_hash != self.head.hash {
            return Err(CommitError::Chain { expected: due, found: commit.seq });
        }
        if (commit.digest, commit.live, commit.tombstones) != (self.digest, self.live, self.tombstones) {
            return Err(CommitError::Digest);
        }
        Ok(())
    }

    /// The branch whose members and epoch a heal of this chain keeps, as it says: the side, where it knows what this
    /// chain has made of them; this chain, where the side has left them as they were. What is in force there may be
    /// named in place of what is not.
    fn ruling<'a>(&'a self, commit: &Commit, side: &Side<'a>) -> Result<&'a Self, CommitError> {
        let (own, its, fork) = (self.in_force(), side.head.in_force(), side.fork.in_force());
        let is_named = |state: &&Self| state.check_heal_control(commit).is_ok();
        if let Some(named) = [side.head, its].into_iter().find(is_named) {
            let is_known = own.charter == fork.charter
                || (side.holds)(&own.charter)
                || ((side.has_key)(own.epoch, own.vault_key_commit) && own.has_members_of(its));
            if !is_known && !crate::seeded!("heal-takes-unknown-control") {
                return Err(CommitError::Rule(
                    "a heal writes over no members or epoch that its side does not know",
                ));
            }
            return Ok(named);
        }
        let named = [self, own].into_iter().find(is_named);
        let named = named.ok_or(CommitError::Epoch { current: side.head.epoch, found: commit.epoch })?;
        if its.charter != fork.charter {
            return Err(CommitError::Rule("a heal drops no members or epoch that its side has set"));
        }
        Ok(named)
    }

    /// Whether both have the same members in the same roles.
    fn has_members_of(&self, other: &Self) -> bool {
        let roles = |state: &Self| {
            state.members.iter().map(|(account, member)| (*account, member.role)).collect::<Vec<_>>()
        };
        roles(self) == roles(other)
    }

    /// The state after a heal of which neither branch is at hand but the control commits of its side: as
    /// [`Self::skip_to`].
    pub(super) fn skip_to_heal(
        &self,
        entry: &Entry,
        accounts: &impl AccountStates,
    ) -> Result<Self, CommitError> {
        let commit = entry.commit.value();
        let body = heal_body(entry)?;
        if commit.vault_id != self.vault_id {
            return Err(CommitError::Vault);
        }
        let is_later =
            commit.seq > self.head.seq && commit.seq > body.side.seq && body.side.seq >= body.fork.seq;
        if !is_later {
            return Err(CommitError::Chain { expected: self.head.seq.next(), found: commit.seq });
        }
        self.check_heal_control(commit)?;
        let authority = authority(entry, self.vault_id, accounts, &Alone)?;
        entry.commit.verify(&authority.key)?;
        self.check_role(commit)?;
        let mut next = self.clone();
        next.join(entry, *body, Written::new(), Written::new());
        next.skip_cut_offs(next.head);
        next.note_cut_off(authority.cut_off)?;
        Ok(next)
    }

    /// Control state and epoch are those of the branch that counts, which this is the head of.
    fn check_heal_control(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.epoch != self.epoch {
            return Err(CommitError::Epoch { current: self.epoch, found: commit.epoch });
        }
        if commit.control_hash == self.control.hash { Ok(()) } else { Err(CommitError::Control) }
    }

    fn join(&mut self, entry: &Entry, body: HealBody, written: Written, beside: Written) {
        let commit = entry.commit.value();
        self.move_to(entry);
        self.control = self.head;
        self.joins.push(Join { fork: body.fork, side: body.side, heal: self.head, written, beside });
        self.joins.sort_by_key(|join| join.heal);
        self.note_author(commit);
    }

    /// Judges what is verified already by what account logs say *now* (R-AUTHOR 4): call it after every change of an
    /// account log and before every pin. Gives the cut-offs that this chain must contain, wherever they are: one above
    /// the head means `withheld`, one at or below it that the chain and the sides of its heals lack is a fork.
    ///
    /// # Errors
    /// [`CommitError::Author`] when a device wrote after its cut-off: a pinned chain is a fork then.
    pub fn cut_offs(&self, accounts: &impl AccountStates) -> Result<CutOffs, CommitError> {
        let mut cut_offs = CutOffs::default();
        // The account goes on from the history that was accepted last, and from no other.
        let members = self.members.keys().filter_map(|account_id| accounts.account(account_id));
        let anchors = members.filter_map(|account| account.anchors(&self.vault_id).last());
        cut_offs.contained.extend(anchors.map(|anchored| anchored.head));
        for ((account_id, device_id), last) in &self.last_written {
            let Some(cut_off) = self.cut_off((account_id, device_id), *last, accounts)? else { continue };
            if *last > cut_off.seq && !crate::seeded!("written-after-cut-off") {
                return Err(CommitError::Author(*device_id));
            }
            cut_offs.contained.insert(cut_off);
        }
        for join in &self.joins {
            for ((account_id, device_id), last) in &join.written {
                let Some(cut_off) = self.cut_off((account_id, device_id), *last, accounts)? else { continue };
                if *last <= cut_off.seq {
                    cut_offs.contained.insert(cut_off);
                } else {
                    cut_offs.written_over.insert((*last, cut_off));
                }
            }
        }
        Ok(cut_offs)
    }

    /// The commit that the chain must have because of what a device wrote at `seq`, if it was revoked.
    fn cut_off(
        &self,
        (account_id, device_id): (&AccountId, &DeviceId),
        seq: Seq,
        accounts: &impl AccountStates,
    ) -> Result<Option<LogHead>, CommitError> {
        let account = accounts.account(account_id);
        let Some((account, device)) = account.and_then(|account| Some((account, account.device(device_id)?)))
        else {
            return Ok(None);
        };
        account.cut_off(&self.vault_id, device, seq).map_err(|()| CommitError::Author(*device_id))
    }
}

fn after(written: &Written, seq: Seq) -> impl Iterator<Item = ((AccountId, DeviceId), Seq)> + '_ {
    written.iter().filter(move |(_, last)| **last > seq).map(|(author, last)| (*author, *last))
}

fn note_last(written: &mut Written, more: impl Iterator<Item = ((AccountId, DeviceId), Seq)>) {
    for (author, last) in more {
        let known = written.entry(author).or_insert(last);
        *known = last.max(*known);
    }
}

fn heal_body(entry: &Entry) -> Result<&HealBody, CommitError> {
    check_body(entry)?;
    match &entry.body {
        CommitBody::Heal(body) if entry.commit.value().kind == CommitKind::Heal => Ok(body),
        _ => Err(CommitError::Body),
    }
}

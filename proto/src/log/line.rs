//! A vault's chain from its genesis on, with the branches that heals joined to it.
//!
//! [`VaultState`] goes along one chain. A heal needs two, both verified from the last commit that they share, and it says
//! about commits before it whether they count: so whoever meets one verifies the chain as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::LogHead;
use super::author::{AccountStates, Alone, Removals, Standing, cut_off_of};
use super::commit::Entry;
use super::commit_bodies::{Change, CommitBody, HealBody, Role};
use super::error::CommitError;
use super::reach::{Reach, heal_of};
use super::seen::Seen;
use super::sides::Sides;
use super::vault::{Side, VaultState};
use crate::digest::Leaf;
use crate::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, Seq};

/// How deep sides may lie within sides.
const DEPTH_LIMIT: usize = 32;

/// What the chain says last about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange {
    /// The current leaf.
    pub leaf: Leaf,
    /// The blob hash of the one before; zero for a creation.
    pub prev_blob_hash: Hash,
    /// The epoch it was sealed in.
    pub epoch: Epoch,
    /// The account that wrote it.
    pub author_account: AccountId,
    /// The device that wrote it.
    pub author_device: DeviceId,
    /// The position of the commit.
    pub seq: Seq,
    /// Its author might not write any more: it is to be written over, and never shown or merged.
    pub is_void: bool,
}

/// A verified chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    state: VaultState,
    chain: BTreeMap<Seq, Hash>,
    beside: BTreeSet<LogHead>,
    items: BTreeMap<ItemId, LastChange>,
    void: BTreeSet<Hash>,
}

impl Line {
    /// Verifies a chain, in order from its genesis, with the sides of its heals, old leaves included.
    ///
    /// # Errors
    /// [`CommitError`]; [`CommitError::SideMissing`] where `sides` lack a commit.
    pub fn verify(
        chain: &[Entry],
        sides: &Sides,
        accounts: &impl AccountStates,
    ) -> Result<Self, CommitError> {
        let (genesis, rest) = chain.split_first().ok_or(CommitError::Genesis)?;
        let entries: Vec<&Entry> = rest.iter().collect();
        let (reach, seen) = Reach::counting(chain, sides, genesis.commit.hash().into(), accounts)?;
        let heals = Heals { over: Vec::new(), is_side: false, seen: &seen };
        let state = VaultState::from_genesis_among(genesis, accounts, &heals)?;
        let mut walk = Walk::new(sides, accounts, reach, &seen);
        walk.need(genesis, &state);
        let mut items = BTreeMap::new();
        let end = walk.go(Point::genesis(state), &entries, 0, Some(&mut items))?;
        if let Some(device_id) = end.state.overruled() {
            return Err(CommitError::Author(device_id));
        }
        let (chain, beside) = end.line.flat();
        let Walk { void, needed, .. } = walk;
        let line = Self { state: end.state, chain, beside, items, void };
        match needed.iter().find(|cut_off| !line.covers(cut_off)) {
            Some(cut_off) => Err(CommitError::CutOff { seq: cut_off.seq, hash: cut_off.hash }),
            None => Ok(line),
        }
    }

    /// The state at the end.
    pub fn state(&self) -> &VaultState {
        &self.state
    }

    /// The hash of the chain's commit at a position; there may be none before a heal.
    pub fn hash_at(&self, seq: Seq) -> Option<Hash> {
        self.chain.get(&seq).copied()
    }

    /// Every commit that is on the side of one of the chain's heals, those of heals on sides included.
    pub fn beside(&self) -> &BTreeSet<LogHead> {
        &self.beside
    }

    /// Whether the chain has this commit, or the side of one of its heals: nothing of it is lost.
    pub fn covers(&self, head: &LogHead) -> bool {
        self.chain.get(&head.seq) == Some(&head.hash) || self.beside.contains(head)
    }

    /// Whether this commit, of the chain or of a side, is void: its author might not write any more.
    pub fn is_void(&self, commit: &Hash) -> bool {
        self.void.contains(commit)
    }

    /// Every item.
    pub fn items(&self) -> &BTreeMap<ItemId, LastChange> {
        &self.items
    }
}

/// A piece of a line: it goes on where another one ends.
#[derive(Default)]
struct Stretch {
    before: Option<Arc<Stretch>>,
    commits: BTreeMap<Seq, Hash>,
    beside: BTreeSet<LogHead>,
    /// Commitments to the keys that its control commits bring.
    keys: BTreeSet<(Epoch, Hash)>,
}

impl Stretch {
    fn pieces(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |piece| piece.before.as_deref())
    }

    fn has(&self, head: &LogHead) -> bool {
        self.pieces().any(|piece| piece.commits.get(&head.seq) == Some(&head.hash))
    }

    fn covers(&self, head: &LogHead) -> bool {
        self.has(head) || self.pieces().any(|piece| piece.beside.contains(head))
    }

    fn flat(&self) -> (BTreeMap<Seq, Hash>, BTreeSet<LogHead>) {
        let commits = self.pieces().flat_map(|piece| &piece.commits).map(|(seq, hash)| (*seq, *hash));
        (commits.collect(), self.pieces().flat_map(|piece| &piece.beside).copied().collect())
    }

    fn has_key(&self, epoch: Epoch, commit: Hash) -> bool {
        self.pieces().any(|piece| piece.keys.contains(&(epoch, commit)))
    }

    /// What this line has beyond `trunk`, from which it went off, and lies beside it there.
    fn beyond(&self, trunk: &Arc<Self>) -> impl Iterator<Item = LogHead> + '_ {
        let mut pieces = Vec::new();
        let mut next = Some(self);
        while let Some(piece) = next.filter(|piece| !std::ptr::eq(*piece, Arc::as_ptr(trunk))) {
            pieces.push(piece);
            next = piece.before.as_deref();
        }
        pieces.into_iter().flat_map(|piece| {
            let commits = piece.commits.iter().map(|(seq, hash)| LogHead { seq: *seq, hash: *hash });
            commits.chain(piece.beside.iter().copied())
        })
    }
}

/// The end of a line.
struct Point {
    state: VaultState,
    line: Stretch,
}

impl Point {
    fn genesis(state: VaultState) -> Self {
        let mut point = Self { line: Stretch::default(), state: state.clone() };
        point.move_to(state);
        point
    }

    fn move_to(&mut self, state: VaultState) {
        self.line.commits.insert(state.head().seq, state.head().hash);
        if state.overruled().is_none() {
            self.line.keys.insert((state.epoch(), state.vault_key_commit()));
        }
        self.state = state;
    }
}

/// Where a side begins.
#[derive(Clone)]
struct Fork {
    state: VaultState,
    line: Arc<Stretch>,
}

/// A verified side.
struct Joined {
    fork: VaultState,
    trunk: Arc<Stretch>,
    /// The side's first commit, if anything was written on it.
    first: Option<LogHead>,
    side: Point,
    hash: Hash,
}

/// The heals further along that concern a line: its own, and those on sides that leave the line further along, which write
/// over its commits up to there.
struct Heals<'a> {
    over: Vec<Over>,
    /// Whether this line is the side of a heal.
    is_side: bool,
    seen: &'a Seen,
}

/// A heal, and the last position of the line that it writes over.
struct Over {
    joined: Arc<Joined>,
    last: Seq,
}

impl Heals<'_> {
    fn knows(&self, entry: &Entry, last: Seq) -> bool {
        self.over.iter().any(|over| over.last >= last && over.joined.is(entry))
    }

    /// Whether the commit at `seq` is written over by a heal whose side's chain has this cut-off.
    fn writes_over(&self, seq: Seq, cut_off: &LogHead) -> bool {
        // A heal is found where its side begins, so what is judged here stands behind that.
        let is_over = |over: &&Over| seq <= over.last;
        let mut over = self.over.iter().filter(is_over);
        if crate::seeded!("heal-mends-any-cut-off") {
            return over.next().is_some();
        }
        over.any(|over| over.joined.side.line.covers(cut_off))
    }
}

impl Removals for Heals<'_> {
    fn standing(&self, commit: &LogHead, cut_off: &LogHead) -> Standing {
        if !self.seen.cut_offs().contains(cut_off) {
            return Alone.standing(commit, cut_off);
        }
        let counts_beside = self.is_side && crate::seeded!("unseen-counts-beside");
        if self.seen.holds(&commit.hash) || counts_beside {
            return Standing::Counts;
        }
        if self.is_side || self.writes_over(commit.seq, cut_off) { Standing::Void } else { Standing::Denied }
    }
}

/// Items of the chain itself; sides have none.
type Items = BTreeMap<ItemId, LastChange>;

struct Walk<'a, A> {
    sides: &'a Sides,
    accounts: &'a A,
    reach: Reach<'a>,
    seen: &'a Seen,
    passed: BTreeMap<Hash, Fork>,
    /// By heal: each side is verified once, however many lines it is part of.
    joined: BTreeMap<Hash, Arc<Joined>>,
    /// Commits that are void, wherever they are.
    void: BTreeSet<Hash>,
    /// Cut-offs by which commits were judged: the line must have them.
    needed: BTreeSet<LogHead>,
}

impl<'a, A: AccountStates> Walk<'a, A> {
    fn new(sides: &'a Sides, accounts: &'a A, reach: Reach<'a>, seen: &'a Seen) -> Self {
        let (passed, joined, void) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { sides, accounts, reach, seen, passed, joined, void, needed: BTreeSet::new() }
    }

    /// Verifies the commits after a point.
    fn go(
        &mut self,
        mut point: Point,
        entries: &[&Entry],
        depth: usize,
        mut items: Option<&mut Items>,
    ) -> Result<Point, CommitError> {
        if depth > DEPTH_LIMIT {
            return Err(CommitError::Rule("sides lie too deep within sides"));
        }
        let mut heals = Heals { over: Vec::new(), is_side: depth > 0, seen: self.seen };
        self.pass(&mut point, entries, &mut heals, depth)?;
        for (index, entry) in entries.iter().enumerate() {
            match heal_of(entry) {
                Some(_) if self.reach.has(entry) => {
                    self.join(&mut point, entry, &heals, items.as_deref_mut())?;
                }
                _ => self.step(&mut point, entry, &heals, items.as_deref_mut())?,
            }
            self.need(entry, &point.state);
            if self.reach.forks.contains(&point.state.head().hash) {
                let later = entries.get(index + 1..).unwrap_or_default();
                self.pass(&mut point, later, &mut heals, depth)?;
            }
        }
        Ok(point)
    }

    /// By which cut-off the commit was judged, if by one that is here.
    fn need(&mut self, entry: &Entry, state: &VaultState) {
        let cut_off = cut_off_of(entry.commit.value(), state.vault_id(), self.accounts);
        self.needed.extend(cut_off.filter(|cut_off| self.seen.cut_offs().contains(cut_off)));
    }

    /// Verifies the sides of those heals among `later` that begin here, or earlier on this line.
    fn pass(
        &mut self,
        point: &mut Point,
        later: &[&Entry],
        heals: &mut Heals<'_>,
        depth: usize,
    ) -> Result<(), CommitError> {
        let here = point.state.head().hash;
        if self.reach.forks.contains(&here) && !self.passed.contains_key(&here) {
            let line = Arc::new(std::mem::take(&mut point.line));
            point.line.before = Some(Arc::clone(&line));
            self.passed.insert(here, Fork { state: point.state.clone(), line });
        }
        self.expect(point, later, heals, depth)
    }

    /// Verifies the sides of heals that begin on this line, and of those on their sides that begin there, too: these write
    /// over the line up to where the outer one left it. The further a heal writes, the sooner it is looked at, so each is
    /// looked at once.
    fn expect(
        &mut self,
        point: &Point,
        later: &[&Entry],
        heals: &mut Heals<'_>,
        depth: usize,
    ) -> Result<(), CommitError> {
        let (mut open, mut seen) = (BTreeMap::new(), BTreeSet::new());
        let found = later.iter().filter(|entry| self.reach.has(entry));
        let found = found.filter_map(|entry| Some((*entry, heal_of(entry)?)));
        open.extend(found.map(|(entry, heal)| {
            let last = Seq(entry.commit.value().seq.0.saturating_sub(1));
            ((last, entry.commit.hash()), (entry, *heal))
        }));
        while let Some(((last, hash), (entry, heal))) = open.pop_last() {
            if !seen.insert(hash) || heals.knows(entry, last) {
                continue;
            }
            if point.line.has(&heal.fork) {
                let joined = match self.joined.get(&hash) {
                    Some(joined) => Arc::clone(joined),
                    None => self.side(entry, &heal, depth + 1)?,
                };
                heals.over.push(Over { joined, last });
            }
            for (inner, body) in self.reach.on_side(&hash) {
                open.insert((last.min(heal.fork.seq), inner.commit.hash()), (*inner, *body));
            }
        }
        Ok(())
    }

    fn side(&mut self, entry: &Entry, heal: &HealBody, depth: usize) -> Result<Arc<Joined>, CommitError> {
        let fork = self.passed.get(&heal.fork.hash).cloned();
        let fork = fork.ok_or(CommitError::Rule("a heal's fork is on its chain"))?;
        let side = self.sides.between(&heal.fork, &heal.side).map_err(CommitError::SideMissing)?;
        let line = Stretch { before: Some(Arc::clone(&fork.line)), ..Stretch::default() };
        let start = Point { state: fork.state.clone(), line };
        let first = side.first().map(|entry| entry.commit.value().head(entry.commit.hash()));
        let side = self.go(start, &side, depth, None)?;
        let hash = entry.commit.hash();
        let joined = Arc::new(Joined { fork: fork.state, trunk: fork.line, first, side, hash });
        self.joined.insert(hash, Arc::clone(&joined));
        Ok(joined)
    }

    fn step(
        &mut self,
        point: &mut Point,
        entry: &Entry,
        heals: &Heals<'_>,
        items: Option<&mut Items>,
    ) -> Result<(), CommitError> {
        let (state, is_void) = match heal_of(entry) {
            Some(_) => (point.state.pass_void_heal(entry, self.accounts, heals)?, true),
            None => point.state.apply_among(entry, self.accounts, heals)?,
        };
        if is_void {
            self.void.insert(entry.commit.hash());
        }
        if let (Some(items), CommitBody::Content(body)) = (items, &entry.body) {
            for change in &body.changes {
                note(items, entry, change, is_void)?;
            }
        }
        point.move_to(state);
        Ok(())
    }

    fn join(
        &mut self,
        point: &mut Point,
        entry: &Entry,
        heals: &Heals<'_>,
        items: Option<&mut Items>,
    ) -> Result<(), CommitError> {
        let joined = heals.over.iter().map(|over| &over.joined).find(|joined| joined.is(entry));
        let joined = joined.ok_or(CommitError::Rule("a heal's fork is on its chain"))?;
        let (fork, side) = (joined.fork.head(), &joined.side);
        if joined.first.is_some_and(|first| point.line.has(&first)) {
            return Err(CommitError::Rule("a heal names the last commit that both branches share"));
        }
        let holds = |head: &LogHead| side.line.covers(head);
        let has_key = |epoch, commit| side.line.has_key(epoch, commit);
        let branch = Side { fork: &joined.fork, head: &side.state, holds: &holds, has_key: &has_key };
        let state = point.state.apply_heal(entry, &branch, self.accounts, heals)?;
        point.line.beside.extend(side.line.beyond(&joined.trunk));
        for last in items.into_iter().flat_map(BTreeMap::values_mut).filter(|last| last.seq > fork.seq) {
            last.is_void |= !may_write(state.in_force(), last);
        }
        point.move_to(state);
        Ok(())
    }
}

impl Joined {
    fn is(&self, entry: &Entry) -> bool {
        self.hash == entry.commit.hash()
    }
}

fn note(items: &mut Items, entry: &Entry, change: &Change, is_void: bool) -> Result<(), CommitError> {
    let before = items.get(&change.item_id).map(|last| (last.leaf.version, last.leaf.blob_hash));
    if before.unwrap_or_default() != (change.old_version, change.old_blob_hash) {
        return Err(CommitError::Item(change.item_id));
    }
    let commit = entry.commit.value();
    let last = LastChange {
        leaf: Leaf { version: change.new_version, blob_hash: change.new_blob_hash },
        prev_blob_hash: change.old_blob_hash,
        epoch: commit.epoch,
        author_account: commit.author_account,
        author_device: commit.author_device,
        seq: commit.seq,
        is_void,
    };
    items.insert(change.item_id, last);
    Ok(())
}

/// What somebody wrote on the branch that is written over counts only if the side's members may write.
fn may_write(healed: &VaultState, last: &LastChange) -> bool {
    healed.members().get(&last.author_account).is_some_and(|member| member.role >= Role::Writer)
}

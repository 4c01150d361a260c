//! What a device does with what it is given: the rules of a pull (protocol, section 7), over the real verifier.

use std::collections::BTreeSet;

use super::book::{Book, CommitId, FIRST_LINK, FIRST_STATE, GENESIS, Judgement, LinkId, Making, StateId};

/// A check that is left out, to see that the search finds what it guards against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    Nothing,
    /// Commits need not follow the pin.
    Chain,
    /// Revocations and cut-offs are not looked at.
    CutOffs,
    /// What was learned of another device's head is forgotten.
    Claims,
    /// An honest server does not compare a commit with its head.
    Compare,
}

/// Why a device is read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fork {
    /// Two commits at one place.
    Commits(CommitId, CommitId),
    /// What it has pinned became invalid by a revocation.
    Revoked,
}

/// What a device keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) device: usize,
    /// The verified state that it trusts.
    pub(super) pin: StateId,
    /// The commits it applied, in order, with the genesis.
    pub(super) chain: Vec<CommitId>,
    pub(super) account: LinkId,
    pub(super) in_flight: Option<CommitId>,
    /// Heads of other devices above its own.
    pub(super) claims: BTreeSet<CommitId>,
    pub(super) fork: Option<Fork>,
}

impl Client {
    pub(super) fn new(device: usize) -> Self {
        Self {
            device,
            pin: FIRST_STATE,
            chain: vec![GENESIS],
            account: FIRST_LINK,
            in_flight: None,
            claims: BTreeSet::new(),
            fork: None,
        }
    }

    pub(super) fn head(&self) -> CommitId {
        self.chain[self.chain.len() - 1]
    }

    /// Signs the next commit on the pin, if it may.
    pub(super) fn write(&mut self, book: &mut Book) -> Option<CommitId> {
        if self.fork.is_some() || self.in_flight.is_some() {
            return None;
        }
        let commit = book.write(Making {
            parent: self.head(),
            author: self.device,
            key: self.device,
            position: self.account,
        });
        self.in_flight = Some(commit);
        Some(commit)
    }

    /// Takes `entries` as what follows its pin; gives whether anything changed.
    pub(super) fn receive(&mut self, book: &mut Book, entries: &[CommitId], without: Without) -> bool {
        if self.fork.is_some() {
            return false;
        }
        let Some((state, chain)) = self.stage(book, entries, without) else {
            return self.suspect(book, entries);
        };
        match self.standing(book, state, &chain, without) {
            Standing::Sound => {}
            Standing::Withheld => return false,
            Standing::Wrong => return self.suspect(book, entries),
        }
        if let Some((claim, served)) = self.denied(book, &chain, without) {
            self.fork = Some(Fork::Commits(claim, served));
            return true;
        }
        if chain == self.chain {
            return false;
        }
        self.pin = state;
        self.chain = chain;
        self.claims.retain(|claim| !self.chain.contains(claim));
        // Found in the chain, or overtaken.
        self.in_flight = None;
        true
    }

    fn stage(
        &self,
        book: &mut Book,
        entries: &[CommitId],
        without: Without,
    ) -> Option<(StateId, Vec<CommitId>)> {
        let account = if without == Without::CutOffs { FIRST_LINK } else { self.account };
        let (mut state, mut chain) = (self.pin, self.chain.clone());
        if without == Without::Chain
            && let Some(first) = entries.first().and_then(|first| book.making(*first))
        {
            state = self.state_at(book, first.parent, account)?;
        }
        for entry in entries {
            state = book.follow(state, *entry, account).ok()?;
            chain.push(*entry);
        }
        Some((state, chain))
    }

    /// The verified state after the commits up to `commit`.
    fn state_at(&self, book: &mut Book, commit: CommitId, account: LinkId) -> Option<StateId> {
        let path = book.path(commit);
        path[1..].iter().try_fold(FIRST_STATE, |state, entry| book.follow(state, *entry, account).ok())
    }

    fn standing(&self, book: &mut Book, state: StateId, chain: &[CommitId], without: Without) -> Standing {
        if without == Without::CutOffs {
            return Standing::Sound;
        }
        let Judgement::Contains(cut_offs) = book.judge(state, self.account) else { return Standing::Wrong };
        let mut standing = Standing::Sound;
        for cut_off in cut_offs {
            match chain.get(usize::try_from(cut_off.seq.0).unwrap()) {
                None => standing = Standing::Withheld,
                Some(commit) if book.head(*commit) == cut_off => {}
                Some(_) => return Standing::Wrong,
            }
        }
        standing
    }

    /// A head that another device had, where this chain has another commit.
    fn denied(&self, book: &Book, chain: &[CommitId], without: Without) -> Option<(CommitId, CommitId)> {
        if without == Without::Claims {
            return None;
        }
        self.claims.iter().find_map(|claim| {
            let served = chain.get(book.seq(*claim)).filter(|served| *served != claim)?;
            Some((*claim, *served))
        })
    }

    /// What does not follow the pin may be another branch: then this device holds two commits at one place.
    fn suspect(&mut self, book: &mut Book, entries: &[CommitId]) -> bool {
        for entry in entries {
            let Some(making) = book.making(*entry) else { continue };
            let seq = book.seq(*entry);
            let Some(own) = self.chain.get(seq).copied().filter(|own| own != entry) else { continue };
            if self.chain[seq - 1] != making.parent {
                continue;
            }
            let before = self.state_at(book, making.parent, self.account);
            let follows = before.map(|before| book.follow(before, *entry, self.account));
            if matches!(follows, Some(Ok(_))) {
                self.fork = Some(Fork::Commits(own, *entry));
                return true;
            }
        }
        false
    }

    /// Takes the next link of the account's log and judges by it what it has pinned.
    pub(super) fn learn(&mut self, book: &mut Book, link: LinkId, without: Without) -> bool {
        if !book.continues(link, self.account) {
            return false;
        }
        self.account = link;
        let chain = self.chain.clone();
        if self.standing(book, self.pin, &chain, without) == Standing::Wrong && self.fork.is_none() {
            self.fork = Some(Fork::Revoked);
        }
        true
    }

    /// Compares a head that another device has pinned with its own chain; gives whether anything changed.
    pub(super) fn meet(&mut self, book: &Book, head: CommitId) -> bool {
        if self.fork.is_some() {
            return false;
        }
        match self.chain.get(book.seq(head)) {
            Some(own) if *own == head => false,
            Some(own) => {
                self.fork = Some(Fork::Commits(*own, head));
                true
            }
            None => self.claims.insert(head),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Sound,
    Withheld,
    Wrong,
}

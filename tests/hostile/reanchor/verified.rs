//! What the real verifier says of the chains in a [`Book`], each asked once for each state of the account's log.

use std::rc::Rc;

use lockstep_proto::log::*;

use super::book::{Book, CommitId, GENESIS, LinkId};

impl Book {
    /// The epoch that the log names beyond the chain's.
    pub(super) fn is_raise_due(&mut self, head: CommitId, log: LinkId) -> bool {
        let Some(state) = self.state(head, log) else { return false };
        self.account(log).vaults()[&state.vault_id()].epoch > state.epoch()
    }

    pub(super) fn state(&mut self, head: CommitId, log: LinkId) -> Option<Rc<VaultState>> {
        if let Some(state) = self.states.get(&(head, log)) {
            return state.clone();
        }
        let state = match self.parent(head) {
            None => VaultState::from_genesis(&self.made(head).entry, self.account(log)).ok(),
            Some(parent) => {
                let before = self.state(parent, log);
                before.and_then(|before| self.after(&before, parent, head, self.account(log)))
            }
        };
        let state = state.map(Rc::new);
        self.states.insert((head, log), state.clone());
        state
    }

    fn after(
        &self,
        before: &VaultState,
        parent: CommitId,
        commit: CommitId,
        account: &AccountState,
    ) -> Option<VaultState> {
        let entry = &self.made(commit).entry;
        if let CommitBody::Content(body) = &entry.body {
            self.made(parent).leaves.check(&body.changes).ok()?;
        }
        before.apply(entry, account).ok()
    }

    /// Whether every commit of the chain is valid, whatever else the chain must have.
    pub(super) fn is_valid(&mut self, head: CommitId, log: LinkId) -> bool {
        self.state(head, log).is_some()
    }

    /// Whether a device with this log takes the chain: every commit is valid, and it has every commit that it must
    /// have.
    pub(super) fn is_whole(&mut self, head: CommitId, log: LinkId) -> bool {
        if let Some(is_whole) = self.whole.get(&(head, log)) {
            return *is_whole;
        }
        let state = self.state(head, log);
        let is_whole = state.is_some_and(|state| self.has_cut_offs(head, &state, self.account(log)));
        self.whole.insert((head, log), is_whole);
        is_whole
    }

    fn has_cut_offs(&self, head: CommitId, state: &VaultState, account: &AccountState) -> bool {
        let Ok(cut_offs) = state.cut_offs(account) else { return false };
        let mut needed = cut_offs.contained.iter().chain(state.pending_cut_offs());
        needed.all(|cut_off| self.has_head(head, cut_off))
    }

    /// The same as if a link had accepted it that nobody has signed yet.
    pub(super) fn would_be_whole(&self, fork: CommitId, head: CommitId, log: LinkId) -> bool {
        let known = self.assumed.borrow().get(&(fork, head, log)).copied();
        let is_whole = known.unwrap_or_else(|| self.assumes(fork, head, log));
        self.assumed.borrow_mut().insert((fork, head, log), is_whole);
        is_whole
    }

    fn assumes(&self, fork: CommitId, head: CommitId, log: LinkId) -> bool {
        let account = self.account(log).assuming(&[self.anchor(fork, head, false)]);
        let genesis = VaultState::from_genesis(&self.made(GENESIS).entry, &account).ok();
        let state = self
            .chain(head)
            .windows(2)
            .try_fold(genesis, |before, pair| self.after(&before?, pair[0], pair[1], &account).map(Some));
        state.flatten().is_some_and(|state| self.has_cut_offs(head, &state, &account))
    }

    /// Whether the chain's every commit of the lost device is at or below its cut-off, as if nothing had been accepted.
    pub(super) fn is_within_cut_off(&self, head: CommitId, log: LinkId) -> bool {
        let Some(cut_off) = self.cut_off(log) else { return true };
        let mut by_lost = self.chain(head).iter().filter(|at| self.made(**at).by_lost);
        by_lost.all(|at| self.is_covered(head, *at, cut_off))
    }

    fn is_covered(&self, head: CommitId, commit: CommitId, cut_off: CommitId) -> bool {
        self.has(head, cut_off) && self.seq(commit) <= self.seq(cut_off)
    }

    /// Whether a commit of the chain is distrusted by any head that was accepted on it.
    pub(super) fn is_distrusted(&self, head: CommitId, commit: CommitId, log: LinkId) -> bool {
        let key = (head, commit, log);
        let known = self.distrusted.borrow().get(&key).copied();
        let is_distrusted = known.unwrap_or_else(|| self.distrusts(head, commit, log));
        self.distrusted.borrow_mut().insert(key, is_distrusted);
        is_distrusted
    }

    fn distrusts(&self, head: CommitId, commit: CommitId, log: LinkId) -> bool {
        let value = self.made(commit).entry.commit.value();
        let has = |wanted: &LogHead| self.has_head(head, wanted);
        let account = self.account(log);
        let anchors = account.anchors(&value.vault_id).iter();
        let mut anchors = anchors.filter(|anchored| has(&anchored.head));
        let by = &value.author_device;
        anchors.any(|anchored| account.distrusts((&value.vault_id, anchored), by, value.seq, has))
    }

    /// Whether whoever removed its author by this log, if anybody did, had seen it, and it is not distrusted.
    pub(super) fn counts(&self, head: CommitId, commit: CommitId, log: LinkId) -> bool {
        let cut_off = self.cut_off(log).filter(|_| self.made(commit).by_lost);
        let is_covered = cut_off.is_none_or(|cut_off| self.is_covered(head, commit, cut_off));
        is_covered && !self.is_distrusted(head, commit, log)
    }

    /// Heads that active devices have said they have seen, and the chain lacks.
    pub(super) fn lacks_claimed(&self, head: CommitId, log: LinkId) -> bool {
        let known = self.claims.borrow().get(&(head, log)).copied();
        let lacks = known.unwrap_or_else(|| self.lacks_said(head, log));
        self.claims.borrow_mut().insert((head, log), lacks);
        lacks
    }

    fn lacks_said(&self, head: CommitId, log: LinkId) -> bool {
        let vault_id = vault_id_of(&self.commits[0].entry.commit);
        let mut said = self.account(log).witnessed(&vault_id);
        said.any(|(_, claimed)| claimed != LogHead::default() && !self.has_head(head, &claimed))
    }
}

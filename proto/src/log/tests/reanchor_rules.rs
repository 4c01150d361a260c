//! Re-anchoring: what the link may say, what it lets a chain have, and what it makes distrusted.

use super::every_kind::busy_account;
use super::fixture::*;
use crate::ids::{Epoch, Seq, VaultId};
use crate::log::*;

/// A vault that forked: the server was restored to a backup and went on, while the phone removed the tablet on the
/// other branch.
struct Forked {
    /// Before the removal.
    before: TestAccount,
    /// After it.
    account: TestAccount,
    fork: TestVault,
    /// What the server had before it was restored.
    lost: TestVault,
    /// What it has now.
    served: TestVault,
}

impl Forked {
    fn new() -> Self {
        let (mut before, mut fork) = busy_account();
        fork.write(&before.state, "laptop", &[("bank", "bank 1"), ("mail", "mail 1")]);
        before.heads.insert(fork.id(), fork.state.head());
        let mut lost = fork.clone();
        lost.write(&before.state, "tablet", &[("bank", "bank 2")]);
        let account = removed(&before, "phone", "tablet", &lost);
        let mut served = fork.clone();
        served.write(&before.state, "laptop", &[("mail", "mail 2")]);
        Self { before, account, fork, lost, served }
    }

    fn anchor(&self) -> Anchor {
        let (fork, head) = (self.fork.state.head(), self.served.state.head());
        Anchor { vault_id: self.fork.id(), fork, head, distrusted: Distrusted::default() }
    }

    /// What a removed device writes on the branch that does not know of it.
    fn tablet_writes(&mut self, changes: &[(&str, &str)]) {
        let entry = self.served.content(&self.before.state, "tablet", changes);
        self.served.accept(&entry, &self.before.state);
    }

    fn link(&self, anchors: Vec<Anchor>) -> AccountLink {
        let mut account = self.account.clone();
        for anchor in &anchors {
            account.heads.insert(anchor.vault_id, anchor.head);
        }
        account.heads.retain(|vault_id, _| self.account.heads.contains_key(vault_id));
        account.link("laptop", LinkBody::Reanchor(Reanchor { vaults: anchors }))
    }

    /// The account goes on from what the server has.
    fn accept(&mut self) {
        let link = self.link(vec![self.anchor()]);
        self.account.accept(link, "laptop");
        self.account.heads.insert(self.fork.id(), self.served.state.head());
    }
}

/// Verifies a chain from its genesis.
fn verified(chain: &TestVault, account: &AccountState) -> Result<VaultState, CommitError> {
    let mut state = VaultState::from_genesis(&chain.entries[0], account)?;
    for entry in &chain.entries[1..] {
        state = state.apply(entry, account)?;
    }
    Ok(state)
}

fn chain_has(chain: &TestVault) -> impl Fn(&LogHead) -> bool + '_ {
    |head| chain.entries.iter().any(|entry| entry.commit.value().head(entry.commit.hash()) == *head)
}

#[test]
fn an_account_goes_on_from_the_history_that_was_accepted() {
    let mut forked = Forked::new();
    forked.tablet_writes(&[("bank", "bank 3")]);
    forked.served.write(&forked.before.state, "laptop", &[("mail", "mail 3")]);
    let denied = CommitError::Author(device_id("tablet"));
    assert_eq!(verified(&forked.served, &forked.account.state).unwrap_err(), denied);
    // Before somebody signs that it is accepted it is verified as if it were.
    let assumed = forked.account.state.assuming(&[forked.anchor()]);
    let state = verified(&forked.served, &assumed).unwrap();
    assert!(state.pending_cut_offs().is_empty());
    forked.accept();
    let state = verified(&forked.served, &forked.account.state).unwrap();
    assert!(state.cut_offs(&forked.account.state).unwrap().contained.contains(&state.head()));
    // It goes on under all the rules there are.
    let go_on = forked.served.content(&forked.account.state, "laptop", &[("mail", "mail 4")]);
    forked.served.accept(&go_on, &forked.account.state);
    let late = forked.served.content(&forked.before.state, "tablet", &[("bank", "bank 4")]);
    assert_eq!(forked.served.attempt(&late, &forked.account.state).map(drop).unwrap_err(), denied);
}

#[test]
fn a_chain_that_lacks_the_accepted_head_is_not_the_accounts() {
    let mut forked = Forked::new();
    forked.tablet_writes(&[("bank", "bank 3")]);
    let short = forked.served.clone();
    forked.served.write(&forked.before.state, "laptop", &[("mail", "mail 3")]);
    let mut other = short.clone();
    other.write(&forked.before.state, "laptop", &[("mail", "another")]);
    forked.accept();
    let (account, head) = (&forked.account.state, forked.served.state.head());
    // It ends before the head: what the removed device wrote waits for it.
    let state = verified(&short, account).unwrap();
    assert_eq!(state.pending_cut_offs().iter().collect::<Vec<_>>(), [&head]);
    // It has another commit there.
    let cut_off = CommitError::CutOff { seq: head.seq, hash: head.hash };
    assert_eq!(verified(&other, account).unwrap_err(), cut_off);
    // What was verified before is judged again: the branch that was given up must have the head, and cannot.
    assert!(forked.lost.state.cut_offs(account).unwrap().contained.contains(&head));
}

#[test]
fn what_a_removed_device_wrote_where_its_remover_could_not_see_it_is_distrusted() {
    let mut forked = Forked::new();
    forked.tablet_writes(&[("bank", "bank 3")]);
    let written = forked.served.state.head().seq;
    forked.accept();
    let vault_id = forked.fork.id();
    let (tablet, laptop) = (device_id("tablet"), device_id("laptop"));
    let [anchored] = forked.account.state.anchors(&vault_id) else { panic!("one anchor") };
    let has = chain_has(&forked.served);
    assert!(forked.account.state.distrusts((&vault_id, anchored), &tablet, written, &has));
    assert!(!forked.account.state.distrusts((&vault_id, anchored), &laptop, written, &has));
    assert!(!forked.account.state.distrusts(
        (&vault_id, anchored),
        &tablet,
        forked.fork.state.head().seq,
        &has
    ));
    assert!(!forked.account.state.distrusts((&vault_id, anchored), &tablet, anchored.head.seq.next(), &has));
    // A later removal with a cut-off on this chain makes nothing trustworthy.
    let rekey = forked.account.rekey(RekeyReason::Lost, &["tablet"]);
    let mut account = forked.account.clone();
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let [anchored] = account.state.anchors(&vault_id) else { panic!("one anchor") };
    assert!(account.state.distrusts((&vault_id, anchored), &tablet, written, &has));
}

#[test]
fn what_a_remover_had_seen_on_this_chain_counts_unless_the_device_is_named() {
    let (mut before, mut chain) = busy_account();
    chain.write(&before.state, "tablet", &[("bank", "bank 1")]);
    before.heads.insert(chain.id(), chain.state.head());
    let fork = chain.clone();
    chain.write(&before.state, "tablet", &[("bank", "bank 2")]);
    let seen = chain.state.head();
    let mut account = removed(&before, "phone", "tablet", &chain);
    // The server has forgotten the removal.
    let entry = chain.content(&before.state, "tablet", &[("bank", "bank 3")]);
    chain.accept(&entry, &before.state);
    for (named, counts) in [(vec![], true), (vec![device_id("tablet")], false)] {
        let (vault_id, distrusted) = (chain.id(), Distrusted(named));
        let anchor = Anchor { vault_id, fork: fork.state.head(), head: chain.state.head(), distrusted };
        account.heads.insert(vault_id, anchor.head);
        account.push("laptop", LinkBody::Reanchor(Reanchor { vaults: vec![anchor] }));
        let anchored = account.state.anchors(&vault_id).last().unwrap();
        let has = chain_has(&chain);
        assert_eq!(
            !account.state.distrusts((&vault_id, anchored), &device_id("tablet"), seen.seq, &has),
            counts
        );
        assert!(account.state.distrusts(
            (&vault_id, anchored),
            &device_id("tablet"),
            chain.state.head().seq,
            &has
        ));
        assert!(!account.state.distrusts(
            (&vault_id, anchored),
            &device_id("tablet"),
            fork.state.head().seq,
            &has
        ));
    }
}

#[test]
fn what_both_histories_have_beyond_a_cut_off_is_distrusted() {
    let (mut before, mut chain) = busy_account();
    before.heads.insert(chain.id(), chain.state.head());
    let cut_off = chain.state.head();
    let mut account = removed(&before, "phone", "tablet", &chain);
    // The server has forgotten the removal, and the laptop does not know of it yet: its own history has this, too.
    let entry = chain.content(&before.state, "tablet", &[("bank", "bank 3")]);
    chain.accept(&entry, &before.state);
    let (vault_id, head) = (chain.id(), chain.state.head());
    let anchor = Anchor { vault_id, fork: head, head, distrusted: Distrusted::default() };
    account.heads.insert(vault_id, head);
    account.push("laptop", LinkBody::Reanchor(Reanchor { vaults: vec![anchor] }));
    let anchored = account.state.anchors(&vault_id).last().unwrap();
    let distrusts =
        |seq| account.state.distrusts((&vault_id, anchored), &device_id("tablet"), seq, chain_has(&chain));
    assert!(distrusts(head.seq) && !distrusts(cut_off.seq));
}

#[test]
fn a_removed_devices_members_and_keys_are_followed_up_to_the_accepted_head() {
    let mut forked = Forked::new();
    let mut rotated = forked.before.clone();
    rotated.name_epoch("tablet");
    // The account's log did not fork: the rotation came before the removal.
    forked.before = rotated;
    let mut account = removed(&forked.before, "phone", "tablet", &forked.lost);
    let control = forked.served.control(&forked.before.state, "tablet", Epoch(2));
    forked.served.accept(&control, &forked.before.state);
    let anchor = forked.anchor();
    let (chain, head) = (forked.served.clone(), anchor.head);
    assert_eq!(verified(&chain, &account.state).unwrap_err(), CommitError::Author(device_id("tablet")));
    account.heads.insert(chain.id(), head);
    account.push("laptop", LinkBody::Reanchor(Reanchor { vaults: vec![anchor] }));
    assert_eq!(verified(&chain, &account.state).unwrap().epoch(), Epoch(2));
    let again = chain.control(&forked.before.state, "tablet", Epoch(2));
    assert!(chain.attempt(&again, &account.state).is_err());
}

#[test]
pub(crate) fn a_reanchor_says_what_it_may_say() {
    let forked = Forked::new();
    let anchor = forked.anchor();
    let next = forked.account.attempt(forked.link(vec![anchor.clone()]), "laptop").unwrap();
    assert_eq!(next.anchors(&anchor.vault_id).len(), 1);
    // A server that was restored and not written to, whose branch goes on from nothing.
    let same = Anchor { fork: anchor.head, ..anchor.clone() };
    forked.account.attempt(forked.link(vec![same]), "laptop").unwrap();
    let refused = |anchors: Vec<Anchor>, rule: &'static str| {
        let found = forked.account.attempt(forked.link(anchors), "laptop");
        assert_eq!(found.unwrap_err(), LinkError::Rule(rule));
    };
    refused(vec![], "a reanchor names a vault");
    let stranger = Anchor { vault_id: VaultId([9; 32]), ..anchor.clone() };
    refused(vec![stranger], "a reanchor names vaults of the account");
    let above = LogHead { seq: anchor.head.seq.next(), hash: named("above") };
    let beside = LogHead { hash: named("beside"), ..anchor.head };
    for fork in [above, beside] {
        refused(vec![Anchor { fork, ..anchor.clone() }], "an accepted head is not before the fork");
    }
    for name in ["phone", "nobody"] {
        let distrusted = Distrusted(vec![device_id(name)]);
        refused(vec![Anchor { distrusted, ..anchor.clone() }], "who is distrusted was removed before");
    }
    // Heads that do not name it.
    let mut link = forked.link(vec![anchor.clone()]);
    link.heads[0].head.seq = Seq(link.heads[0].head.seq.0 + 1);
    let found = forked.account.attempt(link, "laptop").unwrap_err();
    assert_eq!(found, LinkError::Rule("heads name what is accepted"));
    // By who may not.
    let mut link = forked.link(vec![anchor.clone()]);
    link.signer = Signer::Device(device_id("tablet"));
    assert_eq!(forked.account.attempt(link, "tablet").unwrap_err(), LinkError::Signer);
    for (signer, key) in [(Signer::Recovery, "anna rk 1"), (Signer::Enrolment, "anna esk 1")] {
        let mut link = forked.link(vec![anchor.clone()]);
        link.signer = signer;
        assert_eq!(forked.account.attempt(link, key).unwrap_err(), LinkError::Signer);
    }
}

//! Heal commits: which two branches become one chain.

use super::fixture::*;
use crate::ids::{Epoch, Hash, Seq};
use crate::log::*;
use crate::sign::Signed;

/// Two devices, and a vault with three commits; rekeys have named its epochs 2 and 3.
fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    vault.write(&account.state, "phone", &[("mail", "mail 1")]);
    (account, vault)
}

/// The same with a longer branch of the laptop's and a shorter one of the phone's.
fn forked() -> (TestAccount, TestVault, TestVault) {
    let (account, vault) = home();
    let (mut side, mut chain) = (vault.clone(), vault);
    for content in ["bank 2", "bank 3", "bank 4"] {
        side.write(&account.state, "laptop", &[("bank", content)]);
    }
    chain.write(&account.state, "phone", &[("mail", "mail 2"), ("new", "new 1")]);
    (account, side, chain)
}

#[test]
fn a_heal_keeps_the_chains_items_and_covers_both_branches() {
    let (account, side, mut chain) = forked();
    let before = chain.state.clone();
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    let line = chain.join(&heal, &[&side], &account.state);
    assert_eq!(line.state().head(), heal.commit.value().head(heal.commit.hash()));
    assert_eq!(line.state().head().seq, Seq(6), "one above both, so that no position goes down");
    assert_eq!((line.state().digest(), line.state().live()), (before.digest(), before.live()));
    for entry in side.entries.iter().chain(&chain.entries) {
        assert!(line.covers(&entry.commit.value().head(entry.commit.hash())));
        assert!(!line.is_void(&entry.commit.hash()));
    }
    assert_eq!(line.beside().len(), 3);
    assert_eq!((line.hash_at(Seq(4)), line.hash_at(Seq(3))), (None, Some(before.head().hash)));
    let last = line.items()[&item_id("mail")];
    assert_eq!(
        (last.leaf, last.seq, last.is_void),
        (*chain.leaves.leaf(&item_id("mail")).unwrap(), Seq(3), false)
    );
    chain.write(&account.state, "phone", &[("bank", "bank 5")]);
    assert_eq!(chain.state.head().seq, Seq(7));
    let kept = VaultState::from_checkpoint(&chain.state.to_checkpoint());
    assert_eq!(kept.as_ref(), Ok(&chain.state));
    assert_eq!(chain.state.joins().len(), 1);
}

#[test]
fn members_and_epoch_are_the_sides() {
    let (account, mut side, mut chain) = forked();
    let control = side.control(&account.state, "laptop", Epoch(2));
    side.accept(&control, &account.state);
    let heal = chain.heal(&account.state, "phone", &side, 2);
    let line = chain.join(&heal, &[&side], &account.state);
    let state = line.state();
    assert_eq!((state.epoch(), state.vault_key_commit()), (Epoch(2), side.state.vault_key_commit()));
    assert_eq!((state.charter(), state.control()), (side.state.control(), state.head()));
    assert_eq!(state.control_before(), side.state.control_before(), "what slots were sealed for");
    chain.write(&account.state, "phone", &[("bank", "bank 5")]);
    let control = chain.control(&account.state, "laptop", Epoch(3));
    chain.accept(&control, &account.state);

    let sides = sides_of(&[&side]);
    let named: Vec<&Entry> =
        chain.entries.iter().filter(|entry| !matches!(entry.body, CommitBody::Content(_))).collect();
    let lineage = lineage(named, &sides, chain.state.control().hash).unwrap();
    assert_eq!(lineage.len(), 4, "genesis, the side's control commit, the heal, the last control commit");
    let genesis = VaultState::from_genesis(lineage[0], &account.state).unwrap();
    let skimmed = lineage[1..].iter().try_fold(genesis, |state, entry| state.skip_to(entry, &account.state));
    let skimmed = skimmed.unwrap();
    assert_eq!((skimmed.head(), skimmed.epoch()), (chain.state.head(), chain.state.epoch()));
    assert_eq!((skimmed.members(), skimmed.digest()), (chain.state.members(), chain.state.digest()));
}

#[test]
fn where_the_side_changed_neither_members_nor_epoch_those_of_the_chain_stay() {
    let (account, side, mut chain) = forked();
    let control = chain.control(&account.state, "phone", Epoch(2));
    chain.accept(&control, &account.state);
    chain.write(&account.state, "phone", &[("mail", "mail 3")]);
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    let refused = chain.line(&heal, &[&side], &account.state).err();
    assert!(matches!(refused, Some(CommitError::Rule(_))), "the side's is not taken: {refused:?}");
    let heal = resign(&heal, "laptop", |commit| {
        (commit.epoch, commit.control_hash) = (Epoch(2), control.commit.hash());
    });
    let before = chain.state.clone();
    let line = chain.join(&heal, &[&side], &account.state);
    let state = line.state();
    assert_eq!((state.epoch(), state.vault_key_commit()), (Epoch(2), before.vault_key_commit()));
    assert_eq!((state.charter(), state.control()), (before.control(), state.head()));
    assert_eq!((state.members(), state.prev_vault_key()), (before.members(), before.prev_vault_key()));
    assert_eq!(state.control_before(), before.control_before());
    chain.write(&account.state, "laptop", &[("bank", "bank 5")]);

    let lineage = |vault: &TestVault| {
        let control = vault.entries.iter().filter(|entry| !matches!(entry.body, CommitBody::Content(_)));
        let none = Sides::default();
        let entries = lineage(control, &none, vault.state.control().hash).unwrap();
        entries.into_iter().map(|entry| entry.commit.hash()).collect::<Vec<_>>()
    };
    let named = [&chain.entries[0], &control, &heal].map(|entry| entry.commit.hash());
    assert_eq!(lineage(&chain), named);
    let skimmed = VaultState::from_genesis(&chain.entries[0], &account.state)
        .and_then(|state| state.skip_to(&control, &account.state))
        .and_then(|state| state.skip_to(&heal, &account.state));
    assert_eq!(skimmed.map(|state| (state.epoch(), state.head())), Ok((Epoch(2), line.state().head())));
}

#[test]
fn branches_that_have_each_changed_members_or_epoch_are_not_joined() {
    let (account, mut side, mut chain) = forked();
    let control = chain.control(&account.state, "phone", Epoch(2));
    chain.accept(&control, &account.state);
    let other = side.control(&account.state, "laptop", Epoch(1));
    side.accept(&other, &account.state);
    for (epoch, control) in [(Epoch(1), &other), (Epoch(2), &control)] {
        let heal = chain.heal(&account.state, "laptop", &side, 2);
        let heal = resign(&heal, "laptop", |commit| {
            (commit.epoch, commit.control_hash) = (epoch, control.commit.hash());
        });
        assert!(matches!(chain.line(&heal, &[&side], &account.state), Err(CommitError::Rule(_))));
        // Nor with a second heal after it, which joins nothing more.
        let mut twice = chain.clone();
        twice.entries.push(heal.clone());
        let named = head(&heal);
        let body = CommitBody::Heal(HealBody { fork: named, side: named, side_control_hash: named.hash });
        let hash = body.hash();
        let mut again = resign(&heal, "laptop", |commit| {
            (commit.seq, commit.prev_hash, commit.body_hash) = (commit.seq.next(), named.hash, hash);
        });
        again.body = body;
        assert!(twice.line(&again, &[&side, &twice], &account.state).is_err());
    }
}

#[test]
fn every_field_of_a_heal_is_verified() {
    let (account, side, chain) = forked();
    let honest = chain.heal(&account.state, "laptop", &side, 2);
    let CommitBody::Heal(body) = honest.body else { panic!() };
    assert!(chain.line(&honest, &[&side], &account.state).is_ok());
    type ChangeBody = fn(&mut HealBody, &TestVault);
    type ChangeCommit = fn(&mut Commit);
    let bodies: [(&str, ChangeBody); 7] = [
        ("an earlier fork", |body, side| body.fork = head(&side.entries[1])),
        ("a fork that is not on the chain", |body, side| body.fork = head(&side.entries[3])),
        ("a fork at another position", |body, _| body.fork.seq = Seq(1)),
        ("an earlier head of the side", |body, side| body.side = head(&side.entries[4])),
        ("a head at a lower position", |body, _| body.side.seq = Seq(4)),
        ("a head at a higher position", |body, _| body.side.seq = Seq(6)),
        ("another control state", |body, _| body.side_control_hash = named("another")),
    ];
    for (what, change) in bodies {
        let mut other = body;
        change(&mut other, &side);
        let body = CommitBody::Heal(other);
        let mut commit = honest.commit.value().clone();
        commit.body_hash = body.hash();
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        assert!(chain.line(&entry, &[&side], &account.state).is_err(), "{what}");
    }
    let fields: [(&str, ChangeCommit); 9] = [
        ("a gap", |commit| commit.seq = Seq(7)),
        ("no gap", |commit| commit.seq = Seq(4)),
        ("another commit before", |commit| commit.prev_hash = named("another")),
        ("another epoch", |commit| commit.epoch = Epoch(2)),
        ("another control state", |commit| commit.control_hash = Hash::ZERO),
        ("another digest", |commit| commit.digest = Default::default()),
        ("another count", |commit| commit.live += 1),
        ("another count of tombstones", |commit| commit.tombstones += 1),
        ("another vault", |commit| commit.vault_id = named("another").into()),
    ];
    for (what, change) in fields {
        let entry = resign(&honest, "laptop", change);
        assert!(chain.line(&entry, &[&side], &account.state).is_err(), "{what}");
    }
    let stranger = resign(&honest, "stranger", |_| ());
    assert!(matches!(chain.line(&stranger, &[&side], &account.state), Err(CommitError::Signature(_))));
}

#[test]
fn a_side_that_lacks_a_commit_is_named() {
    let (account, side, chain) = forked();
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    let mut short = side.clone();
    let gone = short.entries.remove(4);
    let missing = Some(CommitError::SideMissing(gone.commit.hash()));
    assert_eq!(chain.line(&heal, &[&short], &account.state).err(), missing);
    assert_eq!(chain.state.apply(&heal, &account.state), Err(CommitError::Heal));
}

#[test]
fn a_side_is_verified_commit_by_commit() {
    let (account, side, chain) = forked();
    let mut wrong = side.clone();
    wrong.entries[3] = resign(&side.entries[3], "laptop", |commit| commit.digest = Default::default());
    for index in 4..=5 {
        let before = wrong.entries[index - 1].commit.hash();
        wrong.entries[index] = resign(&side.entries[index], "laptop", |commit| commit.prev_hash = before);
    }
    wrong.state = VaultState::from_genesis(&wrong.entries[0], &account.state).unwrap();
    let mut heal = chain.heal(&account.state, "laptop", &side, 2);
    let CommitBody::Heal(body) = &mut heal.body else { panic!() };
    body.side = head(&wrong.entries[5]);
    let named = heal.body.hash();
    let heal = resign(&heal, "laptop", |commit| commit.body_hash = named);
    assert_eq!(chain.line(&heal, &[&wrong], &account.state).err(), Some(CommitError::Digest));
}

#[test]
fn an_authors_position_goes_back_on_neither_branch() {
    let (mut account, mut side, chain) = forked();
    let early = account.state.clone();
    account.push("laptop", LinkBody::SecurityVersion(2));
    side.write(&account.state, "laptop", &[("bank", "bank 5")]);
    let heal = chain.heal(&early, "laptop", &side, 2);
    let refused = chain.line(&heal, &[&side], &account.state).err();
    assert_eq!(
        refused,
        Some(CommitError::PositionBack { found: early.head().seq, known: account.state.head().seq })
    );
}

#[test]
fn a_device_that_is_further_along_the_side_joins_over_the_first_heal() {
    let (account, far, mut chain) = forked();
    let near = short(&far, 4, &account);
    let first = chain.heal(&account.state, "phone", &near, 2);
    let line = chain.join(&first, &[&near], &account.state);
    assert!(!line.covers(&far.state.head()));
    let second = chain.heal(&account.state, "laptop", &far, 2);
    let line = chain.join(&second, &[&far], &account.state);
    assert!(line.covers(&far.state.head()) && line.covers(&near.state.head()));
    assert_eq!(line.state().joins().len(), 2);
}

#[test]
fn of_two_restores_the_second_joins_a_branch_that_has_a_heal() {
    let (account, side, mut chain) = forked();
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    chain.join(&heal, &[&side], &account.state);
    chain.write(&account.state, "laptop", &[("bank", "bank 5")]);
    let (_, base) = home();
    let mut restored = base;
    restored.write(&account.state, "phone", &[("new", "another")]);
    let again = restored.heal(&account.state, "laptop", &chain, 2);
    let line = restored.join(&again, &[&chain, &side], &account.state);
    assert_eq!(line.state().joins().len(), 2);
    for entry in side.entries.iter().chain(&chain.entries) {
        assert!(line.covers(&head(entry)), "{}", entry.commit.value().seq);
    }
    let lacking = restored.entries.len() - 1;
    let chain_only = Line::verify(&restored.entries[..=lacking], &sides_of(&[&chain]), &account.state);
    assert!(matches!(chain_only, Err(CommitError::SideMissing(_))));
}

#[test]
fn a_heal_may_join_a_side_on_which_nothing_was_written() {
    let (account, vault) = home();
    let mut chain = vault.clone();
    chain.write(&account.state, "phone", &[("mail", "mail 2")]);
    let heal = chain.heal(&account.state, "laptop", &vault, 2);
    let line = chain.join(&heal, &[], &account.state);
    assert_eq!((line.beside().len(), line.state().head().seq), (0, Seq(4)));
}

fn head(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

/// The same chain, ending earlier.
fn short(vault: &TestVault, last: usize, account: &TestAccount) -> TestVault {
    let genesis = VaultState::from_genesis(&vault.entries[0], &account.state).unwrap();
    let entries = vault.entries[..=last].to_vec();
    let state = entries[1..].iter().try_fold(genesis, |state, entry| state.apply(entry, &account.state));
    TestVault { entries, state: state.unwrap(), leaves: vault.leaves.clone() }
}

#[test]
fn what_is_written_over_lies_between_fork_and_heal() {
    let (account, side, mut chain) = forked();
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    let line = chain.join(&heal, &[&side], &account.state);
    let join = &line.state().joins()[0];
    let over = (0..9).filter(|seq| join.is_over(Seq(*seq))).collect::<Vec<_>>();
    assert_eq!((join.fork.seq, join.heal.seq, over), (Seq(2), Seq(6), vec![3, 4, 5]));
}

#[test]
fn tombstones_are_counted_through_a_heal() {
    let (account, side, mut chain) = forked();
    let purge = chain.content(&account.state, "phone", &[("new", "nothing")]);
    let purge = resign(&purge, "phone", |commit| (commit.live, commit.tombstones) = (commit.live - 1, 1));
    chain.accept(&purge, &account.state);
    assert_eq!((chain.state.live(), chain.state.tombstones()), (2, 1));
    let heal = chain.heal(&account.state, "laptop", &side, 2);
    let line = chain.join(&heal, &[&side], &account.state);
    assert_eq!((line.state().live(), line.state().tombstones()), (2, 1));
}

#[test]
fn a_first_sync_follows_heals_forward_only() {
    let (account, mut side, mut chain) = forked();
    let control = side.control(&account.state, "laptop", Epoch(2));
    side.accept(&control, &account.state);
    let heal = chain.heal(&account.state, "phone", &side, 2);
    chain.join(&heal, &[&side], &account.state);
    let genesis = VaultState::from_genesis(&side.entries[0], &account.state).unwrap();
    let before = genesis.skip_to(&control, &account.state).unwrap();
    assert_eq!(before.skip_to(&heal, &account.state).unwrap().head(), chain.state.head());
    let CommitBody::Heal(honest) = heal.body else { panic!() };
    let at = |seq: u64, fork: u64, side: u64| {
        let body = CommitBody::Heal(HealBody {
            fork: LogHead { seq: Seq(fork), ..honest.fork },
            side: LogHead { seq: Seq(side), ..honest.side },
            ..honest
        });
        let mut commit = heal.commit.value().clone();
        (commit.seq, commit.body_hash) = (Seq(seq), body.hash());
        let entry = Entry { commit: Signed::sign(commit, &signing_key("phone")), body };
        before.skip_to(&entry, &account.state).map(|_| ())
    };
    assert_eq!((before.head().seq, honest.fork.seq, honest.side.seq), (Seq(6), Seq(2), Seq(6)));
    assert_eq!(at(7, 2, 6), Ok(()));
    assert_eq!(at(7, 6, 6), Ok(()), "nothing was written on it");
    for (seq, fork, side) in [(6, 2, 5), (5, 2, 4), (7, 2, 7), (7, 2, 8), (7, 6, 5)] {
        let refused = at(seq, fork, side);
        assert!(matches!(refused, Err(CommitError::Chain { .. })), "{seq} {fork} {side}: {refused:?}");
    }
}

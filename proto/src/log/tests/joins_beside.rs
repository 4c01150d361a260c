//! What a removed device wrote on the side of a heal, unseen by its remover: void there, and in nobody's way (R-AUTHOR 4).

use super::fixture::*;
use crate::log::*;

fn head(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

/// Before and after the phone was removed.
struct Accounts {
    before: TestAccount,
    after: TestAccount,
}

fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    (account, vault)
}

/// The laptop removes the phone, and has seen this of the vault.
fn without_phone(before: &TestAccount, seen: &TestVault) -> Accounts {
    Accounts { before: before.clone(), after: removed(before, "laptop", "phone", seen) }
}

/// The heal commit joined to the chain under what is known `after`, and `side` with it.
fn joined(accounts: &Accounts, chain: &mut TestVault, side: &TestVault, fork: usize) -> Line {
    let heal = chain.heal(&accounts.before.state, "tablet", side, fork);
    chain.join(&heal, &[side], &accounts.after.state)
}

#[test]
fn what_the_remover_had_not_seen_is_void_on_a_side_and_what_others_wrote_counts() {
    // The cut-off is below what the phone wrote on the side, at its position, and above it.
    for of_laptop in 0..4 {
        let (before, vault) = home();
        let (mut side, mut chain) = (vault.clone(), vault);
        side.write(&before.state, "phone", &[("bank", "unseen"), ("trap", "unseen")]);
        side.write(&before.state, "tablet", &[("note", "note 1")]);
        for index in 0..of_laptop {
            chain.write(&before.state, "laptop", &[("mail", &format!("mail {index}"))]);
        }
        let accounts = without_phone(&before, &chain);
        let line = joined(&accounts, &mut chain, &side, 1);
        let is_void = |entry: &Entry| line.is_void(&entry.commit.hash());
        assert_eq!(
            side.entries.iter().map(is_void).collect::<Vec<_>>(),
            [false, false, true, false],
            "{of_laptop}"
        );
        assert!(!chain.entries.iter().any(is_void) && line.items().values().all(|last| !last.is_void));
        assert!(side.entries.iter().all(|entry| line.covers(&head(entry))));
        assert!(line.state().pending_cut_offs().is_empty());
        let kept = VaultState::from_checkpoint(&line.state().to_checkpoint()).unwrap();
        let judged = kept.cut_offs(&accounts.after.state).unwrap();
        assert!(
            judged.contained.iter().all(|cut_off| line.covers(cut_off)) && judged.written_over.is_empty()
        );
        let last = kept.last_written(before.id(), device_id("phone"));
        assert_eq!(last, Some(side.entries[2].commit.value().seq), "that it wrote there stays known");
        chain.write(&accounts.after.state, "laptop", &[("bank", "bank 2")]);
    }
}

#[test]
fn what_the_remover_had_seen_counts_on_a_side_too() {
    let (before, vault) = home();
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&before.state, "phone", &[("bank", "seen")]);
    let near = side.clone();
    side.write(&before.state, "laptop", &[("mail", "mail 1")]);
    chain.write(&before.state, "tablet", &[("note", "note 1")]);
    // Removed by a device that is ahead of the joined branch: what it had counts once that is joined, too.
    let accounts = without_phone(&before, &side);
    let heal = chain.heal(&accounts.before.state, "tablet", &near, 1);
    let open = chain.line(&heal, &[&near], &accounts.after.state);
    assert!(matches!(open, Err(CommitError::CutOff { .. })), "{open:?}");
    chain.join(&heal, &[&near], &accounts.before.state);
    let heal = chain.heal(&accounts.after.state, "laptop", &side, 1);
    let line = chain.join(&heal, &[&near, &side], &accounts.after.state);
    assert!(!side.entries.iter().any(|entry| line.is_void(&entry.commit.hash())));
}

#[test]
fn a_chain_without_the_cut_off_is_refused_whatever_is_beside_it() {
    let (before, vault) = home();
    let (mut side, mut chain, mut elsewhere) = (vault.clone(), vault.clone(), vault);
    side.write(&before.state, "phone", &[("bank", "unseen")]);
    side.write(&before.state, "phone", &[("bank", "unseen again")]);
    chain.write(&before.state, "tablet", &[("note", "note 1")]);
    elsewhere.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let accounts = without_phone(&before, &elsewhere);
    let heal = chain.heal(&before.state, "tablet", &side, 1);
    let refused = chain.line(&heal, &[&side], &accounts.after.state).err();
    assert!(matches!(refused, Some(CommitError::Author(_) | CommitError::CutOff { .. })), "{refused:?}");
    chain.join(&heal, &[&side], &before.state);
    let heal = chain.heal(&accounts.after.state, "laptop", &elsewhere, 1);
    let line = chain.join(&heal, &[&side, &elsewhere], &accounts.after.state);
    assert!(line.is_void(&side.entries[2].commit.hash()) && line.covers(&elsewhere.state.head()));
}

#[test]
fn what_a_removed_device_wrote_between_heals_of_both_branches_is_in_nobodys_way() {
    let (before, vault) = home();
    let short = vault.clone();
    let (mut side, mut chain) = (vault.clone(), vault);
    let accounts = without_phone(&before, &chain);
    chain.write(&before.state, "phone", &[("bank", "unseen")]);
    side.entries.clone_from(&chain.entries);
    side.state = chain.state.clone();
    side.leaves = chain.leaves.clone();
    side.write(&before.state, "tablet", &[("note", "note 1")]);
    // The chain's own heal writes over what both branches share.
    let first = chain.heal(&accounts.after.state, "laptop", &short, 1);
    chain.join(&first, &[&short], &accounts.after.state);
    let heal = chain.heal(&accounts.after.state, "tablet", &side, 2);
    let line = chain.join(&heal, &[&short, &side], &accounts.after.state);
    assert!(line.is_void(&chain.entries[2].commit.hash()) && !line.is_void(&side.entries[3].commit.hash()));
    let kept = VaultState::from_checkpoint(&line.state().to_checkpoint()).unwrap();
    let judged = kept.cut_offs(&accounts.after.state).unwrap();
    assert!(judged.contained.iter().all(|cut_off| line.covers(cut_off)));
    assert_eq!(kept.last_written(before.id(), device_id("phone")), Some(chain.entries[2].commit.value().seq));
}

#[test]
fn what_the_remover_had_by_a_heal_counts_whoever_else_is_removed() {
    let (before, vault) = home();
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&before.state, "phone", &[("bank", "seen on a side")]);
    chain.write(&before.state, "tablet", &[("note", "seen on the chain")]);
    let heal = chain.heal(&before.state, "laptop", &side, 1);
    chain.join(&heal, &[&side], &before.state);
    let mut after = without_phone(&before, &chain).after;
    chain.write(&before.state, "laptop", &[("mail", "mail 1")]);
    after.heads.insert(chain.id(), chain.state.head());
    let rekey = after.rekey(RekeyReason::Lost, &["tablet"]);
    after.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let line = Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).unwrap();
    let by_both = [&side.entries[2], &chain.entries[2]].map(|entry| line.is_void(&entry.commit.hash()));
    assert_eq!(by_both, [false, false]);
}

#[test]
fn who_wrote_after_a_heal_that_both_branches_share_is_judged_as_ever() {
    let (before, vault) = home();
    let (mut far, mut trunk) = (vault.clone(), vault.clone());
    far.write(&before.state, "tablet", &[("far", "far 1")]);
    trunk.write(&before.state, "tablet", &[("note", "note 1")]);
    let heal = trunk.heal(&before.state, "laptop", &far, 1);
    trunk.join(&heal, &[&far], &before.state);
    trunk.write(&before.state, "phone", &[("bank", "bank 2")]);
    let fork = trunk.entries.len() - 1;
    let (mut side, mut chain) = (trunk.clone(), trunk);
    side.write(&before.state, "laptop", &[("mail", "mail 1")]);
    chain.write(&before.state, "tablet", &[("note", "note 2")]);
    let heal = chain.heal(&before.state, "laptop", &side, fork);
    let line = chain.join(&heal, &[&far, &side], &before.state);
    let after = without_phone(&before, &vault).after;
    assert_eq!(line.state().cut_offs(&after.state), Err(CommitError::Author(device_id("phone"))));
    assert!(Line::verify(&chain.entries, &sides_of(&[&far, &side]), &after.state).is_err());
}

#[test]
fn where_a_device_wrote_last_is_known_through_sides_of_sides() {
    let (account, vault) = home();
    let (mut far, mut side, mut chain) = (vault.clone(), vault.clone(), vault);
    far.write(&account.state, "laptop", &[("far", "far 1")]);
    far.write(&account.state, "phone", &[("far", "far 2")]);
    side.write(&account.state, "laptop", &[("mail", "mail 1")]);
    let inner = side.heal(&account.state, "laptop", &far, 1);
    side.join(&inner, &[&far], &account.state);
    chain.write(&account.state, "laptop", &[("note", "note 1")]);
    let heal = chain.heal(&account.state, "laptop", &side, 1);
    let line = chain.join(&heal, &[&far, &side], &account.state);
    let last = line.state().last_written(account.id(), device_id("phone"));
    assert_eq!(last, Some(far.state.head().seq));
}

#[test]
fn heals_of_both_branches_stay_known() {
    let (account, vault) = home();
    let [mut far, mut side, mut chain] = [(); 3].map(|()| vault.clone());
    far.write(&account.state, "laptop", &[("far", "far 1")]);
    for (branch, device) in [(&mut side, "laptop"), (&mut chain, "tablet")] {
        branch.write(&account.state, device, &[("note", device)]);
        let heal = branch.heal(&account.state, device, &far, 1);
        branch.join(&heal, &[&far], &account.state);
    }
    let heal = chain.heal(&account.state, "laptop", &side, 1);
    let line = chain.join(&heal, &[&far, &side], &account.state);
    let heals: Vec<LogHead> = line.state().joins().iter().map(|join| join.heal).collect();
    let made = [side.entries.last(), chain.entries.get(3), chain.entries.last()];
    let made: Vec<LogHead> = made.into_iter().flatten().map(head).collect();
    assert_eq!(heals.len(), 3);
    assert!(made.iter().all(|heal| heals.contains(heal)));
}

//! What heals on the sides of heals mean for the chain.

use super::fixture::*;
use crate::log::*;

fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let vault = account.add_vault("laptop", "home");
    (account, vault)
}

#[test]
fn the_last_commit_that_both_share_is_not_written_over() {
    let (before, mut vault) = home();
    vault.write(&before.state, "phone", &[("bank", "bank 1")]);
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let after = removed(&before, "laptop", "phone", &side);
    chain.write(&before.state, "phone", &[("trap", "trap")]);
    chain.write(&before.state, "phone", &[("trap", "trap again")]);
    let heal = chain.heal(&after.state, "laptop", &side, 1);
    let line = chain.join(&heal, &[&side], &after.state);
    assert!(!line.items()[&item_id("bank")].is_void && line.items()[&item_id("trap")].is_void);
    let is_void = |index: usize| line.is_void(&chain.entries[index].commit.hash());
    assert_eq!([0, 1, 2, 3, 4].map(is_void), [false, false, true, true, false]);
}

#[test]
fn a_heal_whose_side_lacks_the_cut_off_leaves_it_to_be_looked_for() {
    let (before, mut vault) = home();
    vault.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let (mut far, mut chain, short) = (vault.clone(), vault.clone(), vault);
    for content in ["mail 2", "mail 3", "mail 4", "mail 5"] {
        far.write(&before.state, "laptop", &[("mail", content)]);
    }
    let after = removed(&before, "laptop", "phone", &far);
    chain.write(&before.state, "phone", &[("bank", "below the cut-off, and not before it")]);
    let mut further = chain.clone();
    let heal = chain.heal(&after.state, "laptop", &short, 1);
    let line = chain.join(&heal, &[&short], &after.state);
    assert_eq!(line.state().pending_cut_offs().iter().collect::<Vec<_>>(), [&far.state.head()]);
    for content in ["note 1", "note 2", "note 3", "note 4"] {
        further.write(&before.state, "tablet", &[("note", content)]);
    }
    let heal = further.heal(&after.state, "laptop", &short, 1);
    let refused = further.line(&heal, &[&short], &after.state).err();
    let cut_off = far.state.head();
    assert_eq!(
        refused,
        Some(CommitError::CutOff { seq: cut_off.seq, hash: cut_off.hash }),
        "looked for and not found"
    );
    let heal = chain.heal(&after.state, "laptop", &far, 1);
    let line = chain.join(&heal, &[&far], &after.state);
    assert!(line.state().pending_cut_offs().is_empty() && line.items()[&item_id("bank")].is_void);
}

#[test]
fn what_was_written_before_a_cut_off_counts_though_the_side_has_joined_both() {
    let (before, vault) = home();
    let (mut side, mut chain) = (vault.clone(), vault);
    chain.write(&before.state, "phone", &[("bank", "bank 1")]);
    chain.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let after = removed(&before, "laptop", "phone", &chain);
    side.write(&before.state, "tablet", &[("note", "note 1")]);
    let near = chain.clone();
    let inner = side.heal(&after.state, "laptop", &near, 0);
    side.join(&inner, &[&near], &after.state);
    chain.write(&after.state, "laptop", &[("mail", "mail 2")]);
    let heal = chain.heal(&after.state, "tablet", &side, 0);
    let line = chain.join(&heal, &[&side, &near], &after.state);
    assert!(line.covers(&near.state.head()) && !line.items()[&item_id("bank")].is_void);
}

#[test]
fn a_heal_on_the_side_of_another_mends_what_a_third_one_does_not() {
    let (before, mut vault) = home();
    vault.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let (mut knowing, mut idle, mut chain) = (vault.clone(), vault.clone(), vault);
    knowing.write(&before.state, "laptop", &[("mail", "mail 2")]);
    let after = removed(&before, "laptop", "phone", &knowing);
    for content in ["of the thief", "of the thief again"] {
        chain.write(&before.state, "phone", &[("bank", content)]);
    }
    let mut mended = chain.clone();
    let inner = mended.heal(&after.state, "laptop", &knowing, 1);
    mended.join(&inner, &[&knowing], &after.state);
    idle.write(&before.state, "tablet", &[("note", "note 1")]);
    let idle_heal = chain.heal(&before.state, "tablet", &idle, 1);
    chain.join(&idle_heal, &[&idle], &before.state);
    // The side that knows of the removal leaves the chain after what the thief wrote; its own heal does so before.
    let heal = chain.heal(&after.state, "laptop", &mended, 3);
    let line = chain.join(&heal, &[&mended, &knowing, &idle], &after.state);
    assert!(line.items()[&item_id("bank")].is_void && line.covers(&knowing.state.head()));
}

#[test]
fn sides_lie_at_most_32_deep_within_sides() {
    let (account, base) = home();
    let mut branches = vec![base.clone()];
    let write = |vault: &mut TestVault, level: usize| {
        vault.write(&account.state, "tablet", &[("note", &format!("note {level}"))])
    };
    for level in 0..=32 {
        let mut restored = base.clone();
        write(&mut restored, level);
        let heal = restored.heal(&account.state, "laptop", branches.last().unwrap(), 0);
        let sides: Vec<_> = branches.iter().collect();
        match restored.line(&heal, &sides, &account.state) {
            Ok(_) => assert!(level < 32, "{level}"),
            Err(error) => {
                assert_eq!((level, error), (32, CommitError::Rule("sides lie too deep within sides")));
                return;
            }
        }
        restored.join(&heal, &sides, &account.state);
        branches.push(restored);
    }
    panic!("there is no bound");
}

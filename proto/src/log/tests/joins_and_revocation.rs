//! Heal commits and devices that were revoked: what the restored server forgot counts all the same (R-AUTHOR 4).

use super::fixture::*;
use crate::ids::Seq;
use crate::log::*;

/// A vault from which the phone was removed after the laptop wrote twice; what the restored server has, which forgot the
/// removal and took two more commits of the phone's and one of the tablet's; and the account before and after.
struct Scene {
    before: TestAccount,
    after: TestAccount,
    side: TestVault,
    chain: TestVault,
}

fn scene(written_before_removal: usize) -> Scene {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    vault.write(&account.state, "laptop", &[("mail", "mail 1")]);
    let (mut side, mut chain) = (vault.clone(), vault);
    for index in 0..written_before_removal {
        side.write(&account.state, "laptop", &[("mail", &format!("mail of the side {index}"))]);
    }
    account.heads.insert(side.id(), side.state.head());
    let before = account.clone();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    chain.write(&before.state, "tablet", &[("note", "note 1")]);
    chain.write(&before.state, "phone", &[("bank", "bank of a thief")]);
    chain.write(&before.state, "phone", &[("trap", "trap"), ("note", "note of a thief")]);
    chain.write(&before.state, "tablet", &[("note", "note 2")]);
    Scene { before, after: account, side, chain }
}

fn written_over(state: &VaultState, account: &TestAccount) -> Vec<(Seq, LogHead)> {
    state.cut_offs(&account.state).unwrap().written_over.into_iter().collect()
}

#[test]
fn what_it_wrote_after_its_cut_off_is_void_once_a_heal_brings_the_cut_off_back() {
    for written in [0, 1, 7] {
        let Scene { before, after, side, mut chain } = scene(written);
        let all = chain.entries.clone();
        assert!(Line::verify(&all, &Sides::default(), &before.state).is_ok());
        match Line::verify(&all, &Sides::default(), &after.state) {
            Ok(line) => assert!(written == 7 && !line.state().pending_cut_offs().is_empty(), "withheld"),
            Err(error) => assert!(matches!(error, CommitError::Author(_) | CommitError::CutOff { .. })),
        }
        let heal = chain.heal(&after.state, "laptop", &side, 2);
        let line = chain.join(&heal, &[&side], &after.state);
        let is_void = |item| line.items()[&item_id(item)].is_void;
        // With seven commits before the removal, what the phone wrote is at lower positions than its cut-off, but not
        // before it.
        assert_eq!(["bank", "trap", "note", "mail"].map(is_void), [true, true, false, false]);
        let cut_offs = line.state().cut_offs(&after.state).unwrap();
        let cut_off = side.state.head();
        match written {
            7 => assert!(cut_offs.contained.contains(&cut_off) && cut_offs.written_over.is_empty()),
            _ => assert_eq!(written_over(line.state(), &after), [(Seq(5), cut_off)]),
        }
    }
}

#[test]
fn where_a_device_wrote_last_is_known_after_a_heal_that_writes_over_it() {
    let Scene { after, side, mut chain, .. } = scene(1);
    let last = |state: &VaultState| {
        ["laptop", "phone", "tablet", "desk"].map(|device| state.last_written(after.id(), device_id(device)))
    };
    let before = last(&chain.state);
    assert_eq!(before, [Some(Seq(2)), Some(Seq(5)), Some(Seq(6)), None]);
    let heal = chain.heal(&after.state, "laptop", &side, 2);
    let line = chain.join(&heal, &[&side], &after.state);
    assert_eq!(last(line.state()), [Some(line.state().head().seq), before[1], before[2], None]);
}

#[test]
fn a_pinned_heal_is_judged_again_when_the_removal_is_learned_later() {
    let Scene { before, after, side, mut chain } = scene(1);
    let heal = chain.heal(&before.state, "laptop", &side, 2);
    let line = chain.join(&heal, &[&side], &before.state);
    assert!(!line.items()[&item_id("bank")].is_void);
    assert_eq!(written_over(line.state(), &after), [(Seq(5), side.state.head())]);
    let again = Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).unwrap();
    assert!(again.items()[&item_id("bank")].is_void);
    let kept = VaultState::from_checkpoint(&line.state().to_checkpoint()).unwrap();
    assert_eq!(written_over(&kept, &after), [(Seq(5), side.state.head())]);
}

#[test]
fn a_heal_whose_side_lacks_the_cut_off_mends_nothing() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "laptop", &[("mail", "mail 1")]);
    let (mut side, mut chain, short) = (vault.clone(), vault.clone(), vault);
    side.write(&account.state, "laptop", &[("mail", "mail 2")]);
    account.heads.insert(side.id(), side.state.head());
    let before = account.clone();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    for content in ["of the thief", "of the thief again"] {
        chain.write(&before.state, "phone", &[("bank", content)]);
    }
    let heal = chain.heal(&account.state, "laptop", &short, 1);
    let refused = chain.line(&heal, &[&side, &short], &account.state).err();
    assert!(matches!(refused, Some(CommitError::Author(_) | CommitError::CutOff { .. })), "{refused:?}");
    let heal = chain.heal(&account.state, "laptop", &side, 1);
    assert!(chain.line(&heal, &[&side], &account.state).is_ok());
}

#[test]
fn a_heal_whose_side_left_the_chain_before_the_cut_off_mends_nothing_after_it() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "laptop", &[("mail", "mail 1")]);
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&account.state, "tablet", &[("note", "note 1")]);
    chain.write(&account.state, "laptop", &[("mail", "mail 2")]);
    let seen = chain.clone();
    account.heads.insert(seen.id(), seen.state.head());
    let before = account.clone();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    chain.write(&before.state, "phone", &[("bank", "of the thief")]);
    let heal = chain.heal(&before.state, "tablet", &side, 1);
    let refused = chain.line(&heal, &[&side], &account.state).err();
    assert_eq!(refused, Some(CommitError::Author(device_id("phone"))));
    chain.join(&heal, &[&side], &before.state);
    // The remover's own does, though nothing is on its side.
    let heal = chain.heal(&account.state, "laptop", &seen, 2);
    let line = chain.join(&heal, &[&side], &account.state);
    assert!(line.items()[&item_id("bank")].is_void && line.covers(&side.state.head()));
}

#[test]
fn the_removed_device_neither_heals_nor_writes_after_it() {
    let Scene { before, after, side, mut chain } = scene(1);
    for position in [&before, &after] {
        let heal = chain.heal(&position.state, "phone", &side, 2);
        let refused = chain.line(&heal, &[&side], &after.state).err();
        assert!(matches!(refused, Some(CommitError::Author(_) | CommitError::CutOff { .. })), "{refused:?}");
    }
    let heal = chain.heal(&after.state, "laptop", &side, 2);
    chain.join(&heal, &[&side], &after.state);
    let late = chain.content(&before.state, "phone", &[("bank", "bank of a thief again")]);
    assert!(chain.line(&late, &[&side], &after.state).is_err());
    assert!(chain.state.apply(&late, &after.state).is_err());
}

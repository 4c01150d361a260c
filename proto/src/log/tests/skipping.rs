//! Chains of which only the control commits and the last one are at hand.

use super::fixture::*;
use crate::ids::{Epoch, Hash, Seq, VaultId};
use crate::log::*;

/// Content, a new epoch, content, a device more, content.
fn long() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "laptop", &[("bank", "bank 1"), ("mail", "mail 1")]);
    vault.write(&account.state, "laptop", &[("mail", "mail 2")]);
    account.name_epoch("laptop");
    let control = vault.control(&account.state, "laptop", Epoch(2));
    vault.accept(&control, &account.state);
    vault.write(&account.state, "laptop", &[("bank", "bank 2")]);
    account.add_device("laptop", "phone");
    vault.write(&account.state, "phone", &[("mail", "mail 3")]);
    vault.write(&account.state, "laptop", &[("shop", "shop 1")]);
    (account, vault)
}

fn skim(vault: &TestVault, indexes: &[usize], account: &TestAccount) -> Result<VaultState, CommitError> {
    let mut state = VaultState::from_genesis(&vault.entries[0], &account.state)?;
    for index in indexes {
        state = state.skip_to(&vault.entries[*index], &account.state)?;
    }
    Ok(state)
}

#[test]
fn control_commits_and_the_last_one_give_what_the_whole_chain_gives() {
    let (account, vault) = long();
    let skimmed = skim(&vault, &[3, 6], &account).unwrap();
    let whole = &vault.state;
    assert_eq!((skimmed.head(), skimmed.control()), (whole.head(), whole.control()));
    assert_eq!(skimmed.control_before(), whole.control_before());
    assert_eq!((skimmed.epoch(), skimmed.members()), (whole.epoch(), whole.members()));
    assert_eq!(skimmed.vault_key_commit(), whole.vault_key_commit());
    assert_eq!((skimmed.seed(), whole.seed()), (&named("home seed").0, &named("home seed").0));
    let counts = |state: &VaultState| (state.digest(), state.live(), state.tombstones());
    assert_eq!(counts(&skimmed), counts(whole));
    // And it goes on like the whole one.
    let next = vault.content(&account.state, "phone", &[("shop", "shop 2")]);
    let gone_on = skimmed.apply(&next, &account.state).unwrap();
    assert_eq!(gone_on.head(), whole.apply(&next, &account.state).unwrap().head());
    // With every commit at hand it is the whole chain.
    assert_eq!(skim(&vault, &[1, 2, 3, 4, 5, 6], &account).unwrap(), *whole);
}

#[test]
fn a_control_commit_cannot_be_left_out() {
    let (account, vault) = long();
    for indexes in [&[6][..], &[2, 6], &[1, 4]] {
        assert!(matches!(skim(&vault, indexes, &account), Err(CommitError::Epoch { .. })), "{indexes:?}");
    }
}

#[test]
fn going_back_or_to_another_place_is_refused() {
    let (account, vault) = long();
    assert!(matches!(skim(&vault, &[3, 3], &account), Err(CommitError::Chain { .. })));
    assert!(matches!(
        skim(&vault, &[3, 2], &account),
        Err(CommitError::Epoch { .. } | CommitError::Chain { .. })
    ));
    assert_eq!(skim(&vault, &[0], &account), Err(CommitError::Chain { expected: Seq(1), found: Seq(0) }));
    let state = skim(&vault, &[3], &account).unwrap();
    let elsewhere = resign(&vault.entries[6], "laptop", |commit| commit.vault_id = VaultId([9; 32]));
    assert_eq!(state.skip_to(&elsewhere, &account.state), Err(CommitError::Vault));
    // The very next commit must follow by its hash too.
    let beside = resign(&vault.entries[4], "laptop", |commit| commit.prev_hash = Hash([9; 32]));
    assert!(matches!(state.skip_to(&beside, &account.state), Err(CommitError::Chain { .. })));
}

#[test]
fn signature_author_and_role_are_verified() {
    let (mut account, vault) = long();
    let state = skim(&vault, &[3], &account).unwrap();
    let forged = resign(&vault.entries[6], "phone", |_| {});
    assert!(matches!(state.skip_to(&forged, &account.state), Err(CommitError::Signature(_))));
    let unknown = resign(&vault.entries[6], "tablet", |commit| commit.author_device = device_id("tablet"));
    assert!(matches!(state.skip_to(&unknown, &account.state), Err(CommitError::Author(_))));
    let other_body = Entry { body: vault.entries[5].body.clone(), ..vault.entries[6].clone() };
    assert_eq!(state.skip_to(&other_body, &account.state), Err(CommitError::Body));
    // A device that was revoked before this commit may not have written it.
    account.heads.insert(vault.id(), vault.entries[5].commit.value().head(vault.entries[5].commit.hash()));
    let rekey = account.rekey(RekeyReason::Lost, &["laptop"]);
    account.push("phone", LinkBody::Rekey(Box::new(rekey)));
    assert!(matches!(state.skip_to(&vault.entries[6], &account.state), Err(CommitError::Author(_))));
    // One that is its cut-off may: what lies above is refused.
    let cut_off = state.skip_to(&vault.entries[5], &account.state).unwrap();
    assert_eq!(cut_off.head().seq, Seq(5));
}

#[test]
fn a_cut_off_above_the_last_commit_stays_open() {
    let (mut account, vault) = long();
    account.heads.insert(vault.id(), vault.state.head());
    let rekey = account.rekey(RekeyReason::Lost, &["laptop"]);
    account.push("phone", LinkBody::Rekey(Box::new(rekey)));
    let state = skim(&vault, &[3, 4], &account).unwrap();
    assert_eq!(state.pending_cut_offs().iter().collect::<Vec<_>>(), [&vault.state.head()]);
    let state = state.skip_to(&vault.entries[6], &account.state).unwrap();
    assert!(state.pending_cut_offs().is_empty());
}

#[test]
fn a_cut_off_that_was_passed_over_is_left_to_whoever_has_the_whole_chain() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    for number in 2..7 {
        vault.write(&account.state, "laptop", &[("mail", &format!("mail {number}"))]);
    }
    let cut_off = vault.entries[4].commit.value().head(vault.entries[4].commit.hash());
    account.heads.insert(vault.id(), cut_off);
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let open = |indexes: &[usize]| -> Vec<LogHead> {
        skim(&vault, indexes, &account).unwrap().pending_cut_offs().iter().copied().collect()
    };
    assert_eq!(open(&[1]), [cut_off]);
    assert_eq!(open(&[1, 3]), [cut_off], "it lies ahead");
    assert_eq!(open(&[1, 4]), []);
    assert_eq!(open(&[1, 6]), [], "it was passed over");
}

#[test]
fn a_heal_passes_over_cut_offs_as_any_commit_does() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    let (mut side, mut chain) = (vault.clone(), vault.clone());
    side.write(&account.state, "laptop", &[("mail", "mail 1")]);
    chain.write(&account.state, "tablet", &[("note", "note 1")]);
    let heal = chain.heal(&account.state, "laptop", &side, 1);
    chain.join(&heal, &[&side], &account.state);
    let healed_at = chain.state.head();
    for seq in 2..=4 {
        let cut_off =
            LogHead { seq: Seq(seq), hash: if seq == 3 { healed_at.hash } else { named("cut-off") } };
        let mut account = account.clone();
        account.heads.insert(vault.id(), cut_off);
        let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
        account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
        let before = skim(&vault, &[1], &account).unwrap();
        assert_eq!(before.pending_cut_offs().iter().collect::<Vec<_>>(), [&cut_off]);
        let after = before.skip_to(&heal, &account.state).unwrap();
        let open: Vec<_> = after.pending_cut_offs().iter().copied().collect();
        assert_eq!(open, if seq == 4 { vec![cut_off] } else { Vec::new() }, "{seq}");
    }
}

#[test]
fn a_content_commit_without_a_change_is_passed_to_no_more_than_applied() {
    let (account, vault) = long();
    let body = CommitBody::Content(ContentBody { changes: Vec::new() });
    let commit = vault.commit(&account.state, "laptop", &body);
    let empty = Entry { commit: crate::sign::Signed::sign(commit, &signing_key("laptop")), body };
    let rule = Some(CommitError::Rule("a content commit changes something"));
    assert_eq!(vault.state.apply(&empty, &account.state).err(), rule);
    let skimmed = skim(&vault, &[3], &account).unwrap();
    assert_eq!(skimmed.skip_to(&empty, &account.state).err(), rule);
}

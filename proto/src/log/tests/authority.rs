//! R-AUTHOR.

use std::collections::{BTreeMap, BTreeSet};

use super::fixture::*;
use crate::ids::{Epoch, Seq, VaultId};
use crate::log::*;
use crate::sign::Signed;

/// A vault where laptop and phone have written, then phone is revoked at the vault's head.
pub(super) fn after_revocation() -> (TestAccount, TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    vault.write(&account.state, "laptop", &[("mail", "mail 1")]);
    account.heads.insert(vault.id(), vault.state.head());
    let before = account.clone();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    (before, account, vault)
}

fn replay(vault: &TestVault, accounts: &impl AccountStates) -> Result<VaultState, CommitError> {
    let genesis = VaultState::from_genesis(&vault.entries[0], accounts)?;
    vault.entries[1..].iter().try_fold(genesis, |state, entry| state.apply(entry, accounts))
}

#[test]
pub(super) fn what_a_revoked_device_wrote_up_to_the_cut_off_stays_valid() {
    let (_, account, vault) = after_revocation();
    let state = replay(&vault, &account.state).unwrap();
    assert!(state.pending_cut_offs().is_empty());
}

#[test]
pub(super) fn a_vault_says_where_each_device_wrote_last() {
    let (_, account, vault) = after_revocation();
    let last = |device| vault.state.last_written(account.id(), device_id(device));
    assert_eq!(["phone", "laptop", "tablet"].map(last), [Some(Seq(1)), Some(Seq(2)), None]);
}

#[test]
pub(super) fn a_revoked_device_writes_nothing_after_the_cut_off_whatever_position_it_names() {
    let (before, account, vault) = after_revocation();
    for position in [&before, &account] {
        let entry = vault.content(&position.state, "phone", &[("bank", "bank 2")]);
        assert_eq!(
            vault.attempt(&entry, &account.state).err(),
            Some(CommitError::Author(device_id("phone"))),
        );
    }
}

#[test]
pub(super) fn a_chain_that_ends_below_a_cut_off_is_pending_and_one_that_misses_it_is_refused() {
    let (before, account, mut vault) = after_revocation();
    let full = vault.clone();
    vault.entries.truncate(2);
    let state = replay(&vault, &account.state).unwrap();
    assert_eq!(state.pending_cut_offs().iter().next(), Some(&full.state.head()));

    let short = TestVault { state, ..vault };
    let branch = short.content(&before.state, "laptop", &[("mail", "another mail")]);
    assert!(matches!(
        short.state.apply(&branch, &account.state),
        Err(CommitError::CutOff { seq: Seq(2), .. })
    ));
}

#[test]
pub(super) fn an_author_position_that_is_not_known_is_withheld() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let behind = account.state.clone();
    account.push("laptop", LinkBody::SecurityVersion(2));
    let entry = vault.content(&account.state, "laptop", &[("bank", "bank 1")]);
    assert!(vault.attempt(&entry, &account.state).is_ok());
    let withheld = CommitError::Withheld { account_id: account.id(), needed: Seq(3) };
    assert_eq!(vault.attempt(&entry, &behind).err(), Some(withheld.clone()));
    assert_eq!(vault.attempt(&entry, &ClosedAccounts).err(), Some(withheld));
}

#[test]
pub(super) fn an_author_position_with_another_hash_is_refused() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 1")]);
    let other = resign(&honest, "laptop", |commit| commit.author_position.hash = named("fork"));
    assert_eq!(vault.attempt(&other, &account.state).err(), Some(CommitError::Position(Seq(2))));
}

#[test]
pub(super) fn an_author_position_never_goes_back_within_a_chain() {
    let mut account = TestAccount::new("anna", "laptop");
    let mut vault = account.add_vault("laptop", "home");
    let older = account.state.clone();
    account.push("laptop", LinkBody::SecurityVersion(2));
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    let back = vault.content(&older, "laptop", &[("bank", "bank 2")]);
    assert_eq!(
        vault.attempt(&back, &account.state).err(),
        Some(CommitError::PositionBack { found: Seq(2), known: Seq(3) })
    );
}

#[test]
pub(super) fn a_device_that_is_added_later_did_not_write_before() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let before = account.state.clone();
    account.add_device("laptop", "phone");
    let early = vault.content(&before, "phone", &[("bank", "bank 1")]);
    let denied = CommitError::Author(device_id("phone"));
    assert_eq!(vault.attempt(&early, &account.state).err(), Some(denied.clone()));
    let stranger = vault.content(&account.state, "stranger", &[("bank", "bank 1")]);
    assert!(matches!(vault.attempt(&stranger, &account.state), Err(CommitError::Author(_))));
    let forged = resign(&stranger, "stranger", |commit| commit.author_device = device_id("phone"));
    assert!(matches!(vault.attempt(&forged, &account.state), Err(CommitError::Signature(_))));
}

#[test]
pub(super) fn a_stranger_is_not_a_member() {
    let mut anna = TestAccount::new("anna", "laptop");
    let ben = TestAccount::new("ben", "desk");
    let vault = anna.add_vault("laptop", "home");
    let accounts: BTreeMap<_, _> = [(anna.id(), anna.state.clone()), (ben.id(), ben.state.clone())].into();
    let entry = vault.content(&ben.state, "desk", &[("bank", "bank 1")]);
    assert_eq!(vault.attempt(&entry, &accounts).err(), Some(CommitError::Role));
}

#[test]
pub(super) fn after_a_revocation_a_control_commit_needs_a_new_epoch() {
    let (_, account, vault) = after_revocation();
    let same = vault.control(&account.state, "laptop", Epoch(1));
    assert!(matches!(vault.attempt(&same, &account.state), Err(CommitError::Rule(_))));
    let next = vault.control(&account.state, "laptop", Epoch(2));
    let vault = vault.attempt(&next, &account.state).unwrap();
    let again = vault.control(&account.state, "laptop", Epoch(2));
    assert!(vault.attempt(&again, &account.state).is_ok());
}

#[test]
pub(super) fn a_vault_that_the_revoking_link_does_not_name_has_nothing_of_the_device() {
    let (_, account, _) = after_revocation();
    let revocation = account.state.device(&device_id("phone")).unwrap().revocation().unwrap();
    assert_eq!(revocation.cut_off(&VaultId([1; 32])), None);
}

#[test]
pub(super) fn a_chain_pinned_before_the_revocation_is_judged_again() {
    let (before, account, mut vault) = after_revocation();
    assert_eq!(vault.state.cut_offs(&before.state), Ok(CutOffs::default()));
    let named = vault.state.cut_offs(&account.state).unwrap();
    assert_eq!((named.contained, named.written_over.len()), (BTreeSet::from([vault.state.head()]), 0));
    let entry = vault.content(&before.state, "phone", &[("bank", "bank 2")]);
    vault.accept(&entry, &before.state);
    let fork = CommitError::Author(device_id("phone"));
    assert_eq!(vault.state.cut_offs(&account.state), Err(fork.clone()));
    let kept = VaultState::from_checkpoint(&vault.state.to_checkpoint()).unwrap();
    assert_eq!(kept.cut_offs(&account.state), Err(fork));
}

#[test]
pub(super) fn heads_of_active_devices_witness_a_vault_and_those_of_revoked_ones_do_not() {
    let (before, account, vault) = after_revocation();
    assert_eq!(account.state.witnessed(&vault.id()).map(|(_, head)| head).max(), Some(vault.state.head()));
    let mut account = before;
    let far = LogHead { seq: Seq(u64::MAX), hash: named("far") };
    account.heads.insert(vault.id(), far);
    account.push("phone", LinkBody::SecurityVersion(2));
    assert_eq!(account.state.witnessed(&vault.id()).map(|(_, head)| head).max(), Some(far));
    account.heads.insert(vault.id(), vault.state.head());
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    assert_eq!(account.state.witnessed(&vault.id()).map(|(_, head)| head).max(), Some(vault.state.head()));
}

#[test]
pub(super) fn a_control_commit_names_positions_that_are_real_and_its_authors_own() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let older = account.state.head();
    account.name_epoch("laptop");
    let control = |position: LogHead, epoch| {
        let CommitBody::Control(mut body) = vault.control(&account.state, "laptop", epoch).body else {
            panic!("a control commit")
        };
        body.members[0].position = position;
        let body = CommitBody::Control(body);
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        vault.attempt(&entry, &account.state).err()
    };
    let far = LogHead { seq: Seq(u64::MAX), hash: named("far") };
    let forged = LogHead { seq: account.state.head().seq, hash: named("forged") };
    for epoch in [Epoch(1), Epoch(2)] {
        assert_eq!(control(account.state.head(), epoch), None);
        assert_eq!(control(older, epoch), Some(CommitError::Position(older.seq)));
        assert_eq!(control(forged, epoch), Some(CommitError::Position(forged.seq)));
        assert!(control(far, epoch).is_some());
    }
}

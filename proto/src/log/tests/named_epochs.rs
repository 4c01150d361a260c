//! R-EPOCH: a vault that is one account's alone gets no key but those that rekeys of that account have named.

use std::collections::BTreeMap;

use super::fixture::*;
use super::shared::{MEMBERS, Shared};
use crate::ids::Epoch;
use crate::log::*;
use crate::sign::Signed;

fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    (account, vault)
}

fn with_body(vault: &TestVault, account: &AccountState, change: impl FnOnce(&mut ControlBody)) -> Entry {
    let next = vault.control(account, "phone", vault.state.epoch().next());
    let CommitBody::Control(mut body) = next.body else { panic!("a control commit") };
    change(&mut body);
    let body = CommitBody::Control(body);
    let commit = vault.commit(account, "phone", &body);
    Entry { commit: Signed::sign(commit, &signing_key("phone")), body }
}

fn refused(current: u32, found: u32) -> Option<CommitError> {
    Some(CommitError::Epoch { current: Epoch(current), found: Epoch(found) })
}

#[test]
pub(super) fn a_control_commit_brings_no_epoch_that_no_rekey_has_named() {
    let (mut account, vault) = home();
    let outcome = |account: &TestAccount, epoch| {
        let entry = vault.control(&account.state, "phone", Epoch(epoch));
        vault.attempt(&entry, &account.state).err()
    };
    assert_eq!([outcome(&account, 2), outcome(&account, 1)], [refused(1, 2), None]);
    account.name_epoch("laptop");
    assert_eq!([outcome(&account, 3), outcome(&account, 2)], [refused(1, 3), None]);
    account.name_epoch("laptop");
    assert_eq!([outcome(&account, 4), outcome(&account, 0)], [refused(1, 4), refused(1, 0)]);
}

#[test]
pub(super) fn a_control_commit_brings_the_key_that_the_rekey_named_sealing_the_key_that_it_named() {
    let (mut account, vault) = home();
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    let outcome = |change: fn(&mut ControlBody)| {
        vault.attempt(&with_body(&vault, &account.state, change), &account.state).err()
    };
    assert_eq!(outcome(|_| ()), None);
    assert_eq!(outcome(|body| body.vault_key_commit = named("another")), refused(1, 2));
    assert_eq!(outcome(|body| body.vault_key_commit = named("key of epoch 3")), refused(1, 2));
    assert_eq!(outcome(|body| body.prev_vault_key = vec![3; 64]), refused(1, 2));
    assert_eq!(outcome(|body| body.prev_vault_key.clear()), refused(1, 2));
    assert_eq!(outcome(|body| body.epoch = Epoch(3)), refused(1, 3), "with the key of epoch 2");
}

#[test]
pub(super) fn a_rekey_counts_from_the_position_after_it() {
    let (mut account, vault) = home();
    let before = account.state.clone();
    account.name_epoch("laptop");
    let early = vault.control(&before, "phone", Epoch(2));
    assert_eq!(vault.attempt(&early, &account.state).err(), refused(1, 2));
    let due = vault.control(&account.state, "phone", Epoch(2));
    assert_eq!(vault.attempt(&due, &account.state).err(), None);
    // Whoever does not know the rekey yet asks for it.
    assert!(matches!(vault.attempt(&due, &before), Err(CommitError::Withheld { .. })));
}

#[test]
pub(super) fn named_epochs_are_brought_one_after_another() {
    let (mut account, mut vault) = home();
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    let third = vault.control(&account.state, "phone", Epoch(3));
    assert_eq!(vault.attempt(&third, &account.state).err(), refused(1, 3));
    for epoch in [2, 3] {
        let control = vault.control(&account.state, "phone", Epoch(epoch));
        vault.accept(&control, &account.state);
        let key = named(&format!("key of epoch {epoch}"));
        assert_eq!((vault.state.epoch(), vault.state.vault_key_commit()), (Epoch(epoch), key));
    }
    let back = vault.control(&account.state, "phone", Epoch(2));
    assert_eq!(vault.attempt(&back, &account.state).err(), refused(3, 2));
}

#[test]
pub(super) fn a_rekey_names_epochs_of_the_vaults_in_its_log_and_of_no_other() {
    let (mut account, vault) = home();
    account.name_epoch("laptop");
    let work = account.add_vault("laptop", "work");
    let unlinked = TestVault::new(&account, "laptop", "unlinked");
    let outcome = |account: &TestAccount, vault: &TestVault| {
        vault.attempt(&vault.control(&account.state, "laptop", Epoch(2)), &account.state).err()
    };
    assert_eq!(
        [&vault, &work, &unlinked].map(|vault| outcome(&account, vault)),
        [None, refused(1, 2), refused(1, 2)]
    );
    account.name_epoch("laptop");
    assert_eq!([&work, &unlinked].map(|vault| outcome(&account, vault)), [None, refused(1, 2)]);
}

#[test]
pub(super) fn where_several_are_members_an_admin_brings_the_next_epoch_with_any_key() {
    let mut shared = Shared::new();
    for epoch in [2, 3] {
        let found = shared.outcome(&shared.control("anna", &MEMBERS, Epoch(epoch))).err();
        assert_eq!(found, if epoch == 2 { None } else { refused(1, 3) });
        shared.people.get_mut("anna").unwrap().name_epoch("anna");
    }
    let found = shared.outcome(&shared.control("anna", &MEMBERS, Epoch(3))).err();
    assert_eq!(found, refused(1, 3), "though a rekey has named it");
    let new_key = Err(CommitError::Rule("a new epoch, and only that, brings a new vault key"));
    for is_kept in [true, false] {
        let CommitBody::Control(mut body) = shared.control("anna", &MEMBERS, Epoch(2)).body else { panic!() };
        match is_kept {
            true => body.vault_key_commit = shared.vault.state.vault_key_commit(),
            false => body.prev_vault_key.clear(),
        }
        let body = CommitBody::Control(body);
        let commit = shared.vault.commit(shared.state("anna"), "anna", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("anna")), body };
        assert_eq!(shared.outcome(&entry), new_key);
    }
    // The removal of the others is still such a commit, the next one is not.
    shared.accept(&shared.control("anna", &MEMBERS[..1], Epoch(2)));
    let any_key = shared.control("anna", &MEMBERS[..1], Epoch(3));
    assert_eq!(shared.outcome(&any_key).err(), refused(2, 3));
    let named = shared.vault.control(shared.state("anna"), "anna", Epoch(3));
    assert_eq!(shared.outcome(&named), Ok(()));
}

#[test]
pub(super) fn a_new_member_comes_with_no_key_that_no_rekey_has_named() {
    let (account, vault) = home();
    let ben = TestAccount::new("ben", "desk");
    let accounts: BTreeMap<_, _> =
        [(account.id(), account.state.clone()), (ben.id(), ben.state.clone())].into();
    let entry = with_body(&vault, &account.state, |body| {
        let (account_id, position) = (ben.id(), ben.state.head());
        body.members.push(Member { account_id, position, ..body.members[0] });
        body.members.sort_by_key(|member| member.account_id);
    });
    assert_eq!(vault.attempt(&entry, &accounts).err(), refused(1, 2));
}

/// The laptop's branch has brought epoch 2, the phone's, which knows of one more rekey, both.
#[test]
pub(super) fn branches_of_which_one_knows_of_more_rekeys_are_joined() {
    let (mut account, vault) = home();
    account.name_epoch("laptop");
    let behind = account.state.clone();
    account.name_epoch("laptop");
    let (mut early, mut late) = (vault.clone(), vault);
    let control = early.control(&behind, "laptop", Epoch(2));
    early.accept(&control, &account.state);
    for epoch in [2, 3] {
        let control = late.control(&account.state, "phone", Epoch(epoch));
        late.accept(&control, &account.state);
    }
    let joined = |chain: &TestVault, side: &TestVault| {
        let mut chain = chain.clone();
        let heal = chain.heal(&account.state, "laptop", side, 1);
        let line = chain.join(&heal, &[side], &account.state);
        assert_eq!(line.state().epoch(), Epoch(3));
        assert!(line.covers(&side.state.head()));
    };
    joined(&early, &late);
    // The other way round once it has brought the key that it knows of by now.
    let raise = early.control(&account.state, "laptop", Epoch(3));
    early.accept(&raise, &account.state);
    joined(&late, &early);
}

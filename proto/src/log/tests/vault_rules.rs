//! Rules of the vault log: chain, digest, counts, control.

use super::fixture::*;
use super::recorded;
use crate::digest::Digest;
use crate::ids::{Epoch, Hash, Seq, VaultId, Version};
use crate::log::*;
use crate::sign::{SignatureError, Signed};

fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "laptop", &[("bank", "bank 1"), ("mail", "mail 1")]);
    vault.write(&account.state, "laptop", &[("mail", "mail 2"), ("shop", "shop 1")]);
    (account, vault)
}

#[test]
pub(super) fn an_honest_chain_verifies_and_its_digest_is_that_of_its_leaves() {
    let (account, vault) = home();
    let mut state = VaultState::from_genesis(&vault.entries[0], &account.state).unwrap();
    for entry in &vault.entries[1..] {
        state = state.apply(entry, &account.state).unwrap();
    }
    assert_eq!(state, vault.state);
    assert_eq!(state.digest(), vault.leaves.digest(&vault.id()));
    assert_eq!((state.live(), state.tombstones(), state.head().seq), (3, 0, Seq(2)));
}

#[test]
pub(super) fn wire_round_trips_with_the_body_the_commit_names() {
    let (_, vault) = home();
    for entry in &vault.entries {
        let read = Entry::from_wire(&entry.commit.to_wire(), &entry.body.to_bytes()).unwrap();
        assert_eq!(read, *entry);
        let mut body = entry.body.to_bytes();
        let last = body.len() - 1;
        body[last] ^= 1;
        assert_eq!(Entry::from_wire(&entry.commit.to_wire(), &body), Err(CommitError::Body));
    }
}

#[test]
pub(super) fn commits_that_are_dropped_repeated_or_reordered_are_refused() {
    let (account, vault) = home();
    for order in [vec![0, 2], vec![0, 1, 1], vec![0, 2, 1]] {
        let mut state = VaultState::from_genesis(&vault.entries[0], &account.state).unwrap();
        let result = order[1..].iter().try_for_each(|index| {
            state = state.apply(&vault.entries[*index], &account.state)?;
            Ok::<(), CommitError>(())
        });
        assert!(matches!(result, Err(CommitError::Chain { .. })), "{order:?}");
    }
}

#[test]
pub(super) fn a_second_commit_with_the_same_parent_is_refused() {
    let (account, mut vault) = home();
    let left = vault.content(&account.state, "laptop", &[("bank", "left")]);
    let right = vault.content(&account.state, "laptop", &[("bank", "right")]);
    vault.accept(&left, &account.state);
    assert!(matches!(vault.attempt(&right, &account.state), Err(CommitError::Chain { .. })));
    let moved = resign(&right, "laptop", |commit| commit.seq = vault.state.head().seq.next());
    assert!(matches!(vault.attempt(&moved, &account.state), Err(CommitError::Chain { .. })));
}

#[test]
pub(super) fn a_commit_observes_other_vaults_than_its_own() {
    let (account, vault) = home();
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 2")]);
    let observing = |vault_id| {
        let seen = VaultHead { vault_id, head: vault.state.head() };
        vault.attempt(&resign(&honest, "laptop", |commit| commit.observed = vec![seen]), &account.state)
    };
    assert!(observing(VaultId([7; 32])).is_ok());
    let expected = CommitError::Rule("a commit observes other vaults than its own");
    assert_eq!(observing(vault.id()).err(), Some(expected));
}

#[test]
pub(super) fn a_digest_or_count_that_does_not_add_up_is_refused() {
    let (account, vault) = home();
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 2")]);
    let wrong = resign(&honest, "laptop", |commit| commit.digest = Digest(named("no point")));
    assert!(matches!(vault.attempt(&wrong, &account.state), Err(CommitError::Digest)));
    let old = resign(&honest, "laptop", |commit| commit.digest = vault.state.digest());
    assert_eq!(vault.attempt(&old, &account.state).err(), Some(CommitError::Digest));
    let count = resign(&honest, "laptop", |commit| commit.live += 1);
    assert_eq!(vault.attempt(&count, &account.state).err(), Some(CommitError::Counts));
    let overflow = resign(&honest, "laptop", |commit| commit.live = u64::MAX);
    assert_eq!(vault.attempt(&overflow, &account.state).err(), Some(CommitError::Counts));
}

/// Arithmetic alone would accept this: the digest adds up, but the leaf taken away was never there.
#[test]
pub(super) fn a_change_that_subtracts_a_leaf_that_was_never_there_is_refused_by_the_map() {
    let (account, vault) = home();
    let mut change = vault.change("bank", "bank 2");
    change.old_blob_hash = named("never there");
    let body = CommitBody::Content(ContentBody { changes: vec![change] });
    let commit = vault.commit(&account.state, "laptop", &body);
    let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    assert!(vault.state.apply(&entry, &account.state).is_ok());
    assert_eq!(vault.attempt(&entry, &account.state).err(), Some(CommitError::Item(item_id("bank"))));
}

#[test]
pub(super) fn implausible_versions_are_refused() {
    let (account, vault) = home();
    let honest = vault.change("bank", "bank 2");
    let mut same = honest;
    same.new_version = same.old_version;
    let mut lower = honest;
    lower.new_version = Version(0);
    let mut no_hash = honest;
    no_hash.old_blob_hash = Hash::ZERO;
    let mut new_high = vault.change("fresh", "fresh 1");
    new_high.new_version = Version(Change::VERSION_STEP + 1);
    let mut leap = honest;
    leap.new_version = Version(u64::MAX);
    let mut no_blob = honest;
    no_blob.new_blob_hash = Hash::ZERO;
    for change in [same, lower, no_hash, new_high, leap, no_blob] {
        let body = CommitBody::Content(ContentBody { changes: vec![change] });
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        assert_eq!(vault.attempt(&entry, &account.state).err(), Some(CommitError::Item(change.item_id)));
    }
    let mut jump = honest;
    jump.new_version = Version(9);
    let body = CommitBody::Content(ContentBody { changes: vec![jump] });
    let commit = vault.commit(&account.state, "laptop", &body);
    let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    assert!(vault.attempt(&entry, &account.state).is_ok());
}

#[test]
pub(super) fn a_commit_for_another_vault_epoch_or_control_state_is_refused() {
    let (account, vault) = home();
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 2")]);
    let other = resign(&honest, "laptop", |commit| commit.vault_id = VaultId([9; 32]));
    assert_eq!(vault.attempt(&other, &account.state).err(), Some(CommitError::Vault));
    let epoch = resign(&honest, "laptop", |commit| commit.epoch = Epoch(2));
    assert!(matches!(vault.attempt(&epoch, &account.state), Err(CommitError::Epoch { .. })));
    let control = resign(&honest, "laptop", |commit| commit.control_hash = named("other"));
    assert_eq!(vault.attempt(&control, &account.state).err(), Some(CommitError::Control));
}

#[test]
pub(super) fn a_control_commit_brings_a_new_epoch_and_what_is_of_the_old_one_is_refused() {
    let (mut account, mut vault) = home();
    account.name_epoch("laptop");
    let skip = vault.control(&account.state, "laptop", Epoch(3));
    assert!(matches!(vault.attempt(&skip, &account.state), Err(CommitError::Epoch { .. })));
    let same = vault.control(&account.state, "laptop", Epoch(1));
    assert!(vault.attempt(&same, &account.state).is_ok());
    let stale = vault.content(&account.state, "laptop", &[("bank", "bank 2")]);
    let next = vault.control(&account.state, "laptop", Epoch(2));
    let content = (vault.state.digest(), vault.state.live());
    vault.accept(&next, &account.state);
    assert_eq!((vault.state.digest(), vault.state.live()), content);
    assert_eq!(vault.state.epoch(), Epoch(2));
    assert_eq!(vault.state.control(), vault.state.head());
    assert_eq!(vault.state.control_before().seq, Seq(2));
    let late = resign(&stale, "laptop", |commit| {
        commit.seq = vault.state.head().seq.next();
        commit.prev_hash = vault.state.head().hash;
    });
    assert!(matches!(vault.attempt(&late, &account.state), Err(CommitError::Epoch { .. })));
    vault.write(&account.state, "laptop", &[("bank", "bank 2")]);
}

#[test]
pub(super) fn a_new_epoch_without_a_new_key_or_a_new_key_without_an_epoch_is_refused() {
    let (mut account, vault) = home();
    let mut old_key = account.clone();
    let mut rekey = old_key.rekey(RekeyReason::Rotation, &[]);
    rekey.vault_slots[0].vault_key_commit = vault.state.vault_key_commit();
    old_key.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    account.name_epoch("laptop");
    let of = |account: &TestAccount, epoch, change: &dyn Fn(&mut ControlBody)| {
        let entry = vault.control(&account.state, "laptop", epoch);
        let CommitBody::Control(mut body) = entry.body else { panic!("a control commit") };
        change(&mut body);
        let body = CommitBody::Control(body);
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        vault.attempt(&entry, &account.state).map(|_| ())
    };
    let with_body = |epoch, change: &dyn Fn(&mut ControlBody)| of(&account, epoch, change);
    let old_commit = vault.state.vault_key_commit();
    let new_key = Err(CommitError::Rule("a new epoch, and only that, brings a new vault key"));
    let of_old_key = of(&old_key, Epoch(2), &|body| body.vault_key_commit = old_commit);
    assert_eq!(of_old_key, new_key, "even where a rekey named it");
    assert_eq!(with_body(Epoch(1), &|body| body.vault_key_commit = named("another")), new_key);
    assert_eq!(with_body(Epoch(1), &|body| body.prev_vault_key = vec![2; 64]), new_key);
    assert_eq!(with_body(Epoch(2), &|_| ()), Ok(()));
    assert!(with_body(Epoch(2), &|body| body.prev_vault_key.clear()).is_err());
    assert!(with_body(Epoch(2), &|body| body.members.clear()).is_err());
    assert!(with_body(Epoch(2), &|body| body.members[0].role = Role::Writer).is_err());
}

#[test]
pub(super) fn a_heal_asks_for_an_update() {
    let (account, vault) = home();
    let body = CommitBody::Heal(HealBody {
        fork: vault.state.control(),
        side: vault.state.head(),
        side_control_hash: vault.state.control().hash,
    });
    let mut commit = vault.commit(&account.state, "laptop", &body);
    commit.seq = Seq(40);
    let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    assert_eq!(vault.attempt(&entry, &account.state).err(), Some(CommitError::Heal));
}

#[test]
pub(super) fn a_genesis_is_empty_at_epoch_one_by_an_admin() {
    let account = TestAccount::new("anna", "laptop");
    let honest = TestVault::genesis(&account, "laptop", "home");
    let start = |entry: &Entry| recorded::start(entry, &account.state).map(|_| ());
    assert_eq!(start(&honest), Ok(()));
    assert_eq!(start(&resign(&honest, "laptop", |commit| commit.seq = Seq(1))), Err(CommitError::Genesis));
    assert_eq!(start(&resign(&honest, "laptop", |commit| commit.live = 1)), Err(CommitError::Digest));
    assert!(matches!(
        start(&resign(&honest, "laptop", |commit| commit.epoch = Epoch(2))),
        Err(CommitError::Rule(_))
    ));
    assert_eq!(
        start(&resign(&honest, "phone", |_| {})),
        Err(CommitError::Signature(SignatureError::Mismatch))
    );
    let CommitBody::Genesis(mut body) = honest.body.clone() else { panic!("a genesis") };
    body.control.members[0].role = Role::Writer;
    let body = CommitBody::Genesis(body);
    let mut commit = honest.commit.value().clone();
    commit.body_hash = body.hash();
    let writer = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    assert_eq!(start(&writer), Err(CommitError::Role));
}

#[test]
pub(super) fn a_body_of_another_kind_or_content_is_refused() {
    let (account, vault) = home();
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 2")]);
    let other = vault.content(&account.state, "laptop", &[("bank", "bank 3")]);
    let control = vault.control(&account.state, "laptop", Epoch(1));
    for body in [other.body, control.body] {
        let entry = Entry { commit: honest.commit.clone(), body };
        assert_eq!(vault.attempt(&entry, &account.state).err(), Some(CommitError::Body));
    }
}

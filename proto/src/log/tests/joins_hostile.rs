//! Heals that hostile devices, and servers with them, make or wait for.

use super::fixture::*;
use crate::ids::{Epoch, Hash, Seq, Version};
use crate::log::*;
use crate::sign::signed_bytes;

fn head(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

/// A commit that nobody has signed.
fn unsigned(vault: &TestVault, account: &TestAccount, after: LogHead, seq: u64, body: CommitBody) -> Entry {
    let commit = Commit {
        seq: Seq(seq),
        prev_hash: after.hash,
        body_hash: body.hash(),
        ..vault.commit(&account.state, "laptop", &body)
    };
    let bytes = signed_bytes(&commit);
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    Entry::from_wire(&[&length[..], &bytes, &[0; 64]].concat(), &body.to_bytes()).unwrap()
}

/// Two heals at every level, each of which joins the level below: ways through the sides double from level to level.
#[test]
fn sides_within_sides_are_looked_at_once_each() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let genesis = head(&vault.entries[0]);
    let heal_of = |fork, side| CommitBody::Heal(HealBody { fork, side, side_control_hash: genesis.hash });
    let levels = 28;
    let (mut all, mut trunk, mut end) = (Vec::new(), Vec::new(), genesis);
    for seq in 1..=levels + 1 {
        let body = CommitBody::Content(ContentBody { changes: Vec::new() });
        let entry = unsigned(&vault, &account, end, seq, body);
        end = head(&entry);
        trunk.push(end);
        all.push(entry);
    }
    for level in 1..=levels {
        let fork = trunk[(levels - level) as usize];
        let (mut at, below) = (fork, end);
        for number in 1..=2 {
            let entry = unsigned(&vault, &account, at, below.seq.0 + number, heal_of(fork, below));
            at = head(&entry);
            all.push(entry);
        }
        end = at;
    }
    let change = Change {
        item_id: item_id("bank"),
        old_version: Version(0),
        old_blob_hash: Hash::ZERO,
        new_version: Version(1),
        new_blob_hash: named("bank 1"),
    };
    let content = CommitBody::Content(ContentBody { changes: vec![change] });
    let first = unsigned(&vault, &account, genesis, 1, content);
    let heal = unsigned(&vault, &account, head(&first), end.seq.0 + 1, heal_of(genesis, end));
    let chain = [vault.entries[0].clone(), first, heal];
    assert!(Line::verify(&chain, &Sides::new(all), &account.state).is_err());
}

#[test]
fn heals_that_a_chain_does_not_lead_to_are_no_concern_of_it() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let genesis = head(&vault.entries[0]);
    let heal = |seq| {
        let body =
            CommitBody::Heal(HealBody { fork: genesis, side: genesis, side_control_hash: genesis.hash });
        unsigned(&vault, &account, genesis, seq, body)
    };
    let unrelated = Sides::new((2..400).map(heal));
    assert!(Line::verify(&vault.entries, &unrelated, &account.state).is_ok());
}

#[test]
fn both_branches_may_bring_the_key_that_a_rekey_named() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    let (mut side, mut chain) = (vault.clone(), vault);
    for (branch, device) in [(&mut side, "laptop"), (&mut chain, "phone")] {
        branch.write(&account.state, device, &[("bank", device)]);
        let control = branch.control(&account.state, device, Epoch(2));
        branch.accept(&control, &account.state);
    }
    let heal = chain.heal(&account.state, "laptop", &side, 1);
    let line = chain.join(&heal, &[&side], &account.state);
    assert_eq!((line.state().epoch(), line.state().charter()), (Epoch(2), side.state.charter()));
    // Another key is another matter.
    let other = side.control(&account.state, "laptop", Epoch(3));
    side.accept(&other, &account.state);
    let heal = side.heal(&account.state, "phone", &chain, 1);
    let refused = side.line(&heal, &[&chain, &side], &account.state);
    assert!(matches!(refused, Err(CommitError::Rule(_))), "{refused:?}");
}

/// The phone is removed after a rekey named epoch 2; on the restored server, which forgot the removal, it goes on.
fn removed() -> (TestAccount, TestAccount, TestVault, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    account.name_epoch("laptop");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    account.heads.insert(vault.id(), vault.state.head());
    let before = account.clone();
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    (before, account, vault.clone(), vault)
}

#[test]
fn a_control_commit_of_a_removed_device_keeps_nobody_from_joining() {
    for epoch in [Epoch(1), Epoch(2)] {
        let (before, after, mut side, mut chain) = removed();
        for epoch in [Epoch(2), Epoch(3)] {
            let control = side.control(&after.state, "laptop", epoch);
            side.accept(&control, &after.state);
        }
        let trap = chain.control(&before.state, "phone", epoch);
        chain.accept(&trap, &before.state);
        chain.write(&before.state, "tablet", &[("note", "note 1")]);
        let heal = chain.heal(&after.state, "laptop", &side, 1);
        let line = chain.join(&heal, &[&side], &after.state);
        assert_eq!(line.state().vault_key_commit(), side.state.vault_key_commit());
        assert!(line.is_void(&trap.commit.hash()) && !line.items()[&item_id("note")].is_void);
    }
}

#[test]
fn a_heal_of_a_removed_device_joins_nothing() {
    let (before, after, vault, mut chain) = removed();
    let mut near = vault;
    near.write(&after.state, "laptop", &[("mail", "mail 1")]);
    let mut far = near.clone();
    far.write(&after.state, "tablet", &[("mail", "mail 2")]);
    let trap = chain.heal(&before.state, "phone", &far, 1);
    chain.entries.push(trap.clone());
    chain.state = Line::verify(&chain.entries, &sides_of(&[&far]), &after.state)
        .map_or_else(|_| far.state.clone(), |line| line.state().clone());
    let refused = Line::verify(&chain.entries, &sides_of(&[&far]), &after.state).err();
    assert_eq!(refused, Some(CommitError::Author(device_id("phone"))), "alone it is worth nothing");
    let healed = Line::verify(&chain.entries, &sides_of(&[&far]), &before.state);
    assert!(healed.is_err(), "the side names a link that is not known yet");
}

#[test]
fn what_a_void_heal_joined_is_not_covered() {
    let (before, after, vault, mut chain) = removed();
    let mut near = vault;
    near.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let mut far = near.clone();
    far.write(&before.state, "tablet", &[("mail", "mail 2")]);
    chain.write(&before.state, "phone", &[("bank", "of the thief")]);
    let trap = chain.heal(&before.state, "phone", &far, 1);
    chain.join(&trap, &[&far], &before.state);
    let heal = chain.heal(&after.state, "laptop", &near, 1);
    let line = chain.line(&heal, &[&far], &after.state).unwrap();
    assert!(line.is_void(&trap.commit.hash()));
    assert!(line.covers(&near.state.head()) && !line.covers(&far.state.head()));
}

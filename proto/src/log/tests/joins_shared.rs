//! Joins in vaults of several accounts, and where the device that made the vault is removed.

use super::fixture::*;
use super::shared::{MEMBERS, Shared};
use crate::ids::{Epoch, Seq};
use crate::log::*;
use crate::sign::Signed;

fn head(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

/// A heal after any commit, which need not make a valid chain, under the control state of a branch.
fn heal(
    shared: &Shared,
    who: &str,
    prev: &Entry,
    (fork, side, side_control): (LogHead, LogHead, LogHead),
    of: &VaultState,
) -> Entry {
    let body = CommitBody::Heal(HealBody { fork, side, side_control_hash: side_control.hash });
    let mut commit = shared.vault.commit(shared.state(who), who, &body);
    let before = prev.commit.value();
    (commit.seq, commit.prev_hash) = (before.seq.max(side.seq).next(), prev.commit.hash());
    (commit.digest, commit.live, commit.tombstones) = (before.digest, before.live, before.tombstones);
    (commit.epoch, commit.control_hash) = (of.epoch(), of.control().hash);
    Entry { commit: Signed::sign(commit, &signing_key(who)), body }
}

#[test]
fn a_removed_member_does_not_come_back_by_heals_of_its_own() {
    let mut shared = Shared::new();
    let both = [("anna", Role::Admin), ("ben", Role::Admin), ("cleo", Role::Reader)];
    let control = shared.control("anna", &both, Epoch(1));
    shared.accept(&control);
    let trunk = shared.vault.clone();
    let control = shared.control("anna", &[("anna", Role::Admin), ("cleo", Role::Reader)], Epoch(2));
    shared.accept(&control);
    let secret = shared.content("anna", "secret");
    shared.accept(&secret);
    let mut side = shared.vault.clone();
    let fork = trunk.state.head();
    let own = heal(&shared, "ben", &secret, (fork, fork, trunk.state.control()), &trunk.state);
    side.entries.push(own.clone());
    assert!(Line::verify(&side.entries, &sides_of(&[&side]), &shared.accounts()).is_err());
    let last = trunk.entries.last().unwrap();
    let joined = heal(&shared, "ben", last, (fork, head(&own), head(&own)), &trunk.state);
    let named = head(&joined);
    let again = heal(&shared, "ben", &joined, (named, named, named), &trunk.state);
    let mut chain = trunk.clone();
    for entry in [joined, again] {
        chain.entries.push(entry);
        assert!(Line::verify(&chain.entries, &sides_of(&[&side, &chain]), &shared.accounts()).is_err());
    }
}

/// The phone of anna's, removed unseen, set other members and positions twice, and let a stranger write.
#[test]
fn what_a_removed_device_says_of_members_binds_nobody() {
    let mut shared = Shared::new();
    shared.people.get_mut("anna").unwrap().add_device("anna", "phone");
    let bank = shared.content("anna", "bank");
    shared.accept(&bank);
    let trunk = shared.vault.clone();
    let before = shared.state("anna").clone();
    let set = |chain: &TestVault, members: Vec<Member>, epoch| {
        let body = CommitBody::Control(ControlBody {
            members,
            epoch,
            vault_key_commit: named("key of the phone"),
            prev_vault_key: vec![1; 64],
        });
        let mut commit = chain.commit(&before, "phone", &body);
        commit.epoch = epoch;
        Entry { commit: Signed::sign(commit, &signing_key("phone")), body }
    };
    let mut chain = trunk.clone();
    let mut members = shared.members(&MEMBERS);
    members.extend(shared.members(&[("dora", Role::Writer)]));
    members.sort_by_key(|member| member.account_id);
    let first = set(&chain, members.clone(), Epoch(2));
    chain.accept(&first, &shared.accounts());
    let trap = chain.content(shared.state("dora"), "dora", &[("trap", "of dora")]);
    chain.accept(&trap, &shared.accounts());
    let ben = shared.people["ben"].id();
    for member in members.iter_mut().filter(|member| member.account_id == ben) {
        member.position = LogHead { seq: Seq(u64::MAX), hash: named("nowhere") };
    }
    let second = set(&chain, members, Epoch(3));
    chain.entries.push(second.clone());
    let anna = shared.people.get_mut("anna").unwrap();
    anna.heads.insert(trunk.id(), trunk.state.head());
    let rekey = anna.rekey(RekeyReason::Lost, &["phone"]);
    anna.push("anna", LinkBody::Rekey(Box::new(rekey)));
    let fork = trunk.state.head();
    let joined = heal(&shared, "anna", &second, (fork, fork, trunk.state.control()), &trunk.state);
    let line = chain.line(&joined, &[&trunk], &shared.accounts()).unwrap();
    assert!(line.items()[&item_id("trap")].is_void && line.is_void(&trap.commit.hash()));
    assert_eq!(line.state().members(), trunk.state.members());
    chain.entries.push(joined);
    chain.state = line.state().clone();
    shared.vault = chain;
    for who in ["anna", "ben"] {
        let commit = shared.content(who, &format!("of {who}"));
        assert!(shared.vault.state.apply(&commit, &shared.accounts()).is_ok(), "{who}");
    }
    let control = shared.control("anna", &MEMBERS, Epoch(2));
    assert!(shared.vault.state.apply(&control, &shared.accounts()).is_ok());
}

#[test]
fn the_device_that_made_the_vault_may_be_removed_with_a_cut_off_beside_the_chain() {
    for creator in ["laptop", "phone"] {
        let mut account = TestAccount::new("anna", "laptop");
        account.add_device("laptop", "phone");
        account.add_device("laptop", "tablet");
        let mut trunk = account.add_vault(creator, "home");
        trunk.write(&account.state, "laptop", &[("bank", "1")]);
        let (mut side, mut chain) = (trunk.clone(), trunk);
        side.write(&account.state, "tablet", &[("mail", "1")]);
        chain.write(&account.state, "laptop", &[("note", "1")]);
        account.heads.insert(side.id(), side.state.head());
        let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
        account.push("tablet", LinkBody::Rekey(Box::new(rekey)));
        let alone = Line::verify(&chain.entries, &Sides::default(), &account.state);
        assert_eq!(alone.is_err(), creator == "phone", "the cut-off is not there");
        let heal = chain.heal(&account.state, "tablet", &side, 1);
        let line = chain.join(&heal, &[&side], &account.state);
        assert!(line.covers(&side.state.head()) && line.state().pending_cut_offs().is_empty());
    }
}

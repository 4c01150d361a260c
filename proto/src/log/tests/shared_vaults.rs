//! Vaults of several members: roles, removals, positions.

use super::fixture::*;
use super::shared::{MEMBERS, Shared};
use crate::ids::{Epoch, Hash, Seq};
use crate::log::*;
use crate::sign::Signed;

const LOSS: Result<(), CommitError> =
    Err(CommitError::Rule("removing a member or a device needs a new epoch"));

#[test]
fn which_role_writes_which_kind() {
    let shared = Shared::new();
    let members =
        [("anna", Role::Admin), ("ben", Role::Writer), ("cleo", Role::Reader), ("dora", Role::Admin)];
    let denied = Err(CommitError::Role);
    for (author, content, control) in [
        ("anna", Ok(()), Ok(())),
        ("ben", Ok(()), denied.clone()),
        ("cleo", denied.clone(), denied.clone()),
        ("dora", denied.clone(), denied),
    ] {
        assert_eq!(shared.outcome(&shared.content(author, "bank")), content, "{author}, content");
        for epoch in [Epoch(1), Epoch(2)] {
            let entry = shared.control(author, &members, epoch);
            assert_eq!(shared.outcome(&entry), control, "{author}, control of epoch {epoch}");
        }
        let heal = Err(CommitError::Heal);
        assert_eq!(shared.outcome(&shared.heal(author)), heal, "{author}, heal");
    }
    for (role, kinds) in
        [(Role::Reader, [false; 4]), (Role::Writer, [false, true, false, false]), (Role::Admin, [true; 4])]
    {
        assert_eq!(CommitKind::ALL.map(|kind| role.allows(kind)), kinds, "{role:?}");
    }
}

#[test]
fn a_vault_starts_with_its_author_alone() {
    let shared = Shared::new();
    let CommitBody::Genesis(mut body) = shared.vault.entries[0].body.clone() else { panic!("a genesis") };
    for mut member in shared.members(&[("ben", Role::Admin), ("cleo", Role::Reader)]) {
        member.slot = Hash::ZERO;
        body.control.members.push(member);
    }
    body.control.members.sort_by_key(|member| member.account_id);
    let body = CommitBody::Genesis(body);
    let mut commit = shared.vault.entries[0].commit.value().clone();
    commit.body_hash = body.hash();
    let entry = Entry { commit: Signed::sign(commit, &signing_key("anna")), body };
    assert_eq!(VaultState::from_genesis(&entry, &shared.accounts()), Err(CommitError::Role));
}

#[test]
fn removing_a_member_takes_a_new_epoch_and_ends_its_rights() {
    let mut shared = Shared::new();
    shared.accept(&shared.content("ben", "bank"));
    let left = [("anna", Role::Admin), ("cleo", Role::Reader)];
    assert_eq!(shared.outcome(&shared.control("anna", &left, Epoch(1))), LOSS);
    shared.accept(&shared.control("anna", &left, Epoch(2)));
    assert_eq!(shared.outcome(&shared.content("ben", "mail")), Err(CommitError::Role));
    assert!(!shared.vault.state.members().contains_key(&shared.people["ben"].id()));
    shared.accept(&shared.content("anna", "mail"));
}

#[test]
fn another_role_needs_no_new_epoch_and_counts_at_once() {
    let mut shared = Shared::new();
    let swapped = [("anna", Role::Admin), ("ben", Role::Reader), ("cleo", Role::Writer)];
    shared.accept(&shared.control("anna", &swapped, Epoch(1)));
    assert_eq!(shared.outcome(&shared.content("ben", "bank")), Err(CommitError::Role));
    assert_eq!(shared.outcome(&shared.content("cleo", "bank")), Ok(()));
    let cleo = shared.vault.state.members()[&shared.people["cleo"].id()];
    assert_eq!((cleo.role, cleo.slot), (Role::Writer, named("grant of cleo")));
}

#[test]
fn an_admin_hands_over_and_leaves_but_never_leaves_a_vault_without_an_admin() {
    let mut shared = Shared::new();
    let nobody = [("ben", Role::Writer), ("cleo", Role::Reader)];
    let none = Err(CommitError::Rule("a vault keeps an admin"));
    assert_eq!(shared.outcome(&shared.control("anna", &nobody, Epoch(2))), none);
    let ben = [("ben", Role::Admin), ("cleo", Role::Reader)];
    shared.accept(&shared.control("anna", &ben, Epoch(2)));
    assert_eq!(shared.outcome(&shared.content("anna", "bank")), Err(CommitError::Role));
    assert_eq!(shared.outcome(&shared.control("anna", &MEMBERS, Epoch(3))), Err(CommitError::Role));
    assert_eq!(shared.outcome(&shared.control("ben", &MEMBERS, Epoch(2))), Ok(()));
}

#[test]
fn a_member_s_position_never_goes_back_whoever_wrote_between() {
    let mut shared = Shared::new();
    let older = shared.step("ben");
    shared.accept(&shared.content("ben", "bank"));
    shared.accept(&shared.content("anna", "mail"));
    let back = Err(CommitError::PositionBack { found: older.head().seq, known: older.head().seq.next() });
    let entry = shared.vault.content(&older, "ben", &[("shop", "shop 1")]);
    assert_eq!(shared.outcome(&entry), back);
    shared.accept(&shared.content("ben", "shop"));
    // Anna's own position is not moved by what ben knows of his log.
    let anna = shared.vault.content(shared.state("anna"), "anna", &[("tax", "tax 1")]);
    assert_eq!(shared.outcome(&anna), Ok(()));
}

#[test]
fn a_control_commit_lifts_positions_and_never_lowers_them() {
    let mut shared = Shared::new();
    let older = shared.step("ben");
    let lifted = shared.control("anna", &MEMBERS, Epoch(1));
    shared.accept(&lifted);
    let entry = shared.vault.content(&older, "ben", &[("bank", "bank 1")]);
    let back = Err(CommitError::PositionBack { found: older.head().seq, known: older.head().seq.next() });
    assert_eq!(shared.outcome(&entry), back, "the control commit has counted ben's log further");
    for epoch in [Epoch(1), Epoch(2)] {
        let mut members = shared.members(&MEMBERS);
        let ben = members.iter_mut().find(|member| member.account_id == older.account_id()).unwrap();
        ben.position = older.head();
        assert_eq!(shared.outcome(&shared.control_with("anna", members, epoch)), back, "epoch {epoch}");
    }
}

#[test]
fn who_was_removed_comes_back_no_earlier_than_it_went() {
    let mut shared = Shared::new();
    let older = shared.step("ben");
    shared.accept(&shared.content("ben", "bank"));
    shared.accept(&shared.control("anna", &[("anna", Role::Admin), ("cleo", Role::Reader)], Epoch(2)));
    let mut members = shared.members(&MEMBERS);
    let ben = members.iter_mut().find(|member| member.account_id == older.account_id()).unwrap();
    ben.position = older.head();
    let back = Err(CommitError::PositionBack { found: older.head().seq, known: older.head().seq.next() });
    assert_eq!(shared.outcome(&shared.control_with("anna", members, Epoch(2))), back);
    shared.accept(&shared.control("anna", &MEMBERS, Epoch(2)));
    let entry = shared.vault.content(&older, "ben", &[("mail", "mail 1")]);
    assert_eq!(shared.outcome(&entry), back);
    assert_eq!(shared.outcome(&shared.content("ben", "mail")), Ok(()));
}

#[test]
fn positions_of_members_are_those_of_their_logs() {
    let shared = Shared::new();
    let ben = shared.people["ben"].id();
    let with_position = |epoch, position| {
        let mut members = shared.members(&MEMBERS);
        members.iter_mut().find(|member| member.account_id == ben).unwrap().position = position;
        shared.outcome(&shared.control_with("anna", members, epoch))
    };
    let head = shared.state("ben").head();
    let ahead = LogHead { seq: Seq(7), ..head };
    let fork = LogHead { hash: named("fork"), ..head };
    for epoch in [Epoch(1), Epoch(2)] {
        assert_eq!(with_position(epoch, head), Ok(()));
        assert_eq!(with_position(epoch, fork), Err(CommitError::Position(head.seq)));
        let withheld = Err(CommitError::Withheld { account_id: ben, needed: Seq(7) });
        assert_eq!(with_position(epoch, ahead), withheld);
    }
}

#[test]
fn a_member_whose_log_is_not_known_is_withheld() {
    let shared = Shared::new();
    let ben = shared.state("ben").account_id();
    let mut accounts = shared.accounts();
    accounts.remove(&ben);
    let withheld = CommitError::Withheld { account_id: ben, needed: shared.state("ben").head().seq };
    for entry in [shared.content("ben", "bank"), shared.control("anna", &MEMBERS, Epoch(2))] {
        assert_eq!(shared.vault.attempt(&entry, &accounts).err(), Some(withheld.clone()));
    }
    assert!(shared.vault.attempt(&shared.content("anna", "bank"), &accounts).is_ok());
}

#[test]
fn a_device_that_a_member_lost_takes_a_new_epoch() {
    let mut shared = Shared::new();
    let ben = shared.people.get_mut("ben").unwrap();
    ben.add_device("ben", "ben's phone");
    let rekey = ben.rekey(RekeyReason::Lost, &["ben's phone"]);
    ben.push("ben", LinkBody::Rekey(Box::new(rekey)));
    assert_eq!(shared.outcome(&shared.control("anna", &MEMBERS, Epoch(1))), LOSS);
    shared.accept(&shared.control("anna", &MEMBERS, Epoch(2)));
    assert_eq!(shared.outcome(&shared.control("anna", &MEMBERS, Epoch(2))), Ok(()), "once is enough");
}

#[test]
fn what_a_member_wrote_on_a_restored_branch_that_the_side_has_removed_is_void() {
    let mut shared = Shared::new();
    for item in ["both", "last of both"] {
        let written = shared.content("ben", item);
        shared.accept(&written);
    }
    let fork = shared.vault.entries.len() - 1;
    let mut side = shared.vault.clone();
    let accounts = shared.accounts();
    let removal = shared.control("anna", &[MEMBERS[0], MEMBERS[2]], Epoch(2));
    side.accept(&removal, &accounts);
    for author in ["ben", "anna"] {
        let written = shared.content(author, &format!("item of {author}"));
        shared.accept(&written);
    }
    let heal = shared.vault.heal(shared.state("anna"), "anna", &side, fork);
    let line = shared.vault.join(&heal, &[&side], &accounts);
    let is_void = |item: &str| line.items()[&item_id(item)].is_void;
    assert_eq!(
        ["both", "last of both", "item of ben", "item of anna"].map(is_void),
        [false, false, true, false]
    );
    assert_eq!(line.state().members().len(), 2);
}

#[test]
fn the_same_key_for_other_members_is_not_the_same_control_state() {
    let shared = Shared::new();
    let (fork, accounts) = (shared.vault.entries.len() - 1, shared.accounts());
    let branch = || Shared { people: shared.people.clone(), vault: shared.vault.clone() };
    let (mut side, mut chain) = (branch(), branch());
    side.accept(&side.control("anna", &MEMBERS[..2], Epoch(2)));
    chain.accept(&chain.content("ben", "item of ben"));
    for (members, is_known) in [(&MEMBERS[..2], true), (&MEMBERS[..], false)] {
        let mut chain = Shared { people: chain.people.clone(), vault: chain.vault.clone() };
        chain.accept(&chain.control("anna", members, Epoch(2)));
        let heal = chain.vault.heal(shared.state("anna"), "anna", &side.vault, fork);
        let healed = chain.vault.line(&heal, &[&side.vault], &accounts);
        assert_eq!(healed.is_ok(), is_known, "{:?}", healed.err());
    }
    // A control state that the side has joined is known to it, whatever became of it there.
    chain.accept(&chain.control("anna", &MEMBERS, Epoch(2)));
    let near = chain.vault.clone();
    let mut joined = branch();
    joined.accept(&joined.content("anna", "item of anna"));
    let inner = joined.vault.heal(shared.state("anna"), "anna", &near, fork);
    joined.vault.join(&inner, &[&near], &accounts);
    joined.accept(&joined.control("anna", &MEMBERS[..2], Epoch(3)));
    let heal = chain.vault.heal(shared.state("anna"), "anna", &joined.vault, fork);
    let line = chain.vault.join(&heal, &[&joined.vault, &near], &accounts);
    assert_eq!((line.state().epoch(), line.state().members().len()), (Epoch(3), 2));
}

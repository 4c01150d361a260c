//! Control commits and heals of a removed device, unseen by its remover: what they set is in force nowhere, and whoever knows
//! of the removal joins over them.

use super::fixture::*;
use crate::ids::{Epoch, Generation, Seq};
use crate::log::*;

/// Rekeys have named the vault's epochs 2 and 3.
fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let mut vault = account.add_vault("laptop", "home");
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    (account, vault)
}

fn by_phone() -> Option<CommitError> {
    Some(CommitError::Author(device_id("phone")))
}

/// What a first sync verifies of a chain.
fn skimmed(vault: &TestVault, sides: &Sides, account: &AccountState) -> Result<VaultState, CommitError> {
    let control = vault.entries.iter().filter(|entry| !matches!(entry.body, CommitBody::Content(_)));
    let lineage = lineage(control, sides, vault.state.control().hash).unwrap();
    let genesis = VaultState::from_genesis(lineage[0], account)?;
    lineage[1..].iter().try_fold(genesis, |state, entry| state.skip_to(entry, account))
}

#[test]
fn a_key_of_a_removed_device_comes_into_force_neither_on_an_honest_control_commit_nor_under_one() {
    for by in [["tablet", "phone"], ["phone", "tablet"]] {
        let (before, vault) = home();
        let (mut side, mut chain) = (vault.clone(), vault);
        side.write(&before.state, "laptop", &[("mail", "mail 1")]);
        let mut first = None;
        for (signer, epoch) in by.into_iter().zip([Epoch(2), Epoch(3)]) {
            let control = chain.control(&before.state, signer, epoch);
            chain.accept(&control, &before.state);
            first.get_or_insert(chain.clone());
        }
        let first = first.unwrap();
        let after = removed(&before, "laptop", "phone", &side);
        let heal = chain.heal(&after.state, "laptop", &side, 1);
        let outcome = |of: &TestVault| {
            let line = chain.line(&under(&heal, "laptop", of), &[&side], &after.state);
            line.map(|line| (line.state().epoch(), line.state().vault_key_commit()))
        };
        let at = |vault: &TestVault| Ok((vault.state.epoch(), vault.state.vault_key_commit()));
        let refused = Err(CommitError::Author(device_id("phone")));
        assert_eq!(outcome(&chain), refused);
        match by {
            ["tablet", _] => assert!(outcome(&side).is_err() && outcome(&first) == at(&first)),
            _ => assert!(outcome(&side) == at(&side) && outcome(&first).is_err()),
        }
    }
}

#[test]
fn a_heal_that_kept_what_a_device_set_that_is_removed_later_is_joined_over() {
    let (before, vault) = home();
    let trunk = vault.clone();
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&before.state, "tablet", &[("mail", "mail 1")]);
    let control = chain.control(&before.state, "phone", Epoch(2));
    chain.accept(&control, &before.state);
    let heal = under(&chain.heal(&before.state, "tablet", &side, 1), "tablet", &chain);
    chain.join(&heal, &[&side], &before.state);
    chain.write(&before.state, "tablet", &[("note", "note 1")]);
    // The laptop has seen nothing of it.
    let after = removed(&before, "laptop", "phone", &trunk);
    assert_eq!(Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).err(), by_phone());
    let joined = chain.clone();
    let heal = chain.heal(&after.state, "laptop", &trunk, 1);
    let line = chain.join(&heal, &[&side], &after.state);
    assert_eq!((line.state().epoch(), line.state().charter()), (Epoch(1), trunk.state.charter()));
    assert!(line.is_void(&control.commit.hash()) && !line.items()[&item_id("note")].is_void);
    assert!(skimmed(&chain, &sides_of(&[&side]), &after.state).is_ok());
    chain.write(&after.state, "laptop", &[("bank", "bank 2")]);
    // Or the tablet joins all of that to a server that was restored once more.
    let mut restored = trunk;
    restored.write(&after.state, "laptop", &[("bank", "bank 3")]);
    let heal = under(&restored.heal(&after.state, "tablet", &joined, 1), "tablet", &restored);
    let line = restored.join(&heal, &[&side, &joined], &after.state);
    assert!(line.covers(&joined.state.head()) && line.covers(&side.state.head()));
    assert_eq!(line.state().epoch(), Epoch(1));
}

#[test]
fn a_side_on_which_a_device_set_keys_that_is_removed_later_is_joined_over() {
    for epoch in [Epoch(1), Epoch(2)] {
        let (before, vault) = home();
        let (mut side, mut chain) = (vault.clone(), vault);
        let mut control = side.control(&before.state, "phone", epoch);
        if let CommitBody::Control(body) = &mut control.body {
            (body.members[0].slot, body.members[0].uek_generation) = (named("garbage"), Generation(77));
        }
        let hash = control.body.hash();
        side.accept(&resign(&control, "phone", |commit| commit.body_hash = hash), &before.state);
        side.write(&before.state, "tablet", &[("mail", "mail 1")]);
        chain.write(&before.state, "laptop", &[("note", "note 1")]);
        let seen = chain.clone();
        let heal = chain.heal(&before.state, "tablet", &side, 1);
        let line = chain.join(&heal, &[&side], &before.state);
        assert_eq!(line.state().members()[&before.id()].uek_generation, Generation(77));
        let after = removed(&before, "laptop", "phone", &seen);
        assert_eq!(Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).err(), by_phone());
        let joined = chain.clone();
        let heal = chain.heal(&after.state, "laptop", &seen, 2);
        let line = chain.join(&heal, &[&side], &after.state);
        let member = line.state().members()[&before.id()];
        assert_eq!((line.state().epoch(), member), (Epoch(1), seen.state.members()[&before.id()]));
        assert!(skimmed(&chain, &sides_of(&[&side]), &after.state).is_ok());
        let mut restored = seen;
        let heal = under(&restored.heal(&after.state, "tablet", &joined, 2), "tablet", &restored);
        let line = restored.join(&heal, &[&side, &joined], &after.state);
        assert!(line.covers(&side.state.head()) && line.state().epoch() == Epoch(1));
    }
}

/// The vault after the phone joined `far` where its remover did not see it, on a side that the tablet has joined.
fn with_a_heal_on_a_side(far_author: &str) -> (TestAccount, [TestVault; 3], Entry) {
    let (mut before, vault) = home();
    before.add_device("laptop", "watch");
    let (mut side, mut far, mut chain) = (vault.clone(), vault.clone(), vault);
    far.write(&before.state, far_author, &[("note", "note 1")]);
    side.write(&before.state, "tablet", &[("mail", "mail 1")]);
    let trap = side.heal(&before.state, "phone", &far, 1);
    side.join(&trap, &[&far], &before.state);
    side.write(&before.state, "tablet", &[("mail", "mail 2")]);
    chain.write(&before.state, "laptop", &[("desk", "desk 1")]);
    (before, [chain, side, far], trap)
}

#[test]
fn a_heal_that_a_removed_device_made_on_a_side_joins_nothing_and_needs_nothing() {
    let (before, [mut chain, side, far], trap) = with_a_heal_on_a_side("tablet");
    let seen = chain.clone();
    let after = removed(&before, "laptop", "phone", &seen);
    let heal = chain.heal(&before.state, "tablet", &side, 1);
    chain.join(&heal, &[&side, &far], &before.state);
    assert_eq!(Line::verify(&chain.entries, &sides_of(&[&side, &far]), &after.state).err(), by_phone());
    let heal = chain.heal(&after.state, "laptop", &seen, 2);
    let line = chain.line(&heal, &[&side, &far], &after.state).unwrap();
    assert!(line.is_void(&trap.commit.hash()));
    assert!(line.covers(&side.state.head()) && !line.covers(&far.state.head()));
    let trap = trap.commit.value().head(trap.commit.hash());
    let void = line.state().joins().iter().find(|join| join.heal == trap).unwrap();
    assert_eq!((void.fork, void.side), (void.side, void.fork), "a join of nothing");
    assert_eq!(void.fork.hash, side.entries[3].commit.value().prev_hash);
    // What is beside the chain is all that it takes.
    assert_eq!(chain.join(&heal, &[&side], &after.state), line);
    assert!(skimmed(&chain, &sides_of(&[&side]), &after.state).is_ok());
    assert_eq!(line.state().head().seq, Seq(line.state().control().seq.0));
    let missing = Line::verify(&chain.entries, &sides_of(&[&side]), &before.state);
    assert!(matches!(missing, Err(CommitError::Withheld { .. } | CommitError::SideMissing(_))));
}

#[test]
fn who_was_removed_and_wrote_only_on_what_a_void_heal_names_does_not_matter() {
    let (before, [mut chain, side, far], _) = with_a_heal_on_a_side("watch");
    let seen = chain.clone();
    let mut after = removed(&before, "laptop", "phone", &seen);
    after.heads.insert(far.id(), far.state.head());
    let rekey = after.rekey(RekeyReason::Lost, &["watch"]);
    after.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let heal = chain.heal(&before.state, "tablet", &side, 1);
    chain.join(&heal, &[&side, &far], &before.state);
    let heal = chain.heal(&after.state, "laptop", &seen, 2);
    for sides in [&[&side, &far][..], &[&side]] {
        let line = chain.line(&heal, sides, &after.state).unwrap();
        assert!(!line.covers(&far.state.head()));
    }
}

#[test]
fn every_field_of_a_void_heal_is_verified() {
    let (before, vault) = home();
    let (mut side, mut chain) = (vault.clone(), vault);
    side.write(&before.state, "laptop", &[("mail", "mail 1")]);
    let after = removed(&before, "laptop", "phone", &side);
    let honest = chain.heal(&before.state, "phone", &side, 1);
    type Change = fn(&mut Commit);
    let changes: [(&str, Change); 8] = [
        ("nothing", |_| ()),
        ("another vault", |commit| commit.vault_id = named("another").into()),
        ("a gap", |commit| commit.seq = commit.seq.next()),
        ("another commit before", |commit| commit.prev_hash = named("another")),
        ("another digest", |commit| commit.digest = Default::default()),
        ("another count", |commit| commit.live += 1),
        ("another count of tombstones", |commit| commit.tombstones += 1),
        ("another body", |commit| commit.body_hash = named("another")),
    ];
    chain.entries.push(honest.clone());
    for (what, change) in changes {
        let trap = resign(&honest, "phone", change);
        *chain.entries.last_mut().unwrap() = trap.clone();
        // Joined over as far as anybody can.
        let over = resign(&honest, "laptop", |commit| {
            (commit.author_device, commit.author_position) = (device_id("laptop"), after.state.head());
            (commit.seq, commit.prev_hash) = (trap.commit.value().seq.next(), trap.commit.hash());
        });
        let line = chain.line(&over, &[&side], &after.state);
        assert_eq!(line.is_ok(), what == "nothing", "{what}: {:?}", line.err());
    }
    let stranger = resign(&honest, "stranger", |_| ());
    *chain.entries.last_mut().unwrap() = stranger;
    assert!(Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).is_err());
}

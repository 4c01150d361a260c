//! Commits of a device that was removed only after others had built on them: whoever knows of it can join over all of that,
//! and everybody comes to the same verdict.

use super::fixture::*;
use crate::ids::{Epoch, Seq};
use crate::log::*;
use crate::sign::Signed;

/// Rekeys have named the vault's epochs 2 and 3.
fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    for device in ["phone", "tablet", "watch", "desk"] {
        account.add_device("laptop", device);
    }
    let mut vault = account.add_vault("laptop", "home");
    account.name_epoch("laptop");
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    (account, vault)
}

/// The chains that one heal makes valid: of any of these sides, from any fork, under any of these control states.
fn joins(
    chain: &TestVault,
    account: &TestAccount,
    signer: &str,
    own: &[&TestVault],
    all: &[&TestVault],
) -> Vec<Line> {
    let mut found = Vec::new();
    for side in own {
        let shared = chain.entries.iter().zip(&side.entries);
        let shared = shared.take_while(|(one, other)| one.commit.hash() == other.commit.hash()).count();
        for fork in 0..shared {
            let heal = chain.heal(&account.state, signer, side, fork);
            let heals = all.iter().map(|of| under(&heal, signer, of)).chain([heal.clone()]);
            found.extend(heals.filter_map(|heal| chain.line(&heal, all, &account.state).ok()));
        }
    }
    found
}

#[test]
fn both_branches_brought_the_keys_that_rekeys_named_and_who_brought_one_is_removed() {
    let (before, trunk) = home();
    let (mut side, mut chain) = (trunk.clone(), trunk.clone());
    for (vault, signers) in [(&mut side, ["tablet", "tablet"]), (&mut chain, ["desk", "phone"])] {
        for (signer, epoch) in signers.into_iter().zip([Epoch(2), Epoch(3)]) {
            let control = vault.control(&before.state, signer, epoch);
            vault.accept(&control, &before.state);
        }
    }
    let heal = chain.heal(&before.state, "tablet", &side, 1);
    chain.join(&heal, &[&side], &before.state);
    let after = removed(&before, "laptop", "phone", &trunk);
    let line = Line::verify(&chain.entries, &sides_of(&[&side]), &after.state).unwrap();
    assert_eq!(line.state().epoch(), Epoch(3), "the tablet brought both");
    assert!(!joins(&chain, &after, "laptop", &[&trunk], &[&trunk, &side, &chain]).is_empty());
}

#[test]
fn control_commits_that_build_on_a_heal_of_a_removed_device_are_in_nobodys_way() {
    for epoch in [Epoch(2), Epoch(3)] {
        let (before, trunk) = home();
        let (mut side, mut chain) = (trunk.clone(), trunk.clone());
        let control = side.control(&before.state, "tablet", Epoch(2));
        side.accept(&control, &before.state);
        chain.write(&before.state, "laptop", &[("desk", "desk 1")]);
        let seen = chain.clone();
        let inner = chain.heal(&before.state, "phone", &side, 1);
        chain.join(&inner, &[&side], &before.state);
        let control = chain.control(&before.state, "tablet", epoch);
        chain.accept(&control, &before.state);
        chain.write(&before.state, "tablet", &[("desk", "desk 2")]);
        let after = removed(&before, "laptop", "phone", &seen);
        let found = joins(&chain, &after, "laptop", &[&seen], &[&seen]);
        assert!(!found.is_empty() && found.iter().all(|line| line.state().epoch() == Epoch(1)));
    }
}

/// The tablet removes the watch, whose work it knows only by the phone's heal; the laptop removes the phone, and has seen nothing
/// of that.
#[test]
fn what_a_void_heal_names_has_no_say_in_what_counts() {
    for is_near in [false, true] {
        let (before, trunk) = home();
        let [mut side, mut far, mut chain, mut other] = [(); 4].map(|()| trunk.clone());
        other.write(&before.state, "tablet", &[("other", "1")]);
        far.write(&before.state, "watch", &[("bank", "of the watch")]);
        let by_watch = far.heal(&before.state, "watch", &other, 1);
        far.join(&by_watch, &[&other], &before.state);
        let near = far.clone();
        if !is_near {
            far.write(&before.state, "desk", &[("far", "far 1")]);
        }
        side.write(&before.state, "tablet", &[("mail", "mail 1")]);
        let inner = side.heal(&before.state, "phone", &far, 1);
        side.join(&inner, &[&far, &other], &before.state);
        side.write(&before.state, "tablet", &[("mail", "mail 2")]);
        chain.write(&before.state, "laptop", &[("note", "note 1")]);
        let seen = chain.clone();
        let after = removed(&removed(&before, "tablet", "watch", &side), "laptop", "phone", &seen);
        let heal = under(&chain.heal(&after.state, "tablet", &side, 1), "tablet", &chain);
        chain.join(&heal, &[&side], &after.state);
        let heal = under(&chain.heal(&after.state, "desk", &near, 1), "desk", &chain);
        let line = chain.join(&heal, &[&side, &near, &far, &other], &after.state);
        let [unseen, by_watch] = [&near.entries[2], &by_watch].map(|entry| entry.commit.hash());
        assert!(line.is_void(&unseen) && line.is_void(&by_watch) && !line.covers(&other.state.head()));
        for sides in [&[&side, &near][..], &[&side, &near, &other], &[&side, &near, &far]] {
            assert_eq!(Line::verify(&chain.entries, &sides_of(sides), &after.state).as_ref(), Ok(&line));
        }
    }
}

#[test]
fn void_heals_of_void_heals_need_one_join() {
    let (before, trunk) = home();
    let [mut side, mut far, mut third, mut chain] = [(); 4].map(|()| trunk.clone());
    far.write(&before.state, "tablet", &[("far", "1")]);
    side.write(&before.state, "tablet", &[("side", "1")]);
    let inner = side.heal(&before.state, "phone", &far, 1);
    side.join(&inner, &[&far], &before.state);
    third.write(&before.state, "tablet", &[("third", "1")]);
    let outer = third.heal(&before.state, "watch", &side, 1);
    third.join(&outer, &[&side, &far], &before.state);
    third.write(&before.state, "tablet", &[("third", "2")]);
    chain.write(&before.state, "laptop", &[("desk", "1")]);
    let seen = chain.clone();
    let heal = chain.heal(&before.state, "tablet", &third, 1);
    chain.join(&heal, &[&third, &side, &far], &before.state);
    for (gone, needed) in [
        (&["watch"][..], &[&seen, &third][..]),
        (&["phone", "watch"], &[&seen, &third]),
        (&["phone"], &[&seen, &third, &side]),
    ] {
        let after = gone.iter().fold(before.clone(), |after, gone| removed(&after, "laptop", gone, &seen));
        let line = joins(&chain, &after, "laptop", &[&seen], &[&seen, &third, &side, &far]);
        let with_needed = joins(&chain, &after, "laptop", &[&seen], needed);
        assert!(!with_needed.is_empty() && with_needed.iter().all(|found| line.contains(found)), "{gone:?}");
    }
}

/// A control commit that counts stands below its author's cut-off, and the next one on the side at the position of that.
#[test]
fn a_first_sync_passes_by_a_cut_off_that_is_on_another_branch() {
    let (before, trunk) = home();
    let mut side = trunk.clone();
    let control = side.control(&before.state, "phone", Epoch(2));
    side.accept(&control, &before.state);
    let mut chain = side.clone();
    chain.write(&before.state, "laptop", &[("note", "note 1")]);
    let after = removed(&before, "laptop", "phone", &chain);
    let control = side.control(&before.state, "tablet", Epoch(3));
    side.accept(&control, &before.state);
    let heal = chain.heal(&after.state, "tablet", &side, 2);
    chain.join(&heal, &[&side], &after.state);
    let control = chain.entries.iter().filter(|entry| !matches!(entry.body, CommitBody::Content(_)));
    let sides = sides_of(&[&side]);
    let lineage = lineage(control, &sides, chain.state.control().hash).unwrap();
    let genesis = VaultState::from_genesis(lineage[0], &after.state);
    let skimmed =
        lineage[1..].iter().try_fold(genesis.unwrap(), |state, entry| state.skip_to(entry, &after.state));
    assert_eq!(skimmed.unwrap().head(), chain.state.head());
}

#[test]
fn a_void_heal_uses_up_no_positions() {
    let (before, trunk) = home();
    let after = removed(&before, "laptop", "phone", &trunk);
    let outcome = |gap: u64| {
        let mut chain = trunk.clone();
        let nothing = LogHead { seq: Seq(chain.state.head().seq.0 + gap - 1), hash: named("nothing") };
        let body = CommitBody::Heal(HealBody {
            fork: trunk.state.head(),
            side: nothing,
            side_control_hash: named("nothing"),
        });
        let mut commit = chain.commit(&before.state, "phone", &body);
        commit.seq = nothing.seq.next();
        let trap = Entry { commit: Signed::sign(commit, &signing_key("phone")), body };
        chain.entries.push(trap.clone());
        let over = resign(&trunk.heal(&after.state, "laptop", &trunk, 1), "laptop", |commit| {
            commit.seq = trap.commit.value().seq.next();
            commit.prev_hash = trap.commit.hash();
        });
        chain.line(&over, &[], &after.state).map(|_| ())
    };
    assert_eq!((outcome(1), outcome(1 << 19)), (Ok(()), Ok(())));
    for gap in [(1 << 19) + 1, u64::MAX - 8] {
        assert!(matches!(outcome(gap), Err(CommitError::Rule(_))), "{gap}");
    }
}

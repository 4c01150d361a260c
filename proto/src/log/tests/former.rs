//! What stays named of former generations of ARK, for the Recovery Key.

use super::every_kind::*;
use super::fixture::*;
use crate::ids::{Epoch, Generation};
use crate::log::*;

fn rekey(account: &mut TestAccount) {
    let rekey = account.rekey(RekeyReason::Rotation, &[]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
}

fn generations(state: &AccountState) -> Vec<u32> {
    state.former_arks().map(|(generation, _)| generation.0).collect()
}

#[test]
fn a44_every_former_generation_stays_named_with_its_places() {
    let mut account = TestAccount::new("anna", "laptop");
    let home = account.add_vault("laptop", "home").id();
    let mut seen = vec![account.state.clone()];
    rekey(&mut account);
    let work = account.add_vault("laptop", "work").id();
    seen.push(account.state.clone());
    rekey(&mut account);
    assert_eq!(generations(&account.state), [2, 1]);
    for then in &seen {
        let generation = then.generation();
        let former = account.state.former_arks().find(|(known, _)| *known == generation).unwrap().1;
        let hash = then.auth().unwrap().recovery_slot;
        let slot = then.auth_slot(&hash).unwrap();
        assert_eq!((former.ark_commit, former.recovery_slot), (then.ark_commit(), slot));
        let mut named = account.state.former_slot_hashes(generation);
        assert!(named.remove(&hash) && named.is_subset(&account.state.kept_slot_hashes()));
        for vault_id in [home, work] {
            let vault = then.vaults().get(&vault_id);
            let expected = vault.map(|vault| (vault.epoch, vault.slot));
            assert_eq!(account.state.vault_slot(&vault_id, generation), expected);
            assert!(expected.is_none_or(|(_, slot)| named.remove(&slot.hash)));
        }
        assert!(named.is_empty());
    }
    let current = account.state.vaults()[&work].slot;
    assert_eq!(account.state.vault_slot(&work, Generation(3)), Some((Epoch(2), current)));
    for other in [0, 4, u32::MAX] {
        assert_eq!(account.state.vault_slot(&home, Generation(other)), None);
        assert!(account.state.former_slot_hashes(Generation(other)).is_empty());
    }
    assert!(account.state.slot_hashes().is_subset(&account.state.kept_slot_hashes()));
    // Both recovery slots, home's two earlier slots and work's one.
    assert_eq!(account.state.kept_slot_hashes().len(), account.state.slot_hashes().len() + 5);
    assert!(account.state.memory_bytes() >= seen[1].memory_bytes() + 160 + 2 * 96);
}

#[test]
fn a_recovery_key_keeps_nothing_that_another_one_opened() {
    let (mut account, _) = busy_account();
    rekey(&mut account);
    rekey(&mut account);
    assert!(!generations(&account.state).is_empty());
    let change = |name: &str| {
        let slot = named(&format!("{name} slot"));
        LinkBody::RecoveryChange(Box::new(RecoveryChange { recovery: recovery_keys(name), slot }))
    };
    let mut link = account.link("laptop", change("rk 2"));
    link.signer = Signer::Recovery;
    let by_paper = account.attempt(link, "anna rk 1").unwrap();
    let recovered = account.attempt(recover_link(&account), "anna rk 1").unwrap();
    account.push("laptop", LinkBody::RecoveryAnnounce(Box::new(recovery_keys("rk 3"))));
    let kept = account.state.kept_slot_hashes().len();
    assert!(kept > account.state.slot_hashes().len(), "one that is announced changes nothing yet");
    let announced = account.attempt(account.link("laptop", change("rk 3")), "laptop").unwrap();
    for state in [by_paper, recovered, announced] {
        assert!(generations(&state).is_empty());
        assert_eq!(state.kept_slot_hashes(), state.slot_hashes());
    }
}

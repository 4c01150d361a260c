//! Any honest history verifies; any one entry dropped, repeated, moved or brought from elsewhere does not.

use proptest::prelude::*;
use proptest::sample::Index;

use super::history::{History, replay, steps};
use crate::log::*;
use crate::sign::Signed;

type Links = Vec<Signed<AccountLink>>;

/// One dropped (never the last: a prefix is honest), one repeated, two neighbours swapped.
fn disturbed<T: Clone>(entries: &[T], at: Index) -> Vec<(&'static str, Vec<T>)> {
    let mut repeated = entries.to_vec();
    let index = at.index(entries.len());
    repeated.insert(index, entries[index].clone());
    let mut all = vec![("repeated", repeated)];
    if entries.len() > 1 {
        let index = at.index(entries.len() - 1);
        let mut dropped = entries.to_vec();
        dropped.remove(index);
        let mut swapped = entries.to_vec();
        swapped.swap(index, index + 1);
        all.extend([("dropped", dropped), ("swapped", swapped)]);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn honest_histories_verify_with_the_log_that_is_known_in_the_end(steps in steps()) {
        let history = History::new("anna", &steps);
        let account = AccountState::from_links(&history.account.links).unwrap();
        prop_assert_eq!(&account, &history.account.state);
        prop_assert_eq!(account.vaults().len(), history.vaults.len());
        for vault in &history.vaults {
            let state = replay(&vault.entries, &account).unwrap();
            prop_assert_eq!(&state, &replay(&vault.entries, &account).unwrap());
            prop_assert!(state.pending_cut_offs().is_empty());
            prop_assert!(state.cut_offs(&account).unwrap().contained.iter().all(|cut| cut.seq <= state.head().seq));
            prop_assert_eq!(state.head(), vault.state.head());
            prop_assert!(account.witnessed(&vault.id()).all(|(_, seen)| seen <= state.head()));
        }
    }

    #[test]
    fn the_digest_is_that_of_the_leaves_and_a_checkpoint_is_as_good_as_the_chain(steps in steps()) {
        let history = History::new("anna", &steps);
        let account = &history.account.state;
        for vault in &history.vaults {
            let mut leaves = LeafMap::default();
            let mut state = VaultState::from_genesis(&vault.entries[0], account).unwrap();
            for entry in &vault.entries[1..] {
                let kept = state.to_checkpoint();
                let restored = VaultState::from_checkpoint(&kept).unwrap();
                prop_assert_eq!(&restored, &state);
                prop_assert_eq!(restored.to_checkpoint(), kept);
                state = state.apply(entry, account).unwrap();
                prop_assert_eq!(&restored.apply(entry, account).unwrap(), &state);
                if let CommitBody::Content(content) = &entry.body {
                    leaves.check(&content.changes).unwrap();
                    prop_assert_eq!(
                        change_digest(&vault.id(), &leaves.digest(&vault.id()), &content.changes).unwrap(),
                        state.digest()
                    );
                    leaves.apply(&content.changes);
                    prop_assert!(leaves.check(&content.changes).is_err(), "the same change twice");
                }
                prop_assert_eq!(leaves.digest(&vault.id()), state.digest());
                prop_assert_eq!(leaves.len() as u64, state.live() + state.tombstones());
            }
            prop_assert_eq!(&leaves, &vault.leaves);
        }
    }

    #[test]
    fn a_link_dropped_repeated_or_moved_is_refused(steps in steps(), at in any::<Index>()) {
        let history = History::new("anna", &steps);
        for (how, links) in disturbed(&history.account.links, at) {
            prop_assert!(AccountState::from_links(&links).is_err(), "{}", how);
        }
    }

    #[test]
    fn a_commit_dropped_repeated_or_moved_is_refused(steps in steps(), at in any::<Index>()) {
        let history = History::new("anna", &steps);
        for vault in &history.vaults {
            for (how, entries) in disturbed(&vault.entries, at) {
                prop_assert!(replay(&entries, &history.account.state).is_err(), "{}", how);
            }
        }
    }

    #[test]
    fn an_entry_of_another_account_or_vault_is_refused(steps in steps(), at in any::<Index>()) {
        let (anna, ben) = (History::new("anna", &steps), History::new("ben", &steps));
        let index = at.index(anna.account.links.len());
        let mut links: Links = anna.account.links.clone();
        links[index] = ben.account.links[index].clone();
        // A foreign genesis alone is an account of its own, but nothing of anna's follows it.
        prop_assert!(AccountState::from_links(&links).is_err());
        let accounts: std::collections::BTreeMap<_, _> =
            [&anna, &ben].map(|one| (one.account.id(), one.account.state.clone())).into();
        for (ours, theirs) in anna.vaults.iter().zip(&ben.vaults) {
            let here = at.index(ours.entries.len());
            let (before, entry) = (&ours.entries[..here], &theirs.entries[here]);
            if let Ok(state) = replay(before, &anna.account.state) {
                prop_assert!(state.apply(entry, &accounts).is_err(), "of another account's vault");
            }
            for other in anna.vaults.iter().filter(|other| other.id() != ours.id()) {
                prop_assert!(ours.state.apply(&other.entries[other.entries.len() - 1], &accounts).is_err());
            }
        }
    }

    #[test]
    fn an_entry_of_another_branch_is_refused(steps in steps(), at in any::<Index>()) {
        let history = History::new("anna", &steps);
        let account = &history.account.state;
        let vault = &history.vaults[at.index(history.vaults.len())];
        let vault = history.vault(&vault.id()).unwrap();
        let branch = |content| vault.content(account, "first", &[("item 1", content)]);
        let (left, right) = (branch("left"), branch("right"));
        let on_left = vault.attempt(&left, account).unwrap();
        let after_left = on_left.content(account, "first", &[("item 2", "more")]);
        let on_right = vault.attempt(&right, account).unwrap();
        for entry in [&left, &after_left] {
            let refused = on_right.attempt(entry, account).err();
            prop_assert!(matches!(refused, Some(CommitError::Chain { .. })), "{:?}", refused);
        }
        let mut fork = history.account.clone();
        fork.push("first", LinkBody::AuthUpdate(fork.new_password("fork")));
        let link = fork.link("first", LinkBody::SecurityVersion(account.security_version() + 1));
        let refused = history.account.attempt(link, "first").err();
        prop_assert!(matches!(refused, Some(LinkError::Chain { .. })), "{:?}", refused);
        let from_fork = vault.content(&fork.state, "first", &[("item 1", "from the fork")]);
        let refused = vault.attempt(&from_fork, account).err();
        prop_assert!(matches!(refused, Some(CommitError::Withheld { .. })), "{:?}", refused);
    }
}

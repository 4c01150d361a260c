//! One flipped bit anywhere on the wire, in entries of every kind: never accepted.

use super::every_kind::*;
use super::fixture::*;
use crate::canon::CanonError;
use crate::log::*;
use crate::sign::Signed;

/// Every byte near the ends, where the small fields are, and every seventh of the long keys between.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let tried = |at: &usize| *at < 512 || at + 768 > bytes.len() || at.is_multiple_of(7);
    (0..bytes.len()).filter(tried).map(|at| {
        let mut broken = bytes.to_vec();
        broken[at] ^= 1 << (at % 8);
        (at, broken)
    })
}

#[test]
fn a_flipped_bit_in_a_link_of_any_kind_is_refused() {
    let (account, _) = busy_account();
    let signed = next_links(&account).into_iter().map(|(link, key)| sign_link(&account.state, link, key));
    for link in signed {
        assert!(account.state.apply(&link).is_ok());
        for (at, broken) in flipped(&link.to_wire()) {
            let read = Signed::<AccountLink>::from_wire(&broken);
            let found = read.map_err(LinkError::Format).and_then(|link| account.state.apply(&link));
            assert!(found.is_err(), "bit at {at} of {:?}", link.value().body.kind());
        }
    }
}

#[test]
fn a_flipped_bit_in_a_genesis_is_refused() {
    let genesis = Signed::sign(TestAccount::genesis("anna", "laptop"), &signing_key("laptop"));
    for (at, broken) in flipped(&genesis.to_wire()) {
        let read = Signed::<AccountLink>::from_wire(&broken);
        let found = read.map_err(LinkError::Format).and_then(|link| AccountState::from_genesis(&link));
        assert!(found.is_err(), "bit at {at}");
    }
}

#[test]
fn a_flipped_bit_in_a_commit_or_body_of_any_kind_is_refused() {
    let (mut account, mut vault) = busy_account();
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    let genesis = TestVault::genesis(&account, "laptop", "work");
    let start = |commit: &[u8], body: &[u8]| {
        VaultState::from_genesis(&Entry::from_wire(commit, body)?, &account.state).map(|_| ())
    };
    let next = |commit: &[u8], body: &[u8]| {
        vault.state.apply(&Entry::from_wire(commit, body)?, &account.state).map(|_| ())
    };
    type Verify<'a> = &'a dyn Fn(&[u8], &[u8]) -> Result<(), CommitError>;
    let mut tried: Vec<(Entry, Verify<'_>)> = vec![(genesis, &start)];
    tried.extend(next_entries(&account, &vault).into_iter().map(|entry| (entry, &next as Verify<'_>)));
    for (entry, verify) in tried {
        let (commit, body) = (entry.commit.to_wire(), entry.body.to_bytes());
        let kind = entry.body.kind();
        assert_eq!(verify(&commit, &body).is_ok(), kind != CommitKind::Heal);
        for (at, broken) in flipped(&commit) {
            assert!(verify(&broken, &body).is_err(), "bit at {at} of a {kind:?} commit");
        }
        for (at, broken) in flipped(&body) {
            assert_eq!(verify(&commit, &broken), Err(CommitError::Body), "bit at {at} of a {kind:?} body");
        }
    }
}

#[test]
fn entries_cut_short_or_with_more_behind_them_are_refused() {
    let (account, vault) = busy_account();
    for (link, key) in next_links(&account) {
        let wire = sign_link(&account.state, link, key).to_wire();
        for end in (0..wire.len()).step_by(97).chain([wire.len() - 1]) {
            assert_eq!(Signed::<AccountLink>::from_wire(&wire[..end]), Err(CanonError::Truncated));
        }
        let longer = [&wire[..], &[0]].concat();
        assert_eq!(Signed::<AccountLink>::from_wire(&longer), Err(CanonError::Trailing(1)));
    }
    for entry in next_entries(&account, &vault) {
        let (wire, body) = (entry.commit.to_wire(), entry.body.to_bytes());
        let cut = Entry::from_wire(&wire[..wire.len() - 1], &body);
        assert_eq!(cut, Err(CommitError::Format(CanonError::Truncated)));
        let longer = [&wire[..], &[0]].concat();
        assert_eq!(Entry::from_wire(&longer, &body), Err(CommitError::Format(CanonError::Trailing(1))));
        let longer = [&body[..], &[0]].concat();
        assert_eq!(Entry::from_wire(&wire, &longer), Err(CommitError::Body));
    }
}

/// A body is bound to its kind twice: by the commit's own field and by the label of the hash.
#[test]
fn the_same_bytes_under_another_kind_are_another_body() {
    let (account, vault) = busy_account();
    let hashes: Vec<_> = next_entries(&account, &vault)
        .iter()
        .flat_map(|entry| {
            let bytes = entry.body.to_bytes();
            CommitKind::ALL.map(|kind| CommitBody::hash_bytes(kind, &bytes))
        })
        .collect();
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

//! R-AUTHOR as one table: what the author's log says of the device × the position the commit names × where the commit
//! stands relative to the cut-off.

use super::fixture::*;
use crate::ids::Seq;
use crate::log::*;
use crate::sign::Signed;

/// What the log that the verifier knows says of the phone in the end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phone {
    Never,
    Active,
    Revoked(Cut),
    RevokedTwice(Cut, Cut),
    /// The revoking link names another vault's head, not this vault's.
    RevokedBeforeTheVault,
    /// By a recovery, not by a rekey.
    Recovered(Cut),
}

/// Where a revocation cuts, seen from the commit in question.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// At the commit before it.
    Before,
    /// At the commit itself.
    Here,
    /// At its position, but at another commit.
    HereElsewhere,
    /// At a commit after it.
    After,
}

/// Links of the log: 0 genesis, 1 auth_update, 2 vault_create, 3 the phone comes, 4 security version, 5 and 6 it goes.
struct Story {
    states: Vec<AccountState>,
    vault: TestVault,
}

impl Story {
    fn new() -> (TestAccount, Self) {
        let mut account = TestAccount::new("anna", "laptop");
        let mut states = vec![account.state.clone(); 2];
        let mut vault = account.add_vault("laptop", "home");
        states.push(account.state.clone());
        vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
        vault.write(&account.state, "laptop", &[("mail", "mail 1")]);
        account.add_device("laptop", "phone");
        states.push(account.state.clone());
        account.push("laptop", LinkBody::SecurityVersion(2));
        states.push(account.state.clone());
        (account, Self { states, vault })
    }

    fn cut(&self, cut: Cut, commit: &Entry) -> LogHead {
        let seq = commit.commit.value().seq;
        match cut {
            Cut::Before => self.vault.state.head(),
            Cut::Here => commit.commit.value().head(commit.commit.hash()),
            Cut::HereElsewhere => LogHead { seq, hash: named("another branch") },
            Cut::After => LogHead { seq: seq.next(), hash: named("not here yet") },
        }
    }

    fn end(&self, mut account: TestAccount, phone: Phone, commit: &Entry) -> TestAccount {
        let cuts = match phone {
            Phone::Never | Phone::Active | Phone::RevokedBeforeTheVault => vec![],
            Phone::Revoked(cut) | Phone::Recovered(cut) => vec![cut],
            Phone::RevokedTwice(first, second) => vec![first, second],
        };
        for cut in cuts {
            account.heads.insert(self.vault.id(), self.cut(cut, commit));
            if let Phone::Recovered(_) = phone {
                let mut link = super::every_kind::recover_link(&account);
                let LinkBody::Recover(body) = &mut link.body else { panic!("a recover") };
                body.rekey.revoked.retain(|id| account.state.device(id).is_some());
                account.accept(link, "anna rk 1");
            } else {
                let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
                account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
            }
        }
        account
    }
}

/// A log in which the phone went before the vault came: no cut-off names the vault.
fn revoked_before_the_vault() -> (TestAccount, AccountState, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let active = account.state.clone();
    let mut vault = TestVault::new(&account, "laptop", "home");
    vault.write(&active, "laptop", &[("bank", "bank 1")]);
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    (account, active, vault)
}

fn outcome(phone: Phone, position: usize) -> Result<usize, CommitError> {
    if phone == Phone::RevokedBeforeTheVault {
        let (account, active, vault) = revoked_before_the_vault();
        let commit = vault.content(&active, "phone", &[("bank", "bank 2")]);
        return vault.state.apply(&commit, &account.state).map(|state| state.pending_cut_offs().len());
    }
    let (account, story) = Story::new();
    let signer = if phone == Phone::Never { "stranger" } else { "phone" };
    let draft = story.vault.content(&story.states[position.min(4)], signer, &[("bank", "bank 2")]);
    let account = story.end(account, phone, &draft);
    let commit = if position > 4 {
        let hash = account.state.hash_at(Seq(position as u64)).unwrap();
        let mut commit = draft.commit.value().clone();
        commit.author_position = LogHead { seq: Seq(position as u64), hash };
        Entry { commit: Signed::sign(commit, &signing_key(signer)), body: draft.body }
    } else {
        draft
    };
    story.vault.state.apply(&commit, &account.state).map(|state| state.pending_cut_offs().len())
}

#[test]
fn who_may_write_where_and_from_which_position() {
    use Cut::{After, Before, Here, HereElsewhere};
    use Phone::{Active, Never, Recovered, Revoked, RevokedBeforeTheVault, RevokedTwice};
    let refused = || Err(CommitError::Author(device_id("phone")));
    let fork = || Err(CommitError::CutOff { seq: Seq(3), hash: named("another branch") });
    let table = [
        (Never, 4, Err(CommitError::Author(device_id("stranger")))),
        // Added by link 3: it did not write before it was there.
        (Active, 2, refused()),
        (Active, 3, Ok(0)),
        (Active, 4, Ok(0)),
        // Revoked by link 5: what it wrote up to the cut-off stays, from any position it had.
        (Revoked(After), 3, Ok(1)),
        (Revoked(After), 4, Ok(1)),
        (Revoked(Here), 3, Ok(0)),
        (Revoked(Here), 4, Ok(0)),
        (Revoked(HereElsewhere), 4, fork()),
        (Revoked(Before), 3, refused()),
        (Revoked(Before), 4, refused()),
        (Revoked(After), 2, refused()),
        // It names no position at or after its end.
        (Revoked(After), 5, refused()),
        (Revoked(Before), 5, refused()),
        (Revoked(HereElsewhere), 5, refused()),
        // Revoked again by link 6: the later cut-off counts, the earlier end stays.
        (RevokedTwice(Before, After), 4, Ok(1)),
        (RevokedTwice(Before, Here), 4, Ok(0)),
        (RevokedTwice(HereElsewhere, Here), 4, Ok(0)),
        (RevokedTwice(Here, HereElsewhere), 4, fork()),
        (RevokedTwice(After, Before), 4, refused()),
        (RevokedTwice(After, After), 5, refused()),
        (RevokedTwice(After, After), 6, refused()),
        // A recovery ends devices just as a rekey does.
        (Recovered(After), 4, Ok(1)),
        (Recovered(Here), 4, Ok(0)),
        (Recovered(Before), 4, refused()),
        (Recovered(HereElsewhere), 4, fork()),
        (Recovered(After), 5, refused()),
        // The account had no such vault when the device went: nothing of it counts there.
        (RevokedBeforeTheVault, 2, refused()),
    ];
    for (phone, position, expected) in table {
        assert_eq!(outcome(phone, position), expected, "{phone:?}, position {position}");
    }
}

/// A verifier that does not know the revocation yet accepts, and finds out when it does.
#[test]
fn a_verifier_that_lags_behind_the_revocation_judges_again() {
    let (account, story) = Story::new();
    let commit = story.vault.content(&story.states[4], "phone", &[("bank", "bank 2")]);
    for (cut, expected) in [
        (Cut::Before, Err(CommitError::Author(device_id("phone")))),
        (Cut::Here, Ok(vec![story.cut(Cut::Here, &commit)])),
        (Cut::After, Ok(vec![story.cut(Cut::After, &commit)])),
    ] {
        let later = story.end(account.clone(), Phone::Revoked(cut), &commit);
        let state = story.vault.state.apply(&commit, &story.states[4]).unwrap();
        let found = state.cut_offs(&later.state).map(|cuts| cuts.contained.into_iter().collect::<Vec<_>>());
        assert_eq!(found, expected, "{cut:?}");
    }
}

/// An open cut-off is met by the very commit it names, and by no other at its position.
#[test]
fn an_open_cut_off_waits_for_its_commit() {
    let (account, story) = Story::new();
    let first = story.vault.content(&story.states[4], "phone", &[("bank", "bank 2")]);
    let behind = story.vault.attempt(&first, &story.states[4]).unwrap();
    let second = behind.content(&story.states[4], "laptop", &[("mail", "mail 2")]);
    let other = behind.content(&story.states[4], "laptop", &[("mail", "mail 3")]);
    let later = story.end(account, Phone::Revoked(Cut::Here), &second);
    let open = story.vault.state.apply(&first, &later.state).unwrap();
    let cut_off = second.commit.value().head(second.commit.hash());
    assert_eq!(open.pending_cut_offs().iter().copied().collect::<Vec<_>>(), [cut_off]);
    assert!(open.apply(&second, &later.state).unwrap().pending_cut_offs().is_empty());
    let fork = CommitError::CutOff { seq: cut_off.seq, hash: cut_off.hash };
    assert_eq!(open.apply(&other, &later.state), Err(fork));
    let kept = VaultState::from_checkpoint(&open.to_checkpoint()).unwrap();
    assert_eq!(kept, open, "a checkpoint keeps what is open");
}

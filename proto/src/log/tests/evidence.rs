//! Fork evidence: what it proves, and that not one bit of it can be changed.

use super::fixture::*;
use super::recorded::judge;
use crate::canon::CanonError;
use crate::ids::{Seq, VaultId};
use crate::log::*;
use crate::sign::Signed;

/// A vault of which phone and laptop were shown two histories after three commits.
fn forked() -> (TestAccount, TestVault, TestVault, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut common = account.add_vault("laptop", "home");
    common.write(&account.state, "laptop", &[("bank", "1")]);
    common.write(&account.state, "phone", &[("mail", "1")]);
    let (mut held, mut served) = (common.clone(), common.clone());
    held.write(&account.state, "laptop", &[("bank", "held")]);
    held.write(&account.state, "phone", &[("bank", "held again")]);
    served.write(&account.state, "phone", &[("bank", "served")]);
    served.write(&account.state, "phone", &[("mail", "served")]);
    (account, common, held, served)
}

fn statement(
    account: &TestAccount,
    vault_id: VaultId,
    held: LogHead,
    served: LogHead,
) -> Signed<ForkStatement> {
    let statement = ForkStatement {
        account_id: account.id(),
        device_id: device_id("laptop"),
        position: account.state.head(),
        vault_id,
        held,
        served,
        time_ms: 1_700_000_000_000,
    };
    Signed::sign(statement, &signing_key("laptop"))
}

fn evidence() -> ForkEvidence {
    let (account, common, held, served) = forked();
    evidence_of(&account, &common, &held, &served)
}

/// What a device keeps that holds one branch and was served another one.
fn evidence_of(
    account: &TestAccount,
    common: &TestVault,
    held: &TestVault,
    served: &TestVault,
) -> ForkEvidence {
    let after = common.entries.len();
    let last = common.entries.last().unwrap().clone();
    ForkEvidence {
        accounts: vec![account.links.clone()],
        branches: Branches::Vault {
            common: vec![common.entries[0].clone(), last],
            held: held.entries[after..].to_vec(),
            served: served.entries[after..].to_vec(),
        },
        statement: statement(account, common.id(), held.state.head(), served.state.head()),
    }
}

#[test]
fn two_histories_and_a_devices_word_convict_a_server() {
    let evidence = evidence();
    let proof = evidence.verify().unwrap();
    assert!(proof.is_continued);
    assert_eq!(ForkEvidence::from_bytes(&evidence.to_bytes()).unwrap().verify(), Ok(proof));
}

#[test]
fn not_one_bit_can_be_changed() {
    let bytes = evidence().to_bytes();
    for position in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[position] ^= 1 << (position % 8);
        let verified = ForkEvidence::from_bytes(&changed).and_then(|evidence| evidence.verify());
        assert!(verified.is_err(), "byte {position}");
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(ForkEvidence::from_bytes(&bytes[..length]).is_err());
    }
    assert!(ForkEvidence::from_bytes(&[bytes, vec![0]].concat()).is_err());
}

#[test]
pub(super) fn what_is_no_fork_proves_nothing() {
    let honest = evidence();
    let Branches::Vault { common, held, served } = honest.branches.clone() else { unreachable!() };
    let with = |held: &[Entry], served: &[Entry]| ForkEvidence {
        branches: Branches::Vault { common: common.clone(), held: held.to_vec(), served: served.to_vec() },
        ..honest.clone()
    };
    for evidence in [with(&held, &held), with(&held, &[]), with(&[], &served), with(&served, &held)] {
        assert!(judge(&evidence).is_err());
    }
    let (account, _, longer, _) = forked();
    let head = |entries: &[Entry]| {
        let last = entries.last().unwrap();
        last.commit.value().head(last.commit.hash())
    };
    let prefix = ForkEvidence {
        statement: statement(&account, longer.id(), head(&held[..1]), head(&served)),
        ..with(&held[..1], &served)
    };
    assert_eq!(judge(&prefix).map(|proof| proof.is_continued), Ok(false));
    let foreign = TestAccount::new("mallory", "tablet");
    let stranger = ForkEvidence { accounts: vec![foreign.links.clone()], ..honest };
    assert!(judge(&stranger).is_err());
}

fn no_fork(why: &'static str) -> Result<ForkProof, EvidenceError> {
    Err(EvidenceError::NoFork(why))
}

#[test]
pub(super) fn branches_that_begin_alike_or_are_empty_are_no_fork_whatever_the_device_says() {
    let (account, common, held, served) = forked();
    let after = common.entries.len();
    let stated = |held: &TestVault, served: &TestVault| ForkEvidence {
        branches: Branches::Vault {
            common: common.entries.clone(),
            held: held.entries[after..].to_vec(),
            served: served.entries[after..].to_vec(),
        },
        statement: statement(&account, common.id(), held.state.head(), served.state.head()),
        ..evidence()
    };
    assert!(judge(&stated(&held, &served)).is_ok());
    assert_eq!(judge(&stated(&held, &held)), no_fork("both branches begin alike"));
    let mut longer = held.clone();
    longer.write(&account.state, "phone", &[("bank", "held to the end")]);
    assert_eq!(judge(&stated(&held, &longer)), no_fork("both branches begin alike"));
    for evidence in [stated(&held, &common), stated(&common, &served), stated(&common, &common)] {
        assert_eq!(judge(&evidence), no_fork("a branch is empty"));
    }
}

#[test]
pub(super) fn only_a_device_that_was_authorised_where_it_says_gives_its_word() {
    let honest = evidence();
    let (mut account, _, held, _) = forked();
    account.add_device("laptop", "tablet");
    let before = account.state.head();
    account.heads.insert(held.id(), held.state.head());
    let rekey = account.rekey(RekeyReason::Lost, &["tablet"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let by = |device: &str, position: LogHead| {
        let statement = ForkStatement { position, device_id: device_id(device), ..*honest.statement.value() };
        let accounts = vec![account.links.clone()];
        let statement = Signed::sign(statement, &signing_key(device));
        judge(&ForkEvidence { accounts, statement, ..honest.clone() })
    };
    let after = account.state.head();
    assert!(by("tablet", before).is_ok() && by("laptop", after).is_ok());
    let unauthorised = no_fork("the device was not authorised");
    assert_eq!(by("tablet", after), unauthorised);
    assert_eq!(by("laptop", LogHead { hash: named("another link"), ..after }), unauthorised);
    assert_eq!(by("laptop", LogHead { seq: after.seq.next(), ..after }), unauthorised);
}

#[test]
fn a_branch_is_read_up_to_its_limit() {
    let honest = evidence();
    let Branches::Vault { common, held, served } = honest.branches.clone() else { unreachable!() };
    let with = |count: usize| {
        let held = held.iter().cycle().take(count).cloned().collect();
        let branches = Branches::Vault { common: common.clone(), held, served: served.clone() };
        ForkEvidence::from_bytes(&ForkEvidence { branches, ..honest.clone() }.to_bytes()).map(|_| ())
    };
    let limit = BRANCH_LIMIT;
    assert_eq!(with(limit), Ok(()));
    assert_eq!(with(limit + 1), Err(CanonError::TooLong { found: limit + 1, limit }.into()));
}

#[test]
fn a_file_is_read_up_to_its_limits() {
    let too_long = |found, limit| EvidenceError::from(CanonError::TooLong { found, limit });
    let read = |length: usize| ForkEvidence::from_bytes(&vec![0; length]).unwrap_err();
    assert_eq!(read(EVIDENCE_LIMIT), CanonError::WrongLabel("fork-evidence").into());
    assert_eq!(read(EVIDENCE_LIMIT + 1), too_long(EVIDENCE_LIMIT + 1, EVIDENCE_LIMIT));
    let with = |count: usize| {
        let evidence = ForkEvidence { accounts: vec![Vec::new(); count], ..evidence() };
        ForkEvidence::from_bytes(&evidence.to_bytes()).map(|read| read.accounts.len())
    };
    assert_eq!(with(MEMBERS_LIMIT), Ok(MEMBERS_LIMIT));
    assert_eq!(with(MEMBERS_LIMIT + 1), Err(too_long(MEMBERS_LIMIT + 1, MEMBERS_LIMIT)));
}

#[test]
fn a_device_alone_proves_nothing_beyond_its_word() {
    let (account, common, _, _) = forked();
    let (mut held, mut served) = (common.clone(), common.clone());
    for (branch, content) in [(&mut held, "a"), (&mut served, "b")] {
        branch.write(&account.state, "laptop", &[("bank", content)]);
        branch.write(&account.state, "laptop", &[("mail", content)]);
    }
    let after = common.entries.len();
    let made_up = ForkEvidence {
        branches: Branches::Vault {
            common: common.entries.clone(),
            held: held.entries[after..].to_vec(),
            served: served.entries[after..].to_vec(),
        },
        statement: statement(&account, common.id(), held.state.head(), served.state.head()),
        ..evidence()
    };
    assert_eq!(made_up.verify().map(|proof| proof.is_continued), Ok(false));
}

#[test]
fn a_forked_account_log_is_told_too() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let common = account.links.clone();
    let (mut held, mut served) = (account.clone(), account.clone());
    held.add_vault("laptop", "home");
    served.add_vault("phone", "work");
    let evidence = |held: &TestAccount, served: &TestAccount| ForkEvidence {
        accounts: vec![common.clone()],
        branches: Branches::Account {
            held: held.links[common.len()..].to_vec(),
            served: served.links[common.len()..].to_vec(),
        },
        statement: statement(&account, VaultId::ZERO, held.state.head(), served.state.head()),
    };
    let is_continued = |evidence: &ForkEvidence| evidence.verify().map(|proof| proof.is_continued).unwrap();
    let short = evidence(&held, &served);
    assert!(!is_continued(&short));
    assert!(!is_continued(&ForkEvidence::from_bytes(&short.to_bytes()).unwrap()));
    // Another device went on where this one was served, then on both.
    served.push("phone", LinkBody::SecurityVersion(2));
    held.push("laptop", LinkBody::SecurityVersion(2));
    assert!(!is_continued(&evidence(&held, &served)));
    held.push("phone", LinkBody::SecurityVersion(3));
    assert!(is_continued(&evidence(&held, &served)));
}

#[test]
fn a_head_that_another_device_names_is_enough() {
    let (mut account, _, held, served) = forked();
    account.heads.insert(held.id(), served.state.head());
    account.push("phone", LinkBody::SecurityVersion(2));
    let link = account.state.head().seq;
    let claimed = |account: &TestAccount, witness: Witness| ForkEvidence {
        accounts: vec![account.links.clone()],
        branches: Branches::Claimed { held: held.entries.clone(), witness },
        statement: statement(account, held.id(), held.state.head(), served.state.head()),
    };
    let evidence = claimed(&account, Witness::Link(link));
    assert!(evidence.verify().is_ok());
    assert!(ForkEvidence::from_bytes(&evidence.to_bytes()).unwrap().verify().is_ok());
    assert!(claimed(&account, Witness::Link(Seq(1))).verify().is_err());

    let mut other = account.add_vault("laptop", "work");
    let entry = other.content(&account.state, "phone", &[("pin", "1")]);
    let seen = VaultHead { vault_id: held.id(), head: served.state.head() };
    let entry = resign(&entry, "phone", |commit| commit.observed = vec![seen]);
    other.accept(&entry, &account.state);
    let commit = |entry: &Entry| Witness::Commit(Box::new(entry.commit.clone()));
    let evidence = claimed(&account, commit(&entry));
    assert!(evidence.verify().is_ok());
    assert!(ForkEvidence::from_bytes(&evidence.to_bytes()).unwrap().verify().is_ok());
    let forged = resign(&entry, "tablet", |_| ());
    assert!(claimed(&account, commit(&forged)).verify().is_err());
    let silent = resign(&entry, "phone", |commit| commit.observed.clear());
    assert!(claimed(&account, commit(&silent)).verify().is_err());
}

#[test]
pub(super) fn a_head_of_the_same_branch_that_another_device_names_is_no_fork() {
    let (account, common, held, served) = forked();
    let claimed = |place: LogHead| {
        let mut account = account.clone();
        account.heads.insert(held.id(), place);
        account.push("phone", LinkBody::SecurityVersion(2));
        judge(&ForkEvidence {
            accounts: vec![account.links.clone()],
            branches: Branches::Claimed {
                held: held.entries.clone(),
                witness: Witness::Link(account.state.head().seq),
            },
            statement: statement(&account, held.id(), held.state.head(), place),
        })
    };
    assert!(claimed(served.state.head()).is_ok());
    for place in [common.state.head(), held.state.head()] {
        assert_eq!(claimed(place), no_fork("both heads are of one branch"));
    }
}

#[test]
pub(super) fn a_head_is_named_only_by_another_device_that_was_authorised_where_it_says() {
    let (mut account, _, held, served) = forked();
    account.add_device("laptop", "tablet");
    let work = account.add_vault("laptop", "work");
    let before = account.state.head();
    account.heads.insert(held.id(), held.state.head());
    let rekey = account.rekey(RekeyReason::Lost, &["tablet"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let after = account.state.head();
    let claimed = |account: &TestAccount, witness: Witness| {
        judge(&ForkEvidence {
            accounts: vec![account.links.clone()],
            branches: Branches::Claimed { held: held.entries.clone(), witness },
            statement: statement(account, held.id(), held.state.head(), served.state.head()),
        })
    };
    let entry = work.content(&account.state, "phone", &[("pin", "1")]);
    let seen = VaultHead { vault_id: held.id(), head: served.state.head() };
    let by = |device: &str, position: LogHead| {
        let entry = resign(&entry, device, |commit| {
            commit.author_device = device_id(device);
            commit.author_position = position;
            commit.observed = vec![seen];
        });
        claimed(&account, Witness::Commit(Box::new(entry.commit)))
    };
    assert!(by("phone", after).is_ok() && by("tablet", before).is_ok());
    let unnamed = no_fork("nobody names the other head");
    assert_eq!(by("laptop", after), unnamed);
    assert_eq!(by("tablet", after), unnamed);
    assert_eq!(by("phone", LogHead { hash: named("another link"), ..after }), unnamed);

    let link = |device: &str| {
        let mut account = account.clone();
        account.heads.insert(held.id(), served.state.head());
        account.push(device, LinkBody::SecurityVersion(2));
        claimed(&account, Witness::Link(account.state.head().seq))
    };
    assert!(link("phone").is_ok());
    assert_eq!(link("laptop"), unnamed);
}

#[test]
fn a_branch_of_a_fork_may_have_a_heal() {
    let (account, common, mut held, served) = forked();
    let mut side = common.clone();
    side.write(&account.state, "laptop", &[("note", "beside")]);
    let heal = held.heal(&account.state, "phone", &side, common.entries.len() - 1);
    held.join(&heal, &[&side], &account.state);
    held.write(&account.state, "laptop", &[("note", "after the heal")]);
    let evidence = evidence_of(&account, &common, &held, &served);
    let proof = evidence.verify().unwrap();
    assert_eq!(ForkEvidence::from_bytes(&evidence.to_bytes()).unwrap().verify(), Ok(proof));
}

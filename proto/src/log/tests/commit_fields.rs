//! Every field of a commit and of its body, changed one at a time, signed again and read from the wire: what is
//! refused and why, and what is the author's word.

use super::every_kind::*;
use super::fixture::*;
use crate::canon::CanonError;
use crate::digest::Digest;
use crate::ids::{AccountId, Epoch, Generation, Hash, Seq, VaultId, Version};
use crate::log::*;
use crate::sign::{SignatureError, Signed};

type Outcome = Result<(), CommitError>;
type Case<T> = (&'static str, fn(&mut T), Outcome);

const EPOCH: fn(u32) -> Outcome = |found| Err(CommitError::Epoch { current: Epoch(1), found: Epoch(found) });

fn rule(text: &'static str) -> Outcome {
    Err(CommitError::Rule(text))
}

fn home() -> (TestAccount, TestVault) {
    let (mut account, mut vault) = busy_account();
    account.name_epoch("laptop");
    vault.write(&account.state, "laptop", &[("bank", "bank 1"), ("mail", "mail 1")]);
    vault.write(&account.state, "phone", &[("bank", "bank 2")]);
    (account, vault)
}

fn outcome(account: &TestAccount, vault: &TestVault, entry: &Entry) -> Outcome {
    receive(vault, entry, &account.state).map(|_| ())
}

fn observe(commit: &mut Commit, vaults: impl IntoIterator<Item = u8>) {
    let head = LogHead::default();
    commit.observed =
        vaults.into_iter().map(|vault| VaultHead { vault_id: VaultId([vault; 32]), head }).collect();
}

#[test]
fn fields_of_a_commit_of_every_kind() {
    let (account, vault) = home();
    let chain = |found| Err(CommitError::Chain { expected: Seq(3), found: Seq(found) });
    let withheld = |account_id, seq| Err(CommitError::Withheld { account_id, needed: Seq(seq) });
    let stranger = Err(CommitError::Author(device_id("stranger")));
    let forged = Err(CommitError::Signature(SignatureError::Mismatch));
    let format = |error| Err(CommitError::Format(error));
    let cases: Vec<Case<Commit>> = vec![
        ("nothing", |_| {}, Ok(())),
        ("vault_id", |commit| commit.vault_id = VaultId([9; 32]), Err(CommitError::Vault)),
        ("vault_id", |commit| commit.vault_id = VaultId::ZERO, Err(CommitError::Vault)),
        ("seq", |commit| commit.seq = Seq(4), chain(4)),
        ("seq", |commit| commit.seq = Seq(2), chain(2)),
        ("prev_hash", |commit| commit.prev_hash = named("fork"), chain(3)),
        ("control_hash", |commit| commit.control_hash = Hash::ZERO, Err(CommitError::Control)),
        (
            "author_account",
            |commit| commit.author_account = AccountId([9; 32]),
            withheld(AccountId([9; 32]), 5),
        ),
        ("author_device", |commit| commit.author_device = device_id("stranger"), stranger),
        ("author_device", |commit| commit.author_device = device_id("phone"), forged),
        ("author_position.seq", |commit| commit.author_position.seq = Seq(6), withheld(account.id(), 6)),
        (
            "author_position.seq",
            |commit| commit.author_position.seq = Seq(4),
            Err(CommitError::Position(Seq(4))),
        ),
        (
            "author_position.hash",
            |commit| commit.author_position.hash = named("fork"),
            Err(CommitError::Position(Seq(5))),
        ),
        ("time_ms", |commit| commit.time_ms = u64::MAX, Ok(())),
        ("observed", |commit| observe(commit, 1..=32), Ok(())),
        ("observed", |commit| observe(commit, 1..=33), format(CanonError::TooLong { found: 33, limit: 32 })),
        ("observed", |commit| observe(commit, [2, 1]), format(CanonError::Unsorted("observed"))),
        ("observed", |commit| observe(commit, [1, 1]), format(CanonError::Unsorted("observed"))),
        ("body_hash", |commit| commit.body_hash = named("other"), Err(CommitError::Body)),
        ("kind", |commit| commit.kind = CommitKind::Genesis, Err(CommitError::Body)),
        ("digest", |commit| commit.digest = Digest::default(), Err(CommitError::Digest)),
    ];
    let honest = next_entries(&account, &vault);
    for entry in honest.iter().filter(|entry| entry.body.kind() != CommitKind::Heal) {
        for (field, change, expected) in &cases {
            let control = entry.body.kind() == CommitKind::Control;
            let expected = match expected {
                Err(CommitError::Epoch { current, .. }) if control => {
                    &Err(CommitError::Epoch { current: *current, found: Epoch(2) })
                }
                other => other,
            };
            let broken = resign(entry, "laptop", change);
            assert_eq!(&outcome(&account, &vault, &broken), expected, "{field} of {:?}", entry.body.kind());
        }
        let wrong_key = outcome(&account, &vault, &resign(entry, "mallory", |_| {}));
        assert_eq!(wrong_key, Err(CommitError::Signature(SignatureError::Mismatch)));
    }
    assert_eq!(outcome(&account, &vault, &honest[2]), Err(CommitError::Heal));
}

#[test]
fn counts_and_epoch_of_a_content_commit() {
    let (account, vault) = home();
    let cases: &[Case<Commit>] = &[
        ("epoch", |commit| commit.epoch = Epoch(2), EPOCH(2)),
        ("epoch", |commit| commit.epoch = Epoch(0), EPOCH(0)),
        ("live", |commit| commit.live += 1, Err(CommitError::Counts)),
        ("live", |commit| commit.live -= 1, Err(CommitError::Counts)),
        ("tombstones", |commit| commit.tombstones += 1, Err(CommitError::Counts)),
        ("tombstones", |commit| commit.tombstones = u64::MAX, Err(CommitError::Counts)),
        // Which items are tombstones only their headers say: whoever has the blobs checks the split.
        ("both", |commit| (commit.live, commit.tombstones) = (commit.live - 1, 1), Ok(())),
    ];
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 9"), ("new", "new 1")]);
    for (field, change, expected) in cases {
        let broken = resign(&honest, "laptop", change);
        assert_eq!(&outcome(&account, &vault, &broken), expected, "{field}");
    }
}

/// The same change with the digest as before, then with one that adds up: what arithmetic misses, the map sees.
#[test]
fn fields_of_a_change() {
    let (account, vault) = home();
    let item = Err(CommitError::Item(item_id("bank")));
    let other = Err(CommitError::Item(item_id("other")));
    type Twice = (&'static str, fn(&mut Change), Outcome, Outcome);
    let cases: &[Twice] = &[
        ("item_id", |change| change.item_id = item_id("other"), Err(CommitError::Digest), other),
        ("old_version", |change| change.old_version = Version(1), Err(CommitError::Digest), item.clone()),
        ("old_version 0", |change| change.old_version = Version(0), item.clone(), item.clone()),
        ("old_blob_hash", |change| change.old_blob_hash = named("x"), Err(CommitError::Digest), item.clone()),
        ("old_blob_hash 0", |change| change.old_blob_hash = Hash::ZERO, item.clone(), item.clone()),
        ("new_version same", |change| change.new_version = Version(2), item.clone(), item.clone()),
        ("new_version lower", |change| change.new_version = Version(1), item.clone(), item.clone()),
        ("new_version", |change| change.new_version = Version(9), Err(CommitError::Digest), Ok(())),
        (
            "new_version at the step's end",
            |change| change.new_version = Version(2 + Change::VERSION_STEP),
            Err(CommitError::Digest),
            Ok(()),
        ),
        (
            "new_version beyond the step",
            |change| change.new_version = Version(3 + Change::VERSION_STEP),
            item.clone(),
            item.clone(),
        ),
        ("new_blob_hash", |change| change.new_blob_hash = named("x"), Err(CommitError::Digest), Ok(())),
        ("new_blob_hash 0", |change| change.new_blob_hash = Hash::ZERO, item.clone(), item),
    ];
    let honest = vault.content(&account.state, "laptop", &[("bank", "bank 3")]);
    for (field, change, with_old_digest, with_new_digest) in cases {
        let mut changed = vault.change("bank", "bank 3");
        change(&mut changed);
        let body = CommitBody::Content(ContentBody { changes: vec![changed] });
        let mut commit = honest.commit.value().clone();
        commit.body_hash = body.hash();
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body: body.clone() };
        assert_eq!(&outcome(&account, &vault, &entry), with_old_digest, "{field}, old digest");
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        assert_eq!(&outcome(&account, &vault, &entry), with_new_digest, "{field}, new digest");
    }
}

#[test]
fn a_content_commit_changes_something_and_each_item_once_in_order() {
    let (account, vault) = home();
    let (first, second) = (vault.change("bank", "b"), vault.change("mail", "m"));
    let mut ordered = [first, second];
    ordered.sort_by_key(|change| change.item_id);
    let [low, high] = ordered;
    let unsorted = Err(CommitError::Format(CanonError::Unsorted("changes")));
    for (changes, expected) in [
        (vec![], rule("a content commit changes something")),
        (vec![low, high], Ok(())),
        (vec![high, low], unsorted.clone()),
        (vec![low, low], unsorted),
    ] {
        let body = CommitBody::Content(ContentBody { changes });
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        assert_eq!(outcome(&account, &vault, &entry), expected);
    }
}

#[test]
fn fields_of_a_control_body() {
    let (account, vault) = home();
    let no_admin = rule("a vault keeps an admin");
    let new_key = rule("a new epoch, and only that, brings a new vault key");
    let stranger =
        Err(CommitError::Withheld { account_id: AccountId([9; 32]), needed: account.state.head().seq });
    let cases: Vec<Case<ControlBody>> = vec![
        ("nothing", |_| {}, Ok(())),
        ("members", |body| body.members.clear(), no_admin.clone()),
        ("role", |body| body.members[0].role = Role::Writer, no_admin.clone()),
        ("role", |body| body.members[0].role = Role::Reader, no_admin),
        ("account_id", |body| body.members[0].account_id = AccountId([9; 32]), stranger),
        (
            "position.hash",
            |body| body.members[0].position.hash = named("x"),
            Err(CommitError::Position(Seq(5))),
        ),
        (
            "position.seq",
            |body| body.members[0].position.seq = Seq(4),
            Err(CommitError::PositionBack { found: Seq(4), known: Seq(5) }),
        ),
        ("position.seq", |body| body.members[0].position.seq = Seq(9), Err(CommitError::Position(Seq(9)))),
        ("uek_generation", |body| body.members[0].uek_generation = Generation(9), Ok(())),
        ("slot", |body| body.members[0].slot = named("other"), Ok(())),
        ("an epoch that no rekey named", |body| body.epoch = Epoch(3), EPOCH(3)),
        ("epoch down", |body| body.epoch = Epoch(0), EPOCH(0)),
        ("epoch kept with a new key", |body| body.epoch = Epoch(1), new_key),
        ("vault_key_commit", |body| body.vault_key_commit = named("other"), EPOCH(2)),
        ("vault_key_commit kept", |body| body.vault_key_commit = named("home key 1"), EPOCH(2)),
        ("prev_vault_key", |body| body.prev_vault_key = vec![9; 64], EPOCH(2)),
        ("prev_vault_key", |body| body.prev_vault_key.clear(), EPOCH(2)),
    ];
    for (field, change, expected) in &cases {
        let CommitBody::Control(mut body) = vault.control(&account.state, "laptop", Epoch(2)).body else {
            panic!("a control commit")
        };
        change(&mut body);
        let body = CommitBody::Control(body);
        let commit = vault.commit(&account.state, "laptop", &body);
        let entry = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
        assert_eq!(&outcome(&account, &vault, &entry), expected, "{field}");
    }
    let honest = vault.control(&account.state, "laptop", Epoch(2));
    let epoch = resign(&honest, "laptop", |commit| commit.epoch = Epoch(1));
    let one_epoch = rule("a control commit and its body name one epoch");
    assert_eq!(outcome(&account, &vault, &epoch), one_epoch);
    for change in [|commit: &mut Commit| commit.live += 1, |commit: &mut Commit| commit.tombstones += 1] {
        let counts = resign(&honest, "laptop", change);
        assert_eq!(outcome(&account, &vault, &counts), Err(CommitError::Digest));
    }
}

#[test]
fn fields_of_a_vault_s_genesis() {
    let (account, _) = busy_account();
    let honest = TestVault::genesis(&account, "laptop", "work");
    let start = |entry: &Entry| {
        let read = Entry::from_wire(&entry.commit.to_wire(), &entry.body.to_bytes())?;
        VaultState::from_genesis(&read, &account.state)
    };
    let empty = Err(CommitError::Digest);
    let outer: &[Case<Commit>] = &[
        ("vault_id", |commit| commit.vault_id = VaultId([1; 32]), Err(CommitError::Genesis)),
        ("seq", |commit| commit.seq = Seq(1), Err(CommitError::Genesis)),
        ("prev_hash", |commit| commit.prev_hash = named("x"), Err(CommitError::Genesis)),
        ("control_hash", |commit| commit.control_hash = named("x"), Err(CommitError::Genesis)),
        ("kind", |commit| commit.kind = CommitKind::Content, Err(CommitError::Body)),
        ("epoch", |commit| commit.epoch = Epoch(0), rule("a vault starts at epoch 1")),
        ("digest", |commit| commit.digest = Digest(named("x")), empty.clone()),
        ("live", |commit| commit.live = 1, empty.clone()),
        ("tombstones", |commit| commit.tombstones = 1, empty),
        (
            "author_device",
            |commit| commit.author_device = device_id("x"),
            Err(CommitError::Author(device_id("x"))),
        ),
        ("time_ms", |commit| commit.time_ms = 0, Ok(())),
    ];
    for (field, change, expected) in outer {
        let found = start(&resign(&honest, "laptop", change)).map(|_| ());
        assert_eq!(&found, expected, "{field}");
    }
    let inner: &[Case<GenesisCommit>] = &[
        ("seed", |body| body.seed = [9; 32], Ok(())),
        ("vault_key_commit", |body| body.control.vault_key_commit = named("x"), Ok(())),
        ("uek_generation", |body| body.control.members[0].uek_generation = Generation(9), Ok(())),
        ("members", |body| body.control.members.clear(), Err(CommitError::Role)),
        (
            "account_id",
            |body| body.control.members[0].account_id = AccountId([9; 32]),
            Err(CommitError::Role),
        ),
        ("role", |body| body.control.members[0].role = Role::Reader, Err(CommitError::Role)),
        ("position", |body| body.control.members[0].position.seq = Seq(0), Err(CommitError::Role)),
        ("slot", |body| body.control.members[0].slot = named("x"), Err(CommitError::Role)),
        ("epoch", |body| body.control.epoch = Epoch(2), rule("a vault starts at epoch 1")),
        ("prev_vault_key", |body| body.control.prev_vault_key = vec![1], rule("a vault starts at epoch 1")),
    ];
    let id = start(&honest).unwrap().vault_id();
    for (field, change, expected) in inner {
        let CommitBody::Genesis(mut body) = honest.body.clone() else { panic!("a genesis") };
        change(&mut body);
        let body = CommitBody::Genesis(body);
        let mut commit = honest.commit.value().clone();
        commit.body_hash = body.hash();
        let found = start(&Entry { commit: Signed::sign(commit, &signing_key("laptop")), body });
        assert_eq!(found.as_ref().map(|_| ()), expected.as_ref().map(|_| ()), "{field}");
        assert!(found.is_err() || found.unwrap().vault_id() != id, "{field}: another genesis, another vault");
    }
}

//! The names of rules, as PROTOCOL.md has them, by what this program says where one is broken. Vectors hold the names,
//! so that words may change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::canon::CanonError;
use crate::log::{AccountStates, CommitError, CommitKind, Entry, EvidenceError, LinkError};
use crate::sign::SignatureError;

/// Which rule bytes break that cannot be read.
pub(crate) fn of_bytes(error: &CanonError) -> &'static str {
    match error {
        CanonError::Truncated => "R-CANON (1)",
        CanonError::Trailing(_) => "R-CANON (2)",
        CanonError::Invalid("KEM key") => "R-KEY (3)",
        CanonError::Invalid("item id") => "R-ID",
        CanonError::Invalid("time_ms") => "R-TIME",
        CanonError::Invalid("digest") => "R-DIGEST",
        CanonError::Invalid("envelope") => "R-BLOB",
        CanonError::Invalid(_) | CanonError::NotCanonical => "R-CANON (3)",
        CanonError::Unsorted(_) => "R-CANON (4)",
        CanonError::TooLong { .. } => "R-CANON (5)",
        CanonError::WrongLabel(_) => "R-CANON (6)",
        CanonError::UpdateNeeded { .. } => "R-SUITE",
    }
}

/// Which rule a key or signature breaks.
pub(crate) fn of_signature(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::Key => "R-KEY (1)",
        SignatureError::Mismatch => "R-KEY (2)",
    }
}

/// Which rule a link breaks.
pub(crate) fn of_link(error: &LinkError) -> &'static str {
    match error {
        LinkError::Format(error) => of_bytes(error),
        LinkError::Signature(error) => of_signature(error),
        LinkError::Genesis => "R-LINK (1)",
        LinkError::Account => "R-LINK (2)",
        LinkError::Chain { .. } => "R-LINK (3)",
        LinkError::Signer => "R-LINK (4)",
        LinkError::KeyReused => "R-LINK (5)",
        LinkError::Heads => "R-LINK (6)",
        LinkError::Rule("the second link is an auth_update") => "R-LINK (7)",
        LinkError::Limit(_) => "R-LINK (8)",
        LinkError::Password => "R-PW",
        LinkError::UpdateNeeded(_) => "R-SUITE",
        LinkError::Rule(words) => named(&OF_LINK_BODIES, words),
    }
}

/// What breaks a rule of one kind of link.
const OF_LINK_BODIES: [(&str, &str); 31] = [
    ("an auth_update brings a new OPAQUE record and password slot", "R-AUTH (1)"),
    ("an auth_update repeats all slots but the password's", "R-AUTH (2)"),
    ("the Secret Key changes in a rekey only", "R-AUTH (3)"),
    ("every slot is a different one", "R-AUTH (4)"),
    ("a key-stretching profile never goes down", "R-AUTH (5)"),
    ("Secret Key generations start at 1", "R-AUTH (6)"),
    ("Secret Key generations go up by one", "R-AUTH (6)"),
    ("a new Secret Key, and only that, has a new generation", "R-AUTH (6)"),
    ("a new OPAQUE record, and only that, has a new password key", "R-AUTH (7)"),
    ("the server's OPAQUE key stays", "R-AUTH (8)"),
    ("a rekey moves the account root key by one generation", "R-REKEY (1)"),
    ("a rekey carries the key before", "R-REKEY (2)"),
    ("a rekey has one slot for exactly each active device", "R-REKEY (3)"),
    ("a rekey has one slot for exactly each vault", "R-REKEY (3)"),
    ("a rekey makes every slot anew", "R-REKEY (4)"),
    ("a rekey's reason fits the devices it revokes", "R-REKEY (5)"),
    ("a recovery, and only that, rekeys for recovery", "R-REKEY (5)"),
    ("after a loss the Secret Key is a new one", "R-REKEY (6)"),
    ("a new Secret Key has a new OPAQUE record", "R-REKEY (6)"),
    ("a device does not revoke itself", "R-REKEY (7)"),
    ("a revoked device is known", "R-REKEY (7)"),
    ("a new user encryption key, and only that, has a new generation", "R-REKEY (8)"),
    ("a rekey names the next epoch of each vault, with the key before", "R-REKEY (9)"),
    ("a vault ends only with who linked it, unseen by all who stay", "R-END"),
    ("a vault is created once", "R-VAULT"),
    ("a security version goes up by one", "R-VERSION"),
    ("a reanchor names a vault", "R-REANCHOR (1)"),
    ("a reanchor names vaults of the account", "R-REANCHOR (1)"),
    ("an accepted head is not before the fork", "R-REANCHOR (2)"),
    ("heads name what is accepted", "R-REANCHOR (3)"),
    ("who is distrusted was removed before", "R-REANCHOR (4)"),
];

const OF_RECOVERY: [(&str, &str); 3] = [
    ("a recovered device says so", "R-RECOVERY (1)"),
    ("a device changes the Recovery Key to the one that is announced", "R-RECOVERY (2)"),
    ("a new Recovery Key has a new slot", "R-RECOVERY (3)"),
];

const OF_COMMITS: [(&str, &str); 6] = [
    ("a content commit changes something", "R-COMMIT (8)"),
    ("a commit observes other vaults than its own", "R-COMMIT (10)"),
    ("a vault starts at epoch 1", "R-CONTROL (1)"),
    ("a control commit and its body name one epoch", "R-CONTROL (2)"),
    ("a new epoch, and only that, brings a new vault key", "R-CONTROL (3)"),
    ("a vault keeps an admin", "R-CONTROL (4)"),
];

fn named(table: &[(&str, &'static str)], words: &str) -> &'static str {
    let all = table.iter().chain(&OF_RECOVERY).chain(&OF_COMMITS);
    let found = all.into_iter().find(|(known, _)| *known == words);
    found.unwrap_or_else(|| panic!("PROTOCOL.md has a name for the rule: {words}")).1
}

/// Which rule a commit breaks that cannot be read, or whose body is another one.
pub(crate) fn of_unread(error: &CommitError) -> &'static str {
    match error {
        CommitError::Format(error) => of_bytes(error),
        CommitError::Body => "R-COMMIT (4)",
        other => panic!("it was read: {other}"),
    }
}

/// Which rule a commit breaks, as a verifier finds that knows these accounts.
pub(crate) fn of_commit(error: &CommitError, entry: &Entry, accounts: &impl AccountStates) -> &'static str {
    let commit = entry.commit.value();
    let (position, is_control) = (commit.author_position, commit.kind == CommitKind::Control);
    let account = accounts.account(&commit.author_account);
    let is_position_known = account.and_then(|log| log.hash_at(position.seq)) == Some(position.hash);
    match error {
        CommitError::Format(_) | CommitError::Body => of_unread(error),
        CommitError::Signature(error) => of_signature(error),
        CommitError::Genesis => "R-COMMIT (1)",
        CommitError::Vault => "R-COMMIT (2)",
        CommitError::Chain { .. } => "R-COMMIT (3)",
        CommitError::Control => "R-COMMIT (5)",
        CommitError::Epoch { .. } if is_control => "R-EPOCH",
        CommitError::Epoch { .. } => "R-COMMIT (6)",
        CommitError::Counts => "R-COMMIT (7)",
        CommitError::Item(_) => "R-COMMIT (9)",
        CommitError::Digest => "R-DIGEST",
        // A control commit names positions of its members, too.
        CommitError::Withheld { .. } | CommitError::Position(_) if is_position_known => "R-CONTROL (5)",
        CommitError::Withheld { .. } | CommitError::Position(_) => "R-AUTHOR (1)",
        CommitError::Author(device_id) => {
            let device = account.and_then(|log| log.device(device_id));
            let was_there = device.is_some_and(|device| device.is_authorised_after(position.seq));
            if was_there { "R-AUTHOR (4)" } else { "R-AUTHOR (2)" }
        }
        CommitError::PositionBack { found, .. } if *found == position.seq => "R-AUTHOR (3)",
        CommitError::PositionBack { .. } => "R-CONTROL (5)",
        CommitError::CutOff { .. } => "R-AUTHOR (4)",
        CommitError::Role if commit.kind == CommitKind::Genesis => "R-CONTROL (1)",
        CommitError::Role => "R-AUTHOR (5)",
        CommitError::Rule("removing a member or a device needs a new epoch") => "R-CONTROL (6)",
        CommitError::Rule(words) => named(&OF_LINK_BODIES, words),
        other => panic!("no vector breaks it: {other}"),
    }
}

/// Which rule a file of evidence breaks.
pub(crate) fn of_evidence(error: &EvidenceError) -> &'static str {
    match error {
        EvidenceError::Format(error) => of_bytes(error),
        EvidenceError::Link(error) => of_link(error),
        EvidenceError::Commit(error) => panic!("no vector breaks it: {error}"),
        EvidenceError::Signature(error) => of_signature(error),
        EvidenceError::NoFork("it lacks the log of the device's account") => "R-EVIDENCE (1)",
        EvidenceError::NoFork("the device is unknown" | "the device was not authorised") => "R-EVIDENCE (2)",
        EvidenceError::NoFork(
            "both branches begin alike" | "both heads are of one branch" | "a branch is empty",
        ) => "R-EVIDENCE (3)",
        EvidenceError::NoFork("nobody names the other head") => "R-EVIDENCE (5)",
        EvidenceError::NoFork(words) if words.starts_with("the statement is about") => "R-EVIDENCE (4)",
        EvidenceError::NoFork(words) => panic!("no vector breaks it: {words}"),
    }
}

/// The files of what must be refused: how many cases each has, and how many of them break a rule.
const REFUSED: [(&str, usize, usize); 10] = [
    ("bytes", 37, 31),
    ("chains", 15, 8),
    ("commits", 107, 76),
    ("documents", 48, 44),
    ("envelopes", 19, 18),
    ("evidence", 11, 10),
    ("inputs", 24, 17),
    ("links", 237, 213),
    ("opaque", 61, 55),
    ("tombstones", 12, 8),
];

fn cases(file: &str) -> Vec<Value> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let text = std::fs::read_to_string(folder.join(format!("refused_{file}.json"))).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// A verifier that accepts everything fails so many cases, most of each file; one that refuses everything fails the
/// rest.
#[test]
fn most_cases_of_every_file_are_to_be_refused_and_some_are_not() {
    let mut counted = Vec::new();
    for (file, _, _) in REFUSED {
        let cases = cases(file);
        let refused = cases.iter().filter(|case| case["rule"].is_string()).count();
        assert!(refused * 2 > cases.len() && refused < cases.len(), "{refused} of {} in {file}", cases.len());
        counted.push((file, cases.len(), refused));
    }
    assert_eq!(counted, REFUSED);
}

/// The names of rules in PROTOCOL.md: a paragraph that begins with a name in bold states it, with its numbers in
/// brackets.
fn stated() -> BTreeMap<String, String> {
    let text = include_str!("../../PROTOCOL.md");
    let mut stated = BTreeMap::<String, String>::new();
    let mut now = None;
    for line in text.lines() {
        let start = line.trim_start_matches("- ").strip_prefix("**R-");
        if let Some((name, _)) = start.and_then(|rest| rest.split_once("**")) {
            now = Some(format!("R-{name}"));
        } else if line.is_empty() || line.starts_with("- ") || line.starts_with('#') {
            now = None;
        }
        if let Some(name) = &now {
            let words = stated.entry(name.clone()).or_default();
            words.push_str(line);
            words.push(' ');
        }
    }
    stated
}

#[test]
fn every_rule_that_a_vector_names_is_stated_in_the_specification() {
    let stated = stated();
    for (file, _, _) in REFUSED {
        for case in cases(file) {
            let Some(rule) = case["rule"].as_str() else { continue };
            let (name, number) = rule.split_once(' ').unwrap_or((rule, ""));
            let words =
                stated.get(name).unwrap_or_else(|| panic!("{file}: PROTOCOL.md does not state {rule}"));
            assert!(words.contains(number), "{file}: {name} of PROTOCOL.md has no {number}");
        }
    }
}

/// The other way round: each number of a rule that has vectors is broken by one.
#[test]
fn every_number_of_a_rule_that_vectors_name_is_broken_by_one() {
    let rules = REFUSED.iter().flat_map(|(file, _, _)| cases(file));
    let rules: Vec<String> = rules.filter_map(|case| case["rule"].as_str().map(str::to_owned)).collect();
    for (name, words) in stated() {
        if !rules.iter().any(|rule| rule.split(' ').next() == Some(&name)) {
            continue;
        }
        for number in (1..20).map(|number| format!("({number})")).take_while(|number| words.contains(number))
        {
            let rule = format!("{name} {number}");
            assert!(rules.contains(&rule) || UNBROKEN.contains(&rule.as_str()), "no vector breaks {rule}");
        }
    }
}

/// What no vector breaks: a log of 1,024 rekeys would be large, and there is one profile.
const UNBROKEN: [&str; 2] = ["R-LINK (8)", "R-AUTH (5)"];

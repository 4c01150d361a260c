//! What the tests of this folder try, kept for the vectors: every link and commit that the verifiers accept or refuse.
//!
//! A test that is called within [`record`] runs as always; what it tries goes into the record.

use std::cell::RefCell;

use crate::log::*;
use crate::sign::Signed;

/// What was tried after a head: its bytes, and the rule that it breaks, if it does.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The kind.
    pub(crate) kind: String,
    /// The head that it was tried on; `None` for a genesis.
    pub(crate) after: Option<LogHead>,
    /// The head of its author's account log, as it was known to the verifier; of a commit alone.
    pub(crate) account: Option<LogHead>,
    /// As on the wire.
    pub(crate) wire: Vec<u8>,
    /// The body of a commit.
    pub(crate) body: Option<Vec<u8>>,
    /// Why it was refused.
    pub(crate) rule: Option<String>,
}

thread_local! {
    static RECORD: RefCell<Option<Vec<Tried>>> = const { RefCell::new(None) };
}

/// Runs `tests` and gives what they tried, each once.
pub(crate) fn record(tests: &[fn()]) -> Vec<Tried> {
    RECORD.set(Some(Vec::new()));
    tests.iter().for_each(|test| test());
    let mut all = Vec::new();
    for tried in RECORD.take().unwrap_or_default() {
        if !all.contains(&tried) {
            all.push(tried);
        }
    }
    all
}

fn note(tried: impl FnOnce() -> Tried) {
    RECORD.with_borrow_mut(|record| {
        if let Some(record) = record {
            record.push(tried());
        }
    });
}

/// Whether the link is one that a reader can be given: what no encoder writes is refused before any rule is asked.
fn of_link(
    link: &Signed<AccountLink>,
    after: Option<LogHead>,
    found: &Result<AccountState, LinkError>,
) -> Tried {
    let wire = link.to_wire();
    let read = Signed::<AccountLink>::from_wire(&wire);
    let rule = match (read, found) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(_), found) => found.as_ref().err().map(ToString::to_string),
    };
    Tried { kind: format!("{:?}", link.value().body.kind()), after, account: None, wire, body: None, rule }
}

/// [`AccountState::from_genesis`].
pub(crate) fn begin(link: &Signed<AccountLink>) -> Result<AccountState, LinkError> {
    let found = AccountState::from_genesis(link);
    note(|| of_link(link, None, &found));
    found
}

/// [`AccountState::apply`].
pub(crate) fn apply(state: &AccountState, link: &Signed<AccountLink>) -> Result<AccountState, LinkError> {
    let found = state.apply(link);
    note(|| of_link(link, Some(state.head()), &found));
    found
}

/// Notes a commit, tried on a chain with this head.
pub(crate) fn note_commit<T>(
    entry: &Entry,
    after: Option<LogHead>,
    accounts: &impl AccountStates,
    found: &Result<T, CommitError>,
) {
    note(|| {
        let account = accounts.account(&entry.commit.value().author_account).map(AccountState::head);
        let (wire, body) = (entry.commit.to_wire(), entry.body.to_bytes());
        let rule = match (Entry::from_wire(&wire, &body), found) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), found) => found.as_ref().err().map(ToString::to_string),
        };
        let kind = format!("{:?}", entry.commit.value().kind);
        Tried { kind, after, account, wire, body: Some(body), rule }
    });
}

/// [`VaultState::from_genesis`].
pub(crate) fn start(entry: &Entry, accounts: &impl AccountStates) -> Result<VaultState, CommitError> {
    let found = VaultState::from_genesis(entry, accounts);
    note_commit(entry, None, accounts, &found);
    found
}

/// [`ForkEvidence::verify`].
pub(crate) fn judge(evidence: &ForkEvidence) -> Result<ForkProof, EvidenceError> {
    let found = evidence.verify();
    note(|| {
        let rule = found.as_ref().err().map(ToString::to_string);
        let wire = evidence.to_bytes();
        Tried { kind: "Evidence".to_owned(), after: None, account: None, wire, body: None, rule }
    });
    found
}

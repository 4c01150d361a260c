//! What the tests of this folder try, kept for the vectors: every link and commit that the verifiers accept or refuse.
//!
//! A test that is called within [`record`] runs as always; what it tries goes into the record.

use std::cell::RefCell;

use crate::log::*;
use crate::sign::Signed;
use crate::tests::rules;

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
    /// The name of the rule that refuses it.
    pub(crate) rule: Option<&'static str>,
    /// The same in words.
    pub(crate) why: String,
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
    let error = match (read, found) {
        (Err(error), _) => Some(LinkError::Format(error)),
        (Ok(_), found) => found.as_ref().err().cloned(),
    };
    let kind = format!("{:?}", link.value().body.kind());
    let rule = error.as_ref().map(rules::of_link);
    let why = error.map(|error| error.to_string()).unwrap_or_default();
    Tried { kind, after, account: None, wire, body: None, rule, why }
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
        let unread = Entry::from_wire(&wire, &body).err();
        let (rule, why) = match (&unread, found.as_ref().err()) {
            (Some(error), _) => (Some(rules::of_unread(error)), error.to_string()),
            (None, Some(CommitError::Heal)) | (None, None) => (None, String::new()),
            (None, Some(error)) => (Some(rules::of_commit(error, entry, accounts)), error.to_string()),
        };
        let kind = format!("{:?}", entry.commit.value().kind);
        Tried { kind, after, account, wire, body: Some(body), rule, why }
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
        let rule = found.as_ref().err().map(rules::of_evidence);
        let why = found.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let wire = evidence.to_bytes();
        Tried { kind: "Evidence".to_owned(), after: None, account: None, wire, body: None, rule, why }
    });
    found
}

//! Accounts: their logs, slots and OPAQUE records.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lockstep_proto::ids::{AccountId, Hash, Seq};
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;

use super::StoreError;

/// A verified link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// Its position and hash.
    pub head: LogHead,
    /// Its bytes as on the wire.
    pub bytes: Vec<u8>,
    /// When the server was given it, in milliseconds since 1970.
    pub added_ms: u64,
}

/// A slot and the hash that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSlot {
    /// `slot_hash` of the bytes.
    pub hash: Hash,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What an account signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The OPAQUE registration upload.
    pub upload: Vec<u8>,
    /// The profile it was stretched with.
    pub profile: KsfProfile,
}

/// On what condition an account may be made. The first account of an empty store always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// None.
    Anyone,
    /// An unspent invitation with this hash, which it spends.
    Invited {
        /// The invitation's hash.
        invite: Hash,
        /// The time by which it must not have expired.
        now_ms: u64,
    },
    /// Only as the first one.
    FirstOnly,
}

/// A new account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The account.
    pub account_id: AccountId,
    /// Its log: genesis and `auth_update`, and, where it comes back, what follows.
    pub links: Vec<StoredLink>,
    /// The slots that the log names.
    pub slots: Vec<StoredSlot>,
    /// What it signs in with; `None` where it comes back without.
    pub record: Option<StoredRecord>,
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It was made.
    Created,
    /// It was made before from the same bytes.
    Already,
    /// It exists with another log.
    Exists,
    /// The condition does not hold.
    NotAdmitted,
}

/// New links of one account.
#[derive(Debug, Clone)]
pub struct NewLinks {
    /// The account.
    pub account_id: AccountId,
    /// The head that the first link follows.
    pub after: LogHead,
    /// The links in order; none where slots or record alone are new.
    pub links: Vec<StoredLink>,
    /// Slots that the links name and that are not stored yet.
    pub slots: Vec<StoredSlot>,
    /// A new OPAQUE record, if a link names one.
    pub record: Option<StoredRecord>,
    /// Slots that the log named before, and does not name then: they go.
    pub gone: BTreeSet<Hash>,
    /// What the account's links, slots and record together may be, in bytes.
    pub limit_bytes: u64,
}

/// What became of new links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// They are the log's end now.
    Appended,
    /// The log's head is elsewhere.
    HeadMoved(LogHead),
    /// There is no such account.
    NoAccount,
    /// They would be more than the log may be.
    Full,
}

/// A page of an account's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPage {
    /// The links in order.
    pub links: Vec<StoredLink>,
    /// The log's head.
    pub head: LogHead,
    /// Whether links follow.
    pub more: bool,
}

/// Accounts.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account: log, slots and record, and spends the invitation.
    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
    ) -> Result<CreateOutcome, StoreError>;

    /// Appends links, if `after` is the head, with their slots and record.
    async fn append_links(&self, links: NewLinks) -> Result<AppendOutcome, StoreError>;

    /// The links after `after` (from genesis if `None`), up to `PAGE_LIMIT` bytes and at least one; `None` without
    /// such an account.
    async fn link_page(
        &self,
        account_id: AccountId,
        after: Option<Seq>,
    ) -> Result<Option<LinkPage>, StoreError>;

    /// Those of the account's slots that are named, ascending by hash.
    async fn slots(
        &self,
        account_id: AccountId,
        named: BTreeSet<Hash>,
    ) -> Result<Vec<StoredSlot>, StoreError>;
}

/// What sign-in reads.
#[async_trait]
pub trait SignInStore: Send + Sync {
    /// The account's OPAQUE record.
    async fn record(&self, account_id: AccountId) -> Result<Option<StoredRecord>, StoreError>;
}

//! What a server takes and gives at most. Part of the protocol, not configuration: clients plan with these.

use serde::{Deserialize, Serialize};

use crate::blob::BLOB_LIMIT;
use crate::log::CHANGES_LIMIT;

/// Upper bound of a request's body in bytes (4 MiB).
pub const REQUEST_LIMIT: usize = 4 << 20;
/// Upper bound of a body that heals an account's log (1 MiB): longer logs come in parts.
pub const HEAL_ACCOUNT_LIMIT: usize = 1 << 20;
/// Upper bound of the commits that one request stages.
pub const HEAL_COMMITS_LIMIT: usize = 1_024;
/// Upper bound of the side commits that wait in one account's area of a vault, and of those that a vault keeps, in bytes
/// with their bodies (64 MiB): who verifies a heal commit holds both.
pub const SIDES_LIMIT: u64 = 64 << 20;
/// Upper bound of the nesting of a request's body.
pub const BODY_DEPTH: usize = 16;
/// A page ends before it would grow above this many bytes of payload (1 MiB); it always holds at least one entry.
pub const PAGE_LIMIT: usize = 1 << 20;
/// Upper bound of all blobs of one commit together, in bytes (2 MiB).
pub const COMMIT_BLOBS_LIMIT: usize = 2 << 20;
/// Upper bound of one slot, in bytes.
pub const SLOT_LIMIT: usize = 4_096;
/// Upper bound of the slots that one request brings.
pub const SLOTS_PER_REQUEST: usize = 2_304;
/// Upper bound of the item versions asked for in one request.
pub const WANTED_LIMIT: usize = 2_048;
/// Upper bound of the versions listed in one page.
pub const VERSIONS_LIMIT: u32 = 1_024;
/// Upper bound of the commits, bodies and blobs together that a refused commit's answer brings along (256 KiB).
pub const OVERTAKEN_LIMIT: usize = 256 << 10;
/// What one account may hold with all its vaults and their history, in bytes, unless the server says otherwise (2 GiB).
pub const ACCOUNT_BYTES: u64 = 2 << 30;
/// How many vaults one account may make, unless the server says otherwise. `VAULTS_LIMIT` bounds what its log may name.
pub const ACCOUNT_VAULTS: u64 = 64;
/// How long a device that is to be revoked stays barred from its vaults without a link that revokes it, in seconds.
pub const BAR_SECONDS: u32 = 900;
/// How long a Recovery Key that was announced waits before it may take the place of the present one: a week.
pub const RECOVERY_WAIT_SECONDS: u32 = 7 * 24 * 60 * 60;
/// How long a step of a sign-in or a session challenge is remembered, in seconds.
pub const STEP_SECONDS: u32 = 60;
/// How long an enrolment session lasts, in seconds.
pub const ENROLMENT_SECONDS: u32 = 5 * 60;
/// How long a device's session token lasts, in seconds.
pub const SESSION_SECONDS: u32 = 10 * 60;

/// The limits that `GET /v1/info` answers. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A request's body.
    pub request_bytes: u64,
    /// A page's payload.
    pub page_bytes: u64,
    /// One blob.
    pub blob_bytes: u64,
    /// The blobs of one commit together.
    pub commit_blob_bytes: u64,
    /// The changes of one commit.
    pub commit_changes: u64,
    /// The vaults that one account makes.
    pub vaults: u64,
    /// One account with all its vaults and their history.
    pub account_bytes: u64,
}

impl Limits {
    /// The limits of this version, on a server that has no others for accounts.
    pub const CURRENT: Self = Self {
        request_bytes: REQUEST_LIMIT as u64,
        page_bytes: PAGE_LIMIT as u64,
        blob_bytes: BLOB_LIMIT as u64,
        commit_blob_bytes: COMMIT_BLOBS_LIMIT as u64,
        commit_changes: CHANGES_LIMIT as u64,
        vaults: ACCOUNT_VAULTS,
        account_bytes: ACCOUNT_BYTES,
    };
}

//! Request and response types of the HTTP interface, version 1: one file per resource.
//!
//! Bodies are CBOR (`application/cbor`). Links, commits and blobs travel as byte strings inside them. The same serde
//! types read queries, where byte strings are base64url.
//!
//! **Invariants:** nothing here is trusted by being well-formed: whoever receives a body verifies the signed bytes in
//! it. Every failure is a [`Problem`] with a stable [`ErrorCode`]. Unknown fields of a body are ignored, so that a newer
//! peer can say more; an unknown name in a query is refused, since it would ask for another page.

pub mod account;
mod error;
pub mod heal;
pub mod info;
pub mod items;
mod limits;
pub mod pairing;
pub mod recovery;
pub mod session;
pub mod sides;
pub mod signin;
pub mod signup;
pub mod vaults;

pub use error::{ErrorCode, Problem};
pub use limits::{
    ACCOUNT_BYTES, ACCOUNT_VAULTS, BAR_SECONDS, BODY_DEPTH, COMMIT_BLOBS_LIMIT, ENROLMENT_SECONDS,
    HEAL_ACCOUNT_LIMIT, HEAL_COMMITS_LIMIT, Limits, OVERTAKEN_LIMIT, PAGE_LIMIT, RECOVERY_WAIT_SECONDS,
    REQUEST_LIMIT, SESSION_SECONDS, SIDES_LIMIT, SLOT_LIMIT, SLOTS_PER_REQUEST, STEP_SECONDS, VERSIONS_LIMIT,
    WANTED_LIMIT,
};

/// The version of the interface, and the first segment of its paths: `/v1`.
pub const PROTOCOL_VERSION: u32 = 1;
/// The content type of a body.
pub const CBOR: &str = "application/cbor";
/// The content type of a [`Problem`].
pub const PROBLEM_CBOR: &str = "application/problem+cbor";

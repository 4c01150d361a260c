//! What looking at a database finds, for an operator who asks what is wrong.

use lockstep_proto::ids::ServerId;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// There is no database of this program yet: the first start makes it.
    Absent,
    /// One is there.
    Found(Found),
}

/// A database of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its schema's version.
    pub schema: u32,
    /// The schema's version that this program works with; the next start brings an older database up to it.
    pub known: u32,
    /// The server it belongs to.
    pub server_id: Option<ServerId>,
    /// Whether it has accounts.
    pub has_accounts: bool,
    /// What its own clock said, in milliseconds since 1970; `None` where it has none.
    pub clock_ms: Option<u64>,
    /// What about it endangers what it keeps, as sentences.
    pub faults: Vec<String>,
}

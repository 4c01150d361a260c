//! The store port: what the server keeps, and the only way to change it.
//!
//! **Invariants:** one method is one transaction; a method that answers with an outcome other than success wrote
//! nothing; an outcome of success is durable when it is answered. What is stored was verified before: a store compares
//! and sets, it does not judge signatures. Nothing of a vault is read without naming a member (R-GATE).

mod accounts;
mod bars;
#[cfg(feature = "conformance")]
pub mod conformance;
mod heal;
mod memory;
mod operator;
mod quota;
mod sides;
mod vaults;

pub use accounts::{
    AccountStore, Admission, AppendOutcome, CreateOutcome, LinkPage, NewAccount, NewLinks, SignInStore,
    StoredLink, StoredRecord, StoredSlot,
};
pub use bars::{Bar, BarStore, NewBars, VaultBars};
pub use heal::{
    FinishOutcome, FinishStage, HealStore, NewStage, StageOutcome, StagePlace, Staged, StagedBlob,
    StagedChange, StagedRow,
};
pub use memory::MemoryStore;
pub use operator::{OperatorStore, Pruned, RetentionRule};
pub use quota::{AccountLimits, Allot, AllotOutcome, Counted, OwnLimits, QuotaStore, Shortage, Usage};
pub use sides::{JoinOutcome, NewJoin, NewSides, SideStore, SidesOutcome, StagedPage};
pub use vaults::{
    CommitOutcome, CommitRow, CommitRows, ControlRows, CreateVaultOutcome, ItemPlace, ItemRows, NewCommit,
    NewItem, NewVault, News, QuotaRule, Since, Standing, VaultReader, VaultStore, VersionPlace,
};

/// The store failed. Whether a change that was under way happened is not known to the caller; it is all or nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed or cannot be reached.
    #[error("the database failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk of the database is full. Nothing was changed.
    #[error("the disk of the database is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store is shutting down.
    #[error("the database is closed")]
    Closed,
    /// What is stored cannot be what this program wrote.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(&'static str),
}

/// Everything a server keeps.
pub trait Store:
    AccountStore + SignInStore + VaultStore + BarStore + HealStore + SideStore + QuotaStore + OperatorStore
{
}

impl<T> Store for T where
    T: AccountStore
        + SignInStore
        + VaultStore
        + BarStore
        + HealStore
        + SideStore
        + QuotaStore
        + OperatorStore
{
}

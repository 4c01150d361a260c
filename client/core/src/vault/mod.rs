//! Vaults as this device has them: pins, leaves, keys, items and what waits to be sent.
//!
//! **Invariants:** a pin only moves forward, in one local write together with the leaves, items and commits that it
//! stands for; the leaves add up to the pinned digest; everything a person would call data is sealed before it is
//! written, by the vault's keys or by the device's own.

mod create;
mod in_flight;
mod key_chain;
mod keys;
mod leaves;
mod loading;
pub(crate) mod names;
mod notice;
mod open_vault;
mod outbox;
mod past;
mod pins;
mod quarantine;
mod reading;
mod records;
mod untold;

#[cfg(test)]
mod tests;

pub(crate) use create::{AdoptError, Creation, creations};
pub(crate) use in_flight::{Fate, InFlight};
pub(crate) use key_chain::vault_keys;
pub(crate) use keys::VaultKeys;
pub(crate) use leaves::{LeafState, Leaves, StoredLeaf};
pub(crate) use loading::{
    Begun, begun, has_history, keep_history, open_all, open_pinned, read_chain, read_commit, read_history,
    staged,
};
pub use notice::Notice;
pub(crate) use open_vault::OpenVault;
pub(crate) use outbox::{Edit, Outbox, OutboxEntry};
pub(crate) use past::Past;
pub(crate) use pins::{History, Pin};
pub(crate) use quarantine::Mark;
pub use quarantine::QuarantineReason;
pub use reading::Pending;
pub(crate) use reading::{Current, Shown, open_document, open_tombstone, read_blob};
pub(crate) use records::{Cursor, Records};
pub(crate) use untold::Untold;

//! Keeping this device and the server in step.
//!
//! ```text
//! account log ─→ per vault:  fetch ─→ staging (verify) ─→ inspect (open) ─→ apply (merge with the outbox) ─→ one write
//!                            first: beginning ─→ item pages ─→ the same, over them ─→ later: history
//!                            outbox ─→ rebase ─→ plan ─→ build (seal, sign) ─→ one write ─→ send ─→ acknowledged: one write
//! ```
//!
//! Decisions are pure: [`plan`], [`beginning`], [`staging`], [`item_page`], [`blob_page`], [`inspect`], [`merge`],
//! [`apply`]. [`driver`] acts.
//!
//! **Invariants**
//! - Nothing is shown or pinned before the chain from the pin to the target is verified, every changed item's blob is
//!   there, and digest and counts agree. Then one local write takes all of it. A first sync verifies control commits and
//!   head; the commits before are verified before this device writes ([`history`]), and until then the vault says so.
//! - A commit is durable, with blobs and edits, before its first byte is sent; while it waits nothing else is signed
//!   on the same head (R-ONCE).
//! - An error leaves pins as they were and every edit where it was. Nothing that the server says or withholds removes
//!   an item, an edit, a vault or a key.

mod apply;
mod beginning;
mod blob_page;
mod branch;
mod build;
mod carry;
mod distrust;
mod driver;
mod error;
pub(crate) mod evidence;
mod fetch;
mod first;
mod freshness;
mod headers;
mod heal;
mod history;
mod inspect;
mod item_page;
mod life_cycle;
mod merge;
mod news;
mod plan;
mod pull;
mod push;
mod raise;
mod reanchor;
mod relog;
mod rebase;
mod recovery_key;
mod report;
mod room;
mod staging;
mod whole;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use driver::Engine;
pub use error::{Missing, SyncError};
pub use life_cycle::Passwords;
pub(crate) use news::news;
pub use report::{BranchInfo, ItemNotice, Progress, ProgressSink, Silent, SyncReport, TwoHistories};
pub(crate) use wire::Wire;

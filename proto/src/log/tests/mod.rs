//! Tests of the verifier: logs built with real keys, then broken one rule at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account_rules;
mod author_matrix;
mod authority;
mod bounds;
mod commit_fields;
mod countersignature;
mod every_kind;
mod evidence;
pub(crate) mod fixture;
mod former;
mod history;
mod history_properties;
mod joins;
mod joins_and_revocation;
mod joins_beside;
mod joins_hostile;
mod joins_overruled;
mod joins_shared;
mod joins_void_later;
mod kem_keys;
mod link_bodies;
mod link_fields;
mod named_epochs;
pub(crate) mod recorded;
mod recovery_key;
pub(crate) mod refused;
mod rekey_fields;
mod rekey_rules;
mod shared;
mod shared_vaults;
mod sides;
mod sides_of_sides;
mod signers;
mod skipping;
mod vault_rules;
mod wire_flips;

//! Tests of the verifier: logs built with real keys, then broken one rule at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account_rules;
mod authority;
pub(crate) mod fixture;
mod rekey_rules;
mod vault_rules;

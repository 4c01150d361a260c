//! The lockstep command line: one file for each command over the client's facade.
//!
//! **Invariants:**
//! - Only [`output`] writes results and messages; nothing but [`secrets`] reads a password or another secret, and never
//!   from the command line or the environment.
//! - What changes something is saved on this device before the server is asked; an absent server is no failure of it.
//! - Every failure has a stable code, an exit code, and a sentence that says what was kept.

pub mod agent;
pub mod arguments;
mod causes;
pub mod changes;
mod checks;
pub mod commands;
pub mod context;
mod custom;
mod editor;
pub mod exit;
pub mod failure;
pub mod fields;
pub mod find;
pub mod output;
pub mod papers;
pub mod place;
mod private_file;
mod progress;
pub mod questions;
pub mod run;
pub mod secrets;
mod session;
pub mod show;
mod terminal;
#[cfg(test)]
mod tests;
mod when;

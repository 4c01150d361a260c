//! The HTTP interface as clients see it, over both embedded stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod bad_input;
mod bar_signatures;
mod bodies;
mod connections;
mod crowd;
mod doctor;
mod fail2ban;
mod forged_tokens;
mod former_slots;
mod gate;
mod gate_matrix;
mod heal;
mod history;
mod hostile;
mod interface;
mod joins;
mod joins_lost;
mod operator;
mod pairing;
mod passwords;
mod program;
mod quotas;
mod recovery;
mod recovery_week;
mod repeats;
mod restarts;
mod retention;
mod revocation;
mod signin_rules;
mod signup_rules;
mod support;
mod tls;
mod vaults;
mod visitors;

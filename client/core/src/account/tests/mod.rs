//! Sign-up, sign-in, unlock and the account's log against a server in memory.

#![allow(clippy::unwrap_used, clippy::panic)]

pub(crate) mod device;
mod events;
mod hostile;
mod key_exchange;
mod links;
mod mailbox;
mod pairing;
mod password_key;
mod profile;
mod refused_links;
mod rekey;
pub(crate) mod server;
mod session;
mod sign_in;
mod sign_up;

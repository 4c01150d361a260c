//! The Lockstep server over HTTP: it terminates connections, reads requests, calls one service each, and answers.
//!
//! **Invariants:** no vault bytes leave without a checked session (R-GATE: the extractors of [`extract`] are the only
//! way to a `Caller`); every failure is a problem document with a stable code, made in one place (`error.rs`); bodies are
//! bounded in size and depth before they are parsed; nothing here could open a vault.

mod app;
mod budget;
pub mod config;
mod connections;
mod descriptors;
mod doctor;
mod entrance;
mod error;
mod events;
mod extract;
mod format;
mod forwarded;
mod front;
mod handlers;
mod health;
mod history;
mod hosts;
mod http_app;
mod jwt;
mod limits;
mod peer;
mod problems;
mod quota;
mod readiness;
mod routes;
mod run;
mod secrets_file;
mod serve;
mod storage;
mod system;
mod telemetry;
mod tls;
mod under_way;
mod visitor;

pub use app::App;
pub use budget::{BodyMemory, Pace};
pub use doctor::doctor;
pub use front::{ConnectionRules, Front};
pub use health::health;
pub use hosts::{Hosts, HostsError};
pub use http_app::http_app;
pub use peer::{AddressKey, TrustedProxies, TrustedProxiesError};
pub use quota::quota;
pub use routes::ROUTES;
pub use run::{make_invite, print_setup_token, run};
pub use serve::{Running, Stopper, block_on, serve};
pub use system::{SystemClock, SystemRandom};
pub use telemetry::start_logging;

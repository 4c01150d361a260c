//! What the core needs from the platform. Each port has a memory version for tests and adapters elsewhere
//! (`lockstep-native`, the browser extension).
//!
//! **Invariants:** the core never touches a file, a socket, a clock or the system's randomness but through a port,
//! and never spawns: whoever owns a future polls it. Async ports are `Send` everywhere but on wasm32 ([`MaybeSend`]).

mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod keychain;
mod local_store;
mod memory_keychain;
mod memory_store;
mod stretcher;
mod transport;

use std::sync::Arc;

pub use clock::Clock;
pub use keychain::{Keychain, KeychainError};
pub use local_store::{Batch, LocalStore, LocalStoreError, Table, Write};
pub use lockstep_crypto::random::Random;
pub use memory_keychain::MemoryKeychain;
pub use memory_store::MemoryLocalStore;
pub use stretcher::{InlineStretcher, Stretcher};
pub use transport::{Method, Request, Response, Transport, TransportError};

/// `Send + Sync` where futures move between threads, nothing on wasm32.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send + Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + Sync + ?Sized> MaybeSend for T {}

/// `Send + Sync` where futures move between threads, nothing on wasm32.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSend for T {}

/// All ports of one profile.
#[derive(Clone)]
pub struct Ports {
    /// Wall clock and sleep.
    pub clock: Arc<dyn Clock>,
    /// Randomness fit for keys.
    pub random: Arc<dyn Random>,
    /// Argon2id off the executor.
    pub stretcher: Arc<dyn Stretcher>,
    /// The profile's durable records.
    pub store: Arc<dyn LocalStore>,
    /// Where the device's local secret lives.
    pub keychain: Arc<dyn Keychain>,
    /// The way to the server.
    pub transport: Arc<dyn Transport>,
}

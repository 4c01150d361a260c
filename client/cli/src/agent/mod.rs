//! A process in the background that keeps a profile unlocked, so that commands need no password for a while.
//!
//! `unlock` starts it and hands it the profile's local root key over a pipe; later commands ask for the key through a
//! socket in the profile's folder; `lock` makes it forget the key and end. It does nothing else: it reads no vault
//! and talks to no server.
//!
//! **Invariants:** the key is never on a command line, in the environment or on disk, and is wiped when the process
//! ends. Folder (0700) and socket (0600) admit their owner alone, and whoever connects is asked for the same user id.
//! Without a request for the time agreed, the process ends by itself. It leaves no core file, and on Linux no other
//! process of the same user reads its memory.

#[cfg(unix)]
mod keeper;
#[cfg(unix)]
pub(crate) mod memory;
#[cfg(not(unix))]
mod nowhere;
#[cfg(unix)]
mod visitor;

use lockstep_client::crypto::secret_bytes::SecretBytes;

#[cfg(unix)]
pub use keeper::keep;
#[cfg(not(unix))]
pub use nowhere::{ask, forget, keep, start};
#[cfg(unix)]
pub use visitor::{ask, forget, start};

/// Minutes without a request after which the key is forgotten, unless `unlock` is told otherwise.
pub const IDLE_MINUTES: u32 = 15;

/// The profile's local root key.
pub type RootKey = SecretBytes<32>;

/// The request for the key; answered by its 32 bytes.
const ASK: u8 = 1;
/// The request to forget the key and end; answered by one zero byte.
const FORGET: u8 = 2;

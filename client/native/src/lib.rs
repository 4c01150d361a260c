//! Lockstep's adapters for desktop and mobile: the core's ports on top of the operating system.
//!
//! [`open_profile`] puts them together for one directory: HTTP transport, SQLite local store, file keychain, the
//! system's clock and randomness, Argon2id on a blocking thread.
//!
//! **Invariants:**
//! - One process owns a profile ([`ProfileLock`]); its directory is 0700 and its files are 0600. What others could have
//!   written is not used.
//! - The transport never follows a redirect, never reads more than its limit, and speaks plain HTTP to this machine
//!   only, unless told otherwise. There is one TLS provider, aws-lc-rs.
//! - Nothing here decides anything about keys, logs or items.

mod clock;
mod files;
mod http;
mod keychain;
mod private;
mod profile;
mod profile_lock;
mod random;
mod server_url;
mod sqlite;
mod stretch;

pub use clock::SystemClock;
pub use http::{HttpError, HttpOptions, HttpTransport, PlainHttp};
pub use keychain::FileKeychain;
pub use private::NotPrivate;
pub use profile::{NativeProfile, OpenError, open_profile};
pub use profile_lock::{LockError, ProfileLock};
pub use random::OsRandom;
pub use server_url::ServerUrlError;
pub use sqlite::SqliteLocalStore;
pub use stretch::BlockingStretcher;

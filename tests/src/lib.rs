//! The harness of Lockstep's stories: real servers, real clients, faulty networks.
//!
//! **Invariants:** the server is the one that ships, over HTTP, in this process; clients are the core with its real
//! cryptography. Only ports are replaced: key stretching costs nothing, time is set by the test, the network fails
//! where the test says so, and the local store remembers every state that a power cut could leave.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a harness fails its test by panicking")]

mod bodies;
mod clock;
mod device;
mod kill;
mod net;
mod pairing;
mod passwords;
mod place;
mod prose;
mod scene;
mod server;
mod store;
mod tamper;

pub use bodies::{decode, encode};
pub use clock::TestClock;
pub use device::{Blank, PASSWORD, Papers, Remains, SignInProbe, TestDevice, login};
pub use kill::{End, KillSwitch};
pub use net::{
    Fault, FaultyNet, Interlude, asks_blobs, asks_commits, asks_control, asks_items, is_commit, is_link,
};

pub use pairing::NewDevice;
pub use place::Backend;
pub use prose::{hostile_texts, is_plain};
pub use scene::{
    assert_in_step, one_device, one_device_on, paired_devices, three_devices_on, two_devices, two_devices_on,
};
pub use server::{ServerState, TestServer};
pub use store::RecordingStore;
pub use tamper::{Adversary, Change, Tamper, Way};

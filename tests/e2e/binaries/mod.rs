//! Stories through the real binaries: `lockstep` and `lockstep-server` as processes, real files, real key stretching.
//!
//! The binaries are those beside this test in the target folder: `cargo build --bins` makes them.

mod archive;
mod crowds;
mod deleted;
mod first_account;
mod former;
mod gate;
mod heal;
mod imports;
mod items;
mod killed;
mod life_cycle;
mod logged;
mod memory;
mod moving;
mod names;
mod pairing;
mod passwords_apart;
mod plaintext;
mod programs;
mod prose;
mod quotas;
mod recover_here;
mod recovery_key;
mod recovery_week;
mod refused;
mod screen;
mod server;
mod server_killed;
mod session;
mod terminal;
mod usage;
mod values;
mod vaults_end;
mod walk;
mod way_out;

pub(crate) use programs::{Machine, Outcome};
pub(crate) use server::ServerProcess;
pub(crate) use server_killed::{Blow, Victim, survive};
pub(crate) use walk::walk;

/// The made-up vault of 1,000 items.
pub(crate) fn export_of_a_thousand() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/bitwarden-1000.json")
}

//! The targets under libFuzzer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

mod targets;

pub use targets::target;

/// Puts the seeds of a target where `cargo fuzz` looks for its corpus, before it looks.
pub fn begin(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (number, seed) in (target(name).seeds)().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}

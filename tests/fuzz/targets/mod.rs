//! What is fuzzed: one function of bytes for each place where bytes from outside are read, and the bytes to begin with.
//!
//! libFuzzer runs them for hours (`just fuzz`), the hostile tests a little at every change. They are the same functions:
//! a target panics when a promise is broken and does nothing otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod api;
mod archive;
mod canon;
mod document;
mod envelope;
mod import;
mod log;
mod seeds;

/// One place where bytes from outside are read.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Panics when these bytes break a promise.
    pub run: fn(&[u8]),
    /// Bytes that get far, made of the frozen vectors.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: [Target; 7] = [
    Target { name: "canon", run: canon::run, seeds: canon::seeds },
    Target { name: "envelope", run: envelope::run, seeds: envelope::seeds },
    Target { name: "log", run: log::run, seeds: log::seeds },
    Target { name: "api", run: api::run, seeds: api::seeds },
    Target { name: "document", run: document::run, seeds: document::seeds },
    Target { name: "import", run: import::run, seeds: import::seeds },
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
];

/// The target of that name.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("a target of that name")
}

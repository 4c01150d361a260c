//! The frozen bytes of this crate's formats, in `proto/vectors`. With `LOCKSTEP_BLESS=1` in the environment the files
//! are written instead of compared; a changed file is a changed protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use serde_json::{Value, json};

mod vectors {
    mod keys;
    mod pairing;
    mod pairing_by_hand;
    mod refused;
    mod sealed;
    mod sheets;
    mod slots;
}

/// Counts: the random source of the vectors. Byte `i` of the stream is `i mod 251`.
struct CountingRandom(std::sync::atomic::AtomicUsize);

impl CountingRandom {
    fn new() -> Self {
        Self(std::sync::atomic::AtomicUsize::new(0))
    }
}

impl lockstep_crypto::random::Random for CountingRandom {
    fn fill(&self, out: &mut [u8]) {
        let start = self.0.fetch_add(out.len(), std::sync::atomic::Ordering::Relaxed);
        for (offset, byte) in out.iter_mut().enumerate() {
            *byte = u8::try_from((start + offset) % 251).unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn unhex_array<const N: usize>(value: &Value) -> [u8; N] {
    unhex(value).try_into().unwrap()
}

/// Compares what the code produces with the file, and returns the file's cases for reading.
fn frozen(name: &str, description: &str, cases: Vec<Value>) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors").join(name);
    let produced = json!({ "description": description, "cases": cases });
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        let text = format!("{}\n", serde_json::to_string_pretty(&produced).unwrap());
        std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are part of the repository");
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file, produced, "{name} is frozen");
    file["cases"].as_array().unwrap().clone()
}

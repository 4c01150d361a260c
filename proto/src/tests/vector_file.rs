//! Reading the frozen vectors of `proto/vectors/`.
//!
//! A vector file is `{ "description": …, "cases": [ { "name": …, … } ] }`. With `LOCKSTEP_BLESS=1` a missing or
//! differing file is written instead of refused: only for formats that no release has frozen yet.

use std::path::PathBuf;

use serde_json::Value;

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Compares what this program computes with what is frozen, and gives the frozen cases.
pub(crate) fn check(name: &str, description: &str, cases: Vec<Value>) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.json"));
    let computed = serde_json::json!({ "description": description, "cases": cases });
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
    }
    let frozen: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let frozen_cases = frozen["cases"].as_array().unwrap().clone();
    assert!(!frozen_cases.is_empty(), "{name} holds no case");
    for (index, (frozen, computed)) in frozen_cases.iter().zip(&cases).enumerate() {
        assert_eq!(frozen, computed, "{name}, case {index}");
    }
    assert_eq!(frozen_cases.len(), cases.len(), "{name} has other cases");
    frozen_cases
}

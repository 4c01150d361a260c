//! Seeded bugs: each stands in the table with tests that exist, and none comes near a program that people run.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::tree::{Source, expect_none, sources, top};

const FEATURE: &str = "seeded-bugs";

/// The rows of `tests/SEEDED.md`: bug, and tests with their modules.
fn table() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(top().join("tests/SEEDED.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        (quoted[0].to_owned(), quoted[1..].iter().map(|&test| test.to_owned()).collect())
    })
    .collect()
}

/// Whether a source has this test, in the module that is named: a file, or one within a file.
fn stands_in(source: &Source, test: &str) -> bool {
    let (modules, name) = test.rsplit_once("::").unwrap();
    let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let modules = modules.replace("::", "/");
    let outer = modules.rsplit_once('/').map_or("", |(outer, _)| outer);
    let is_there = |modules: &str| path.ends_with(&format!("/{modules}"));
    source.text.contains(&format!("fn {name}("))
        && (is_there(&modules) || is_there(outer) || path.ends_with("/lib") || path.ends_with("/main"))
}

#[test]
fn every_seeded_bug_has_a_test_that_finds_it() {
    let sources = sources();
    let seeded = sources.iter().filter(|source| !source.is_test() && source.path != "proto/src/seeded.rs");
    let found: BTreeSet<String> = seeded
        .flat_map(|source| source.text.split("seeded!(\"").skip(1).collect::<Vec<_>>())
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let table = table();
    let named: BTreeSet<String> = table.iter().map(|(bug, _)| bug.clone()).collect();
    let lost: Vec<String> = found.symmetric_difference(&named).cloned().collect();
    expect_none("code and tests/SEEDED.md name the same bugs", &lost);
    assert!(named.len() >= 20 && named.len() == table.len(), "{} bugs", named.len());
    let untested = table.iter().filter(|(_, tests)| {
        let stands = |test: &String| sources.iter().any(|source| stands_in(source, test));
        tests.is_empty() || !tests.iter().all(stands)
    });
    let untested: Vec<String> = untested.map(|(bug, _)| bug.clone()).collect();
    expect_none("every seeded bug names tests that exist", &untested);
}

#[test]
fn no_crate_switches_seeded_bugs_on() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--no-deps"])
        .current_dir(top())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut offences = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for (feature, implied) in package["features"].as_object().unwrap() {
            let own = feature == FEATURE && name == "lockstep-proto";
            if (feature.contains(FEATURE) && !own) || implied.to_string().contains(FEATURE) {
                offences.push(format!("{name} has the feature {feature} = {implied}"));
            }
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["features"].to_string().contains(FEATURE) {
                offences.push(format!("{name} needs {}", dependency["name"]));
            }
        }
    }
    expect_none("only a command line switches seeded bugs on", &offences);
    let guarded = std::fs::read_to_string(top().join("proto/src/seeded.rs")).unwrap();
    assert!(guarded.contains("not(debug_assertions)") && guarded.contains("compile_error!"));
}

#[test]
fn programs_hold_no_trace_of_seeded_bugs() {
    for program in ["lockstep", "lockstep-server"] {
        let Some(bytes) = programs(program) else { continue };
        let text = b"LOCKSTEP_SEEDED_BUG";
        assert!(
            !bytes.windows(text.len()).any(|window| window == text),
            "{program} was built with {FEATURE}"
        );
    }
}

/// The program beside this test, if it was built.
fn programs(name: &str) -> Option<Vec<u8>> {
    let test = std::env::current_exe().unwrap();
    std::fs::read(test.ancestors().nth(2)?.join(name)).ok()
}

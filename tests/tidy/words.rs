//! What may not stand anywhere, and what every folder says about itself.

use crate::tree::{expect_none, sources, top};

/// Lines that may stand below a folder whatever is forbidden, and why.
const ALLOWED: &[(&str, &str)] = &[
    // CI runs these tests, all of them, where it has started an engine.
    ("tests/docker/", "#[ignore = \"needs a Docker engine: .ci/docker runs it\"]"),
];

fn offences(rule: &str, forbidden: &[&str], applies: impl Fn(&str) -> bool) {
    let mut found = Vec::new();
    for source in sources() {
        if source.path.starts_with("tests/tidy/") || !applies(&source.path) {
            continue;
        }
        for (index, line) in source.text.lines().enumerate() {
            let allowed =
                ALLOWED.iter().any(|(folder, text)| source.path.starts_with(folder) && line == *text);
            if let Some(word) = forbidden.iter().find(|word| !allowed && line.contains(**word)) {
                found.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
    expect_none(rule, &found);
}

#[test]
fn nothing_sleeps_is_ignored_or_left_to_do() {
    let forbidden = ["thread::sleep", "#[ignore", "TODO", "FIXME", "todo!(", "unimplemented!("];
    offences("no sleeps, ignored tests or loose ends", &forbidden, |_| true);
}

#[test]
fn only_the_command_line_prints() {
    let prints = |path: &str| {
        !path.starts_with("client/cli/") && !path.contains("tests") && !path.contains("conformance")
    };
    offences("only cli prints", &["println!(", "print!(", "eprint!(", "eprintln!("], prints);
}

#[test]
fn the_core_reaches_the_world_only_through_ports() {
    let forbidden = ["std::fs", "std::net", "SystemTime", "Instant::now", "OsRng", "thread_rng"];
    let core = |path: &str| {
        ["client/core/", "client/crypto/src/", "client/formats/src/", "proto/src/"]
            .iter()
            .any(|folder| path.starts_with(folder))
            && !path.contains("/tests")
            && !path.contains("testing.rs")
            && !path.contains("vector")
    };
    let mut found = Vec::new();
    for source in sources().into_iter().filter(|source| core(&source.path)) {
        for (index, line) in source.production_lines().iter().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
    expect_none("files, sockets, clocks and randomness are ports", &found);
}

#[test]
fn status_codes_and_sql_stand_in_one_place() {
    offences("SQL stands in the store and the local store", &["SELECT ", "INSERT INTO "], |path| {
        !path.starts_with("server/store/")
            && !path.starts_with("client/native/")
            && !path.starts_with("tests/")
    });
}

#[test]
fn every_folder_says_its_job() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.is_test() && !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    expect_none("every file starts with its job", &silent);
}

#[test]
fn the_top_level_is_fixed() {
    let folders = ["client", "deploy", "proto", "server", "target", "tests"];
    let files = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "SECURITY.md",
        "clippy.toml",
        "deny.toml",
        "justfile",
        "rust-toolchain.toml",
        "rustfmt.toml",
    ];
    let mut unknown = Vec::new();
    for entry in std::fs::read_dir(top()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !folders.contains(&name.as_str()) && !files.contains(&name.as_str()) {
            unknown.push(name);
        }
    }
    unknown.retain(|name| name != "lockstep-data");
    expect_none("the top level is fixed", &unknown);
}

//! Who may import whom: ARCHITECTURE.md's table, as cargo resolves it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::{expect_none, top};

/// What a crate may never reach, directly or through others.
const NEVER: &[(&str, &[&str])] = &[
    ("lockstep-proto", &["lockstep-*", "tokio", "actix-*", "reqwest", "hyper", "rusqlite", "tokio-postgres"]),
    (
        "lockstep-domain",
        &[
            "actix-*",
            "rusqlite",
            "tokio-postgres",
            "jsonwebtoken",
            "lockstep-crypto",
            "lockstep-client",
            "lockstep-formats",
            "lockstep-native",
        ],
    ),
    (
        "lockstep-store",
        &["actix-*", "lockstep-server", "lockstep-crypto", "lockstep-client", "lockstep-native"],
    ),
    (
        "lockstep-server",
        &["lockstep-crypto", "lockstep-client", "lockstep-formats", "lockstep-native", "lockstep-cli"],
    ),
    ("lockstep-crypto", &["tokio", "reqwest", "rusqlite", "actix-*", "lockstep-client", "lockstep-domain"]),
    (
        "lockstep-client",
        &["tokio", "reqwest", "rusqlite", "actix-*", "lockstep-domain", "lockstep-store", "lockstep-server"],
    ),
    ("lockstep-formats", &["tokio", "reqwest", "rusqlite", "actix-*", "lockstep-domain", "lockstep-server"]),
    ("lockstep-native", &["lockstep-domain", "lockstep-store", "lockstep-server", "actix-*"]),
    ("lockstep-cli", &["lockstep-domain", "lockstep-store", "lockstep-server", "actix-*"]),
];

/// Crates that exactly these workspace members may name themselves.
const ONLY: &[(&str, &[&str])] = &[
    ("age", &["lockstep-formats"]),
    ("actix-http", &["lockstep-server"]),
    ("actix-server", &["lockstep-server"]),
    ("actix-service", &["lockstep-server"]),
    ("actix-tls", &["lockstep-server"]),
    ("actix-web", &["lockstep-server"]),
    ("jsonwebtoken", &["lockstep-server"]),
    ("rusqlite", &["lockstep-native", "lockstep-store"]),
    ("opaque-ke", &["lockstep-crypto", "lockstep-domain"]),
    ("reqwest", &["lockstep-native"]),
];

/// Crates that are not wanted anywhere in the lock file, and why.
const BANNED: &[(&str, &str)] = &[
    ("rsa", "RUSTSEC-2023-0071"),
    ("sharks", "RUSTSEC-2024-0398"),
    ("bincode", "RUSTSEC-2025-0141"),
    ("serde_cbor", "unmaintained"),
    ("openssl", "one TLS implementation: rustls"),
    ("openssl-sys", "one TLS implementation: rustls"),
    ("native-tls", "one TLS implementation: rustls"),
];

struct Graph {
    /// Normal and build dependencies of every package, by name.
    edges: BTreeMap<String, BTreeSet<String>>,
    /// What a workspace member names itself, development included.
    named: BTreeMap<String, BTreeSet<String>>,
}

fn graph() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(top())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut names = BTreeMap::new();
    let mut named = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        if package["source"].is_null() {
            let dependencies = package["dependencies"].as_array().unwrap();
            let own = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
            named.insert(name.clone(), own.map(|own| own["name"].as_str().unwrap().to_owned()).collect());
        }
        names.insert(package["id"].as_str().unwrap().to_owned(), name);
    }
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let from = names[node["id"].as_str().unwrap()].clone();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                let to = names[dependency["pkg"].as_str().unwrap()].clone();
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    Graph { edges, named }
}

impl Graph {
    fn reachable(&self, from: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(name) = open.pop() {
            for next in self.edges.get(&name).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[test]
fn no_crate_reaches_what_it_must_never_import() {
    let graph = graph();
    let mut offences = Vec::new();
    for (from, never) in NEVER {
        assert!(graph.named.contains_key(*from), "{from} is not in the workspace");
        for name in graph.reachable(from) {
            if never.iter().any(|pattern| matches(pattern, &name)) {
                offences.push(format!("{from} reaches {name}"));
            }
        }
    }
    expect_none("the import table", &offences);
}

#[test]
fn the_server_has_no_code_that_could_open_a_vault() {
    let reached = graph().reachable("lockstep-server");
    for client in ["lockstep-crypto", "lockstep-client", "chacha20poly1305", "hpke"] {
        assert!(!reached.contains(client), "the server reaches {client}");
    }
}

#[test]
fn technologies_are_named_by_their_one_crate() {
    let graph = graph();
    let mut offences = Vec::new();
    for (technology, only) in ONLY {
        for (member, named) in &graph.named {
            if named.contains(*technology) && !only.contains(&member.as_str()) {
                offences.push(format!("{member} names {technology}"));
            }
        }
    }
    expect_none("one technology, one crate", &offences);
}

#[test]
fn banned_crates_are_not_in_the_lock_file() {
    let lock = std::fs::read_to_string(top().join("Cargo.lock")).unwrap();
    let offences: Vec<String> = BANNED
        .iter()
        .filter(|(name, _)| lock.contains(&format!("name = \"{name}\"\n")))
        .map(|(name, why)| format!("{name} ({why})"))
        .collect();
    expect_none("banned crates", &offences);
}

#[test]
fn every_crate_takes_the_workspace_lints_and_licence() {
    let mut offences = Vec::new();
    for member in graph().named.keys() {
        let folder = match member.as_str() {
            "lockstep-proto" => "proto",
            "lockstep-server" => "server",
            "lockstep-domain" => "server/domain",
            "lockstep-store" => "server/store",
            "lockstep-crypto" => "client/crypto",
            "lockstep-client" => "client/core",
            "lockstep-formats" => "client/formats",
            "lockstep-native" => "client/native",
            "lockstep-cli" => "client/cli",
            "lockstep-tests" => "tests",
            other => panic!("{other} has no place in the house"),
        };
        let manifest = std::fs::read_to_string(top().join(folder).join("Cargo.toml")).unwrap();
        for line in ["[lints]\nworkspace = true", "license.workspace = true"] {
            if !manifest.contains(line) {
                offences.push(format!("{folder}/Cargo.toml lacks {line:?}"));
            }
        }
    }
    expect_none("workspace lints and licence", &offences);
}

//! The scoreboard: every row of the list of attacks with the tests that play it, as they stand in the code.
//!
//! A test belongs to a row by its name: `a07_…` plays row A07. `just bless` writes `SCOREBOARD.md` anew; a row without a
//! test must say what it waits for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Row, what the server (or whom it is in league with) does, where it was published or comes from.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "A01",
        "offers a lower, unknown or absurd key-stretching profile",
        "Bitwarden BW07, LastPass LP04, Dashlane DL04, DL06, 1Password 1P04",
    ),
    ("A02", "changes its OPAQUE key", "own"),
    ("A03", "swaps two items, or an item and an older version of it", "BW05, LP02"),
    ("A04", "changes any byte of any stored field", "BW04, LP05, LP06, MEGA 2022/959"),
    ("A05", "drops an item, serves it twice, brings a deleted one back", "1P02, DL01"),
    ("A06", "drops, repeats or reorders commits", "DL01"),
    ("A07", "shows an earlier state to who has seen more", "own"),
    ("A08", "restores an old database honestly", "own"),
    ("A09", "shows two devices two histories", "own"),
    ("A10", "leads a client from one branch to another", "own"),
    ("A11", "answers with nothing, or half", "own"),
    ("A12", "injects a vault, a device, an account", "1P03, BW08"),
    ("A13", "hides a vault, a device, a removal, the newest commits", "own"),
    ("A14", "replaces a wrapped vault key by one it knows", "1P06, BW09"),
    ("A15", "swaps slots of purposes, accounts, generations", "own"),
    ("A16", "leaves keys out, so that the client makes new ones", "BW11"),
    ("A17", "claims an older protocol, suite or version", "BW10, BW12, DL05"),
    ("A18", "adds a device, strikes a removal", "own"),
    ("A19", "serves a commit of a removed device", "own"),
    ("A20", "uses a right signature in another place or role", "own"),
    ("A21", "uses small-order, mixed-order, non-canonical, malleated keys and signatures", "own"),
    ("A22", "mixes old slots with a new log, or new with old", "own"),
    ("A23", "breaks what is sealed in every way, and watches", "DLb1, 2026/058"),
    ("A24", "makes a ciphertext that opens under two keys", "own"),
    ("A25", "turns recovery on by policy, swaps the recovery key", "BW01, BW02, LP01, 1P01"),
    ("A26", "swaps a contact's public key", "DL02, LP07, 1P05"),
    ("A27", "replays a grant, or one for somebody else", "own"),
    ("A28", "stands between two devices that pair", "CVE-2026-60104"),
    ("A29", "is asked for vault bytes with a weaker credential", "Dashlane 2026"),
    ("A30", "withholds everything", "own"),
    ("A31", "gives huge, slow, endless or deeply nested answers", "own"),
    ("A32", "is stolen from: database and files", "public incidents"),
    ("A33", "reorders, cuts, splices an attachment", "2024/1616"),
    ("A34", "watches sizes", "own"),
    ("A35", "a web page attacks the extension", "DEF CON 33"),
    ("A36", "serves commits of a removed device that name an older position", "own"),
    ("A37", "lets a removed member write on a restored branch", "own"),
    ("A38", "lets a device that is being removed add a shadow", "own"),
    ("A39", "a device commits what nobody can open", "own"),
    ("A40", "swaps the key slots of two own vaults, or of two epochs", "own"),
    ("A41", "hands a device that was away a forged root key", "own"),
    ("A42", "lets a removed device confirm an old state", "own"),
    ("A43", "harvests two signatures on one head", "own"),
    ("A44", "a stolen unlocked device, or a process of its user, changes who gets in", "own"),
    ("A45", "a device signs anything valid before it is removed", "own"),
    ("A46", "a removal and the removed device's commit arrive together, by any route", "own"),
    ("A47", "a removed device finishes a request that it began before", "own"),
    ("A48", "an account makes others members unasked, or asks which accounts there are", "own"),
    ("A49", "somebody who knows an account's id keeps its owner from getting in or giving back", "own"),
    (
        "A50",
        "a crowd without sessions takes memory, connections, descriptors, processor time or disk",
        "600 connections of 1 MiB, 8,400 of one byte each",
    ),
    ("A51", "a page in a browser talks to a server on loopback", "DNS rebinding, simple requests"),
    ("A55", "aims hostile text in names, or in its own words, at terminal or log", "own"),
];

/// What rows without a test wait for.
const WAITING: [(&str, &str); 4] =
    [("A26", "sharing"), ("A27", "sharing"), ("A33", "attachments"), ("A35", "the browser extension")];

/// Where tests stand.
const PLACES: [&str; 4] = ["proto", "client", "server", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every test that is named after a row: its file and name.
fn tests() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::<String, Vec<(String, String)>>::new();
    for place in PLACES {
        collect(&root().join(place), &mut found);
    }
    found.values_mut().for_each(|tests| tests.sort());
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, Vec<(String, String)>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let place = path.strip_prefix(root()).unwrap().display().to_string();
            for name in names(&text) {
                for row in rows_of(&name) {
                    found.entry(row).or_default().push((place.clone(), name.clone()));
                }
            }
        }
    }
}

/// The names of functions right below `#[test]` or `#[tokio::test]`.
fn names(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut names = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_test = line.starts_with("#[test")
            || line.starts_with("#[tokio::test")
            || line.starts_with("#[actix_web::test");
        let below = lines.iter().skip(number + 1).find(|line| !line.starts_with('#'));
        let name = below.and_then(|line| line.split("fn ").nth(1)).and_then(|rest| rest.split('(').next());
        names.extend(name.filter(|_| is_test).map(str::to_owned));
    }
    names.into_iter()
}

/// The rows that a name begins with: `a15_a22_…` plays two.
fn rows_of(name: &str) -> Vec<String> {
    let is_row = |part: &&str| {
        part.len() == 3 && part.starts_with('a') && part[1..].bytes().all(|byte| byte.is_ascii_digit())
    };
    name.split('_').take_while(is_row).map(str::to_uppercase).collect()
}

fn scoreboard() -> String {
    let found = tests();
    let mut lines = vec![
        "# Scoreboard".to_owned(),
        String::new(),
        "What a hostile server, and whoever is in league with it, tries; and the tests that play it against the real client. Each"
            .to_owned(),
        "of them passes, or this project's CI does not. Written by `just bless`; sources in `scoreboard.rs`.".to_owned(),
        String::new(),
        "| row | the server … | source | result | played by |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (row, attack, source) in ROWS.iter().copied() {
        let waits = WAITING.iter().find(|(waiting, _)| *waiting == row);
        let (result, played) = match (found.get(row), waits) {
            (Some(tests), None) => ("refused".to_owned(), listed(tests)),
            (Some(tests), Some((_, what))) => (format!("refused; more waits for {what}"), listed(tests)),
            (None, Some((_, what))) => (format!("waits for {what}"), String::new()),
            (None, None) => panic!("row {row} has no test and waits for nothing"),
        };
        lines.push(format!("| {row} | {attack} | {source} | {result} | {played} |"));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn listed(tests: &[(String, String)]) -> String {
    let mut by_file = BTreeMap::<&str, Vec<&str>>::new();
    for (file, name) in tests {
        by_file.entry(file).or_default().push(name);
    }
    let files = by_file.into_iter().map(|(file, names)| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("{file}: {}", names.join(", "))
    });
    files.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_scoreboard_says_what_the_tests_play() {
    let known: Vec<&str> = ROWS.iter().map(|(row, ..)| *row).collect();
    assert!(tests().keys().all(|row| known.contains(&row.as_str())), "a test of an unknown row");
    let (written, path) = (scoreboard(), root().join("tests/hostile/SCOREBOARD.md"));
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == written,
        "SCOREBOARD.md is not what the tests play: run `just bless` and look at the difference"
    );
}

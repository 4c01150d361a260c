//! The frozen bytes of an archive's content in `proto/vectors/archive.json`, and files that stay readable: those of
//! `archive_sealed.json`, and `archive.age`, which the program `age` sealed.
//!
//! With `LOCKSTEP_BLESS=1` in the environment a missing or differing content is written instead of refused. Files are new
//! at each sealing, so `archive_sealed.json` is written only where it is missing.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use lockstep_proto::ids::{ItemId, VaultId};
use serde_json::{Value as Json, json};

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors")
}

fn is_blessed() -> bool {
    std::env::var_os("LOCKSTEP_BLESS").is_some()
}

fn write(path: &Path, json: &Json) {
    std::fs::write(path, serde_json::to_string_pretty(json).unwrap() + "\n").unwrap();
}

fn read(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn content_json(archive: &Archive<'_>) -> Json {
    let vaults = archive.vaults.iter().map(|(vault_id, vault)| {
        let items = vault.items.iter();
        let items =
            items.map(|(id, document)| json!({ "id": hex(id.as_bytes()), "document": hex(document) }));
        json!({ "id": hex(vault_id.as_bytes()), "name": vault.name, "items": items.collect::<Vec<_>>() })
    });
    json!({ "made_ms": archive.made_ms, "vaults": vaults.collect::<Vec<_>>() })
}

/// Two items and an empty vault; the documents are empty ones, and bytes of a length that takes a longer head.
fn two_vaults(documents: &[Vec<u8>; 2]) -> Archive<'_> {
    let [empty, long] = documents.each_ref().map(Vec::as_slice);
    let items = [(ItemId::from_random([3; 16]), empty), (ItemId::from_random([4; 16]), long)].into();
    let home = ArchivedVault { name: "Zuhause", items };
    let work = ArchivedVault { name: "", items: Default::default() };
    let vaults = [(VaultId([1; 32]), home), (VaultId([2; 32]), work)].into();
    Archive { made_ms: 1_700_000_000_000, vaults }
}

fn documents() -> [Vec<u8>; 2] {
    [b"\xa3\x61\x64\x80\x61\x66\xa0\x61\x73\x80".to_vec(), vec![0xf6; 300]]
}

#[test]
fn contents_have_their_frozen_bytes() {
    let nothing = Archive { made_ms: 0, vaults: Default::default() };
    let documents = documents();
    let archives = [("no vault", nothing), ("two vaults", two_vaults(&documents))];
    let case = |(name, archive): (&str, Archive<'_>)| {
        let bytes = hex(&archive.to_bytes().unwrap());
        json!({ "name": name, "content": content_json(&archive), "bytes": bytes })
    };
    let produced = json!({
        "description": "Contents of archives before they are sealed; documents are any bytes here.",
        "cases": archives.into_iter().map(case).collect::<Vec<_>>(),
    });
    let path = vectors().join("archive.json");
    if is_blessed() {
        write(&path, &produced);
    }
    let file = read(&path);
    assert_eq!(file, produced, "archive.json is frozen");
    for case in file["cases"].as_array().unwrap() {
        let bytes = unhex(&case["bytes"]);
        assert_eq!(content_json(&Archive::from_bytes(&bytes).unwrap()), case["content"], "{}", case["name"]);
    }
}

#[test]
fn what_the_program_age_sealed_opens() {
    // `age --passphrase --armor` of age 1.1.1, over the second case of archive.json.
    let documents = documents();
    let file = include_bytes!("../../../../proto/vectors/archive.age");
    let content = open(file, &Passphrase::new("Gerät am See").unwrap()).unwrap();
    assert_eq!(Archive::from_bytes(&content).unwrap(), two_vaults(&documents));
}

#[test]
fn files_that_were_sealed_once_stay_readable() {
    let path = vectors().join("archive_sealed.json");
    let documents = documents();
    let archive = two_vaults(&documents);
    if is_blessed() && !path.exists() {
        let content = archive.to_bytes().unwrap();
        let case = |log_n: u8| {
            let passphrase = Passphrase::new("fuzz").unwrap();
            let file = seal(&content, &passphrase, WorkFactor::new(log_n).unwrap()).unwrap();
            json!({ "name": format!("2^{log_n}"), "passphrase": "fuzz", "sealed": hex(&file) })
        };
        let description = "Files of the second case of archive.json, which their passphrase opens.";
        write(&path, &json!({ "description": description, "cases": [case(1), case(6)] }));
    }
    for case in read(&path)["cases"].as_array().unwrap() {
        let passphrase = Passphrase::new(case["passphrase"].as_str().unwrap()).unwrap();
        let content = open(&unhex(&case["sealed"]), &passphrase).unwrap();
        assert_eq!(Archive::from_bytes(&content).unwrap(), archive, "{}", case["name"]);
    }
}

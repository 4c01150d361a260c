//! Files as people have them: odd, cut off, in other encodings, in archives. What can be read comes in, and what did
//! not is said last.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use super::programs::{Outcome, PASSWORD, program};
use super::{Machine, ServerProcess};

const MAY_BE_DELETED: &str =
    "The file still holds everything in the clear: delete it when you have looked around.";

#[test]
fn what_can_be_read_comes_in_and_what_did_not_is_said_last() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "15"]);

    utf_16_is_read(&machine);
    one_bad_record_stops_no_other(&machine);
    a_cut_file_says_where_it_ends(&machine);
    an_archive_names_its_attachments(&machine);
    whatever_was_deleted_is_in_the_trash(&machine);
    collections_and_older_addresses_are_found(&machine);
    what_is_no_export_says_what_it_is(&machine);
    assert_eq!(machine.json("laptop", &["status"])["pending"], 0);
}

fn login(title: &str) -> Json {
    json!({ "id": format!("id of {title}"), "type": 1, "name": title, "revisionDate": "2023-03-04T05:06:07.890Z",
        "login": { "username": "anna", "password": format!("secret of {title}") } })
}

fn file(items: &[Json]) -> String {
    json!({ "encrypted": false, "folders": [], "items": items }).to_string()
}

fn import(machine: &Machine, content: &[u8]) -> Outcome {
    let path = machine.path("export.json");
    std::fs::write(&path, content).unwrap();
    machine.run("laptop", &["import", path.to_str().unwrap(), "--format", "bitwarden-json"])
}

/// The same for a person: the exit code, and the lines on standard output.
fn import_by_hand(machine: &Machine, content: &[u8]) -> (Option<i32>, Vec<String>) {
    let path = machine.path("export.json");
    std::fs::write(&path, content).unwrap();
    let mut command = Command::new(program("lockstep"));
    command.env_clear().env("LOCKSTEP_HOME", machine.path("home"));
    command.args(["--profile", "laptop", "--password-fd", "0", "import", path.to_str().unwrap()]);
    command.args(["--format", "bitwarden-json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    (output.status.code(), lines)
}

fn password(machine: &Machine, title: &str) -> Json {
    machine.json("laptop", &["get", title, "--field", "password"])["value"].clone()
}

fn utf_16_is_read(machine: &Machine) {
    let text = file(&[login("Müller & Söhne 日本語")]);
    let little: Vec<u8> =
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let (code, lines) = import_by_hand(machine, &little);
    assert_eq!((code, lines.last().map(String::as_str)), (Some(0), Some(MAY_BE_DELETED)), "{lines:?}");
    assert_eq!(password(machine, "Müller & Söhne 日本語"), "secret of Müller & Söhne 日本語");
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let again = import(machine, &big).done().json();
    assert_eq!((&again["unchanged"], &again["complete"]), (&json!(1), &json!(true)));
}

fn one_bad_record_stops_no_other(machine: &Machine) {
    let (before, after) = (login("Before").to_string(), login("After").to_string());
    let with = |odd: &str| format!("{{\"items\":[\n{before},\n{odd},\n{after}]}}");
    let cut = with(r#"{"id":"emoji","type":2,"name":"Cut in an emoji \ud83d"}"#);
    let (code, lines) = import_by_hand(machine, cut.as_bytes());
    assert_eq!((code, lines.last().map(String::as_str)), (Some(0), Some(MAY_BE_DELETED)), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("2. Cut in an emoji \u{fffd}: A character in it")),
        "{lines:?}"
    );

    let broken = with(r#"{"id":"broken","type":2,"name":"Half a bank","notes":"no end}"#);
    let told = import(machine, broken.as_bytes()).ends(1).json();
    assert_eq!(
        (&told["unchanged"], &told["left_out"], &told["complete"]),
        (&json!(2), &json!(1), &json!(false))
    );
    assert_eq!(told["problems"][0]["title"], "Half a bank");
    let (code, lines) = import_by_hand(machine, broken.as_bytes());
    let last = lines.last().unwrap();
    assert_eq!(code, Some(1));
    assert!(last.starts_with("Not everything came in; left out: 1 entry."), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("2. Half a bank:") && line.contains("at line 3, column 1"))
    );
    assert!(!lines.iter().any(|line| line.contains("delete it")), "{lines:?}");
    assert_eq!(password(machine, "After"), "secret of After");
}

fn a_cut_file_says_where_it_ends(machine: &Machine) {
    let whole = format!("{{\"items\":[\n{},\n{}]}}", login("Complete"), login("Incomplete"));
    let cut = &whole.as_bytes()[..whole.len() - 20];
    let told = import(machine, cut).ends(1).json();
    assert_eq!((&told["created"], &told["left_out"]), (&json!(1), &json!(1)));
    assert_eq!((&told["remarks"][0]["line"], &told["remarks"][0]["left_out"]), (&json!(3), &json!(true)));
    let (_, lines) = import_by_hand(machine, cut);
    assert!(lines.iter().any(|line| line.contains("The file ends early, at line 3, column ")), "{lines:?}");
    assert!(machine.titles("laptop").contains(&"Complete".to_owned()));
    assert!(!machine.titles("laptop").contains(&"Incomplete".to_owned()));
}

/// A zip archive of these files, not compressed.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in files {
        let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        let mut header = [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x58][..], &crc32(content).to_le_bytes()].concat();
        header.extend([number(content.len()), number(content.len())].concat());
        header.extend([&number(path.len())[..2], &[0, 0]].concat());
        directory.extend(
            [&b"PK\x01\x02\x14\0"[..], &header, &[0; 10], &number(bytes.len()), path.as_bytes()].concat(),
        );
        bytes.extend([&b"PK\x03\x04"[..], &header, path.as_bytes(), content].concat());
    }
    let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let count = &number(files.len())[..2];
    let end =
        [&b"PK\x05\x06\0\0\0\0"[..], count, count, &number(directory.len()), &number(bytes.len()), &[0, 0]];
    [bytes, directory, end.concat()].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn an_archive_names_its_attachments(machine: &Machine) {
    let export = file(&[login("Passport")]);
    let whole = archive(&[("data.json", export.as_bytes())]);
    assert_eq!(import(machine, &whole).done().json()["created"], 1);
    let files: [(&str, &[u8]); 2] =
        [("data.json", export.as_bytes()), ("attachments/id of Passport/scan.pdf", b"%PDF")];
    let (code, lines) = import_by_hand(machine, &archive(&files));
    assert_eq!(code, Some(1), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("1. Passport: Its attachment `scan.pdf` was left out")),
        "{lines:?}"
    );
    assert!(
        lines.last().unwrap().starts_with("Not everything came in; left out: 1 attachment."),
        "{lines:?}"
    );
    assert_eq!(password(machine, "Passport"), "secret of Passport");
}

fn whatever_was_deleted_is_in_the_trash(machine: &Machine) {
    let dates = ["2023-02-01 10:00:00", "Wed, 01 Feb 2023 10:00:00 GMT", "1601-01-01T00:00:00Z"];
    let items = dates.iter().map(|date| {
        let mut item = login(&format!("Binned {date}"));
        item["deletedDate"] = json!(date);
        item
    });
    let told = import(machine, file(&items.collect::<Vec<_>>()).as_bytes()).done().json();
    assert_eq!(told["problems"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(machine.json("laptop", &["list", "--trash"])["items"].as_array().unwrap().len(), 3);
    let titles = machine.titles("laptop");
    assert!(!titles.iter().any(|title| title.starts_with("Binned")), "{titles:?}");

    let title = format!("Binned {}", dates[0]);
    machine.json("laptop", &["restore", &title]);
    let path = machine.path("out.json");
    let arguments = ["export", "--format", "bitwarden-json", "--yes", "-o", path.to_str().unwrap()];
    machine.json("laptop", &arguments);
    let export: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let deleted = |title: &str| {
        let items = export["items"].as_array().unwrap().iter();
        items.filter(|item| item["name"] == title).map(|item| item["deletedDate"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(deleted(&title), [Json::Null]);
    assert_eq!(deleted(&format!("Binned {}", dates[2])), [json!(dates[2])]);
}

fn collections_and_older_addresses_are_found(machine: &Machine) {
    let mut item = login("Rack door");
    item["collectionIds"] = json!(["c1"]);
    item["login"]["uri"] = json!("https://rack.example/door");
    let export = json!({ "collections": [{ "id": "c1", "name": "Team/Servers" }], "items": [item] });
    let told = import(machine, export.to_string().as_bytes()).done().json();
    assert_eq!((&told["left_out_members"], &told["complete"]), (&json!([]), &json!(true)));
    let found = machine.json("laptop", &["list", "--search", "rack.example"])["items"][0].clone();
    assert_eq!((&found["title"], &found["tags"]), (&json!("Rack door"), &json!(["Team/Servers"])));
}

fn what_is_no_export_says_what_it_is(machine: &Machine) {
    let before = machine.titles("laptop");
    let protected = br#"{"encrypted":true,"passwordProtected":true,"data":"2.AA==|AA==|AA=="}"#;
    for (content, says) in [
        (&b""[..], "The file is empty"),
        (b"folder,favorite,type\n", "CSV table"),
        (b"<!doctype html>", "web page"),
        (b"PK\x03\x04", "zip archive is damaged"),
        (b"age-encryption.org/v1\n", "sealed with age"),
        (b"{\"encrypted\":false,\n\"folders\":[", "ends early, at line 2, column 12"),
        (br#"{"encrypted":1,"items":[{"type":2,"name":"2.AA==|AA=="}]}"#, "encrypted export"),
        (protected, "protected by a password of its own"),
    ] {
        let outcome = import(machine, content).ends(1);
        let message = outcome.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(outcome.failure(), "import");
        assert!(message.contains(says) && message.contains("nothing was imported"), "{says}: {message}");
    }
    let endless = machine.run("laptop", &["import", "/dev/zero", "--format", "bitwarden-json"]).ends(1);
    assert!(endless.out.contains("an import may have") && endless.failure() == "import", "{endless:?}");
    assert_eq!(machine.titles("laptop"), before);
}

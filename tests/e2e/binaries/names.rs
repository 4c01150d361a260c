//! Names, titles and whatever else stands in items, vaults, devices and files, shown to a person and to a program (A55).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use lockstep_client::item::merge::merge;
use lockstep_client::item::{Author, Draft, Value};
use lockstep_client::proto::ids::{DeviceId, ItemId, VaultId};
use lockstep_formats::archive::{Archive, ArchivedVault, Passphrase, WorkFactor, seal};
use lockstep_tests::is_plain;

use super::programs::{PASSWORD, program};
use super::screen::Terminal;
use super::{Machine, Outcome, ServerProcess};

const PASSPHRASE: &str = "seven random words are a passphrase";
/// Clears, names the window, turns around, hides, and goes on as if it were the program.
const HOSTILE: &str =
    "a\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}b\u{200b}\u{9b}31m\nlockstep: FORGED\r\nPassword: FORGED\u{2028}c";

fn at(now_ms: u64, device: u8) -> Author {
    Author { now_ms, device: DeviceId([device; 16]) }
}

/// An archive whose vault, items, kinds, fields, tags, lists and values all say that.
fn archive(machine: &Machine) -> PathBuf {
    let custom = |kind: &str| {
        Value::map([
            ("name", HOSTILE.into()),
            ("type", kind.into()),
            ("value", HOSTILE.into()),
            ("order", Value::Int(1)),
        ])
    };
    let login = Draft::by("login", at(1_000, 1)).unwrap().set("name", HOSTILE);
    let login = ["username", "password", "totp", "notes", HOSTILE]
        .into_iter()
        .fold(login, |draft, field| draft.set(field, HOSTILE));
    let login = login
        .set(format!("tags/{HOSTILE}"), true)
        .set("custom/1", custom("text"))
        .set("custom/2", custom("hidden"));
    let uri = Value::map([("uri", HOSTILE.into()), ("order", Value::Int(1))]);
    let login = login.set("uris/1", uri).build().unwrap();
    let edited = |device: u8| {
        let mut document = login.clone();
        let other = format!("{HOSTILE}{device}");
        document
            .edit(at(2_000, device))
            .set("username", other.as_str())
            .set(HOSTILE, other.as_str())
            .apply()
            .unwrap();
        document
    };
    let odd = Draft::by(HOSTILE, at(1_000, 1)).unwrap().set("name", HOSTILE).build().unwrap();
    let bytes = [merge(&edited(2), &edited(3)).to_bytes(), odd.to_bytes(), b"no document".to_vec()];
    let ids = (1..).map(|number| ItemId::from_random([number; 16]));
    let items: BTreeMap<_, _> = ids.zip(bytes.iter().map(Vec::as_slice)).collect();
    let vaults = [(VaultId([9; 32]), ArchivedVault { name: HOSTILE, items })].into();
    let content = Archive { made_ms: 1, vaults }.to_bytes().unwrap();
    let sealed = seal(&content, &Passphrase::new(PASSPHRASE).unwrap(), WorkFactor::new(4).unwrap()).unwrap();
    let file = machine.path(&format!("{}.age", HOSTILE.replace('/', "")));
    std::fs::write(&file, sealed).unwrap();
    file
}

/// What a command shows to a person and to a program; nothing of it is more than text.
fn shown(machine: &Machine, arguments: &[&str], lines: &[&str]) -> [Outcome; 2] {
    let told = machine.run_with("laptop", arguments, lines);
    assert!(is_plain(&told.out) && is_plain(&told.err), "{arguments:?}: {told:?}");
    assert!(told.out.is_empty() || told.out.lines().count() == 1, "{arguments:?}: {told:?}");
    let mut command = std::process::Command::new(program("lockstep"));
    let home = machine.profile("laptop");
    command.env_clear().env("LOCKSTEP_HOME", home.parent().unwrap());
    command.args(["--profile", "laptop", "--password-fd", "0"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let typed: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // A command that fails early reads nothing.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let person = Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    // One value alone goes into a pipe byte for byte.
    let out = if arguments.contains(&"--field") { "" } else { &person.out };
    for said in [out, &person.err] {
        assert!(is_plain(said), "{arguments:?}: {person:?}");
        let forged =
            said.lines().find(|line| line.starts_with("lockstep: FORGED") || line.starts_with("Password: "));
        assert_eq!(forged, None, "{arguments:?}: {person:?}");
    }
    // The second run meets what the first one did.
    assert!([&person, &told].iter().all(|outcome| matches!(outcome.code, Some(0..=6))), "{arguments:?}");
    [person, told]
}

fn account() -> (ServerProcess, Machine) {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    (server, machine)
}

#[test]
fn a55_names_in_items_vaults_devices_and_files_are_text_whatever_shows_them() {
    let (_server, machine) = account();
    let kit = machine.kit();
    let sign_in = ["signin", "--yes", "--kit", kit.to_str().unwrap(), "--device-name", HOSTILE];
    machine.run("phone", &sign_in).done();
    let file = archive(&machine);
    let file = file.to_str().unwrap();
    let show = |arguments: &[&str]| shown(&machine, arguments, &[PASSWORD, PASSPHRASE]);
    let import = ["import", file, "--format", "lockstep", "--passphrase-fd", "0"];
    show(&import);
    show(&[&import[..], &["--yes"]].concat());
    let list = machine.json("laptop", &["list"]);
    let titles: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, [HOSTILE, HOSTILE], "what is there stays as it is");
    let id = ItemId::from_random([1; 16]).to_string();
    let odd = ItemId::from_random([2; 16]).to_string();
    for arguments in [
        &["list"][..],
        &["list", "--tag", HOSTILE],
        &["get", &id, "--reveal"],
        &["get", &odd],
        &["get", HOSTILE],
        &["get", &id, "--field", HOSTILE],
        &["get", &id, "--field", "custom"],
        &["code", &id],
        &["history", &id, "--reveal"],
        &["history", &id, HOSTILE],
        &["history", &id, HOSTILE, "--take", "2"],
        &["conflicts", "--reveal"],
        &["conflicts", "resolve", &id, HOSTILE, "--keep", "9"],
        &["conflicts", "resolve", &id, HOSTILE, "--keep", "1"],
        &["conflicts", "resolve", &id, HOSTILE, "--keep", "1"],
        &["edit", &id, "--clear", HOSTILE],
        &["edit", &id, "--untag", HOSTILE],
        &["edit", &id, "--set", &format!("{HOSTILE}=x")],
        &["edit", &id, "--secret", HOSTILE],
        &["edit", &id, "--set", &format!("custom:{HOSTILE}=x")],
        &["add", "--title", HOSTILE, "--vault", HOSTILE],
        &["add", "--title", "x", "--kind", HOSTILE],
        &["rm", &odd, "--purge"],
        &["rm", &odd],
        &["restore", &odd],
        &["status"],
        &["device", "list"],
        &["device", "revoke", HOSTILE, "--reason", "retired"],
        &["device", "rename", HOSTILE, HOSTILE],
        &["device", "rename", "nobody\u{1b}[2J", HOSTILE],
        &["security"],
        &["sync"],
        &["export", "--format", "bitwarden-json", "-o", &format!("{file}.json"), "--yes", "--vault", HOSTILE],
        &["import", &format!("{file}.json"), "--format", "bitwarden-json", "--vault", HOSTILE],
        &["import", &format!("{file}.missing"), "--format", "bitwarden-json"],
        &["import", file, "--format", "bitwarden-json", "--vault", HOSTILE],
        &["evidence", "verify", file],
        &["signin", "--kit", file],
    ] {
        show(arguments);
    }
}

#[test]
fn a55_a_command_line_that_is_not_understood_is_repeated_as_text() {
    let machine = Machine::new();
    for arguments in [
        &[HOSTILE][..],
        &["list", HOSTILE],
        &["list", &format!("--{HOSTILE}")],
        &["signup", "--server", HOSTILE],
        &["unlock", "--minutes", HOSTILE],
        &["add", "--title", "x", "--kind", HOSTILE],
        &["join", HOSTILE],
        &["list", "--profile", HOSTILE],
    ] {
        shown(&machine, arguments, &[]);
    }
}

#[test]
fn a55_a_question_about_an_item_is_text() {
    let (_server, machine) = account();
    machine.json("laptop", &["add", "--title", HOSTILE]);
    let id = machine.json("laptop", &["list"])["items"][0]["id"].as_str().unwrap().to_owned();
    let mut terminal = Terminal::open(&machine, "");
    terminal.start(&format!("--profile laptop --offline rm {id} --purge"));
    terminal.answer("Password: ", PASSWORD);
    let asked = terminal.answer("[y/N] ", "n");
    let question = asked.lines().find(|line| line.starts_with("Remove \"a")).unwrap();
    assert!(is_plain(question) && question.contains("lockstep: FORGED Password: FORGED"), "{asked:?}");
    let (said, code) = terminal.ended();
    assert!(code == 1 && !said.contains("\u{202e}"), "{said}");
    terminal
        .start(&format!("--profile laptop --offline edit {id} --set \"custom:$(printf 'x\\033[2Jy')=1\""));
    terminal.answer("Password: ", PASSWORD);
    assert_eq!(terminal.ended().1, 0);
    terminal
        .start(&format!("--profile laptop --offline edit {id} --secret \"custom:$(printf 'x\\033[2Jy')\""));
    terminal.answer("Password: ", PASSWORD);
    let asked = terminal.answer("Value of ", "1");
    assert!(!asked.contains("\u{1b}[2J"), "{asked:?}");
    let (said, code) = terminal.ended();
    assert!(code == 0 && said.contains("x\u{fffd}[2Jy") && !said.contains("\u{1b}[2J"), "{said:?}");
}

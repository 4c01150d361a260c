//! Everything of an account leaves in one archive, and is the same in another account on another server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockstep_client::item::merge::merge;
use lockstep_client::item::{Author, Document, Draft};
use lockstep_client::proto::ids::{DeviceId, ItemId, VaultId};
use lockstep_formats::archive::{Archive, ArchivedVault, Passphrase, WorkFactor, open, seal};
use serde_json::Value as Json;

use super::programs::{PASSWORD, program};
use super::{Machine, Outcome, ServerProcess};

const PASSPHRASE: &str = "seven random words are a passphrase";

/// The documents of an archive, by the names of its vaults and the items' ids.
type Content = BTreeMap<String, BTreeMap<ItemId, Vec<u8>>>;

fn at(now_ms: u64, device: u8) -> Author {
    Author { now_ms, device: DeviceId([device; 16]) }
}

fn edited(document: &Document, author: Author, field: &str, value: &str) -> Document {
    let mut document = document.clone();
    document.edit(author).set(field, value).apply().unwrap();
    document
}

/// Two vaults with what a document can have: an unknown kind, histories, a conflict, trash, stamps of no device and of
/// a clock far ahead, and a member of a later version.
fn everything() -> Content {
    let titled =
        |kind: &str, title: &str| Draft::by(kind, at(1_000, 0)).unwrap().set("name", title).build().unwrap();
    let ship = edited(&titled("spaceship", "Odd"), at(1 << 47, 9), "warp/core", "anti-matter");
    let post = (0..30).fold(titled("login", "Post"), |post, round| {
        edited(&post, at(2_000, 1), "password", &format!("password {round}"))
    });
    let bank = titled("login", "Bank");
    let apart =
        [edited(&bank, at(3_000, 1), "password", "here"), edited(&bank, at(3_000, 2), "password", "there")];
    let mut trashed = titled("note", "Old");
    trashed.edit(at(4_000, 3)).trash().apply().unwrap();
    let home = [ship.to_bytes(), post.to_bytes(), merge(&apart[0], &apart[1]).to_bytes(), trashed.to_bytes()];
    let work = [of_a_later_version(), titled("wifi", "Office").to_bytes()];
    let ids = |from: u8| (from..).map(|number| ItemId::from_random([number; 16]));
    [("Personal".to_owned(), ids(1).zip(home).collect()), ("Work".to_owned(), ids(7).zip(work).collect())]
        .into()
}

/// The frozen document with a member that this version does not know.
fn of_a_later_version() -> Vec<u8> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/vectors/document.json");
    let file: Json = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let mut cases = file["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["name"] == "a member of a later protocol").unwrap();
    let hex = case["bytes"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
}

/// An archive as another program could make it, cheap to open.
fn made(machine: &Machine, name: &str, content: &Content) -> PathBuf {
    let vaults = content.iter().zip(1..).map(|((name, items), number)| {
        let items = items.iter().map(|(id, document)| (*id, document.as_slice())).collect();
        (VaultId([number; 32]), ArchivedVault { name, items })
    });
    let archive = Archive { made_ms: 1_700_000_000_000, vaults: vaults.collect() };
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let file = seal(&archive.to_bytes().unwrap(), &passphrase, WorkFactor::new(1).unwrap()).unwrap();
    let path = machine.path(name);
    std::fs::write(&path, file).unwrap();
    path
}

fn content(file: &[u8]) -> Content {
    let opened = open(file, &Passphrase::new(PASSPHRASE).unwrap()).unwrap();
    let vaults = Archive::from_bytes(&opened).unwrap().vaults.into_values();
    let owned =
        |vault: &ArchivedVault<'_>| vault.items.iter().map(|(id, bytes)| (*id, bytes.to_vec())).collect();
    vaults.map(|vault| (vault.name.to_owned(), owned(&vault))).collect()
}

fn export(machine: &Machine, name: &str) -> Outcome {
    let path = machine.path(name);
    let arguments = ["export", "--format", "lockstep", "--passphrase-fd", "0", "-o", path.to_str().unwrap()];
    machine.run_with("laptop", &arguments, &[PASSWORD, PASSPHRASE])
}

fn import_with(machine: &Machine, file: &Path, more: &[&str], passphrase: &str) -> Outcome {
    let arguments = ["import", file.to_str().unwrap(), "--format", "lockstep", "--passphrase-fd", "0"];
    machine.run_with("laptop", &[&arguments, more].concat(), &[passphrase])
}

/// Also where that makes new vaults.
fn import_all(machine: &Machine, file: &Path) -> Outcome {
    import_with(machine, file, &["--yes"], PASSPHRASE)
}

fn import(machine: &Machine, file: &Path) -> Outcome {
    import_with(machine, file, &[], PASSPHRASE)
}

fn counts(imported: &Json) -> [u64; 5] {
    ["created", "changed", "unchanged", "brought_back", "left_out"]
        .map(|name| imported[name].as_u64().unwrap())
}

#[test]
fn an_account_moves_to_another_server_and_nothing_of_it_is_lost() {
    let (old, new) = (ServerProcess::start(), ServerProcess::start());
    let (before, after) = (Machine::new(), Machine::new());
    before.sign_up("laptop", old.url());
    before.json("laptop", &["unlock", "--minutes", "10"]);
    let first = import_all(&before, &made(&before, "first.age", &everything())).ends(5).json();
    assert_eq!(counts(&first), [6, 0, 0, 0, 0], "{first}");
    assert_eq!(first["vaults"][0]["new"], false, "its own vault has the name: {first}");
    assert_eq!(first["vaults"][1]["new"], true, "{first}");
    assert_eq!(first["conflicts"][0]["title"], "Bank", "{first}");
    before.json("laptop", &["edit", "Post", "--username", "anna"]);
    before.json("laptop", &["add", "--title", "Shop", "--vault", "Personal", "--offline"]);
    let written = export(&before, "everything.age").done().json();
    assert_eq!((&written["items"], &written["pending"]), (&7.into(), &1.into()), "{written}");
    assert_eq!(written["not_opened"], serde_json::json!([]));
    let file = before.path("everything.age");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let whole = content(&std::fs::read(&file).unwrap());
    for (vault, items) in everything() {
        let kept = items.iter().filter(|(id, bytes)| whole[&vault].get(id) == Some(bytes)).count();
        let edits = usize::from(vault == "Personal");
        assert_eq!(kept, items.len() - edits, "{vault}: byte for byte but the one that was edited");
    }

    after.sign_up("laptop", new.url());
    after.json("laptop", &["unlock", "--minutes", "10"]);
    let cheap = made(&after, "everything.age", &whole);
    let unasked = import(&after, &cheap).ends(2);
    assert!(unasked.out.contains("no vault \\\"Work\\\"") && unasked.failure() == "usage", "{unasked:?}");
    assert!(after.titles("laptop").is_empty());
    let moved = import_all(&after, &cheap).ends(5).json();
    assert_eq!(counts(&moved), [7, 0, 0, 0, 0], "{moved}");
    assert_eq!(moved["sync"]["state"], "done", "{moved}");
    export(&after, "again.age").done();
    assert_eq!(
        content(&std::fs::read(after.path("again.age")).unwrap()),
        whole,
        "an archive is the identity"
    );
    assert_eq!(after.json("laptop", &["conflicts"])["conflicts"].as_array().unwrap().len(), 1);

    importing_again_changes_nothing(&after, &cheap);
    what_was_done_since_stays(&after, &cheap);
    files_that_do_not_open_change_nothing(&after, &cheap);
    before.json("laptop", &["lock"]);
    after.json("laptop", &["lock"]);
}

fn importing_again_changes_nothing(machine: &Machine, file: &Path) {
    let again = import(machine, file).done().json();
    assert_eq!(counts(&again), [0, 0, 7, 0, 0], "{again}");
    assert_eq!((&again["sync"]["pushed"], &again["sync"]["state"]), (&0.into(), &"done".into()), "{again}");
}

fn what_was_done_since_stays(machine: &Machine, file: &Path) {
    machine.json("laptop", &["edit", "Post", "--username", "bert"]);
    machine.json("laptop", &["restore", "Old"]);
    machine.json("laptop", &["conflicts", "resolve", "Bank", "password", "--keep", "1"]);
    machine.sign_in("phone");
    machine.json("phone", &["rm", "Office"]);
    machine.json("phone", &["rm", "Office", "--purge", "--yes"]);
    let older = import(machine, file).done().json();
    assert_eq!(
        counts(&older),
        [1, 0, 6, 1, 0],
        "what was purged elsewhere comes back, and nothing else happens: {older}"
    );
    assert_eq!(machine.json("laptop", &["get", "Post", "--field", "username"])["value"], "bert");
    assert_eq!(machine.json("laptop", &["get", "Old"])["trashed"], false);
    assert_eq!(machine.json("laptop", &["conflicts"])["conflicts"], serde_json::json!([]));
    assert!(machine.titles("laptop").contains(&"Office".to_owned()));
}

fn files_that_do_not_open_change_nothing(machine: &Machine, file: &Path) {
    let before = machine.json("laptop", &["status"]);
    assert_eq!(import_with(machine, file, &[], "another").ends(3).failure(), "wrong-passphrase");
    assert_eq!(import_with(machine, file, &[], "").ends(2).failure(), "usage");
    let whole = std::fs::read(file).unwrap();
    let broken = machine.path("broken.age");
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bytes in [&whole[..whole.len() - 1], &whole[..100], b"", b"{\"items\":[]}", &changed] {
        std::fs::write(&broken, bytes).unwrap();
        assert_eq!(import(machine, &broken).ends(1).failure(), "import", "{} bytes", bytes.len());
    }
    assert_eq!(import(machine, &machine.path("nowhere")).ends(1).failure(), "file");
    let not_sealed = ["import", file.to_str().unwrap(), "--format", "bitwarden-json", "--passphrase-fd", "0"];
    assert_eq!(machine.run_with("laptop", &not_sealed, &[PASSPHRASE]).ends(2).failure(), "usage");
    assert_eq!(machine.json("laptop", &["status"])["vaults"], before["vaults"]);
}

#[test]
fn what_has_no_place_or_does_not_fit_is_named_and_the_rest_comes_in() {
    let mut server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    let file = made(&machine, "two.age", &everything());
    let offline = import_with(&machine, &file, &["--offline"], PASSPHRASE).ends(1);
    assert_eq!(offline.failure(), "no-vault");
    assert!(offline.out.contains("Work"), "{offline:?}");
    assert!(machine.titles("laptop").is_empty());
    let told = import_with(&machine, &file, &["--offline", "--vault", "Personal"], PASSPHRASE).ends(5).json();
    assert_eq!(counts(&told), [6, 0, 0, 0, 0], "{told}");
    assert_eq!(told["sync"]["state"], "skipped", "{told}");

    let vault = |items: Vec<(u8, Vec<u8>)>| -> Content {
        let items = items.into_iter().map(|(number, bytes)| (ItemId::from_random([number; 16]), bytes));
        [("Personal".to_owned(), items.collect())].into()
    };
    let fine = Draft::by("note", at(5, 1)).unwrap().set("name", "Fine").build().unwrap().to_bytes();
    let here = vault(vec![(20, large("here").to_bytes())]);
    import(&machine, &made(&machine, "here.age", &here)).done();
    let there =
        vault(vec![(20, large("there").to_bytes()), (21, b"of a later version".to_vec()), (22, fine)]);
    let partly = import(&machine, &made(&machine, "there.age", &there)).ends(1).json();
    assert_eq!(counts(&partly), [1, 0, 0, 0, 2], "{partly}");
    let problems = partly["problems"].as_array().unwrap();
    let ids: Vec<_> =
        problems.iter().map(|problem| problem["id"].as_str().unwrap()[..2].to_owned()).collect();
    assert_eq!(ids, ["14", "15"], "{partly}");
    assert!(machine.titles("laptop").contains(&"Fine".to_owned()));

    server.kill();
    let away = import_all(&machine, &file).ends(4);
    assert_eq!(away.failure(), "server-unreachable");
    assert!(away.out.contains("Nothing was imported."), "{away:?}");
    let kept = import_with(&machine, &file, &["--vault", "Personal"], PASSPHRASE).done().json();
    assert_eq!((counts(&kept), &kept["sync"]["state"]), ([0, 0, 6, 0, 0], &"later".into()), "{kept}");
    machine.json("laptop", &["lock"]);
}

/// Four fields of this name, full, each with a history that is full.
fn large(name: &str) -> Document {
    let mut document = Draft::by("note", at(5, 1)).unwrap().set("name", name).build().unwrap();
    for round in ["a", "b"] {
        let mut edit = document.edit(at(6, 1));
        for number in 0..4 {
            edit = edit.set(format!("{name}{number}"), round.repeat(65_400));
        }
        edit.apply().unwrap();
    }
    document
}

#[test]
fn an_archive_is_written_whole_into_a_new_file_or_not_at_all() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    let taken = machine.path("taken.age");
    std::fs::write(&taken, "mine").unwrap();
    assert_eq!(export(&machine, "taken.age").ends(1).failure(), "file");
    assert_eq!(export(&machine, "no/folder.age").ends(1).failure(), "file");
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    let refused = |arguments: &[&str], lines: &[&str]| {
        let arguments = [&["export", "--format", "lockstep"], arguments].concat();
        machine.run_with("laptop", &arguments, lines).ends(2).failure()
    };
    let path = machine.path("new.age");
    let new = ["--passphrase-fd", "0", "-o", path.to_str().unwrap()];
    assert_eq!(refused(&new, &[PASSWORD, ""]), "usage");
    assert_eq!(refused(&new[2..], &[PASSWORD]), "usage");
    assert_eq!(refused(&new[..2], &[PASSWORD, PASSPHRASE]), "usage");
    assert!(!path.exists());
    to_standard_output(&machine);
    machine.json("laptop", &["lock"]);
}

/// Without `--json` an archive may go to standard output.
fn to_standard_output(machine: &Machine) {
    let run = |out: Stdio| {
        let mut command = Command::new(program("lockstep"));
        command.env_clear().env("LOCKSTEP_HOME", machine.path("home"));
        command.args(["--profile", "laptop", "--password-fd", "0", "export", "--format", "lockstep"]);
        command.args(["--passphrase-fd", "0"]).stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{PASSWORD}\n{PASSPHRASE}").unwrap();
        child.wait_with_output().unwrap()
    };
    let whole = run(Stdio::piped());
    assert!(whole.status.success(), "{whole:?}");
    assert_eq!(content(&whole.stdout)["Personal"].len(), 1);
    assert!(String::from_utf8(whole.stderr).unwrap().contains("1 item of 1 vault"));
    let full = run(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1), "{full:?}");
    assert!(String::from_utf8(full.stderr).unwrap().contains("could not be written whole"));
}

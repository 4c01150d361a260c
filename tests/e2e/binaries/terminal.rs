//! Questions on a real terminal.

use std::os::unix::fs::PermissionsExt as _;

use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\ntouch canary\n-----END OPENSSH PRIVATE KEY-----";

fn field(machine: &Machine, item: &str, name: &str) -> serde_json::Value {
    machine.json("laptop", &["get", "--offline", item, "--field", name])["value"].clone()
}

fn machine() -> (ServerProcess, Machine) {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank"]);
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    (server, machine)
}

#[test]
fn what_is_typed_or_pasted_is_kept_whole_or_refused_and_never_runs() {
    let (_server, machine) = machine();
    let mut terminal = Terminal::open(&machine, "");
    lines_are_taken_up_to_their_end_mark(&machine, &mut terminal);
    several_lines_for_one_are_refused(&machine, &mut terminal);
    one_line_is_taken_as_typed(&machine, &mut terminal);
    questions_are_answered_by_what_is_typed_at_them(&machine, &mut terminal);
    assert!(!machine.path("canary").exists(), "a pasted line ran in the shell");
    machine.json("laptop", &["lock"]);
    machine.json("laptop", &["list", "--offline"]);
    terminal.ask("list", "Password: ");
    terminal.type_in(&format!("{PASSWORD}\n"));
    let (said, code) = terminal.ended();
    assert!(code == 0 && said.contains("Bank") && !said.contains(PASSWORD), "{said}");
}

fn lines_are_taken_up_to_their_end_mark(machine: &Machine, terminal: &mut Terminal) {
    let end = "Ctrl-D: ";
    terminal.ask("add --kind ssh-key --title key --secret private-key", end);
    terminal.type_in(&format!("{KEY}\n.\n"));
    let (said, code) = terminal.ended();
    assert!(code == 0 && !said.contains("BEGIN"), "{said}");
    assert_eq!(field(machine, "key", "private-key"), KEY);

    terminal.ask("edit key --secret notes", end);
    terminal.paste("one\n.\ntouch canary\n");
    terminal.type_in("\u{4}");
    assert_eq!(terminal.ended().1, 0);
    assert_eq!(field(machine, "key", "notes"), "one\n.\ntouch canary");

    // A terminal that does not mark what is pasted, and a paste that holds the end mark.
    terminal.ask("edit key --secret notes", end);
    terminal.type_in("two\n.\ntouch canary\n");
    let (said, code) = terminal.ended();
    assert!(code == 2 && said.contains("More followed") && said.contains("VISUAL or EDITOR"), "{said}");
    terminal.ask("edit key --secret notes", end);
    terminal.type_in(".\n");
    let (said, code) = terminal.ended();
    assert!(code == 2 && said.contains("--clear notes"), "{said}");
    assert_eq!(field(machine, "key", "notes"), "one\n.\ntouch canary");
}

fn several_lines_for_one_are_refused(machine: &Machine, terminal: &mut Terminal) {
    let before = machine.json("laptop", &["get", "--offline", "Bank", "--reveal"]);
    let lines = "hunter2\ntouch canary\n";
    terminal.ask("edit Bank --secret password", "password: ");
    terminal.type_in(lines);
    let (said, code) = terminal.ended();
    assert!(code == 2 && said.contains("Several lines") && !said.contains("hunter2"), "{said}");
    terminal.ask("edit Bank --secret password", "password: ");
    terminal.paste(lines);
    assert_eq!(terminal.ended().1, 2);
    for nothing in ["\n", "\u{3}", "half\u{3}", "\u{4}"] {
        terminal.ask("edit Bank --secret password", "password: ");
        terminal.type_in(nothing);
        assert!([1, 2].contains(&terminal.ended().1), "{nothing:?}");
    }
    assert_eq!(machine.json("laptop", &["get", "--offline", "Bank", "--reveal"]), before);
}

fn one_line_is_taken_as_typed(machine: &Machine, terminal: &mut Terminal) {
    // The kernel's own line editing would keep 4,095 bytes of it.
    let long = "ö€".repeat(2_000);
    terminal.ask("edit Bank --secret password", "password: ");
    terminal.type_in(&format!("{long}x\u{7f}\n"));
    assert_eq!(terminal.ended().1, 0);
    assert_eq!(field(machine, "Bank", "password"), long.as_str());
    terminal.ask("edit Bank --secret password", "password: ");
    terminal.paste(" with blanks \n");
    terminal.type_in("\n");
    assert_eq!(terminal.ended().1, 0);
    assert_eq!(field(machine, "Bank", "password"), " with blanks ");
}

fn questions_are_answered_by_what_is_typed_at_them(machine: &Machine, terminal: &mut Terminal) {
    machine.json("laptop", &["add", "--offline", "--title", "Old"]);
    for (answer, code) in [("n\ny\n", 2), ("x\n", 1), ("\u{4}", 1)] {
        terminal.ask("rm Old --purge", "[y/N] ");
        terminal.type_in(answer);
        let (said, ended) = terminal.ended();
        assert!(ended == code && said.contains("nothing was removed"), "{said}");
        assert!(machine.titles("laptop").contains(&"Old".to_owned()));
    }
    terminal.ask("rm Old --purge", "[y/N] ");
    terminal.type_in("Yes\n");
    assert_eq!(terminal.ended().1, 0);
    assert!(!machine.titles("laptop").contains(&"Old".to_owned()));
}

#[test]
fn an_editor_takes_values_of_many_lines_and_leaves_nothing_behind() {
    let (_server, machine) = machine();
    let script = |text: &str| {
        let path = machine.path("editor");
        std::fs::write(&path, format!("#!/bin/sh\necho \"$1\" > seen; cat \"$1\" >> seen\n{text}\n"))
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    let seen = || {
        let seen = std::fs::read_to_string(machine.path("seen")).unwrap();
        let (file, text) = seen.split_once('\n').unwrap();
        assert!(!std::path::Path::new(file).parent().unwrap().exists(), "{file} is still there");
        text.to_owned()
    };
    let mut terminal = Terminal::open(&machine, "./editor");
    let mut edit = |text: &str| {
        script(text);
        terminal.type_in("\"$LOCKSTEP\" --profile laptop --offline edit Bank --secret notes\n");
        terminal.ended()
    };
    assert_eq!(edit("printf 'one\\ntwo\\n' > \"$1\"").1, 0);
    assert_eq!((seen(), field(&machine, "Bank", "notes")), (String::new(), "one\ntwo".into()));
    assert_eq!(edit("echo three >> \"$1\"").1, 0);
    assert_eq!((seen(), field(&machine, "Bank", "notes")), ("one\ntwo".into(), "one\ntwothree".into()));
    for (text, code, told) in [
        ("printf broken > \"$1\"; exit 7", 1, "nothing was changed"),
        // Ctrl-C: editor and program alike.
        ("printf broken > \"$1\"; kill -INT 0", 1, "nothing was changed"),
        (": > \"$1\"", 2, "--clear notes"),
        ("head -c 262145 /dev/zero | tr '\\0' x > \"$1\"", 2, "262144 bytes"),
    ] {
        let (said, ended) = edit(text);
        assert!(ended == code && said.contains(told), "{text}: {said}");
        seen();
    }
    // Ctrl-C in the second of two editors.
    script(
        "if [ -e again ]; then printf second > \"$1\"; kill -INT 0; fi\ntouch again; printf first > \"$1\"",
    );
    terminal
        .type_in("\"$LOCKSTEP\" --profile laptop --offline edit Bank --secret notes --secret description\n");
    let (said, ended) = terminal.ended();
    assert!(ended == 1 && said.contains("nothing was changed"), "{said}");
    seen();
    assert_eq!(field(&machine, "Bank", "notes"), "one\ntwothree");
    machine.json("laptop", &["lock"]);
}

//! A server that was restored from a copy of its files and used since: `sync` says so, `heal` asks and joins.

use std::path::Path;

use lockstep_tests::Backend;

use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn two_histories_become_one_when_a_person_says_so() {
    if Backend::chosen() == Some(Backend::Postgres) {
        // This story copies files; `joins` restores dumps.
        return;
    }
    let mut server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Both", "--username", "anna"]);
    machine.sign_in("phone");
    machine.json("laptop", &["sync"]);
    machine.json("phone", &["sync"]);
    let nothing = machine.json("laptop", &["heal"]);
    assert_eq!(
        (nothing["accepted"].as_bool(), nothing["histories"].as_array().map(Vec::len)),
        (Some(false), Some(0))
    );

    let (data, backup) = (server.data(), machine.path("backup"));
    server.kill();
    copy(&data, &backup);
    server.start_again();
    machine.json("laptop", &["add", "--title", "Only on the laptop"]);
    server.kill();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    server.start_again();
    machine.json("phone", &["add", "--title", "Only on the phone"]);

    let fork = machine.run("laptop", &["sync"]).ends(6);
    let message = fork.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(fork.failure() == "fork" && message.contains("lockstep heal"), "{message}");
    assert_eq!(machine.titles("laptop"), ["Both", "Only on the laptop"]);
    let shown = machine.json("laptop", &["heal", "--show"]);
    assert_eq!(shown["histories"][0]["own"]["commits"], 1);
    assert_eq!(shown["histories"][0]["server"]["commits"], 1);

    // Without an answer, or with another password, nothing happens.
    let wrong = machine.run_with("laptop", &["heal", "--yes"], &["wrong"]).ends(3);
    assert_eq!(wrong.failure(), "wrong-password");
    machine.run("laptop", &["sync"]).ends(6);
    assert_eq!(machine.run("laptop", &["heal", "--offline"]).ends(2).failure(), "usage");

    // Whether the server was restored only somebody who looks can tell.
    let unasked = machine.run("laptop", &["heal", "--yes"]).ends(2);
    assert_eq!(unasked.failure(), "usage");
    assert!(unasked.out.contains("--yes is no answer to this"), "{unasked:?}");
    machine.run("laptop", &["sync"]).ends(6);
    let mut terminal = Terminal::open(&machine, "");
    terminal.start("--profile laptop --yes heal");
    terminal.answer("Password: ", PASSWORD);
    terminal.answer("Was the server restored from a backup, and went on from there? [y/N] ", "y");
    let (healed, code) = terminal.ended();
    assert!(code == 0 && healed.contains("Your vaults go on from what the server has."), "{healed}");
    assert!(healed.contains("A vault goes on from what the server had"), "{healed}");
    let all = ["Both", "Only on the laptop", "Only on the phone"];
    machine.json("phone", &["sync"]);
    assert_eq!(
        (machine.titles("laptop"), machine.titles("phone")),
        (all.map(String::from).into(), all.map(String::from).into())
    );
    let events = machine.json("laptop", &["security"]);
    let whats: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|event| event["what"].clone()).collect();
    assert!(whats.contains(&"fork".into()) && whats.contains(&"history-accepted".into()), "{whats:?}");
    // What proves the fork stays.
    let file = machine.path("evidence");
    machine.json("laptop", &["evidence", "export", file.to_str().unwrap()]);
}

//! Processes killed at the worst moment: nothing is lost, nothing is there twice.

use super::gate::Gate;
use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

fn status(machine: &Machine, profile: &str) -> (u64, u64) {
    let status = machine.json(profile, &["status"]);
    (status["pending"].as_u64().unwrap(), status["vaults"][0]["seq"].as_u64().unwrap())
}

#[test]
fn a_kill_between_commit_and_acknowledgement_loses_and_doubles_nothing() {
    let mut server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = Machine::new();
    machine.sign_up("laptop", gate.url());
    let (pending, before) = status(&machine, "laptop");
    assert_eq!(pending, 0);

    machine.json("laptop", &["add", "--offline", "--title", "Written before the kill"]);
    gate.arm();
    let mut sync = machine.start("laptop", &["sync"], &[PASSWORD]);
    gate.wait();
    sync.kill().unwrap();
    sync.wait().unwrap();
    gate.cut();
    assert_eq!(status(&machine, "laptop"), (1, before));
    let synced = machine.json("laptop", &["sync"]);
    assert_eq!(synced["state"], "done", "{synced}");
    assert_eq!(status(&machine, "laptop"), (0, before + 1));

    machine.json("laptop", &["add", "--offline", "--title", "Written before the restart"]);
    gate.arm();
    let sync = machine.start("laptop", &["sync"], &[PASSWORD]);
    gate.wait();
    server.kill();
    gate.cut();
    let interrupted = sync.wait_with_output().unwrap();
    assert!(interrupted.status.code() == Some(4), "{interrupted:?}");
    server.start_again();
    for _ in 0..3 {
        machine.json("laptop", &["sync"]);
        assert_eq!(status(&machine, "laptop"), (0, before + 2));
    }

    machine.sign_in("phone");
    let titles = ["Written before the kill", "Written before the restart"];
    assert_eq!(
        (machine.titles("laptop"), machine.titles("phone")),
        (titles.map(str::to_owned).into(), titles.map(str::to_owned).into())
    );
}

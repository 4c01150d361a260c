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
    gate.arm("/commits");
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
    gate.arm("/commits");
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

#[test]
fn a_kill_amid_sign_up_and_sign_in_leaves_profiles_that_can_go_on() {
    let server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = Machine::new();
    let papers = machine.path("papers");
    let sign_up = ["signup", "--server", gate.url(), "--kit-dir", papers.to_str().unwrap()];
    let killed_at = |path: &'static str, profile: &str, arguments: &[&str]| {
        gate.arm(path);
        let mut child = machine.start(profile, arguments, &[PASSWORD]);
        gate.wait();
        child.kill().unwrap();
        child.wait().unwrap();
        gate.cut();
    };

    killed_at("signup/finish", "laptop", &sign_up);
    assert_eq!(machine.run("laptop", &["list"]).ends(1).failure(), "unfinished");
    let wrong = machine.run_with("laptop", &sign_up, &["wrong password"]).ends(3);
    assert_eq!(wrong.failure(), "wrong-password");
    killed_at("/vaults", "laptop", &sign_up);
    assert!(machine.kit().is_file());
    let again = ["signup", "--kit-dir", papers.join("unused").to_str().unwrap()].map(str::to_owned);
    machine.json("laptop", &again.each_ref().map(String::as_str));
    machine.json("laptop", &["add", "--title", "Bank"]);

    let kit = machine.kit();
    let sign_in = ["signin", "--yes", "--kit", kit.to_str().unwrap()];
    killed_at("account/links", "phone", &sign_in);
    assert_eq!(machine.run("phone", &["list"]).ends(1).failure(), "unfinished");
    machine.json("phone", &sign_in);
    assert_eq!(machine.titles("phone"), ["Bank"]);
    let devices = machine.json("phone", &["status"])["devices"].as_array().unwrap().len();
    assert_eq!(devices, 2);
}

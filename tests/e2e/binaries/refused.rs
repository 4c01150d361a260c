//! What goes wrong is told with a code and a sentence, and loses nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use lockstep_crypto::kit::EmergencyKit;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::AccountId;

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

#[test]
fn wrong_credentials_and_broken_servers_lose_nothing() {
    let mut server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);

    wrong_credentials(&machine);
    without_a_terminal_secrets_are_not_asked_for(&machine);
    server.kill();
    without_the_server(&machine);
    with_a_server_that_talks_nonsense(&machine, &server.address());

    server.start_again();
    let synced = machine.json("laptop", &["sync"]);
    assert_eq!((&synced["state"], &synced["pushed"]), (&"done".into(), &1.into()), "{synced}");
    assert_eq!(machine.sign_in("phone")["items"], 2);
    assert_eq!(machine.titles("phone"), ["Bank", "Written offline"]);
}

fn wrong_credentials(machine: &Machine) {
    let wrong = machine.run_with("laptop", &["list"], &["wrong password"]).ends(3);
    assert_eq!(wrong.failure(), "wrong-password");
    let kit = machine.kit();
    let sign_in = ["signin", "--yes", "--kit", kit.to_str().unwrap()];
    let wrong = machine.run_with("phone", &sign_in, &["wrong password"]).ends(3);
    assert_eq!(wrong.failure(), "signin-refused");

    let changed = |change: &dyn Fn(&mut EmergencyKit)| {
        let mut kit = EmergencyKit::parse(&std::fs::read_to_string(machine.kit()).unwrap()).unwrap();
        change(&mut kit);
        let path = machine.path("changed-kit.txt");
        std::fs::write(&path, kit.expose_text().as_bytes()).unwrap();
        machine.run("phone", &["signin", "--yes", "--kit", path.to_str().unwrap()]).ends(3).failure()
    };
    assert_eq!(changed(&|kit| kit.secret_key = SecretKey::from_bytes([7; 16])), "signin-refused");
    assert_eq!(changed(&|kit| kit.account_id = AccountId([7; 32])), "signin-refused");

    let text = std::fs::read_to_string(machine.kit()).unwrap().replace("LS1-", "LS1-0");
    std::fs::write(machine.path("typo.txt"), text).unwrap();
    let typo = machine.path("typo.txt");
    machine.run("phone", &["signin", "--yes", "--kit", typo.to_str().unwrap()]).ends(2).failure();
}

fn without_a_terminal_secrets_are_not_asked_for(machine: &Machine) {
    let refused = machine.run_with("laptop", &["edit", "Bank", "--set", "password=hunter2"], &[]).ends(2);
    assert_eq!(refused.failure(), "usage");
    let lines = [PASSWORD, "a new secret"];
    machine.run_with("laptop", &["edit", "Bank", "--secret", "password=0"], &lines).done();
    let shown = machine.run("laptop", &["get", "Bank"]).done();
    assert!(!shown.out.contains("a new secret"));
    assert_eq!(machine.json("laptop", &["get", "Bank", "--field", "password"])["value"], "a new secret");
}

fn without_the_server(machine: &Machine) {
    let added = machine.json("laptop", &["add", "--title", "Written offline"]);
    assert_eq!(added["sync"]["state"], "later", "{added}");
    let away = machine.run("laptop", &["sync"]).ends(4);
    assert_eq!(away.failure(), "server-unreachable");
    assert_eq!(machine.json("laptop", &["status"])["pending"], 1);
    let kit = machine.kit();
    let away = machine.run("phone", &["signin", "--yes", "--kit", kit.to_str().unwrap()]).ends(4);
    assert_eq!(away.failure(), "server-unreachable");
}

/// Something else answers at the server's address, in four ways.
fn with_a_server_that_talks_nonsense(machine: &Machine, address: &str) {
    const ANSWERS: [&str; 4] = [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
        "HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\ncontent-length: 3\r\nconnection: close\r\n\r\n\u{1}\u{2}\u{3}",
    ];
    for answer in ANSWERS {
        let listener = TcpListener::bind(address).unwrap();
        let stop = listener.local_addr().unwrap();
        let nonsense = std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4_096];
                let count = stream.read(&mut request).unwrap_or(0);
                if request[..count].starts_with(b"stop") {
                    return;
                }
                // The client may have gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let refused = machine.run("laptop", &["sync"]).ends(4);
        assert!(!refused.failure().is_empty());
        std::net::TcpStream::connect(stop).unwrap().write_all(b"stop").unwrap();
        nonsense.join().unwrap();
        let status = machine.json("laptop", &["status"]);
        assert_eq!((&status["pending"], &status["vaults"][0]["items"]), (&1.into(), &2.into()));
    }
}

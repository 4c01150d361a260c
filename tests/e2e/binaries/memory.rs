//! How often a secret stands in the memory of a program that waits for somebody, whole, wherever: in use or left behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use lockstep_crypto::kit::EmergencyKit;
use sha2::{Digest as _, Sha512};

use super::gate::Gate;
use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

/// How often each of these stands in what the process can write to; `None` where the system lets nobody look.
fn copies(process: &str, secrets: &Secrets) -> Option<BTreeMap<&'static str, usize>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut found: BTreeMap<_, _> = secrets.0.iter().map(|(name, _)| (*name, 0)).collect();
    let writable = maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw"));
    for (start, end) in writable.map(|line| line.split(' ').next().unwrap().split_once('-').unwrap()) {
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(address(end) - address(start)).unwrap()];
        // Some of what the kernel maps cannot be read.
        if memory.read_exact_at(&mut bytes, address(start)).is_ok() {
            for (name, secret) in &secrets.0 {
                let copies = bytes.windows(secret.len()).filter(|window| window == secret).count();
                *found.get_mut(name).unwrap() += copies;
            }
        }
    }
    Some(found)
}

/// Asserts that these secrets stand there once each, and the others not at all.
fn assert_once(process: &str, secrets: &Secrets, once: &[&str]) {
    let Some(found) = copies(process, secrets) else {
        eprintln!("NOT MEASURED: this system does not let a process read its child's memory");
        return;
    };
    let expected: BTreeMap<_, _> =
        secrets.0.iter().map(|(name, _)| (*name, usize::from(once.contains(name)))).collect();
    assert_eq!(found, expected);
}

/// The secrets of a profile, by name.
struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    fn of(machine: &Machine, profile: &str) -> Self {
        let kit = EmergencyKit::parse(&std::fs::read_to_string(machine.kit()).unwrap()).unwrap();
        let mut held = vec![
            ("password", PASSWORD.as_bytes().to_vec()),
            ("its hash", Sha512::digest(PASSWORD).to_vec()),
            ("Secret Key", kit.secret_key.expose_bytes().to_vec()),
            ("printed Secret Key", kit.secret_key.expose_text().as_bytes().to_vec()),
        ];
        if let Ok(secret) = std::fs::read(machine.profile(profile).join("local-secret")) {
            held.push(("local secret", secret));
            machine.json(profile, &["unlock", "--minutes", "1"]);
            held.push(("LRK", root_key(&machine.profile(profile).join("agent.sock"))));
            machine.json(profile, &["lock"]);
        }
        Self(held)
    }
}

pub(super) fn root_key(socket: &Path) -> Vec<u8> {
    let mut agent = UnixStream::connect(socket).unwrap();
    agent.write_all(&[1]).unwrap();
    let mut key = vec![0; 32];
    agent.read_exact(&mut key).unwrap();
    key
}

#[test]
fn a_secret_stands_in_memory_once_while_it_is_needed_and_leaves_nothing_behind() {
    let server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = Machine::new();
    machine.sign_up("laptop", gate.url());
    let secrets = Secrets::of(&machine, "laptop");

    // The password came by a descriptor; the device waits for its session.
    gate.arm("/v1/session");
    let mut syncing = machine.start("laptop", &["sync"], &[PASSWORD]);
    gate.wait();
    assert_once(&syncing.id().to_string(), &secrets, &["LRK", "Secret Key"]);
    gate.cut();
    syncing.wait().unwrap();

    // The key came from the process in the background.
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    gate.arm("/v1/session");
    let mut syncing = machine.start("laptop", &["sync"], &[]);
    gate.wait();
    assert_once(&syncing.id().to_string(), &secrets, &["LRK", "Secret Key"]);
    gate.cut();
    syncing.wait().unwrap();
    machine.json("laptop", &["lock"]);

    // It was typed; the device waits for another one.
    let mut terminal = Terminal::open(&machine, "");
    let process = || std::fs::read_to_string(machine.path("pid")).unwrap().trim().to_owned();
    let start = "sh -c 'echo $$ > pid; exec \"$LOCKSTEP\" --profile";
    terminal.type_in(&format!("{start} laptop device pair'\n"));
    terminal.answer("Password: ", PASSWORD);
    terminal.until("Waiting for the new device ...");
    assert_once(&process(), &secrets, &["LRK", "Secret Key"]);
    terminal.type_in("\u{3}");
    terminal.until("shell> ");

    // The Kit was read, and the password is needed once more after the answer.
    terminal.type_in(&format!("{start} phone signin --kit papers/lockstep-emergency-kit.txt'\n"));
    terminal.answer("Password: ", PASSWORD);
    terminal.until("[y/N] ");
    assert_once(&process(), &secrets, &["its hash", "Secret Key"]);
    terminal.type_in("n\n");
    terminal.until("shell> ");
}

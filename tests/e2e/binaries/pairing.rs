//! Pairing through the real binaries, as two people at two screens would, with real key stretching.

use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

/// `lockstep device pair` at a terminal, waiting for a new device.
struct Inviting {
    screen: Terminal,
    shown: String,
}

impl Inviting {
    fn start(machine: &Machine, profile: &str) -> Self {
        let mut screen = Terminal::open(machine, "");
        screen.start(&format!("--yes --profile {profile} device pair"));
        screen.answer("Password: ", PASSWORD);
        let shown = screen.until("Waiting for the new device ...");
        Self { screen, shown }
    }

    /// What stands behind `name` on the screen.
    fn shows(&self, name: &str) -> &str {
        after(&self.shown, name)
    }

    /// The words, once a device has answered, and all that was said up to the question.
    fn asks(&mut self) -> (String, String) {
        asked(&mut self.screen)
    }

    /// Answers, and waits for the end: what was said and the exit code.
    fn says(&mut self, answer: &str) -> (String, i32) {
        self.screen.type_in(&format!("{answer}\n"));
        self.screen.ended()
    }
}

fn after<'a>(shown: &'a str, name: &str) -> &'a str {
    let line = shown.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name:?} is not in {shown}")).trim()
}

fn asked(screen: &mut Terminal) -> (String, String) {
    let shown = screen.until("four words? [y/N] ");
    (after(&shown, "The words here: ").to_owned(), shown)
}

/// `lockstep join` at a terminal, with the link or code typed.
fn joining(machine: &Machine, arguments: &str, question: &str, answer: &str) -> Terminal {
    let mut screen = Terminal::open(machine, "");
    screen.start(&format!("--yes {arguments}"));
    screen.answer(question, answer);
    screen
}

#[test]
fn a_new_device_joins_by_link_or_by_typed_code_and_both_edit() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);

    let mut laptop = Inviting::start(&machine, "laptop");
    assert!(
        laptop.shown.contains("\u{1b}[30;107m") && !laptop.shown.contains('\u{fffd}'),
        "{}",
        laptop.shown
    );
    let link = laptop.shows("Pairing link: ").to_owned();
    let mut phone = joining(&machine, "--profile phone join --device-name phone", "Pairing link: ", &link);
    let (here, said) = asked(&mut phone);
    assert_eq!(after(&said, "This device is about to join account "), format!("{}.", account(&laptop)));
    let (there, said) = laptop.asks();
    assert!(here == there && said.contains("A new device answers: \"phone\"."), "{here}: {said}");
    // `--yes` has answered neither question.
    let (let_in, code) = laptop.says("y");
    assert!(code == 0 && let_in.contains("\"phone\" is now a device of your account"), "{let_in}");
    phone.type_in("y\n");
    phone.answer("Password: ", PASSWORD);
    let (joined, code) = phone.ended();
    assert!(code == 0 && joined.contains("with 1 items") && !joined.contains("freshness"), "{joined}");

    machine.json("phone", &["edit", "Bank", "--username", "of the phone"]);
    machine.json("phone", &["add", "--title", "Mail"]);
    machine.json("laptop", &["sync"]);
    let bank = machine.json("laptop", &["get", "--offline", "Bank"]);
    assert_eq!(bank["fields"]["username"], "of the phone");
    machine.json("laptop", &["edit", "Mail", "--username", "of the laptop"]);

    let mut phone = Inviting::start(&machine, "phone");
    let typed = phone.shows("Pairing code: ").to_lowercase().replace('-', " ");
    let arguments = format!("--profile tablet join --server {} --device-name tablet", server.url());
    let mut tablet = joining(&machine, &arguments, "Pairing code: ", &typed);
    assert_eq!(asked(&mut tablet).0, phone.asks().0);
    tablet.type_in("y\n");
    assert_eq!(phone.says("y").1, 0);
    tablet.answer("Password: ", PASSWORD);
    assert_eq!(tablet.ended().1, 0);
    assert_eq!(machine.titles("tablet"), ["Bank", "Mail"]);
    let mail = machine.json("tablet", &["get", "--offline", "Mail"]);
    assert_eq!(mail["fields"]["username"], "of the laptop");
}

fn account(inviting: &Inviting) -> &str {
    inviting.shows("The account there must be ").trim_end_matches('.')
}

#[test]
fn what_cannot_be_joined_is_said_and_leaves_no_profile() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let by_code = format!("--profile phone join --server {}", server.url());
    let unknown = lockstep_crypto::pairing::PairingCode::from_bytes([1; 10]).expose_text();
    for (arguments, question, typed, code) in [
        ("--profile phone join", "Pairing link: ", "lockstep://elsewhere", 2),
        (by_code.as_str(), "Pairing code: ", "LP1-ABCDE", 2),
        (&by_code, "Pairing code: ", &unknown, 1),
    ] {
        let (said, ended) = joining(&machine, arguments, question, typed).ended();
        assert!(ended == code && said.contains("lockstep: "), "{said}");
    }
    let mut wrong = Terminal::open(&machine, "");
    wrong.start("--profile laptop device pair");
    wrong.answer("Password: ", "guessed");
    assert_eq!(wrong.ended().1, 3);

    // The words are not the same, one of the two says.
    let mut laptop = Inviting::start(&machine, "laptop");
    let link = laptop.shows("Pairing link: ").to_owned();
    let name = "--device-name \"$(printf 'x\\033[2J\\nlockstep: FORGED')\"";
    let mut phone = joining(&machine, &format!("--profile phone join {name}"), "Pairing link: ", &link);
    asked(&mut phone);
    let (_, asked_there) = laptop.asks();
    assert!(asked_there.contains("\"x\u{fffd}[2J lockstep: FORGED\"."), "{asked_there:?}");
    let (said, code) = laptop.says("n");
    assert!(code == 1 && said.contains("the new device was not let in and got nothing"), "{said}");
    phone.type_in("n\n");
    let (said, code) = phone.ended();
    assert!(code == 1 && said.contains("this device did not join"), "{said}");

    // The password of another account.
    let mut laptop = Inviting::start(&machine, "laptop");
    let link = laptop.shows("Pairing link: ").to_owned();
    let mut phone = joining(&machine, "--profile phone join", "Pairing link: ", &link);
    asked(&mut phone);
    laptop.asks();
    phone.type_in("y\n");
    assert_eq!(laptop.says("y").1, 0);
    for _ in 0..3 {
        phone.answer("Password: ", "another password");
    }
    assert_eq!(phone.ended().1, 3);
    assert_eq!(machine.run("phone", &["status"]).ends(1).failure(), "no-account");
}

#[test]
fn yes_never_says_that_words_are_the_same_and_no_link_is_an_argument() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let refused = |profile: &str, arguments: &[&str], lines: &[&str]| {
        let refused = machine.run_with(profile, arguments, lines).ends(2);
        assert_eq!(refused.failure(), "usage");
        refused.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for (profile, arguments) in [
        ("laptop", &["--yes", "device", "pair"][..]),
        ("phone", &["--yes", "join"]),
        ("phone", &["--yes", "join", "--server", server.url()]),
    ] {
        let message = refused(profile, arguments, &["lockstep://pair#LP1@http://127.0.0.1", PASSWORD]);
        assert!(
            message.contains("--yes is no answer to this") && message.contains("at a terminal"),
            "{message}"
        );
    }
    let link = "lockstep://pair#LP1-3A6CH-SHYHN-0S1JM-PEBGY@http://127.0.0.1:7390";
    let message = refused("phone", &["--yes", "join", link], &[]);
    assert!(message.contains("run `lockstep join` without it") && !message.contains("3A6CH"), "{message}");
    assert_eq!(machine.json("laptop", &["device", "list"])["devices"].as_array().unwrap().len(), 1);
    assert!(!machine.profile("phone").exists());
}

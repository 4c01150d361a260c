//! What a server and a device disagree about: whether a token is still good, and what day it is.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use super::programs::PASSWORD;
use super::{Machine, ServerProcess};

/// Which of the tokens that the server gives are spoilt on their way to the device.
#[derive(Clone, Copy, PartialEq)]
enum Spoilt {
    None,
    Next,
    Every,
}

/// Passes requests on, one for each connection, and spoils tokens, so that the server does not take them.
struct Spoiler {
    url: String,
    passage: Arc<Passage>,
}

struct Passage {
    upstream: String,
    spoilt: Mutex<Spoilt>,
    unauthenticated: AtomicUsize,
}

impl Spoiler {
    fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (spoilt, unauthenticated) = (Mutex::new(Spoilt::None), AtomicUsize::new(0));
        let passage = Arc::new(Passage { upstream, spoilt, unauthenticated });
        let shared = Arc::clone(&passage);
        std::thread::spawn(move || {
            for device in listener.incoming().map_while(Result::ok) {
                let passage = Arc::clone(&shared);
                std::thread::spawn(move || passage.carry(device));
            }
        });
        Self { url, passage }
    }

    fn spoil(&self, tokens: Spoilt) {
        *self.passage.spoilt.lock().unwrap() = tokens;
    }

    /// How often the server answered 401 since the last call.
    fn unauthenticated(&self) -> usize {
        self.passage.unauthenticated.swap(0, Ordering::SeqCst)
    }
}

impl Passage {
    /// Carries one request and its answer; a device that goes away ends it early.
    fn carry(&self, mut device: TcpStream) -> Option<()> {
        let mut request = Vec::new();
        let body = loop {
            if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break request.split_off(end);
            }
            let mut buffer = [0; 4_096];
            let count = device.read(&mut buffer).ok().filter(|count| *count > 0)?;
            request.extend_from_slice(&buffer[..count]);
        };
        let mut server = TcpStream::connect(&self.upstream).ok()?;
        server.write_all(&[&request, &b"\r\nconnection: close"[..], &body].concat()).ok()?;
        let (mut rest, mut to_server) = (device.try_clone().ok()?, server.try_clone().ok()?);
        // Ends when the answer is through and the connection shut.
        std::thread::spawn(move || std::io::copy(&mut rest, &mut to_server));
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        if answer.starts_with(b"HTTP/1.1 401") {
            self.unauthenticated.fetch_add(1, Ordering::SeqCst);
        }
        if request.starts_with(b"POST /v1/session ") {
            self.change(&mut answer);
        }
        device.write_all(&answer).ok()?;
        device.shutdown(Shutdown::Both).ok()
    }

    /// Spoils the signature of the token in this answer, if it gives one and that is to be spoilt.
    fn change(&self, answer: &mut [u8]) {
        let Some(token) = answer.windows(3).position(|bytes| bytes == b"eyJ") else { return };
        let mut tokens = self.spoilt.lock().unwrap();
        if *tokens == Spoilt::None {
            return;
        }
        if *tokens == Spoilt::Next {
            *tokens = Spoilt::None;
        }
        let mut dots = (token..answer.len()).filter(|at| answer[*at] == b'.');
        let signature = dots.nth(1).unwrap() + 1;
        answer[signature..signature + 8].copy_from_slice(b"AAAAAAAA");
    }
}

#[test]
fn a_token_that_the_server_no_longer_takes_is_renewed_and_nothing_is_lost() {
    let server = ServerProcess::start();
    let spoiler = Spoiler::before(server.address());
    let machine = Machine::new();
    machine.sign_up("laptop", &spoiler.url);
    let pending = || machine.json("laptop", &["status"])["pending"].clone();

    machine.json("laptop", &["add", "--offline", "--title", "Before the token ended"]);
    assert_eq!(pending(), 1);
    spoiler.spoil(Spoilt::Next);
    let synced = machine.json("laptop", &["sync"]);
    assert_eq!((&synced["state"], &synced["pushed"]), (&"done".into(), &1.into()), "{synced}");
    assert_eq!(spoiler.unauthenticated(), 1);
    assert_eq!(pending(), 0);

    machine.json("laptop", &["add", "--offline", "--title", "While no token was good"]);
    spoiler.spoil(Spoilt::Every);
    let refused = machine.run("laptop", &["sync"]);
    assert_eq!(refused.ends(3).failure(), "unauthenticated");
    let tries = spoiler.unauthenticated();
    assert!((1..=2).contains(&tries), "{tries} requests with tokens that are not taken");
    assert_eq!(pending(), 1);

    spoiler.spoil(Spoilt::None);
    let synced = machine.json("laptop", &["sync"]);
    assert_eq!((&synced["state"], &synced["pushed"]), (&"done".into(), &1.into()), "{synced}");
    assert_eq!(pending(), 0);
    machine.sign_in("phone");
    assert_eq!(machine.titles("phone"), ["Before the token ended", "While no token was good"]);
}

/// The library that shifts a program's clock, where the distribution puts it.
pub(super) fn clock_shifter() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut found =
        folders.map(|folder| folder.join("faketime/libfaketime.so.1")).filter(|path| path.is_file());
    found.next().expect("libfaketime is missing: install the package faketime")
}

/// The result of a command that must succeed, on a profile whose clock is off by `shift`.
pub(super) fn shifted(machine: &Machine, shift: (&Path, &str), profile: &str, arguments: &[&str]) -> Json {
    let mut command = machine.command(profile, arguments);
    command.env("LD_PRELOAD", shift.0).env("FAKETIME", shift.1).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_clock_that_is_a_day_off_changes_nothing_but_times() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    let library = clock_shifter();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("phone");
    let ahead = |arguments: &[&str]| shifted(&machine, (&library, "+1d"), "laptop", arguments);
    let behind = |arguments: &[&str]| shifted(&machine, (&library, "-1d"), "phone", arguments);

    let updated = |shown: Json| shown["updated"].as_str().unwrap().to_owned();
    let today = updated(ahead(&["get", "--offline", "Bank"]));
    behind(&["add", "--offline", "--title", "Older than it is"]);
    assert!(updated(behind(&["get", "--offline", "Older than it is"])) < today);
    ahead(&["edit", "--offline", "Bank", "--set", "notes=from tomorrow"]);
    behind(&["edit", "--offline", "Bank", "--url", "https://yesterday.example"]);
    ahead(&["sync"]);
    behind(&["sync"]);
    let both = |username: &str| {
        ahead(&["sync"]);
        behind(&["sync"]);
        let shown = ahead(&["get", "--offline", "Bank"]);
        assert_eq!(behind(&["get", "--offline", "Bank"]), shown);
        let fields = shown["fields"].as_object().unwrap();
        assert_eq!((&fields["notes"], &fields["username"]), (&"from tomorrow".into(), &username.into()));
        assert!(fields.values().any(|field| field["uri"] == "https://yesterday.example"));
        shown
    };
    // A day later in the same form; seconds may have passed.
    assert!(updated(both("anna"))[..10] > today[..10]);

    // Each edit has seen the one before, so it wins, whatever the clocks say.
    ahead(&["edit", "Bank", "--username", "first, tomorrow"]);
    behind(&["sync"]);
    behind(&["edit", "Bank", "--username", "second, yesterday"]);
    both("second, yesterday");
    ahead(&["edit", "Bank", "--username", "third, tomorrow"]);
    both("third, tomorrow");
    for conflicts in [ahead(&["conflicts"]), behind(&["conflicts"])] {
        assert_eq!(conflicts["conflicts"], serde_json::json!([]));
    }
}

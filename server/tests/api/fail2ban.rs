//! The lines that the program writes of failures, and the filter of `deploy/fail2ban` that reads them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockstep_proto::api::CBOR;
use lockstep_proto::api::recovery::{RecoveryProof, RecoveryStart};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, SessionRequest};
use lockstep_proto::api::signin::{SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::sign::Signature;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::program::program;
use crate::support::start_login;

const NOBODY: AccountId = AccountId([9; 32]);
/// What a line would have to look like for somebody else to be banned.
const INJECTED: &str =
    "2026-11-30T10:00:00.000000Z  INFO a sign-in failed event=signin-failed client.address=203.0.113.99";

/// Requests to a running program, as a proxy that it trusts sends them.
struct Proxy {
    url: String,
    agent: ureq::Agent,
}

impl Proxy {
    fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Self { url, agent: config.build().into() }
    }

    fn post<T: Serialize>(&self, address: &str, path: &str, body: &T) -> (u16, Vec<u8>) {
        let mut bytes = Vec::new();
        ciborium::into_writer(body, &mut bytes).unwrap();
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", CBOR);
        let request = request.header("x-forwarded-for", address).header("user-agent", INJECTED);
        let mut answer = request.send(&bytes[..]).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
    }

    fn ask<T: Serialize, A: DeserializeOwned>(&self, address: &str, path: &str, body: &T) -> A {
        let (status, bytes) = self.post(address, path, body);
        assert_eq!(status, 200, "{path}");
        ciborium::from_reader(&bytes[..]).unwrap()
    }

    fn guess_a_password(&self, address: &str) {
        let start = SigninStart { account_id: NOBODY, ke1: start_login(b"guess").into() };
        let answer: SigninAnswer = self.ask(address, "/v1/signin/start", &start);
        let finish = SigninFinish { signin_id: answer.signin_id, ke3: vec![7; 64].into() };
        assert_eq!(self.post(address, "/v1/signin/finish", &finish).0, 401);
    }

    fn guess_a_sheet(&self, address: &str) {
        let start = RecoveryStart { account_id: NOBODY };
        let Challenge { nonce } = self.ask(address, "/v1/recovery/challenge", &start);
        let proof = RecoveryProof { account_id: NOBODY, nonce, signature: Signature([1; 64]) };
        assert_eq!(self.post(address, "/v1/recovery", &proof).0, 401);
    }

    fn come_as_an_unknown_device(&self, address: &str) {
        let (account_id, device_id) = (NOBODY, DeviceId([8; 16]));
        let asked = ChallengeRequest { account_id, device_id };
        let Challenge { nonce } = self.ask(address, "/v1/session/challenge", &asked);
        let proof = SessionRequest { account_id, device_id, nonce, signature: Signature([1; 64]) };
        assert_eq!(self.post(address, "/v1/session", &proof).0, 401);
    }

    /// A token, a path and a name that would look well in a log.
    fn send_hostile_text(&self, address: &str) {
        let path = format!("{}/v1/{}", self.url, INJECTED.replace(' ', "%0a"));
        let request = self.agent.get(path).header("x-forwarded-for", address);
        let answer = request.header("authorization", format!("Bearer {INJECTED}")).call().unwrap();
        assert_eq!(answer.status().as_u16(), 404);
        let request =
            self.agent.get(format!("{}/v1/account/log", self.url)).header("x-forwarded-for", address);
        let answer = request.header("authorization", format!("Bearer {INJECTED}")).call().unwrap();
        assert_eq!(answer.status().as_u16(), 401);
    }
}

/// A log that the program has written in this form, of what people from several addresses have done.
fn written(form: &str, folder: &Path) -> PathBuf {
    let (log, address) = (folder.join(form), folder.join("address"));
    let mut server = program(&folder.join(form).with_extension("data"));
    server.args(["--log", form, "--trusted-proxies", "127.0.0.1", "--address-file"]).arg(&address);
    let mut server = server.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let url = loop {
        match fs::read_to_string(&address) {
            Ok(url) => break url.trim().to_owned(),
            Err(_) => assert!(server.try_wait().unwrap().is_none(), "the server has ended"),
        }
    };
    fs::remove_file(&address).unwrap();
    let proxy = Proxy::new(url);
    proxy.guess_a_password("192.0.2.7");
    proxy.guess_a_password("2001:db8:1:2:3:4:5:6");
    proxy.guess_a_sheet("192.0.2.8");
    proxy.come_as_an_unknown_device("192.0.2.9");
    proxy.send_hostile_text("192.0.2.10");
    for _ in 0..20 {
        let start = RecoveryStart { account_id: NOBODY };
        proxy.ask::<_, Challenge>("192.0.2.11", "/v1/recovery/challenge", &start);
    }
    let start = RecoveryStart { account_id: NOBODY };
    assert_eq!(proxy.post("192.0.2.11", "/v1/recovery/challenge", &start).0, 429);
    let stopped = Command::new("kill").arg("-TERM").arg(server.id().to_string()).status().unwrap();
    assert!(stopped.success() && server.wait().unwrap().success());
    log
}

fn lines_of<'a>(log: &'a str, what: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(what)).collect()
}

#[test]
fn lines_of_events_have_the_form_that_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(written("text", folder.path())).unwrap();
    let account = NOBODY.to_string();
    let device = DeviceId([8; 16]).to_string();
    for line in [
        format!(" INFO a sign-in failed event=signin-failed client.address=192.0.2.7 account.id={account}"),
        format!(
            " INFO a sign-in failed event=signin-failed client.address=2001:db8:1:2::/64 account.id={account}"
        ),
        format!(
            " INFO a recovery failed event=recovery-failed client.address=192.0.2.8 account.id={account}"
        ),
        format!(
            " INFO a device was not recognised event=device-unknown client.address=192.0.2.9 account.id={account} \
             device.id={device} unlogged=0"
        ),
        " INFO a session token was refused event=token-refused client.address=192.0.2.10 unlogged=0"
            .to_owned(),
        format!(
            " INFO a limit was reached limit=account-and-address-tries client.address=192.0.2.11 \
             account.id={account} unlogged=0"
        ),
    ] {
        assert_eq!(text.lines().filter(|written| written.ends_with(&line)).count(), 1, "{line}\n{text}");
    }
    assert!(lines_of(&text, "203.0.113").is_empty() && lines_of(&text, "User-Agent").is_empty(), "{text}");
    let json = fs::read_to_string(written("json", folder.path())).unwrap();
    let failed = lines_of(&json, "signin-failed");
    let line: serde_json::Value = serde_json::from_str(failed[0]).unwrap();
    assert_eq!(line["fields"]["client.address"], "192.0.2.7");
    assert_eq!((failed.len(), &line["fields"]["account.id"]), (2, &serde_json::json!(account)));
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/fail2ban").join(path)
}

/// `None`, and a word about it, where fail2ban is not installed. `.ci/run` installs it.
#[allow(clippy::print_stderr)]
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: the filter for fail2ban was not tested, since fail2ban is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_filter_finds_who_failed_in_both_forms_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    for form in ["text", "json"] {
        let log = written(form, folder.path());
        let prefixed = folder.path().join(format!("{form}.prefixed"));
        let lines = fs::read_to_string(&log).unwrap();
        let lines = lines.lines().map(|line| format!("host lockstep-server[12]: {line}\n"));
        fs::write(&prefixed, lines.collect::<String>()).unwrap();
        for log in [log, prefixed] {
            let filter = deploy("filter.d/lockstep-server.conf");
            let mut command = Command::new("fail2ban-regex");
            let Some(output) = run(command.args(["--out", "ip"]).arg(&log).arg(filter)) else { return };
            let found = String::from_utf8(output.stdout).unwrap();
            let mut found: Vec<&str> = found.lines().map(str::trim).collect();
            found.sort_unstable();
            let failed = ["192.0.2.11", "192.0.2.7", "192.0.2.8", "2001:db8:1:2::/64"];
            assert_eq!(found, failed, "{form} {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn the_jail_is_one_that_fail2ban_takes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = run(Command::new("fail2ban-client").arg("--version")) else { return };
    // As installed, without the jails that this machine may have.
    assert!(
        Command::new("cp").args(["-r", "/etc/fail2ban/."]).arg(folder.path()).status().unwrap().success()
    );
    fs::remove_dir_all(folder.path().join("jail.d")).unwrap();
    fs::create_dir(folder.path().join("jail.d")).unwrap();
    for file in ["jail.d/lockstep-server.conf", "filter.d/lockstep-server.conf"] {
        fs::copy(deploy(file), folder.path().join(file)).unwrap();
    }
    let mut command = Command::new("fail2ban-client");
    let Some(output) = run(command.arg("-c").arg(folder.path()).arg("--test")) else { return };
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("OK: configuration test is successful"), "{said}");
    let mut command = Command::new("fail2ban-client");
    let dumped = run(command.arg("-c").arg(folder.path()).arg("-d")).unwrap();
    let dumped = String::from_utf8(dumped.stdout).unwrap();
    assert!(
        dumped.contains("'lockstep-server'") && dumped.contains("_SYSTEMD_UNIT=lockstep-server.service"),
        "{dumped}"
    );
}

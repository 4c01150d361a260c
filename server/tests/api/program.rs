//! The program itself: what it says, makes and refuses when it starts.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::SignupRule;
use lockstep_domain::store::{VaultReader, VersionPlace};
use lockstep_server::SystemRandom;
use lockstep_store::{Inspection, StoreUrl};

use crate::support::{Account, Backend, Place, Vault, World, item, open};

/// The program on a folder, listening on loopback.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = bare_program();
    command.arg("--data-dir").arg(folder).args(["--listen", "127.0.0.1:0"]);
    command
}

/// The program with nothing configured.
pub(crate) fn bare_program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LOCKSTEP_") || name == "RUST_LOG")
    {
        command.env_remove(name);
    }
    command.stderr(Stdio::piped());
    command
}

/// What the program says when it does not start.
fn refusal(folder: &Path) -> String {
    refusal_of(&mut program(folder))
}

fn refusal_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[actix_web::test]
async fn the_first_start_needs_no_configuration_and_says_what_to_type_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = folder.path().join("address");
    let mut server = program(&data).arg("--address-file").arg(&address).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    let next = lines.find(|line| line.contains("lockstep signup --server ")).unwrap();
    let url = std::fs::read_to_string(&address).unwrap();
    assert!(next.ends_with(url.trim()));
    std::net::TcpStream::connect(url.trim().strip_prefix("http://").unwrap()).unwrap();
    let stopped = Command::new("kill").arg("-TERM").arg(server.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert!(server.wait().unwrap().success());
    assert!(lines.any(|line| line.contains("stopped")));
    // All of it is in the one file: who copies that has it.
    let log = std::fs::metadata(data.join("lockstep.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(data.join("lockstep.db"), copy.join("lockstep.db")).unwrap();
    let inspected = lockstep_store::inspect(&StoreUrl::Sqlite(copy.join("lockstep.db"))).await.unwrap();
    let Inspection::Found(found) = inspected else { panic!("{inspected:?}") };
    assert!(found.server_id.is_some() && found.faults.is_empty(), "{found:?}");
    assert_owner_only(&data.join("secrets.toml"));
    assert_owner_only(&data.join("lockstep.db"));
}

/// Starts the program, waits for a line of its log and ends it in an orderly way.
fn run_until(command: &mut Command, said: &str) {
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(said)), "{said}");
    let stopped = Command::new("kill").arg("-TERM").arg(server.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert!(server.wait().unwrap().success());
}

#[actix_web::test]
async fn a_start_removes_the_versions_that_the_configuration_lets_go() {
    let folder = Place::new();
    assert!(program(folder.path()).arg("invite").output().unwrap().status.success());
    let secrets = ServerSecrets::make(&SystemRandom);
    let world = World::on(open(Backend::Sqlite, &folder), &secrets, SignupRule::Open, folder.clone()).await;
    world.clock.set_ms(1_000_000_000_000);
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let mut vault = Vault::create(&world, &mut account, &token).await;
    let changed = item(10);
    for _ in 0..5 {
        vault.push(&world, &account, &token, std::slice::from_ref(&changed)).await;
    }
    drop(world);

    let place = VersionPlace { item_id: changed.0, before: None, limit: 10 };
    let reader = VaultReader { vault_id: vault.id, account_id: account.id };
    for (arguments, kept) in
        [(&["--history-days", "100000", "--history-versions", "2"][..], &[5, 4, 3][..]), (&[], &[5])]
    {
        run_until(program(folder.path()).args(arguments), "old versions of items were removed");
        let store = open(Backend::Sqlite, &folder);
        let page = store.versions(reader, place).await.unwrap().unwrap();
        assert_eq!(page.versions.iter().map(|kept| kept.version.0).collect::<Vec<_>>(), kept);
    }
    assert!(refusal_of(program(folder.path()).args(["--purged-days", "7"])).contains("30 days at least"));
}

#[test]
fn a_process_that_may_open_few_files_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |limit: u32| {
        let inner = program(folder.path());
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\""));
        command.arg(inner.get_program()).args(inner.get_args()).stderr(Stdio::piped());
        command
    };
    assert!(refusal_of(&mut limited(100)).contains("give it 256 at least"));
    run_until(&mut limited(300), "160 connections at most, not 1024");
}

#[test]
fn a_proxy_that_nobody_names_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = ["--public-url", "https://vault.example.org"];
    run_until(program(folder.path()).args(url), "trusted_proxies does not name it");
}

#[cfg(unix)]
fn assert_owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn secrets_that_others_may_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let invite = program(folder.path()).arg("invite").output().unwrap();
    assert!(invite.status.success());
    assert_eq!(String::from_utf8(invite.stdout).unwrap().trim().len(), 22);
    let path = folder.path().join("secrets.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(folder.path()).contains("chmod 600"));
}

/// A folder with a database that has an account, and no secrets.
pub(crate) async fn without_secrets() -> Rc<Place> {
    let folder = Place::new();
    let secrets = ServerSecrets::make(&SystemRandom);
    let store = open(Backend::Sqlite, &folder);
    store.bind_server(secrets.server_id()).await.unwrap();
    let world = World::on(store, &secrets, SignupRule::Closed, folder.clone()).await;
    Account::sign_up(&world).await;
    folder
}

#[actix_web::test]
async fn a_database_with_accounts_is_not_served_without_its_own_secrets() {
    let folder = without_secrets().await;
    assert!(refusal(folder.path()).contains("secrets.toml is missing"));

    let other = tempfile::tempdir().unwrap();
    assert!(program(other.path()).arg("invite").output().unwrap().status.success());
    std::fs::copy(other.path().join("secrets.toml"), folder.path().join("secrets.toml")).unwrap();
    assert!(refusal(folder.path()).contains("belongs to server"));
}

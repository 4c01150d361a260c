//! `lockstep-server doctor`: what it says of a server that is well, and of each thing that may be wrong.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use lockstep_store::postgres::testing::TestDatabase;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::program::{bare_program, program, without_secrets};
use crate::tls::files;

/// The exit code, and what stands behind each thing that was looked at.
fn doctor(command: &mut Command) -> (bool, String) {
    let output = command.arg("doctor").output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)) && said.contains("to be mended."), "{output:?}");
    (output.status.success(), said)
}

/// Asserts that exactly this line says that something has to be mended, and that it says this.
fn must_mend(command: &mut Command, what: &str, said: &str) {
    let (fine, report) = doctor(command);
    let found: Vec<_> = report.lines().filter(|line| line.starts_with("MEND ")).collect();
    assert!(!fine && found.len() == 1, "{said}: {report}");
    assert!(found[0].starts_with(&format!("MEND  {what} ")) && found[0].contains(said), "{said}: {report}");
}

/// A folder in which a server was started once.
fn used() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(program(folder.path()).arg("invite").output().unwrap().status.success());
    folder
}

/// As a server has it open.
fn open_database(path: &Path) -> std::sync::Arc<dyn lockstep_domain::store::Store> {
    lockstep_store::open(&lockstep_store::StoreUrl::Sqlite(path.to_owned())).unwrap()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_is_wrong_before_the_first_start_nor_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (fine, report) = doctor(&mut program(&data));
    assert!(fine && report.contains("the first start makes it"), "{report}");
    assert!(!data.exists());
    let folder = used();
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    let (fine, report) = doctor(&mut program(folder.path()));
    assert!(fine && !report.contains("note "), "{report}");
    assert_eq!(names(), before);
}

#[test]
fn files_that_others_read_or_that_are_gone_are_named() {
    let folder = used();
    let data = folder.path();
    mode(data, 0o755);
    must_mend(&mut program(data), "data folder", "chmod o-rwx");
    mode(data, 0o700);
    mode(&data.join("secrets.toml"), 0o640);
    must_mend(&mut program(data), "secrets", "chmod 600");
    mode(&data.join("secrets.toml"), 0o600);
    mode(&data.join("lockstep.db"), 0o400);
    must_mend(&mut program(data), "owner", "chmod u+rw");
    mode(&data.join("lockstep.db"), 0o600);
    let file = fs::File::open(data.join("lockstep.db")).unwrap();
    if std::os::unix::fs::fchown(&file, Some(65_534), None).is_ok() {
        must_mend(&mut program(data), "owner", "belongs to user 65534");
        std::os::unix::fs::fchown(&file, Some(fs::metadata(data).unwrap().uid()), None).unwrap();
    }
    // A link to it is as good, also while a server runs.
    let link = folder.path().with_extension("link");
    std::os::unix::fs::symlink(data.join("lockstep.db"), &link).unwrap();
    let writer = open_database(&data.join("lockstep.db"));
    let (fine, report) = doctor(program(data).arg("--database").arg(format!("sqlite:{}", link.display())));
    assert!(fine && report.contains("no account yet"), "{report}");
    drop(writer);
    fs::remove_file(link).unwrap();
    fs::write(data.join("secrets.toml"), "version = 9").unwrap();
    mode(&data.join("secrets.toml"), 0o600);
    must_mend(&mut program(data), "secrets", "does not hold this program's secrets");
    let file = data.join("file");
    fs::write(&file, "").unwrap();
    let secrets = used();
    let mut elsewhere = program(&file);
    elsewhere.arg("--secrets-file").arg(secrets.path().join("secrets.toml"));
    elsewhere.arg("--database").arg(format!("sqlite:{}", secrets.path().join("lockstep.db").display()));
    must_mend(&mut elsewhere, "data folder", "is not a folder");
}

#[actix_web::test]
async fn a_database_that_is_not_whole_or_not_ours_is_named() {
    let folder = used();
    let data = folder.path();
    fs::copy(used().path().join("secrets.toml"), data.join("secrets.toml")).unwrap();
    must_mend(&mut program(data), "database", "put back those that were backed up with it");
    fs::write(data.join("lockstep.db"), [7; 10_000]).unwrap();
    must_mend(&mut program(data), "database", "cannot be opened: ");
    must_mend(program(data).args(["--database", "memory:"]), "database", "keeps nothing");

    let folder = without_secrets().await;
    mode(folder.path(), 0o700);
    must_mend(&mut program(folder.path()), "secrets", "nobody can sign in until you put it back");
}

#[test]
fn a_file_with_a_damaged_page_is_named() {
    let folder = used();
    let database = folder.path().join("lockstep.db");
    let mut bytes = fs::read(&database).unwrap();
    let last = bytes.len() - 4_096;
    bytes[last..].fill(0xa5);
    fs::write(&database, bytes).unwrap();
    let (fine, report) = doctor(&mut program(folder.path()));
    assert!(!fine && report.contains("MEND  database"), "{report}");
}

#[test]
fn postgresql_is_looked_at_and_not_migrated() {
    let folder = used();
    let database = TestDatabase::make();
    let url = format!("--database={}", database.url());
    let (fine, report) = doctor(program(folder.path()).arg(&url));
    assert!(fine && report.contains("is empty; the first start makes its tables"), "{report}");
    let (fine, report) = doctor(program(folder.path()).arg(&url));
    assert!(fine && report.contains("is empty"), "it made something: {report}");
    assert!(program(folder.path()).arg(&url).arg("invite").output().unwrap().status.success());
    let (fine, report) = doctor(program(folder.path()).arg(&url));
    assert!(fine && report.contains("no account yet"), "{report}");
    let wrong = database.url().replace("postgres://lockstep:", "postgres://lockstep:x");
    must_mend(
        program(folder.path()).arg(format!("--database={wrong}")),
        "database",
        "password authentication failed",
    );
}

#[test]
fn a_certificate_that_devices_would_refuse_is_named() {
    let folder = used();
    let data = folder.path();
    let own = files(data, "own");
    let with = |certificate: &Path, key: &Path| {
        let mut command = program(data);
        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        command
    };
    let mut named = with(&own.certificate, &own.key);
    let (fine, report) = doctor(named.args(["--public-url", "https://localhost"]));
    assert!(fine && report.contains("own.pem, for "), "{report}");
    let mut other = with(&own.certificate, &own.key);
    other.args(["--public-url", "https://vault.example.org"]);
    must_mend(&mut other, "TLS", "is not for vault.example.org");
    must_mend(&mut with(&own.certificate, &files(data, "other").key), "TLS", "do not fit");
    mode(&own.key, 0o644);
    must_mend(&mut with(&own.certificate, &own.key), "TLS", "chmod o-rwx");

    for (from, to, said) in [(1990, 2000, "has expired"), (2200, 2201, "is not valid yet")] {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().unwrap();
        let (certificate, key_file) = (data.join("dated.pem"), data.join("dated.key"));
        fs::write(&certificate, parameters.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        mode(&key_file, 0o600);
        must_mend(&mut with(&certificate, &key_file), "TLS", said);
    }
    let (fine, report) = doctor(bare_program().arg("--data-dir").arg(data).args([
        "--listen",
        "0.0.0.0:0",
        "--allow-plain-http",
    ]));
    assert!(fine && report.contains("a proxy in front has to speak TLS"), "{report}");
}

#[test]
fn a_taken_address_is_named() {
    let folder = used();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = bare_program();
    command.arg("--data-dir").arg(folder.path()).arg("--listen").arg(taken.local_addr().unwrap().to_string());
    must_mend(&mut command, "address", "is taken, and not by a server that is well");
    let mut nowhere = bare_program();
    nowhere.arg("--data-dir").arg(folder.path()).args(["--listen", "192.0.2.1:7390", "--allow-plain-http"]);
    must_mend(&mut nowhere, "address", "name an address of this machine");
}

#[test]
fn a_clock_that_was_behind_what_was_written_is_named() {
    let folder = used();
    let database = fs::File::options().append(true).open(folder.path().join("lockstep.db")).unwrap();
    let written = database.metadata().unwrap().modified().unwrap();
    database.set_modified(written + std::time::Duration::from_secs(3_600)).unwrap();
    must_mend(&mut program(folder.path()), "clock", "let a time service");
}

//! Command lines that cannot work, and profiles with nothing in them.

use std::process::Stdio;

use super::{Machine, ServerProcess};

#[test]
fn commands_without_an_account_say_how_to_get_one() {
    let machine = Machine::new();
    for arguments in
        [&["list"][..], &["sync"], &["status"], &["unlock"], &["get", "x"], &["add", "--title", "x"]]
    {
        let refused = machine.run("laptop", arguments).ends(1);
        assert_eq!(refused.failure(), "no-account");
        assert!(refused.out.contains("signup --profile laptop"), "{refused:?}");
    }
    assert!(!machine.profile("laptop").exists(), "nothing is made by asking");
}

#[test]
fn a_command_line_that_cannot_work_is_told_and_changes_nothing() {
    let machine = Machine::new();
    let wrong: [&[&str]; 10] = [
        &["lst"],
        &[],
        &["get"],
        &["add"],
        &["add", "--title", "x", "--set", "no-such-field=1"],
        &["add", "--title", "x", "--kind", "spaceship"],
        &["edit", "x", "--set", "totp=JBSWY3DP"],
        &["sync", "--offline"],
        &["signup", "--server", "http://127.0.0.1:9"],
        &["unlock", "--minutes", "0"],
    ];
    for arguments in wrong {
        let refused = machine.run("laptop", arguments).ends(2);
        assert_eq!(refused.json()["error"]["code"], "usage", "{arguments:?}");
        assert!(!refused.out.contains("JBSWY3DP"), "a secret is repeated: {refused:?}");
    }
    assert_eq!(machine.run("../laptop", &["list"]).ends(2).json()["error"]["code"], "usage");
    let help = machine.run("laptop", &["--help"]).done();
    assert!(help.out.contains("Exit codes:"));
}

#[test]
fn a_server_that_cannot_be_used_makes_no_account() {
    let machine = Machine::new();
    let papers = machine.path("papers");
    let sign_up = |url: &str| {
        machine.run("laptop", &["signup", "--server", url, "--kit-dir", papers.to_str().unwrap()])
    };
    assert_eq!(sign_up("http://127.0.0.1:9").ends(4).failure(), "server-unreachable");
    assert_eq!(sign_up("http://vault.example").ends(2).failure(), "server-address");
    sign_up("ftp://vault.example").ends(2);
    assert!(std::fs::read_dir(&papers).unwrap().next().is_none());
    assert_eq!(machine.run("laptop", &["list"]).ends(1).failure(), "no-account");
}

#[test]
fn papers_are_private_and_never_overwritten_and_a_profile_has_one_account_and_one_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    let papers: Vec<_> =
        std::fs::read_dir(machine.path("papers")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(papers.len(), 4);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(papers.iter().all(|path| mode(path) == 0o600));
    assert_eq!(mode(&machine.profile("laptop")), 0o700);
    for (path, fine, shared) in [
        (machine.profile("laptop"), 0o700, 0o777),
        (machine.profile("laptop").join("local-secret"), 0o600, 0o622),
    ] {
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(shared);
        let refused = machine.run("laptop", &["list"]).ends(1);
        assert_eq!(refused.failure(), "not-private");
        assert!(refused.out.contains("can be written by other users"), "{refused:?}");
        set(fine);
        machine.run("laptop", &["list"]).done();
    }

    let before = std::fs::read(machine.kit()).unwrap();
    let (old, new) = (machine.path("papers"), machine.path("new-papers"));
    let sign_up = |profile: &str, folder: &std::path::Path| {
        machine.run(profile, &["signup", "--server", server.url(), "--kit-dir", folder.to_str().unwrap()])
    };
    assert_eq!(sign_up("phone", &old).ends(2).failure(), "usage");
    assert_eq!(sign_up("laptop", &new).ends(1).failure(), "account-exists");
    let kit = machine.kit();
    let sign_in = ["signin", "--yes", "--kit", kit.to_str().unwrap()];
    assert_eq!(machine.run("laptop", &sign_in).ends(1).failure(), "account-exists");
    let recovery = machine.path("papers/lockstep-recovery-sheet.txt");
    let other_sheet = ["signin", "--yes", "--kit", recovery.to_str().unwrap()];
    assert_eq!(machine.run("phone", &other_sheet).ends(2).failure(), "usage");
    let unsure = machine.run("phone", &["signin", "--kit", kit.to_str().unwrap()]);
    assert_eq!(unsure.code, Some(2), "nobody said that the devices are theirs: {unsure:?}");
    assert_eq!(std::fs::read(machine.kit()).unwrap(), before);

    let mut busy =
        machine.command("tablet", &["signin", "--yes", "--kit", "-"]).stderr(Stdio::null()).spawn().unwrap();
    let lock = machine.profile("tablet").join("lock");
    while !lock.exists() || machine.run("tablet", &["signin", "--kit", "/missing"]).failure() != "busy" {
        assert!(busy.try_wait().unwrap().is_none(), "the first command ended");
    }
    busy.kill().unwrap();
    busy.wait().unwrap();
}

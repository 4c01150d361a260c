//! The systemd unit, as far as it can be judged without running it.

use std::path::Path;
use std::process::Command;

/// How exposed a service may be, in tenths, by systemd's own measure: 0 is nothing, 100 everything.
const EXPOSURE: &str = "20";

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn the_unit_is_understood_and_hardly_exposed() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lockstep-server.service");
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(unit).unwrap();
    // The program is not installed here; any other stands for it.
    let installed = text.replace("/usr/bin/lockstep-server", "/bin/true");
    assert_ne!(installed, text);
    let copy = folder.path().join("lockstep-server.service");
    std::fs::write(&copy, installed).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&copy).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (fine, said) = analyze(&["security", "--offline=yes", "--threshold", EXPOSURE, "--no-pager"]);
    assert!(fine, "{said}");
    let (_, said) = analyze(&["verify"]);
    assert!(!said.contains("lockstep-server.service"), "{said}");
}

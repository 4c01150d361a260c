//! The image itself: what is in it, how large it is, what it says about itself.

use std::collections::BTreeSet;
use std::process::Command;

use super::engine::{docker, image, inspect, output};

/// What travels to a host, compressed.
const LARGEST: u64 = 15 << 20;

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn the_image_holds_one_program_and_certificates() {
    let container = docker(&["create", &image()]);
    let script = r#"docker export "$0" | tar -t"#;
    let listed = output(Command::new("bash").args(["-o", "pipefail", "-c", script, &container]));
    docker(&["rm", "--volumes", &container]);
    let listed = String::from_utf8(listed).unwrap();
    let files: BTreeSet<&str> = listed.lines().filter(|path| !path.ends_with('/')).collect();
    // The engine adds these to every container.
    let added = [".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"];
    let own: BTreeSet<&str> = files.difference(&added.into()).copied().collect();
    assert_eq!(own, ["etc/ssl/certs/ca-certificates.crt", "lockstep-server"].into());
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn the_image_is_small() {
    let script = r#"docker save "$0" | gzip | wc -c"#;
    let size = output(Command::new("bash").args(["-o", "pipefail", "-c", script, &image()]));
    let size: u64 = String::from_utf8(size).unwrap().trim().parse().unwrap();
    println!("{size} bytes compressed");
    assert!(size <= LARGEST, "{size} bytes");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn the_image_says_what_it_is_and_how_to_run_it() {
    let image = inspect(&image());
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/lockstep-server"]));
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "/lockstep-server", "health"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
    assert_eq!(config["ExposedPorts"], serde_json::json!({ "7390/tcp": {} }));
    assert_eq!(config["Volumes"], serde_json::json!({ "/data": {} }));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap();
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), "MIT OR Apache-2.0");
    for name in ["title", "description", "revision", "created", "source"] {
        assert!(!label(name).is_empty(), "{name}");
    }
}

//! Each compose file from the first `up` on: what the log says to do, two devices that follow it, an orderly end, and a
//! start on what was kept.

use std::path::PathBuf;

use super::confined::assert_confined;
use super::deployment::Deployment;
use super::engine::{docker, inspect, wait_for_answer, wait_for_copy};
use super::kept;
use crate::binaries::{Machine, walk};

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn one_container_serves_two_devices() {
    let settings = "LOCKSTEP_PORT={port}\nLOCKSTEP_PUBLIC_URL=http://127.0.0.1:{port}";
    let deployment = Deployment::up("compose.yaml", settings);
    assert_published_to_this_machine_alone(&deployment);
    story(&deployment, Machine::new(), &format!("http://127.0.0.1:{}", deployment.port()));
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn a_server_with_postgres_serves_two_devices() {
    let settings = "LOCKSTEP_PORT={port}\nLOCKSTEP_PUBLIC_URL=http://127.0.0.1:{port}";
    let deployment = Deployment::up("compose.postgres.yaml", settings);
    assert_published_to_this_machine_alone(&deployment);
    assert_eq!(docker(&["port", &deployment.container("db")]), "");
    story(&deployment, Machine::new(), &format!("http://127.0.0.1:{}", deployment.port()));
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
fn a_server_behind_caddy_serves_two_devices_over_https() {
    let settings =
        "LOCKSTEP_DOMAIN=localhost\nCADDY_BIND=127.0.0.1\nCADDY_HTTP_PORT=0\nCADDY_HTTPS_PORT={port}";
    let deployment = Deployment::up("compose.tls.yaml", settings);
    assert_eq!(docker(&["port", &deployment.container("server")]), "");
    let url = format!("https://localhost:{}", deployment.port());
    let authority = authority(&deployment);
    wait_for_answer(&["--cacert", authority.to_str().unwrap(), &format!("{url}/readyz")]);
    story(&deployment, Machine::new().trusting(authority), &url);
}

fn story(deployment: &Deployment, machine: Machine, url: &str) {
    assert_confined(deployment);
    let told = deployment.told_to_type();
    let told: Vec<&str> = told.split_whitespace().collect();
    let ["lockstep", "signup", "--server", address, "--invite", token] = told[..] else {
        panic!("{told:?}");
    };
    // The port is this test's where the address has none.
    assert!(url.starts_with(address), "{address}");
    assert_eq!(
        deployment.compose(&["exec", "-T", "server", "/lockstep-server", "setup-token"]).trim(),
        token
    );

    let refused = machine.try_sign_up("stranger", &["signup", "--server", url]).ends(1);
    assert_eq!(refused.failure(), "invite-needed");
    machine.try_sign_up("laptop", &["signup", "--server", url, "--invite", token]).done();
    walk(&machine, &|| kept::copy(deployment));
    let titles = machine.titles("phone");

    assert_ends_in_order(deployment);
    deployment.compose(&["down"]);
    deployment.up_again();
    let signed_in = machine.sign_in("tablet");
    assert!(signed_in["items"].as_u64().unwrap() >= 1_000, "{signed_in}");
    assert_eq!(machine.titles("tablet"), titles);
}

/// SIGTERM is enough: the program ends by itself, and says so.
fn assert_ends_in_order(deployment: &Deployment) {
    let container = deployment.container("server");
    deployment.compose(&["stop"]);
    let state = &inspect(&container)["State"];
    assert_eq!((&state["Status"], &state["ExitCode"]), (&"exited".into(), &0.into()), "{state}");
    let log = deployment.log("server");
    assert!(log.lines().last().unwrap().ends_with("stopped"), "{log}");
}

fn assert_published_to_this_machine_alone(deployment: &Deployment) {
    let published = docker(&["port", &deployment.container("server")]);
    assert_eq!(published, format!("7390/tcp -> 127.0.0.1:{}", deployment.port()));
}

/// The certificate of Caddy's own authority, once it is made.
fn authority(deployment: &Deployment) -> PathBuf {
    let to = deployment.folder().join("root.crt");
    let from = format!("{}:/data/caddy/pki/authorities/local/root.crt", deployment.container("caddy"));
    wait_for_copy(&from, to.to_str().unwrap());
    to
}

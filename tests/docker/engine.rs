//! Docker's command line, for the engine that `DOCKER_HOST` names.

use std::process::Command;

/// The image under test, by the variable that the compose files read.
pub(super) fn image() -> String {
    std::env::var("LOCKSTEP_IMAGE").expect("LOCKSTEP_IMAGE names the image to test")
}

/// What a command prints on standard output. It must succeed.
pub(super) fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

/// What `docker ARGUMENTS…` prints, without white space around it.
pub(super) fn docker(arguments: &[&str]) -> String {
    let text = String::from_utf8(output(Command::new("docker").args(arguments))).unwrap();
    text.trim().to_owned()
}

/// What the engine knows of a container or an image.
pub(super) fn inspect(object: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&docker(&["inspect", object])).unwrap();
    all[0].clone()
}

/// Waits until `docker inspect --format FORMAT CONTAINER` says `expected`.
pub(super) fn wait_until(container: &str, format: &str, expected: &str) {
    wait(r#"[ "$(docker inspect --format "$1" "$2")" = "$3" ]"#, &[format, container, expected]);
}

/// Waits until `curl ARGUMENTS…` gets an answer other than an error.
pub(super) fn wait_for_answer(arguments: &[&str]) {
    wait(r#"curl --silent --fail --max-time 5 --output /dev/null "$@""#, arguments);
}

/// Waits until `docker cp` finds a file in a container.
pub(super) fn wait_for_copy(from: &str, to: &str) {
    wait(r#"docker cp "$1" "$2" 2>/dev/null"#, &[from, to]);
}

/// Waits until the shell finds this true; two minutes at most.
fn wait(condition: &str, arguments: &[&str]) {
    let script = format!("until {condition}; do sleep 0.1; done");
    let mut command = Command::new("timeout");
    command.args(["120", "sh", "-c", &script, "sh"]).args(arguments);
    assert!(command.status().unwrap().success(), "waited in vain: {condition} {arguments:?}");
}

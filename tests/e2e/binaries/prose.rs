//! What a server says, as the program shows it to a person and to a program (A55).

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use lockstep_proto::api::{ErrorCode, Problem};
use lockstep_tests::{encode, hostile_texts, is_plain};

use super::Machine;
use super::programs::{PASSWORD, program};

/// A server that refuses everything in these words, until the test ends. Its address.
fn babbling(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let problem = Problem { title: String::new(), ..Problem::new(ErrorCode::SignupClosed, text) };
    let body = encode(&problem);
    std::thread::spawn(move || {
        for device in listener.incoming().map_while(Result::ok) {
            // A device that goes away early has had enough.
            let _ = refuse(device, &body);
        }
    });
    url
}

fn refuse(mut device: TcpStream, body: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        device.read_exact(&mut byte)?;
        request.extend(byte);
    }
    let length = body.len();
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+cbor\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    device.write_all(head.as_bytes())?;
    device.write_all(body)
}

#[test]
fn a55_what_a_server_says_is_shown_as_its_words() {
    let machine = Machine::new();
    let papers = machine.path("papers");
    for text in hostile_texts() {
        let url = babbling(text.clone());
        let arguments = ["signup", "--server", &url, "--kit-dir", papers.to_str().unwrap()];
        let silent = text.chars().all(char::is_control);

        let told = machine.run("laptop", &arguments).ends(1);
        assert_eq!(told.failure(), "signup-closed");
        assert!(is_plain(&told.out), "{}", told.out);
        let error = &told.json()["error"];
        let said = error["server_says"].as_str();
        assert_eq!(said.is_none(), silent, "{error}");
        assert!(said.is_none_or(|said| said.chars().count() <= 201), "{error}");
        let message = error["message"].as_str().unwrap();
        assert_eq!(message, "The server refused the request: sign-up is closed on this server.");

        let mut command = std::process::Command::new(program("lockstep"));
        command.env_clear().env("LOCKSTEP_HOME", machine.path("home")).args(["--password-fd", "0"]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails early reads nothing.
        let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && is_plain(&shown), "{shown}");
        let lines: Vec<_> = shown.lines().filter(|line| !line.starts_with("Making your keys;")).collect();
        assert_eq!(lines[0], format!("lockstep: {message}"));
        assert_eq!(lines.len(), if silent { 1 } else { 2 }, "{shown}");
        assert!(lines[1..].iter().all(|line| line.starts_with("The server says: \"")), "{shown}");
    }
}

//! What the server's own log says about requests that somebody made up (A55).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use lockstep_tests::is_plain;

use super::programs::program;

/// Requests in which everything that a client chooses aims at whoever reads the log.
const REQUESTS: [&[u8]; 8] = [
    b"GET /v1/\x1b[2JFORGED HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /%1b[2J%0aFORGED%0d HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /v1/vaults/%0aFORGED/log HTTP/1.1\r\nhost: x\r\n\r\n",
    b"BREW /v1/info?\x1bFORGED HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /v1/info HTTP/1.1\r\nhost: \x9b31mFORGED\r\nuser-agent: \xc2\x9b\xe2\x80\xaeFORGED\r\n\r\n",
    b"GET /v1/info HTTP/1.1\r\nhost: x\r\nx-forwarded-for: \x1b]0;FORGED\r\nforwarded: for=\"FORGED\xe2\x80\xa8\"\r\n\r\n",
    b"GET /v1/account/log HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xe2\x80\xaeFORGED.x.y\r\n\r\n",
    b"POST /v1/session/challenge HTTP/1.1\r\nhost: x\r\ncontent-type: application/cbor\r\ncontent-length: 21\r\n\r\n\xa1\x6aaccount_id\x68FORGED\n\x1b",
];

#[test]
fn a55_the_servers_log_repeats_nothing_of_what_requests_say() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let (data, address) = (folder.path().join("data"), folder.path().join("address"));
        let mut command = Command::new(program("lockstep-server"));
        command.env_clear().env("RUST_LOG", "debug");
        command.args(["--listen", "127.0.0.1:0", "--log", format, "--data-dir"]).arg(data);
        command.arg("--address-file").arg(&address);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut logged = String::new();
        while !logged.contains("listens on") {
            assert!(log.read_line(&mut logged).unwrap() > 0, "{logged}");
        }
        let url = std::fs::read_to_string(&address).unwrap();
        let host = url.trim().trim_start_matches("http://").to_owned();
        for request in REQUESTS {
            let mut connection = TcpStream::connect(&host).unwrap();
            connection.write_all(request).unwrap();
            connection.shutdown(Shutdown::Write).unwrap();
            // Whatever it answers, it has come to the end of this.
            let _ = connection.read_to_end(&mut Vec::new());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        log.read_to_string(&mut logged).unwrap();
        assert!(is_plain(&logged) && !logged.contains("FORGED"), "{logged}");
        assert!(logged.contains("answered"), "requests are logged at this level: {logged}");
    }
}

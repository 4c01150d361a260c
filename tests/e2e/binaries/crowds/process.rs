//! The server as a process, with few descriptors if need be, and looked at from outside.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::programs::program;

/// A crowd needs a descriptor for each of its connections.
pub(super) fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// A running server; killed when dropped.
pub(super) struct Server {
    child: Child,
    url: String,
    said: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// A new server on SQLite, which may have so many descriptors.
    pub(super) fn start(descriptors: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("address");
        let mut command = Command::new("sh");
        let limit = descriptors.map(|limit| format!("ulimit -n {limit} && ")).unwrap_or_default();
        command.args(["-c", &format!("{limit}exec \"$0\" \"$@\"")]).arg(program("lockstep-server"));
        command.args(["--listen", "127.0.0.1:0", "--signup", "open"]);
        command.arg("--data-dir").arg(folder.path().join("data")).arg("--address-file").arg(&address);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.by_ref().any(|line| line.contains("listens on")), "the server did not start");
        let said = Arc::new(Mutex::new(Vec::new()));
        let keep = said.clone();
        std::thread::spawn(move || lines.for_each(|line| keep.lock().unwrap().push(line)));
        let url = std::fs::read_to_string(&address).unwrap().trim().to_owned();
        Self { child, url, said, _folder: folder }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// Asks as a supervisor does, on a connection of its own.
    pub(super) async fn is_ready(&self) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let request = b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// The most memory that it ever held at once, in MiB.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    }

    /// Its log has no such line, and few of any.
    pub(super) fn said_nothing_of(&self, what: &str) {
        let said = self.said.lock().unwrap();
        assert!(!said.iter().any(|line| line.contains(what)), "{said:?}");
        assert!(said.len() < 2_000, "{} lines, the last of them {:?}", said.len(), said.last());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

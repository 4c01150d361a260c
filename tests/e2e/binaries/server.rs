//! The server as a process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockstep_store::postgres::testing::TestDatabase;
use lockstep_tests::Backend;

use super::programs::program;

/// A running server; killed when dropped.
pub(crate) struct ServerProcess {
    child: Child,
    folder: tempfile::TempDir,
    /// Without one, the store is the embedded one, in the folder.
    database: Option<TestDatabase>,
    url: String,
}

impl ServerProcess {
    /// A server with no account, on a port of the system's choice. Its store is a file, or as `LOCKSTEP_TEST_STORE` says.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = (Backend::chosen() == Some(Backend::Postgres)).then(TestDatabase::make);
        let (child, url) = launch(folder.path(), database.as_ref(), "127.0.0.1:0");
        Self { child, folder, database, url }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// A folder with all that it keeps: a database's tables are written there as they are now.
    pub(crate) fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        for (table, bytes) in self.database.as_ref().map(TestDatabase::contents).unwrap_or_default() {
            std::fs::write(data.join(format!("table {table}")), bytes).unwrap();
        }
        data
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same files and the same port.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let (child, url) = launch(self.folder.path(), self.database.as_ref(), &self.address());
        assert_eq!(url, self.url);
        self.child = child;
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &Path, database: Option<&TestDatabase>, listen: &str) -> (Child, String) {
    let address = folder.join("address");
    let mut child = Command::new(program("lockstep-server"))
        .args(["--listen", listen, "--signup", "open"])
        .arg("--data-dir")
        .arg(folder.join("data"))
        .arg("--address-file")
        .arg(&address)
        .args(database.map(|database| format!("--database={}", database.url())))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Vec<String> =
        lines.by_ref().map_while(Result::ok).take_while(|line| !line.contains("listens on")).collect();
    let url =
        std::fs::read_to_string(&address).unwrap_or_else(|_| panic!("the server did not start: {said:?}"));
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (child, url.trim().to_owned())
}

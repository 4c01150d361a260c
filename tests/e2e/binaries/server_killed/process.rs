//! The server as a process on either database, to be killed from any thread.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use lockstep_store::postgres::testing::TestDatabase;

use super::super::programs::program;
use super::Victim;

/// A server, and what it keeps.
pub(super) struct Server {
    folder: tempfile::TempDir,
    database: Option<TestDatabase>,
    child: Mutex<Child>,
    url: String,
}

impl Server {
    /// A new server on SQLite, or on a database of PostgreSQL.
    pub(super) fn start(database: Option<TestDatabase>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, url) = launch(&folder, database.as_ref(), "127.0.0.1:0");
        Self { folder, database, child: Mutex::new(child), url }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap()
    }
}

impl Victim for Server {
    fn url(&self) -> &str {
        &self.url
    }

    fn kill(&self) {
        // It may be dead already.
        let _ = self.child().kill();
    }

    fn start_again(&self) {
        self.kill();
        let mut child = self.child();
        child.wait().unwrap();
        let (again, url) =
            launch(&self.folder, self.database.as_ref(), self.url.trim_start_matches("http://"));
        assert_eq!(url, self.url);
        *child = again;
    }

    fn cut_sessions(&self) {
        self.database.as_ref().unwrap().with(|client| async move {
            let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()";
            client.batch_execute(sql).await.unwrap();
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        self.child().wait().unwrap();
    }
}

fn launch(folder: &tempfile::TempDir, database: Option<&TestDatabase>, listen: &str) -> (Child, String) {
    let address = folder.path().join("address");
    let mut command = Command::new(program("lockstep-server"));
    command.args(["--listen", listen, "--signup", "open"]);
    command.arg("--data-dir").arg(folder.path().join("data")).arg("--address-file").arg(&address);
    command.env_clear();
    // In the environment others cannot read the password, as they can in a list of processes.
    command.envs(database.map(|database| ("LOCKSTEP_DATABASE", database.url())));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Vec<String> =
        lines.by_ref().map_while(Result::ok).take_while(|line| !line.contains("listens on")).collect();
    let url =
        std::fs::read_to_string(&address).unwrap_or_else(|_| panic!("the server did not start: {said:?}"));
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (child, url.trim().to_owned())
}

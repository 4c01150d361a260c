//! A person's first days, measured step by step.

use std::path::PathBuf;
use std::time::Instant;

use lockstep_store::postgres::testing::TestDatabase;

use crate::export;
use crate::figure::Figures;
use crate::programs::{Server, lockstep};
use crate::proxy::{Proxy, Traffic};

/// Where the server keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of its own.
    Sqlite,
    /// A database of its own in the cluster that `LOCKSTEP_TEST_POSTGRES` names.
    Postgres,
}

/// Walks once, on a new server and new profiles.
pub(crate) fn run(database: Database, items: usize, figures: &mut Figures) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let own = (database == Database::Postgres).then(TestDatabase::make);
    let file = format!("sqlite:{}", folder.path().join("lockstep.db").display());
    let server = Server::start(folder.path(), &own.as_ref().map_or(file, TestDatabase::url));
    let proxy = Proxy::before(server.address());
    let export = folder.path().join("export.json");
    export::write(&export, items);
    let papers = folder.path().join("papers");
    let mut walk = Walk { home, server, proxy, figures };
    walk.go(export.to_str().unwrap(), papers.to_str().unwrap());
    // The server's connections end before its database is dropped.
    drop(walk);
}

struct Walk<'a> {
    home: PathBuf,
    server: Server,
    proxy: Proxy,
    figures: &'a mut Figures,
}

impl Walk<'_> {
    fn go(&mut self, export: &str, papers: &str) {
        let url = self.proxy.url().to_owned();
        let sign_up = ["signup", "--server", &url, "--kit-dir", papers, "--device-name", "laptop"];
        self.step("sign-up", "laptop", &sign_up);
        self.step("import with its sync", "laptop", &["import", export, "--format", "bitwarden-json"]);
        let kit = format!("{papers}/lockstep-emergency-kit.txt");
        let sign_in = ["signin", "--yes", "--kit", &kit, "--device-name", "phone"];
        let begun = Instant::now();
        self.step("sign-in with first sync", "phone", &sign_in);
        self.split_sign_in(begun);
        self.step("sync, nothing new", "phone", &["sync"]);
        self.step("add one item with its sync", "laptop", &["add", "--title", "New", "--username", "ann"]);
        self.step("sync after one addition", "phone", &["sync"]);
        self.step("edit one item with its sync", "laptop", &["edit", "New", "--set", "username=anna"]);
        self.step("sync after one change", "phone", &["sync"]);
        self.step("list", "phone", &["list", "--offline"]);
        self.step("show one item", "phone", &["get", "--offline", "New"]);
        self.step("unlock", "phone", &["unlock", "--minutes", "10"]);
        self.step("unlocked: sync, nothing new", "phone", &["sync"]);
        self.step(
            "unlocked: edit one item with its sync",
            "phone",
            &["edit", "New", "--set", "username=anne"],
        );
        self.step("unlocked: list", "phone", &["list", "--offline"]);
        self.step("lock", "phone", &["lock"]);
    }

    fn step(&mut self, name: &str, profile: &str, arguments: &[&str]) {
        self.proxy.forget();
        self.server.forget_memory();
        let cost = lockstep(&self.home, profile, arguments);
        let Traffic { sent, received, .. } = self.proxy.traffic();
        let server = self.server.memory();
        let figures = [cost.seconds, cost.processor, cost.memory, server, kib(sent), kib(received)];
        self.figures.add(name, figures);
    }

    /// Signing in fetches the items, and then, to name the device in the vault, all commits before them: it verifies them
    /// once, before its first own one.
    fn split_sign_in(&mut self, begun: Instant) {
        let (middle, end) = (self.proxy.traffic_before_history().unwrap(), self.proxy.traffic());
        let none = f64::NAN;
        let seconds = (middle.at - begun).as_secs_f64();
        let first = [seconds, none, none, none, kib(middle.sent), kib(middle.received)];
        self.figures.add("– of it up to the items", first);
        let seconds = (end.at - middle.at).as_secs_f64();
        let (sent, received) = (end.sent - middle.sent, end.received - middle.received);
        self.figures.add("– of it the history", [seconds, none, none, none, kib(sent), kib(received)]);
    }
}

fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1_024.0
}

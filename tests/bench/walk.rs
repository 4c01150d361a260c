//! A person's first days, measured step by step.

use crate::export;
use crate::figure::Figures;
use crate::programs::{Cost, Server, lockstep};
use crate::proxy::Proxy;

/// Walks once, on a new server and new profiles.
pub(crate) fn run(database: &str, items: usize, figures: &mut Figures) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let url = match database {
        "sqlite" => format!("sqlite:{}", folder.path().join("lockstep.db").display()),
        url => url.to_owned(),
    };
    let server = Server::start(folder.path(), &url);
    let proxy = Proxy::before(server.address());
    let file = folder.path().join("export.json");
    export::write(&file, items);
    let (file, papers) = (file.to_str().unwrap(), folder.path().join("papers"));
    let papers = papers.to_str().unwrap();
    let kit = format!("{papers}/lockstep-emergency-kit.txt");

    let mut step = |name: &str, profile: &str, arguments: &[&str]| {
        proxy.take_bytes();
        let Cost { seconds, memory } = lockstep(&home, profile, arguments);
        figures.add(name, "s", seconds);
        figures.add(name, "MiB", memory);
        figures.add(name, "KiB on the wire", proxy.take_bytes() as f64 / 1_024.0);
    };
    let sign_up = ["signup", "--server", proxy.url(), "--kit-dir", papers, "--device-name", "laptop"];
    step("sign-up", "laptop", &sign_up);
    step("import with its sync", "laptop", &["import", file, "--format", "bitwarden-json"]);
    let sign_in = ["signin", "--yes", "--kit", &kit, "--device-name", "phone"];
    step("sign-in with first sync", "phone", &sign_in);
    step("sync, nothing new", "phone", &["sync"]);
    step("add one item with its sync", "laptop", &["add", "--title", "New", "--username", "ann"]);
    step("sync after one change", "phone", &["sync"]);
    step("list", "phone", &["list", "--offline"]);
    step("show one item", "phone", &["get", "--offline", "New"]);
    step("unlock", "phone", &["unlock", "--minutes", "10"]);
    step("sync, unlocked", "phone", &["sync"]);
    step("list, unlocked", "phone", &["list", "--offline"]);
    step("lock", "phone", &["lock"]);
    figures.add("server, most memory", "MiB", server.memory());
}

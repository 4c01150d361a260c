//! Who may import whom inside a crate: the floors of its house, as its `use` lines and paths name them.
//!
//! A row is a module of the folder and what it may import; rows stand bottom up, and a row names only rows above it on
//! the page, so there are no circles. A module without a row is at the top: nobody but the folder's root imports it.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Source, expect_none, sources};

/// A folder, and of each of its modules what it may import.
type Table = (&'static str, &'static [(&'static str, &'static str)]);

const TABLES: &[Table] = &[
    (
        "proto/src",
        &[
            ("seeded", ""),
            ("bytes", ""),
            ("canon", "seeded"),
            ("ids", "bytes canon"),
            ("hash", "ids"),
            ("digest", "canon hash ids"),
            ("sign", "bytes canon hash ids seeded"),
            ("wrap", "canon hash ids"),
            ("blob", "canon hash ids"),
            ("signin", "canon hash ids seeded sign"),
            ("log", "bytes canon digest hash ids seeded sign signin"),
            ("bar", "canon ids log sign"),
            ("api", "blob bytes ids log sign signin"),
        ],
    ),
    (
        "client/crypto/src",
        &[
            ("padme", ""),
            ("stack", ""),
            ("secret_bytes", ""),
            ("random", "secret_bytes"),
            ("kdf", "secret_bytes"),
            ("keys", "kdf random secret_bytes"),
            ("hedge", "kdf keys random"),
            ("envelope", "hedge kdf keys padme secret_bytes stack"),
            ("item", "envelope hedge keys"),
            ("kem", "envelope keys random secret_bytes stack"),
            ("device", "kdf kem keys random"),
            ("printed", ""),
            ("secret_key", "kdf keys printed random secret_bytes"),
            ("recovery_key", "kdf kem printed random secret_bytes"),
            ("kit", "printed recovery_key secret_key"),
            ("password", "kdf secret_bytes secret_key"),
            ("stretch", "kdf"),
            ("opaque", "password random stretch"),
            ("password_key", "kdf keys opaque secret_bytes"),
            ("slots", "envelope hedge kem keys password_key secret_key"),
            ("pairing", "device envelope hedge kdf kem keys kit printed random secret_bytes secret_key"),
        ],
    ),
    (
        "client/core/src",
        &[
            ("ports", ""),
            ("item", ""),
            ("tools", "item ports"),
            ("api", "ports tools"),
            ("account", "api ports"),
            ("vault", "account item ports"),
            ("sync", "account api item ports vault"),
            ("client", "account api item ports sync vault"),
        ],
    ),
    (
        "server/domain/src",
        &[
            ("ports", ""),
            ("caller", ""),
            ("cache", ""),
            ("store", ""),
            ("limits", "ports"),
            ("signin", "limits ports store"),
            ("secrets", "ports signin"),
            ("services", "cache caller limits ports secrets signin store"),
        ],
    ),
    (
        "server/store/src",
        &[
            ("error", ""),
            ("url", ""),
            ("inspect", ""),
            ("sqlite", "error inspect"),
            ("postgres", "error inspect url"),
        ],
    ),
    (
        "server/src",
        &[
            ("forwarded", ""),
            ("peer", "forwarded"),
            ("limits", "peer"),
            ("events", "limits peer"),
            ("under_way", "peer"),
            ("hosts", ""),
            ("jwt", ""),
            ("budget", "limits peer"),
            ("front", "budget hosts peer"),
            ("error", "limits"),
            ("format", "error"),
            ("readiness", "error"),
            ("app", "budget error events front jwt limits peer readiness under_way"),
            ("connections", "app front limits peer"),
            ("extract", "app budget connections error events format jwt limits peer under_way"),
            ("handlers", "app error events extract format"),
            ("routes", "app budget error extract handlers"),
            ("problems", "app error limits routes"),
            ("visitor", "app error hosts limits routes"),
            ("telemetry", ""),
            ("http_app", "app connections problems routes telemetry visitor"),
            ("entrance", "app connections http_app"),
            ("storage", "app"),
            ("history", "app"),
            ("descriptors", ""),
            ("secrets_file", ""),
            ("system", ""),
            ("tls", ""),
            ("config", "budget front hosts peer storage telemetry"),
            ("health", "config"),
            ("doctor", "config health secrets_file system tls"),
            ("serve", "app connections descriptors entrance front"),
        ],
    ),
];

/// A file, the module that it imports although its row does not allow it, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "client/core/src/sync/join.rs",
    "client",
    "what a person is shown of two histories, which goes with the joins",
)];

/// A file of a folder imports a module of it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    file: String,
    from: String,
    to: String,
}

#[test]
fn no_folder_imports_upwards() {
    let sources = sources();
    let (mut offences, mut used) = (Vec::new(), BTreeSet::new());
    for (folder, rows) in TABLES {
        for Import { file, from, to } in imports_inside(&sources, folder) {
            let row = |module: &str| rows.iter().find(|(name, _)| *name == module);
            let may = |(_, may): &(&str, &str)| may.split(' ').any(|name| name == to);
            if row(&to).is_some() && row(&from).is_none_or(may) {
                continue;
            }
            let except = EXCEPTIONS.iter().position(|(path, module, _)| *path == file && *module == to);
            if except.is_none_or(|index| !used.insert(index)) {
                offences.push(format!("{file} imports {to}, {from} must not"));
            }
        }
    }
    for (index, (file, to, _)) in EXCEPTIONS.iter().enumerate() {
        if !used.contains(&index) {
            offences.push(format!("{file} no longer imports {to}: the exception goes"));
        }
    }
    expect_none("the import tables of folders", &offences);
}

#[test]
fn import_tables_name_what_is_there_bottom_up() {
    let sources = sources();
    let mut offences = Vec::new();
    for (folder, rows) in TABLES {
        let modules = modules(&sources, folder);
        for (index, (name, may)) in rows.iter().enumerate() {
            if !modules.contains(*name) {
                offences.push(format!("{folder} has no {name}"));
            }
            for below in may.split(' ').filter(|below| !below.is_empty()) {
                if !rows[..index].iter().any(|(name, _)| *name == below) {
                    offences.push(format!(
                        "{folder}: {name} may not be granted {below}, which is no row before it"
                    ));
                }
            }
        }
        for module in modules {
            let is_folder =
                sources.iter().any(|source| source.path.starts_with(&format!("{folder}/{module}/")));
            if is_folder && module != "tests" && !rows.iter().any(|(name, _)| *name == module) {
                offences.push(format!("{folder}/{module} has no row"));
            }
        }
    }
    expect_none("import tables are true", &offences);
}

/// The modules that a folder's files and folders are.
fn modules(sources: &[Source], folder: &str) -> BTreeSet<String> {
    let below = sources.iter().filter_map(|source| source.path.strip_prefix(folder)?.strip_prefix('/'));
    let first = below.map(|path| path.split('/').next().unwrap().trim_end_matches(".rs").to_owned());
    first.filter(|name| !["lib", "main", "mod"].contains(&name.as_str())).collect()
}

/// Every import between two modules of a folder, outside tests. What the folder's root re-exports is the module's that
/// it comes from.
fn imports_inside(sources: &[Source], folder: &str) -> BTreeSet<Import> {
    let modules = modules(sources, folder);
    let root = module_path(&format!("{folder}/mod.rs"));
    let re_exports = re_exports(sources, folder);
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.path.starts_with(&format!("{folder}/"))) {
        let own = module_path(&source.path);
        let Some(from) = own.get(root.len()) else { continue };
        for path in paths(&code(source), &own) {
            let Some(name) = path.strip_prefix(root.as_slice()).and_then(|rest| rest.first()) else {
                continue;
            };
            let to = if modules.contains(name) { Some(name) } else { re_exports.get(name) };
            if let Some(to) = to.filter(|to| *to != from) {
                let file = source.path.clone();
                found.insert(Import { file, from: from.clone(), to: to.clone() });
            }
        }
    }
    found
}

/// What `pub use module::{…}` in a folder's root makes its own, by name.
fn re_exports(sources: &[Source], folder: &str) -> BTreeMap<String, String> {
    let roots = [format!("{folder}/lib.rs"), format!("{folder}/mod.rs"), format!("{folder}.rs")];
    let mut found = BTreeMap::new();
    for source in sources.iter().filter(|source| roots.contains(&source.path)) {
        for statement in code(source).split(';') {
            let Some((_, tree)) =
                statement.split_once("pub use ").or(statement.split_once("pub(crate) use "))
            else {
                continue;
            };
            let tree = tree.trim().trim_start_matches("self::");
            let mut leaves = Vec::new();
            use_tree(&mut tree.chars().peekable(), &mut Vec::new(), &mut leaves);
            for leaf in leaves.into_iter().filter(|leaf| leaf.len() > 1) {
                found.insert(leaf[leaf.len() - 1].clone(), leaf[0].clone());
            }
        }
    }
    found
}

/// The text outside tests and comments.
fn code(source: &Source) -> String {
    let lines = source.production_lines().into_iter();
    lines.filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// Where a file's code stands in its crate.
fn module_path(path: &str) -> Vec<String> {
    let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
    let names = inside.trim_end_matches(".rs").split('/');
    names.filter(|name| !["lib", "main", "mod"].contains(name)).map(str::to_owned).collect()
}

/// Every path that begins with `crate::` or `super::`, from the crate's root on.
fn paths(code: &str, own: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before)) {
                continue;
            }
            let mut leaves = Vec::new();
            use_tree(&mut code[at..].chars().peekable(), &mut Vec::new(), &mut leaves);
            found.extend(leaves.into_iter().map(|leaf| absolute(&leaf, own)));
        }
    }
    found
}

/// `crate::…` and `super::…` of a module, from the crate's root on.
fn absolute(path: &[String], own: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let base = if ups == 0 { &[][..] } else { &own[..own.len().saturating_sub(ups)] };
    let rest = path.iter().skip_while(|name| ["crate", "super", "self"].contains(&name.as_str()));
    base.iter().chain(rest).cloned().collect()
}

/// Reads one path or `use` tree and adds its leaves, each behind `prefix`.
fn use_tree(
    text: &mut std::iter::Peekable<std::str::Chars<'_>>,
    prefix: &mut Vec<String>,
    leaves: &mut Vec<Vec<String>>,
) {
    let depth = prefix.len();
    loop {
        while text.next_if(|next| next.is_whitespace()).is_some() {}
        if text.next_if_eq(&'{').is_some() {
            loop {
                use_tree(text, prefix, leaves);
                while text.next_if(|next| !",}".contains(*next)).is_some() {}
                if text.next() != Some(',') {
                    break;
                }
            }
            break;
        }
        let mut name = String::new();
        while let Some(next) = text.next_if(|next| next.is_alphanumeric() || *next == '_') {
            name.push(next);
        }
        if !name.is_empty() {
            prefix.push(name);
        }
        if text.next_if_eq(&':').is_none() || text.next_if_eq(&':').is_none() {
            if prefix.len() > depth {
                leaves.push(prefix.clone());
            }
            break;
        }
    }
    prefix.truncate(depth);
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let own = ["sync", "tests"].map(str::to_owned);
    let read = |code: &str| -> Vec<String> { paths(code, &own).iter().map(|path| path.join("::")).collect() };
    assert_eq!(
        read("use crate::vault::{self, names, pins::{History, Pin as P}};"),
        ["vault::self", "vault::names", "vault::pins::History", "vault::pins::Pin"]
    );
    assert_eq!(
        read("use crate::{account::Unlocked, ports::Ports,\n};"),
        ["account::Unlocked", "ports::Ports"]
    );
    assert_eq!(
        read("fn a(b: super::super::item::Document) -> super::Plan {}"),
        ["item::Document", "sync::Plan"]
    );
    assert_eq!(read("pub(crate) use lockstep_proto::crate::a; x_crate::b"), Vec::<String>::new());
}

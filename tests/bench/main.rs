//! First figures: what a person waits for, and what it costs, at 10,000 items.
//!
//! Whole processes of the release build, as a person runs them, against a server of their own behind a proxy that
//! counts bytes. Prints medians, and the least and the most of all runs: time from start to end, the client's time of
//! processor, the most memory of client and server in this step, and bytes both ways. A command that has to unlock
//! stretches the password first: a constant time and the most of a small command's memory. Not a test: machines differ,
//! and a figure is only worth something beside another one of the same run.
//!
//! ```text
//! cargo build --release --bins
//! .ci/postgres cargo bench -p lockstep-tests --bench figures -- [--items N] [--runs N] [--database NAME]…
//! ```
//!
//! `NAME` is `sqlite` (a file of its own) or `postgres` (a database of its own in the cluster that
//! `LOCKSTEP_TEST_POSTGRES` names); without it the walk goes over both. Files are below `TMPDIR`, and what that disk
//! needs to make a write durable is a part of the time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, reason = "what passes is measured by the clock of this machine")]

mod export;
mod figure;
mod programs;
mod proxy;
mod walk;

use figure::Figures;
use lockstep_store::postgres::testing::VARIABLE;
use walk::Database;

struct Wanted {
    items: usize,
    runs: usize,
    databases: Vec<Database>,
}

fn main() {
    let wanted = wanted();
    let cluster = std::env::var_os(VARIABLE);
    assert!(
        !wanted.databases.contains(&Database::Postgres) || cluster.is_some(),
        "{VARIABLE} names no PostgreSQL cluster: run this by `just bench`, or with `--database sqlite`"
    );
    for database in wanted.databases {
        let mut figures = Figures::default();
        for _ in 0..wanted.runs {
            walk::run(database, wanted.items, &mut figures);
        }
        println!("{} items, {database:?}, {} runs\n", wanted.items, wanted.runs);
        println!("{figures}");
    }
}

fn wanted() -> Wanted {
    let mut wanted = Wanted { items: 10_000, runs: 3, databases: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
        match argument.as_str() {
            "--items" => wanted.items = value().parse().expect("a number of items"),
            "--runs" => wanted.runs = value().parse().expect("a number of runs"),
            "--database" => wanted.databases.push(match value().as_str() {
                "sqlite" => Database::Sqlite,
                "postgres" => Database::Postgres,
                other => panic!("{other} is no database: sqlite or postgres"),
            }),
            // What cargo adds.
            "--bench" => {}
            other => panic!("{other} is not known: --items N, --runs N, --database sqlite|postgres"),
        }
    }
    if wanted.databases.is_empty() {
        wanted.databases = vec![Database::Sqlite, Database::Postgres];
    }
    wanted
}

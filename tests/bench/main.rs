//! First figures: what a person waits for, and what it costs, at 10,000 items.
//!
//! Whole processes of the release build, as a person runs them, against a server of their own behind a proxy that
//! counts bytes. Prints medians, and the least and the most of all runs. Not a test: machines differ, and a figure is
//! only worth something beside another one of the same run.
//!
//! ```text
//! cargo build --release --bins
//! cargo bench -p lockstep-tests --bench figures -- [--items N] [--runs N] [--database URL]…
//! ```
//!
//! `URL` is `sqlite` (a file of its own, the default) or `postgres` (a database of its own in the cluster that
//! `LOCKSTEP_TEST_POSTGRES` names).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod export;
mod figure;
mod programs;
mod proxy;
mod walk;

use figure::Figures;

struct Wanted {
    items: usize,
    runs: usize,
    databases: Vec<String>,
}

fn main() {
    let wanted = wanted();
    for database in &wanted.databases {
        let mut figures = Figures::default();
        for _ in 0..wanted.runs {
            walk::run(database, wanted.items, &mut figures);
        }
        println!("{} items, {database}, {} runs", wanted.items, wanted.runs);
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
            "--database" => wanted.databases.push(value()),
            // What cargo adds.
            "--bench" => {}
            other => panic!("{other} is not known: --items N, --runs N, --database sqlite|postgres"),
        }
    }
    if wanted.databases.is_empty() {
        wanted.databases.push("sqlite".to_owned());
    }
    wanted
}

//! The clock: history is kept and sessions end by it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use lockstep_store::StoreUrl;

use super::report::Report;
use crate::config::Config;

/// No server of this version ran before: November 2026, in milliseconds since 1970.
const EARLIEST_MS: u64 = 1_793_491_200_000;
/// How far two clocks may be apart, in milliseconds.
const APART_MS: u64 = 30_000;

const CLOCK: &str = "clock";

/// Whether it can be right: not before this program was made, not before what it wrote, and as the database says.
pub(super) fn check(config: &Config, now_ms: u64, database_ms: Option<u64>, report: &mut Report) {
    let written_ms = match &config.database {
        StoreUrl::Sqlite(path) => last_written(path),
        StoreUrl::Postgres(_) | StoreUrl::Memory => None,
    };
    let mend = |why: &str| format!("{why}: set the machine's clock, and let a time service (NTP) keep it");
    if now_ms < EARLIEST_MS {
        report.mend(CLOCK, mend("it says a day before this program was made"));
    } else if written_ms.is_some_and(|written| written > now_ms + APART_MS) {
        report.mend(CLOCK, mend("it is behind what the database's file was written at"));
    } else if database_ms.is_some_and(|database| database.abs_diff(now_ms) > APART_MS) {
        report.mend(CLOCK, mend("it is more than 30 seconds from the database's clock"));
    } else {
        report.fine(CLOCK, "plausible");
    }
}

fn last_written(path: &Path) -> Option<u64> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok().map(in_ms)
}

fn in_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

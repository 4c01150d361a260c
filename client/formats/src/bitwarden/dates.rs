//! The dates of a record: what can be read is a time, what cannot is named and exported again as it is.

use serde_json::Value as Json;

use super::import::ImportContext;
use super::report::Problem;
use crate::time::{ReadDate, read_date};

/// What a date is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatedPart {
    /// The record's creation.
    Creation,
    /// Its last revision.
    Revision,
    /// When it was archived.
    Archive,
    /// When it was deleted.
    Deletion,
    /// The last use of a former password.
    FormerPassword,
    /// The creation of a passkey.
    Passkey,
}

impl DatedPart {
    /// What to tell where the date cannot be read.
    pub(super) fn unreadable(self) -> &'static str {
        match self {
            Self::Creation => "its creation date cannot be read; it is exported again as it is",
            Self::Revision => {
                "its revision date cannot be read; that of its creation or 1970 is taken, and the export keeps it"
            }
            Self::Archive => {
                "the date of its archiving cannot be read; it is archived, as from its last revision, and the export \
                 keeps the date"
            }
            Self::Deletion => {
                "its deletion date cannot be read; it is in the trash, as from its last revision, and the export \
                 keeps the date"
            }
            Self::FormerPassword => {
                "the date of a former password cannot be read; that password counts as the oldest"
            }
            Self::Passkey => "the date of a passkey cannot be read; it is exported again as it is",
        }
    }
}

/// Times of a record, in milliseconds since 1970.
pub(super) struct Dates {
    /// Its last revision, else its creation, never later than now.
    pub(super) revised: u64,
    pub(super) created: Option<u64>,
    pub(super) archived: Option<u64>,
    /// `None` for a record that is not in the trash.
    pub(super) deleted: Option<u64>,
}

/// The dates of a record; those that cannot be read are added to `problems`.
pub(super) fn read_dates(record: &Json, context: &ImportContext, problems: &mut Vec<Problem>) -> Dates {
    let mut read = |member: &str, part| {
        let json = record.get(member);
        // An empty text says nothing, except that something was deleted: that is null otherwise.
        let says_nothing = part != DatedPart::Deletion && json.and_then(Json::as_str) == Some("");
        let date = if says_nothing { ReadDate::Absent } else { read_date(json) };
        if date == ReadDate::Unreadable {
            problems.push(Problem::UnreadableDate { part });
        }
        date
    };
    let created = read("creationDate", DatedPart::Creation).ms();
    let revised = read("revisionDate", DatedPart::Revision).ms().or(created).unwrap_or(0);
    let (archived, deleted) =
        (read("archivedDate", DatedPart::Archive), read("deletedDate", DatedPart::Deletion));
    if revised > context.now_ms {
        problems.push(Problem::FutureDate);
    }
    // Whatever stands there means that the record was archived or deleted; only the time may be unknown.
    let since = |date, else_since| match date {
        ReadDate::Absent => None,
        ReadDate::At(ms) => Some(ms),
        ReadDate::Unreadable => Some(else_since),
    };
    // A field's value comes from the record alone: it must not depend on when somebody reads it.
    let archived = since(archived, revised);
    let revised = revised.min(context.now_ms);
    read_inner_dates(record, problems);
    Dates { revised, created, archived, deleted: since(deleted, revised) }
}

/// When a former password was last used.
pub(super) fn last_used(entry: &Json) -> u64 {
    read_date(entry.get("lastUsedDate")).ms().unwrap_or(0)
}

/// Names the dates of former passwords and passkeys that cannot be read, each kind once.
fn read_inner_dates(record: &Json, problems: &mut Vec<Problem>) {
    let login = record.get("login");
    for (list, member, part) in [
        (record.get("passwordHistory"), "lastUsedDate", DatedPart::FormerPassword),
        (login.and_then(|login| login.get("fido2Credentials")), "creationDate", DatedPart::Passkey),
    ] {
        let elements = list.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let unreadable = |element: &Json| {
            let json = element.get(member);
            json.and_then(Json::as_str) != Some("") && read_date(json) == ReadDate::Unreadable
        };
        if elements.iter().any(unreadable) {
            problems.push(Problem::UnreadableDate { part });
        }
    }
}

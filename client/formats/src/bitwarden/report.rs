//! What an import tells its user.

use std::fmt;

use lockstep_client::client::ImportItem;
use lockstep_client::item::reimport::Origin;
use lockstep_client::item::source::Seen;
use lockstep_client::item::{Document, ItemError};
use lockstep_proto::ids::ItemId;

use super::dates::DatedPart;
use super::remark::FileRemark;
use crate::Place;

/// The program of Bitwarden's records: what item ids are derived from, and what documents remember it by.
pub const SOURCE_KIND: &str = "bitwarden";

/// One record as a document.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedRecord {
    /// The record's place in the file, from 0.
    pub index: usize,
    /// Which record it is, a pure function of the file, and how old it is. It derives the item's id.
    pub origin: Origin,
    /// The document.
    pub document: Document,
    /// For a record that Lockstep exported: the item, and what it said then.
    pub own: Option<(ItemId, Seen)>,
}

impl From<ImportedRecord> for ImportItem {
    fn from(record: ImportedRecord) -> Self {
        let ImportedRecord { origin, document, own, .. } = record;
        Self { origin, document, own }
    }
}

/// A folder of the export; its name is the tag of its items.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedFolder {
    /// Bitwarden's id.
    pub id: String,
    /// The name, `/` for nesting, kept as it is.
    pub name: String,
    /// Records in it.
    pub items: usize,
}

/// Something that a person may want to know about one record.
#[derive(Clone, PartialEq, Eq)]
pub struct ItemProblem {
    /// The record's place in the file, from 0.
    pub index: usize,
    /// Its title, where it has one. Do not log it.
    pub name: Option<String>,
    /// What it is.
    pub problem: Problem,
}

impl fmt::Debug for ItemProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}: {:?}", self.index, self.problem)
    }
}

/// Kinds of problems. All but those for which [`Problem::is_skipped`] holds left the record imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No JSON object.
    #[error("this entry is no item; it was left out")]
    NotAnItem,
    /// No JSON, even when mended.
    #[error("this entry, at {at}, is damaged and cannot be read; it was left out")]
    Unreadable {
        /// Where it begins.
        at: Place,
    },
    /// The file ends within it.
    #[error("the file ends within this entry, which begins at {at}; it was left out")]
    Incomplete {
        /// Where it begins.
        at: Place,
    },
    /// Nested beyond all reason.
    #[error("this entry, at {at}, is nested too deeply; it was left out")]
    NestedTooDeeply {
        /// Where it begins.
        at: Place,
    },
    /// Longer than any item can be.
    #[error("this entry, at {at}, is longer than any item can be; it was left out")]
    TooLong {
        /// Where it begins.
        at: Place,
    },
    /// Beyond the limits of an item.
    #[error("this item could not be imported and was left out: {0}")]
    Refused(#[source] ItemError),
    /// A kind that Lockstep does not know.
    #[error("{}; everything in it is kept and exported again", unknown_kind(.number))]
    UnknownKind {
        /// Bitwarden's number, or `?` where there is none.
        number: String,
    },
    /// Bytes that are no UTF-8.
    #[error("some bytes in it are no UTF-8 and were read as Windows-1252: check its special characters")]
    NotUtf8,
    /// Lone surrogates.
    #[error("a character in it was cut in half, and what is left of it is shown as \u{fffd}")]
    HalfCharacters,
    /// Escapes that JSON does not have.
    #[error("a backslash in it stands before a character that needs none; both are kept as they stand")]
    UnknownEscape,
    /// Numbers that no computer holds.
    #[error("a number in it is too large or too exact to be kept as a number; it is kept as text")]
    NumberAsText,
    /// A name that stands twice in one object.
    #[error(
        "`{member}` stands in it more than once: the last value is shown, the others are in every export as \
         `{member} (1)` and so on"
    )]
    RepeatedMember {
        /// The member's name.
        member: String,
    },
    /// A date in no form that can be read, or not from 1970 to 9999.
    #[error("{}", .part.unreadable())]
    UnreadableDate {
        /// Of what.
        part: DatedPart,
    },
    /// More former passwords than a document keeps.
    #[error(
        "of its former passwords the newest {kept} are in its history; the {older} older ones are only in the export, \
         and only until its password is changed"
    )]
    OlderPasswords {
        /// Former passwords that the document keeps.
        kept: usize,
        /// Those beyond.
        older: usize,
    },
    /// A collection id that the export does not define.
    #[error("a collection of it is not in this export; the item is kept without that tag")]
    MissingCollection,
    /// A collection name that cannot be a tag.
    #[error("the name of a collection of it is too long for a tag; the item is kept without it")]
    CollectionName,
    /// A file of the zip archive that belongs to it.
    #[error("its attachment `{file}` was left out: Lockstep keeps no files yet")]
    Attachment {
        /// The file's name.
        file: String,
    },
    /// A folder id that the export does not define.
    #[error("its folder is not in this export; the item is kept without a tag")]
    MissingFolder,
    /// A folder name that cannot be a tag.
    #[error("the name of its folder is too long for a tag; the item is kept without it")]
    FolderName,
    /// A TOTP secret that no code can be made from.
    #[error("its one-time password secret is not usable; it is kept as it is")]
    UnusableTotp,
    /// Revised later than now.
    #[error("it was revised in the future by its own account; it is kept with the time of this import")]
    FutureDate,
    /// Different records with one id.
    #[error("its id is that of {others} more of this export; each of them is an item of its own")]
    SharedId {
        /// How many others there are.
        others: usize,
    },
    /// A record that is there twice.
    #[error("it is exactly the same as entry {} of this export; both are one item", .first + 1)]
    Repeated {
        /// The other one's place in the file, from 0.
        first: usize,
    },
}

impl Problem {
    /// Whether the record was left out.
    pub fn is_skipped(&self) -> bool {
        matches!(
            self,
            Self::NotAnItem
                | Self::Refused(_)
                | Self::Unreadable { .. }
                | Self::Incomplete { .. }
                | Self::NestedTooDeeply { .. }
                | Self::TooLong { .. }
        )
    }

    /// Whether something was left out: the record, or a file of it.
    pub fn leaves_out(&self) -> bool {
        self.is_skipped() || matches!(self, Self::Attachment { .. })
    }
}

/// The outcome of an import: every record of the file is in `records`, or in `problems` as skipped
/// or repeated.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// What was imported, in the file's order.
    pub records: Vec<ImportedRecord>,
    /// What to tell, in the file's order.
    pub problems: Vec<ItemProblem>,
    /// The folders, in the file's order. Those with no items exist nowhere else: tags are on items only.
    pub folders: Vec<ImportedFolder>,
    /// Members of the file itself that were left out: they cannot be read, or this version does not know them.
    pub left_out: Vec<String>,
    /// What to tell about the file.
    pub remarks: Vec<FileRemark>,
}

impl ImportReport {
    /// Whether all that the file says was imported.
    pub fn is_complete(&self) -> bool {
        let told = self.problems.iter().any(|told| told.problem.leaves_out());
        !told && self.left_out.is_empty() && !self.remarks.iter().any(FileRemark::leaves_out)
    }
}

impl fmt::Debug for ImportedFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder with {} items", self.items)
    }
}

fn unknown_kind(number: &str) -> String {
    match number {
        "?" => "its kind is missing or is no number".to_owned(),
        number => format!("Lockstep does not know items of kind {number}"),
    }
}

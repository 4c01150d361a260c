//! What an import tells its user.

use std::fmt;

use lockstep_client::client::ImportItem;
use lockstep_client::item::reimport::Origin;
use lockstep_client::item::source::Seen;
use lockstep_client::item::{Document, ItemError};
use lockstep_proto::ids::ItemId;

/// The program of Bitwarden's records: what item ids are derived from, and what documents remember it by.
pub const SOURCE_KIND: &str = "bitwarden";

/// The export as a whole cannot be read. Nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Larger than any import may be.
    #[error("the file has {found} bytes, more than the {limit} an import may have; nothing was imported")]
    TooLarge {
        /// Bytes of the file.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not JSON, or nested more than 127 levels deep.
    #[error(
        "the file is not JSON; nothing was imported: choose the .json file that Bitwarden's export wrote"
    )]
    NotJson(#[source] serde_json::Error),
    /// An encrypted export.
    #[error(
        "this is an encrypted export, which only Bitwarden can read; nothing was imported: export again as unencrypted .json"
    )]
    Encrypted,
    /// JSON of something else.
    #[error("this JSON has no list of items, so it is no Bitwarden export; nothing was imported")]
    NotAnExport,
}

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
    /// Beyond the limits of an item.
    #[error("this item could not be imported and was left out: {0}")]
    Refused(#[source] ItemError),
    /// A kind that Lockstep does not know.
    #[error("Lockstep does not know items of kind {number}; everything in it is kept and exported again")]
    UnknownKind {
        /// Bitwarden's number, or `?` where there is none.
        number: String,
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
        matches!(self, Self::NotAnItem | Self::Refused(_))
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
    /// Members of the file itself that were left out (`collections` and what later versions add).
    pub left_out: Vec<String>,
}

impl fmt::Debug for ImportedFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder with {} items", self.items)
    }
}

//! Reading an export back.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::source::{FieldHash, Seen};
use lockstep_client::item::views::field;
use lockstep_client::item::{Document, Entry, is_inner};
use lockstep_proto::ids::ItemId;

use super::error::ImportError;
use super::import::{ImportContext, import_bitwarden_json};
use crate::loss::{self, Loss};

/// An item that a file does not hold as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The item.
    pub item_id: ItemId,
    /// Its title. Do not log it.
    pub title: String,
    /// The fields that differ, in the order of their keys; `None` where the file does not hold the item.
    pub fields: Option<Vec<String>>,
}

/// What of these items is not in an export of them: the file is imported as into another vault, and every live field of
/// every item, and whether it is in the trash, is compared.
///
/// # Errors
/// [`ImportError`] where the file cannot be read at all.
pub fn check_bitwarden_json<'d>(
    bytes: &[u8],
    items: impl IntoIterator<Item = (ItemId, &'d Document)>,
) -> Result<Vec<Difference>, ImportError> {
    let report = import_bitwarden_json(bytes, &ImportContext { now_ms: u64::MAX })?;
    let own = report.records.iter().filter_map(|record| Some((record.own.as_ref()?.0, &record.document)));
    let found: BTreeMap<ItemId, &Document> = own.collect();
    let difference = |(item_id, document): (ItemId, &Document)| {
        let fields = found.get(&item_id).map(|read| differing(document, read));
        let is_whole = fields.as_ref().is_some_and(Vec::is_empty);
        (!is_whole).then(|| Difference { item_id, title: document.name().to_owned(), fields })
    };
    Ok(items.into_iter().filter_map(difference).collect())
}

/// What an export of these items leaves behind.
pub fn bitwarden_losses<'d>(items: impl IntoIterator<Item = (ItemId, &'d Document)>) -> Vec<Loss> {
    let keeps = |key: &str, entry: &Entry| key == field::PASSWORD && entry.value().as_text().is_some();
    loss::losses(items, keeps)
}

fn differing(one: &Document, two: &Document) -> Vec<String> {
    let (one, two) = (content(one), content(two));
    let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != two.get(*key)).cloned().collect()
}

fn content(document: &Document) -> BTreeMap<String, FieldHash> {
    Seen::of(document).0.into_iter().filter(|(key, _)| !is_inner(key)).collect()
}

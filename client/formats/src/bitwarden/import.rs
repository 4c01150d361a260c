//! Import of a whole export.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::collections::Places;
use super::elements::text;
use super::error::ImportError;
use super::known::{Found, content, identified};
use super::legacy::modernise;
use super::read::{Named, NamedThing, SourceRecord, read_export, shortened};
use super::record::read_record;
use super::report::{ImportReport, ImportedFolder, ItemProblem, Problem};

/// An export, at most.
pub const MAX_IMPORT_BYTES: usize = 256 * 1024 * 1024;

/// What the records of an export may take as items. Some lines of JSON make an item a hundred times their size.
const MAX_ITEM_BYTES: usize = 128 * 1024 * 1024;

/// What an import has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportContext {
    /// Wall clock, milliseconds since 1970: records that claim to be from later are taken as from now.
    pub now_ms: u64,
}

/// Reads Bitwarden's unencrypted JSON export, or the zip archive of an export with attachments. One bad record never
/// stops the others, and a file that is damaged or cut off gives what can be read of it.
///
/// # Errors
/// [`ImportError`] where the file as a whole cannot be read; nothing is imported then.
pub fn import_bitwarden_json(bytes: &[u8], context: &ImportContext) -> Result<ImportReport, ImportError> {
    import_within(bytes, context, MAX_ITEM_BYTES)
}

/// The same, where its items may take `limit` bytes.
pub(super) fn import_within(
    bytes: &[u8],
    context: &ImportContext,
    limit: usize,
) -> Result<ImportReport, ImportError> {
    let mut export = read_export(bytes)?;
    let mut report = ImportReport {
        left_out: std::mem::take(&mut export.left_out),
        remarks: std::mem::take(&mut export.remarks),
        ..ImportReport::default()
    };
    let mut held = 0_usize;
    let (mut found, mut counts) = (Vec::new(), BTreeMap::new());
    let places = Places { folders: &export.folders, collections: &export.collections };
    for record in std::mem::take(&mut export.records) {
        let SourceRecord { index, entry, title, mut problems, .. } = record;
        let json = entry.and_then(|entry| export.json(entry));
        let name = title
            .or_else(|| json.as_ref().ok().and_then(|json| Some(shortened(json.get("name")?.as_str()?))));
        match json.and_then(|json| import_record(index, json, &places, context, &mut problems)) {
            Ok((record, folder)) => {
                if let Some(folder) = folder {
                    *counts.entry(folder).or_default() += 1;
                }
                held = held.saturating_add(record.read.bytes());
                if held > limit {
                    return Err(ImportError::TooMuch { limit });
                }
                found.push(record);
            }
            // What else there was to tell is about a record that is not there.
            Err(problem) => {
                problems.retain(Problem::leaves_out);
                problems.insert(0, problem);
            }
        }
        let tell = |problem| ItemProblem { index, name: name.clone(), problem };
        report.problems.extend(problems.into_iter().map(tell));
    }
    let (records, problems) = identified(found);
    report.records = records;
    report.problems.extend(problems);
    report.problems.sort_by_key(|problem| problem.index);
    report.folders = folders(export.folders, &counts);
    Ok(report)
}

/// The record as a document, and the folder that it says it is in.
fn import_record(
    index: usize,
    record: Json,
    places: &Places<'_>,
    context: &ImportContext,
    problems: &mut Vec<Problem>,
) -> Result<(Found, Option<String>), Problem> {
    if !record.is_object() {
        return Err(Problem::NotAnItem);
    }
    let content = content(&record);
    let record = modernise(record);
    let read = read_record(&record, places, context, problems)?;
    let (id, name) = (text(&record, "id"), text(&record, "name").as_deref().map(shortened));
    Ok((Found { index, content, read, id, name }, text(&record, "folderId")))
}

fn folders(folders: Named, counts: &BTreeMap<String, usize>) -> Vec<ImportedFolder> {
    let folder = |NamedThing { id, name, .. }| {
        let items = counts.get(&id).copied().unwrap_or(0);
        ImportedFolder { id, name, items }
    };
    folders.list.into_iter().map(folder).collect()
}

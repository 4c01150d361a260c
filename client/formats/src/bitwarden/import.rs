//! Import of a whole export.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::elements::text;
use super::known::{Found, content, identified};
use super::record::{Read, read_record};
use super::report::{ImportError, ImportReport, ImportedFolder, ItemProblem, Problem};

/// An export, at most.
pub const MAX_IMPORT_BYTES: usize = 256 * 1024 * 1024;

/// What an import has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportContext {
    /// Wall clock, milliseconds since 1970: records that claim to be from later are taken as from now.
    pub now_ms: u64,
}

/// Reads Bitwarden's unencrypted JSON export. One bad record never stops the others.
///
/// # Errors
/// [`ImportError`] where the file as a whole cannot be read; nothing is imported then.
pub fn import_bitwarden_json(bytes: &[u8], context: &ImportContext) -> Result<ImportReport, ImportError> {
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::TooLarge { found: bytes.len(), limit: MAX_IMPORT_BYTES });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let export: Json = serde_json::from_slice(bytes).map_err(ImportError::NotJson)?;
    if export.get("encrypted") == Some(&Json::Bool(true)) {
        return Err(ImportError::Encrypted);
    }
    let items = export.get("items").and_then(Json::as_array).ok_or(ImportError::NotAnExport)?;
    let names = folder_names(&export);
    let mut report = ImportReport { left_out: left_out(&export), ..ImportReport::default() };
    let mut found = Vec::new();
    for (index, record) in items.iter().enumerate() {
        let mut problems = Vec::new();
        match import_record(record, &names, context, &mut problems) {
            Ok(read) => found.push(Found { index, content: content(record), read }),
            Err(problem) => problems = vec![problem],
        }
        let tell = |problem| ItemProblem { index, name: text(record, "name"), problem };
        report.problems.extend(problems.into_iter().map(tell));
    }
    let (records, problems) = identified(found, items);
    report.records = records;
    report.problems.extend(problems);
    report.problems.sort_by_key(|problem| problem.index);
    report.folders = folders(&export, items);
    Ok(report)
}

fn import_record(
    record: &Json,
    folders: &BTreeMap<String, String>,
    context: &ImportContext,
    problems: &mut Vec<Problem>,
) -> Result<Read, Problem> {
    if !record.is_object() {
        return Err(Problem::NotAnItem);
    }
    read_record(record, folders, context, problems)
}

fn folder_list(export: &Json) -> impl Iterator<Item = (String, String)> {
    let list = export.get("folders").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|folder| Some((text(folder, "id")?, text(folder, "name")?)))
}

fn folder_names(export: &Json) -> BTreeMap<String, String> {
    folder_list(export).collect()
}

fn folders(export: &Json, items: &[Json]) -> Vec<ImportedFolder> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in items.iter().filter_map(|item| item.get("folderId")?.as_str()) {
        *counts.entry(id).or_default() += 1;
    }
    let folder = |(id, name): (String, String)| {
        let items = counts.get(id.as_str()).copied().unwrap_or(0);
        ImportedFolder { id, name, items }
    };
    folder_list(export).map(folder).collect()
}

fn left_out(export: &Json) -> Vec<String> {
    const READ: [&str; 3] = ["encrypted", "folders", "items"];
    let members = export.as_object().into_iter().flat_map(|members| members.keys());
    members.filter(|key| !READ.contains(&key.as_str())).cloned().collect()
}

//! A file becomes an export: records that can be read, folders, and the name of everything that cannot.
//!
//! A record is found by its brackets and quotes and parsed by itself, so a fault costs only the record that it stands
//! in (a parser of the whole file ends at the first one). [`mod@outline`] walks the file, [`recover`] finds the next record
//! behind a fault.

mod members;
mod outline;
mod recover;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use self::members::{is_true, named_list, nothing_in};
use self::outline::{Outline, outline};
use super::error::ImportError;
use super::import::MAX_IMPORT_BYTES;
use super::remark::FileRemark;
use super::report::Problem;
use crate::json::text::decode;
use crate::zip::{is_zip, unpack};

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Its records, in the file's order.
    pub(super) records: Vec<SourceRecord>,
    /// Folders, by id.
    pub(super) folders: Named,
    /// Collections of an organisation, by id.
    pub(super) collections: Named,
    /// Members of the file that were left out.
    pub(super) left_out: Vec<String>,
    /// What to tell about the file itself.
    pub(super) remarks: Vec<FileRemark>,
}

/// One entry of `items`.
#[derive(Debug)]
pub(super) struct SourceRecord {
    /// Its place in the file, from 0.
    pub(super) index: usize,
    /// The entry, or why it is left out.
    pub(super) json: Result<Json, Problem>,
    /// The title of an entry that is left out, if one can be found.
    pub(super) title: Option<String>,
    /// What was mended in it.
    pub(super) problems: Vec<Problem>,
}

/// Things of the file that have an id and a name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// In the file's order, without repetitions of an id.
    pub(super) list: Vec<NamedThing>,
    by_id: BTreeMap<String, usize>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct NamedThing {
    pub(super) id: String,
    pub(super) name: String,
    /// All that the file says of it.
    pub(super) json: Json,
}

impl Named {
    /// These things; of those that share an id the last one.
    pub(super) fn of(things: impl Iterator<Item = NamedThing>) -> Self {
        let mut named = Self::default();
        things.for_each(|thing| named.add(thing));
        named
    }

    /// The thing with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<&NamedThing> {
        self.list.get(*self.by_id.get(id)?)
    }

    fn add(&mut self, thing: NamedThing) {
        match self.by_id.get(&thing.id) {
            Some(place) => self.list[*place] = thing,
            None => {
                self.by_id.insert(thing.id.clone(), self.list.len());
                self.list.push(thing);
            }
        }
    }
}

/// Reads a file: JSON in UTF-8 or UTF-16, or a zip archive with it.
///
/// # Errors
/// [`ImportError`] where no list of items can be found, or it is encrypted.
pub(super) fn read_export(bytes: &[u8]) -> Result<Export, ImportError> {
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::TooLarge { limit: MAX_IMPORT_BYTES });
    }
    if !is_zip(bytes) {
        return read_json(bytes);
    }
    let unpacked = unpack(bytes)?;
    let mut export = read_json(&unpacked.export)?;
    name_files(unpacked.others, &mut export);
    Ok(export)
}

/// Names the other files of an archive: attachments (`attachments/<id of the item>/<name>`) with their items.
fn name_files(paths: Vec<String>, export: &mut Export) {
    let mut places = BTreeMap::new();
    for (place, record) in export.records.iter().enumerate() {
        let id = record.json.as_ref().ok().and_then(|json| json.get("id")?.as_str());
        places.extend(id.map(|id| (id.to_owned(), place)));
    }
    for path in paths {
        let mut parts = path.splitn(3, ['/', '\\']);
        let owner = match (parts.next(), parts.next(), parts.next()) {
            (Some("attachments"), Some(id), Some(file)) => {
                places.get(id).map(|place| (*place, file.to_owned()))
            }
            _ => None,
        };
        match owner {
            Some((place, file)) => export.records[place].problems.push(Problem::Attachment { file }),
            None => export.remarks.push(FileRemark::FileLeftOut { path }),
        }
    }
}

fn read_json(bytes: &[u8]) -> Result<Export, ImportError> {
    let text = decode(bytes);
    let Outline { members, records, remarks, left_out, refused } = outline(&text);
    let says = |name: &str| members.iter().any(|member| member.name == name && is_true(&member.json));
    let has = |name: &str| members.iter().any(|member| member.name == name && !nothing_in(&member.json));
    if says("passwordProtected") {
        return Err(ImportError::PasswordProtected);
    }
    if says("encrypted") || has("encKeyValidation_DO_NOT_EDIT") {
        return Err(ImportError::Encrypted);
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let mut export = Export { records, remarks, left_out, ..Export::default() };
    for member in members {
        match member.name.as_str() {
            "encrypted" | "passwordProtected" => {}
            "folders" => named_list(member, &mut export.folders, &mut export.left_out),
            "collections" => named_list(member, &mut export.collections, &mut export.left_out),
            _ if nothing_in(&member.json) => {}
            _ => export.left_out.push(member.name),
        }
    }
    Ok(export)
}

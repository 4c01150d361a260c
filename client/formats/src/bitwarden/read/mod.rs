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

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;

use self::members::Members;
use self::outline::{Outline, outline};
pub(super) use self::recover::shortened;
use super::error::ImportError;
use super::import::MAX_IMPORT_BYTES;
use super::remark::FileRemark;
use super::report::Problem;
use crate::json::parse::parse;
use crate::json::text::decode;
use crate::zip::{is_zip, unpack};

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Export<'f> {
    text: Cow<'f, [u8]>,
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
    /// Where it stands, or why it is left out. What a file parses to can take sixteen times its own size, so entries are
    /// parsed again one by one when they are needed.
    pub(super) entry: Result<Range<usize>, Problem>,
    /// Its id, if it has one.
    pub(super) id: Option<String>,
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
    /// All that the file says of it, as JSON.
    pub(super) json: String,
}

impl Export<'_> {
    /// An entry that could be read.
    pub(super) fn json(&self, entry: Range<usize>) -> Result<Json, Problem> {
        let parsed = self.text.get(entry).map(parse);
        parsed.and_then(Result::ok).map(|parsed| parsed.json).ok_or(Problem::NotAnItem)
    }
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
pub(super) fn read_export(bytes: &[u8]) -> Result<Export<'_>, ImportError> {
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::TooLarge { limit: MAX_IMPORT_BYTES });
    }
    if !is_zip(bytes) {
        return read_text(decode(bytes));
    }
    let unpacked = unpack(bytes)?;
    let mut export = read_text(Cow::Owned(decode(&unpacked.export).into_owned()))?;
    name_files(unpacked.others, &mut export);
    Ok(export)
}

/// Names the other files of an archive: attachments (`attachments/<id of the item>/<name>`) with their items.
fn name_files(paths: Vec<String>, export: &mut Export<'_>) {
    let records = export.records.iter().enumerate();
    let places: BTreeMap<_, _> =
        records.filter_map(|(place, record)| Some((record.id.clone()?, place))).collect();
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

fn read_text(text: Cow<'_, [u8]>) -> Result<Export<'_>, ImportError> {
    let Outline { members, records, remarks, refused } = outline(&text);
    if members.is_password_protected {
        return Err(ImportError::PasswordProtected);
    }
    if members.is_encrypted {
        return Err(ImportError::Encrypted);
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let Members { folders, collections, left_out, .. } = members;
    Ok(Export { text, records, folders, collections, left_out, remarks })
}

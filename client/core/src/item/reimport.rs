//! Importing again: what a record says now, beside what it said last and what was edited here since.
//!
//! ```text
//! the source since last time    here since last time      the field then
//! untouched                     anything                  stays as it is
//! changed                       untouched                 the source's value, by an ordinary edit
//! changed                       changed, to the same      stays
//! changed                       changed                   both, as a conflict that waits for a choice
//! ```
//!
//! So an import never outranks an edit by a value that nobody touched in the source, and importing the same file twice
//! changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::edit::Edit;
use super::entry::Entry;
use super::limits::ItemError;
use super::register::Register;
use super::reorder::Places;
use super::source::{Batch, FieldHash, Memory, Seen, is_inner, memory_field};
use super::stamp::Author;
use super::trash::{TRASH, TrashState};
use super::value::Value;

/// The program under which records of this vault's own export are remembered.
const OWN: &str = "own";

/// Where a document that is imported comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The program: `bitwarden`, `lockstep`, …
    pub program: String,
    /// Which record it is: a pure function of the file, so that devices agree without talking.
    pub identity: String,
    /// When the program last revised it, milliseconds since 1970; 0 where it does not say.
    pub revised_ms: u64,
}

/// What it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// What the document remembers of the program.
    Remembered,
    /// What this item said when the record was exported from it.
    Exported(Seen),
}

/// What importing a record into an item that is there did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reimported {
    /// Nothing: the source said nothing new.
    Unchanged,
    /// Nothing: the record is older than what was imported before, and says otherwise.
    Older,
    /// The document differs now.
    Changed {
        /// What the item holds then.
        document: Document,
        /// Fields that the source and somebody here changed differently, in the order of their keys: both values are
        /// kept and wait for a choice.
        conflicts: Vec<String>,
        /// The source put the item into its trash, but it was edited here since the last import: it is not in the trash.
        kept_from_trash: bool,
    },
}

/// The document of a record that is imported for the first time. It has no stamp but those of `fresh`, so that two
/// devices that import one file make the same bytes.
///
/// # Errors
/// [`ItemError`] where the document would be larger than an edit can make one.
pub fn first_import(fresh: &Document, origin: &Origin, batch: Batch) -> Result<Document, ItemError> {
    let mut document = fresh.clone();
    let Some(stamp) = document.highest_stamp() else { return Ok(document) };
    let memory = remember(origin, batch, Seen::of(fresh)).to_value();
    let entry = Entry::new(stamp, memory, Vec::new());
    document.fields.insert(memory_field(&origin.program), Register::new(entry));
    document.fit(0)?;
    Ok(document)
}

/// Imports a record into the item that it became before. `fresh` is what a first import would make of it, `batch` what
/// the item is given where it remembers none.
///
/// # Errors
/// [`ItemError`] where the document would be larger than an edit can make one; nothing was changed then.
pub fn reimport(
    current: &Document,
    fresh: &Document,
    origin: &Origin,
    base: &Base,
    batch: Batch,
    author: Author,
) -> Result<Reimported, ItemError> {
    let own = matches!(base, Base::Exported(_));
    let origin = if let Base::Exported(seen) = base { &own_origin(origin, seen) } else { origin };
    // What is remembered of an export counts for that export alone: another one has a base of its own.
    let remembered =
        Memory::of(current, &origin.program).filter(|memory| !own || memory.identity == origin.identity);
    let comparison = Comparison::new(current, fresh, base, remembered.as_ref());
    if !comparison.has_news() {
        return Ok(Reimported::Unchanged);
    }
    if !own && remembered.as_ref().is_some_and(|memory| origin.revised_ms < memory.revised_ms) {
        return Ok(Reimported::Older);
    }
    let mut document = current.clone();
    if let Some(memory) = &remembered {
        comparison.add_former_values(&mut document, memory.revised_ms, author)?;
    }
    let batch = remembered.as_ref().map_or(batch, |memory| memory.batch);
    let memory = remember(origin, batch, Seen::of(fresh)).to_value();
    let conflicts = comparison.write(&mut document, origin, memory, author)?;
    let kept_from_trash = comparison.is_kept_from_trash();
    let open: BTreeSet<&str> = document.conflicts().iter().map(|conflict| conflict.field).collect();
    let conflicts = conflicts.into_iter().filter(|field| open.contains(field.as_str())).collect();
    Ok(Reimported::Changed { document, conflicts, kept_from_trash })
}

/// A record of an export is remembered together with that export.
fn own_origin(origin: &Origin, base: &Seen) -> Origin {
    let said: String = base.0.iter().map(|(key, hash)| format!("{key}\n{:?}\n", hash.0)).collect();
    let digest = FieldHash::of(OWN, &said.into());
    let identity = format!("{}#{}", origin.identity, lockstep_proto::bytes::to_base64url(&digest.0));
    Origin { program: OWN.to_owned(), identity, revised_ms: origin.revised_ms }
}

fn remember(origin: &Origin, batch: Batch, seen: Seen) -> Memory {
    Memory { identity: origin.identity.clone(), batch, revised_ms: origin.revised_ms, seen }
}

type Hashes<'s> = BTreeMap<&'s str, FieldHash>;

fn by_field(seen: &Seen) -> Hashes<'_> {
    seen.0.iter().map(|(key, hash)| (key.as_str(), *hash)).collect()
}

/// One record against the item that it became.
struct Comparison<'d> {
    current: &'d Document,
    fresh: &'d Document,
    here: BTreeMap<String, FieldHash>,
    /// Fields that the source changed, with the hash of what it says now.
    news: BTreeMap<String, Option<FieldHash>>,
    /// Those among them that still hold what was imported.
    untouched_here: BTreeSet<String>,
    is_edited_here: bool,
    places: Places,
}

impl<'d> Comparison<'d> {
    fn new(current: &'d Document, fresh: &'d Document, base: &Base, remembered: Option<&Memory>) -> Self {
        let exported = if let Base::Exported(seen) = base { Some(seen) } else { None };
        let bases: Vec<&Seen> = exported.into_iter().chain(remembered.map(|memory| &memory.seen)).collect();
        let before: Vec<Hashes<'_>> = bases.iter().map(|seen| by_field(seen)).collect();
        let (said, here) = (Seen::of(fresh), Seen::of(current));
        let (told, held) = (by_field(&said), by_field(&here));
        let mut comparison = Self {
            current,
            fresh,
            news: BTreeMap::new(),
            untouched_here: BTreeSet::new(),
            is_edited_here: false,
            places: Places::new(current, fresh, &bases),
            here: BTreeMap::new(),
        };
        let all: BTreeSet<&str> =
            [&told, &held].into_iter().chain(&before).flat_map(|hashes| hashes.keys().copied()).collect();
        for key in all {
            let of = |hashes: &Hashes<'_>| hashes.get(key).copied();
            let known = |hash| before.iter().any(|hashes| of(hashes) == hash);
            let (now, here) = (of(&told), of(&held));
            let is_content = key != TRASH && !is_inner(key);
            comparison.is_edited_here |= is_content && here != now && !known(here);
            if !known(now) && (now.is_some() || !before.is_empty()) {
                comparison.news.insert(key.to_owned(), now);
                // A field that never was is one that nobody touched.
                if known(here) || current.register(key).is_none() {
                    comparison.untouched_here.insert(key.to_owned());
                }
            }
        }
        drop((told, held));
        comparison.here = here.0.into_iter().collect();
        comparison
    }

    fn has_news(&self) -> bool {
        !self.news.is_empty() || self.places.are_new()
    }

    /// Values that the source had since last time and has no longer: they are history here as there.
    fn add_former_values(
        &self,
        document: &mut Document,
        since_ms: u64,
        author: Author,
    ) -> Result<(), ItemError> {
        for key in self.news.keys().filter(|key| self.untouched_here.contains(*key)) {
            let Some(register) = self.fresh.register(key) else { continue };
            let held = document.register(key).map(Register::entries).unwrap_or_default();
            let held: Vec<Value> = held.iter().map(|entry| entry.value().clone()).collect();
            let history = register.history();
            let former = history.iter().rev().filter(|entry| entry.stamp().ms() > since_ms);
            for entry in former.filter(|entry| !held.contains(entry.value())) {
                document.edit(author).set(key.as_str(), entry.value().clone()).apply()?;
            }
        }
        Ok(())
    }

    /// Writes what is new, and the memory of it. Returns the fields that were changed on both sides.
    fn write(
        &self,
        document: &mut Document,
        origin: &Origin,
        memory: Value,
        author: Author,
    ) -> Result<Vec<String>, ItemError> {
        let mut both = Vec::new();
        let writer = self.fresh.highest_stamp().map_or(DeviceId::ZERO, |stamp| stamp.device());
        let mut edit = document.edit(author).resolve(memory_field(&origin.program), memory);
        for (key, value) in self.places.moved(self.current) {
            edit = edit.set(key, value);
        }
        for (key, now) in self.news.iter().filter(|(key, _)| *key != TRASH) {
            let value = self.fresh.value(key).cloned().unwrap_or_default();
            let value = self.places.placed(self.current, key, value);
            if is_inner(key) {
                edit = edit.resolve(key.as_str(), value);
            } else if self.here.get(key) == now.as_ref() {
                // Both changed it to the same.
            } else if self.untouched_here.contains(key) {
                edit = edit.set(key.as_str(), value);
            } else {
                // What was removed there and edited here goes on being shown.
                let now_ms = if value.is_null() { 0 } else { origin.revised_ms };
                edit = edit.beside(key.as_str(), value, Author { now_ms, device: writer });
                both.push(key.clone());
            }
        }
        self.with_trash(edit).apply()?;
        Ok(both)
    }

    /// Whether the source has moved the item into its trash while it was edited here: then it stays out of it.
    fn is_kept_from_trash(&self) -> bool {
        let is_news = self.news.contains_key(TRASH) && trashed_since(self.fresh).is_some();
        is_news && self.is_edited_here && trashed_since(self.current).is_none()
    }

    /// The trash follows the source where that moved the item since last time, and stays as it is otherwise: what an
    /// import writes into an item in the trash does not bring it back.
    fn with_trash<'e>(&self, edit: Edit<'e>) -> Edit<'e> {
        let follows = self.news.contains_key(TRASH) && !self.is_kept_from_trash();
        let here = trashed_since(self.current);
        let there = trashed_since(self.fresh).filter(|_| follows);
        match (here, there) {
            (Some(_), None) if follows => edit.restore(),
            (None, None) => edit,
            (Some(since_ms), _) | (None, Some(since_ms)) => edit.trash_since(since_ms),
        }
    }
}

fn trashed_since(document: &Document) -> Option<u64> {
    match document.trash_state() {
        TrashState::Trashed { since_ms } => Some(since_ms),
        TrashState::Live | TrashState::BroughtBack => None,
    }
}

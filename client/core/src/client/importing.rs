//! Importing records of other programs: each meets the item that it became before.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::{ItemId, VaultId};

use super::editing::entry_for;
use super::{Client, ClientError, Notice};
use crate::item::reimport::{Base, Origin, Reimported, first_import, reimport};
use crate::item::source::{Batch, Memory, Seen};
use crate::item::{Document, ItemError, MAX_DOCUMENT_BYTES, TrashState};
use crate::vault::{Current, Edit, names};

/// A record of another program's export.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportItem {
    /// Where it comes from.
    pub origin: Origin,
    /// What a first import makes of it.
    pub document: Document,
    /// The item that it was exported from, if Lockstep exported it, and what that said then.
    pub own: Option<(ItemId, Seen)>,
}

/// What [`Client::import_many`] did with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It is a new item.
    Created,
    /// Its item holds something new.
    Changed {
        /// Fields that were changed there and here, differently: both values wait for a choice.
        conflicts: Vec<String>,
        /// The export has it in the trash, but it was edited here: it is not in the trash.
        kept_from_trash: bool,
        /// The item was not in the trash here and is now, as in the export.
        moved_to_trash: bool,
    },
    /// Its item stays as it was: the record says nothing new.
    Unchanged,
    /// Its item stays as it was: the record is older than what was imported before.
    Older,
    /// Left out, and its item, if there is one, stays as it was: an item cannot hold it.
    Refused(ItemError),
    /// Left out, and its item stays as it was: its kind is that of the names of vaults and devices, which are shown
    /// nowhere as items.
    ReservedKind,
    /// Left out, and its item stays as it was: with its history it would take this many bytes, more than an item can.
    TooLarge {
        /// Bytes.
        length: usize,
    },
}

/// The outcome of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedItems {
    /// For each record, in order: its item and what was done.
    pub outcomes: Vec<(ItemId, ImportOutcome)>,
    /// Items with their titles, ascending by id, that came from the same place earlier, are not in the trash and are
    /// not among these records. Nothing was done to them. Empty where a record is older than what was imported before.
    pub absent: Vec<(ItemId, String)>,
}

impl Client {
    /// Imports records in one local write. A record meets its item again by its identity, whatever was edited here
    /// since, and only what its source changed is written: [`reimport`](crate::item::reimport) has the rules. Records
    /// that an item cannot hold are left out; all others are imported, or none.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was changed.
    pub async fn import_many(
        &mut self,
        vault_id: VaultId,
        items: Vec<ImportItem>,
    ) -> Result<ImportedItems, ClientError> {
        self.settle::<ClientError>().await?;
        let known = self.known_records(vault_id, &items).await?;
        let mut done = ImportedItems::default();
        let mut writes = BTreeMap::new();
        for item in items {
            let (item_id, base) = self.item_of(vault_id, &item, &known)?;
            let waiting = writes.remove(&item_id);
            // Saving a quarantined item anew ends that.
            let mut is_written = waiting.is_some();
            let mut current = match waiting {
                Some(current) => current,
                None => self.vault(&vault_id)?.current(&self.ports, &item_id).await?,
            };
            is_written |= current.is_quarantined;
            let (outcome, document) = self.imported(&current, &item, &base, &known);
            let document = match document {
                Some(document) => {
                    let vault = self.vault(&vault_id)?;
                    let document = self.risen(vault, &item_id, document, current.document.as_ref()).await?;
                    Some(self.revived(vault, &item_id, document, &current).await?)
                }
                None => None,
            };
            is_written |= document.is_some();
            current.document = document.or(current.document);
            if is_written {
                writes.insert(item_id, current);
            }
            done.outcomes.push((item_id, outcome));
        }
        // A file that is older in one place may well lack what is newer in another.
        if done.outcomes.iter().all(|(_, outcome)| *outcome != ImportOutcome::Older) {
            done.absent = known.absent();
        }
        let entries = writes.into_iter().filter_map(|(item_id, mut current)| {
            let document = current.document.take()?;
            Some((item_id, entry_for(current, Edit::Write(document))))
        });
        // Also where this process ends before it can tell them.
        let in_conflict = done.outcomes.iter().filter(|(_, outcome)| {
            matches!(outcome, ImportOutcome::Changed { conflicts, .. } if !conflicts.is_empty())
        });
        let notices: Vec<_> = in_conflict.map(|(item_id, _)| (*item_id, Notice::Conflict)).collect();
        self.put_told(vault_id, entries.collect(), &notices).await?;
        Ok(done)
    }

    /// What one record makes of its item; no document where that stays as it is.
    fn imported(
        &self,
        current: &Current,
        item: &ImportItem,
        base: &Base,
        known: &Known,
    ) -> (ImportOutcome, Option<Document>) {
        let batch = known.batch(&item.origin.program);
        let made =
            match &current.document {
                None => first_import(&item.document, &item.origin, batch)
                    .map(|document| (ImportOutcome::Created, Some(document))),
                Some(before) => reimport(before, &item.document, &item.origin, base, batch, self.author())
                    .map(|reimported| match reimported {
                        Reimported::Unchanged => (ImportOutcome::Unchanged, None),
                        Reimported::Older => (ImportOutcome::Older, None),
                        Reimported::Changed { document, conflicts, kept_from_trash } => {
                            let is_trashed = |document: &Document| {
                                matches!(document.trash_state(), TrashState::Trashed { .. })
                            };
                            let moved_to_trash = is_trashed(&document) && !is_trashed(before);
                            let outcome =
                                ImportOutcome::Changed { conflicts, kept_from_trash, moved_to_trash };
                            (outcome, Some(document))
                        }
                    }),
            };
        match made {
            Err(error) => (ImportOutcome::Refused(error), None),
            Ok((_, Some(document))) if names::is_name(&document) => (ImportOutcome::ReservedKind, None),
            Ok((_, Some(document))) if document.to_bytes().len() > MAX_DOCUMENT_BYTES => {
                (ImportOutcome::TooLarge { length: document.to_bytes().len() }, None)
            }
            Ok(made) => made,
        }
    }

    /// The item of a record: the one that it was exported from, else the one that it became before, else a new one.
    fn item_of(
        &self,
        vault_id: VaultId,
        item: &ImportItem,
        known: &Known,
    ) -> Result<(ItemId, Base), ClientError> {
        if let Some((item_id, seen)) = &item.own
            && known.items.contains(item_id)
        {
            return Ok((*item_id, Base::Exported(seen.clone())));
        }
        let source = SourceRecord::Id(item.origin.identity.as_bytes());
        let derived = self.derive_import_id(vault_id, &item.origin.program, source)?;
        let remembered = || known.by_record.get(&record_key(&item.origin)).copied();
        let item_id = if known.items.contains(&derived) { derived } else { remembered().unwrap_or(derived) };
        Ok((item_id, Base::Remembered))
    }

    async fn known_records(&self, vault_id: VaultId, items: &[ImportItem]) -> Result<Known, ClientError> {
        let mut known = Known::default();
        for item in items {
            known.imported.insert(record_key(&item.origin));
        }
        let programs: BTreeSet<&str> = items.iter().map(|item| item.origin.program.as_str()).collect();
        let each = self.vault(&vault_id)?.each_shown(&self.ports, |item_id, shown| {
            if let Some(document) = shown.document.filter(|document| !names::is_name(document)) {
                known.add(item_id, document, &programs);
            }
        });
        each.await?;
        for program in programs {
            let identities = items.iter().filter(|item| item.origin.program == program);
            let batch = Batch::of(program, identities.map(|item| item.origin.identity.as_str()));
            let batch = known.majorities(program).next().unwrap_or(batch);
            known.batches.insert(program.to_owned(), batch);
        }
        Ok(known)
    }
}

type RecordKey = (String, String);

fn record_key(origin: &Origin) -> RecordKey {
    (origin.program.clone(), origin.identity.clone())
}

/// An item that came from a program.
struct Member {
    item_id: ItemId,
    title: String,
    is_trashed: bool,
    is_imported: bool,
}

/// What the vault holds of the programs that records are imported from.
#[derive(Default)]
struct Known {
    items: BTreeSet<ItemId>,
    by_record: BTreeMap<RecordKey, ItemId>,
    members: BTreeMap<(String, Batch), Vec<Member>>,
    imported: BTreeSet<RecordKey>,
    batches: BTreeMap<String, Batch>,
}

impl Known {
    fn add(&mut self, item_id: ItemId, document: &Document, programs: &BTreeSet<&str>) {
        self.items.insert(item_id);
        for (program, memory) in Memory::all(document).filter(|(program, _)| programs.contains(program)) {
            let record = (program.to_owned(), memory.identity);
            let member = Member {
                item_id,
                title: document.name().to_owned(),
                is_trashed: matches!(document.trash_state(), TrashState::Trashed { .. }),
                is_imported: self.imported.contains(&record),
            };
            self.members.entry((program.to_owned(), memory.batch)).or_default().push(member);
            // An item that was split in two remembers its record twice: every device takes the same one.
            let known = self.by_record.entry(record).or_insert(item_id);
            *known = item_id.min(*known);
        }
    }

    /// Batches of which this import holds at least half: it comes from the same place. A few records in common are no
    /// sign of that, since two people may share some.
    fn majorities(&self, program: &str) -> impl Iterator<Item = Batch> {
        let of_program = self.members.iter().filter(move |((name, _), _)| name == program);
        of_program
            .filter(|(_, members)| {
                members.iter().filter(|member| member.is_imported).count() * 2 >= members.len()
            })
            .map(|((_, batch), _)| *batch)
    }

    fn batch(&self, program: &str) -> Batch {
        self.batches.get(program).copied().unwrap_or_else(|| Batch::of(program, []))
    }

    fn absent(&self) -> Vec<(ItemId, String)> {
        let mut absent = BTreeMap::new();
        for program in self.batches.keys() {
            for batch in self.majorities(program) {
                let members = self.members.get(&(program.clone(), batch)).into_iter().flatten();
                let gone = members.filter(|member| !member.is_imported && !member.is_trashed);
                absent.extend(gone.map(|member| (member.item_id, member.title.clone())));
            }
        }
        absent.into_iter().collect()
    }
}

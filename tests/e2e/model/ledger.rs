//! What was acknowledged to users, noted from outside: the clients' own bookkeeping is not asked.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::{Document, Entry, Stamp, TRASH};
use lockstep_proto::ids::{ItemId, VaultId};

use super::step::FIELDS;

/// An item in its vault.
pub(crate) type Place = (VaultId, ItemId);
/// A field and a value that it held.
pub(crate) type Held = (String, String);

/// A field and the stamp of a value that it held.
pub(crate) type Seen = (String, Stamp);

/// A value that somebody wrote into a field, and the stamps of the values that this person saw replaced.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) stamp: Stamp,
    pub(crate) field: String,
    pub(crate) value: String,
    pub(crate) replaced: BTreeSet<Stamp>,
}

/// An item went to the trash, or came out of it.
#[derive(Debug, Clone)]
pub(crate) enum Moved {
    /// By somebody who saw these values.
    In(BTreeSet<Seen>),
    Out,
}

#[derive(Default)]
pub(crate) struct Ledger {
    /// Every item that there ever was, in the order in which they came.
    pub(crate) items: Vec<Place>,
    pub(crate) written: BTreeMap<Place, Vec<Written>>,
    pub(crate) trash: BTreeMap<(Place, Stamp), Moved>,
    /// What whoever purged an item had seen of it.
    pub(crate) purged: BTreeMap<Place, BTreeSet<Held>>,
    next: usize,
}

impl Ledger {
    /// A value that nobody wrote before.
    pub(crate) fn make_value(&mut self) -> String {
        self.next += 1;
        format!("v{}", self.next)
    }

    /// An item that there is; the number chooses. `None` before the first.
    pub(crate) fn item(&self, number: usize) -> Option<Place> {
        (!self.items.is_empty()).then(|| self.items[number % self.items.len()])
    }

    /// A save was acknowledged: notes each of these fields whose newest value is this one, and what it replaced.
    pub(crate) fn note(
        &mut self,
        place: Place,
        document: &Document,
        values: &[(&str, String)],
        replaced: &BTreeMap<String, BTreeSet<Stamp>>,
    ) {
        if !self.items.contains(&place) {
            self.items.push(place);
        }
        for (field, value) in values {
            let Some(register) = document.register(field) else { continue };
            let Some(entry) = register.entries().iter().find(|entry| entry.value().as_text() == Some(value))
            else {
                continue;
            };
            self.written.entry(place).or_default().push(Written {
                stamp: entry.stamp(),
                field: (*field).to_owned(),
                value: value.clone(),
                replaced: replaced.get(*field).cloned().unwrap_or_default(),
            });
        }
    }

    /// A document of one item was saved as another one: it brings along what was written and moved.
    pub(crate) fn copy(&mut self, from: Place, to: Place, document: &Document) {
        self.items.push(to);
        let stamps = seen(document);
        let written = self.written.get(&from).into_iter().flatten();
        let written = written.filter(|written| stamps.contains(&(written.field.clone(), written.stamp)));
        let written = written.cloned().collect();
        self.written.insert(to, written);
        let moves = self.trash.iter().filter(|((place, _), _)| *place == from);
        let moves: Vec<_> = moves.map(|((_, stamp), moved)| ((to, *stamp), moved.clone())).collect();
        self.trash.extend(moves);
    }

    /// A trashing or restoring was acknowledged.
    pub(crate) fn note_trash(&mut self, place: Place, document: &Document, moved: Moved) {
        if let Some(register) = document.register(TRASH) {
            self.trash.insert((place, register.winner().stamp()), moved);
        }
    }

    /// A purge was acknowledged, by somebody who saw this document: also what its history had given up.
    pub(crate) fn note_purge(&mut self, place: Place, document: &Document) {
        let mut seen = held(document);
        for written in self.written.get(&place).into_iter().flatten() {
            let register = document.register(&written.field);
            if register.is_some_and(|register| register.floors().covers(written.stamp)) {
                seen.insert((written.field.clone(), written.value.clone()));
            }
        }
        self.purged.entry(place).or_default().extend(seen);
    }
}

/// All values of the edited fields, history included.
pub(crate) fn held(document: &Document) -> BTreeSet<Held> {
    let text = |entry: &Entry| entry.value().as_text().unwrap_or_default().to_owned();
    entries(document).map(|(field, entry)| (field.to_owned(), text(entry))).collect()
}

/// Their stamps, and those of every time that the item went to the trash or came out of it.
pub(crate) fn seen(document: &Document) -> BTreeSet<Seen> {
    let moves = document.register(TRASH).into_iter().flat_map(|register| register.entries());
    let moves = moves.map(|entry| (TRASH.to_owned(), entry.stamp()));
    entries(document).map(|(field, entry)| (field.to_owned(), entry.stamp())).chain(moves).collect()
}

fn entries(document: &Document) -> impl Iterator<Item = (&'static str, &Entry)> {
    let registers = FIELDS.iter().filter_map(|field| Some((*field, document.register(field)?)));
    registers.flat_map(|(field, register)| register.entries().iter().map(move |entry| (field, entry)))
}

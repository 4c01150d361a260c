//! Keys and encodings of a vault's records, and the writes that go into a batch.
//!
//! ```text
//! Pins        vault                      sealed pin
//! Profile     "vault-keys/" ‖ vault      sealed keys, by epoch
//! Profile     "untold/" ‖ vault ‖ item   sealed notices, until a sync has told them
//! Leaves      vault ‖ item               sealed leaf
//! Items       vault ‖ item               blob, byte for byte
//! Commits     vault ‖ seq                u32 len ‖ signed commit ‖ u32 len ‖ body, byte for byte
//! Outbox      vault ‖ item               sealed entry
//! InFlight    vault ‖ 0                  sealed commit and body
//! InFlight    vault ‖ 1 ‖ item           sealed entry
//! InFlight    vault ‖ 2 ‖ item           blob, byte for byte
//! InFlight    vault ‖ 4 ‖ item           sealed: this device's highest stamp in an item that it does not hold any more
//! Quarantine  vault ‖ item               version, author, reason, blob
//! Staging     vault ‖ 1 ‖ seq            as Commits
//! Staging     vault ‖ 2 ‖ blob hash      blob, byte for byte
//! Staging     vault ‖ 3 ‖ seq            as Commits: what a first sync begins with
//! Staging     vault ‖ 4                  how far a first sync has come
//! Staging     vault ‖ 5 ‖ seq            as Commits: the history before a first sync, while it is checked
//! ```
//!
//! A first sync puts items and leaves where they stay; they belong to the vault when its pin is there.

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{Hash, ItemId, Seq, VaultId};
use lockstep_proto::log::{ENTRY_LIMIT, Entry};
use zeroize::Zeroizing;

use super::in_flight::InFlight;
use super::keys::VaultKeys;
use super::leaves::StoredLeaf;
use super::outbox::OutboxEntry;
use super::past::{Past, PastStamp};
use super::pins::Pin;
use super::quarantine::Mark;
use crate::account::{LocalSealer, RecordError, Unlocked};
use crate::ports::{Batch, Table};

pub(super) const PART_COMMIT: u8 = 0;
pub(super) const PART_ENTRY: u8 = 1;
pub(super) const PART_BLOB: u8 = 2;
pub(super) const PART_PAST: u8 = 4;
pub(super) const STAGED_COMMIT: u8 = 1;
pub(super) const STAGED_BLOB: u8 = 2;
pub(super) const BEGINNING: u8 = 3;
pub(super) const CURSOR: u8 = 4;
pub(super) const HISTORY: u8 = 5;

/// How far a first sync has come in the order of items (position of last change, item).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// The last item that is here; `None` before the first.
    pub(crate) after: Option<(Seq, ItemId)>,
    /// Whether it was the last one up to the target.
    pub(crate) done: bool,
}

impl Canon for Cursor {
    fn encode(&self, out: &mut Encoder) {
        out.bool(self.done);
        out.bool(self.after.is_some());
        if let Some((seq, item_id)) = &self.after {
            seq.encode(out);
            item_id.encode(out);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let done = input.bool()?;
        let after = match input.bool()? {
            true => Some((Canon::decode(input)?, Canon::decode(input)?)),
            false => None,
        };
        Ok(Self { after, done })
    }
}

/// Writes one vault's records into batches.
pub(crate) struct Records<'a> {
    sealer: &'a LocalSealer,
    pub(super) vault_id: VaultId,
}

impl<'a> Records<'a> {
    /// The records of a vault, sealed by this device.
    pub(crate) fn new(unlocked: &'a Unlocked, vault_id: VaultId) -> Self {
        Self { sealer: unlocked.sealer(), vault_id }
    }

    pub(crate) fn put_pin(&self, batch: &mut Batch, pin: &Pin) -> Result<(), RecordError> {
        self.put_sealed(batch, Table::Pins, self.vault_id.as_bytes().to_vec(), &canon::to_bytes(pin))
    }

    /// The keys that the vault's commits have brought.
    pub(crate) fn put_keys(&self, batch: &mut Batch, keys: &VaultKeys) -> Result<(), RecordError> {
        let plaintext = Zeroizing::new(canon::to_bytes(keys));
        self.put_sealed(batch, Table::Profile, keys_key(&self.vault_id), &plaintext)
    }

    pub(crate) fn put_leaf(
        &self,
        batch: &mut Batch,
        item_id: &ItemId,
        leaf: &StoredLeaf,
    ) -> Result<(), RecordError> {
        self.put_sealed(batch, Table::Leaves, self.item_key(item_id), &canon::to_bytes(leaf))
    }

    pub(crate) fn put_blob(&self, batch: &mut Batch, item_id: &ItemId, blob: &[u8]) {
        batch.put(Table::Items, self.item_key(item_id), blob);
        batch.delete(Table::Quarantine, self.item_key(item_id));
    }

    pub(crate) fn put_mark(&self, batch: &mut Batch, item_id: &ItemId, mark: &Mark) {
        batch.put(Table::Quarantine, self.item_key(item_id), canon::to_bytes(mark));
    }

    pub(crate) fn put_commit(&self, batch: &mut Batch, entry: &Entry) {
        let key = seq_key(&self.vault_id, entry.commit.value().seq);
        batch.put(Table::Commits, key, entry_bytes(entry));
    }

    /// The chain goes on after `fork` with other commits than before.
    pub(crate) fn delete_commits(&self, batch: &mut Batch, after: Seq, last: Seq) {
        for seq in after.0.saturating_add(1)..=last.0 {
            batch.delete(Table::Commits, seq_key(&self.vault_id, Seq(seq)));
        }
    }

    /// A version that was shown and is to be hidden.
    pub(crate) fn delete_blob(&self, batch: &mut Batch, item_id: &ItemId) {
        batch.delete(Table::Items, self.item_key(item_id));
    }

    /// An item that the chain does not have any more.
    pub(crate) fn delete_item(&self, batch: &mut Batch, item_id: &ItemId) {
        for table in [Table::Leaves, Table::Items, Table::Quarantine] {
            batch.delete(table, self.item_key(item_id));
        }
    }

    pub(crate) fn put_outbox(
        &self,
        batch: &mut Batch,
        item_id: &ItemId,
        entry: &OutboxEntry,
    ) -> Result<(), RecordError> {
        self.put_sealed(batch, Table::Outbox, self.item_key(item_id), &canon::to_bytes(entry))
    }

    pub(crate) fn delete_outbox(&self, batch: &mut Batch, item_id: &ItemId) {
        batch.delete(Table::Outbox, self.item_key(item_id));
    }

    /// Parts of another commit that were there are gone.
    pub(crate) fn put_in_flight(&self, batch: &mut Batch, in_flight: &InFlight) -> Result<(), RecordError> {
        self.delete_in_flight(batch);
        let commit = entry_bytes(in_flight.entry());
        self.put_sealed(batch, Table::InFlight, part_key(&self.vault_id, PART_COMMIT, &[]), &commit)?;
        for (item_id, entry) in in_flight.edits() {
            let key = part_key(&self.vault_id, PART_ENTRY, item_id.as_bytes());
            self.put_sealed(batch, Table::InFlight, key, &canon::to_bytes(entry))?;
        }
        for (item_id, blob) in in_flight.blobs() {
            batch.put(Table::InFlight, part_key(&self.vault_id, PART_BLOB, item_id.as_bytes()), blob.clone());
        }
        Ok(())
    }

    pub(crate) fn delete_in_flight(&self, batch: &mut Batch) {
        for part in [PART_COMMIT, PART_ENTRY, PART_BLOB] {
            batch.delete_prefix(Table::InFlight, part_key(&self.vault_id, part, &[]));
        }
    }

    /// This device ceases to hold these items.
    pub(crate) fn put_past(&self, batch: &mut Batch, past: &Past) -> Result<(), RecordError> {
        for (item_id, stamp) in past {
            let key = part_key(&self.vault_id, PART_PAST, item_id.as_bytes());
            self.put_sealed(batch, Table::InFlight, key, &canon::to_bytes(&PastStamp(*stamp)))?;
        }
        Ok(())
    }

    pub(crate) fn stage_commit(&self, batch: &mut Batch, entry: &Entry) {
        let seq = entry.commit.value().seq.0.to_be_bytes();
        batch.put(Table::Staging, part_key(&self.vault_id, STAGED_COMMIT, &seq), entry_bytes(entry));
    }

    pub(crate) fn stage_blob(&self, batch: &mut Batch, hash: &Hash, blob: &[u8]) {
        batch.put(Table::Staging, part_key(&self.vault_id, STAGED_BLOB, hash.as_bytes()), blob);
    }

    /// What a pull has put aside goes; what a first sync has begun with stays.
    pub(crate) fn clear_pull(&self, batch: &mut Batch) {
        for part in [STAGED_COMMIT, STAGED_BLOB] {
            batch.delete_prefix(Table::Staging, part_key(&self.vault_id, part, &[]));
        }
    }

    /// A first sync begins: everything of an earlier one goes.
    pub(crate) fn put_beginning<'e>(&self, batch: &mut Batch, entries: impl Iterator<Item = &'e Entry>) {
        self.clear_first_sync(batch);
        for entry in entries {
            let seq = entry.commit.value().seq.0.to_be_bytes();
            batch.put(Table::Staging, part_key(&self.vault_id, BEGINNING, &seq), entry_bytes(entry));
        }
    }

    pub(crate) fn put_cursor(&self, batch: &mut Batch, cursor: &Cursor) {
        batch.put(Table::Staging, part_key(&self.vault_id, CURSOR, &[]), canon::to_bytes(cursor));
    }

    pub(crate) fn put_history(&self, batch: &mut Batch, entry: &Entry) {
        let key = history_key(&self.vault_id, entry.commit.value().seq);
        batch.put(Table::Staging, key, entry_bytes(entry));
    }

    /// What a check of the history has put aside goes.
    pub(crate) fn clear_history(&self, batch: &mut Batch) {
        batch.delete_prefix(Table::Staging, part_key(&self.vault_id, HISTORY, &[]));
    }

    /// A vault that is not pinned has nothing any more.
    pub(crate) fn clear_first_sync(&self, batch: &mut Batch) {
        for table in [Table::Leaves, Table::Items, Table::Quarantine, Table::Staging] {
            batch.delete_prefix(table, self.vault_id.as_bytes().to_vec());
        }
        self.delete_untold(batch);
    }

    /// What a pull, or a first sync, has put aside is applied.
    pub(crate) fn clear_staging(&self, batch: &mut Batch) {
        for part in [STAGED_COMMIT, STAGED_BLOB, BEGINNING, CURSOR] {
            batch.delete_prefix(Table::Staging, part_key(&self.vault_id, part, &[]));
        }
    }

    pub(super) fn put_sealed(
        &self,
        batch: &mut Batch,
        table: Table,
        key: Vec<u8>,
        plaintext: &[u8],
    ) -> Result<(), RecordError> {
        let sealed = self.sealer.seal(table, &key, plaintext);
        batch.put(table, key, sealed.map_err(|source| RecordError::TooLarge { table, source })?);
        Ok(())
    }

    fn item_key(&self, item_id: &ItemId) -> Vec<u8> {
        item_key(&self.vault_id, item_id)
    }
}

pub(super) fn item_key(vault_id: &VaultId, item_id: &ItemId) -> Vec<u8> {
    [vault_id.as_bytes().as_slice(), item_id.as_bytes()].concat()
}

pub(super) fn keys_key(vault_id: &VaultId) -> Vec<u8> {
    [b"vault-keys/".as_slice(), vault_id.as_bytes()].concat()
}

pub(super) fn seq_key(vault_id: &VaultId, seq: Seq) -> Vec<u8> {
    [vault_id.as_bytes().as_slice(), &seq.0.to_be_bytes()].concat()
}

pub(super) fn part_key(vault_id: &VaultId, part: u8, rest: &[u8]) -> Vec<u8> {
    [vault_id.as_bytes().as_slice(), &[part], rest].concat()
}

pub(super) fn history_key(vault_id: &VaultId, seq: Seq) -> Vec<u8> {
    part_key(vault_id, HISTORY, &seq.0.to_be_bytes())
}

fn entry_bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Encoder::new();
    out.bytes(&entry.commit.to_wire());
    out.bytes(&entry.body.to_bytes());
    out.into_bytes()
}

/// Reads what [`entry_bytes`] wrote.
pub(super) fn read_entry(table: Table, bytes: &[u8]) -> Result<Entry, RecordError> {
    let read = || {
        let mut input = Decoder::new(bytes);
        let commit = input.bytes(2 * ENTRY_LIMIT).ok()?;
        let body = input.bytes(ENTRY_LIMIT).ok()?;
        input.finish().ok()?;
        Entry::from_wire(commit, body).ok()
    };
    read().ok_or(RecordError::Damaged { table, what: "a commit cannot be read" })
}

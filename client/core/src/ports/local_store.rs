//! The profile's durable records: an ordered map of bytes with atomic batches.
//!
//! Values that hold anything of a person's are sealed before they come here; keys are ids and numbers.

use super::MaybeSend;

/// A local store failed. Nothing of the batch was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalStoreError {
    /// The medium is full.
    #[error("the disk is full; nothing was changed")]
    Full,
    /// The medium refuses or is damaged.
    #[error("the local store failed: {reason}; nothing was changed")]
    Failed {
        /// What the medium said, without values.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A newer version of Lockstep wrote this profile.
    #[error("this profile was written by a newer version of Lockstep (format {found}): update needed")]
    Newer {
        /// The format found.
        found: u32,
    },
}

/// The tables. Their numbers are frozen: they are part of the profile's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Single records of the profile, by name.
    Profile = 1,
    /// Links of account logs, byte for byte: account ‖ seq.
    Links = 2,
    /// Slots that links and commits name, byte for byte: by hash.
    Slots = 3,
    /// Pins: per vault one sealed record.
    Pins = 4,
    /// Commits with their bodies, byte for byte: vault ‖ seq.
    Commits = 5,
    /// Leaves: vault ‖ item → version and blob hash, sealed.
    Leaves = 6,
    /// Items: vault ‖ item → blob, byte for byte.
    Items = 7,
    /// Edits that no commit holds yet: vault ‖ item, sealed.
    Outbox = 8,
    /// The one commit in flight of a vault: vault, sealed.
    InFlight = 9,
    /// What a pull has fetched and not yet applied: vault ‖ kind ‖ key.
    Staging = 10,
    /// Items whose current version cannot be opened: vault ‖ item.
    Quarantine = 11,
    /// Security events, ascending by time.
    Events = 12,
}

impl Table {
    /// Every table, in order.
    pub const ALL: [Self; 12] = [
        Self::Profile,
        Self::Links,
        Self::Slots,
        Self::Pins,
        Self::Commits,
        Self::Leaves,
        Self::Items,
        Self::Outbox,
        Self::InFlight,
        Self::Staging,
        Self::Quarantine,
        Self::Events,
    ];
}

/// One write of a batch.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a record.
    Put {
        /// The table.
        table: Table,
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes a record, if it is there.
    Delete {
        /// The table.
        table: Table,
        /// The key.
        key: Vec<u8>,
    },
    /// Removes every record whose key starts with `prefix`.
    DeletePrefix {
        /// The table.
        table: Table,
        /// The prefix; empty means the whole table.
        prefix: Vec<u8>,
    },
}

/// Writes that become durable together, in order, or not at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a record.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.push(Write::Put { table, key: key.into(), value: value.into() });
        self
    }

    /// Removes a record, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.push(Write::Delete { table, key: key.into() });
        self
    }

    /// Removes every record whose key starts with `prefix`.
    pub fn delete_prefix(&mut self, table: Table, prefix: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.push(Write::DeletePrefix { table, prefix: prefix.into() });
        self
    }

    /// Adds another batch's writes after this one's.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.writes.extend(other.writes);
        self
    }

    /// The writes, in order.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes, in order.
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// The records of one profile. Every method is one transaction that commits by itself: what [`LocalStore::write`]
/// has acknowledged survives a crash and a power cut, what it has not acknowledged is there whole or not at all.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait LocalStore: MaybeSend {
    /// One record.
    ///
    /// # Errors
    /// [`LocalStoreError`].
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError>;

    /// Records whose keys start with `prefix` and are greater than `after`, ascending by key, at most `limit`.
    ///
    /// # Errors
    /// [`LocalStoreError`].
    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError>;

    /// Writes a batch, durably and as a whole.
    ///
    /// # Errors
    /// [`LocalStoreError`]; then nothing of it was written.
    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError>;
}

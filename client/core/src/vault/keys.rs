//! The keys of one vault.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_crypto::keys::{ItemIdKey, KEY_LENGTH, VaultKey};
use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{Epoch, VaultId};
use lockstep_proto::log::VaultState;

/// Epochs that a record holds, at most: every removal of a device makes one.
const EPOCHS_LIMIT: usize = 1 << 16;

/// Vault keys by epoch, each checked against its commitment before it came here; and the key of the epoch that comes next,
/// where the account's log names one that no commit has brought yet. Wiped when dropped.
#[derive(Clone, Default)]
pub(crate) struct VaultKeys {
    known: BTreeMap<Epoch, Arc<VaultKey>>,
    next: Option<(Epoch, Arc<VaultKey>)>,
}

impl VaultKeys {
    /// The keys of a vault of which one epoch's is at hand.
    pub(crate) fn of(epoch: Epoch, key: VaultKey) -> Self {
        let mut keys = Self::default();
        keys.add(epoch, key);
        keys
    }

    /// One more key, of an epoch that a commit has brought.
    pub(crate) fn add(&mut self, epoch: Epoch, key: impl Into<Arc<VaultKey>>) {
        self.known.insert(epoch, key.into());
    }

    /// The same keys, with this one of the epoch that comes next.
    pub(crate) fn with_next(self, next: Option<(Epoch, Arc<VaultKey>)>) -> Self {
        Self { next, ..self }
    }

    /// The same keys, after a commit has brought the epoch that `state` is at: the next key counts if it is the one that the
    /// commit names.
    pub(crate) fn raised_to(&self, state: &VaultState) -> Self {
        let mut keys = self.clone();
        let brought = |(epoch, key): &mut (Epoch, Arc<VaultKey>)| {
            *epoch == state.epoch() && key.derive_commit(state.seed(), *epoch) == state.vault_key_commit()
        };
        if let Some((epoch, key)) = keys.next.take_if(brought) {
            keys.known.insert(epoch, key);
        }
        keys
    }

    /// The key of an epoch, if this device has it.
    pub(crate) fn key(&self, epoch: Epoch) -> Option<&VaultKey> {
        self.known.get(&epoch).map(|key| &**key)
    }

    /// The same, to be shared.
    pub(crate) fn shared(&self, epoch: Epoch) -> Option<Arc<VaultKey>> {
        self.known.get(&epoch).map(Arc::clone)
    }

    /// The epoch that comes next, and its key.
    pub(crate) fn next(&self) -> Option<(Epoch, Arc<VaultKey>)> {
        self.next.as_ref().map(|(epoch, key)| (*epoch, Arc::clone(key)))
    }

    /// What derives item ids, if this device has the vault's first key.
    pub(crate) fn item_ids(&self, vault_id: &VaultId) -> Option<ItemIdKey> {
        self.key(Epoch(1)).map(|key| key.derive_item_id_key(vault_id))
    }

    /// Whether both hold the keys of the same epochs.
    pub(crate) fn same_epochs(&self, other: &Self) -> bool {
        self.known.keys().eq(other.known.keys())
    }
}

/// The keys that commits have brought; the next one is read from the account's log each time.
impl Canon for VaultKeys {
    fn encode(&self, out: &mut Encoder) {
        out.u32(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        for (epoch, key) in &self.known {
            epoch.encode(out);
            out.fixed::<KEY_LENGTH>(key.expose_bytes());
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let count = usize::try_from(input.u32()?).unwrap_or(usize::MAX);
        if count > EPOCHS_LIMIT {
            return Err(CanonError::TooLong { found: count, limit: EPOCHS_LIMIT });
        }
        let mut keys = Self::default();
        for _ in 0..count {
            let epoch: Epoch = Canon::decode(input)?;
            if keys.known.last_key_value().is_some_and(|(last, _)| *last >= epoch) {
                return Err(CanonError::Invalid("vault keys"));
            }
            keys.add(epoch, VaultKey::from_bytes(input.fixed::<KEY_LENGTH>()?));
        }
        Ok(keys)
    }
}

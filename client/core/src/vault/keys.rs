//! The keys of one vault.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_crypto::keys::{ItemIdKey, KEY_LENGTH, VaultKey};
use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{Epoch, VaultId};
use lockstep_proto::log::VaultState;

/// Epochs that a record holds, at most: every removal of a device makes one.
const EPOCHS_LIMIT: usize = 1 << 16;

/// Vault keys by epoch, each checked against its commitment before it came here; and those of epochs that the account's log
/// names and no commit has brought yet. Wiped when dropped.
#[derive(Clone, Default)]
pub(crate) struct VaultKeys {
    known: BTreeMap<Epoch, Arc<VaultKey>>,
    /// Of epochs that the account's log names and no commit has brought yet.
    ahead: BTreeMap<Epoch, Arc<VaultKey>>,
    /// The slot that the account's log names now does not open, or is under an ARK that nobody was given: whoever made it has
    /// put something else there.
    is_lost: bool,
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

    /// The same keys, with these of epochs that no commit has brought yet.
    pub(crate) fn with_ahead(self, ahead: BTreeMap<Epoch, Arc<VaultKey>>) -> Self {
        Self { ahead, is_lost: false, ..self }
    }

    /// The same keys, where the slot that the account's log names does not open.
    pub(crate) fn with_lost(self) -> Self {
        Self { is_lost: true, ..self }
    }

    /// Whether nobody has the key that the account's log has named last.
    pub(crate) fn are_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether there is none that a commit has brought.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The key that the account's log has named last, of this epoch; where its slot holds something else the newest that is
    /// here: nobody has another one.
    pub(crate) fn named(&self, epoch: Epoch) -> Option<Arc<VaultKey>> {
        let newest = || self.ahead.last_key_value().or(self.known.last_key_value()).map(|(_, key)| key);
        let newest = || newest().filter(|_| self.is_lost);
        self.ahead.get(&epoch).or_else(|| self.known.get(&epoch)).or_else(newest).map(Arc::clone)
    }

    /// The same keys, after a commit has brought the epoch that `state` is at: a key counts if it is the one that the commit
    /// names.
    pub(crate) fn raised_to(&self, state: &VaultState) -> Self {
        let (mut keys, epoch) = (self.clone(), state.epoch());
        let later = keys.ahead.split_off(&epoch.next());
        let brought = std::mem::replace(&mut keys.ahead, later).remove(&epoch);
        if let Some(key) =
            brought.filter(|key| key.derive_commit(state.seed(), epoch) == state.vault_key_commit())
        {
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

    /// Whether the account's log names epochs that are to be brought, and this device has the key of the last of them.
    pub(crate) fn are_due(&self) -> bool {
        !self.ahead.is_empty() && !self.is_lost
    }

    /// What derives item ids, if this device has the vault's first key.
    pub(crate) fn item_ids(&self, vault_id: &VaultId) -> Option<ItemIdKey> {
        self.key(Epoch(1)).map(|key| key.derive_item_id_key(vault_id))
    }

    /// Those of epochs that commits have brought up to this one.
    pub(crate) fn up_to(&self, epoch: Epoch) -> Self {
        let known = self.known.range(..=epoch).map(|(epoch, key)| (*epoch, Arc::clone(key))).collect();
        Self { known, ..Self::default() }
    }

    /// Whether both hold the keys of the same epochs.
    pub(crate) fn same_epochs(&self, other: &Self) -> bool {
        self.known.keys().eq(other.known.keys())
    }
}

/// The keys that commits have brought; later ones are read from the account's log each time.
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

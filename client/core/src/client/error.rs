//! Why something done on this device did not work.

use lockstep_proto::ids::{ItemId, VaultId};

use crate::account::{AccountError, RecordError};
use crate::item::ItemError;
use crate::ports::LocalStoreError;

/// A local operation did not work. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// This device has no such vault.
    #[error("this device has no vault {0}; sync to fetch vaults made elsewhere")]
    NoVault(VaultId),
    /// The vault has no such item.
    #[error("there is no item {0} in this vault; it may have been purged")]
    NoItem(ItemId),
    /// Only an item in the trash is purged.
    #[error("item {0} is not in the trash, so it was not purged; put it there first")]
    NotInTrash(ItemId),
    /// No vault holds the names of devices yet.
    #[error("this device has no vault yet to keep its name in; sync, or make a vault, first")]
    NoFirstVault,
    /// The key needed is not on this device.
    #[error("the first key of vault {0} is not on this device; sync and try again")]
    KeyMissing(VaultId),
    /// The document, with its history, is above what one item can hold.
    #[error(
        "item {item_id} would take {length} bytes, more than one item can hold; nothing was changed: choose between its values in conflict (they count), shorten it, or split it in two"
    )]
    ItemTooLarge {
        /// The item.
        item_id: ItemId,
        /// Bytes.
        length: usize,
    },
    /// A vault's key cannot be opened.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The edit breaks a limit of items.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] LocalStoreError),
    /// A record of this device is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
}

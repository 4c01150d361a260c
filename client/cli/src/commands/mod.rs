//! One file for each command: its options, what it does, its result.
//!
//! **Invariants:** a command decides nothing about keys, logs or merging: that is the client's. It asks before it
//! destroys or reveals, and saves before it syncs.

pub mod add;
pub mod agent;
pub(crate) mod archive;
pub mod code;
pub mod conflicts;
pub mod device;
pub mod edit;
pub mod evidence;
pub mod export;
pub mod get;
pub mod heal;
pub mod history;
pub mod import;
pub mod join;
pub mod key;
pub mod kit;
pub mod list;
pub mod lock;
pub mod password;
pub mod recover;
pub mod rm;
pub mod security;
mod sheet;
pub mod signin;
pub mod signup;
pub mod status;
pub mod sync;
pub mod unlock;

use lockstep_client::proto::ids::{ItemId, VaultId};
use serde::Serialize;

use crate::show::sync::Synced;

/// The result of a command that writes one item.
#[derive(Debug, Serialize)]
struct Written {
    id: String,
    vault_id: String,
    title: String,
    changed: bool,
    sync: Synced,
}

impl Written {
    fn new(vault_id: VaultId, item_id: ItemId, title: &str, sync: Synced) -> Self {
        let (id, vault_id) = (item_id.to_string(), vault_id.to_string());
        Self { id, vault_id, title: title.to_owned(), changed: true, sync }
    }
}

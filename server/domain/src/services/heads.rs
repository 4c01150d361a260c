//! Heads that links and commits name.

use lockstep_proto::ids::AccountId;
use lockstep_proto::log::VaultHead;

use crate::store::{Store, StoreError, VaultReader};

/// Whether a vault of the account has this commit in its chain or beside it.
pub(super) async fn known_head(
    store: &dyn Store,
    account_id: AccountId,
    VaultHead { vault_id, head }: VaultHead,
) -> Result<bool, StoreError> {
    let reader = VaultReader { vault_id, account_id };
    match store.find_commit(reader, head).await? {
        None => return Ok(false),
        Some((true, _)) => return Ok(true),
        Some((false, _)) => {}
    }
    // Few vaults have joined a branch: what was on it counts as seen.
    let mut last = None;
    while let Some(page) = store.side_page(reader, last).await? {
        if page.rows.iter().any(|row| row.head == head) {
            return Ok(true);
        }
        last = page.rows.last().map(|row| row.head);
        if !page.more {
            break;
        }
    }
    Ok(false)
}

//! What this device has, for an archive; and what it has not.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::client::{Client, ClientError, OpenItem, QuarantineInfo, VaultInfo};
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_formats::archive::{Archive, ArchivedVault};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::find;
use crate::show::archive::Unopened;

/// Everything of some vaults, as bytes, and what to tell about it.
pub(super) struct Gathered {
    made_ms: u64,
    vaults: BTreeMap<VaultId, GatheredVault>,
    /// Items whose current version cannot be opened here.
    pub(super) unopened: Vec<Unopened>,
    /// Edits that the server does not have yet; they are in.
    pub(super) pending: usize,
    /// Vaults of the account that this device has not fetched, where all were asked for.
    pub(super) vaults_missing: usize,
}

struct GatheredVault {
    name: String,
    items: BTreeMap<ItemId, Zeroizing<Vec<u8>>>,
}

impl Gathered {
    /// Everything of one vault, or of all.
    ///
    /// # Errors
    /// A [`Failure`] when the profile cannot be read, or has no vault.
    pub(super) async fn from(client: &Client, vault: Option<&str>) -> Result<Self, Failure> {
        let only = match vault {
            Some(text) => Some(find::vault(client, Some(text)).await?),
            None => None,
        };
        let chosen: Vec<VaultInfo> = client.vaults().await?;
        let chosen = chosen.into_iter().filter(|info| only.is_none_or(|only| only == info.vault_id));
        let mut vaults = BTreeMap::new();
        let mut pending = 0;
        for info in chosen {
            pending += info.pending;
            let items = items(client, info.vault_id).await?;
            vaults.insert(info.vault_id, GatheredVault { name: info.name, items });
        }
        if vaults.is_empty() {
            return Err(Failure::failed("no-vault", "this device has no vault yet; run `lockstep sync`"));
        }
        let unopened = unopened(client, &vaults.keys().copied().collect()).await?;
        let vaults_missing = if only.is_none() { client.status().await?.vaults_missing } else { 0 };
        Ok(Self { made_ms: client.author().now_ms, vaults, unopened, pending, vaults_missing })
    }

    /// The archive of it.
    pub(super) fn archive(&self) -> Archive<'_> {
        let vaults = self.vaults.iter().map(|(vault_id, vault)| {
            let items = vault.items.iter().map(|(item_id, document)| (*item_id, document.as_slice()));
            (*vault_id, ArchivedVault { name: &vault.name, items: items.collect() })
        });
        Archive { made_ms: self.made_ms, vaults: vaults.collect() }
    }
}

async fn items(
    client: &Client,
    vault_id: VaultId,
) -> Result<BTreeMap<ItemId, Zeroizing<Vec<u8>>>, ClientError> {
    let mut items = BTreeMap::new();
    for summary in client.items(vault_id).await? {
        let item_id = summary.item_id;
        let open = client.item(vault_id, item_id).await?.ok_or(ClientError::NoItem(item_id))?;
        items.insert(item_id, Zeroizing::new(open.document.to_bytes()));
    }
    Ok(items)
}

/// The items of these vaults whose current version cannot be opened, and which nothing waits to replace.
async fn unopened(client: &Client, vaults: &BTreeSet<VaultId>) -> Result<Vec<Unopened>, ClientError> {
    let mut found = Vec::new();
    for mark in client.quarantined().into_iter().filter(|mark| vaults.contains(&mark.vault_id)) {
        let open = client.item(mark.vault_id, mark.item_id).await?;
        let is_purged = client.is_purged(mark.vault_id, mark.item_id).await?;
        found.extend(lacking(&mark, open.as_ref(), is_purged));
    }
    Ok(found)
}

/// What an archive lacks of an item that is marked as one that cannot be opened: nothing where it was edited or purged
/// here since, its newest version where an older one was kept, else all of it.
fn lacking(mark: &QuarantineInfo, open: Option<&OpenItem>, is_purged: bool) -> Option<Unopened> {
    let is_replaced = is_purged || open.is_some_and(|open| open.quarantine.is_none());
    (!is_replaced).then(|| Unopened {
        vault_id: mark.vault_id,
        item_id: mark.item_id,
        last_good: open.map(|open| open.document.name().to_owned()),
        reason: mark.reason,
    })
}

#[cfg(test)]
mod tests {
    use lockstep_client::client::{Pending, QuarantineReason};
    use lockstep_client::item::{Author, Draft};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    #[test]
    fn an_item_that_cannot_be_opened_is_named_unless_something_here_replaces_it() {
        let author = Author { now_ms: 5, device: DeviceId([1; 16]) };
        let document = Draft::by("login", author).unwrap().set("name", "Bank").build().unwrap();
        let mark = QuarantineInfo {
            vault_id: VaultId([1; 32]),
            item_id: ItemId::from_random([7; 16]),
            author: author.device,
            reason: QuarantineReason::Sealed,
        };
        let open = |quarantine| OpenItem {
            document: document.clone(),
            leaf: None,
            pending: Pending::No,
            quarantine,
        };
        let last_good = lacking(&mark, Some(&open(Some(mark.clone()))), false).unwrap();
        assert_eq!((last_good.last_good.as_deref(), last_good.reason), (Some("Bank"), mark.reason));
        assert_eq!(lacking(&mark, None, false).unwrap().last_good, None);
        assert_eq!(lacking(&mark, Some(&open(None)), false), None, "an edit waits");
        assert_eq!(lacking(&mark, None, true), None, "a purge waits");
    }
}

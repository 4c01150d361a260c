//! What must be true whatever the server does.
//!
//! - (1) Nothing planted and no key is in anything that was sent.
//! - (2) No key goes to the adversary: the Recovery Key that the logs name is the one that the first device made.
//! - (3) All that is shown was written by a device.
//! - (4) Pins never go back.
//! - (5) Who has the same head shows the same.
//! - (6) is `oracle.rs`: requests do not tell what failed.
//! - (7) With the honest server back all converge, and nothing acknowledged is gone.
//! - (8) Nobody is framed: evidence that is kept proves a fork, and there was none.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::VaultId;
use lockstep_tests::TestDevice;

use super::world::World;

type Shown = BTreeMap<VaultId, Vec<(String, String)>>;

/// Titles and passwords on a device, by vault.
async fn shown(device: &TestDevice) -> Shown {
    let mut found = Shown::new();
    for vault in device.client.vaults().await.unwrap() {
        let items = found.entry(vault.vault_id).or_default();
        for item in device.client.items(vault.vault_id).await.unwrap() {
            let open = device.client.item(vault.vault_id, item.item_id).await.unwrap().unwrap();
            let text = |field| open.document.text(field).unwrap_or_default().to_owned();
            items.push((text("title"), text("password")));
        }
        items.sort();
    }
    found
}

pub(crate) async fn after_each(world: &mut World, at: &str) {
    for number in 0..world.devices.len() {
        let device = &world.devices[number];
        for (title, password) in shown(device).await.into_values().flatten() {
            let written = world.written.get(&title).is_some_and(|values| values.contains(&password));
            assert!(written, "{at}: device {number} shows {title}: {password}");
        }
        let status = device.client.status().await.unwrap();
        let heads = status.vaults.iter().map(|vault| (vault.vault_id, vault.head)).collect();
        let (account, vaults) = &world.pins[number];
        assert!(status.account_head.seq >= account.seq, "{at}: device {number} goes back");
        for (vault_id, pinned) in vaults {
            let now: &BTreeMap<_, _> = &heads;
            assert!(now[vault_id].seq >= pinned.seq, "{at}: device {number} goes back");
        }
        world.pins[number] = (status.account_head, heads);
        let state = device.client.unlocked().state();
        let first = world.devices[0].client.unlocked().state();
        assert_eq!(state.recovery(), first.recovery(), "{at}: another Recovery Key");
    }
    same_head_same_items(world, at).await;
}

/// Devices with the same head of a vault, and nothing that waits, show the same of it.
async fn same_head_same_items(world: &World, at: &str) {
    let mut at_head = BTreeMap::new();
    for (number, device) in world.devices.iter().enumerate() {
        let mut all = shown(device).await;
        for vault in device.client.status().await.unwrap().vaults {
            let aside = device.client.quarantined().iter().any(|mark| mark.vault_id == vault.vault_id);
            if vault.pending > 0 || aside {
                continue;
            }
            let items = all.remove(&vault.vault_id).unwrap_or_default();
            let (first, known) =
                at_head.entry((vault.vault_id, vault.head)).or_insert((number, items.clone()));
            assert_eq!(*known, items, "{at}: devices {first} and {number} at one head");
        }
    }
}

pub(crate) async fn at_the_end(world: &mut World, at: &str) {
    silent(world, at);
    let stay: Vec<usize> =
        (0..world.devices.len()).filter(|number| !world.removed.contains(number)).collect();
    for _ in 0..3 {
        for number in &stay {
            let synced = world.devices[*number].sync().await;
            synced.unwrap_or_else(|error| panic!("{at}: device {number}: {error}"));
        }
    }
    after_each(world, at).await;
    let truth = shown(&world.devices[stay[0]]).await;
    for number in &stay {
        let device = &world.devices[*number];
        assert_eq!(shown(device).await, truth, "{at}: device {number}");
        assert_eq!(device.client.status().await.unwrap().pending, 0, "{at}: device {number}");
        assert!(device.client.fork_evidence().await.unwrap().is_empty(), "{at}: somebody is framed");
    }
    let titles: BTreeSet<String> = truth.into_values().flatten().map(|(title, _)| title).collect();
    for title in world.written.keys().filter(|title| !world.purged.contains(*title)) {
        // What a device that was removed had not sent stays on it.
        let of_removed = world.removed.iter().any(|number| title.ends_with(&format!("of {number}")));
        assert!(titles.contains(title) || of_removed, "{at}: {title} is lost");
    }
}

/// Nothing secret in anything that was sent.
fn silent(world: &World, at: &str) {
    let mut secrets: Vec<Vec<u8>> = world.papers.expose_secrets();
    secrets
        .extend(world.written.keys().map(|title| title.as_bytes().to_vec()).filter(|title| title.len() > 6));
    for device in &world.devices {
        secrets.push(device.client.unlocked().expose_lrk().to_vec());
        secrets.push(device.client.unlocked().ark().expose_bytes().to_vec());
    }
    for device in &world.devices {
        for request in device.net.server().seen() {
            let sent = [request.path.as_bytes(), &request.body].concat();
            for secret in &secrets {
                let leaks = sent.windows(secret.len()).any(|window| window == &secret[..]);
                assert!(!leaks, "{at}: {} leaks", request.path);
            }
        }
    }
}

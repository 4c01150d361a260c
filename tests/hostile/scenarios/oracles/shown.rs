//! What devices show, and what they pin.

use std::collections::BTreeMap;

use lockstep_client::item::Value;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;
use lockstep_tests::{Fault, TestDevice, is_commit, is_link};

use super::super::script::Act;
use super::super::world::{Pins, Player, World};
use super::Verdict;

/// An item as a person sees it: its title, its password, and every password that it had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) password: String,
    pub(crate) passwords: Vec<String>,
}

/// What is true at a head of a vault, as devices whose server does not lie have it.
#[derive(Default)]
pub(crate) struct Truth {
    at: BTreeMap<(VaultId, LogHead), Vec<Shown>>,
    /// A device of the victim's account that only reads, and whose server does not lie.
    pub(crate) witness: Option<TestDevice>,
}

/// Everything on a device, by vault.
pub(crate) async fn shown(device: &TestDevice) -> BTreeMap<VaultId, Vec<Shown>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for vault in device.client.vaults().await.unwrap() {
        let items = found.entry(vault.vault_id).or_default();
        for item in device.client.items(vault.vault_id).await.unwrap() {
            let document = device.client.item(vault.vault_id, item.item_id).await.unwrap().unwrap().document;
            let text = |field| document.text(field).unwrap_or_default().to_owned();
            let entries = document.register("password").map(|register| register.entries());
            let texts = entries.into_iter().flatten().filter_map(|entry| match entry.value() {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            });
            items.push(Shown {
                title: text("title"),
                password: text("password"),
                passwords: texts.collect(),
            });
        }
        items.sort();
    }
    found
}

/// Who wrote what is shown, and that nothing goes back.
pub(super) async fn look(world: &mut World) -> Verdict {
    for number in changed(world) {
        let shown = shown(&world.players[number].device).await;
        shown.values().flatten().try_for_each(|item| was_written(world, number, item))?;
        world.players[number].shown = shown;
        let pins = pins(&world.players[number].device).await;
        let player = &mut world.players[number];
        keeps(player, &pins).map_err(|what| format!("device {number} {what}"))?;
        player.pins = pins;
    }
    Ok(())
}

/// Whether what a device shows was written by a device that it has in its account, before that was removed.
pub(super) fn was_written(world: &World, number: usize, item: &Shown) -> Verdict {
    let player = &world.players[number];
    let account = &world.accounts[player.account];
    let Shown { title, password, .. } = item;
    let Some((writer, values)) = account.written.get(title) else {
        return Err(format!("device {number} shows {title}, which nobody of its account wrote"));
    };
    if !values.contains_key(password) {
        return Err(format!("device {number} shows {title} with {password}"));
    }
    let device_id = world.players[*writer].device.client.device_id();
    let known = player.device.client.unlocked().state().device(&device_id);
    let too_late = account.too_late.contains(title) && *writer != number;
    match known {
        Some(known) if known.is_active() || !too_late => Ok(()),
        _ => Err(format!("device {number} shows {title} of device {writer}, which may not write")),
    }
}

async fn pins(device: &TestDevice) -> Pins {
    let status = device.client.status().await.unwrap();
    (status.account_head, status.vaults.iter().map(|vault| (vault.vault_id, vault.head)).collect())
}

/// Whether what a device pins now is not behind, or beside, what it pinned before.
pub(super) fn keeps(before: &Player, (account, vaults): &Pins) -> Verdict {
    let (old, old_vaults) = &before.pins;
    let is_back = |(id, head): (&VaultId, &LogHead)| vaults.get(id).is_none_or(|now| now.seq < head.seq);
    if account.seq < old.seq || old_vaults.iter().any(is_back) {
        return Err("goes back".to_owned());
    }
    let same_place = |(id, head): (&VaultId, &LogHead)| {
        vaults.get(id).is_some_and(|now| now.seq == head.seq && now.hash != head.hash)
    };
    let then = before.device.client.unlocked().state().hash_at(old.seq);
    if old_vaults.iter().any(same_place) || (old.seq.0 > 0 && then != Some(old.hash)) {
        return Err("is on another branch".to_owned());
    }
    Ok(())
}

/// Compares devices with what is known to be true at their heads. `synced` says that the act was done.
pub(super) async fn compare_with_truth(world: &mut World, act: Option<Act>, synced: bool) -> Verdict {
    let victim = world.victim;
    let changed = changed(world);
    for number in changed.iter().filter(|number| **number != victim) {
        compare(world, *number).await?;
    }
    let just_synced = synced && matches!(act, Some(Act::Sync(number)) if number == victim);
    if let Some(mut witness) = world.truth.witness.take_if(|_| just_synced) {
        // It may fail: what is in step by then is compared.
        drop(witness.sync().await);
        let compared = world.truth.compare(&witness, shown(&witness).await, "the witness").await;
        world.truth.witness = Some(witness);
        compared?;
    }
    if changed.contains(&victim) {
        compare(world, victim).await?;
    }
    world.players.iter_mut().for_each(|player| player.has_changed = false);
    Ok(())
}

/// The devices that wrote something since they were looked at.
fn changed(world: &World) -> Vec<usize> {
    (0..world.players.len()).filter(|number| world.players[*number].has_changed).collect()
}

async fn compare(world: &mut World, number: usize) -> Verdict {
    let player = &world.players[number];
    world.truth.compare(&player.device, player.shown.clone(), &format!("device {number}")).await
}

impl Truth {
    /// Compares every vault of a device in which nothing waits with what others showed at the same head.
    async fn compare(
        &mut self,
        device: &TestDevice,
        mut all: BTreeMap<VaultId, Vec<Shown>>,
        who: &str,
    ) -> Verdict {
        for vault in device.client.status().await.unwrap().vaults {
            let aside = device.client.quarantined().iter().any(|mark| mark.vault_id == vault.vault_id);
            if vault.pending > 0 || aside {
                continue;
            }
            let items = all.remove(&vault.vault_id).unwrap_or_default();
            let known = self.at.entry((vault.vault_id, vault.head)).or_insert_with(|| items.clone());
            if *known != items {
                let at = vault.head.seq;
                return Err(format!("{who} shows {items:?} at {at}, the truth is {known:?}"));
            }
        }
        Ok(())
    }

    /// From now on this device tells what is true. It writes nothing.
    pub(crate) fn witnessed_by(&mut self, device: TestDevice) {
        device.net.fail(is_commit, Fault::Unreachable, usize::MAX);
        device.net.fail(is_link, Fault::Unreachable, usize::MAX);
        self.witness = Some(device);
    }
}

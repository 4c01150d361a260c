//! Three devices that edit, sync, fail and restart at random, and end with the same vault and every edit in it.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::ids::ItemId;
use lockstep_tests::{Fault, TestDevice, is_commit};

use crate::one_device;

/// Numbers from a seed (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// `seed` is not zero.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// At least 0, below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// What was acknowledged to users: per item the fields that somebody wrote, and the items that somebody purged.
#[derive(Default)]
struct Ledger {
    written: BTreeMap<ItemId, BTreeSet<String>>,
    purged: BTreeSet<ItemId>,
}

async fn step(device: &mut TestDevice, dice: &mut Dice, ledger: &mut Ledger, number: usize) {
    device.clock.set(1_800_000_000_000 + dice.roll(86_400_000) as u64);
    let vault = device.vault().await.unwrap();
    let items = device.client.items(vault).await.unwrap();
    let any = (!items.is_empty()).then(|| dice.roll(items.len())).map(|index| items[index].item_id);
    match (dice.roll(10), any) {
        (0 | 1, _) | (_, None) => {
            let item = device.add(&format!("item {number}")).await.unwrap();
            ledger.written.entry(item).or_default().insert("title".to_owned());
        }
        (2..=5, Some(item)) => {
            let field = format!("custom/{number}");
            device.set(item, &field, "written").await.unwrap();
            ledger.written.entry(item).or_default().insert(field);
        }
        (6, Some(item)) => {
            device.client.trash(vault, item).await.unwrap();
            if dice.roll(2) == 0 {
                device.client.purge(vault, item).await.unwrap();
                ledger.purged.insert(item);
            }
        }
        (7, Some(_)) => {
            device.net.fail(is_commit, [Fault::AnswerLost, Fault::Unreachable][dice.roll(2)], 4);
            drop(device.sync().await);
            device.net.mend();
        }
        (8, Some(_)) => *device = device.restarted(device.store.snapshot()).await.unwrap(),
        _ => drop(device.sync().await.unwrap()),
    }
}

async fn walk(seed: u64) {
    let (server, first, papers) = one_device().await;
    let mut devices = vec![first];
    for _ in 0..2 {
        let mut device = TestDevice::sign_in(&server, &papers).await.unwrap();
        device.sync().await.unwrap();
        devices.push(device);
    }
    let (mut dice, mut ledger) = (Dice(seed), Ledger::default());
    for number in 0..120 {
        let index = dice.roll(devices.len());
        step(&mut devices[index], &mut dice, &mut ledger, number).await;
    }
    for _ in 0..3 {
        for device in &mut devices {
            device.sync().await.unwrap();
        }
    }
    let all = devices[0].everything().await.unwrap();
    for device in &devices {
        assert_eq!(device.everything().await.unwrap(), all, "seed {seed}");
        assert_eq!(device.client.status().await.unwrap().pending, 0, "seed {seed}");
    }
    for (item, fields) in &ledger.written {
        if ledger.purged.contains(item) {
            continue;
        }
        let document = devices[0].document(*item).await.unwrap();
        let lost: Vec<_> = fields.iter().filter(|field| document.value(field).is_none()).collect();
        assert!(lost.is_empty(), "seed {seed}: item {item} lost {lost:?}");
    }
}

#[tokio::test]
async fn devices_that_fail_at_random_end_in_step_with_every_edit() {
    for seed in 1..=6 {
        walk(seed * 0x9E37_79B9).await;
    }
}

//! Heads that other devices have seen, held against this device's chain.

use std::collections::BTreeMap;

use lockstep_proto::ids::{Hash, Seq, VaultId};
use lockstep_proto::log::LogHead;

use super::fixture::{Make, World, document, item};
use crate::account::RecordError;
use crate::account::tests::device::{Device, account};
use crate::ports::Batch;
use crate::sync::freshness::{Claim, check, news};
use crate::sync::{Missing, SyncError};
use crate::testing::block_on;
use crate::vault::{History, OpenVault, Pin, Records};

/// A device that has pinned four commits of a vault, with their heads.
fn pinned() -> (Device, OpenVault, Vec<LogHead>) {
    let (_, device, signed_up) = account();
    let mut world = World::new();
    let mut heads = vec![world.state.head()];
    let records = Records::new(&signed_up.unlocked, world.vault_id());
    let mut batch = Batch::new();
    records.put_commit(&mut batch, &world.genesis);
    for number in 1..5 {
        let (entry, _) = world.commit(&[(item(number), Make::Write(document("text")))]);
        records.put_commit(&mut batch, &entry);
        heads.push(world.state.head());
    }
    block_on(device.ports.store.write(batch)).unwrap();
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut vault = OpenVault::empty(pin, world.keys());
    vault.leaves = world.leaves.clone();
    (device, vault, heads)
}

fn judge(device: &Device, vault: &OpenVault, claim: LogHead) -> Result<Claim, SyncError> {
    block_on(check(&*device.ports.store, vault, claim))
}

#[test]
fn a_head_that_the_chain_holds_is_met_and_another_one_in_its_place_is_a_fork() {
    let (device, vault, heads) = pinned();
    for head in &heads {
        assert_eq!(judge(&device, &vault, *head).unwrap(), Claim::Met);
        let other = LogHead { hash: Hash([9; 32]), ..*head };
        let forked = judge(&device, &vault, other);
        assert!(matches!(forked, Err(SyncError::Diverged { at, .. }) if at == head.seq), "{forked:?}");
    }
    let beyond = LogHead { seq: Seq(5), hash: Hash([9; 32]) };
    let withheld = judge(&device, &vault, beyond);
    assert!(
        matches!(withheld, Err(SyncError::Withheld { what: Missing::Observed(head), .. }) if head == beyond),
        "{withheld:?}"
    );
}

/// Before its history is checked a new device cannot judge what lies before it; it does not take that for a fork, nor
/// for met. A commit that is lost on a device that had it is neither.
#[test]
fn what_is_not_here_yet_stays_open_and_what_was_lost_is_damage() {
    let (device, mut vault, heads) = pinned();
    let mut batch = Batch::new();
    let (_, _, signed_up) = account();
    Records::new(&signed_up.unlocked, vault.vault_id()).delete_commits(&mut batch, Seq(0), Seq(2));
    block_on(device.ports.store.write(batch)).unwrap();
    let lost = judge(&device, &vault, heads[1]);
    assert!(matches!(lost, Err(SyncError::Record(RecordError::Damaged { .. }))), "{lost:?}");
    vault.pin = vault.pin.clone().with_history(History::Since(heads[3]));
    let of = |head: LogHead| judge(&device, &vault, head);
    assert_eq!([of(heads[1]).unwrap(), of(heads[3]).unwrap()], [Claim::Open, Claim::Met]);
    // The genesis is here: it is judged.
    assert_eq!(of(heads[0]).unwrap(), Claim::Met);
    assert!(matches!(of(LogHead { hash: Hash([9; 32]), ..heads[0] }), Err(SyncError::Diverged { .. })));
}

/// A commit vouches for heads to the other devices of its account: for those that this device has verified as a whole.
#[test]
fn a_commit_names_the_other_vaults_whose_history_is_checked() {
    let (_, home, heads) = pinned();
    let (_, mut begun, _) = pinned();
    begun.pin = begun.pin.clone().with_history(History::Since(heads[2]));
    let [a, b, own] = [1, 2, 3].map(|byte| VaultId([byte; 32]));
    let (_, third, _) = pinned();
    let vaults = BTreeMap::from([(a, home), (b, begun), (own, third)]);
    let named = news(&vaults, &own);
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].head, heads[4]);
}

use lockstep_crypto::keys::VaultKey;
use lockstep_crypto::slots::VaultKeyCheck;
use lockstep_proto::ids::{Epoch, Hash, Seq, VaultId};
use lockstep_proto::log::{AccountLink, LinkBody, LogHead, Signer, VaultCreate, VaultHead};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::super::*;
use super::device::{Device, account};
use super::server::Loss;
use crate::ports::Table;
use crate::testing::block_on;

/// A head that devices have seen of a vault.
pub(super) const SEEN: LogHead = LogHead { seq: Seq(0), hash: Hash([1; 32]) };

/// The seed that the vaults' keys are committed to with.
pub(super) const SEED: [u8; 32] = [5; 32];

pub(super) fn vault_id(number: u8) -> VaultId {
    VaultId([number; 32])
}

pub(super) fn key(number: u8) -> VaultKey {
    VaultKey::from_bytes([number; 32])
}

/// A vault_create link with the slot it names.
fn vault_link(unlocked: &Unlocked, number: u8) -> (Signed<AccountLink>, Vec<u8>) {
    let slot = make_vault_key_slot(unlocked, vault_id(number), Epoch(1), &key(number)).unwrap();
    let heads = unlocked.state().vaults().keys();
    let heads = heads.map(|vault_id| VaultHead { vault_id: *vault_id, head: SEEN }).collect();
    let body = LinkBody::VaultCreate(VaultCreate { vault_id: vault_id(number), slot: slot_hash(&slot) });
    let signer = Signer::Device(unlocked.device_id());
    let link = AccountLink::after(unlocked.account_id(), &unlocked.state().head(), signer, 0, heads, body);
    (unlocked.sign_link(link), slot)
}

pub(super) fn create_vault(device: &Device, unlocked: &mut Unlocked, number: u8) -> Result<(), AccountError> {
    let (link, slot) = vault_link(unlocked, number);
    let api = device.api();
    let session = unlocked.session(&api);
    block_on(append_link(&device.ports, &api, unlocked, &session, link, LinkParts::of_slots(vec![slot])))
}

fn resume(device: &Device, unlocked: &mut Unlocked) -> Result<(), AccountError> {
    let api = device.api();
    let session = unlocked.session(&api);
    block_on(resume_link(&device.ports, &api, unlocked, &session))
}

/// The key in the slot that the log names, checked as that of the epoch that it names.
pub(super) fn open(
    device: &Device,
    unlocked: &Unlocked,
    number: u8,
    expected: u8,
) -> Result<VaultKey, AccountError> {
    let named = &unlocked.state().vaults()[&vault_id(number)];
    let commit = key(expected).derive_commit(&SEED, named.epoch);
    let check = VaultKeyCheck { seed: SEED, epoch: named.epoch, commit };
    block_on(vault_key(&device.ports, unlocked, unlocked.arks()[0], vault_id(number), &named.slot, &check))
}

#[test]
fn a_vaults_key_reaches_the_other_device() {
    let (server, first, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let mut unlocked = second.sign_in(&signed_up.kit).unwrap();
    first.pull(&mut signed_up.unlocked).unwrap();
    create_vault(&first, &mut signed_up.unlocked, 1).unwrap();
    let change = second.pull(&mut unlocked).unwrap();
    assert_eq!(change.added_vaults, [vault_id(1)]);
    assert_eq!(open(&second, &unlocked, 1, 1).unwrap().expose_bytes(), key(1).expose_bytes());
    assert!(second.pull(&mut unlocked).unwrap().is_empty());
    let refused = open(&second, &unlocked, 1, 2).err().unwrap();
    assert!(matches!(refused, AccountError::Slot(_)), "a key that the vault does not commit to");
}

#[test]
fn a_lost_link_is_sent_again_byte_for_byte_after_a_power_cut() {
    for loss in [Loss::Request, Loss::Answer] {
        let (server, device, mut signed_up) = account();
        server.lose("/v1/account/links", loss);
        assert!(create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err().is_offline());
        assert!(signed_up.unlocked.state().vaults().is_empty());

        let device = device.after_power_cut();
        let mut unlocked = device.unlock().unwrap();
        let refused = create_vault(&device, &mut unlocked, 2).unwrap_err();
        assert!(matches!(refused, AccountError::LinkInFlight));
        resume(&device, &mut unlocked).unwrap();
        let sent = server.sent("/v1/account/links");
        assert_eq!(sent[0], sent[1]);
        assert_eq!(unlocked.state().vaults().len(), 1);
        create_vault(&device, &mut unlocked, 2).unwrap();
        assert_eq!(device.unlock().unwrap().state(), unlocked.state());
    }
}

#[test]
fn a_link_found_in_the_pulled_log_is_done() {
    let (server, device, mut signed_up) = account();
    server.lose("/v1/account/links", Loss::Answer);
    create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
    device.pull(&mut signed_up.unlocked).unwrap();
    resume(&device, &mut signed_up.unlocked).unwrap();
    assert_eq!(server.sent("/v1/account/links").len(), 1);
    create_vault(&device, &mut signed_up.unlocked, 2).unwrap();
}

#[test]
fn an_overtaken_link_is_dropped_and_the_log_is_pulled() {
    let (server, first, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let mut unlocked = second.sign_in(&signed_up.kit).unwrap();
    let refused = create_vault(&first, &mut signed_up.unlocked, 1).unwrap_err();
    assert!(matches!(refused, AccountError::LinkOvertaken), "{refused}");
    assert_eq!(signed_up.unlocked.state(), unlocked.state());
    create_vault(&first, &mut signed_up.unlocked, 1).unwrap();
    second.pull(&mut unlocked).unwrap();
    assert_eq!(signed_up.unlocked.state(), unlocked.state());
}

#[test]
fn a_link_that_breaks_a_rule_is_neither_stored_nor_sent() {
    let (server, device, mut signed_up) = account();
    create_vault(&device, &mut signed_up.unlocked, 1).unwrap();
    let refused = create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
    assert!(matches!(refused, AccountError::Link(_)));
    assert_eq!(server.sent("/v1/account/links").len(), 1);
    let waiting = block_on(device.ports.store.read(Table::Profile, b"link-in-flight")).unwrap();
    assert_eq!(waiting, None);
}

#[test]
fn an_ended_session_is_renewed_without_anybody_noticing() {
    let (server, device, mut signed_up) = account();
    let api = device.api();
    let session = signed_up.unlocked.session(&api);
    for _ in 0..2 {
        block_on(pull_account(&device.ports, &api, &mut signed_up.unlocked, &session)).unwrap();
        server.end_sessions();
    }
    assert_eq!(server.sent("/v1/session").len(), 2);
}

#[test]
fn local_records_open_in_their_own_place_only() {
    let (_, _, signed_up) = account();
    let sealer = signed_up.unlocked.sealer();
    let sealed = sealer.seal(Table::Pins, b"key", b"record").unwrap();
    assert_eq!(sealer.open(Table::Pins, b"key", &sealed).unwrap()[..], b"record"[..]);
    assert!(sealer.open(Table::Outbox, b"key", &sealed).is_err());
    assert!(sealer.open(Table::Pins, b"other", &sealed).is_err());
}

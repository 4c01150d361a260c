//! Rekeys whose slots are nonsense or are given to nobody, by a thief who has a device and the password (A44): the
//! recovery sheet, and a device that was not given the new keys, take the account back with all that was there before.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use lockstep_client::account::{AccountError, KeyChange, SecurityEvent};
use lockstep_client::api::Api;
use lockstep_client::client::TakeBack;
use lockstep_client::ports::Request;
use lockstep_client::sync::SyncError;
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::random::Random as _;
use lockstep_crypto::slots::seal_slot_to;
use lockstep_native::OsRandom;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{AppendLinks, BarDevices};
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{DeviceId, Hash, Seq, VaultId};
use lockstep_proto::log::{
    AccountLink, AccountState, AuthUpdate, DeviceSlot, LinkBody, LogHead, Rekey, RekeyReason, Signer,
    VaultCreate, VaultHead, VaultSlot,
};
use lockstep_proto::sign::{PublicKey, Signed};
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext, slot_hash};
use lockstep_tests::{
    Blank, Fault, PASSWORD, Papers, Remains, TestDevice, TestServer, login, three_devices_on,
};

use super::forge;

const LIE: Hash = Hash([7; 32]);
const NEW_PASSWORD: &str = "a password that the owner chooses";

/// A vault that the thief links and nobody can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vault {
    /// It was never made.
    Ghost,
    /// Its key was sealed for nobody.
    Locked,
}

/// What a rekey of the thief's holds for the Recovery Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sheet {
    /// The new root key, as it should be; all other slots are nonsense.
    Serves,
    /// Nonsense.
    Refused,
    /// What nobody is given, by the account's catch-up route: no slot at all.
    Missing,
}

/// Somebody who has the third device, its keys and the password.
struct Thief<'a> {
    device: &'a TestDevice,
    api: Api,
    key: PasswordKey,
    state: AccountState,
    heads: Vec<VaultHead>,
}

fn bytes() -> Vec<u8> {
    let mut bytes = vec![0; 200];
    OsRandom.fill(&mut bytes);
    bytes
}

impl<'a> Thief<'a> {
    async fn new(device: &'a TestDevice) -> Self {
        let (key, state) =
            (device.password_key(PASSWORD).await.unwrap(), device.client.unlocked().state().clone());
        let vaults = device.client.status().await.unwrap().vaults;
        let heads = vaults.iter().map(|vault| VaultHead { vault_id: vault.vault_id, head: vault.head });
        let heads = heads.collect();
        Self { device, api: Api::new(device.net.clone()), key, state, heads }
    }

    /// A rekey that removes these devices, with new keys that nobody has.
    fn rekey(&self, gone: &BTreeSet<DeviceId>, sheet: Sheet) -> (Rekey, Vec<Vec<u8>>) {
        let state = &self.state;
        let mut slots = Vec::new();
        let mut named = |slot: Vec<u8>| {
            let hash = slot_hash(&slot);
            slots.push(slot);
            hash
        };
        let (ark, generation) = (Ark::make(&OsRandom), state.generation().next());
        let recovery = match sheet {
            Sheet::Serves => self.recovery_slot(&ark),
            Sheet::Refused | Sheet::Missing => bytes(),
        };
        let auth = AuthUpdate {
            password_slot: named(bytes()),
            recovery_slot: named(recovery),
            uek_slot: named(bytes()),
            secret_key_slot: named(bytes()),
            ..state.auth().unwrap().clone()
        };
        let active = state.devices().iter().filter(|(id, device)| device.is_active() && !gone.contains(id));
        let device_slots = active.map(|(id, _)| DeviceSlot { device_id: *id, slot: named(bytes()) });
        let device_slots = device_slots.collect();
        let vault_slots = state.vaults().iter().map(|(vault_id, vault)| VaultSlot {
            vault_id: *vault_id,
            epoch: vault.epoch.next(),
            vault_key_commit: slot_hash(&bytes()),
            prev_vault_key: bytes(),
            slot: named(bytes()),
        });
        let vault_slots = vault_slots.collect();
        let (uek_generation, uek) = state.uek();
        let rekey = Rekey {
            reason: if gone.is_empty() { RekeyReason::Rotation } else { RekeyReason::Retired },
            revoked: gone.iter().copied().collect(),
            generation,
            ark_commit: ark.derive_commit(state.seed(), generation),
            enrolment_key: PublicKey::from(&ark.derive_enrolment_key(state.seed(), generation)),
            device_slots,
            auth,
            uek_generation,
            uek: uek.clone(),
            vault_slots,
            prev_ark: bytes(),
        };
        (rekey, slots)
    }

    fn recovery_slot(&self, ark: &Ark) -> Vec<u8> {
        let (state, head) = (&self.state, self.state.head());
        let ctx = WrapContext {
            account_id: state.account_id(),
            slot: SlotKind::Recovery,
            wrapping: KeyKind::Recovery,
            wrapping_generation: Default::default(),
            wrapped: KeyKind::Ark,
            wrapped_generation: state.generation().next(),
            vault_id: VaultId::ZERO,
            device_id: DeviceId::ZERO,
            log_seq: head.seq,
            log_hash: head.hash,
        };
        let secret = DeviceKeys::make(&OsRandom).derive_rng_secret();
        seal_slot_to(&state.recovery().kem, &ctx, ark, &Hedge::new(&OsRandom, &secret)).unwrap()
    }

    async fn link_vault(&mut self, vault: Vault) {
        let vault_id = match vault {
            Vault::Ghost => VaultId([7; 32]),
            Vault::Locked => {
                let (named, create) = forge::genesis(self.device, LIE);
                let session = self.device.client.unlocked().session(&self.api);
                self.api.create_vault(&session, &create).await.unwrap();
                self.heads.push(named);
                named.vault_id
            }
        };
        if vault == Vault::Ghost {
            self.heads.push(VaultHead { vault_id, head: LogHead { seq: Seq(3), hash: LIE } });
        }
        let slot = bytes();
        let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot: slot_hash(&slot) });
        let link = std::mem::take(&mut self.heads);
        self.heads = link.iter().filter(|head| head.vault_id != vault_id).copied().collect();
        let route = if vault == Vault::Ghost { Sheet::Missing } else { Sheet::Refused };
        self.send(body, vec![slot], route).await;
        self.heads = link;
        self.heads.sort_by_key(|head| head.vault_id);
    }

    /// Signs it with both keys and gives it to the server.
    async fn change_keys(&mut self, gone: &BTreeSet<DeviceId>, sheet: Sheet) {
        let (rekey, slots) = self.rekey(gone, sheet);
        if sheet != Sheet::Missing && !gone.is_empty() {
            self.bar(gone).await;
        }
        self.send(LinkBody::Rekey(Box::new(rekey)), slots, sheet).await;
    }

    async fn bar(&self, gone: &BTreeSet<DeviceId>) {
        let unlocked = self.device.client.unlocked();
        let (devices, head) = (gone.iter().copied().collect::<Vec<_>>(), self.state.head());
        let statement = BarStatement {
            server_id: unlocked.server_id(),
            account_id: unlocked.account_id(),
            device_id: unlocked.device_id(),
            head,
            devices: devices.clone(),
        };
        let signature = Some(*Signed::sign(statement, &self.key.signing()).signature());
        let bars = BarDevices { devices, head: Some(head), signature };
        self.api.bar_devices(&unlocked.session(&self.api), &bars).await.unwrap();
    }

    fn sign(&self, body: LinkBody) -> Signed<AccountLink> {
        let unlocked = self.device.client.unlocked();
        let (account_id, signer) = (unlocked.account_id(), Signer::Device(unlocked.device_id()));
        let link = AccountLink::after(account_id, &self.state.head(), signer, 0, self.heads.clone(), body);
        unlocked.sign_link(link).countersigned(&self.key.signing())
    }

    async fn send(&mut self, body: LinkBody, slots: Vec<Vec<u8>>, sheet: Sheet) {
        let (unlocked, link) = (self.device.client.unlocked(), self.sign(body));
        let links = vec![link.to_body()];
        if sheet == Sheet::Missing {
            let body = HealAccount { links, slots: Vec::new(), record: None };
            self.api.heal_account(&body).await.unwrap();
        } else {
            let slots = slots.into_iter().map(Bytes).collect();
            let body = AppendLinks { links, slots, record: None };
            self.api.append_links(&unlocked.session(&self.api), &body).await.unwrap();
        }
        self.state = self.state.apply(&link).unwrap();
    }
}

/// Three devices in step, with two vaults, of which this is the first.
async fn three() -> (TestServer, [TestDevice; 3], VaultId, Papers) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let vault = first.vault().await.unwrap();
    let other = first.client.create_vault("Second").await.unwrap();
    save(&mut first, other, "of the second vault").await;
    save(&mut first, vault, "before").await;
    for device in [&mut first, &mut second, &mut third] {
        device.sync().await.unwrap();
    }
    (server, [first, second, third], vault, papers)
}

async fn save(device: &mut TestDevice, vault: VaultId, title: &str) {
    let item = device.client.make_item_id();
    device.client.save(vault, item, login(&device.client, title).unwrap()).await.unwrap();
}

async fn titles(device: &TestDevice) -> Vec<String> {
    let mut titles = Vec::new();
    for vault in device.client.vaults().await.unwrap() {
        for item in device.client.items(vault.vault_id).await.unwrap() {
            let open = device.client.item(vault.vault_id, item.item_id).await.unwrap().unwrap();
            titles.push(open.document.text("title").unwrap_or_default().to_owned());
        }
    }
    titles.sort();
    titles
}

const BEFORE: [&str; 3] = ["Bank", "before", "of the second vault"];
const AFTER: [&str; 4] = ["Bank", "after", "before", "of the second vault"];

/// All that was there before is; the device writes, its papers serve, and the thief is out.
async fn assert_taken_back(server: &TestServer, device: &mut TestDevice, vault: VaultId, what: &str) {
    assert_eq!(titles(device).await, BEFORE, "{what}");
    save(device, vault, "after").await;
    device.sync().await.unwrap();
    assert_eq!(device.client.status().await.unwrap().pending, 0, "{what}");
    let papers = device.papers(NEW_PASSWORD).await.unwrap();
    let mut fresh = Box::pin(TestDevice::sign_in(server, &papers)).await.unwrap();
    fresh.sync().await.unwrap();
    assert_eq!(titles(&fresh).await, AFTER, "{what}");
    assert_in_step_in(device, &mut fresh, vault).await;
    drop(Box::pin(TestDevice::recover(server, &papers, &[], PASSWORD)).await.unwrap());
}

async fn assert_in_step_in(first: &mut TestDevice, second: &mut TestDevice, vault: VaultId) {
    save(second, vault, "last").await;
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert_eq!(titles(first).await, titles(second).await);
}

async fn keys_lost(device: &TestDevice) -> Vec<Option<DeviceId>> {
    let events = device.client.security_events().await.unwrap();
    let lost = events.into_iter().filter_map(|record| match record.event {
        SecurityEvent::KeysLost { device_id } => Some(device_id),
        _ => None,
    });
    lost.collect()
}

#[tokio::test]
async fn a44_the_sheet_goes_back_past_rekeys_whose_slots_are_nonsense_or_missing() {
    use Sheet::{Missing, Refused, Serves};
    for rekeys in [
        vec![Refused],
        vec![Missing],
        vec![Serves],
        vec![Refused, Refused],
        vec![Serves, Missing],
        vec![Missing, Serves, Refused],
    ] {
        let what = format!("{rekeys:?}");
        let (server, [first, second, third], vault, papers) = Box::pin(three()).await;
        let mut gone = BTreeSet::from([first.client.device_id(), second.client.device_id()]);
        let mut thief = Thief::new(&third).await;
        for sheet in &rekeys {
            thief.change_keys(&gone, *sheet).await;
            gone.clear();
        }
        let recovered = Box::pin(TestDevice::recover(&server, &papers, &[], NEW_PASSWORD)).await;
        let mut recovered = recovered.unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let lost = keys_lost(&recovered).await;
        let opened = rekeys.last() == Some(&Serves);
        assert_eq!(lost, if opened { vec![] } else { vec![Some(third.client.device_id())] }, "{what}");
        Box::pin(assert_taken_back(&server, &mut recovered, vault, &what)).await;
    }
}

/// More than one answer has of the slots that are kept.
#[tokio::test]
async fn a44_the_sheet_goes_back_past_two_hundred_rekeys() {
    let (server, [first, second, third], vault, papers) = Box::pin(three()).await;
    let mut gone = BTreeSet::from([first.client.device_id(), second.client.device_id()]);
    let mut thief = Thief::new(&third).await;
    for _ in 0..200 {
        thief.change_keys(&gone, Sheet::Refused).await;
        gone.clear();
    }
    let recovered = Box::pin(TestDevice::recover(&server, &papers, &[], NEW_PASSWORD)).await;
    Box::pin(assert_taken_back(&server, &mut recovered.unwrap(), vault, "two hundred")).await;
}

/// Vaults that nobody can have end with the recovery, once its owner has said so, also where the thief has changed
/// their keys.
#[tokio::test]
async fn a44_vaults_that_nobody_can_open_do_not_hold_up_the_sheet() {
    for kind in [Vault::Ghost, Vault::Locked] {
        let (server, [_, _, third], vault, papers) = Box::pin(three()).await;
        let mut thief = Thief::new(&third).await;
        thief.link_vault(kind).await;
        thief.change_keys(&BTreeSet::new(), Sheet::Refused).await;
        let blank = Blank::new(&server).unwrap();
        let aside = blank.aside();
        let refused = Box::pin(blank.recover(&papers, &[], NEW_PASSWORD)).await.err().unwrap();
        let refused = refused.downcast::<SyncError>().unwrap();
        let SyncError::VaultsWouldEnd { vaults } = refused else { panic!("{kind:?}: {refused}") };
        let recovered = aside.restarted().unwrap().recover_ending(NEW_PASSWORD, &vaults).await;
        let mut recovered = recovered.unwrap_or_else(|error| panic!("{kind:?}: {error:#}"));
        assert_eq!(vaults.len(), 1, "{kind:?}");
        Box::pin(assert_taken_back(&server, &mut recovered, vault, &format!("{kind:?}"))).await;
    }
}

/// A new password whose slot nobody was given is none of the Recovery Key's business.
#[tokio::test]
async fn a44_the_sheet_needs_no_slot_but_its_own() {
    let (server, [_, _, third], vault, papers) = Box::pin(three()).await;
    let mut thief = Thief::new(&third).await;
    let old = thief.state.auth().unwrap().clone();
    let password_key = PublicKey::from(&SigningKey::from_bytes(&[42; 32]));
    let update = AuthUpdate { password_slot: Hash([9; 32]), record_hash: Hash([8; 32]), password_key, ..old };
    thief.send(LinkBody::AuthUpdate(update), Vec::new(), Sheet::Missing).await;
    let recovered = Box::pin(TestDevice::recover(&server, &papers, &[], NEW_PASSWORD)).await;
    let mut recovered = recovered.unwrap();
    assert!(keys_lost(&recovered).await.is_empty());
    Box::pin(assert_taken_back(&server, &mut recovered, vault, "a password")).await;
}

/// A device that was not given the new keys goes on from those that it has.
#[tokio::test]
async fn a44_a_device_that_was_refused_the_new_keys_takes_the_account_back() {
    for (sheet, stays) in [(Sheet::Refused, true), (Sheet::Refused, false), (Sheet::Missing, false)] {
        let what = format!("{sheet:?}, the thief stays: {stays}");
        let (server, [mut first, second, third], vault, papers) = Box::pin(three()).await;
        let gone = BTreeSet::from([second.client.device_id()]);
        let mut thief = Thief::new(&third).await;
        thief.change_keys(&gone, sheet).await;
        thief.change_keys(&BTreeSet::new(), sheet).await;
        let error = first.sync().await.unwrap_err();
        let refused =
            matches!(error, SyncError::Account(AccountError::Slot(_) | AccountError::SlotMissing { .. }));
        assert!(refused, "{what}: {error}");
        let stay = BTreeSet::from([third.client.device_id()]);
        let stay = if stays { stay } else { BTreeSet::new() };
        let mut chosen = TakeBack { stay, ..TakeBack::default() };
        let (key, new) = (papers.recovery_key().unwrap(), Password::new(NEW_PASSWORD).unwrap());
        let mut recovered = Box::pin(first.client.recover_here(&key, &new, &chosen)).await;
        // What the server may withhold is shown first.
        if sheet == Sheet::Missing {
            let moved_on = matches!(recovered, Err(SyncError::Account(AccountError::KeysMovedOn)));
            assert!(moved_on && !first.client.recovery_waits().await.unwrap(), "{what}: {recovered:?}");
            chosen.without_keys = true;
            recovered = Box::pin(first.client.recover_here(&key, &new, &chosen)).await;
        }
        recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(keys_lost(&first).await, [Some(third.client.device_id())], "{what}");
        Box::pin(assert_taken_back(&server, &mut first, vault, &what)).await;
    }
}

fn is_bar(request: &Request) -> bool {
    request.path == "/v1/account/bar"
}

/// A recovery that its owner has begun, and that was stopped before anybody was barred.
async fn begun(server: &TestServer, papers: &Papers) -> Remains {
    let blank = Blank::new(server).unwrap();
    let aside = blank.aside();
    blank.net().fail(is_bar, Fault::Unreachable, usize::MAX);
    assert!(Box::pin(blank.recover(papers, &[], NEW_PASSWORD)).await.is_err());
    aside
}

#[tokio::test]
async fn a44_nonsense_that_comes_during_a_recovery_is_passed() {
    let (server, [_, _, third], vault, papers) = Box::pin(three()).await;
    let aside = Box::pin(begun(&server, &papers)).await;
    let mut thief = Thief::new(&third).await;
    thief.change_keys(&BTreeSet::new(), Sheet::Refused).await;
    let recovered = Box::pin(aside.restarted().unwrap().recover(&papers, &[], NEW_PASSWORD)).await;
    let mut recovered = recovered.unwrap();
    assert_eq!(keys_lost(&recovered).await, [Some(third.client.device_id())]);
    Box::pin(assert_taken_back(&server, &mut recovered, vault, "during")).await;
}

/// What the server does not give may be honest, and withheld: nothing of it is given up before the owner was shown.
/// Meanwhile the thief writes nothing, by whichever route.
#[tokio::test]
async fn a44_keys_that_are_missing_during_a_recovery_are_shown_first() {
    let (server, [_, _, third], vault, papers) = Box::pin(three()).await;
    let aside = Box::pin(begun(&server, &papers)).await;
    let mut thief = Thief::new(&third).await;
    thief.change_keys(&BTreeSet::new(), Sheet::Missing).await;
    let before = thief.state.head();
    let again = aside.restarted().unwrap();
    let aside = again.aside();
    let error = Box::pin(again.recover(&papers, &[], NEW_PASSWORD)).await.err().unwrap();
    let moved_on = error.downcast_ref::<SyncError>();
    assert!(matches!(moved_on, Some(SyncError::Account(AccountError::KeysMovedOn))), "{error:#}");
    let (rekey, slots) = thief.rekey(&BTreeSet::new(), Sheet::Missing);
    let link = thief.sign(LinkBody::Rekey(Box::new(rekey)));
    let links = vec![link.to_body()];
    let given_back = HealAccount { links: links.clone(), slots: Vec::new(), record: None };
    assert!(thief.api.heal_account(&given_back).await.is_err());
    let usual = AppendLinks { links, slots: slots.into_iter().map(Bytes).collect(), record: None };
    let session = third.client.unlocked().session(&thief.api);
    let refused = thief.api.append_links(&session, &usual).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::DeviceBarred));
    let shown = aside.restarted().unwrap().recover_without_keys(NEW_PASSWORD).await;
    let mut recovered = shown.unwrap();
    assert_eq!(recovered.client.unlocked().state().hash_at(before.seq), Some(before.hash));
    assert_eq!(keys_lost(&recovered).await, [Some(third.client.device_id())]);
    Box::pin(assert_taken_back(&server, &mut recovered, vault, "shown")).await;
}

/// Of honest devices in step nothing is lost.
#[tokio::test]
async fn a44_after_an_honest_change_of_keys_the_sheet_opens_the_newest() {
    let (server, [mut first, mut second, _], vault, papers) = Box::pin(three()).await;
    let change = KeyChange::Rotation { new_secret_key: true };
    first.change_keys(&change, PASSWORD).await.unwrap();
    assert_in_step_in(&mut first, &mut second, vault).await;
    let expected = titles(&first).await;
    let recovered = Box::pin(TestDevice::recover(&server, &papers, &[], NEW_PASSWORD)).await;
    let recovered = recovered.unwrap();
    assert!(keys_lost(&recovered).await.is_empty());
    assert_eq!(titles(&recovered).await, expected);
}

//! A device that signs anything valid before it is removed (A45): claims of what never was, vaults that never were,
//! slots that nobody can open; given to the server in the usual way or as what a restored one had lost.

use std::collections::BTreeSet;

use lockstep_client::account::{KeyChange, Session};
use lockstep_client::api::{Api, ApiError};
use lockstep_client::client::{LifeCycleError, SyncReport};
use lockstep_client::sync::{Passwords, SyncError};
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_native::OsRandom;
use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{DeviceId, Hash, Seq, VaultId};
use lockstep_proto::log::{
    AccountLink, ControlBody, DeviceAdd, Enrolment, LinkBody, LogHead, Member, Role, Signer, VaultCreate,
    VaultHead,
};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;
use lockstep_tests::{PASSWORD, Papers, TestDevice, TestServer, decode, is_link, login, three_devices_on};

use super::forge::{Forger, genesis};
use super::garbage;
use super::scenarios::dice::Dice;

/// How links come to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Usual,
    CatchUp,
}

const ROUTES: [Route; 2] = [Route::Usual, Route::CatchUp];

/// What the device signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Poison {
    /// Heads far above every chain.
    HeadsAbove,
    /// Heads beside the chain.
    HeadsBeside,
    /// The same in what a commit says that it has observed.
    ObservedAbove,
    ObservedBeside,
    /// A vault that is linked and never made.
    GhostVault,
    /// A vault whose key nobody can open.
    LockedVault,
    /// The same with a slot that the server is not given.
    SlotlessVault,
    /// Another device of its own.
    Shadow,
    /// An epoch whose key nobody has.
    LostEpoch,
    /// An item that nobody can open.
    Garbage,
}

const POISONS: [Poison; 10] = [
    Poison::HeadsAbove,
    Poison::HeadsBeside,
    Poison::ObservedAbove,
    Poison::ObservedBeside,
    Poison::GhostVault,
    Poison::LockedVault,
    Poison::SlotlessVault,
    Poison::Shadow,
    Poison::LostEpoch,
    Poison::Garbage,
];

/// The device, with the keys of its program, in the hands of somebody who knows the password, too.
struct Thief<'a> {
    device: &'a TestDevice,
    password_key: PasswordKey,
    api: Api,
    session: Session,
    /// The log's end, and the vaults that it names, as far as the thief has brought it.
    head: LogHead,
    vaults: Vec<VaultHead>,
    /// The account's first vault.
    first: VaultId,
    /// Devices that it brought in.
    shadows: Vec<DeviceId>,
    version: u32,
}

const FAR: u64 = 1_000;
const LIE: Hash = Hash([7; 32]);

impl<'a> Thief<'a> {
    async fn new(device: &'a TestDevice, first: VaultId) -> Self {
        let api = Api::new(device.net.clone());
        let unlocked = device.client.unlocked();
        let vaults = device.client.status().await.unwrap().vaults;
        let vaults = vaults.iter().map(|vault| VaultHead { vault_id: vault.vault_id, head: vault.head });
        let (session, head) = (unlocked.session(&api), unlocked.state().head());
        let version = unlocked.state().security_version();
        let password_key = device.password_key(PASSWORD).await.unwrap();
        Self {
            device,
            password_key,
            session,
            api,
            head,
            vaults: vaults.collect(),
            first,
            shadows: Vec::new(),
            version,
        }
    }

    async fn link(&mut self, route: Route, body: LinkBody, slots: Vec<Vec<u8>>) -> Result<(), ApiError> {
        let heads = self.vaults.clone();
        self.link_with(route, heads, body, slots).await
    }

    async fn link_with(
        &mut self,
        route: Route,
        heads: Vec<VaultHead>,
        body: LinkBody,
        slots: Vec<Vec<u8>>,
    ) -> Result<(), ApiError> {
        let unlocked = self.device.client.unlocked();
        let signer = Signer::Device(unlocked.device_id());
        let link = AccountLink::after(unlocked.account_id(), &self.head, signer, 0, heads, body);
        let link = unlocked.sign_link(link).countersigned(&self.password_key.signing());
        let slots = slots.into_iter().map(Bytes).collect();
        match route {
            Route::Usual => {
                let body = AppendLinks { links: vec![link.to_body()], slots, record: None };
                self.api.append_links(&self.session, &body).await?;
            }
            Route::CatchUp => {
                let body = HealAccount { links: vec![link.to_body()], slots, record: None };
                self.api.heal_account(&body).await?;
            }
        }
        self.head = LogHead { seq: link.value().seq, hash: link.hash() };
        Ok(())
    }

    /// The heads of all vaults, each moved by `change`.
    fn lies(&self, change: impl Fn(&mut LogHead)) -> Vec<VaultHead> {
        let mut heads = self.vaults.clone();
        heads.iter_mut().for_each(|vault| change(&mut vault.head));
        heads
    }

    /// Links a vault with a slot of nonsense.
    async fn link_vault(&mut self, route: Route, vault: VaultHead, is_given: bool) -> Result<(), ApiError> {
        let slot = vec![9; 120 + self.vaults.len()];
        let body = LinkBody::VaultCreate(VaultCreate { vault_id: vault.vault_id, slot: slot_hash(&slot) });
        self.link(route, body, Some(slot).filter(|_| is_given).into_iter().collect()).await?;
        self.vaults.push(vault);
        self.vaults.sort_by_key(|vault| vault.vault_id);
        Ok(())
    }

    /// Signs it and gives it to the server, which may refuse.
    async fn poison(&mut self, poison: Poison, route: Route) -> Result<(), ApiError> {
        let version = LinkBody::SecurityVersion(self.version + 1);
        let above = |head: &mut LogHead| *head = LogHead { seq: Seq(head.seq.0 + FAR), hash: LIE };
        let beside = |head: &mut LogHead| head.hash = LIE;
        match poison {
            Poison::HeadsAbove => self.claim(route, self.lies(above), version).await,
            Poison::HeadsBeside => self.claim(route, self.lies(beside), version).await,
            Poison::ObservedAbove => self.observe(self.lies(above)).await,
            Poison::ObservedBeside => self.observe(self.lies(beside)).await,
            Poison::GhostVault => {
                let (vault, _) = genesis(self.device, LIE);
                self.link_vault(route, vault, true).await
            }
            Poison::LockedVault | Poison::SlotlessVault => {
                let (vault, create) = genesis(self.device, LIE);
                self.api.create_vault(&self.session, &create).await?;
                self.link_vault(route, vault, poison == Poison::LockedVault).await
            }
            Poison::Shadow => {
                let keys = DeviceKeys::make(&OsRandom);
                let add = DeviceAdd { keys: keys.public().clone(), how: Enrolment::Pairing };
                self.link(route, LinkBody::DeviceAdd(add), Vec::new()).await?;
                self.shadows.push(keys.public().device_id());
                Ok(())
            }
            Poison::LostEpoch => self.lose_epoch().await,
            Poison::Garbage => {
                let forger = Forger::in_vault(self.device, self.first).await;
                let (_, post) = forger.commit(garbage);
                forger.post(&post).await.map(|_| ())
            }
        }
    }

    /// A link that says so.
    async fn claim(&mut self, route: Route, heads: Vec<VaultHead>, body: LinkBody) -> Result<(), ApiError> {
        self.link_with(route, heads, body, Vec::new()).await?;
        self.version += 1;
        Ok(())
    }

    /// A commit that says so.
    async fn observe(&self, observed: Vec<VaultHead>) -> Result<(), ApiError> {
        let mut forger = Forger::in_vault(self.device, self.first).await;
        forger.observed = observed.into_iter().filter(|seen| seen.vault_id != self.first).collect();
        let (_, post) = forger.commit(garbage);
        forger.post(&post).await.map(|_| ())
    }

    async fn lose_epoch(&self) -> Result<(), ApiError> {
        let forger = Forger::in_vault(self.device, self.first).await;
        let member = forger.state.members().iter().next().unwrap();
        let control = ControlBody {
            members: vec![Member {
                account_id: *member.0,
                role: Role::Admin,
                position: forger.position,
                uek_generation: member.1.uek_generation,
                slot: Hash::ZERO,
            }],
            epoch: forger.state.epoch().next(),
            vault_key_commit: LIE,
            prev_vault_key: vec![1; 60],
        };
        forger.post(&forger.control(control)).await.map(|_| ())
    }
}

/// Three devices in step, with two vaults, of which this is the first.
async fn three() -> (TestServer, [TestDevice; 3], VaultId) {
    let (server, devices, vault, _) = Box::pin(three_and_papers()).await;
    (server, devices, vault)
}

async fn three_and_papers() -> (TestServer, [TestDevice; 3], VaultId, Papers) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let vault = first.vault().await.unwrap();
    first.client.create_vault("Second").await.unwrap();
    for device in [&mut first, &mut second, &mut third] {
        device.sync().await.unwrap();
    }
    (server, [first, second, third], vault, papers)
}

async fn titles(device: &TestDevice, vault: VaultId) -> Vec<String> {
    let mut titles = Vec::new();
    for item in device.client.items(vault).await.unwrap() {
        let open = device.client.item(vault, item.item_id).await.unwrap().unwrap();
        titles.push(open.document.text("title").unwrap_or_default().to_owned());
    }
    titles.sort();
    titles
}

/// Its owner says that vaults may end which nobody can have.
async fn revoke(by: &mut TestDevice, change: &KeyChange) -> Result<SyncReport, LifeCycleError> {
    let ending = match by.change_keys(change, PASSWORD).await {
        Err(LifeCycleError::Sync(SyncError::VaultsWouldEnd { vaults })) => vaults,
        other => return other,
    };
    let password = Password::new(PASSWORD).unwrap();
    Box::pin(by.client.change_keys_ending(change, Passwords::kept(&password), &ending)).await
}

/// Whatever it was: the device is removed at once, and the others go on as if nothing had been.
async fn remove(
    [first, second]: [&mut TestDevice; 2],
    vault: VaultId,
    gone: BTreeSet<DeviceId>,
    what: &str,
) -> Result<(), String> {
    let save = async |device: &mut TestDevice, title: &str| {
        let item = device.client.make_item_id();
        device.client.save(vault, item, login(&device.client, title).unwrap()).await.unwrap();
    };
    save(first, "before").await;
    // A person looks first, and may be warned.
    drop(first.sync().await);
    let removed = Box::pin(revoke(first, &KeyChange::Retired(gone.clone()))).await;
    removed.map_err(|error| format!("{what}: it cannot be removed: {error:#}"))?;
    let state = first.client.unlocked().state();
    assert!(gone.iter().all(|device_id| !state.device(device_id).unwrap().is_active()), "{what}");
    save(first, "after").await;
    save(second, "elsewhere").await;
    let stuck = |error| format!("{what}: those who are left do not go on: {error}");
    first.sync().await.map_err(stuck)?;
    second.sync().await.map_err(stuck)?;
    first.sync().await.map_err(stuck)?;
    for device in [first, second] {
        let titles = titles(device, vault).await;
        if titles != ["Bank", "after", "before", "elsewhere"] {
            return Err(format!("{what}: {titles:?}"));
        }
        device.client.vaults().await.map_err(|error| format!("{what}: no vault is listed: {error}"))?;
        let waiting = device.client.status().await.unwrap().pending;
        if waiting != 0 {
            return Err(format!("{what}: {waiting} edits wait"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a45_whatever_a_device_has_signed_it_is_removed_and_the_others_go_on() {
    let mut failed = Vec::new();
    for poison in POISONS {
        for route in ROUTES {
            let what = format!("{poison:?} {route:?}");
            let (_server, [mut first, mut second, third], vault) = Box::pin(three()).await;
            let mut thief = Thief::new(&third, vault).await;
            let taken = thief.poison(poison, route).await;
            // The honest server links no vault in the usual way that it does not have, without its slot.
            let never = poison == Poison::LostEpoch;
            let refusable = [Poison::GhostVault, Poison::SlotlessVault].contains(&poison);
            assert_eq!(taken.is_err(), never || (refusable && route == Route::Usual), "{what}: {taken:?}");
            let mut gone = BTreeSet::from([third.client.device_id()]);
            gone.extend(&thief.shadows);
            failed.extend(Box::pin(remove([&mut first, &mut second], vault, gone, &what)).await.err());
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The same for sequences of it, which are drawn.
#[tokio::test]
async fn a45_whatever_devices_have_signed_one_after_the_other_they_are_removed() {
    let seed = super::scenarios::seed();
    eprintln!("what devices have signed: seed {seed}");
    let mut dice = Dice::new(seed);
    for _ in 0..4 {
        let (_server, [mut first, mut second, third], vault) = Box::pin(three()).await;
        let mut thief = Thief::new(&third, vault).await;
        let mut drawn = Vec::new();
        for _ in 0..6 {
            let (poison, route) = (POISONS[dice.below(POISONS.len())], ROUTES[dice.below(ROUTES.len())]);
            let taken = Box::pin(thief.poison(poison, route)).await.is_ok();
            drawn.push((poison, route, taken));
        }
        let gone = thief.shadows.iter().copied().chain([third.client.device_id()]).collect();
        let removed = Box::pin(remove([&mut first, &mut second], vault, gone, &format!("{drawn:?}"))).await;
        removed.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A rekey whose vault keys nobody has: what the others have of the keys leads on.
#[tokio::test]
async fn a45_a_rekey_with_keys_that_nobody_has_stops_neither_a_removal_nor_the_others() {
    let (server, [mut first, mut second, mut third], vault, papers) = Box::pin(three_and_papers()).await;
    let elsewhere = server.copy().unwrap();
    let password_key = third.password_key(PASSWORD).await.unwrap();
    third.net.server().switch_to(&elsewhere).unwrap();
    let gone = BTreeSet::from([third.client.device_id()]);
    third.change_keys(&KeyChange::Rotation { new_secret_key: false }, PASSWORD).await.unwrap();
    let seen = third.net.server().seen();
    let sent = seen.iter().rev().find(|request| is_link(request)).unwrap();
    let AppendLinks { links, mut slots, record } = decode(&sent.body);
    let mut link = Signed::<AccountLink>::from_wire(&links[0]).unwrap().value().clone();
    let LinkBody::Rekey(rekey) = &mut link.body else { panic!("a rekey") };
    for (number, named) in rekey.vault_slots.iter_mut().enumerate() {
        let honest = slots.iter().position(|slot| slot_hash(slot) == named.slot).unwrap();
        slots[honest] = Bytes(vec![9; 300 + number]);
        named.slot = slot_hash(&slots[honest]);
        (named.vault_key_commit, named.prev_vault_key) = (LIE, vec![9; 60]);
    }
    third.net.server().switch_to(&server).unwrap();
    let (unlocked, api) = (third.client.unlocked(), Api::new(third.net.clone()));
    let link = unlocked.sign_link(link).countersigned(&password_key.signing());
    let body = AppendLinks { links: vec![link.to_body()], slots, record };
    api.append_links(&unlocked.session(&api), &body).await.unwrap();
    Box::pin(remove([&mut first, &mut second], vault, gone, "a rekey")).await.unwrap();
    let mut fresh = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    fresh.sync().await.unwrap();
    assert_eq!(titles(&fresh, vault).await, titles(&first, vault).await);
}

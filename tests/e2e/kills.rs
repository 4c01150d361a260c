//! A device that dies, or whose disk or network fails, at every single step of what it does.
//!
//! Whatever the step: after a restart nothing that was acknowledged to the user is gone or there twice, no conflict
//! appears that nobody made, and no device ever signed two commits on one head (R-ONCE).

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use lockstep_client::account::KeyChange;
use lockstep_client::ports::Request;
use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::ids::{Hash, ItemId, VaultId};
use lockstep_proto::log::Entry;
use lockstep_tests::{
    Blank, End, PASSWORD, Papers, TestDevice, TestServer, decode, is_commit, login, one_device_on,
};

/// What was acknowledged: titles and user names by title.
type Ledger = BTreeMap<String, Option<String>>;
type Work = for<'a> fn(&'a mut TestDevice, &'a mut Ledger) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// A device that will die, and one that tells what the server has.
struct World {
    server: TestServer,
    dying: TestDevice,
    witness: TestDevice,
    ledger: Ledger,
}

impl World {
    /// The same world once more, apart from this one.
    async fn copy(&self) -> Self {
        let server = self.server.copy().unwrap();
        let dying = self.dying.copy(&server).await.unwrap();
        let witness = self.witness.copy(&server).await.unwrap();
        Self { server, dying, witness, ledger: self.ledger.clone() }
    }
}

/// Runs the work with the end at this step. `false` when the work has fewer steps.
async fn run(world: World, work: Work, step: usize, end: End) -> bool {
    let World { server: _server, mut dying, mut witness, mut ledger } = world;
    let switch = dying.switch.clone();
    switch.arm(step, end);
    let ended = switch.survive(work(&mut dying, &mut ledger)).await;
    if switch.passed() <= step {
        return false;
    }
    switch.disarm();
    let seen = dying.net.server().seen();
    let mut again = match (end, ended) {
        (End::Kill, None) => dying.restarted(dying.store.snapshot()).await.unwrap(),
        (End::Fail, Some(())) => dying,
        other => panic!("step {step}: {other:?}"),
    };
    let at = format!("{end:?} at step {step}");
    assert_acknowledged(&again, &ledger, &at).await;
    again.sync().await.unwrap_or_else(|error| panic!("{at}: {error}"));
    witness.sync().await.unwrap_or_else(|error| panic!("{at}: {error}"));
    again.sync().await.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_acknowledged(&witness, &ledger, &at).await;
    assert_eq!(contents(&again).await, contents(&witness).await, "{at}");
    for device in [&again, &witness] {
        assert!(device.client.conflicts().await.unwrap().is_empty(), "{at}");
        assert_eq!(device.client.status().await.unwrap().pending, 0, "{at}");
        for vault in device.client.vaults().await.unwrap() {
            let named = device.client.unlocked().state().vaults()[&vault.vault_id].epoch;
            assert_eq!(vault.epoch, named, "{at}: a change of keys is whole");
        }
        let titles: Vec<_> = contents(device).await.into_iter().map(|(_, _, title, _)| title).collect();
        assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len(), "{at}: {titles:?}");
    }
    assert_signed_once(seen.iter().chain(&again.net.server().seen()), &at);
    true
}

/// Ends the work at every step, in both ways; it must have more steps than this.
async fn every_step(world: World, work: Work, more_than: usize) {
    for end in [End::Kill, End::Fail] {
        let mut steps = 0;
        while Box::pin(run(world.copy().await, work, steps, end)).await {
            steps += 1;
        }
        assert!(steps > more_than, "{steps} steps");
    }
}

/// Every item on the device: vault, item, title, user name.
async fn contents(device: &TestDevice) -> Vec<(VaultId, ItemId, String, String)> {
    let mut found = Vec::new();
    for vault in device.client.vaults().await.unwrap() {
        for item in device.client.items(vault.vault_id).await.unwrap() {
            let open = device.client.item(vault.vault_id, item.item_id).await.unwrap().unwrap();
            let text = |field| open.document.text(field).unwrap_or_default().to_owned();
            found.push((vault.vault_id, item.item_id, text("title"), text("username")));
        }
    }
    found
}

async fn find(device: &TestDevice, title: &str) -> (VaultId, ItemId) {
    let all = contents(device).await;
    let found = all.iter().find(|(_, _, found, _)| found == title).unwrap();
    (found.0, found.1)
}

/// Everything in the ledger is on the device; a purged title is not there.
async fn assert_acknowledged(device: &TestDevice, ledger: &Ledger, at: &str) {
    let all = contents(device).await;
    let found: BTreeMap<_, _> = all.into_iter().map(|(_, _, title, username)| (title, username)).collect();
    for (title, username) in ledger {
        assert_eq!(found.get(title), username.as_ref(), "{at}: {title}");
    }
}

/// R-ONCE, over everything that ever left the device.
fn assert_signed_once<'a>(requests: impl Iterator<Item = &'a Request>, at: &str) {
    let mut signed = BTreeMap::<(VaultId, Hash), Vec<u8>>::new();
    for request in requests.filter(|request| is_commit(request)) {
        let post: PostCommit = decode(&request.body);
        let entry = Entry::from_wire(&post.commit, &post.body).unwrap();
        let commit = entry.commit.value();
        let bytes = signed.entry((commit.vault_id, commit.prev_hash)).or_insert_with(|| request.body.clone());
        assert_eq!(*bytes, request.body, "{at}: two commits on one head");
    }
}

/// A server that can be copied, and a device with an account and one vault.
async fn start() -> (TestServer, TestDevice, Papers) {
    one_device_on(TestServer::start_in_memory().unwrap()).await
}

/// Two devices in step, with one item.
async fn in_step() -> World {
    let (server, mut first, papers) = start().await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    second.sync().await.unwrap();
    let ledger = Ledger::from([("Bank".to_owned(), Some("ann".to_owned()))]);
    World { server, dying: second, witness: first, ledger }
}

/// The same, and the other device has written: an edit, an item, a purge.
async fn behind() -> World {
    let mut world = in_step().await;
    let witness = &mut world.witness;
    let gone = witness.add("Gone").await.unwrap();
    witness.sync().await.unwrap();
    world.dying.sync().await.unwrap();
    let (vault, bank) = find(witness, "Bank").await;
    witness.set(bank, "password", "newer").await.unwrap();
    witness.client.trash(vault, gone).await.unwrap();
    witness.client.purge(vault, gone).await.unwrap();
    witness.add("Mail").await.unwrap();
    witness.sync().await.unwrap();
    world
}

/// A device that is signed in and has fetched nothing.
async fn signed_in() -> World {
    let (server, mut first, papers) = start().await;
    for number in 0..3 {
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    let second = TestDevice::sign_in(&server, &papers).await.unwrap();
    World { server, dying: second, witness: first, ledger: Ledger::new() }
}

async fn rename(device: &mut TestDevice, ledger: &mut Ledger, title: &str, username: &str) {
    let (_, item) = find(device, title).await;
    if device.set(item, "username", username).await.is_ok() {
        ledger.insert(title.to_owned(), Some(username.to_owned()));
    } else {
        // A write whose end nobody saw is there whole or not at all.
        ledger.remove(title);
    }
}

async fn add(device: &mut TestDevice, ledger: &mut Ledger, title: &str) {
    if device.add(title).await.is_ok() {
        ledger.insert(title.to_owned(), Some("ann".to_owned()));
    }
}

const EDIT_AND_SYNC: Work = |device, ledger| {
    Box::pin(async move {
        ledger.remove("Bank");
        rename(device, ledger, "Bank", "renamed").await;
        add(device, ledger, "New").await;
        drop(device.sync().await);
        add(device, ledger, "Newer").await;
        drop(device.sync().await);
    })
};

const IMPORT_AND_SYNC: Work = |device, ledger| {
    Box::pin(async move {
        let vault = device.vault().await.unwrap();
        let make = |number: u8| {
            let item = device.client.derive_import_id(vault, "test", SourceRecord::Id(&[number])).unwrap();
            (item, login(&device.client, &format!("imported {number}")).unwrap())
        };
        let items: Vec<_> = (0..100).map(make).collect();
        if device.client.save_many(vault, items).await.is_ok() {
            ledger.extend((0..100).map(|number| (format!("imported {number}"), Some("ann".to_owned()))));
        }
        drop(device.sync().await);
    })
};

const PURGE_AND_SYNC: Work = |device, ledger| {
    Box::pin(async move {
        ledger.remove("Bank");
        let (vault, bank) = find(device, "Bank").await;
        if device.client.trash(vault, bank).await.is_ok() && device.client.purge(vault, bank).await.is_ok() {
            ledger.insert("Bank".to_owned(), None);
        }
        drop(device.sync().await);
    })
};

const NEW_VAULT: Work = |device, _| {
    Box::pin(async move {
        if let Ok(vault) = device.client.create_vault("Work").await {
            let document = login(&device.client, "in the new vault").unwrap();
            let item = device.client.make_item_id();
            drop(device.client.save(vault, item, document).await);
        }
        drop(device.sync().await);
    })
};

/// Removes the device that is called "old".
const REMOVE: Work = |device, ledger| {
    Box::pin(async move {
        let devices = device.client.devices().await.unwrap();
        let old = devices.iter().find(|device| device.name == "old").unwrap();
        let change = KeyChange::Retired(BTreeSet::from([old.device_id]));
        if device.change_keys(&change, PASSWORD).await.is_ok() {
            add(device, ledger, "After the removal").await;
        }
        drop(device.sync().await);
    })
};

const SYNC_TWICE: Work = |device, _| {
    Box::pin(async move {
        drop(device.sync().await);
        drop(device.sync().await);
    })
};

#[tokio::test]
async fn a_push_that_ends_anywhere_loses_and_doubles_nothing() {
    every_step(in_step().await, EDIT_AND_SYNC, 20).await;
}

#[tokio::test]
async fn a_merge_that_ends_anywhere_loses_and_doubles_nothing() {
    every_step(behind().await, EDIT_AND_SYNC, 20).await;
}

#[tokio::test]
async fn an_import_that_ends_anywhere_loses_and_doubles_nothing() {
    every_step(in_step().await, IMPORT_AND_SYNC, 10).await;
}

#[tokio::test]
async fn a_purge_that_ends_anywhere_is_done_or_not() {
    every_step(in_step().await, PURGE_AND_SYNC, 10).await;
}

#[tokio::test]
async fn a_vault_whose_making_ends_anywhere_is_there_once() {
    every_step(in_step().await, NEW_VAULT, 10).await;
}

#[tokio::test]
async fn a_removal_that_ends_anywhere_is_finished_or_not_begun() {
    let mut world = in_step().await;
    let papers = world.dying.papers(PASSWORD).await.unwrap();
    let mut old = TestDevice::sign_in(&world.server, &papers).await.unwrap();
    old.sync().await.unwrap();
    old.client.name_device("old").await.unwrap();
    old.sync().await.unwrap();
    world.dying.sync().await.unwrap();
    world.witness.sync().await.unwrap();
    every_step(world, REMOVE, 20).await;
}

#[tokio::test]
async fn a_password_change_that_ends_anywhere_locks_nobody_out() {
    const NEW: &str = "a new and better passphrase";
    let world = in_step().await;
    let mut changed = 0;
    for step in 0.. {
        let World { server, mut dying, .. } = world.copy().await;
        dying.switch.arm(step, End::Kill);
        let switch = dying.switch.clone();
        let ended = switch.survive(dying.change_password(NEW)).await;
        if switch.passed() <= step {
            ended.unwrap().unwrap();
            break;
        }
        let records = dying.store.snapshot();
        let mut again = match dying.restarted_with(records.snapshot(), PASSWORD).await {
            Ok(device) => device,
            Err(_) => dying.restarted_with(records, NEW).await.unwrap(),
        };
        again.sync().await.unwrap();
        let papers = again.papers(NEW).await.unwrap();
        let is_changed = TestDevice::sign_in(&server, &papers).await.is_ok();
        let old = TestDevice::sign_in(&server, &papers.with_password(PASSWORD)).await.is_ok();
        assert_ne!(is_changed, old, "step {step}: one of both passwords is the account's");
        if again.client.password_is_outdated().await.unwrap() {
            again.adopt_password(NEW).await.unwrap();
        }
        assert!(again.unlocks_with(if is_changed { NEW } else { PASSWORD }).await, "step {step}");
        changed += usize::from(is_changed);
    }
    assert!(changed > 0);
}

#[tokio::test]
async fn a_recovery_that_ends_anywhere_goes_on() {
    const NEW: &str = "a new and better passphrase";
    let (server, mut first, papers) = start().await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let mut steps = 0;
    loop {
        let server = server.copy().unwrap();
        let blank = Blank::new(&server).unwrap();
        let (switch, again) = (blank.switch.clone(), blank.aside());
        switch.arm(steps, End::Kill);
        let ended = switch.survive(Box::pin(blank.recover(&papers, &[], NEW))).await;
        if switch.passed() <= steps {
            assert!(ended.unwrap().is_ok());
            break;
        }
        let recovered = again.restarted().unwrap().recover(&papers, &[], NEW).await;
        let mut recovered = recovered.unwrap_or_else(|error| panic!("step {steps}: {error:#}"));
        recovered.sync().await.unwrap();
        assert_eq!(contents(&recovered).await, contents(&first).await, "step {steps}");
        let new = recovered.papers(NEW).await.unwrap();
        let mut next = Box::pin(TestDevice::recover(&server, &new, &[], NEW)).await;
        let next = next.as_mut().unwrap_or_else(|error| panic!("step {steps}, the new sheet: {error:#}"));
        assert_eq!(contents(next).await.len(), 1, "step {steps}");
        steps += 1;
    }
    assert!(steps > 20, "{steps} steps");
}

#[tokio::test]
async fn a_first_sync_that_ends_anywhere_goes_on() {
    every_step(signed_in().await, SYNC_TWICE, 10).await;
}

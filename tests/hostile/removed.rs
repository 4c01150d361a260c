//! Devices that were removed, and a server that helps them (A13, A18, A19, A25, A36, A38).

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_client::account::{AccountError, KeyChange};
use lockstep_client::api::Api;
use lockstep_client::sync::SyncError;
use lockstep_crypto::device::DeviceKeys;
use lockstep_native::OsRandom;
use lockstep_proto::api::account::{AppendLinks, LogPage};
use lockstep_proto::api::vaults::{CommitPage, PostCommit, StoredCommit};
use lockstep_proto::log::{
    AccountLink, CommitError, DeviceAdd, Enrolment, LinkBody, LinkError, LogHead, Signer,
};
use lockstep_proto::sign::Signed;
use lockstep_tests::{
    PASSWORD, Papers, TestDevice, TestServer, asks_commits, assert_in_step, three_devices_on,
};

use super::forge::Forger;
use super::{asks_log, changed, garbage, shown, with_adversary_keys};

/// Three devices in step, of which the third is about to be removed.
async fn three() -> (TestServer, TestDevice, TestDevice, TestDevice, Papers) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [first, second, third], papers) = Box::pin(three_devices_on(server)).await;
    (server, first, second, third, papers)
}

async fn remove(by: &mut TestDevice, gone: &TestDevice) {
    let change = KeyChange::Retired(BTreeSet::from([gone.client.device_id()]));
    by.change_keys(&change, PASSWORD).await.unwrap();
}

fn stored(post: &PostCommit) -> StoredCommit {
    StoredCommit { commit: post.commit.clone(), body: post.body.clone() }
}

/// The page, ending with this commit, which the server claims to be its head.
fn ending_with(post: PostCommit) -> impl Fn(&mut CommitPage) + Send + Sync + 'static {
    move |page| {
        let entry = lockstep_proto::log::Entry::from_wire(&post.commit, &post.body).unwrap();
        page.commits.retain(|stored| {
            let known = lockstep_proto::log::Entry::from_wire(&stored.commit, &stored.body).unwrap();
            known.commit.value().seq < entry.commit.value().seq
        });
        page.commits.push(stored(&post));
        page.head = entry.commit.value().head(entry.commit.hash());
        page.more = false;
    }
}

#[tokio::test]
async fn a19_a_commit_of_a_removed_device_is_refused() {
    let (_server, mut first, mut second, third, _) = three().await;
    remove(&mut first, &third).await;
    second.sync().await.unwrap();
    let mut forger = of(&second, &third).await;
    forger.position = second.client.unlocked().state().head();
    let (_, post) = forger.commit(garbage);
    let before = shown(&second).await;
    second.net.server().answer(changed(asks_commits, ending_with(post)));
    let error = second.sync().await.unwrap_err();
    let refused = matches!(&error, SyncError::Commit { source: CommitError::Author(_), .. });
    assert!(refused, "{error}");
    assert_eq!(error.rule(), Some("R-AUTHOR"));
    assert_eq!(shown(&second).await, before);
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
}

/// What the removed device would sign, on the chain that another one is given.
async fn of<'a>(sees: &TestDevice, signs: &'a TestDevice) -> Forger<'a> {
    let state = Forger::of(sees).await.state;
    Forger::with(signs, sees.vault().await.unwrap(), state)
}

#[tokio::test]
async fn a36_a_position_before_the_removal_helps_a_removed_device_nothing() {
    let (_server, mut first, mut second, third, _) = three().await;
    let position = third.client.unlocked().state().head();
    remove(&mut first, &third).await;
    for knows_of_the_removal in [true, false] {
        if knows_of_the_removal {
            second.sync().await.unwrap();
        }
        let mut forger = of(&first, &third).await;
        forger.position = position;
        let (_, post) = forger.commit(garbage);
        second.net.server().answer(changed(asks_commits, ending_with(post)));
        let error = second.sync().await.unwrap_err();
        assert!(
            matches!(
                error,
                SyncError::Commit { source: CommitError::Author(_) | CommitError::PositionBack { .. }, .. }
            ),
            "{error}"
        );
        second.net.server().be_honest();
        assert_in_step(&mut first, &mut second).await;
    }
}

#[tokio::test]
async fn a18_a_removal_cannot_be_struck_nor_a_device_added() {
    let (server, mut first, mut second, third, _) = three().await;
    let api = Api::new(first.net.clone());
    let session = first.client.unlocked().session(&api);
    let before = Arc::new(api.account_log(&session, &Default::default()).await.unwrap());
    remove(&mut first, &third).await;
    second.sync().await.unwrap();
    let pinned = second.client.status().await.unwrap().account_head;

    // The log as it was before the removal.
    let older = LogPage { links: Vec::new(), ..LogPage::clone(&before) };
    second.net.server().answer(changed::<LogPage>(asks_log, move |page| *page = older.clone()));
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::Behind { .. })), "{error}");

    // A link by which somebody without a key adds a device.
    let keys = DeviceKeys::make(&OsRandom);
    let shadow = |after: LogHead, how: Enrolment, signer: Signer| {
        let add = LinkBody::DeviceAdd(DeviceAdd { keys: keys.public().clone(), how });
        let heads = Vec::new();
        let link = AccountLink::after(first.client.account_id(), &after, signer, 0, heads, add);
        Signed::sign(link, keys.signing()).countersigned(keys.signing())
    };
    for (how, signer) in [
        (Enrolment::Kit, Signer::Enrolment),
        (Enrolment::Pairing, Signer::Device(first.client.device_id())),
        (Enrolment::Pairing, Signer::Device(third.client.device_id())),
        (Enrolment::Recovery, Signer::Recovery),
    ] {
        let link = shadow(pinned, how, signer);
        let attack = changed::<LogPage>(asks_log, move |page| {
            page.head = LogHead { seq: link.value().seq, hash: link.hash() };
            page.links = vec![link.to_body()];
        });
        second.net.server().answer(attack);
        let error = second.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Account(AccountError::Link(_))), "{error}");
        assert_eq!(second.client.status().await.unwrap().account_head, pinned);
    }
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
    drop(server);
}

#[tokio::test]
async fn a13_a_removal_that_is_hidden_is_missed_by_what_the_others_write() {
    let (server, mut first, mut second, third, _) = three().await;
    let frozen = server.copy().unwrap();
    remove(&mut first, &third).await;
    first.add("After the removal").await.unwrap();
    first.sync().await.unwrap();
    // The vault goes on, the account's log does not.
    let pinned = second.client.status().await.unwrap().vaults[0].head;
    second.net.server().answer_from(&frozen, |request| request.path.starts_with("/v1/account")).unwrap();
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Commit { source: CommitError::Withheld { .. }, .. }), "{error}");
    assert_eq!(second.client.status().await.unwrap().vaults[0].head, pinned);
    second.net.server().answer_from(&server, |_| true).unwrap();
    assert_in_step(&mut first, &mut second).await;
}

#[tokio::test]
async fn a38_a_removed_device_lets_no_shadow_in() {
    let (server, mut first, mut second, third, papers) = three().await;
    // The thief has all that the third device had, the enrolment key of that time included.
    let (unlocked, keys) = (third.client.unlocked(), DeviceKeys::make(&OsRandom));
    let enrolment =
        unlocked.ark().derive_enrolment_key(unlocked.state().seed(), unlocked.state().generation());
    remove(&mut first, &third).await;
    second.sync().await.unwrap();
    let pinned = second.client.status().await.unwrap().account_head;
    let add = LinkBody::DeviceAdd(DeviceAdd { keys: keys.public().clone(), how: Enrolment::Kit });
    let link = AccountLink::after(unlocked.account_id(), &pinned, Signer::Enrolment, 0, Vec::new(), add);
    let password_key = first.password_key(PASSWORD).await.unwrap();
    let link = Signed::sign(link, &enrolment).countersigned(&password_key.signing());
    let api = Api::new(first.net.clone());
    let session = first.client.unlocked().session(&api);
    let body = AppendLinks { links: vec![link.to_body()], slots: Vec::new(), record: None };
    assert!(api.append_links(&session, &body).await.is_err(), "the honest server");
    second.net.server().answer(changed::<LogPage>(asks_log, move |page| {
        page.head = LogHead { seq: link.value().seq, hash: link.hash() };
        page.links = vec![link.to_body()];
    }));
    let error = second.sync().await.unwrap_err();
    let forged = matches!(error, SyncError::Account(AccountError::Link(LinkError::Signature(_))));
    assert!(forged, "{error}");
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;

    // One that gets in just before the removal stops it: whoever removes looks at the list again.
    let stolen = second;
    let mut shadow = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    let change = KeyChange::Retired(BTreeSet::from([stolen.client.device_id()]));
    let error = first.change_keys(&change, PASSWORD).await.unwrap_err();
    assert!(error.to_string().contains("joined your account meanwhile"), "{error}");
    let both = BTreeSet::from([stolen.client.device_id(), shadow.client.device_id()]);
    first.change_keys(&KeyChange::Retired(both), PASSWORD).await.unwrap();
    assert!(shadow.sync().await.is_err());
}

#[tokio::test]
async fn a25_no_policy_of_the_server_adds_a_recovery_key() {
    let (_server, mut first, mut second, third, _) = three().await;
    let pinned = second.client.status().await.unwrap().account_head;
    let keys = DeviceKeys::make(&OsRandom);
    let escrow = AccountLink::after(
        first.client.account_id(),
        &pinned,
        Signer::Device(first.client.device_id()),
        0,
        Vec::new(),
        LinkBody::Escrow(vec![1; 64]),
    );
    let escrow = Signed::sign(escrow, keys.signing());
    second.net.server().answer(changed::<LogPage>(asks_log, move |page| {
        page.head = LogHead { seq: escrow.value().seq, hash: escrow.hash() };
        page.links = vec![escrow.to_body()];
    }));
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::Link(_))), "{error}");
    second.net.server().be_honest();
    // A rekey seals ARK for recovery to the key that the log names, and names the same one.
    let recovery = first.client.unlocked().state().recovery().clone();
    first.net.server().answer(with_adversary_keys);
    let change = KeyChange::Retired(BTreeSet::from([third.client.device_id()]));
    drop(first.change_keys(&change, PASSWORD).await);
    first.net.server().be_honest();
    drop(first.sync().await);
    drop(first.change_keys(&change, PASSWORD).await);
    assert_eq!(*first.client.unlocked().state().recovery(), recovery);
    assert_in_step(&mut first, &mut second).await;
}

/// The account's log says that the keys have changed twice since a device was removed; the vault's log is kept from the
/// second device, so that it would seal what it writes under the key that the removed device has.
#[tokio::test]
async fn a19_nothing_is_sealed_under_a_key_that_a_removed_device_has() {
    let (server, mut first, mut second, third, _) = three().await;
    let frozen = server.copy().unwrap();
    let vault = first.vault().await.unwrap();
    remove(&mut first, &third).await;
    for _ in 0..2 {
        let change = KeyChange::Rotation { new_secret_key: false };
        first.change_keys(&change, PASSWORD).await.unwrap();
    }
    let waiting = second.add("written after the removal").await.unwrap();
    second
        .net
        .server()
        .answer_from(&frozen, move |request| request.path.contains(&vault.to_string()))
        .unwrap();
    for _ in 0..2 {
        drop(second.sync().await);
    }
    for request in second.net.server().seen().iter().filter(|request| lockstep_tests::is_commit(request)) {
        let post: PostCommit = lockstep_tests::decode(&request.body);
        let entry = lockstep_proto::log::Entry::from_wire(&post.commit, &post.body).unwrap();
        let is_content = matches!(entry.body, lockstep_proto::log::CommitBody::Content(_));
        assert!(!is_content || entry.commit.value().epoch.0 > 1, "sealed under the old key");
    }
    second.net.server().answer_from(&server, |_| true).unwrap();
    drop(second.sync().await);
    assert_eq!(second.field(waiting, "title").await.unwrap(), "written after the removal");
}

/// A device that is being removed, and one that was, give the server links without a session.
#[tokio::test]
async fn a38_healing_is_no_way_round_a_removal() {
    use lockstep_proto::api::account::BarDevices;
    use lockstep_proto::api::heal::HealAccount;
    use lockstep_proto::bar::BarStatement;

    let (_server, mut first, _second, third, _) = three().await;
    let api = Api::new(first.net.clone());
    let session = first.client.unlocked().session(&api);
    let unlocked = third.client.unlocked();
    // The thief knows the password, too.
    let password_key = third.password_key(PASSWORD).await.unwrap().signing();
    let head = unlocked.state().head();
    let keys = DeviceKeys::make(&OsRandom);
    let add = LinkBody::DeviceAdd(DeviceAdd { keys: keys.public().clone(), how: Enrolment::Kit });
    let link = AccountLink::after(unlocked.account_id(), &head, Signer::Enrolment, 0, Vec::new(), add);
    let enrolment =
        unlocked.ark().derive_enrolment_key(unlocked.state().seed(), unlocked.state().generation());
    let body = HealAccount {
        links: vec![Signed::sign(link, &enrolment).countersigned(&password_key).to_body()],
        slots: Vec::new(),
        record: None,
    };
    let owner = first.client.unlocked();
    let statement = BarStatement {
        server_id: owner.server_id(),
        account_id: owner.account_id(),
        device_id: owner.device_id(),
        head: owner.state().head(),
        devices: vec![third.client.device_id()],
    };
    let devices = statement.devices.clone();
    let signature = Some(*Signed::sign(statement, &password_key).signature());
    api.bar_devices(&session, &BarDevices { devices, head: Some(head), signature }).await.unwrap();
    assert!(api.heal_account(&body).await.is_err(), "while it is barred");
    remove(&mut first, &third).await;
    assert!(api.heal_account(&body).await.is_err(), "after it was removed");
}

/// A stolen device signs a link that removes its owner's, which the server did not take in the usual way, and gives it
/// as one that a restored server had lost: its owner has written beyond what it says.
#[tokio::test]
async fn a38_healing_removes_nobody_who_went_on_writing() {
    use lockstep_proto::api::heal::HealAccount;

    let (server, mut first, mut second, mut third, _) = three().await;
    let elsewhere = server.copy().unwrap();
    third.net.server().switch_to(&elsewhere).unwrap();
    remove(&mut third, &first).await;
    let seen = third.net.server().seen();
    let sent = seen.iter().rev().find(|request| lockstep_tests::is_link(request)).unwrap();
    let AppendLinks { links, slots, record } = lockstep_tests::decode(&sent.body);
    let body = HealAccount { links, slots, record };
    first.add("its owner goes on").await.unwrap();
    first.sync().await.unwrap();
    assert!(Api::new(first.net.clone()).heal_account(&body).await.is_err());
    assert_in_step(&mut first, &mut second).await;
}

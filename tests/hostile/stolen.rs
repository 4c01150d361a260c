//! A stolen, unlocked device, or a process of its user, alone and together with the server (A44): it reads and writes
//! items, and does not change who gets in.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use lockstep_client::account::{AccountError, KeyChange};
use lockstep_client::api::Api;
use lockstep_client::sync::SyncError;
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::password::Password;
use lockstep_native::OsRandom;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{AppendLinks, BarDevices, LogPage};
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::log::{AccountLink, DeviceAdd, Enrolment, LinkBody, LinkError, LogHead, Rekey, Signer};
use lockstep_proto::sign::Signed;
use lockstep_tests::{PASSWORD, TestDevice, TestServer, assert_in_step, decode, is_link, three_devices_on};

use super::{asks_log, changed, shown};

const MINE: &str = "a password of the thief's";

/// The owner's two devices, and the one that is stolen.
async fn three() -> (TestServer, [TestDevice; 3]) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, devices, _) = Box::pin(three_devices_on(server)).await;
    (server, devices)
}

/// A link that changes who gets in, with all it names, as whoever knows the password makes it.
struct Wanted {
    what: &'static str,
    link: AccountLink,
    sent: AppendLinks,
}

fn last_link(thief: &TestDevice, what: &'static str) -> Wanted {
    let seen = thief.net.server().seen();
    let sent: AppendLinks = decode(&seen.iter().rev().find(|request| is_link(request)).unwrap().body);
    let link = Signed::<AccountLink>::from_wire(&sent.links[0]).unwrap().value().clone();
    Wanted { what, link, sent }
}

/// What a thief would like to have in the log. All but the countersignature can be made without the password, so it is
/// made here by a device that knows it, each on a copy of the server and of the device.
async fn wanted(server: &TestServer, thief: &TestDevice, owner: &TestDevice) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let password = Password::new(PASSWORD).unwrap();
    for what in ["its own password", "the removal of the others", "new keys", "a Recovery Key of its own"] {
        let elsewhere = server.copy().unwrap();
        let mut copy = thief.restarted(thief.store.snapshot()).await.unwrap();
        copy.net.server().switch_to(&elsewhere).unwrap();
        let others = BTreeSet::from([owner.client.device_id()]);
        match what {
            "its own password" => copy.change_password(MINE).await.unwrap(),
            "the removal of the others" => {
                drop(copy.change_keys(&KeyChange::Lost(others), MINE).await.unwrap());
            }
            "new keys" => {
                let change = KeyChange::Rotation { new_secret_key: true };
                drop(copy.change_keys(&change, MINE).await.unwrap());
            }
            _ => copy.client.announce_recovery_key(&password).await.unwrap(),
        }
        wanted.push(last_link(&copy, what));
    }
    let unlocked = thief.client.unlocked();
    let (account_id, head) = (unlocked.account_id(), unlocked.state().head());
    let heads = wanted[0].link.heads.clone();
    let bare = |link| AppendLinks { links: vec![link], slots: Vec::new(), record: None };
    for (what, how, signer, heads) in [
        ("a device of its own", Enrolment::Pairing, Signer::Device(unlocked.device_id()), heads),
        ("a device of its own by the enrolment key", Enrolment::Kit, Signer::Enrolment, Vec::new()),
    ] {
        let keys = DeviceKeys::make(&OsRandom).public().clone();
        let body = LinkBody::DeviceAdd(DeviceAdd { keys, how });
        let link = AccountLink::after(account_id, &head, signer, 0, heads, body);
        let sent = bare(unlocked.sign_link(link.clone()).to_body());
        wanted.push(Wanted { what, link, sent });
    }
    wanted
}

/// The keys that lie in an unlocked device's memory, and one of the thief's own that the link may name.
fn keys_at_hand(thief: &TestDevice) -> Vec<SigningKey> {
    let unlocked = thief.client.unlocked();
    let (state, ark) = (unlocked.state(), unlocked.ark());
    vec![
        ark.derive_enrolment_key(state.seed(), state.generation()),
        SigningKey::from_bytes(unlocked.expose_lrk()),
        SigningKey::from_bytes(ark.expose_bytes()),
        SigningKey::from_bytes(&[7; 32]),
    ]
}

/// The link with the thief's own key among its sign-in fields, where it names one.
fn with_own_key(mut link: AccountLink, key: &SigningKey) -> AccountLink {
    let auth = match &mut link.body {
        LinkBody::AuthUpdate(auth) => Some(auth),
        LinkBody::Rekey(rekey) => {
            let Rekey { auth, .. } = &mut **rekey;
            Some(auth)
        }
        _ => None,
    };
    if let Some(auth) = auth {
        auth.password_key = key.into();
    }
    link
}

fn sign(thief: &TestDevice, link: AccountLink, key: &SigningKey) -> Signed<AccountLink> {
    let unlocked = thief.client.unlocked();
    let enrolment =
        unlocked.ark().derive_enrolment_key(unlocked.state().seed(), unlocked.state().generation());
    let signed = match link.signer {
        Signer::Enrolment => Signed::sign(link, &enrolment),
        _ => unlocked.sign_link(link),
    };
    signed.countersigned(key)
}

#[tokio::test]
async fn a44_without_the_password_no_route_and_no_server_changes_who_gets_in() {
    let (server, [mut first, mut second, thief]) = three().await;
    let api = Api::new(thief.net.clone());
    let session = thief.client.unlocked().session(&api);
    let before = shown(&second).await;
    let pinned = second.client.status().await.unwrap().account_head;
    for Wanted { what, link, sent } in Box::pin(wanted(&server, &thief, &first)).await {
        let attack =
            |signed: Signed<AccountLink>| AppendLinks { links: vec![signed.to_body()], ..sent.clone() };
        for key in keys_at_hand(&thief) {
            let signed = sign(&thief, with_own_key(link.clone(), &key), &key);
            let request = attack(signed.clone());
            let usual = api.append_links(&session, &request).await.unwrap_err();
            let refused = [Some(ErrorCode::LinkRefused), Some(ErrorCode::Forbidden)];
            assert!(refused.contains(&usual.code()), "{what}: {usual}");
            let AppendLinks { links, slots, record } = request;
            let given_back = api.heal_account(&HealAccount { links, slots, record }).await;
            assert!(given_back.is_err(), "{what}, given back");
            // The server is the thief's as well.
            let attack = changed::<LogPage>(asks_log, move |page| {
                page.head = LogHead { seq: signed.value().seq, hash: signed.hash() };
                page.links = vec![signed.to_body()];
            });
            second.net.server().answer(attack);
            let error = second.sync().await.unwrap_err();
            let unsigned = matches!(error, SyncError::Account(AccountError::Link(LinkError::Password)));
            assert!(unsigned, "{what}: {error}");
            assert_eq!(second.client.status().await.unwrap().account_head, pinned, "{what}");
        }
    }
    second.net.server().be_honest();
    assert_eq!(shown(&second).await, before);
    // What it can do, it can do to items, until it is removed.
    let mut thief = thief;
    thief.add("written by the thief").await.unwrap();
    thief.sync().await.unwrap();
    let gone = BTreeSet::from([thief.client.device_id()]);
    first.change_keys(&KeyChange::Lost(gone), "a password that the owner chooses").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert!(thief.sync().await.is_err());
}

/// The present password countersigns, as the log says at that place: the copy that made these links did know it.
#[tokio::test]
async fn a44_the_same_links_are_taken_from_who_knows_the_password() {
    let (server, [first, _, thief]) = three().await;
    let key = thief.password_key(PASSWORD).await.unwrap().signing();
    for Wanted { what, link, sent } in Box::pin(wanted(&server, &thief, &first)).await {
        let elsewhere = server.copy().unwrap();
        let copy = thief.restarted(thief.store.snapshot()).await.unwrap();
        copy.net.server().switch_to(&elsewhere).unwrap();
        let (api, unlocked) = (Api::new(copy.net.clone()), copy.client.unlocked());
        let request = AppendLinks { links: vec![sign(&copy, link, &key).to_body()], ..sent };
        let session = unlocked.session(&api);
        if what == "the removal of the others" {
            let devices = vec![first.client.device_id()];
            let statement = bar_statement(&copy, devices.clone());
            let signature = Some(*Signed::sign(statement.clone(), &key).signature());
            let bars = BarDevices { devices, head: Some(statement.head), signature };
            api.bar_devices(&session, &bars).await.unwrap();
        }
        if what == "a device of its own by the enrolment key" {
            let AppendLinks { links, slots, record } = request;
            api.heal_account(&HealAccount { links, slots, record }).await.unwrap();
        } else {
            api.append_links(&session, &request).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

fn bar_statement(device: &TestDevice, devices: Vec<lockstep_proto::ids::DeviceId>) -> BarStatement {
    let unlocked = device.client.unlocked();
    BarStatement {
        server_id: unlocked.server_id(),
        account_id: unlocked.account_id(),
        device_id: unlocked.device_id(),
        head: unlocked.state().head(),
        devices,
    }
}

/// Whoever is barred writes nothing: a thief would bar the owner's devices again and again.
#[tokio::test]
async fn a44_a_stolen_device_keeps_nobody_from_writing() {
    let (_server, [mut first, mut second, thief]) = three().await;
    let (api, unlocked) = (Api::new(thief.net.clone()), thief.client.unlocked());
    let session = unlocked.session(&api);
    let mut devices = vec![first.client.device_id(), second.client.device_id()];
    devices.sort_unstable();
    let statement = bar_statement(&thief, devices.clone());
    let head = Some(statement.head);
    let mut signatures = vec![None];
    signatures.extend(
        keys_at_hand(&thief).iter().map(|key| Some(*Signed::sign(statement.clone(), key).signature())),
    );
    for signature in signatures {
        let bars = BarDevices { devices: devices.clone(), head, signature };
        let refused = api.bar_devices(&session, &bars).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::Forbidden), "{refused}");
    }
    first.add("the owner goes on").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
}

/// A countersignature that was made for another link, at another place, or on another branch, does not do.
#[tokio::test]
async fn a44_an_honest_countersignature_cannot_be_moved() {
    let (server, [mut first, mut second, thief]) = three().await;
    let elsewhere = server.copy().unwrap();
    let copy = TestDevice::restarted(&first, first.store.snapshot()).await.unwrap();
    copy.net.server().switch_to(&elsewhere).unwrap();
    // A link of the owner's that never came to the honest server, and that the hostile one has.
    let mut copy = copy;
    copy.change_password(MINE).await.unwrap();
    let Wanted { sent, .. } = last_link(&copy, "a password");
    let honest = sent.links[0].0.clone();
    let countersignature = &honest[honest.len() - 64..];
    let unlocked = thief.client.unlocked();
    let keys = DeviceKeys::make(&OsRandom);
    let add = DeviceAdd { keys: keys.public().clone(), how: Enrolment::Pairing };
    let heads = Signed::<AccountLink>::from_wire(&honest).unwrap().value().heads.clone();
    let signer = Signer::Device(unlocked.device_id());
    let head = unlocked.state().head();
    let link = AccountLink::after(unlocked.account_id(), &head, signer, 0, heads, LinkBody::DeviceAdd(add));
    let wire = [&unlocked.sign_link(link).to_wire(), countersignature].concat();
    let moved = Signed::<AccountLink>::from_wire(&wire).unwrap();
    let attack = changed::<LogPage>(asks_log, move |page| {
        page.head = LogHead { seq: moved.value().seq, hash: moved.hash() };
        page.links = vec![moved.to_body()];
    });
    second.net.server().answer(attack);
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::Link(LinkError::Password))), "{error}");
    // The owner's own link, once the log has moved on.
    first.change_password(PASSWORD).await.unwrap();
    second.net.server().be_honest();
    second.sync().await.unwrap();
    let late = Signed::<AccountLink>::from_wire(&honest).unwrap();
    let attack = changed::<LogPage>(asks_log, move |page| {
        page.head = LogHead { seq: page.head.seq.next(), hash: late.hash() };
        page.links = vec![late.to_body()];
    });
    second.net.server().answer(attack);
    let error = second.sync().await.unwrap_err();
    assert!(
        matches!(error, SyncError::Account(AccountError::Link(_) | AccountError::Diverged { .. })),
        "{error}"
    );
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
}

//! Every oracle can fail: each is shown a world in which what it watches over is broken.

use lockstep_client::ports::{Method, Request};
use lockstep_crypto::envelope;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::item::seal_item;
use lockstep_crypto::kem::seal_to;
use lockstep_crypto::keys::{DeviceRngSecret, VaultKey};
use lockstep_native::OsRandom;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::blob::{ItemHeader, ItemState};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, VaultId, Version};
use lockstep_proto::log::LogHead;
use lockstep_proto::wrap::{SlotKind, WrapContext};
use lockstep_tests::encode;

use super::super::keyring::Keyring;
use super::super::sealed::Sealed;
use super::super::world::World;
use super::shown::{Shown, keeps, shown, was_written};
use super::{after_each, at_the_end, end, evidence, secrets};

/// Two devices of one account, with a copy of the world around them.
async fn world() -> World {
    let base = Box::pin(World::start(&[2])).await;
    let mut world = Box::pin(base.copy(1, None)).await;
    Box::pin(after_each(&mut world, None, "")).await.unwrap();
    world
}

fn request(path: &str, body: Vec<u8>) -> Request {
    Request { method: Method::Post, path: path.to_owned(), token: None, body }
}

fn title(world: &World) -> String {
    world.accounts[0].written.keys().next().unwrap().clone()
}

#[tokio::test]
async fn a_secret_in_a_path_a_token_or_a_body_is_found() {
    let mut world = world().await;
    let device = &world.players[0].device;
    let lrk = *device.client.unlocked().expose_lrk();
    let key = device.papers(lockstep_tests::PASSWORD).await.unwrap().expose_secrets()[1].clone();
    let hex: String = lrk.iter().map(|byte| format!("{byte:02x}")).collect();
    let title = title(&world);
    let sent = [
        request(&format!("/v1/vaults?name={}", title.replace(' ', "_")), title.into_bytes()),
        Request { token: Some(hex), ..request("/v1/vaults", Vec::new()) },
        request(&format!("/v1/{}", String::from_utf8(key).unwrap()), Vec::new()),
        request("/v1/vaults", [b"\x58\x20".as_slice(), &lrk].concat()),
    ];
    for request in sent {
        assert!(secrets::look(&mut world, std::slice::from_ref(&request), "").is_err(), "{}", request.path);
    }
    assert_eq!(secrets::look(&mut world, &[request("/v1/vaults", vec![7; 500])], ""), Ok(()));
}

#[tokio::test]
async fn a_secret_in_a_store_a_log_or_a_message_is_found() {
    use lockstep_client::ports::{Batch, LocalStore as _, Table};
    let mut world = world().await;
    let title = title(&world);
    assert!(secrets::look(&mut world, &[], &format!("cannot save {title}")).is_err());
    // Other worlds, which read the same log, do not know this one.
    world.needles.add(b"canary of one log line");
    tracing::debug!("saved canary of one log line");
    assert!(secrets::look(&mut world, &[], "").is_err());
    assert_eq!(secrets::look(&mut world, &[], ""), Ok(()));
    let mut batch = Batch::new();
    batch.put(Table::Events, b"key".as_slice(), title.as_bytes());
    world.players[1].device.store.write(batch).await.unwrap();
    assert!(secrets::look(&mut world, &[], "").is_err());
}

#[tokio::test]
async fn a_secret_that_the_server_keeps_is_found() {
    let mut world = world().await;
    // A blob of the server's is a secret from now on.
    let kept = world.server.state().unwrap().values().into_iter().max_by_key(Vec::len).unwrap();
    world.search.stored.clear();
    world.needles.add(&kept[40..80]);
    assert!(secrets::look(&mut world, &[], "").is_err());
}

fn header() -> ItemHeader {
    ItemHeader {
        vault_id: VaultId([1; 32]),
        epoch: Epoch(1),
        item_id: ItemId::from_random([2; 16]),
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: AccountId([5; 32]),
        author_device: DeviceId([6; 16]),
        state: ItemState::Live,
    }
}

#[test]
fn whatever_is_sealed_to_the_adversary_is_found() {
    let (keys, secret) = (Keyring::make(), DeviceRngSecret::from_bytes([9; 32]));
    let hedge = Hedge::new(&OsRandom, &secret);
    let place = WrapContext {
        account_id: AccountId([1; 32]),
        slot: SlotKind::Device,
        wrapping: lockstep_proto::wrap::KeyKind::Device,
        wrapping_generation: Default::default(),
        wrapped: lockstep_proto::wrap::KeyKind::Ark,
        wrapped_generation: Default::default(),
        vault_id: VaultId::ZERO,
        device_id: DeviceId([6; 16]),
        log_seq: Default::default(),
        log_hash: Hash([3; 32]),
    };
    let other = WrapContext { log_hash: Hash([4; 32]), ..place };
    let (symmetric, kems) = keys.expose();
    for (name, key) in symmetric {
        let slot = envelope::seal(key, &place.context(), &[1; 32], &hedge).unwrap();
        assert_eq!(keys.opens(&Sealed::Slot(slot, vec![other, place])), Some(*name));
        let vault_key = VaultKey::from_bytes(*key.expose_bytes());
        let item = seal_item(&vault_key, &header(), b"document", &hedge).unwrap();
        let blob = lockstep_proto::blob::Blob::from_bytes(&item.bytes).unwrap();
        assert_eq!(keys.opens(&Sealed::Item(blob)), Some(*name));
    }
    for (name, secret) in kems {
        let slot = seal_to(&secret.public(), &place.context(), &[1; 32], &OsRandom).unwrap();
        assert_eq!(keys.opens(&Sealed::Slot(slot.clone(), vec![place])), Some(*name));
        assert_eq!(keys.opens(&Sealed::Slot(slot, vec![other])), None);
    }
}

#[tokio::test]
async fn a_blob_under_the_adversarys_key_and_a_slot_of_no_link_are_found_among_requests() {
    let mut world = world().await;
    let secret = DeviceRngSecret::from_bytes([9; 32]);
    let hedge = Hedge::new(&OsRandom, &secret);
    let item = seal_item(&VaultKey::from_bytes([0; 32]), &header(), b"document", &hedge).unwrap();
    // Any commit of the account's, with a blob that the adversary can open.
    let sent = world.plot.requests_from(0);
    let commit = sent.iter().find(|request| request.path.ends_with("/commits") && !request.body.is_empty());
    assert!(commit.is_none(), "a copy has sent nothing");
    Box::pin(world.add(0)).await.unwrap();
    world.players[0].device.sync().await.unwrap();
    let sent = world.plot.requests_from(0);
    let commit = sent.iter().find(|request| lockstep_tests::is_commit(request)).unwrap();
    let mut post: PostCommit = lockstep_tests::decode(&commit.body);
    assert_eq!(super::seals::look(&mut world, std::slice::from_ref(commit)), Ok(()));
    post.blobs = vec![Bytes(item.bytes)];
    let forged = request(&commit.path, encode(&post));
    assert!(super::seals::look(&mut world, &[forged]).is_err());

    let links = lockstep_proto::api::account::AppendLinks {
        links: Vec::new(),
        slots: vec![Bytes(vec![1; 400])],
        record: None,
    };
    assert!(super::seals::look(&mut world, &[request("/v1/account/links", encode(&links))]).is_err());
}

#[tokio::test]
async fn what_nobody_wrote_and_what_was_written_too_late_is_found() {
    let mut world = world().await;
    let item = shown(&world.players[1].device).await.into_values().flatten().next().unwrap();
    assert_eq!(was_written(&world, 1, &item), Ok(()));
    let injected = Shown { title: "canary of nobody".to_owned(), ..item.clone() };
    assert!(was_written(&world, 1, &injected).is_err());
    let mixed = Shown { password: "canary of another item".to_owned(), ..item.clone() };
    assert!(was_written(&world, 1, &mixed).is_err());

    Box::pin(world.act(super::super::script::Act::Remove(1, 0))).await.unwrap();
    assert_eq!(was_written(&world, 1, &item), Ok(()));
    world.accounts[0].too_late.insert(item.title.clone());
    assert!(was_written(&world, 1, &item).is_err());
}

#[tokio::test]
async fn what_another_account_wrote_is_found() {
    let base = Box::pin(World::start(&[1, 1])).await;
    let item = shown(&base.players[1].device).await.into_values().flatten().next().unwrap();
    assert_eq!(was_written(&base, 1, &item), Ok(()));
    assert!(was_written(&base, 0, &item).is_err());
}

#[tokio::test]
async fn pins_that_go_back_or_aside_are_found() {
    let world = world().await;
    let player = &world.players[1];
    let (account, vaults) = player.pins.clone();
    let keep = |account, vaults| keeps(player, &(account, vaults));
    assert_eq!(keep(account, vaults.clone()), Ok(()));
    let mut older = account;
    older.seq.0 -= 1;
    assert!(keep(older, vaults.clone()).is_err());
    assert!(keep(account, Default::default()).is_err());
    for change in [|head: &mut LogHead| head.seq.0 -= 1, |head: &mut LogHead| head.hash = Hash([9; 32])] {
        let mut changed = vaults.clone();
        changed.values_mut().for_each(change);
        assert!(keep(account, changed).is_err());
    }
}

#[tokio::test]
async fn two_truths_at_one_head_are_found() {
    let mut world = world().await;
    let mut lacking = shown(&world.players[0].device).await;
    lacking.values_mut().for_each(Vec::clear);
    world.players[0].shown = lacking;
    world.players[0].has_changed = true;
    assert!(super::shown::compare_with_truth(&mut world, None, true).await.is_err());
}

#[tokio::test]
async fn what_is_lost_at_the_end_is_found() {
    let mut world = world().await;
    let truth = shown(&world.players[0].device).await;
    assert_eq!(end::nothing_is_lost(&world, 0, &[0, 1], truth.clone()), Ok(()));
    assert!(end::nothing_is_lost(&world, 0, &[0, 1], Default::default()).is_err());
    let mut forgetful = truth.clone();
    forgetful.values_mut().flatten().for_each(|item| item.passwords.clear());
    assert!(end::nothing_is_lost(&world, 0, &[0, 1], forgetful).is_err());

    let title = title(&world);
    let values = &mut world.accounts[0].written.get_mut(&title).unwrap().1;
    values.insert("canary that was never sent".to_owned(), 1);
    assert!(Box::pin(at_the_end(&mut world)).await.is_err());
}

#[tokio::test]
async fn devices_that_do_not_converge_are_found() {
    let mut world = world().await;
    let other = world.server.copy().unwrap();
    world.players[1].device.net.server().switch_to(&other).unwrap();
    Box::pin(world.add(1)).await.unwrap();
    assert!(Box::pin(at_the_end(&mut world)).await.is_err());
}

#[test]
fn evidence_that_proves_nothing_is_found() {
    assert!(evidence::convinces(b"", DeviceId([1; 16])).is_err());
    assert!(evidence::convinces(&[7; 900], DeviceId([1; 16])).is_err());
}

#[tokio::test]
async fn evidence_where_nobody_forked_is_found_and_convinces_of_its_own_device_only() {
    let mut world = world().await;
    let other = world.server.copy().unwrap();
    let way = world.players[1].device.net.clone();
    way.server().switch_to(&other).unwrap();
    for number in [0, 1] {
        Box::pin(world.add(number)).await.unwrap();
        world.players[number].device.sync().await.unwrap();
    }
    way.server().switch_to(&world.server).unwrap();
    world.players[1].device.sync().await.unwrap_err();
    assert!(evidence::nobody_is_framed(&world).await.is_err());
    let [of_other, own] = [0, 1].map(|number| world.players[number].device.client.device_id());
    let kept = world.players[1].device.client.fork_evidence().await.unwrap();
    assert_eq!(evidence::convinces(&kept[0].1, own), Ok(()));
    assert!(evidence::convinces(&kept[0].1, of_other).is_err());
}

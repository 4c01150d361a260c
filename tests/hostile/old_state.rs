//! Old states: of the sign-in (A22), of everything at once, by freezing (A30), and of a stolen database (A32).

use lockstep_client::account::{AccountError, SignInError};
use lockstep_client::ports::Request;
use lockstep_client::sync::SyncError;
use lockstep_proto::api::account::{LogPage, Slots};
use lockstep_tests::{Fault, Papers, TestDevice, TestServer, assert_in_step, one_device_on, two_devices};

use super::{asks_log, asks_slots, changed};

const NEW_PASSWORD: &str = "a new and better passphrase";

/// An account before and after a password change: the server, a copy from before, the device, the papers for each.
async fn changed_password() -> (TestServer, TestServer, TestDevice, Papers, Papers) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, papers) = Box::pin(one_device_on(server)).await;
    first.sync().await.unwrap();
    let old = server.copy().unwrap();
    first.change_password(NEW_PASSWORD).await.unwrap();
    let new = first.papers(NEW_PASSWORD).await.unwrap();
    (server, old, first, papers, new)
}

fn is_account(request: &Request) -> bool {
    asks_log(request) || asks_slots(request)
}

#[tokio::test]
async fn a22_new_slots_with_an_older_log_are_refused() {
    let (server, _old, _first, _, new) = changed_password().await;
    let cut = changed::<LogPage>(asks_log, |page| {
        page.links.pop();
        let link = lockstep_proto::sign::Signed::<lockstep_proto::log::AccountLink>::from_wire(
            page.links.last().unwrap(),
        );
        let link = link.unwrap();
        page.head = lockstep_proto::log::LogHead { seq: link.value().seq, hash: link.hash() };
    });
    let probe = TestDevice::probe_sign_in(&server, &new, |server| server.answer(cut)).await.unwrap();
    let error = probe.outcome.unwrap_err();
    assert!(
        matches!(error, SignInError::Account(AccountError::SlotMissing { .. } | AccountError::Slot(_))),
        "{error}"
    );
}

#[tokio::test]
async fn a22_old_slots_with_a_newer_log_are_refused() {
    let (server, old, _first, papers, new) = changed_password().await;
    // The old slots as the server had them.
    let before = TestDevice::probe_sign_in(&old, &papers, |_| {}).await.unwrap();
    let slots = before.net.server().last_answer("/v1/account/slots").unwrap();
    let slots: Slots = lockstep_tests::decode(&slots);
    let attack = changed::<Slots>(asks_slots, move |page| page.slots.clone_from(&slots.slots));
    let probe = TestDevice::probe_sign_in(&server, &new, |server| server.answer(attack)).await.unwrap();
    let error = probe.outcome.unwrap_err();
    assert!(matches!(error, SignInError::Account(AccountError::SlotMissing { .. })), "{error}");
}

/// The published residual: an old slot with its own old log and its own old record opens with the old password. The
/// person is shown the devices of that log, and is asked.
#[tokio::test]
async fn a22_a_whole_old_state_is_shown_for_what_it_is() {
    let (server, old, first, papers, new) = changed_password().await;
    let probe = TestDevice::probe_sign_in(&old, &papers, |_| {}).await.unwrap();
    let shown = probe.outcome.unwrap();
    assert!(shown.seq < first.client.status().await.unwrap().account_head.seq);
    // With the new password nothing of the old state opens, and with the old one nothing of the new.
    for (server, papers) in [(&old, &new), (&server, &papers)] {
        let probe = TestDevice::probe_sign_in(server, papers, |_| {}).await.unwrap();
        assert!(matches!(probe.outcome.unwrap_err(), SignInError::Refused));
    }
    // A mixture of both states is refused.
    let mixed = TestDevice::probe_sign_in(&server, &new, |way| way.answer_from(&old, is_account).unwrap());
    assert!(mixed.await.unwrap().outcome.is_err());
}

#[tokio::test]
async fn a30_a_device_says_since_when_a_vault_is_unconfirmed() {
    let (_server, mut first, mut second) = Box::pin(two_devices()).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let before = second.client.status().await.unwrap();
    first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    for _ in 0..3 {
        second.clock.advance(24 * 60 * 60 * 1_000);
        second.net.fail(|_| true, Fault::Unreachable, usize::MAX);
        assert!(second.sync().await.is_err());
        let status = second.client.status().await.unwrap();
        assert_eq!(status.vaults[0].confirmed_ms, before.vaults[0].confirmed_ms);
        assert_eq!(status.vaults[0].head_author, first.client.device_id());
    }
    second.net.mend();
    assert_in_step(&mut first, &mut second).await;
    let after = second.client.status().await.unwrap();
    assert!(after.vaults[0].confirmed_ms > before.vaults[0].confirmed_ms + 3 * 24 * 60 * 60 * 1_000);
}

/// One device's edits are kept from the other; whatever that one writes into another vault names what it had seen.
#[tokio::test]
async fn a30_a_freeze_of_one_vault_shows_by_another() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, papers) = Box::pin(one_device_on(server)).await;
    let home = first.vault().await.unwrap();
    let work = first.client.create_vault("Work").await.unwrap();
    first.sync().await.unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    second.sync().await.unwrap();
    let frozen = server.copy().unwrap();
    for vault in [home, work] {
        let item = first.client.make_item_id();
        let login = lockstep_tests::login(&first.client, "New").unwrap();
        first.client.save(vault, item, login).await.unwrap();
        first.sync().await.unwrap();
    }
    let item = first.client.make_item_id();
    let login = lockstep_tests::login(&first.client, "Newer").unwrap();
    first.client.save(work, item, login).await.unwrap();
    first.sync().await.unwrap();
    second
        .net
        .server()
        .answer_from(&frozen, move |request| request.path.contains(&home.to_string()))
        .unwrap();
    let error = second.sync().await.unwrap_err();
    let missed = matches!(error, SyncError::Withheld { vault_id, .. } if vault_id == home);
    assert!(missed, "{error}");
    second.net.server().answer_from(&server, |_| true).unwrap();
    second.sync().await.unwrap();
}

/// With the whole database, the server's secrets and the right password, but without the Secret Key, nothing opens.
#[tokio::test]
async fn a32_a_stolen_database_is_worth_nothing_without_the_secret_key() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, papers) = Box::pin(one_device_on(server)).await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let stolen = server.copy().unwrap();
    TestDevice::probe_sign_in(&stolen, &papers, |_| {}).await.unwrap().outcome.unwrap();
    let guessed = papers.with_other_secret_key();
    let probe = TestDevice::probe_sign_in(&stolen, &guessed, |_| {}).await.unwrap();
    assert!(matches!(probe.outcome.unwrap_err(), SignInError::Refused));
}

//! A sign-in at a server that lies about its key, the profile, the slots or the account.

use std::sync::Arc;

use lockstep_client::account::{AccountError, SignInError};
use lockstep_client::ports::{Request, Response};
use lockstep_proto::api::account::{LogPage, Slots};
use lockstep_tests::{Papers, Tamper, TestDevice, TestServer, decode, encode, is_link, one_device};

use super::{asks_log, asks_slots, changed};

/// The sign-in is refused; `sent` says whether a last message of the key exchange was sent. The next one succeeds.
async fn refused(server: &TestServer, papers: &Papers, attack: impl FnOnce(&Tamper)) -> (SignInError, bool) {
    let probe = TestDevice::probe_sign_in(server, papers, attack).await.unwrap();
    let seen = probe.net.server().seen();
    assert!(!seen.iter().any(is_link));
    let finished = seen.iter().any(|request| request.path == "/v1/signin/finish");
    let error = probe.outcome.unwrap_err();
    TestDevice::probe_sign_in(server, papers, |_| {}).await.unwrap().outcome.unwrap();
    (error, finished)
}

fn starts(request: &Request) -> bool {
    request.path == "/v1/signin/start"
}

#[tokio::test]
async fn a01_a_profile_that_is_unknown_ends_the_sign_in_before_anything_depends_on_the_password() {
    let (server, _first, papers) = one_device().await;
    for profile in [0, 2, 255, 65_535, 65_536] {
        let attack = move |request: &Request, response: Response| {
            if !starts(request) {
                return response;
            }
            let mut body: ciborium::Value = decode(&response.body);
            for (key, value) in body.as_map_mut().unwrap() {
                if key.as_text() == Some("profile") {
                    *value = ciborium::Value::from(profile);
                }
            }
            Response { body: encode(&body), ..response }
        };
        let (error, finished) = refused(&server, &papers, |server| server.answer(attack)).await;
        assert!(matches!(error, SignInError::Account(AccountError::Api(_))), "{error}");
        assert!(!finished);
    }
}

/// A02, and a Kit at another server.
#[tokio::test]
async fn a02_another_server_behind_the_same_address_is_refused() {
    let (server, _first, papers) = one_device().await;
    let other = TestServer::start().unwrap();
    let (error, finished) = refused(&server, &papers, |way| way.switch_to(&other).unwrap()).await;
    assert!(matches!(error, SignInError::OtherServer), "{error}");
    assert!(!finished);
}

#[tokio::test]
async fn a16_slots_that_are_emptied_cut_or_missing_are_refused() {
    let (server, _first, papers) = one_device().await;
    let attacks: [fn(&mut Slots); 4] = [
        |page| page.slots.iter_mut().for_each(|slot| slot.bytes.0.clear()),
        |page| page.slots.iter_mut().for_each(|slot| slot.bytes.0.truncate(40)),
        |page| page.slots.iter_mut().for_each(|slot| slot.bytes.0.fill(0)),
        |page| page.slots.clear(),
    ];
    for attack in attacks {
        let (error, _) = refused(&server, &papers, |server| server.answer(changed(asks_slots, attack))).await;
        let named = matches!(
            error,
            SignInError::Account(
                AccountError::SlotMissing { .. } | AccountError::Slot(_) | AccountError::Api(_)
            )
        );
        assert!(named, "{error}");
    }
}

#[tokio::test]
async fn a12_the_log_of_another_account_is_refused() {
    let (server, _first, papers) = one_device().await;
    let (stranger, _) = TestDevice::sign_up(&server).await.unwrap();
    let links = stranger_links(stranger).await;
    let attack = changed::<LogPage>(asks_log, move |page| *page = LogPage::clone(&links));
    let (error, _) = refused(&server, &papers, |server| server.answer(attack)).await;
    assert!(matches!(error, SignInError::Account(AccountError::OtherAccount)), "{error}");
}

async fn stranger_links(stranger: TestDevice) -> Arc<LogPage> {
    let api = lockstep_client::api::Api::new(stranger.net.clone());
    let session = stranger.client.unlocked().session(&api);
    Arc::new(api.account_log(&session, &Default::default()).await.unwrap())
}

#[tokio::test]
async fn a15_the_slots_of_another_account_are_refused() {
    let (server, _first, papers) = one_device().await;
    let (stranger, _) = TestDevice::sign_up(&server).await.unwrap();
    let api = lockstep_client::api::Api::new(stranger.net.clone());
    let theirs =
        api.account_slots(&stranger.client.unlocked().session(&api), &Default::default()).await.unwrap();
    let attack = changed::<Slots>(asks_slots, move |page| page.slots.clone_from(&theirs.slots));
    let (error, _) = refused(&server, &papers, |server| server.answer(attack)).await;
    assert!(matches!(error, SignInError::Account(AccountError::SlotMissing { .. })), "{error}");
}

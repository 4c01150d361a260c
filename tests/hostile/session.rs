//! A server that opens sessions with tokens that are none (A31), or that are another account's (A15): nothing of them stays.

use lockstep_client::ports::Request;
use lockstep_proto::api::session::Session;
use lockstep_tests::{TestDevice, decode, two_devices};

use super::changed;

#[tokio::test]
async fn a31_a_token_that_no_request_can_carry_is_refused() {
    for token in ["0".repeat(1 << 20), "two\nlines".to_owned(), "two words".to_owned(), String::new()] {
        let (_server, mut first, second) = two_devices().await;
        first.add("Bank").await.unwrap();
        first.sync().await.unwrap();
        let mut second = second.restarted(second.store.snapshot()).await.unwrap();
        let opens = |request: &Request| request.path == "/v1/session";
        let given = token.clone();
        let lie = changed::<Session>(opens, move |session| session.token.clone_from(&given));
        second.net.server().answer(lie);
        let error = second.sync().await.unwrap_err();
        assert!(!error.is_offline(), "{} bytes: {error}", token.len());
        second.net.server().be_honest();
        second.sync().await.unwrap();
        assert_eq!(second.everything().await.unwrap(), first.everything().await.unwrap());
    }
}

#[tokio::test]
async fn a15_a_token_of_another_account_is_given_up_when_a_sync_fails() {
    let (server, mut first, second) = two_devices().await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let (mut stranger, _papers) = TestDevice::sign_up(&server).await.unwrap();
    stranger.sync().await.unwrap();
    let theirs: Session = decode(&stranger.net.server().last_answer("/v1/session").unwrap());
    let mut second = second.restarted(second.store.snapshot()).await.unwrap();
    let opens = |request: &Request| request.path == "/v1/session";
    let lie = changed::<Session>(opens, move |session| session.token.clone_from(&theirs.token));
    second.net.server().answer(lie);
    second.sync().await.unwrap_err();
    second.net.server().be_honest();
    second.sync().await.unwrap();
    assert_eq!(second.everything().await.unwrap(), first.everything().await.unwrap());
}

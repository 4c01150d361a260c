//! A server that opens sessions with tokens that no request can carry (A31): they are refused, and nothing of them stays.

use lockstep_client::ports::Request;
use lockstep_proto::api::session::Session;
use lockstep_tests::two_devices;

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

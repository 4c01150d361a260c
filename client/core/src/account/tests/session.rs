//! Tokens: which are taken, kept, and given up.

use lockstep_proto::api::session::{Challenge, Session as Opened};
use lockstep_proto::bytes::Bytes;

use super::device::account;
use super::server::{read, write};
use crate::api::{ApiError, TokenSource as _};
use crate::testing::block_on;

/// No answer would ever call such a token ended, so it would be sent, or fail to be, for good.
#[test]
fn a_token_that_no_request_can_carry_is_neither_kept_nor_used() {
    let (longest, longer) = ("x".repeat(2_048), "x".repeat(2_049));
    for (token, taken) in [
        ("", false),
        ("a b", false),
        ("a\r\nx-other: header", false),
        ("schlüssel", false),
        ("\u{7f}", false),
        (longer.as_str(), false),
        (longest.as_str(), true),
        ("~", true),
    ] {
        let (server, device, signed_up) = account();
        let session = signed_up.unlocked.session(&device.api());
        let given = token.to_owned();
        server.tamper(move |path, response| {
            if path == "/v1/session" {
                let opened: Opened = read(&response.body);
                response.body = write(&Opened { token: given.clone(), ..opened });
            }
        });
        match block_on(session.token()) {
            Ok(found) => assert!(taken && found == token),
            Err(ApiError::Garbage { .. }) => assert!(!taken, "{token:?}"),
            Err(other) => panic!("{other}"),
        }
        server.be_honest();
        // What was refused is forgotten; what was taken is kept.
        assert_eq!(block_on(session.token()).unwrap() == token, taken);
        assert_eq!(server.sent("/v1/session").len(), if taken { 1 } else { 2 });
    }
}

/// A device signs nonces of 32 bytes and nothing else that a server chooses.
#[test]
fn nothing_is_signed_for_a_challenge_of_another_length() {
    for length in [0, 31, 33, 4_096] {
        let (server, device, signed_up) = account();
        server.tamper(move |path, response| {
            if path == "/v1/session/challenge" {
                response.body = write(&Challenge { nonce: Bytes(vec![1; length]) });
            }
        });
        let session = signed_up.unlocked.session(&device.api());
        assert!(matches!(block_on(session.token()), Err(ApiError::Garbage { .. })), "{length}");
        assert!(server.sent("/v1/session").is_empty());
    }
}

#[test]
fn a_token_is_used_until_it_and_no_other_one_is_called_ended() {
    let (server, device, signed_up) = account();
    let session = signed_up.unlocked.session(&device.api());
    let first = block_on(session.token()).unwrap();
    session.forget("another");
    assert_eq!(block_on(session.token()).unwrap(), first);
    session.forget(&first);
    let second = block_on(session.token()).unwrap();
    // An answer to the first that comes late ends the second for nobody.
    session.forget(&first);
    assert!(second != first && block_on(session.token()).unwrap() == second);
    session.close();
    assert_ne!(block_on(session.token()).unwrap(), second);
    assert_eq!(server.sent("/v1/session").len(), 3);
}

#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_proto::api::account::{LogPage, LogQuery};
use lockstep_proto::api::signup::SignupStart;
use lockstep_proto::api::{CBOR, ErrorCode, PROBLEM_CBOR, Problem, REQUEST_LIMIT};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, Seq};
use proptest::prelude::*;

use super::retry::{Advice, Backoff, advice};
use super::*;
use crate::account::AccountError;
use crate::ports::{Request, Response, Transport, TransportError};
use crate::testing::{TestRandom, block_on};

/// Answers every request with the same bytes.
struct Canned(Response);

#[async_trait::async_trait]
impl Transport for Canned {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Ok(self.0.clone())
    }
}

struct Token;

#[async_trait::async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<String, ApiError> {
        Ok("token".to_owned())
    }

    fn forget(&self, _: &str) {}
}

fn response(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    Response { status, content_type: content_type.to_owned(), body, retry_after: None }
}

fn cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).unwrap();
    body
}

fn ask(response: Response) -> Result<LogPage, ApiError> {
    let api = Api::new(std::sync::Arc::new(Canned(response)));
    block_on(api.account_log(&Token, &LogQuery { after: Some(Seq(3)) }))
}

fn garbage(response: Response) -> Garbage {
    match ask(response) {
        Err(ApiError::Garbage { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn page() -> LogPage {
    LogPage { links: vec![Bytes(vec![1])], head: lockstep_proto::log::LogHead::default(), more: false }
}

#[test]
fn an_answer_is_read() {
    assert_eq!(ask(response(200, CBOR, cbor(&page()))).unwrap(), page());
}

#[test]
fn answers_that_are_none_are_named() {
    let body = cbor(&page());
    assert_eq!(garbage(response(200, CBOR, Vec::new())), Garbage::Empty);
    assert_eq!(garbage(response(200, "text/html", body.clone())), Garbage::ContentType);
    assert_eq!(garbage(response(200, CBOR, body[..body.len() - 1].to_vec())), Garbage::Body);
    assert_eq!(garbage(response(200, CBOR, [&body[..], &[0]].concat())), Garbage::Body);
    assert_eq!(garbage(response(302, CBOR, body)), Garbage::Status);
    assert_eq!(garbage(response(502, "text/html", b"<html>".to_vec())), Garbage::ContentType);
    assert_eq!(garbage(response(500, "", Vec::new())), Garbage::Empty);
}

#[test]
fn deep_and_huge_answers_are_refused_without_following_them() {
    assert_eq!(garbage(response(200, CBOR, vec![0x81; 1 << 20])), Garbage::Body);
    let announced =
        [&[0xa1, 0x65][..], b"links", &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
    assert_eq!(garbage(response(200, CBOR, announced)), Garbage::Body);
}

#[test]
fn problems_are_read_and_made_fit_to_be_shown() {
    let problem =
        Problem::new(ErrorCode::TooManyAttempts, format!("wait\u{1b}[31m a {}", "bit ".repeat(1000)));
    let body = response(429, PROBLEM_CBOR, cbor(&problem));
    let error = ask(Response { retry_after: Some(9), ..body }).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TooManyAttempts));
    assert_eq!(error.problem().unwrap().retry_after_seconds, Some(9));
    assert_eq!(error.to_string(), "the server refused the request: too many attempts");
    let words = ServerWords::of(&error).unwrap().to_string();
    assert!(words.starts_with("The server says: \"wait\u{fffd}[31m a bit"), "{words}");
    assert!(words.ends_with("bit…\" (cut after 200 characters)"), "{words}");
    assert!(!format!("{:?}", error.problem()).contains("wait"));
    assert_eq!(advice(&error), Advice::TryAgain { asked_ms: Some(9_000) });
    let text = br#"{"code":"too-many-attempts","status":429,"title":"","type":"","detail":""}"#;
    assert_eq!(garbage(response(429, "application/problem+json", text.to_vec())), Garbage::ContentType);
}

#[test]
fn a_problem_without_words_is_named_and_one_without_a_detail_has_its_title() {
    let problem = Problem { title: "\u{7}".to_owned(), ..Problem::new(ErrorCode::NoVault, "") };
    let error = ask(response(404, PROBLEM_CBOR, cbor(&problem))).unwrap_err();
    assert_eq!(error.to_string(), "the server refused the request: no such vault");
    assert_eq!(ServerWords::of(&error), None);
    let problem = Problem { title: "Gone".to_owned(), ..Problem::new(ErrorCode::NoVault, "\n") };
    let error = AccountError::from(ask(response(404, PROBLEM_CBOR, cbor(&problem))).unwrap_err());
    assert_eq!(ServerWords::of(&error).unwrap().as_text(), "Gone");
}

#[test]
fn a_request_above_the_limit_is_not_sent() {
    let api = Api::new(std::sync::Arc::new(Canned(response(200, CBOR, Vec::new()))));
    let body =
        SignupStart { account_id: AccountId::ZERO, request: Bytes(vec![0; REQUEST_LIMIT]), invite: None };
    assert!(matches!(block_on(api.start_signup(&body)), Err(ApiError::RequestTooLarge { .. })));
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let refused = |code| ApiError::from(Problem::new(code, ""));
    let status = |status| ApiError::Garbage { status, what: Garbage::ContentType, retry_after: None };
    let again = [
        TransportError::Unreachable(None).into(),
        TransportError::TimedOut.into(),
        refused(ErrorCode::Unavailable),
        refused(ErrorCode::Internal),
        refused(ErrorCode::TooManyAttempts),
        status(429),
        status(502),
        status(503),
    ];
    for error in &again {
        assert_eq!(advice(error), Advice::TryAgain { asked_ms: None }, "{error}");
    }
    let never = [
        TransportError::Insecure(None).into(),
        TransportError::Redirected.into(),
        TransportError::TooLarge.into(),
        refused(ErrorCode::HeadMoved),
        refused(ErrorCode::SigninFailed),
        refused(ErrorCode::DeviceRevoked),
        refused(ErrorCode::QuotaExceeded),
        status(200),
        status(404),
    ];
    for error in &never {
        assert_eq!(advice(error), Advice::GiveUp, "{error}");
    }
}

proptest! {
    #[test]
    fn delays_stay_below_their_ceiling_and_above_what_was_asked(seed: u64, asked in 0_u64..100_000) {
        let random = TestRandom::new(seed);
        let mut backoff = Backoff::new();
        for attempt in 0..40_u32 {
            let ceiling = 25_u64.saturating_mul(1 << attempt.min(20)).min(30_000);
            let delay = backoff.make_delay_ms(Some(asked), &random);
            prop_assert!((asked..=asked + ceiling).contains(&delay));
        }
        prop_assert_eq!(backoff.attempts(), 40);
    }

    #[test]
    fn no_answer_panics(status: u16, body: Vec<u8>, kind in 0..3_usize) {
        let content_type = [CBOR, PROBLEM_CBOR, ""][kind];
        let _ = ask(response(status, content_type, body));
    }
}

//! How long a call is tried.

use std::sync::Arc;

use lockstep_crypto::stretch::CheapStretch;
use lockstep_proto::api::{ErrorCode, Problem};

use crate::api::ApiError;
use crate::ports::{
    InlineStretcher, MemoryKeychain, MemoryLocalStore, Ports, Request, Response, Transport, TransportError,
};
use crate::sync::wire::Patience;
use crate::testing::{TestClock, TestRandom, block_on};

struct Nowhere;

#[async_trait::async_trait]
impl Transport for Nowhere {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Err(TransportError::Unreachable(None))
    }
}

fn ports() -> Ports {
    Ports {
        clock: Arc::new(TestClock::at(1_700_000_000_000)),
        random: Arc::new(TestRandom::new(7)),
        stretcher: Arc::new(InlineStretcher(Arc::new(CheapStretch))),
        store: Arc::new(MemoryLocalStore::new()),
        keychain: Arc::new(MemoryKeychain::new()),
        transport: Arc::new(Nowhere),
    }
}

fn too_many(retry_after: u32) -> ApiError {
    let problem = Problem::new(ErrorCode::TooManyAttempts, "wait").with_retry_after(retry_after);
    problem.into()
}

#[test]
fn a_server_that_asks_to_wait_is_given_at_least_what_it_asks_for() {
    let ports = ports();
    let mut patience = Patience::new();
    for attempt in 0..3 {
        let before = ports.clock.now_ms();
        block_on(patience.wait(&ports, too_many(3))).unwrap();
        let waited = ports.clock.now_ms() - before;
        assert!((3_000..=3_000 + (25 << attempt)).contains(&waited), "{waited} ms");
    }
    let error = block_on(patience.wait(&ports, too_many(3))).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TooManyAttempts), "four attempts are enough");
}

#[test]
fn a_server_that_asks_for_more_than_five_seconds_is_told_to_the_person_at_once() {
    let ports = ports();
    let before = ports.clock.now_ms();
    let error = block_on(Patience::new().wait(&ports, too_many(6))).unwrap_err();
    assert_eq!(error.problem().unwrap().retry_after_seconds, Some(6));
    assert_eq!(ports.clock.now_ms(), before);
}

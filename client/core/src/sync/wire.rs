//! What every step of a sync works with, and how a call is repeated.

use std::future::Future;

use crate::account::{Session, Unlocked};
use crate::api::retry::{Advice, Backoff, advice};
use crate::api::{Api, ApiError};
use crate::client::ProgressSink;
use crate::ports::Ports;

/// Attempts of one call, at most.
const ATTEMPTS: u32 = 4;
/// A server that asks for more patience than this, in milliseconds, gets a new sync instead.
const PATIENCE_MS: u64 = 5_000;

/// The ports, the server and the unlocked account, shared by all steps.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) api: &'a Api,
    pub(crate) session: &'a Session,
    pub(crate) unlocked: &'a Unlocked,
    pub(crate) progress: &'a dyn ProgressSink,
}

impl Wire<'_> {
    /// Makes a call, and again with backoff while the failure may pass by itself. Only for calls that are idempotent.
    ///
    /// # Errors
    /// The last [`ApiError`].
    pub(crate) async fn repeat<T, F, Fut>(&self, call: F) -> Result<T, ApiError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, ApiError>>,
    {
        let mut backoff = Backoff::new();
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Advice::TryAgain { asked_ms } = advice(&error) else { return Err(error) };
            let patient = asked_ms.is_none_or(|asked| asked <= PATIENCE_MS);
            if !patient || backoff.attempts() + 1 >= ATTEMPTS {
                return Err(error);
            }
            self.ports.clock.sleep_ms(backoff.make_delay_ms(asked_ms, &*self.ports.random)).await;
        }
    }
}

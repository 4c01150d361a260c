//! What every step of a sync works with, and how a call is repeated.

use std::future::Future;

use super::report::ProgressSink;
use crate::account::{Session, Unlocked};
use crate::api::retry::{Advice, Backoff, advice};
use crate::api::{Api, ApiError};
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
        let mut patience = Patience::new();
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => patience.wait(self.ports, error).await?,
            }
        }
    }
}

/// How long one call is tried.
pub(crate) struct Patience(Backoff);

impl Patience {
    /// Nothing has failed yet.
    pub(crate) fn new() -> Self {
        Self(Backoff::new())
    }

    /// Waits before another attempt, if the failure may pass by itself and there were not too many.
    ///
    /// # Errors
    /// The failure, when it is final.
    pub(crate) async fn wait(&mut self, ports: &Ports, error: ApiError) -> Result<(), ApiError> {
        let Advice::TryAgain { asked_ms } = advice(&error) else { return Err(error) };
        if asked_ms.is_some_and(|asked| asked > PATIENCE_MS) || self.0.attempts() + 1 >= ATTEMPTS {
            return Err(error);
        }
        ports.clock.sleep_ms(self.0.make_delay_ms(asked_ms, &*ports.random)).await;
        Ok(())
    }
}

//! Time.

use super::MaybeSend;

/// The wall clock, and waiting. No decision about *whether* to sync depends on it.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait Clock: MaybeSend {
    /// Milliseconds since 1970-01-01 UTC. May jump, backwards too.
    fn now_ms(&self) -> u64;

    /// Completes after at least `ms` milliseconds. Cancel-safe.
    async fn sleep_ms(&self, ms: u64);
}

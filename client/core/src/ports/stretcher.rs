//! Key stretching, off the executor.

use std::sync::Arc;

use lockstep_crypto::stretch::{Stretch, StretchError};
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

use super::MaybeSend;

/// Runs a [`Stretch`] where it blocks nobody: a thread pool natively, a worker in a browser.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait Stretcher: MaybeSend {
    /// Argon2id with the profile's parameters over `input` and `salt`: 64 bytes.
    ///
    /// # Errors
    /// [`StretchError`], for example when memory is short.
    async fn stretch(
        &self,
        profile: KsfProfile,
        input: Zeroizing<Vec<u8>>,
        salt: Vec<u8>,
    ) -> Result<Zeroizing<[u8; 64]>, StretchError>;
}

/// Stretches on the spot, blocking whoever polls: for tests and for command lines with nothing else to do.
pub struct InlineStretcher(pub Arc<dyn Stretch + Send + Sync>);

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl Stretcher for InlineStretcher {
    async fn stretch(
        &self,
        profile: KsfProfile,
        input: Zeroizing<Vec<u8>>,
        salt: Vec<u8>,
    ) -> Result<Zeroizing<[u8; 64]>, StretchError> {
        self.0.stretch(profile, &input, &salt)
    }
}

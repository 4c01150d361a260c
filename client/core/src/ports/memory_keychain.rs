//! A keychain in memory.

use std::sync::{Mutex, PoisonError};

use lockstep_crypto::keys::LocalSecret;

use super::keychain::{Keychain, KeychainError};

/// A local secret in memory; gone with the value.
#[derive(Default)]
pub struct MemoryKeychain {
    secret: Mutex<Option<LocalSecret>>,
}

impl MemoryKeychain {
    /// An empty keychain.
    pub fn new() -> Self {
        Self::default()
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl Keychain for MemoryKeychain {
    async fn load(&self) -> Result<Option<LocalSecret>, KeychainError> {
        let secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(secret.as_ref().map(|secret| LocalSecret::from_bytes(*secret.expose_bytes())))
    }

    async fn store(&self, secret: &LocalSecret) -> Result<(), KeychainError> {
        let copy = LocalSecret::from_bytes(*secret.expose_bytes());
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        Ok(())
    }
}

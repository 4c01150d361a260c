//! Where the device's local secret lives, apart from everything else of the profile.

use lockstep_crypto::keys::LocalSecret;

use super::MaybeSend;

/// The keychain cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the keychain of this device cannot be used: {reason}; nothing was changed")]
pub struct KeychainError {
    /// What is wrong, without secrets.
    pub reason: String,
    /// The platform's error.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Keeps one profile's local secret: 32 random bytes without which its password unlocks nothing.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait Keychain: MaybeSend {
    /// The secret, if this profile has one.
    ///
    /// # Errors
    /// [`KeychainError`]; also for a stored value that is not a secret.
    async fn load(&self) -> Result<Option<LocalSecret>, KeychainError>;

    /// Stores the secret durably in place of any other.
    ///
    /// # Errors
    /// [`KeychainError`]; then the one before is still there.
    async fn store(&self, secret: &LocalSecret) -> Result<(), KeychainError>;
}

//! The pairing code, and what both devices derive from it.
//!
//! Printed as `LP1-` and four groups of five: 16 data symbols (80 bits, big-endian) and four check symbols, part number
//! 4, as [`crate::printed`] says.

use zeroize::Zeroizing;

use super::PairingMessageError;
use crate::kdf;
use crate::keys::SymmetricKey;
use crate::printed::Shape;
use crate::random::{Random, make_secret_bytes};
use crate::secret_bytes::SecretBytes;

const SHAPE: Shape = Shape { prefix: "LP1", other_prefix: "LS1", parts: &[4], data_symbols: 16, bits: 80 };

/// Bytes of a mailbox's name.
pub const RENDEZVOUS_LENGTH: usize = 16;

/// 80 random bits that one person carries from one device to the other. Used for one pairing.
pub struct PairingCode(SecretBytes<{ Self::LENGTH }>);

impl PairingCode {
    /// Length in bytes.
    pub const LENGTH: usize = 10;

    /// A new random code.
    pub fn make(random: &dyn Random) -> Self {
        Self(make_secret_bytes(random))
    }

    /// The code with these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(SecretBytes::copy_of(&bytes))
    }

    /// Reads a typed code; as forgiving as [`crate::secret_key::SecretKey::parse`].
    ///
    /// # Errors
    /// [`PairingMessageError::Code`].
    pub fn parse(text: &str) -> Result<Self, PairingMessageError> {
        let values = SHAPE.parse(text).map_err(PairingMessageError::Code)?;
        Ok(Self(SecretBytes::filled(|bytes| {
            for value in &values {
                bytes.copy_from_slice(&value.to_be_bytes()[16 - Self::LENGTH..]);
            }
        })))
    }

    /// The code as it is shown: `LP1-XXXXX-…`.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let value = self.0.iter().fold(0_u128, |value, byte| (value << 8) | u128::from(*byte));
        SHAPE.print(&[Zeroizing::new(value)])
    }

    /// The bytes.
    pub fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// What both devices derive from it.
    pub fn derive_secrets(&self) -> PairingSecrets {
        let key = |label| SymmetricKey::from_secret(kdf::derive(&*self.0, label, &[]));
        PairingSecrets {
            rendezvous: *kdf::derive(&*self.0, "pair-rendezvous", &[]),
            mac: key("pair-mac"),
            name: key("pair-name-key"),
            psk: key("pair-psk"),
        }
    }
}

/// Everything that a pairing code gives: the mailbox's name for the server, and keys that it never learns.
pub struct PairingSecrets {
    pub(super) rendezvous: [u8; RENDEZVOUS_LENGTH],
    /// Authenticates the messages.
    pub(super) mac: SymmetricKey,
    /// Seals the new device's name.
    pub(super) name: SymmetricKey,
    /// Goes into the reply's HPKE.
    pub(super) psk: SymmetricKey,
}

impl PairingSecrets {
    /// `HKDF(code, "pair-rendezvous")`: the mailbox's name. The one output that the server sees.
    pub fn rendezvous(&self) -> [u8; RENDEZVOUS_LENGTH] {
        self.rendezvous
    }
}

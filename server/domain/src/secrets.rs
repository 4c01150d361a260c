//! What the server keeps outside its database.

use lockstep_proto::ids::ServerId;
use zeroize::Zeroizing;

use crate::ports::{Random, make_bytes};
use crate::signin::OpaqueServer;

/// The secrets cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// The OPAQUE set-up is not one.
    #[error("the OPAQUE set-up among the server's secrets cannot be read")]
    OpaqueSetup,
}

/// The server's id, its OPAQUE set-up and the key that signs session tokens. Whoever holds them can pretend to be this
/// server, but cannot read a vault.
pub struct ServerSecrets {
    server_id: ServerId,
    opaque_setup: Zeroizing<Vec<u8>>,
    token_key: Zeroizing<[u8; 32]>,
}

impl ServerSecrets {
    /// Fresh secrets, for a server's first start.
    pub fn make(random: &dyn Random) -> Self {
        Self {
            server_id: ServerId(make_bytes(random)),
            opaque_setup: OpaqueServer::make_setup(random),
            token_key: Zeroizing::new(make_bytes(random)),
        }
    }

    /// Secrets that were kept.
    ///
    /// # Errors
    /// [`SecretsError::OpaqueSetup`].
    pub fn from_parts(
        server_id: ServerId,
        opaque_setup: Zeroizing<Vec<u8>>,
        token_key: Zeroizing<[u8; 32]>,
    ) -> Result<Self, SecretsError> {
        OpaqueServer::from_setup(&opaque_setup, server_id).map_err(|_| SecretsError::OpaqueSetup)?;
        Ok(Self { server_id, opaque_setup, token_key })
    }

    /// The server's id.
    pub fn server_id(&self) -> ServerId {
        self.server_id
    }

    /// The OPAQUE set-up's bytes, to be written to the secrets file or read by [`OpaqueServer`].
    pub fn expose_opaque_setup(&self) -> &[u8] {
        &self.opaque_setup
    }

    /// The Ed25519 seed of the key that signs session tokens.
    pub fn expose_token_key(&self) -> &[u8; 32] {
        &self.token_key
    }
}

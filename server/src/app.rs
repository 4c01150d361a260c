//! What every request handler shares.

use std::sync::Arc;

use lockstep_domain::services::{Admissions, Ports, Services};
use lockstep_domain::store::StoreError;
use lockstep_domain::{SecretsError, ServerSecrets};
use lockstep_proto::ids::ServerId;

use crate::jwt::Tokens;

/// The services and the key of session tokens.
pub struct App {
    pub(crate) services: Services,
    pub(crate) tokens: Tokens,
    pub(crate) server_id: ServerId,
}

impl App {
    /// An application on these ports.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn new(
        ports: Ports,
        secrets: &ServerSecrets,
        admissions: Admissions,
    ) -> Result<Arc<Self>, SecretsError> {
        let tokens = Tokens::new(secrets.expose_token_key(), secrets.server_id(), ports.clock.clone());
        let services = Services::new(ports, secrets, admissions)?;
        Ok(Arc::new(Self { services, tokens, server_id: secrets.server_id() }))
    }

    /// Makes an invitation that is valid for seven days and one account, and gives its code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn make_invite(&self) -> Result<String, StoreError> {
        self.services.signup.make_invite().await
    }
}

//! What the server does, one service per concern: each call checks, then makes one store transaction.
//!
//! **Invariants:** links and commits are stored only after the verifier of `lockstep-proto` accepted them on exactly the
//! head that the store then compares; a [`crate::Caller`] is only made from a checked session.

mod account;
mod accounts;
mod blobs;
mod commits;
mod reading;
mod retention;
mod sessions;
mod signin;
mod signup;
mod slots;
mod turns;

use std::sync::Arc;

use lockstep_proto::api::info::SignupPolicy;

use crate::ports::{Clock, Random};
use crate::secrets::{SecretsError, ServerSecrets};
use crate::signin::OpaqueServer;
use crate::store::{Store, StoreError};

pub use account::{Account, LinksError};
pub use commits::{CommitRefusal, Moved, Vaults};
pub use reading::{ReadError, Reading};
pub use retention::{HistoryRule, HistoryRuleError, Retention};
pub use sessions::{SessionError, Sessions};
pub use signin::{SignIn, SigninError};
pub use signup::{SignUp, SignupError, SignupRule};
pub use slots::SlotFault;

/// What all services stand on.
#[derive(Clone)]
pub struct Ports {
    /// What the server keeps.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// The services of one server.
pub struct Services {
    /// Making accounts.
    pub signup: SignUp,
    /// OPAQUE sign-in of existing accounts.
    pub signin: SignIn,
    /// Challenges, devices and enrolment sessions.
    pub sessions: Sessions,
    /// The account log.
    pub account: Account,
    /// Vaults and commits.
    pub vaults: Vaults,
    /// Pages of vaults.
    pub reading: Reading,
    ports: Ports,
}

impl Services {
    /// The services of the server with these secrets.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn new(ports: Ports, secrets: &ServerSecrets, rule: SignupRule) -> Result<Self, SecretsError> {
        let server_id = secrets.server_id();
        let opaque = OpaqueServer::from_setup(secrets.expose_opaque_setup(), server_id)
            .map_err(|_| SecretsError::OpaqueSetup)?;
        let opaque = Arc::new(opaque);
        let accounts = Arc::new(accounts::Accounts::new(ports.store.clone()));
        let sessions = Sessions::new(ports.clone(), accounts.clone(), server_id);
        Ok(Self {
            signup: SignUp::new(ports.clone(), opaque.clone(), server_id, rule),
            signin: SignIn::new(ports.clone(), opaque.clone(), sessions.enrolments()),
            sessions,
            account: Account::new(ports.store.clone(), accounts.clone(), opaque),
            vaults: Vaults::new(ports.store.clone(), ports.clock.clone(), accounts),
            reading: Reading::new(ports.store.clone()),
            ports,
        })
    }

    /// Who may sign up now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn signup_policy(&self) -> Result<SignupPolicy, StoreError> {
        self.signup.policy().await
    }

    /// Whether the store can be read now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check(&self) -> Result<(), StoreError> {
        self.ports.store.check().await
    }
}

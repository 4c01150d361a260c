//! What the server does, one service per concern: each call checks, then makes one store transaction.
//!
//! **Invariants:** links and commits are stored only after the verifier of `lockstep-proto` accepted them on exactly the
//! head that the store then compares; a [`crate::Caller`] is only made from a checked session.

mod account;
mod accounts;
mod admissions;
mod bars;
mod blobs;
mod commits;
mod heal_account;
mod heal_vault;
mod lines;
mod open_sessions;
mod pairing;
mod permit;
mod proof;
mod reading;
mod recovery;
mod recovery_week;
mod retention;
mod sessions;
mod shares;
mod signin;
mod signup;
mod slots;
mod turns;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use lockstep_proto::api::info::SignupPolicy;

use crate::limits::{CAPACITY, RequestRates, Requests, SignUpRates, Storage, Successes};
use crate::ports::{Clock, Random};
use crate::secrets::{SecretsError, ServerSecrets};
use crate::signin::OpaqueServer;
use crate::store::{AccountLimits, Store, StoreError};

pub use account::{Account, LinksError};
pub use admissions::{Admissions, FirstAccount, Restored, SignupRule, setup_token};
pub use bars::{BarError, Bars};
pub use commits::{CommitRefusal, Moved, Vaults};
pub use heal_account::{HealAccounts, HealError, Healed};
pub use heal_vault::HealVaults;
pub use pairing::{Pairing, PairingError};
pub use reading::{ReadError, Reading};
pub use recovery::{Recovery, RecoveryError};
pub use retention::{HistoryRule, HistoryRuleError, Retention};
pub use sessions::{SessionError, Sessions};
pub use signin::{SignIn, SigninError};
pub use signup::{SignUp, SignupError};

use signup::Newcomers;

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
    /// Recovery Keys.
    pub recovery: Recovery,
    /// Challenges, and who has a session.
    pub sessions: Sessions,
    /// The account log.
    pub account: Account,
    /// Devices that are being revoked.
    pub bars: Arc<Bars>,
    /// Accounts that a restored database lacks.
    pub heal_accounts: HealAccounts,
    /// Vaults that a restored database lacks, or has in an older state.
    pub heal_vaults: HealVaults,
    /// Mailboxes in which devices pair.
    pub pairing: Pairing,
    /// Vaults and commits.
    pub vaults: Vaults,
    /// Pages of vaults.
    pub reading: Reading,
    /// How often anybody may ask.
    pub requests: Requests,
    /// What the server's storage still takes.
    pub storage: Arc<Storage>,
    ports: Ports,
}

impl Services {
    /// The services of the server with these secrets.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn new(
        ports: Ports,
        secrets: &ServerSecrets,
        admissions: Admissions,
        rates: RequestRates,
        limits: AccountLimits,
    ) -> Result<Self, SecretsError> {
        let server_id = secrets.server_id();
        let opaque = OpaqueServer::from_setup(secrets.expose_opaque_setup(), server_id)
            .map_err(|_| SecretsError::OpaqueSetup)?;
        let opaque = Arc::new(opaque);
        let (store, clock) = (ports.store.clone(), ports.clock.clone());
        let accounts = Arc::new(accounts::Accounts::new(store.clone(), clock.clone()));
        let open = Arc::new(open_sessions::OpenSessions::new(&ports));
        let bars = Arc::new(Bars::new(store.clone(), clock.clone(), accounts.clone(), server_id));
        let week = Arc::new(recovery_week::RecoveryWeek::new(store.clone(), clock.clone()));
        let lines = Arc::new(lines::Lines::new(store.clone(), clock.clone(), accounts.clone()));
        let successes = Arc::new(Successes::new(CAPACITY));
        let known = || successes.clone();
        let storage = Arc::new(Storage::default());
        let sign_ups = Arc::new(SignUpRates::new(rates, &clock));
        let shares = Arc::new(shares::Shares::new(&ports, storage.clone(), limits));
        Ok(Self {
            signup: SignUp::new(
                ports.clone(),
                opaque.clone(),
                secrets,
                admissions,
                Newcomers { successes: known(), rates: sign_ups.clone(), storage: storage.clone() },
            ),
            signin: SignIn::new(ports.clone(), opaque.clone(), open.clone(), known()),
            recovery: Recovery::new(ports.clone(), accounts.clone(), open.clone(), server_id, known()),
            sessions: Sessions::new(ports.clone(), accounts.clone(), open.clone(), server_id, known()),
            account: Account::new(
                ports.clone(),
                accounts.clone(),
                opaque.clone(),
                (bars.clone(), week.clone()),
                open,
            ),
            heal_accounts: HealAccounts::new(
                ports.clone(),
                accounts.clone(),
                (bars.clone(), week),
                opaque,
                server_id,
                admissions,
                (sign_ups, storage.clone()),
            ),
            pairing: Pairing::new(clock.clone()),
            heal_vaults: HealVaults::new(
                store.clone(),
                clock.clone(),
                accounts.clone(),
                lines.clone(),
                shares.clone(),
            ),
            vaults: Vaults::new(store.clone(), clock, accounts, bars.clone(), lines, shares),
            bars,
            reading: Reading::new(store, storage.clone()),
            requests: Requests::new(rates, &ports.clock),
            storage,
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

    /// Whether the store can be written now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.ports.store.probe().await
    }
}

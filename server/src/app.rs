//! What every request handler shares.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Data;
use lockstep_domain::limits::{StorageLevel, TooManyAttempts};
use lockstep_domain::services::{Admissions, Ports, Services};
use lockstep_domain::store::StoreError;
use lockstep_domain::{Clock, SecretsError, ServerSecrets};
use lockstep_proto::ids::ServerId;

use crate::budget::Budget;
use crate::error::Failure;
use crate::events::{Event, EventLog, Whose};
use crate::front::Front;
use crate::jwt::Tokens;
use crate::limits::{Limit, LimitLog};
use crate::peer::AddressKey;
use crate::readiness::Readiness;
use crate::under_way::Strangers;

/// The services and the key of session tokens.
pub struct App {
    pub(crate) services: Services,
    pub(crate) tokens: Tokens,
    pub(crate) server_id: ServerId,
    pub(crate) front: Front,
    pub(crate) budget: Arc<Budget>,
    pub(crate) strangers: Arc<Strangers>,
    limits: LimitLog,
    events: EventLog,
    readiness: Readiness,
    clock: Arc<dyn Clock>,
}

impl App {
    /// An application on these ports, with these rules before it.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn new(
        ports: Ports,
        secrets: &ServerSecrets,
        admissions: Admissions,
        front: Front,
    ) -> Result<Arc<Self>, SecretsError> {
        let clock = ports.clock.clone();
        let tokens = Tokens::new(secrets.expose_token_key(), secrets.server_id(), clock.clone());
        let services = Services::new(ports, secrets, admissions, front.rates, front.account)?;
        let (server_id, budget) = (secrets.server_id(), Budget::new(front.bodies));
        let strangers = Strangers::new(front.connections.of_address);
        let (limits, events, readiness) = Default::default();
        Ok(Arc::new(Self {
            services,
            tokens,
            server_id,
            front,
            budget,
            strangers,
            limits,
            events,
            readiness,
            clock,
        }))
    }

    /// The application that serves a request.
    pub(crate) fn of(request: &HttpRequest) -> Result<Data<Self>, Failure> {
        request.app_data::<Data<Self>>().cloned().ok_or_else(Failure::internal)
    }

    /// Counts that an address has reached a limit, and logs it at most once a minute.
    pub(crate) fn note_limit(&self, limit: Limit, address: AddressKey) {
        if limit == Limit::Storage {
            self.readiness.doubt();
        }
        self.limits.note(limit, address, None, self.clock.now_ms());
    }

    /// The same of a limit that a service has.
    pub(crate) fn note_too_many(&self, refused: TooManyAttempts, address: AddressKey) {
        self.limits.note(refused.limit.into(), address, refused.account_id, self.clock.now_ms());
    }

    /// Whether requests can be answered; see [`Readiness`].
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        self.readiness.ask(&*self.clock, self.services.check(), self.services.probe()).await
    }

    /// Logs what happened to an account; see [`Event`].
    pub(crate) fn note(&self, event: Event, whose: Whose) {
        self.events.note(event, whose, self.clock.now_ms());
    }

    /// How often each limit was reached since the start, by name.
    pub fn limit_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.limits.counts().map(|(limit, count)| (limit.as_str(), count))
    }

    /// Sets what the storage still takes, and gives what it took before.
    pub fn set_storage_level(&self, level: StorageLevel) -> StorageLevel {
        self.services.storage.set(level)
    }

    /// Makes an invitation that is valid for seven days and one account, and gives its code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn make_invite(&self) -> Result<String, StoreError> {
        self.services.signup.make_invite().await
    }
}

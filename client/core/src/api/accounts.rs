//! Calls about the account of the session.

use lockstep_proto::api::account::{
    AccountRoom, AppendLinks, Appended, BarDevices, Barred, LogPage, LogQuery, RegistrationStart, Slots,
    SlotsQuery,
};
use lockstep_proto::api::signup::RegistrationAnswer;

use super::client::{Api, Call, TokenSource};
use super::error::ApiError;

impl Api {
    /// A page of the account log.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn account_log(&self, tokens: &dyn TokenSource, query: &LogQuery) -> Result<LogPage, ApiError> {
        let after = query.after.map(|seq| seq.to_string());
        self.call(tokens, Call::query("/v1/account/log", &[("after", after)])).await
    }

    /// Appends links to the account log, all or none. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn append_links(
        &self,
        tokens: &dyn TokenSource,
        body: &AppendLinks,
    ) -> Result<Appended, ApiError> {
        self.call(tokens, Call::post("/v1/account/links", body)?).await
    }

    /// The slots that the account's current state names, or those that are kept of a former generation.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn account_slots(
        &self,
        tokens: &dyn TokenSource,
        query: &SlotsQuery,
    ) -> Result<Slots, ApiError> {
        let generation = query.generation.map(|generation| generation.to_string());
        self.call(tokens, Call::query("/v1/account/slots", &[("generation", generation)])).await
    }

    /// What the account holds and may hold on the server.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn account_room(&self, tokens: &dyn TokenSource) -> Result<AccountRoom, ApiError> {
        self.call(tokens, Call::get("/v1/account/room")).await
    }

    /// Starts an OPAQUE registration for a new password of the account. Changes nothing on the server.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn start_registration(
        &self,
        tokens: &dyn TokenSource,
        body: &RegistrationStart,
    ) -> Result<RegistrationAnswer, ApiError> {
        self.call(tokens, Call::post("/v1/account/registration", body)?).await
    }

    /// Bars devices from every vault of the account, before a link revokes them.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn bar_devices(&self, tokens: &dyn TokenSource, body: &BarDevices) -> Result<Barred, ApiError> {
        self.call(tokens, Call::post("/v1/account/bar", body)?).await
    }
}

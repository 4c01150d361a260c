//! One call: encode, send, decode, and renew an expired token once.

use std::sync::Arc;

use lockstep_proto::api::{ErrorCode, REQUEST_LIMIT};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer;
use super::error::{ApiError, Garbage};
use crate::ports::{MaybeSend, Method, Request, Transport};

/// Where the bearer token of a call comes from.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait TokenSource: MaybeSend {
    /// A token; asks the server for one if there is none.
    ///
    /// # Errors
    /// [`ApiError`].
    async fn token(&self) -> Result<String, ApiError>;

    /// The server does not take `token` any more. The next [`TokenSource::token`] is another one, or the same where
    /// there is only one.
    fn forget(&self, token: &str);
}

/// The typed interface of one server.
#[derive(Clone)]
pub struct Api {
    transport: Arc<dyn Transport>,
}

impl Api {
    /// The interface of the server that `transport` leads to.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// A call that needs no session.
    pub(super) async fn open_call<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        self.send(call, None).await
    }

    /// A call within a session. A token that the server calls ended is renewed once.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        tokens: &dyn TokenSource,
        call: Call,
    ) -> Result<T, ApiError> {
        let token = tokens.token().await?;
        let first = self.send(call.clone(), Some(token.clone())).await;
        if first.as_ref().err().and_then(ApiError::code) != Some(ErrorCode::Unauthenticated) {
            return first;
        }
        tokens.forget(&token);
        let renewed = tokens.token().await?;
        if renewed == token { first } else { self.send(call, Some(renewed)).await }
    }

    async fn send<T: DeserializeOwned>(&self, call: Call, token: Option<String>) -> Result<T, ApiError> {
        let Call { method, path, body } = call;
        let response = self.transport.send(Request { method, path, token, body }).await?;
        answer::read(&response)
    }
}

/// What is asked.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Vec<u8>,
}

impl Call {
    /// Reads `path`.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), body: Vec::new() }
    }

    /// Removes what is at `path`.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::Delete, ..Self::get(path) }
    }

    /// Reads `path` with those of the query's fields that are there.
    pub(super) fn query(path: &str, fields: &[(&str, Option<String>)]) -> Self {
        let fields: Vec<String> = fields
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
            .collect();
        let separator = if fields.is_empty() { "" } else { "?" };
        Self::get(format!("{path}{separator}{}", fields.join("&")))
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// [`ApiError::RequestTooLarge`].
    pub(super) fn post<T: Serialize>(path: impl Into<String>, body: &T) -> Result<Self, ApiError> {
        let mut bytes = Vec::new();
        let encoded = ciborium::into_writer(body, &mut bytes);
        encoded.map_err(|_| ApiError::Garbage { status: 0, what: Garbage::Body, retry_after: None })?;
        if bytes.len() > REQUEST_LIMIT {
            return Err(ApiError::RequestTooLarge { length: bytes.len() });
        }
        Ok(Self { method: Method::Post, path: path.into(), body: bytes })
    }
}

//! Failures as problem documents: the only place where errors meet codes and status.

mod document;
mod services;

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use lockstep_domain::limits::TooManyAttempts;
use lockstep_domain::store::StoreError;
use lockstep_proto::api::{ErrorCode, Problem};

/// A request that failed, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    problem: Box<Problem>,
    /// The limit that was reached, for the log.
    too_many: Option<TooManyAttempts>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::of(Problem::new(code, detail))
    }

    pub(crate) fn of(problem: Problem) -> Self {
        Self { problem: Box::new(problem), too_many: None }
    }

    pub(crate) fn unreadable(why: impl fmt::Display) -> Self {
        Self::new(ErrorCode::BadRequest, format!("The request cannot be read: {why}. Nothing was stored."))
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            ErrorCode::Unauthenticated,
            "The session is missing or has ended. Open a new one and try again.",
        )
    }

    pub(crate) fn barred() -> Self {
        Self::new(
            ErrorCode::DeviceBarred,
            "This device is being removed from the account. Nothing was stored; what it holds stays readable on it.",
        )
    }

    pub(crate) fn storage_used_up() -> Self {
        Self::new(
            ErrorCode::InsufficientStorage,
            "The server's storage is used up. Nothing was stored; what is there can be read, purged and removed. Tell its operator.",
        )
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.problem.code
    }

    pub(crate) fn too_many(&self) -> Option<TooManyAttempts> {
        self.too_many
    }

    /// The response for whoever has no reader of CBOR at hand.
    pub(crate) fn line(&self) -> HttpResponse {
        document::line(&self.problem)
    }

    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::Internal, "The server failed. Try again; if it stays, tell its operator.")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.code, self.problem.detail)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        document::document(&self.problem)
    }
}

impl From<StoreError> for Failure {
    /// Handled here, so logged here.
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::Closed => Self::new(
                ErrorCode::Unavailable,
                "The server is shutting down. Nothing was stored; try again later.",
            ),
            StoreError::Full(_) => Self::new(
                ErrorCode::InsufficientStorage,
                "The server's disk is full. Nothing was stored, what is there can be read; its operator has to make room.",
            ),
            _ => Self::internal(),
        }
    }
}

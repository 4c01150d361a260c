//! Failures as problem documents: the only place where errors meet codes and status.

mod services;

use std::fmt;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};
use lockstep_domain::limits::TooManyAttempts;
use lockstep_domain::store::StoreError;
use lockstep_proto::api::{ErrorCode, Problem};

use crate::app::App;
use crate::format;
use crate::limits::Limit;
use crate::routes;

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
        format::problem(&self.problem)
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

/// Writes every failure as a problem document, also those that the framework made, and notes limits. The operator's
/// routes answer a line of text.
pub(crate) async fn write_problems<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, actix_web::Error> {
    let response = next.call(request).await?;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response.map_into_right_body());
    }
    let failure = response.response().error().and_then(|error| error.as_error::<Failure>()).cloned();
    let failure = failure.unwrap_or_else(|| of_status(status));
    let (request, _) = response.into_parts();
    if let Some(app) = request.app_data::<Data<App>>() {
        let address = || app.front.proxies.client_of(&request).into();
        if let Some(refused) = failure.too_many {
            app.note_too_many(refused, address());
        }
        if let Some(limit) = Limit::of_storage(failure.problem.code) {
            app.note_limit(limit, address());
        }
    }
    let response = match routes::is_health(request.path()) {
        true => format::line(&failure.problem),
        false => format::problem(&failure.problem),
    };
    Ok(ServiceResponse::new(request, response).map_into_left_body())
}

fn of_status(status: StatusCode) -> Failure {
    match status {
        StatusCode::NOT_FOUND => {
            Failure::new(ErrorCode::NotFound, "There is nothing at this address. Check the server's URL.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Failure::new(ErrorCode::MethodNotAllowed, "This address does not take this method.")
        }
        status if status.is_client_error() => Failure::unreadable("it is not a valid request"),
        _ => Failure::internal(),
    }
}

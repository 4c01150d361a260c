//! Bodies and queries.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Query};
use actix_web::{FromRequest, HttpRequest};
use lockstep_proto::api::ErrorCode;
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::format::Format;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(120);

/// A body in CBOR or JSON, bounded in size and depth.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let format = Format::of_body(request.headers());
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let format = format?;
            let late = |_| Failure::unreadable("it took too long to arrive");
            let bytes = timeout(ARRIVAL, bytes).await.map_err(late)?.map_err(|error| unread(&error))?;
            format.decode(&bytes).map(Self)
        })
    }
}

fn unread(error: &actix_web::Error) -> Failure {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Failure::new(
            ErrorCode::TooLarge,
            "The body is above what this address takes. Send fewer items at once.",
        ),
        _ => Failure::unreadable("it did not arrive completely"),
    }
}

/// A query string.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Parameters<T> {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = Query::<T>::from_query(request.query_string());
        std::future::ready(match parsed {
            Ok(query) => Ok(Self(query.into_inner())),
            Err(error) => Err(Failure::unreadable(format!("its query is wrong: {error}"))),
        })
    }
}

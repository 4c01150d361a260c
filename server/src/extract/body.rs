//! Bodies and queries.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Query};
use actix_web::{FromRequest, HttpRequest};
use lockstep_proto::api::{ErrorCode, REQUEST_LIMIT};
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::format::Format;

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
            let bytes = bytes.await.map_err(|error| unread(&error))?;
            format.decode(&bytes).map(Self)
        })
    }
}

fn unread(error: &actix_web::Error) -> Failure {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Failure::new(
            ErrorCode::TooLarge,
            format!("The body is above {REQUEST_LIMIT} bytes. Send fewer items at once."),
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

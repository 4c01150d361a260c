//! Bodies: CBOR, in both directions.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError as _};
use lockstep_proto::api::{BODY_DEPTH, CBOR, ErrorCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Failure;

/// Whether a request's body is in our format. A compressed one is refused before a byte of it is read: its size says
/// nothing about the memory it would take.
///
/// # Errors
/// `unsupported-media-type`.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Failure::new(ErrorCode::UnsupportedMediaType, "Send the body uncompressed."));
    }
    let mut types = headers.get_all(CONTENT_TYPE);
    let only = types.next().filter(|_| types.next().is_none()).and_then(|value| value.to_str().ok());
    // A page in a browser may send some types to any address without asking first: a value that only contains ours may
    // be one of those.
    match only.is_some_and(|only| only.trim().eq_ignore_ascii_case(CBOR)) {
        true => Ok(()),
        false => Err(Failure::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body as application/cbor, and as nothing else.",
        )),
    }
}

/// Reads a body: all of it, at most [`BODY_DEPTH`] deep.
///
/// # Errors
/// `bad-request`.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, BODY_DEPTH)
        .map_err(|error| Failure::unreadable(describe(&error)))?;
    if rest.is_empty() { Ok(value) } else { Err(Failure::unreadable("bytes follow the value")) }
}

fn encode<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).ok().map(|()| bytes)
}

fn describe<E>(error: &ciborium::de::Error<E>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "it ends too early".to_owned(),
        ciborium::de::Error::Syntax(at) => format!("it is not CBOR at byte {at}"),
        ciborium::de::Error::Semantic(_, what) => what.clone(),
        ciborium::de::Error::RecursionLimitExceeded => "it nests too deeply".to_owned(),
    }
}

/// A success with its status and body.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    status: StatusCode,
    body: T,
}

impl<T> Reply<T> {
    pub(crate) fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, body }
    }

    pub(crate) fn created(body: T) -> Self {
        Self { status: StatusCode::CREATED, body }
    }
}

impl<T: Serialize> Responder for Reply<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        match encode(&self.body) {
            Some(bytes) => {
                let mut response = HttpResponse::build(self.status);
                response.insert_header(("cache-control", "no-store")).content_type(CBOR).body(bytes)
            }
            None => Failure::new(ErrorCode::Internal, "The answer could not be written.").error_response(),
        }
    }
}

//! CBOR or JSON: which one a request has and wants, and both directions of it.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, Responder};
use lockstep_proto::api::{BODY_DEPTH, CBOR, ErrorCode, JSON, PROBLEM_CBOR, PROBLEM_JSON, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::json_depth;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Cbor,
    Json,
}

impl Format {
    /// The format of a request's body. A compressed one is refused before a byte of it is read: its size says nothing
    /// about the memory it would take.
    pub(crate) fn of_body(headers: &HeaderMap) -> Result<Self, Failure> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::new(ErrorCode::UnsupportedMediaType, "Send the body uncompressed."));
        }
        let mut types = headers.get_all(CONTENT_TYPE);
        let only = types.next().filter(|_| types.next().is_none()).and_then(|value| value.to_str().ok());
        // A page in a browser may send some types to any address without asking first: a value that only contains ours may
        // be one of those.
        let is = |name: &str| only.is_some_and(|only| only.trim().eq_ignore_ascii_case(name));
        match (is(CBOR), is(JSON)) {
            (true, _) => Ok(Self::Cbor),
            (_, true) => Ok(Self::Json),
            _ => Err(Failure::new(
                ErrorCode::UnsupportedMediaType,
                "Send the body as application/cbor or application/json, and as nothing else.",
            )),
        }
    }

    /// The format of the answer: what `Accept` names, else the request's own, else JSON.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Self {
        named(headers, ACCEPT).or_else(|| named(headers, CONTENT_TYPE)).unwrap_or(Self::Json)
    }

    /// Reads a body: all of it, at most [`BODY_DEPTH`] deep.
    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Failure> {
        match self {
            Self::Json if !json_depth::is_at_most(bytes, BODY_DEPTH) => {
                Err(Failure::unreadable("it nests too deeply"))
            }
            Self::Json => serde_json::from_slice(bytes).map_err(|error| Failure::unreadable(&error)),
            Self::Cbor => {
                let mut rest = bytes;
                let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, BODY_DEPTH)
                    .map_err(|error| Failure::unreadable(describe(&error)))?;
                if rest.is_empty() { Ok(value) } else { Err(Failure::unreadable("bytes follow the value")) }
            }
        }
    }

    fn encode<T: Serialize>(self, value: &T) -> Option<Vec<u8>> {
        match self {
            Self::Json => serde_json::to_vec(value).ok(),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).ok().map(|()| bytes)
            }
        }
    }

    /// A whole response with a problem document.
    pub(crate) fn problem(self, problem: &Problem) -> HttpResponse {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = problem.retry_after_seconds {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        let content_type = match self {
            Self::Json => PROBLEM_JSON,
            Self::Cbor => PROBLEM_CBOR,
        };
        response.content_type(content_type).body(self.encode(problem).unwrap_or_default())
    }
}

fn named(headers: &HeaderMap, header: actix_web::http::header::HeaderName) -> Option<Format> {
    let value = headers.get(header)?.to_str().ok()?;
    value.split([',', ';']).map(str::trim).find_map(|part| match part {
        CBOR => Some(Format::Cbor),
        JSON => Some(Format::Json),
        _ => None,
    })
}

fn describe<E>(error: &ciborium::de::Error<E>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "it ends too early".to_owned(),
        ciborium::de::Error::Syntax(at) => format!("it is not CBOR at byte {at}"),
        ciborium::de::Error::Semantic(_, what) => what.clone(),
        ciborium::de::Error::RecursionLimitExceeded => "it nests too deeply".to_owned(),
    }
}

/// A success with its status and body, in the format the caller wants.
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

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let format = Format::of_answer(request.headers());
        let content_type = match format {
            Format::Cbor => CBOR,
            Format::Json => JSON,
        };
        match format.encode(&self.body) {
            Some(bytes) => {
                let mut response = HttpResponse::build(self.status);
                response.insert_header(("cache-control", "no-store")).content_type(content_type).body(bytes)
            }
            None => format.problem(&Problem::new(ErrorCode::Internal, "The answer could not be written.")),
        }
    }
}

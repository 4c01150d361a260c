//! From a response's bytes to an answer or an [`ApiError`].

use lockstep_proto::api::{BODY_DEPTH, CBOR, PROBLEM_CBOR, Problem};
use serde::de::DeserializeOwned;

use super::error::{ApiError, Garbage};
use crate::ports::Response;

/// Reads the answer of a call.
pub(super) fn read<T: DeserializeOwned>(response: &Response) -> Result<T, ApiError> {
    let garbage =
        |what| ApiError::Garbage { status: response.status, what, retry_after: response.retry_after };
    match response.status {
        200..=299 => read_cbor(response).map_err(garbage),
        400..=599 => Err(read_problem(response).map_or_else(garbage, ApiError::from)),
        _ => Err(garbage(Garbage::Status)),
    }
}

fn read_cbor<T: DeserializeOwned>(response: &Response) -> Result<T, Garbage> {
    if response.body.is_empty() {
        return Err(Garbage::Empty);
    }
    if response.content_type != CBOR {
        return Err(Garbage::ContentType);
    }
    decode(&response.body).ok_or(Garbage::Body)
}

/// Decodes CBOR that fills the input exactly.
fn decode<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut rest = body;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, BODY_DEPTH).ok()?;
    rest.is_empty().then_some(value)
}

fn read_problem(response: &Response) -> Result<Problem, Garbage> {
    let problem: Option<Problem> = match response.content_type.as_str() {
        PROBLEM_CBOR => decode(&response.body),
        _ if response.body.is_empty() => return Err(Garbage::Empty),
        _ => return Err(Garbage::ContentType),
    };
    let mut problem = problem.ok_or(Garbage::Body)?;
    problem.retry_after_seconds = problem
        .retry_after_seconds
        .or_else(|| response.retry_after.and_then(|seconds| seconds.try_into().ok()));
    Ok(problem)
}

//! From a response's bytes to an answer or an [`ApiError`].

use lockstep_proto::api::{BODY_DEPTH, CBOR, PROBLEM_CBOR, PROBLEM_JSON, Problem};
use serde::de::DeserializeOwned;

use super::error::{ApiError, Garbage};
use crate::ports::Response;

/// What a person reads of a problem's text at most, in characters: the server writes it.
const DETAIL_LIMIT: usize = 500;

/// Reads the answer of a call.
pub(super) fn read<T: DeserializeOwned>(response: &Response) -> Result<T, ApiError> {
    let garbage =
        |what| ApiError::Garbage { status: response.status, what, retry_after: response.retry_after };
    match response.status {
        200..=299 => read_cbor(response).map_err(garbage),
        400..=599 => {
            Err(read_problem(response).map_or_else(garbage, |problem| ApiError::Refused(Box::new(problem))))
        }
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
        PROBLEM_JSON => serde_json::from_slice(&response.body).ok(),
        _ if response.body.is_empty() => return Err(Garbage::Empty),
        _ => return Err(Garbage::ContentType),
    };
    let mut problem = problem.ok_or(Garbage::Body)?;
    problem.detail = readable([&problem.detail, &problem.title, problem.code.title()]);
    problem.retry_after_seconds = problem
        .retry_after_seconds
        .or_else(|| response.retry_after.and_then(|seconds| seconds.try_into().ok()));
    Ok(problem)
}

/// The first text that says something, cut and without control characters: it may be shown in a terminal.
fn readable(texts: [&str; 3]) -> String {
    let shown = |text: &str| -> String {
        text.chars().filter(|character| !character.is_control()).take(DETAIL_LIMIT).collect()
    };
    texts.into_iter().map(shown).find(|text| !text.trim().is_empty()).unwrap_or_default()
}

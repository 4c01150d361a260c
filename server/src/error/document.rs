//! How a problem is written down.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use lockstep_proto::api::{PROBLEM_CBOR, Problem};

/// A whole response with a problem document.
pub(super) fn document(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut bytes = Vec::new();
    if ciborium::into_writer(problem, &mut bytes).is_err() {
        bytes.clear();
    }
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = problem.retry_after_seconds {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    response.content_type(PROBLEM_CBOR).body(bytes)
}

/// The same in one line of text.
pub(super) fn line(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let line = format!("{}: {}\n", problem.code, problem.detail);
    HttpResponse::build(status).content_type("text/plain").body(line)
}

//! Bodies and queries.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::StreamExt as _;
use lockstep_proto::api::{ErrorCode, Problem, REQUEST_LIMIT};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::budget::{Holder, Reservation, SMALL};
use crate::connections::Link;
use crate::error::Failure;
use crate::format;
use crate::limits::Limit;

/// When to come again after the bodies of others have taken all memory, in seconds.
const AGAIN_SECONDS: u32 = 5;

/// How large a body a route takes, in bytes; [`REQUEST_LIMIT`] where a route has none of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// A body of a request without a session, bounded in size, depth and time, and counted as it comes.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = App::of(&request)?;
            let holder = Holder::Address(app.front.proxies.client_of(&request).into());
            read(&app, &request, &mut payload, holder).await.map(Self)
        })
    }
}

/// Reads a body for which `holder` answers. What it takes of the budget is given back when the request has been
/// answered.
pub(super) async fn read<T: DeserializeOwned>(
    app: &Data<App>,
    request: &HttpRequest,
    payload: &mut Payload,
    holder: Holder,
) -> Result<T, Failure> {
    format::check_type(request.headers())?;
    let mut reservation = app.budget.open(holder);
    match collect(app, request, payload, holder, &mut reservation).await {
        Ok(bytes) => {
            let value = format::decode(&bytes)?;
            request.extensions_mut().insert(reservation);
            Ok(value)
        }
        Err(Fault::Limit(limit)) => {
            app.note_limit(limit, app.front.proxies.client_of(request).into());
            Err(refused(limit))
        }
        Err(Fault::TooLarge) => Err(Failure::new(
            ErrorCode::TooLarge,
            "The body is above what this address takes. Send fewer items at once.",
        )),
        Err(Fault::Broken) => Err(Failure::unreadable("it did not arrive completely")),
    }
}

/// Why there is no body.
enum Fault {
    /// A limit of the server.
    Limit(Limit),
    /// More than the route takes.
    TooLarge,
    /// The client went away.
    Broken,
}

/// The bytes of a body, one chunk after the other. Nothing is made room for that has not come.
async fn collect(
    app: &App,
    request: &HttpRequest,
    payload: &mut Payload,
    holder: Holder,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, Fault> {
    let limit = request.app_data::<BodyLimit>().map_or(REQUEST_LIMIT, |limit| limit.0);
    if announced(request).is_some_and(|length| length > limit as u64) {
        return Err(Fault::TooLarge);
    }
    // One that says that it is large needs no reading to be told that there is no room for it.
    if announced(request).is_some_and(|length| length > SMALL as u64) {
        reservation.admit_large().map_err(Fault::Limit)?;
    }
    let pace = app.front.pace.of(holder);
    let link = request.conn_data::<Arc<Link>>();
    let (begun, mut first, mut bytes) = (Instant::now(), None, Vec::new());
    loop {
        let pace = if reservation.is_large() { pace.large() } else { pace };
        let deadline = pace.deadline(begun, first, bytes.len());
        let next = timeout_at(deadline, payload.next()).await.map_err(|_| Fault::Limit(Limit::SlowBody))?;
        let chunk: Bytes = match next {
            None => {
                link.inspect(|link| link.body_done());
                return Ok(bytes);
            }
            Some(Ok(chunk)) => chunk,
            Some(Err(PayloadError::Overflow)) => return Err(Fault::TooLarge),
            Some(Err(_)) => return Err(Fault::Broken),
        };
        link.inspect(|link| link.progress());
        first = first.or_else(|| Some(Instant::now()));
        append(&mut bytes, &chunk, limit, reservation)?;
    }
}

/// What the vector takes counts, not what is in it: it doubles, but never goes beyond the limit.
fn append(
    bytes: &mut Vec<u8>,
    chunk: &[u8],
    limit: usize,
    reservation: &mut Reservation,
) -> Result<(), Fault> {
    let length = bytes.len() + chunk.len();
    if length > limit {
        return Err(Fault::TooLarge);
    }
    if length > bytes.capacity() {
        let capacity = length.max(bytes.capacity() * 2).min(limit);
        reservation.grow_to(capacity).map_err(Fault::Limit)?;
        bytes.reserve_exact(capacity - bytes.len());
    }
    bytes.extend_from_slice(chunk);
    Ok(())
}

/// The length that the head names.
fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refused(limit: Limit) -> Failure {
    let (code, detail) = match limit {
        Limit::SlowBody => return Failure::unreadable("it took too long to arrive"),
        Limit::BodyShare => (
            ErrorCode::TooManyAttempts,
            "Too much is being sent at once from here. Nothing was stored; try again when the other requests are done.",
        ),
        _ => (
            ErrorCode::Unavailable,
            "The server is busy with what others send. Nothing was stored; try again in a few seconds.",
        ),
    };
    Failure::of(Problem::new(code, detail).with_retry_after(AGAIN_SECONDS))
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

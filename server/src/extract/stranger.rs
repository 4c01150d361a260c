//! Callers without a session.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use lockstep_proto::api::{ErrorCode, Problem};

use crate::app::App;
use crate::error::Failure;
use crate::limits::Limit;
use crate::peer::AddressKey;
use crate::under_way::Presence;

/// The address of a caller without a session. Its requests are counted, this one before anything of its body is read.
pub(crate) struct Stranger(pub(crate) AddressKey);

/// The address of a caller whose session is checked elsewhere.
pub(crate) struct Address(pub(crate) AddressKey);

impl FromRequest for Stranger {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(counted(request).map(Self))
    }
}

impl FromRequest for Address {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(App::of(request).map(|app| Self(address(&app, request))))
    }
}

/// When to come again while requests from the same address are under way, in seconds.
const AGAIN_SECONDS: u32 = 5;

/// Counts a request without a session, or with one that is not good, as asked and as under way until it is answered, and gives
/// its address.
pub(super) fn counted(request: &HttpRequest) -> Result<AddressKey, Failure> {
    let app = App::of(request)?;
    let address = address(&app, request);
    app.services.requests.of_address(address)?;
    // A session is judged twice where there is a body.
    if request.extensions().get::<Presence>().is_none() {
        let Some(presence) = app.strangers.enter(address) else {
            app.note_limit(Limit::RequestsUnderWay, address);
            return Err(crowded());
        };
        request.extensions_mut().insert(presence);
    }
    Ok(address)
}

fn crowded() -> Failure {
    let detail = "Too many requests are under way from here. Nothing was stored; try again when some of them are done.";
    Failure::of(Problem::new(ErrorCode::TooManyAttempts, detail).with_retry_after(AGAIN_SECONDS))
}

fn address(app: &App, request: &HttpRequest) -> AddressKey {
    app.front.proxies.client_of(request).into()
}

//! Callers without a session.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::app::App;
use crate::error::Failure;
use crate::peer::AddressKey;

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

/// Counts a request without a session, or with one that is not good, and gives its address.
pub(super) fn counted(request: &HttpRequest) -> Result<AddressKey, Failure> {
    let app = App::of(request)?;
    let address = address(&app, request);
    app.services.requests.of_address(address)?;
    Ok(address)
}

fn address(app: &App, request: &HttpRequest) -> AddressKey {
    app.front.proxies.client_of(request).into()
}

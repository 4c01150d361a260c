//! Callers with a checked session (R-GATE). The device is looked up at every request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use lockstep_domain::Caller;
use lockstep_domain::services::SessionError;
use lockstep_proto::api::ErrorCode;

use super::stranger::counted;
use crate::app::App;
use crate::connections::Link;
use crate::error::Failure;
use crate::events::{Event, Whose};
use crate::jwt::TokenError;

/// A session of any kind: what each may do is the services' business.
pub(crate) struct AnySession(pub(crate) Caller);

/// A device's session.
pub(crate) struct DeviceSession(pub(crate) Caller);

/// A session, if one is given.
pub(crate) struct OptionalSession(pub(crate) Option<Caller>);

/// What may be a session.
pub(super) trait Claim {
    /// The caller, if there is one.
    fn caller(&self) -> Option<Caller>;
}

impl Claim for AnySession {
    fn caller(&self) -> Option<Caller> {
        Some(self.0)
    }
}

impl Claim for DeviceSession {
    fn caller(&self) -> Option<Caller> {
        Some(self.0)
    }
}

impl Claim for OptionalSession {
    fn caller(&self) -> Option<Caller> {
        self.0
    }
}

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Failure>>>>;

impl FromRequest for AnySession {
    type Error = Failure;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = caller(request.clone());
        Box::pin(async move { caller.await.map(Self) })
    }
}

impl FromRequest for DeviceSession {
    type Error = Failure;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = caller(request.clone());
        Box::pin(async move {
            let caller = caller.await?;
            match caller.device_id() {
                Some(_) => Ok(Self(caller)),
                None => Err(Failure::new(
                    ErrorCode::Forbidden,
                    "This needs a session of a device. Finish adding this device first, then sign in with it.",
                )),
            }
        })
    }
}

impl FromRequest for OptionalSession {
    type Error = Failure;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let given = request.headers().contains_key(AUTHORIZATION);
        let caller = caller(request.clone());
        let request = request.clone();
        Box::pin(async move {
            if given { caller.await.map(Some).map(Self) } else { counted(&request).map(|_| Self(None)) }
        })
    }
}

/// That the account has been charged for a request: a session is judged twice where there is a body.
struct Counted;

/// Whose session this is. Its request counts among the account's, one without a good session among its address's. From then
/// on the connection is one of somebody's whom the server knows.
async fn caller(request: HttpRequest) -> Result<Caller, Failure> {
    let caller = match known(&request).await {
        Ok(caller) => caller,
        Err(refused) => {
            counted(&request)?;
            return Err(refused);
        }
    };
    request.conn_data::<Arc<Link>>().inspect(|link| link.prove());
    if request.extensions().get::<Counted>().is_none() {
        App::of(&request)?.services.requests.of_account(caller.account_id())?;
        request.extensions_mut().insert(Counted);
    }
    Ok(caller)
}

/// A device's token is a JWT and has dots, others have none.
async fn known(request: &HttpRequest) -> Result<Caller, Failure> {
    let app = App::of(request)?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        header.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Failure::unauthenticated)?;
    let whose = Whose::at(app.front.proxies.client_of(request).into());
    if !token.contains('.') {
        let opened = app.services.sessions.opened(token).await;
        return Ok(opened.inspect_err(|_| app.note(Event::TokenRefused, whose))?);
    }
    let (account_id, device_id) = app.tokens.read(token).map_err(|error| {
        // That a token ends is nothing to tell: its device asks for the next one.
        if error == TokenError::Foreign {
            app.note(Event::TokenRefused, whose);
        }
        Failure::unauthenticated()
    })?;
    let caller = app.services.sessions.device(account_id, device_id).await;
    Ok(caller.inspect_err(|error| {
        if matches!(error, SessionError::Revoked) {
            app.note(Event::DeviceRefused, whose.account(account_id).device(device_id));
        }
    })?)
}

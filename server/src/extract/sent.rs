//! Bodies of callers with a session.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use super::body::read;
use super::session::Claim;
use crate::app::App;
use crate::budget::Holder;
use crate::error::Failure;

/// A session and the body that it sent.
///
/// The session is judged before anything of the body is read, and again once all of it is here: a body may take minutes to
/// arrive, in which its device is removed. Its account answers for the memory that the body takes.
pub(crate) struct Sent<S, T>(pub(crate) S, pub(crate) T);

impl<S, T> FromRequest for Sent<S, T>
where
    S: FromRequest<Error = Failure> + Claim + 'static,
    T: DeserializeOwned + 'static,
{
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = App::of(&request)?;
            let caller = S::extract(&request).await?.caller();
            let holder = match caller {
                Some(caller) => Holder::Account(caller.account_id()),
                None => Holder::Address(app.front.proxies.client_of(&request).into()),
            };
            let body = read(&app, &request, &mut payload, holder).await?;
            Ok(Self(S::extract(&request).await?, body))
        })
    }
}

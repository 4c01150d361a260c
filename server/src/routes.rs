//! Every route, in one place.

use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, Data, ServiceConfig, delete, get, post, resource};
use lockstep_proto::api::pairing::PAIRING_MESSAGE_LIMIT;
use lockstep_proto::api::{ErrorCode, HEAL_ACCOUNT_LIMIT};

use crate::app::App;
use crate::budget::SMALL;
use crate::error::Failure;
use crate::extract::BodyLimit;
use crate::handlers::{account, heal, info, pairing, recovery, session, signin, signup, vaults};

/// Adds all routes of version 1 for this application.
pub(crate) fn configure(app: Arc<App>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Data::from(app))
            .service(resource("/healthz").route(get().to(info::alive)))
            .service(resource("/readyz").route(get().to(info::ready)))
            .service(web::scope("/v1").configure(version_1))
            .default_service(web::to(no_such_path));
    }
}

/// Writes the routes of version 1 and, from the same lines, [`ROUTES`].
macro_rules! version_1 {
    ($($size:ident $path:literal: $($method:ident $handler:path),+;)+) => {
        /// Every route of version 1: method and path.
        pub const ROUTES: &[(&str, &str)] = &[$($((stringify!($method), concat!("/v1", $path))),+),+];

        fn version_1(config: &mut ServiceConfig) {
            $(config.service($size($path)$(.route($method().to($handler)))+);)+
        }
    };
}

version_1! {
    small "/info": get info::info;
    small "/signup/start": post signup::start;
    small "/signup/finish": post signup::finish;
    small "/signin/start": post signin::start;
    small "/signin/finish": post signin::finish;
    small "/session/challenge": post session::challenge;
    small "/session": post session::open;
    small "/recovery/challenge": post recovery::challenge;
    small "/recovery": post recovery::open;
    message "/pairing": post pairing::open;
    message "/pairing/send": post pairing::send;
    small "/pairing/receive": post pairing::receive;
    healing "/heal/account": post heal::account;
    large "/account/log": get account::log;
    large "/account/links": post account::append;
    large "/account/slots": get account::slots;
    large "/account/room": get account::room;
    small "/account/registration": post account::registration;
    small "/account/bar": post account::bar;
    large "/vaults": post vaults::create;
    large "/vaults/{vault_id}/commits": get vaults::commits, post vaults::commit;
    large "/vaults/{vault_id}/control": get vaults::control;
    large "/vaults/{vault_id}/sides": get vaults::sides, post heal::sides;
    large "/vaults/{vault_id}/items": get vaults::items;
    large "/vaults/{vault_id}/items/{item_id}/versions": get vaults::versions;
    large "/vaults/{vault_id}/blobs": post vaults::blobs;
    large "/vaults/{vault_id}/heal": get heal::progress, delete heal::drop_stage;
    large "/vaults/{vault_id}/heal/commits": post heal::commits;
    large "/vaults/{vault_id}/heal/blobs": post heal::blobs;
    large "/vaults/{vault_id}/heal/finish": post heal::finish;
}

/// What needs a session may be as large as a request may be.
fn large(path: &str) -> Resource {
    resource(path)
}

/// A log, whole or in parts.
fn healing(path: &str) -> Resource {
    resource(path).app_data(BodyLimit(HEAL_ACCOUNT_LIMIT))
}

/// A pairing message, in base64url at most a third larger.
fn message(path: &str) -> Resource {
    resource(path).app_data(BodyLimit(2 * PAIRING_MESSAGE_LIMIT))
}

/// What anybody may send, session or not, is small: a sign-up's two links and four slots are the largest.
fn small(path: &str) -> Resource {
    resource(path).app_data(BodyLimit(SMALL))
}

/// Whether a path says only how the server is.
pub(crate) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

async fn no_such_path() -> Result<&'static str, Failure> {
    Err(Failure::new(ErrorCode::NotFound, "There is nothing at this address. Check the server's URL."))
}

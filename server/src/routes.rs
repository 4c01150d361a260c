//! Every route, in one place.

use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig, get, post, resource};
use lockstep_proto::api::{ErrorCode, REQUEST_LIMIT};

use crate::app::App;
use crate::error::Failure;
use crate::handlers::{account, info, session, signin, signup, vaults};

/// Upper bound of a body that needs no session, in bytes: a sign-up's two links and four slots are the largest.
const UNAUTHENTICATED_LIMIT: usize = 64 << 10;

/// Adds all routes of version 1 for this application.
pub(crate) fn configure(app: Arc<App>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Data::from(app))
            .app_data(PayloadConfig::new(REQUEST_LIMIT))
            .service(resource("/healthz").route(get().to(info::alive)))
            .service(resource("/readyz").route(get().to(info::ready)))
            .service(web::scope("/v1").configure(version_1))
            .default_service(web::to(no_such_path));
    }
}

fn version_1(config: &mut ServiceConfig) {
    config
        .service(resource("/info").route(get().to(info::info)))
        .service(small("/signup/start").route(post().to(signup::start)))
        .service(small("/signup/finish").route(post().to(signup::finish)))
        .service(small("/signin/start").route(post().to(signin::start)))
        .service(small("/signin/finish").route(post().to(signin::finish)))
        .service(small("/session/challenge").route(post().to(session::challenge)))
        .service(small("/session").route(post().to(session::open)))
        .service(resource("/account/log").route(get().to(account::log)))
        .service(resource("/account/links").route(post().to(account::append)))
        .service(resource("/account/slots").route(get().to(account::slots)))
        .service(resource("/account/registration").route(post().to(account::registration)))
        .service(resource("/vaults").route(post().to(vaults::create)))
        .service(
            resource("/vaults/{vault_id}/commits")
                .route(get().to(vaults::commits))
                .route(post().to(vaults::commit)),
        )
        .service(resource("/vaults/{vault_id}/control").route(get().to(vaults::control)))
        .service(resource("/vaults/{vault_id}/items").route(get().to(vaults::items)))
        .service(resource("/vaults/{vault_id}/items/{item_id}/versions").route(get().to(vaults::versions)))
        .service(resource("/vaults/{vault_id}/blobs").route(post().to(vaults::blobs)));
}

/// What anybody may send, session or not, is small.
fn small(path: &str) -> Resource {
    resource(path).app_data(PayloadConfig::new(UNAUTHENTICATED_LIMIT))
}

async fn no_such_path() -> Result<&'static str, Failure> {
    Err(Failure::new(ErrorCode::NotFound, "There is nothing at this address. Check the server's URL."))
}

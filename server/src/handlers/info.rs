//! What the server is, and whether it is well.

use actix_web::HttpResponse;
use lockstep_proto::api::info::Info;
use lockstep_proto::api::{Limits, PROTOCOL_VERSION};
use lockstep_proto::signin::KsfProfile;

use super::{Answer, Shared};
use crate::error::Failure;
use crate::extract::Stranger;
use crate::format::Reply;

pub(crate) async fn info(app: Shared, Stranger(_): Stranger) -> Answer<Info> {
    let signup = app.services.signup_policy().await?;
    Ok(Reply::ok(Info {
        protocol: PROTOCOL_VERSION,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        server_id: app.server_id,
        signup,
        ksf_profile: KsfProfile::CURRENT,
        limits: Limits {
            vaults: app.front.account.vaults,
            account_bytes: app.front.account.bytes,
            ..Limits::CURRENT
        },
    }))
}

pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

pub(crate) async fn ready(app: Shared) -> Result<HttpResponse, Failure> {
    app.check().await?;
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}

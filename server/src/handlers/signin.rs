//! Sign-in.

use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};

use super::{Answer, Shared};
use crate::extract::Body;
use crate::format::Reply;

pub(crate) async fn start(app: Shared, Body(request): Body<SigninStart>) -> Answer<SigninAnswer> {
    Ok(Reply::ok(app.services.signin.start(&request).await?))
}

pub(crate) async fn finish(app: Shared, Body(request): Body<SigninFinish>) -> Answer<EnrolmentSession> {
    Ok(Reply::ok(app.services.signin.finish(&request)?))
}

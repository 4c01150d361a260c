//! Sign-up.

use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};

use super::{Answer, Shared};
use crate::extract::Body;
use crate::format::Reply;

pub(crate) async fn start(app: Shared, Body(request): Body<SignupStart>) -> Answer<RegistrationAnswer> {
    Ok(Reply::ok(app.services.signup.start(&request).await?))
}

pub(crate) async fn finish(app: Shared, Body(request): Body<SignupFinish>) -> Answer<SignupDone> {
    Ok(Reply::created(app.services.signup.finish(&request).await?))
}

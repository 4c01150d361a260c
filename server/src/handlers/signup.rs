//! Sign-up.

use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};

use super::{Answer, Shared};
use crate::events::{Event, Whose};
use crate::extract::{Body, Stranger};
use crate::format::Reply;

pub(crate) async fn start(
    app: Shared,
    Stranger(_): Stranger,
    Body(request): Body<SignupStart>,
) -> Answer<RegistrationAnswer> {
    Ok(Reply::ok(app.services.signup.start(&request).await?))
}

pub(crate) async fn finish(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<SignupFinish>,
) -> Answer<SignupDone> {
    let done = app.services.signup.finish(&request, address).await?;
    app.note(Event::AccountCreated, Whose::at(address).account(done.account_id));
    Ok(Reply::created(done))
}

//! Sign-in.

use lockstep_domain::services::SigninError;
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};

use super::{Answer, Shared};
use crate::events::{Event, Whose};
use crate::extract::{Body, Stranger};
use crate::format::Reply;

pub(crate) async fn start(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<SigninStart>,
) -> Answer<SigninAnswer> {
    Ok(Reply::ok(app.services.signin.start(&request, address).await?))
}

pub(crate) async fn finish(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<SigninFinish>,
) -> Answer<EnrolmentSession> {
    let finished = app.services.signin.finish(&request);
    Ok(Reply::ok(finished.inspect_err(|error| {
        if let SigninError::Failed { account_id } = error {
            app.note(Event::SigninFailed, Whose::at(address).account(*account_id));
        }
    })?))
}

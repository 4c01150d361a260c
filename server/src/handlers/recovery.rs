//! Recovery.

use lockstep_domain::services::RecoveryError;
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::Challenge;

use super::{Answer, Shared};
use crate::events::{Event, Whose};
use crate::extract::{Body, Stranger};
use crate::format::Reply;

pub(crate) async fn challenge(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<RecoveryStart>,
) -> Answer<Challenge> {
    Ok(Reply::ok(app.services.recovery.challenge(&request, address)?))
}

pub(crate) async fn open(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<RecoveryProof>,
) -> Answer<RecoverySession> {
    let proved = app.services.recovery.prove(&request).await;
    Ok(Reply::ok(proved.inspect_err(|error| {
        if matches!(error, RecoveryError::Failed) {
            app.note(Event::RecoveryFailed, Whose::at(address).account(request.account_id));
        }
    })?))
}

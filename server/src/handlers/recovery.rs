//! Recovery.

use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::Challenge;

use super::{Answer, Shared};
use crate::extract::Body;
use crate::format::Reply;

pub(crate) async fn challenge(app: Shared, Body(request): Body<RecoveryStart>) -> Answer<Challenge> {
    Ok(Reply::ok(app.services.recovery.challenge(&request)?))
}

pub(crate) async fn open(app: Shared, Body(request): Body<RecoveryProof>) -> Answer<RecoverySession> {
    Ok(Reply::ok(app.services.recovery.prove(&request).await?))
}

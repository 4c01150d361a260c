//! Device sessions.

use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session, SessionRequest};

use super::{Answer, Shared};
use crate::error::Failure;
use crate::extract::Body;
use crate::format::Reply;

pub(crate) async fn challenge(app: Shared, Body(request): Body<ChallengeRequest>) -> Answer<Challenge> {
    Ok(Reply::ok(app.services.sessions.challenge(&request)))
}

pub(crate) async fn open(app: Shared, Body(request): Body<SessionRequest>) -> Answer<Session> {
    let caller = app.services.sessions.prove(&request).await?;
    Ok(Reply::ok(app.tokens.make_session(caller).ok_or_else(Failure::internal)?))
}

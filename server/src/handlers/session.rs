//! Device sessions.

use lockstep_domain::services::SessionError;
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session, SessionRequest};

use super::{Answer, Shared};
use crate::error::Failure;
use crate::events::{Event, Whose};
use crate::extract::{Body, Stranger};
use crate::format::Reply;

pub(crate) async fn challenge(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<ChallengeRequest>,
) -> Answer<Challenge> {
    Ok(Reply::ok(app.services.sessions.challenge(&request, address)))
}

pub(crate) async fn open(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<SessionRequest>,
) -> Answer<Session> {
    let proved = app.services.sessions.prove(&request).await;
    let caller = proved.inspect_err(|error| {
        let event = match error {
            SessionError::Failed => Event::DeviceUnknown,
            SessionError::Revoked => Event::DeviceRefused,
            _ => return,
        };
        app.note(event, Whose::at(address).account(request.account_id).device(request.device_id));
    })?;
    Ok(Reply::ok(app.tokens.make_session(caller).ok_or_else(Failure::internal)?))
}

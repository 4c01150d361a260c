//! Pairing mailboxes.

use lockstep_proto::api::pairing::{
    OpenPairing, PairingOpened, PairingReceived, PairingSent, PairingStep, ReceivePairing, SendPairing,
};

use super::{Answer, Shared};
use crate::error::Failure;
use crate::extract::{Address, Body, DeviceSession, OptionalSession, Sent, Stranger};
use crate::format::Reply;

pub(crate) async fn open(
    app: Shared,
    Address(address): Address,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, OpenPairing>,
) -> Answer<PairingOpened> {
    Ok(Reply::ok(app.services.pairing.open(caller, &request, address)?))
}

pub(crate) async fn send(
    app: Shared,
    Sent(OptionalSession(caller), request): Sent<OptionalSession, SendPairing>,
) -> Answer<PairingSent> {
    if request.step != PairingStep::Offer && caller.is_none() {
        return Err(Failure::unauthenticated());
    }
    app.services.pairing.send(caller, &request)?;
    Ok(Reply::ok(PairingSent {}))
}

pub(crate) async fn receive(
    app: Shared,
    Stranger(_): Stranger,
    Body(request): Body<ReceivePairing>,
) -> Answer<PairingReceived> {
    Ok(Reply::ok(app.services.pairing.receive(&request).await?))
}

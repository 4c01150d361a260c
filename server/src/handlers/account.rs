//! The caller's account.

use lockstep_proto::api::account::{
    AccountRoom, AppendLinks, Appended, BarDevices, Barred, LogPage, LogQuery, RegistrationStart, Slots,
    SlotsQuery,
};
use lockstep_proto::api::signup::RegistrationAnswer;

use super::{Answer, Shared};
use crate::events::{self, Whose};
use crate::extract::{Address, AnySession, Parameters, Sent};
use crate::format::Reply;

pub(crate) async fn log(
    app: Shared,
    AnySession(caller): AnySession,
    Parameters(query): Parameters<LogQuery>,
) -> Answer<LogPage> {
    Ok(Reply::ok(app.services.account.log(caller, query.after).await?))
}

pub(crate) async fn append(
    app: Shared,
    Address(address): Address,
    Sent(AnySession(caller), request): Sent<AnySession, AppendLinks>,
) -> Answer<Appended> {
    let appended = app.services.account.append(caller, &request).await?;
    let whose = Whose::at(address).account(caller.account_id());
    for (event, device_id) in events::of_links(&request.links) {
        app.note(event, device_id.map_or(whose, |device_id| whose.device(device_id)));
    }
    Ok(Reply::ok(appended))
}

pub(crate) async fn slots(
    app: Shared,
    AnySession(caller): AnySession,
    Parameters(query): Parameters<SlotsQuery>,
) -> Answer<Slots> {
    Ok(Reply::ok(app.services.account.slots(caller, query).await?))
}

pub(crate) async fn room(app: Shared, AnySession(caller): AnySession) -> Answer<AccountRoom> {
    Ok(Reply::ok(app.services.vaults.account_room(caller).await?))
}

pub(crate) async fn registration(
    app: Shared,
    Sent(AnySession(caller), request): Sent<AnySession, RegistrationStart>,
) -> Answer<RegistrationAnswer> {
    Ok(Reply::ok(app.services.account.registration(caller, &request)?))
}

pub(crate) async fn bar(
    app: Shared,
    Sent(AnySession(caller), request): Sent<AnySession, BarDevices>,
) -> Answer<Barred> {
    Ok(Reply::ok(app.services.bars.bar(caller, &request).await?))
}

//! The caller's account.

use lockstep_proto::api::account::{
    AppendLinks, Appended, BarDevices, Barred, LogPage, LogQuery, RegistrationStart, Slots,
};
use lockstep_proto::api::signup::RegistrationAnswer;

use super::{Answer, Shared};
use crate::extract::{AnySession, Parameters, Sent};
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
    Sent(AnySession(caller), request): Sent<AnySession, AppendLinks>,
) -> Answer<Appended> {
    Ok(Reply::ok(app.services.account.append(caller, &request).await?))
}

pub(crate) async fn slots(app: Shared, AnySession(caller): AnySession) -> Answer<Slots> {
    Ok(Reply::ok(app.services.account.slots(caller).await?))
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

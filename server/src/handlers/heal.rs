//! Healing.

use lockstep_proto::api::heal::{
    AccountHealed, FinishHeal, HealAccount, HealBlobs, HealCommits, HealDropped, HealProgress,
};
use lockstep_proto::api::sides::{SidesStaged, StageSides};
use lockstep_proto::api::vaults::Committed;

use super::{Answer, Shared};
use crate::events::{Event, Whose};
use crate::extract::{Body, DeviceSession, Sent, Stranger, VaultPath};
use crate::format::Reply;

pub(crate) async fn account(
    app: Shared,
    Stranger(address): Stranger,
    Body(request): Body<HealAccount>,
) -> Answer<AccountHealed> {
    let healed = app.services.heal_accounts.heal(request, address).await?;
    if healed.newcomer {
        app.note(Event::AccountGivenBack, Whose::at(address).account(healed.account_id));
    }
    Ok(Reply::ok(AccountHealed {}))
}

pub(crate) async fn progress(
    app: Shared,
    DeviceSession(caller): DeviceSession,
    VaultPath(vault_id): VaultPath,
) -> Answer<HealProgress> {
    Ok(Reply::ok(app.services.heal_vaults.progress(caller, vault_id).await?))
}

pub(crate) async fn commits(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, HealCommits>,
) -> Answer<HealProgress> {
    Ok(Reply::ok(app.services.heal_vaults.commits(caller, vault_id, request).await?))
}

pub(crate) async fn sides(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, StageSides>,
) -> Answer<SidesStaged> {
    Ok(Reply::ok(app.services.heal_vaults.sides(caller, vault_id, request).await?))
}

pub(crate) async fn blobs(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, HealBlobs>,
) -> Answer<HealProgress> {
    Ok(Reply::ok(app.services.heal_vaults.blobs(caller, vault_id, request).await?))
}

pub(crate) async fn finish(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, FinishHeal>,
) -> Answer<Committed> {
    Ok(Reply::ok(app.services.heal_vaults.finish(caller, vault_id, request).await?))
}

pub(crate) async fn drop_stage(
    app: Shared,
    DeviceSession(caller): DeviceSession,
    VaultPath(vault_id): VaultPath,
) -> Answer<HealDropped> {
    app.services.heal_vaults.drop_stage(caller, vault_id).await?;
    Ok(Reply::ok(HealDropped {}))
}

//! Vaults: their logs and items.

use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemsQuery, VersionPage, VersionsQuery};
use lockstep_proto::api::sides::{SidesPage, SidesQuery};
use lockstep_proto::api::vaults::{
    CommitPage, CommitsQuery, Committed, ControlPage, ControlQuery, CreateVault, PostCommit,
};

use super::{Answer, Shared};
use crate::extract::{AnySession, DeviceSession, ItemPath, Parameters, Sent, VaultPath};
use crate::format::Reply;

pub(crate) async fn create(
    app: Shared,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, CreateVault>,
) -> Answer<Committed> {
    Ok(Reply::created(app.services.vaults.create(caller, &request).await?))
}

pub(crate) async fn commit(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(DeviceSession(caller), request): Sent<DeviceSession, PostCommit>,
) -> Answer<Committed> {
    Ok(Reply::ok(app.services.vaults.commit(caller, vault_id, request).await?))
}

pub(crate) async fn commits(
    app: Shared,
    AnySession(caller): AnySession,
    VaultPath(vault_id): VaultPath,
    Parameters(query): Parameters<CommitsQuery>,
) -> Answer<CommitPage> {
    Ok(Reply::ok(app.services.reading.commits(caller, vault_id, query).await?))
}

pub(crate) async fn control(
    app: Shared,
    AnySession(caller): AnySession,
    VaultPath(vault_id): VaultPath,
    Parameters(query): Parameters<ControlQuery>,
) -> Answer<ControlPage> {
    Ok(Reply::ok(app.services.reading.control(caller, vault_id, query).await?))
}

pub(crate) async fn sides(
    app: Shared,
    AnySession(caller): AnySession,
    VaultPath(vault_id): VaultPath,
    Parameters(query): Parameters<SidesQuery>,
) -> Answer<SidesPage> {
    Ok(Reply::ok(app.services.reading.sides(caller, vault_id, query).await?))
}

pub(crate) async fn items(
    app: Shared,
    AnySession(caller): AnySession,
    VaultPath(vault_id): VaultPath,
    Parameters(query): Parameters<ItemsQuery>,
) -> Answer<ItemPage> {
    Ok(Reply::ok(app.services.reading.items(caller, vault_id, query).await?))
}

pub(crate) async fn versions(
    app: Shared,
    AnySession(caller): AnySession,
    ItemPath { vault_id, item_id }: ItemPath,
    Parameters(query): Parameters<VersionsQuery>,
) -> Answer<VersionPage> {
    Ok(Reply::ok(app.services.reading.versions(caller, vault_id, item_id, query).await?))
}

pub(crate) async fn blobs(
    app: Shared,
    VaultPath(vault_id): VaultPath,
    Sent(AnySession(caller), request): Sent<AnySession, BlobsRequest>,
) -> Answer<BlobsPage> {
    Ok(Reply::ok(app.services.reading.blobs(caller, vault_id, request).await?))
}

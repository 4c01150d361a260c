//! Calls about a vault.

use lockstep_proto::api::heal::{FinishHeal, HealBlobs, HealCommits, HealDropped, HealProgress};
use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemsQuery, VersionPage, VersionsQuery};
use lockstep_proto::api::sides::{SidesPage, SidesQuery, SidesStaged, StageSides};
use lockstep_proto::api::vaults::{
    CommitPage, CommitsQuery, Committed, ControlPage, ControlQuery, CreateVault, PostCommit,
};
use lockstep_proto::ids::{ItemId, VaultId};

use super::client::{Api, Call, TokenSource};
use super::error::ApiError;

impl Api {
    /// Makes a vault from its genesis. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn create_vault(
        &self,
        tokens: &dyn TokenSource,
        body: &CreateVault,
    ) -> Result<Committed, ApiError> {
        self.call(tokens, Call::post("/v1/vaults", body)?).await
    }

    /// Appends a commit. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post_commit(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &PostCommit,
    ) -> Result<Committed, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/commits"), body)?).await
    }

    /// A page of a vault's log.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn commits(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        query: &CommitsQuery,
    ) -> Result<CommitPage, ApiError> {
        let after = query.after.map(|seq| seq.to_string());
        let limit = query.limit.map(|limit| limit.to_string());
        let path = format!("/v1/vaults/{vault_id}/commits");
        self.call(tokens, Call::query(&path, &[("after", after), ("limit", limit)])).await
    }

    /// A page of a vault's control commits, with the commit at its head.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn control(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        query: &ControlQuery,
    ) -> Result<ControlPage, ApiError> {
        let after = query.after.map(|seq| seq.to_string());
        let path = format!("/v1/vaults/{vault_id}/control");
        self.call(tokens, Call::query(&path, &[("after", after)])).await
    }

    /// A page of a vault's current items.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn items(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        query: &ItemsQuery,
    ) -> Result<ItemPage, ApiError> {
        let fields = [
            ("after_seq", query.after_seq.map(|seq| seq.to_string())),
            ("after_item", query.after_item.map(|item| item.to_string())),
            ("upto", query.upto.map(|seq| seq.to_string())),
        ];
        self.call(tokens, Call::query(&format!("/v1/vaults/{vault_id}/items"), &fields)).await
    }

    /// A page of the versions of an item that the server still holds.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn versions(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        item_id: &ItemId,
        query: &VersionsQuery,
    ) -> Result<VersionPage, ApiError> {
        let before = query.before.map(|version| version.to_string());
        let limit = query.limit.map(|limit| limit.to_string());
        let path = format!("/v1/vaults/{vault_id}/items/{item_id}/versions");
        self.call(tokens, Call::query(&path, &[("before", before), ("limit", limit)])).await
    }

    /// Blobs by item and version.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn blobs(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &BlobsRequest,
    ) -> Result<BlobsPage, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/blobs"), body)?).await
    }

    /// How far the catch-up of a vault is.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn heal_progress(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
    ) -> Result<HealProgress, ApiError> {
        self.call(tokens, Call::get(format!("/v1/vaults/{vault_id}/heal"))).await
    }

    /// Stages commits that the server lost. Idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn heal_commits(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &HealCommits,
    ) -> Result<HealProgress, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/heal/commits"), body)?).await
    }

    /// The commits beside a vault's chain, which heals joined.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sides(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        query: &SidesQuery,
    ) -> Result<SidesPage, ApiError> {
        let after_seq = query.after_seq.map(|seq| seq.to_string());
        let after_hash = query.after_hash.map(|hash| hash.to_string());
        let path = format!("/v1/vaults/{vault_id}/sides");
        self.call(tokens, Call::query(&path, &[("after_seq", after_seq), ("after_hash", after_hash)])).await
    }

    /// Stages commits that a heal joins. Idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn stage_sides(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &StageSides,
    ) -> Result<SidesStaged, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/sides"), body)?).await
    }

    /// Stages blobs that the server lost. Idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn heal_blobs(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &HealBlobs,
    ) -> Result<HealProgress, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/heal/blobs"), body)?).await
    }

    /// Drops what is staged. Idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn drop_heal(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
    ) -> Result<HealDropped, ApiError> {
        self.call(tokens, Call::delete(format!("/v1/vaults/{vault_id}/heal"))).await
    }

    /// Makes the staged head the vault's. Idempotent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn finish_heal(
        &self,
        tokens: &dyn TokenSource,
        vault_id: &VaultId,
        body: &FinishHeal,
    ) -> Result<Committed, ApiError> {
        self.call(tokens, Call::post(format!("/v1/vaults/{vault_id}/heal/finish"), body)?).await
    }
}

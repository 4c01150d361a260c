//! Calls about a vault.

use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemsQuery};
use lockstep_proto::api::vaults::{CommitPage, CommitsQuery, Committed, CreateVault, PostCommit};
use lockstep_proto::ids::VaultId;

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
}

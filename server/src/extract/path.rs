//! Ids in paths.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::VaultId;

use crate::error::Failure;

/// The `vault_id` of a path.
pub(crate) struct VaultPath(pub(crate) VaultId);

impl FromRequest for VaultPath {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let vault_id = request.match_info().get("vault_id").and_then(|text| text.parse().ok());
        let missing = || Failure::new(ErrorCode::NoVault, "There is no such vault for this account.");
        std::future::ready(vault_id.map(Self).ok_or_else(missing))
    }
}

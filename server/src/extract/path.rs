//! Ids in paths.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::{ItemId, VaultId};

use crate::error::Failure;

/// The `vault_id` of a path.
pub(crate) struct VaultPath(pub(crate) VaultId);

/// The `vault_id` and `item_id` of a path.
pub(crate) struct ItemPath {
    pub(crate) vault_id: VaultId,
    pub(crate) item_id: ItemId,
}

impl FromRequest for VaultPath {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(vault_id(request).map(Self))
    }
}

impl FromRequest for ItemPath {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let wrong = || Failure::unreadable("its item id is wrong");
        let item_id = |vault_id| {
            segment(request, "item_id").map(|item_id| Self { vault_id, item_id }).ok_or_else(wrong)
        };
        ready(vault_id(request).and_then(item_id))
    }
}

/// What no vault can be called is answered like a vault that is not there.
fn vault_id(request: &HttpRequest) -> Result<VaultId, Failure> {
    let missing = || Failure::new(ErrorCode::NoVault, "There is no such vault for this account.");
    segment(request, "vault_id").ok_or_else(missing)
}

fn segment<T: FromStr>(request: &HttpRequest, name: &str) -> Option<T> {
    request.match_info().get(name).and_then(|text| text.parse().ok())
}

//! What accounts hold and may hold: every vault has a share of its account's quota.
//!
//! A vault's share is changed in the vault's transaction and counted in its account's, never in one that touches both,
//! so that the two may lie on different machines. Therefore a share is raised at the account first and lowered at the
//! vault first: what an account counts is never less than what its vaults may hold.

use async_trait::async_trait;
use lockstep_proto::api::account::room_reserve;
use lockstep_proto::api::{ACCOUNT_BYTES, ACCOUNT_VAULTS};
use lockstep_proto::ids::AccountId;

use super::{StagePlace, StoreError};

/// What one account may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Bytes of its log, slots and record, and of its vaults with their history and staging areas.
    pub bytes: u64,
    /// Vaults that it made, linked or not, ended ones included.
    pub vaults: u64,
}

impl Default for AccountLimits {
    /// 2 GiB and 64 vaults.
    fn default() -> Self {
        Self { bytes: ACCOUNT_BYTES, vaults: ACCOUNT_VAULTS }
    }
}

/// What the operator gives one account instead of what every account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnLimits {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Vaults.
    pub vaults: Option<u64>,
}

impl OwnLimits {
    /// What holds for the account.
    pub fn or(self, common: AccountLimits) -> AccountLimits {
        AccountLimits {
            bytes: self.bytes.unwrap_or(common.bytes),
            vaults: self.vaults.unwrap_or(common.vaults),
        }
    }
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of its log, slots and record.
    pub log_bytes: u64,
    /// Bytes of its vaults and staging areas.
    pub vault_bytes: u64,
    /// Vaults.
    pub vaults: u64,
    /// What the operator gives it.
    pub own: OwnLimits,
}

/// Room for one vault.
#[derive(Debug, Clone, Copy)]
pub struct Allot {
    /// The vault, which need not be there, and the account whose quota it is.
    pub place: StagePlace,
    /// How many bytes more the vault and its staging area are to hold than they do now.
    pub more: u64,
    /// What an account may hold.
    pub limits: AccountLimits,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllotOutcome {
    /// The vault's share is this many bytes.
    Allotted(u64),
    /// The account has no room for it.
    Full(Shortage),
    /// The account has as many vaults as it may have.
    TooManyVaults,
}

/// An account without enough room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What it holds, in bytes.
    pub used_bytes: u64,
    /// What it may hold, in bytes.
    pub limit_bytes: u64,
}

impl Shortage {
    /// What it still takes, in bytes.
    pub fn left(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }
}

/// What is counted for an account while a vault's share is looked for, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its log, slots and record.
    pub log: u64,
    /// The shares of its other vaults.
    pub others: u64,
    /// What this vault and its staging area hold.
    pub held: u64,
}

impl Counted {
    /// The vault's new share: what it needs and half of what nobody needs beyond [`room_reserve`], so that one vault
    /// need not ask for every commit and the next one finds something. `None` where there is not enough.
    pub fn share(&self, more: u64, limit_bytes: u64) -> Option<u64> {
        let free = limit_bytes.saturating_sub(self.log).saturating_sub(self.others);
        let needed = self.held.saturating_add(more);
        if lockstep_proto::seeded!("share-beyond-quota") {
            return Some(needed);
        }
        free.checked_sub(needed).map(|spare| needed + spare.saturating_sub(room_reserve(limit_bytes)) / 2)
    }

    /// What there is to say where there is not enough, once the others' shares are what they hold.
    pub fn shortage(&self, limit_bytes: u64) -> Shortage {
        let used_bytes = self.log.saturating_add(self.others).saturating_add(self.held);
        Shortage { used_bytes, limit_bytes }
    }
}

/// What accounts hold.
#[async_trait]
pub trait QuotaStore: Send + Sync {
    /// Sees to it that a vault may hold so much more: gives it a greater share of its account's quota, if need be after
    /// lowering the shares of the account's other vaults to what they hold, and takes one of the account's places for
    /// it. Not one transaction: cut off in the middle it leaves shares that are smaller than they could be, or a place
    /// that only this vault can use.
    async fn allot(&self, request: Allot) -> Result<AllotOutcome, StoreError>;

    /// What an account holds; `None` without such an account.
    async fn usage(&self, account_id: AccountId) -> Result<Option<Usage>, StoreError>;

    /// Gives an account limits of its own, or takes them away; `false` without such an account.
    async fn set_limits(&self, account_id: AccountId, own: OwnLimits) -> Result<bool, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_what_is_needed_and_half_of_the_rest_or_nothing() {
        let counted = Counted { log: 10, others: 40, held: 20 };
        for (more, limit, share) in [
            (0, 100, Some(29)),
            (17, 100, Some(37)),
            (18, 100, Some(38)),
            (30, 100, Some(50)),
            (31, 100, None),
            (0, 69, None),
            (0, 70, Some(20)),
            (u64::MAX, u64::MAX, None),
        ] {
            assert_eq!(counted.share(more, limit), share, "{more} {limit}");
        }
        assert_eq!((counted.shortage(100).left(), counted.shortage(60).left()), (30, 0));
    }

    proptest! {
        #[test]
        fn no_share_takes_an_account_beyond_its_limit(
            log: u64, others: u64, held: u64, more: u64, limit: u64,
        ) {
            let counted = Counted { log, others, held };
            let fits = u128::from(log) + u128::from(others) + u128::from(held) + u128::from(more) <= limit.into();
            let share = counted.share(more, limit);
            prop_assert_eq!(share.is_some(), fits);
            if let Some(share) = share {
                prop_assert!(share >= held + more);
                prop_assert!(u128::from(log) + u128::from(others) + u128::from(share) <= limit.into());
            }
        }
    }
}

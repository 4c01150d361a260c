//! Heads that other devices say they have seen, until this device has seen them too.
//!
//! **Invariant:** a claim becomes durable with the commits that name it, and goes only when the chain that this device
//! has holds that very commit. A server that lets a sync fail, or shows a vault late, does not make it forgotten.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{LogHead, VaultHead};

use crate::account::Unlocked;
use crate::ports::{Batch, LocalStore, Table};
use crate::vault::RecordError;

/// The record's key in [`Table::Profile`]. Frozen: it is part of the profile's format.
const KEY: &[u8] = b"claims";
/// Claims that are kept, at most: of every vault the highest, which proves all below it on its branch, and otherwise
/// those that can be judged first.
const LIMIT: usize = 4_096;

/// Open claims, by vault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Claims {
    open: BTreeMap<VaultId, BTreeSet<LogHead>>,
}

impl Claims {
    /// Those that earlier syncs left open.
    ///
    /// # Errors
    /// [`RecordError`] when the record is damaged.
    pub(crate) async fn load(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<Self, RecordError> {
        let table = Table::Profile;
        let Some(sealed) = store.read(table, KEY).await? else { return Ok(Self::default()) };
        let record = unlocked.sealer().open(table, KEY, &sealed).map_err(RecordError::opening(table))?;
        canon::from_bytes(&record).map_err(RecordError::reading(table))
    }

    /// Notes what devices say; two that differ at one position are both judged.
    pub(crate) fn note(&mut self, observed: impl IntoIterator<Item = VaultHead>) {
        for VaultHead { vault_id, head } in observed {
            self.open.entry(vault_id).or_default().insert(head);
        }
    }

    /// A claim is met, or about a vault that is not the account's.
    pub(crate) fn end(&mut self, vault_id: &VaultId, head: &LogHead) {
        if let Some(heads) = self.open.get_mut(vault_id) {
            heads.remove(head);
            if heads.is_empty() {
                self.open.remove(vault_id);
            }
        }
    }

    /// Every open claim.
    pub(crate) fn all(&self) -> impl Iterator<Item = VaultHead> + '_ {
        self.open.iter().flat_map(|(vault_id, heads)| {
            heads.iter().map(|head| VaultHead { vault_id: *vault_id, head: *head })
        })
    }

    /// The highest open claim about a vault.
    pub(crate) fn highest(&self, vault_id: &VaultId) -> Option<LogHead> {
        self.open.get(vault_id)?.last().copied()
    }

    /// Makes them durable with a batch.
    ///
    /// # Errors
    /// [`RecordError`] when they cannot be sealed.
    pub(crate) fn put(&self, batch: &mut Batch, unlocked: &Unlocked) -> Result<(), RecordError> {
        let table = Table::Profile;
        if self.open.is_empty() {
            batch.delete(table, KEY);
            return Ok(());
        }
        let sealed = unlocked.sealer().seal(table, KEY, &canon::to_bytes(self));
        batch.put(table, KEY, sealed.map_err(|source| RecordError::TooLarge { table, source })?);
        Ok(())
    }
}

impl Canon for Claims {
    fn encode(&self, out: &mut Encoder) {
        let mut kept: Vec<VaultHead> = self.all().collect();
        if kept.len() > LIMIT {
            kept.sort_by_key(|claim| (self.highest(&claim.vault_id) != Some(claim.head), claim.head));
            kept.truncate(LIMIT);
            kept.sort();
        }
        out.list(&kept);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let kept = input.sorted_list("claims", LIMIT, |claim: &VaultHead| (claim.vault_id, claim.head))?;
        let mut claims = Self::default();
        claims.note(kept);
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use lockstep_proto::ids::{Hash, Seq};

    use super::*;

    fn said(vault: u8, seq: u64, hash: u8) -> VaultHead {
        VaultHead { vault_id: VaultId([vault; 32]), head: LogHead { seq: Seq(seq), hash: Hash([hash; 32]) } }
    }

    #[test]
    fn a_higher_claim_does_not_hide_one_about_another_branch() {
        let mut claims = Claims::default();
        claims.note([said(1, 3, 1), said(1, 5, 2), said(1, 3, 9), said(1, 3, 1), said(2, 1, 1)]);
        assert_eq!(claims.all().count(), 4);
        assert_eq!(claims.highest(&VaultId([1; 32])), Some(said(1, 5, 2).head));
        claims.end(&VaultId([1; 32]), &said(1, 3, 1).head);
        assert_eq!(claims.all().collect::<Vec<_>>(), [said(1, 3, 9), said(1, 5, 2), said(2, 1, 1)]);
    }

    #[test]
    fn claims_survive_their_record_and_of_too_many_the_highest_of_every_vault_stays() {
        let mut claims = Claims::default();
        claims.note([said(2, 1, 1), said(1, 3, 9)]);
        assert_eq!(canon::from_bytes::<Claims>(&canon::to_bytes(&claims)).as_ref(), Ok(&claims));
        claims.note((0..LIMIT as u64).map(|seq| said(3, 10 + seq, 1)));
        let kept: Claims = canon::from_bytes(&canon::to_bytes(&claims)).unwrap_or_default();
        assert_eq!(kept.all().count(), LIMIT);
        for vault in [1, 2, 3] {
            assert_eq!(kept.highest(&VaultId([vault; 32])), claims.highest(&VaultId([vault; 32])));
        }
    }
}

//! Heads that other devices say they have seen, until this device has seen them too.
//!
//! **Invariant:** a claim becomes durable with the commits that name it, and goes only when the chain that this device
//! has holds that very commit. A server that lets a sync fail, or shows a vault late, does not make it forgotten.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::{AccountState, Commit, LogHead, VaultHead};

use super::record_error::RecordError;
use super::unlocked::Unlocked;
use crate::ports::{Batch, LocalStore, Table};

/// The record's key in [`Table::Profile`]. Frozen: it is part of the profile's format.
const KEY: &[u8] = b"claims";
/// Claims that are kept, at most: of every vault the highest, which proves all below it on its branch, and otherwise
/// those that can be judged first.
const LIMIT: usize = 4_096;

/// A head that this device says it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    /// The head.
    pub(crate) seen: VaultHead,
    /// Who says so.
    pub(crate) by: DeviceId,
}

/// What a commit says about the other vaults of its author's account, if that is one's own: not of those of which another
/// history was accepted since.
pub(crate) fn said<'a>(commit: &'a Commit, own: &'a AccountState) -> impl Iterator<Item = Said> + 'a {
    let by = commit.author_device;
    let counts = move |seen: &VaultHead| commit.author_position.seq >= own.accepted_at(&seen.vault_id);
    let observed = commit.observed.iter().filter(move |_| commit.author_account == own.account_id());
    let observed = observed.filter(move |seen| counts(seen));
    observed.map(move |seen| Said { seen: *seen, by })
}

/// Open claims, by vault and head, with the devices that make them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Claims {
    open: BTreeMap<VaultId, BTreeMap<LogHead, BTreeSet<DeviceId>>>,
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
    pub(crate) fn note(&mut self, said: impl IntoIterator<Item = Said>) {
        for Said { seen: VaultHead { vault_id, head }, by } in said {
            self.open.entry(vault_id).or_default().entry(head).or_default().insert(by);
        }
    }

    /// A claim that only devices make which were removed since ends: who stole one cannot alarm the others for ever.
    pub(crate) fn keep_by(&mut self, is_active: impl Fn(&DeviceId) -> bool) {
        for heads in self.open.values_mut() {
            heads.retain(|_, by| by.iter().any(&is_active));
        }
        self.open.retain(|_, heads| !heads.is_empty());
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

    /// Nothing that was said of this vault counts any more: another history of it was accepted.
    pub(crate) fn forget(&mut self, vault_id: &VaultId) {
        self.open.remove(vault_id);
    }

    /// Every open claim.
    pub(crate) fn all(&self) -> impl Iterator<Item = VaultHead> + '_ {
        self.open.iter().flat_map(|(vault_id, heads)| {
            heads.keys().map(|head| VaultHead { vault_id: *vault_id, head: *head })
        })
    }

    /// Those that at least one device makes which counts.
    pub(crate) fn made_by(&self, counts: impl Fn(&DeviceId) -> bool) -> Vec<VaultHead> {
        let mut found: Vec<VaultHead> =
            self.said().filter(|said| counts(&said.by)).map(|said| said.seen).collect();
        found.dedup();
        found
    }

    fn said(&self) -> impl Iterator<Item = Said> + '_ {
        self.open.iter().flat_map(|(vault_id, heads)| {
            heads.iter().flat_map(move |(head, by)| {
                let seen = VaultHead { vault_id: *vault_id, head: *head };
                by.iter().map(move |by| Said { seen, by: *by })
            })
        })
    }

    /// The highest open claim about a vault.
    pub(crate) fn highest(&self, vault_id: &VaultId) -> Option<LogHead> {
        self.open.get(vault_id)?.last_key_value().map(|(head, _)| *head)
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

impl Canon for Said {
    fn encode(&self, out: &mut Encoder) {
        self.seen.encode(out);
        self.by.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { seen: Canon::decode(input)?, by: Canon::decode(input)? })
    }
}

impl Canon for Claims {
    fn encode(&self, out: &mut Encoder) {
        let mut kept: Vec<Said> = self.said().collect();
        if kept.len() > LIMIT {
            kept.sort_by_key(|Said { seen, .. }| {
                (self.highest(&seen.vault_id) != Some(seen.head), seen.head)
            });
            kept.truncate(LIMIT);
            kept.sort();
        }
        out.list(&kept);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let kept = input.sorted_list("claims", LIMIT, |claim: &Said| *claim)?;
        let mut claims = Self::default();
        claims.note(kept);
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use lockstep_proto::ids::{Hash, Seq};

    use super::*;

    const ANY: DeviceId = DeviceId([7; 16]);

    fn head(vault: u8, seq: u64, hash: u8) -> VaultHead {
        VaultHead { vault_id: VaultId([vault; 32]), head: LogHead { seq: Seq(seq), hash: Hash([hash; 32]) } }
    }

    fn said(vault: u8, seq: u64, hash: u8) -> Said {
        Said { seen: head(vault, seq, hash), by: ANY }
    }

    #[test]
    fn a_higher_claim_does_not_hide_one_about_another_branch() {
        let mut claims = Claims::default();
        claims.note([said(1, 3, 1), said(1, 5, 2), said(1, 3, 9), said(1, 3, 1), said(2, 1, 1)]);
        assert_eq!(claims.all().count(), 4);
        assert_eq!(claims.highest(&VaultId([1; 32])), Some(head(1, 5, 2).head));
        claims.end(&VaultId([1; 32]), &head(1, 3, 1).head);
        assert_eq!(claims.all().collect::<Vec<_>>(), [head(1, 3, 9), head(1, 5, 2), head(2, 1, 1)]);
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

    #[test]
    fn what_only_removed_devices_say_ends() {
        let (other, mut claims) = (DeviceId([8; 16]), Claims::default());
        claims.note([said(1, 3, 1), said(2, 9, 9), Said { seen: head(1, 3, 1), by: other }]);
        assert_eq!(claims.made_by(|device| *device == other), [head(1, 3, 1)]);
        assert_eq!(claims.made_by(|_| true), [head(1, 3, 1), head(2, 9, 9)]);
        claims.keep_by(|device| *device == other);
        assert_eq!(claims.all().collect::<Vec<_>>(), [head(1, 3, 1)]);
    }
}

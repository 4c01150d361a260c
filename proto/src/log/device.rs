//! A device as its account's log has it.

use std::sync::Arc;

use super::account::NamedSlot;
use super::account_bodies::Enrolment;
use super::keys::DevicePublicKeys;
use super::{LogHead, VaultHead};
use crate::ids::{Seq, VaultId};

/// That a device was revoked, and from where on nothing of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The first link that lists the device: from here on it signs no link and names no position.
    pub first: Seq,
    /// The latest link that lists it: its cut-offs count.
    pub latest: Seq,
    cut_offs: Arc<[VaultHead]>,
}

impl Revocation {
    /// The last commit of that vault that the device may have written, if the account had the vault.
    pub fn cut_off(&self, vault_id: &VaultId) -> Option<LogHead> {
        let found = self.cut_offs.binary_search_by_key(vault_id, |cut_off| cut_off.vault_id).ok()?;
        self.cut_offs.get(found).map(|cut_off| cut_off.head)
    }
}

/// A device that the account has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    keys: Arc<DevicePublicKeys>,
    added: Seq,
    how: Option<Enrolment>,
    revocation: Option<Revocation>,
    /// Those that later ones have taken the place of, where a history was accepted between: ascending.
    earlier: Vec<Revocation>,
    heads: Arc<[VaultHead]>,
    /// The link that named them.
    heads_at: Seq,
    slot: Option<NamedSlot>,
}

impl Device {
    pub(super) fn new(keys: DevicePublicKeys, how: Option<Enrolment>, added: Seq) -> Self {
        Self {
            keys: Arc::new(keys),
            added,
            how,
            revocation: None,
            earlier: Vec::new(),
            heads: Arc::default(),
            heads_at: Seq(0),
            slot: None,
        }
    }

    /// Its public keys.
    pub fn keys(&self) -> &DevicePublicKeys {
        &self.keys
    }

    /// The link that added it.
    pub fn added(&self) -> Seq {
        self.added
    }

    /// How it came in; `None` for the device that signed up.
    pub fn how(&self) -> Option<Enrolment> {
        self.how
    }

    /// Whether no link revokes it.
    pub fn is_active(&self) -> bool {
        self.revocation.is_none()
    }

    /// Whether it is authorised after the link at `seq`.
    pub fn is_authorised_after(&self, seq: Seq) -> bool {
        self.added <= seq && self.revocation.as_ref().is_none_or(|revocation| revocation.first > seq)
    }

    /// Its revocation, if a link lists it.
    pub fn revocation(&self) -> Option<&Revocation> {
        self.revocation.as_ref()
    }

    /// The revocation as it was before the link at `seq`.
    pub(super) fn revoked_before(&self, seq: Seq) -> Option<&Revocation> {
        let mut all = self.revocation.iter().chain(self.earlier.iter().rev());
        all.find(|revocation| revocation.latest < seq)
    }

    /// How many earlier revocations are kept.
    pub(super) fn earlier_revocations(&self) -> usize {
        self.earlier.len()
    }

    /// The heads of the latest link that it signed: what it had seen of every vault then, ascending by vault.
    pub fn heads(&self) -> &[VaultHead] {
        &self.heads
    }

    /// The latest link that it signed.
    pub fn heads_at(&self) -> Seq {
        self.heads_at
    }

    /// The slot that hands it the current ARK, if a rekey made one.
    pub fn slot(&self) -> Option<&NamedSlot> {
        self.slot.as_ref()
    }

    /// `keeps` says of the link that has revoked it until now whether that must stay known.
    pub(super) fn revoke(&mut self, seq: Seq, cut_offs: Arc<[VaultHead]>, keeps: impl Fn(Seq) -> bool) {
        let first = self.revocation.as_ref().map_or(seq, |revocation| revocation.first);
        let before = self.revocation.replace(Revocation { first, latest: seq, cut_offs });
        self.earlier.extend(before.filter(|before| keeps(before.latest)));
        self.slot = None;
    }

    pub(super) fn set_heads(&mut self, heads: &[VaultHead], at: Seq) {
        self.heads = heads.into();
        self.heads_at = at;
    }

    pub(super) fn set_slot(&mut self, slot: NamedSlot) {
        self.slot = Some(slot);
    }
}

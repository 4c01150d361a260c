//! Re-anchoring (R-REANCHOR): a person says that the server was restored from a backup and went on from there, and the
//! account goes on from the server's history.
//!
//! The link names, for each vault that forked, where its histories part and the head that is accepted. It is the one
//! sentence that a device believes which another history than its own has on its side: so it has the password's
//! signature, and nobody's cut-off is rewritten by it. What a removed device wrote where its remover could not see it
//! stays on the chain, since the chain cannot be changed, and is distrusted.

use std::sync::Arc;

use super::account::AccountState;
use super::account_bodies::canon_fields;
use super::device::Device;
use super::error::LinkError;
use super::link::AccountLink;
use super::{ALL_DEVICES_LIMIT, LogHead, VAULTS_LIMIT, VaultHead};
use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{DeviceId, Seq, VaultId};

/// The histories that an account goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reanchor {
    /// Ascending by vault.
    pub vaults: Vec<Anchor>,
}

impl Canon for Reanchor {
    fn encode(&self, out: &mut Encoder) {
        out.list(&self.vaults);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let vaults = input.sorted_list("anchors", VAULTS_LIMIT, |anchor: &Anchor| anchor.vault_id)?;
        Ok(Self { vaults })
    }
}

/// The history of one vault that the account goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The vault.
    pub vault_id: VaultId,
    /// The last commit that both histories have.
    pub fork: LogHead,
    /// The last commit that is accepted with this link.
    pub head: LogHead,
    /// Devices that were removed, and of which nothing after the fork counts, whatever their cut-offs say: ascending.
    pub distrusted: Distrusted,
}
canon_fields!(Anchor { vault_id, fork, head, distrusted });

/// Devices, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distrusted(pub Vec<DeviceId>);

impl Canon for Distrusted {
    fn encode(&self, out: &mut Encoder) {
        out.list(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self(input.sorted_list("distrusted devices", ALL_DEVICES_LIMIT, |device: &DeviceId| *device)?))
    }
}

/// An anchor as the account's state keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// The link.
    pub seq: Seq,
    /// The last commit that both histories have.
    pub fork: LogHead,
    /// The last commit that was accepted.
    pub head: LogHead,
    /// Devices of which nothing after the fork counts, ascending.
    distrusted: Arc<[DeviceId]>,
}

impl AccountState {
    /// The accepted histories of a vault, in the order of their links. The last one is where the chain has to be.
    pub fn anchors(&self, vault_id: &VaultId) -> &[Anchored] {
        self.vaults.get(vault_id).map(|vault| vault.anchors.as_slice()).unwrap_or_default()
    }

    /// The link by which a history of this vault was accepted last; the genesis where none was.
    pub fn accepted_at(&self, vault_id: &VaultId) -> Seq {
        self.anchors(vault_id).last().map_or(Seq(0), |anchored| anchored.seq)
    }

    /// Whether what this device wrote at `seq` of a vault's chain is distrusted, by this anchor of the vault: the
    /// device was removed before the link, and the remover had not seen it there. What stands at or below the fork
    /// counts where the chain lacks the cut-off, and so parts from the remover's history behind it. `has` says which
    /// commits the chain has.
    ///
    /// What was known at the link counts, for ever: a later removal of the same device, with a cut-off on this chain,
    /// makes nothing trustworthy. Another device that writes over such a version does.
    pub fn distrusts(
        &self,
        (vault_id, anchored): (&VaultId, &Anchored),
        device_id: &DeviceId,
        seq: Seq,
        has: impl Fn(&LogHead) -> bool,
    ) -> bool {
        if seq > anchored.head.seq || crate::seeded!("distrusted-leaf-shown") {
            return false;
        }
        let device = self.devices.get(device_id);
        let Some(revocation) = device.and_then(|device| device.revoked_before(anchored.seq)) else {
            return false;
        };
        let is_after = seq > anchored.fork.seq;
        let cut_off = revocation.cut_off(vault_id);
        let on_chain = cut_off.filter(|cut_off| cut_off.seq <= anchored.head.seq && has(cut_off));
        // Both histories may have what whoever accepts this one took before the removal was known.
        let is_unseen = on_chain.map_or(is_after, |cut_off| seq > cut_off.seq);
        is_unseen || (is_after && anchored.distrusted.binary_search(device_id).is_ok())
    }

    /// The last link that accepts a history: what was revoked before it must stay known.
    pub(super) fn last_anchor(&self) -> Option<Seq> {
        self.vaults.values().filter_map(|vault| vault.anchors.last()).map(|anchored| anchored.seq).max()
    }

    /// About how many bytes of memory the anchors take.
    pub(super) fn anchors_bytes(&self) -> usize {
        let anchors = self.vaults.values().flat_map(|vault| vault.anchors.iter());
        anchors.map(|anchored| 128 + 16 * anchored.distrusted.len()).sum()
    }

    /// The state as if this were accepted: a history is verified before it is.
    #[must_use]
    pub fn assuming(&self, anchors: &[Anchor]) -> Self {
        let mut state = self.clone();
        for anchor in anchors {
            state.anchor(anchor, self.head().seq.next());
        }
        state
    }

    pub(super) fn reanchor(&mut self, reanchor: &Reanchor, link: &AccountLink) -> Result<(), LinkError> {
        if reanchor.vaults.is_empty() {
            return Err(LinkError::Rule("a reanchor names a vault"));
        }
        for anchor in &reanchor.vaults {
            self.check_anchor(anchor, link)?;
        }
        for anchor in &reanchor.vaults {
            self.anchor(anchor, link.seq);
        }
        Ok(())
    }

    fn check_anchor(&self, anchor: &Anchor, link: &AccountLink) -> Result<(), LinkError> {
        if !self.vaults.contains_key(&anchor.vault_id) {
            return Err(LinkError::Rule("a reanchor names vaults of the account"));
        }
        let is_after = anchor.fork == anchor.head || anchor.fork.seq < anchor.head.seq;
        if !is_after {
            return Err(LinkError::Rule("an accepted head is not before the fork"));
        }
        // Whoever accepts a history has seen it, and says so to all others.
        let accepted = VaultHead { vault_id: anchor.vault_id, head: anchor.head };
        if link.heads.binary_search(&accepted).is_err() {
            return Err(LinkError::Rule("heads name what is accepted"));
        }
        let is_removed = |id: &DeviceId| self.devices.get(id).is_some_and(|device| !device.is_active());
        if !anchor.distrusted.0.iter().all(is_removed) {
            return Err(LinkError::Rule("who is distrusted was removed before"));
        }
        Ok(())
    }

    fn anchor(&mut self, anchor: &Anchor, seq: Seq) {
        let distrusted = anchor.distrusted.0.as_slice().into();
        let anchored = Anchored { seq, fork: anchor.fork, head: anchor.head, distrusted };
        if let Some(vault) = self.vaults.get_mut(&anchor.vault_id) {
            Arc::make_mut(&mut vault.anchors).push(anchored);
        }
    }

    /// The commits that a revocation, or a re-anchor after it, lets a device have written in this vault: none beyond
    /// this one, which the chain must have (R-AUTHOR 4). `Err` for a device that was removed before the vault was the
    /// account's.
    pub(super) fn cut_off(
        &self,
        vault_id: &VaultId,
        device: &Device,
        seq: Seq,
    ) -> Result<Option<LogHead>, ()> {
        let Some(revocation) = device.revocation() else { return Ok(None) };
        // At or below an accepted head nobody is asked, if the chain has that head.
        if let Some(anchored) = self.anchors(vault_id).last()
            && seq <= anchored.head.seq
        {
            return Ok(Some(anchored.head));
        }
        revocation.cut_off(vault_id).map(Some).ok_or(())
    }
}

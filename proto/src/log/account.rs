//! The account log's verifier.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account_bodies::{AuthUpdate, DeviceAdd, Enrolment, GenesisLink, LinkBody, VaultCreate};
use super::device::Device;
use super::error::LinkError;
use super::former::FormerArk;
use super::keys::{DevicePublicKeys, KemKey, RecoveryPublicKeys};
use super::link::{AccountLink, Signer};
use super::reanchor::Anchored;
use super::sign_in::Auth;
use super::{
    ALL_DEVICES_LIMIT, DEVICES_LIMIT, LINKS_LIMIT, LogHead, REANCHORS_LIMIT, RECOVERIES_LIMIT, REKEYS_LIMIT,
    VAULTS_LIMIT,
};
use crate::canon;
use crate::hash::hash;
use crate::ids::{AccountId, DeviceId, Epoch, Generation, Hash, Seq, ServerId, VaultId};
use crate::sign::{PublicKey, Signed};

/// A slot as the log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedSlot {
    /// The hash of its bytes.
    pub hash: Hash,
    /// The link before the first one that names it: part of the slot's context.
    pub before: LogHead,
}

/// A vault of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountVault {
    /// The link that made it the account's.
    pub added: Seq,
    /// The device that signed that link.
    pub by: DeviceId,
    /// The slot that holds its key.
    pub slot: NamedSlot,
    /// The epoch of that key.
    pub epoch: Epoch,
    /// The epochs that rekeys have named, one after another; none for the first. A control commit brings no
    /// other (R-EPOCH), and each seals the key before, so the slot's key leads to all of them.
    pub epochs: Arc<BTreeMap<Epoch, NamedEpoch>>,
    /// The slots of earlier epochs that a former ARK opens, since the present Recovery Key is the account's.
    pub former: Arc<BTreeMap<Epoch, NamedSlot>>,
    pub(super) anchors: Arc<Vec<Anchored>>,
}

/// A vault's epoch as a rekey names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEpoch {
    /// The commitment to its key.
    pub vault_key_commit: Hash,
    /// The key that the log has named before, sealed under this one.
    pub prev_vault_key: Vec<u8>,
    /// The link before the one that names it: part of the sealed key's context.
    pub before: LogHead,
}

/// A Recovery Key that is to take the place of the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The link that announces it.
    pub seq: Seq,
    /// Its public halves.
    pub recovery: RecoveryPublicKeys,
}

/// What a verified account log says (R-LOG): a function of the log and of nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    account_id: AccountId,
    pub(super) hashes: Vec<Hash>,
    /// What each link's signer said of its time.
    times: Vec<u64>,
    pub(super) rekeys: usize,
    pub(super) recoveries: usize,
    pub(super) reanchors: usize,
    seed: [u8; 32],
    server_id: ServerId,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) used_keys: BTreeSet<Hash>,
    pub(super) enrolment_key: PublicKey,
    pub(super) generation: Generation,
    pub(super) ark_commit: Hash,
    pub(super) former: Arc<BTreeMap<Generation, FormerArk>>,
    pub(super) uek_generation: Generation,
    pub(super) uek: KemKey,
    pub(super) recovery: RecoveryPublicKeys,
    /// The link that made it the account's.
    pub(super) recovery_since: Seq,
    pub(super) announced: Option<Announced>,
    pub(super) auth: Option<Auth>,
    pub(super) vaults: BTreeMap<VaultId, AccountVault>,
    /// Vaults that ended with the device that linked them.
    pub(super) ended: BTreeSet<VaultId>,
    /// The links that revoke a device, ascending.
    pub(super) revoking: Vec<Seq>,
    security_version: u32,
}

impl AccountState {
    /// Starts a log from its genesis, which names no account and makes this one.
    ///
    /// # Errors
    /// [`LinkError`]; nothing is trusted before all of it is verified.
    pub fn from_genesis(link: &Signed<AccountLink>) -> Result<Self, LinkError> {
        let value = link.value();
        let LinkBody::Genesis(genesis) = &value.body else { return Err(LinkError::Genesis) };
        let device_id = genesis.device.device_id();
        let zero = value.account_id.is_zero() && value.seq.0 == 0 && value.prev_hash.is_zero();
        if !zero || !value.heads.is_empty() || value.signer != Signer::Device(device_id) {
            return Err(LinkError::Genesis);
        }
        link.verify(&genesis.device.signing)?;
        let hash = link.hash();
        let mut state = Self::new(AccountId::from(hash), (hash, value.time_ms), genesis);
        state.use_signing_key(&genesis.enrolment_key)?;
        state.use_signing_key(&genesis.recovery.signing)?;
        state.use_kem_key(&genesis.uek)?;
        state.use_kem_key(&genesis.recovery.kem)?;
        state.add_device(&genesis.device, None, Seq(0))?;
        Ok(state)
    }

    /// Verifies a whole log from its genesis.
    ///
    /// # Errors
    /// The first link's [`LinkError`].
    pub fn from_links<'a>(
        links: impl IntoIterator<Item = &'a Signed<AccountLink>>,
    ) -> Result<Self, LinkError> {
        let mut links = links.into_iter();
        let mut state = Self::from_genesis(links.next().ok_or(LinkError::Genesis)?)?;
        for link in links {
            state.advance(link)?;
        }
        Ok(state)
    }

    /// The state after one more link.
    ///
    /// # Errors
    /// [`LinkError`]; `self` is as it was.
    pub fn apply(&self, link: &Signed<AccountLink>) -> Result<Self, LinkError> {
        let mut next = self.clone();
        next.advance(link)?;
        Ok(next)
    }

    /// One more link, in place; after an error the state is not one.
    fn advance(&mut self, link: &Signed<AccountLink>) -> Result<(), LinkError> {
        let value = link.value();
        if value.account_id != self.account_id {
            let genesis = matches!(value.body, LinkBody::Genesis(_));
            return Err(if genesis { LinkError::Genesis } else { LinkError::Account });
        }
        let expected = self.head().seq.next();
        let follows = value.prev_hash == self.head().hash || crate::seeded!("link-prev-hash-unchecked");
        if value.seq != expected || !follows {
            return Err(LinkError::Chain { expected, found: value.seq });
        }
        link.verify(&self.signer_key(value)?)?;
        self.check_countersignature(link)?;
        self.check_heads(value)?;
        self.check_room(value)?;
        self.change(value)?;
        if let Signer::Device(device_id) = value.signer
            && let Some(device) = self.devices.get_mut(&device_id)
        {
            device.set_heads(&value.heads, value.seq);
        }
        match value.body {
            LinkBody::Rekey(_) => self.rekeys += 1,
            LinkBody::Recover(_) => self.recoveries += 1,
            LinkBody::Reanchor(_) => self.reanchors += 1,
            _ => {}
        }
        self.hashes.push(link.hash());
        self.times.push(value.time_ms);
        Ok(())
    }

    /// The account.
    pub fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The genesis' random bytes: what key commitments are bound to.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The server the account was made for.
    pub fn server_id(&self) -> ServerId {
        self.server_id
    }

    /// The last link.
    pub fn head(&self) -> LogHead {
        let last = self.hashes.len().saturating_sub(1);
        LogHead { seq: Seq(last as u64), hash: self.hashes.last().copied().unwrap_or_default() }
    }

    /// The hash of the link at `seq`, if the log is known that far.
    pub fn hash_at(&self, seq: Seq) -> Option<Hash> {
        usize::try_from(seq.0).ok().and_then(|index| self.hashes.get(index)).copied()
    }

    /// When the link at `seq` was signed, in milliseconds since 1970: the word of the clock of whoever signed it, which
    /// nobody has verified. `None` where the log is not known that far.
    pub fn time_ms_at(&self, seq: Seq) -> Option<u64> {
        usize::try_from(seq.0).ok().and_then(|index| self.times.get(index)).copied()
    }

    /// A device, active or not.
    pub fn device(&self, device_id: &DeviceId) -> Option<&Device> {
        self.devices.get(device_id)
    }

    /// All devices, active or not, ascending by id.
    pub fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.devices
    }

    /// Whether a link in `(since, until]` revokes any device.
    pub fn revoked_between(&self, since: Seq, until: Seq) -> bool {
        self.revoking.iter().any(|seq| since < *seq && *seq <= until)
    }

    /// The heads of that vault that the latest links of active devices name. A server that serves less withholds, one
    /// that serves another commit at such a position shows a fork. What was said before another history was accepted
    /// says nothing any more.
    pub fn witnessed(&self, vault_id: &VaultId) -> impl Iterator<Item = (DeviceId, LogHead)> {
        let since = self.accepted_at(vault_id);
        let active = self.devices.iter().filter(|(_, device)| device.is_active());
        let active = active.filter(move |(_, device)| device.heads_at() >= since);
        let heads =
            active.flat_map(|(device_id, device)| device.heads().iter().map(move |head| (*device_id, head)));
        heads.filter(|(_, head)| head.vault_id == *vault_id).map(|(device_id, head)| (device_id, head.head))
    }

    /// The generation of ARK.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The commitment to ARK.
    pub fn ark_commit(&self) -> Hash {
        self.ark_commit
    }

    /// ESK's public key.
    pub fn enrolment_key(&self) -> PublicKey {
        self.enrolment_key
    }

    /// UEK and its generation.
    pub fn uek(&self) -> (Generation, &KemKey) {
        (self.uek_generation, &self.uek)
    }

    /// The Recovery Key's public keys.
    pub fn recovery(&self) -> &RecoveryPublicKeys {
        &self.recovery
    }

    /// The link that made the present Recovery Key the account's.
    pub fn recovery_since(&self) -> Seq {
        self.recovery_since
    }

    /// The Recovery Key that is announced, unless a later link has cancelled it.
    pub fn announced_recovery(&self) -> Option<&Announced> {
        self.announced.as_ref()
    }

    /// How the account is signed in to; `None` before the first `auth_update`.
    pub fn auth(&self) -> Option<&AuthUpdate> {
        self.auth.as_ref().map(|auth| &auth.fields)
    }

    /// The link that registered the present password; `None` before the first `auth_update`.
    pub fn password_since(&self) -> Option<Seq> {
        self.auth.as_ref().map(|auth| auth.since)
    }

    /// Where one of the current sign-in slots was first named.
    pub fn auth_slot(&self, hash: &Hash) -> Option<NamedSlot> {
        let before = self.auth.as_ref()?.slots.get(hash)?;
        Some(NamedSlot { hash: *hash, before: *before })
    }

    /// The account's vaults.
    pub fn vaults(&self) -> &BTreeMap<VaultId, AccountVault> {
        &self.vaults
    }

    /// The vaults that were the account's and ended with the device that linked them.
    pub fn ended_vaults(&self) -> &BTreeSet<VaultId> {
        &self.ended
    }

    /// The lowest security version that clients may run.
    pub fn security_version(&self) -> u32 {
        self.security_version
    }

    /// About how many bytes of memory the state takes: keys of devices, hashes of links and keys, named epochs,
    /// slots of former generations.
    pub fn memory_bytes(&self) -> usize {
        let named = self.vaults.values().flat_map(|vault| vault.epochs.values());
        let epochs: usize = named.map(|epoch| 160 + epoch.prev_vault_key.len()).sum();
        let devices = self.devices.values();
        let devices =
            devices.map(|device| 1_600 + 80 * device.heads().len() + 40 * device.earlier_revocations());
        4_096
            + (32 + 8) * self.hashes.len()
            + 64 * self.used_keys.len()
            + 256 * self.vaults.len()
            + epochs
            + self.anchors_bytes()
            + self.former_bytes()
            + devices.sum::<usize>()
    }

    /// The hashes of every slot that the current state names.
    pub fn slot_hashes(&self) -> BTreeSet<Hash> {
        let auth = self.auth.iter().flat_map(|auth| auth.slots.keys().copied());
        let vaults = self.vaults.values().map(|vault| vault.slot.hash);
        let devices = self.devices.values().filter_map(|device| device.slot().map(|slot| slot.hash));
        auth.chain(vaults).chain(devices).collect()
    }

    fn new(account_id: AccountId, (hash, time_ms): (Hash, u64), genesis: &GenesisLink) -> Self {
        Self {
            account_id,
            hashes: vec![hash],
            times: vec![time_ms],
            rekeys: 0,
            recoveries: 0,
            reanchors: 0,
            seed: genesis.seed,
            server_id: genesis.server_id,
            devices: BTreeMap::new(),
            used_keys: BTreeSet::new(),
            enrolment_key: genesis.enrolment_key,
            generation: Generation(1),
            ark_commit: genesis.ark_commit,
            former: Arc::default(),
            uek_generation: Generation(1),
            uek: genesis.uek.clone(),
            recovery: genesis.recovery.clone(),
            recovery_since: Seq(0),
            announced: None,
            auth: None,
            vaults: BTreeMap::new(),
            ended: BTreeSet::new(),
            revoking: Vec::new(),
            security_version: genesis.security_version,
        }
    }

    /// The key that must have signed: who may sign which kind is decided here.
    fn signer_key(&self, link: &AccountLink) -> Result<PublicKey, LinkError> {
        match (link.signer, &link.body) {
            (_, LinkBody::Genesis(_)) => Err(LinkError::Genesis),
            (Signer::Recovery, LinkBody::Recover(_) | LinkBody::RecoveryChange(_)) => {
                Ok(self.recovery.signing)
            }
            (Signer::Recovery, _) | (_, LinkBody::Recover(_)) => Err(LinkError::Signer),
            (Signer::Enrolment, _) if crate::seeded!("kit-signs-anything") => Ok(self.enrolment_key),
            (Signer::Enrolment, LinkBody::DeviceAdd(add)) if add.how == Enrolment::Kit => {
                Ok(self.enrolment_key)
            }
            (Signer::Enrolment, _) => Err(LinkError::Signer),
            (Signer::Device(_), LinkBody::DeviceAdd(add)) if add.how != Enrolment::Pairing => {
                Err(LinkError::Signer)
            }
            (Signer::Device(device_id), _) => {
                let device = self.devices.get(&device_id);
                let device = device
                    .filter(|device| device.is_active() || crate::seeded!("revoked-device-signs-links"));
                device.map(|device| device.keys().signing).ok_or(LinkError::Signer)
            }
        }
    }

    /// Heads name exactly the account's vaults; a `device_add` by kit names none.
    fn check_heads(&self, link: &AccountLink) -> Result<(), LinkError> {
        let fits = match link.signer {
            Signer::Enrolment => link.heads.is_empty(),
            Signer::Device(_) | Signer::Recovery => {
                link.heads.iter().map(|head| &head.vault_id).eq(self.vaults.keys())
            }
        };
        if fits || crate::seeded!("heads-unchecked") { Ok(()) } else { Err(LinkError::Heads) }
    }

    /// Links are bounded; what must always be possible has room of its own.
    fn check_room(&self, link: &AccountLink) -> Result<(), LinkError> {
        let (used, limit) = match link.body {
            LinkBody::Rekey(_) => (self.rekeys, REKEYS_LIMIT),
            LinkBody::Recover(_) => (self.recoveries, RECOVERIES_LIMIT),
            LinkBody::Reanchor(_) if self.reanchors >= REANCHORS_LIMIT => (self.reanchors, REANCHORS_LIMIT),
            _ => (self.hashes.len() - self.rekeys - self.recoveries, LINKS_LIMIT),
        };
        if used < limit { Ok(()) } else { Err(LinkError::Limit("links")) }
    }

    fn change(&mut self, link: &AccountLink) -> Result<(), LinkError> {
        if self.auth.is_none() && !matches!(link.body, LinkBody::AuthUpdate(_)) {
            return Err(LinkError::Rule("the second link is an auth_update"));
        }
        match &link.body {
            LinkBody::Genesis(_) => Err(LinkError::Genesis),
            LinkBody::AuthUpdate(auth) => self.update_auth(auth),
            LinkBody::DeviceAdd(DeviceAdd { keys, how }) => self.add_device(keys, Some(*how), link.seq),
            LinkBody::Rekey(rekey) => self.rekey(rekey, link, None),
            LinkBody::Recover(recover) => self.recover(recover, link),
            LinkBody::RecoveryAnnounce(recovery) => self.announce_recovery(recovery, link.seq),
            LinkBody::RecoveryChange(change) => self.change_recovery(change, link.signer),
            LinkBody::VaultCreate(vault) => self.add_vault(vault, link.signer),
            LinkBody::Reanchor(reanchor) => self.reanchor(reanchor, link),
            LinkBody::SecurityVersion(version) => {
                if Some(*version) != self.security_version.checked_add(1) {
                    return Err(LinkError::Rule("a security version goes up by one"));
                }
                self.security_version = *version;
                Ok(())
            }
            LinkBody::VaultJoin(_) => Err(LinkError::UpdateNeeded("vault_join")),
            LinkBody::VaultLeave(_) => Err(LinkError::UpdateNeeded("vault_leave")),
            LinkBody::ContactPin(_) => Err(LinkError::UpdateNeeded("contact_pin")),
            LinkBody::Escrow(_) => Err(LinkError::UpdateNeeded("escrow")),
        }
    }

    fn add_vault(&mut self, vault: &VaultCreate, signer: Signer) -> Result<(), LinkError> {
        let Signer::Device(by) = signer else { return Err(LinkError::Signer) };
        if self.vaults.len() >= VAULTS_LIMIT {
            return Err(LinkError::Limit("vaults"));
        }
        let slot = NamedSlot { hash: vault.slot, before: self.head() };
        let added = slot.before.seq.next();
        let (epoch, epochs, former) = (Epoch(1), Arc::default(), Arc::default());
        let entry = AccountVault { added, by, slot, epoch, epochs, former, anchors: Arc::default() };
        match self.vaults.insert(vault.vault_id, entry) {
            None if !self.ended.contains(&vault.vault_id) => Ok(()),
            _ => Err(LinkError::Rule("a vault is created once")),
        }
    }

    pub(super) fn add_device(
        &mut self,
        keys: &DevicePublicKeys,
        how: Option<Enrolment>,
        added: Seq,
    ) -> Result<(), LinkError> {
        let limit = if how == Some(Enrolment::Recovery) { ALL_DEVICES_LIMIT } else { DEVICES_LIMIT };
        if self.devices.len() >= limit {
            return Err(LinkError::Limit("devices"));
        }
        self.use_signing_key(&keys.signing)?;
        self.use_kem_key(&keys.kem)?;
        match self.devices.insert(keys.device_id(), Device::new(keys.clone(), how, added)) {
            None => Ok(()),
            Some(_) => Err(LinkError::KeyReused),
        }
    }

    /// A signing key enters the log: a good point, never seen here before.
    pub(super) fn use_signing_key(&mut self, key: &PublicKey) -> Result<(), LinkError> {
        key.check()?;
        self.use_key(&canon::to_bytes(key))
    }

    /// A KEM key enters the log: never seen here before.
    pub(super) fn use_kem_key(&mut self, key: &KemKey) -> Result<(), LinkError> {
        self.use_key(key.as_bytes())
    }

    fn use_key(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let fresh = self.used_keys.insert(hash("used-key", &[bytes]));
        if fresh || crate::seeded!("key-used-again") { Ok(()) } else { Err(LinkError::KeyReused) }
    }
}

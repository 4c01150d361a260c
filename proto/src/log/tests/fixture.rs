//! Accounts and vaults with deterministic keys.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;

use super::recorded::{apply, begin, note_commit, start};
use crate::digest::Digest;
use crate::hash::hash;
use crate::ids::{AccountId, DeviceId, Epoch, Generation, Hash, ItemId, Seq, ServerId, VaultId, Version};
use crate::log::*;
use crate::sign::{PublicKey, Signed};
use crate::signin::KsfProfile;

/// A hash that stands for some bytes named `name`.
pub(crate) fn named(name: &str) -> Hash {
    hash("test", &[name.as_bytes()])
}

pub(crate) fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&named(name).0)
}

pub(crate) fn kem_key(name: &str) -> KemKey {
    let mut bytes = named(name).0.repeat(KemKey::LENGTH / 32);
    for packed in bytes[..1_152].chunks_exact_mut(3) {
        packed[1] &= !0x08;
        packed[2] &= !0x80;
    }
    KemKey::from_bytes(&bytes).unwrap()
}

pub(crate) fn device_keys(name: &str) -> DevicePublicKeys {
    DevicePublicKeys { signing: PublicKey::from(&signing_key(name)), kem: kem_key(name) }
}

pub(crate) fn device_id(name: &str) -> DeviceId {
    device_keys(name).device_id()
}

pub(crate) fn item_id(name: &str) -> ItemId {
    ItemId::from_derived(named(name).0[..16].try_into().unwrap())
}

pub(crate) fn recovery_keys(name: &str) -> RecoveryPublicKeys {
    RecoveryPublicKeys { signing: PublicKey::from(&signing_key(name)), kem: kem_key(name) }
}

/// The key that countersigns under the password of this record.
pub(crate) fn password_key(record: &Hash) -> SigningKey {
    SigningKey::from_bytes(&hash("test password", &[&record.0]).0)
}

/// Signs a link with the key named `key`, and with the password of `state` where it takes that.
pub(crate) fn sign_link(state: &AccountState, link: AccountLink, key: &str) -> Signed<AccountLink> {
    let record = match (state.auth(), &link.body) {
        (None, LinkBody::AuthUpdate(first)) => first.record_hash,
        (auth, _) => auth.map(|auth| auth.record_hash).unwrap_or_default(),
    };
    Signed::sign(link, &signing_key(key)).countersigned(&password_key(&record))
}

pub(crate) fn auth(tag: &str, secret_key_generation: u32) -> AuthUpdate {
    AuthUpdate {
        password_slot: named(&format!("{tag} password")),
        recovery_slot: named(&format!("{tag} recovery")),
        uek_slot: named(&format!("{tag} uek")),
        secret_key_slot: named(&format!("{tag} sk")),
        record_hash: named(&format!("{tag} record")),
        password_key: PublicKey::from(&password_key(&named(&format!("{tag} record")))),
        profile: KsfProfile::Profile1,
        opaque_server_key: named("opaque server").0,
        secret_key_generation: Generation(secret_key_generation),
        secret_key_commit: named(&format!("sk commit {secret_key_generation}")),
    }
}

/// What the clocks of all devices here say.
pub(crate) const TIME_MS: u64 = 1_700_000_000_000;

/// An account with its log.
#[derive(Clone)]
pub(crate) struct TestAccount {
    pub(crate) name: String,
    pub(crate) links: Vec<Signed<AccountLink>>,
    pub(crate) state: AccountState,
    pub(crate) heads: BTreeMap<VaultId, LogHead>,
}

impl TestAccount {
    /// Genesis and auth_update, signed by device `first`.
    pub(crate) fn new(name: &str, first: &str) -> Self {
        let genesis = Self::genesis(name, first);
        let link = Signed::sign(genesis, &signing_key(first));
        let state = begin(&link).unwrap();
        let mut account = Self { name: name.to_owned(), links: vec![link], state, heads: BTreeMap::new() };
        account.push(first, LinkBody::AuthUpdate(auth(name, 1)));
        account
    }

    pub(crate) fn genesis(name: &str, first: &str) -> AccountLink {
        let body = GenesisLink {
            seed: named(&format!("{name} seed")).0,
            server_id: ServerId([7; 16]),
            device: device_keys(first),
            enrolment_key: PublicKey::from(&signing_key(&format!("{name} esk 1"))),
            uek: kem_key(&format!("{name} uek 1")),
            recovery: recovery_keys(&format!("{name} rk 1")),
            ark_commit: named(&format!("{name} ark 1")),
            security_version: 1,
        };
        AccountLink {
            account_id: AccountId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            signer: Signer::Device(device_id(first)),
            time_ms: TIME_MS,
            heads: Vec::new(),
            body: LinkBody::Genesis(Box::new(body)),
        }
    }

    pub(crate) fn id(&self) -> AccountId {
        self.state.account_id()
    }

    /// A link after the head, signed by a device.
    pub(crate) fn link(&self, signer: &str, body: LinkBody) -> AccountLink {
        let heads = self
            .heads
            .iter()
            .map(|(vault_id, head)| VaultHead { vault_id: *vault_id, head: *head })
            .collect();
        let signer = Signer::Device(device_id(signer));
        AccountLink::after(self.id(), &self.state.head(), signer, TIME_MS, heads, body)
    }

    /// Tries a link signed with the key named `key`, without keeping it.
    pub(crate) fn attempt(&self, link: AccountLink, key: &str) -> Result<AccountState, LinkError> {
        apply(&self.state, &sign_link(&self.state, link, key))
    }

    pub(crate) fn accept(&mut self, link: AccountLink, key: &str) {
        let link = sign_link(&self.state, link, key);
        self.state = apply(&self.state, &link).unwrap();
        self.links.push(link);
    }

    pub(crate) fn push(&mut self, signer: &str, body: LinkBody) {
        self.accept(self.link(signer, body), signer);
    }

    pub(crate) fn add_device(&mut self, signer: &str, device: &str) {
        let body = DeviceAdd { keys: device_keys(device), how: Enrolment::Pairing };
        self.push(signer, LinkBody::DeviceAdd(body));
    }

    /// The auth_update of a new password.
    pub(crate) fn new_password(&self, tag: &str) -> AuthUpdate {
        let new = auth(tag, 1);
        AuthUpdate {
            password_slot: new.password_slot,
            record_hash: new.record_hash,
            password_key: new.password_key,
            ..self.state.auth().unwrap().clone()
        }
    }

    /// A rotation: it names the next epoch of every vault, and its key.
    pub(crate) fn name_epoch(&mut self, signer: &str) {
        let rekey = self.rekey(RekeyReason::Rotation, &[]);
        self.push(signer, LinkBody::Rekey(Box::new(rekey)));
    }

    /// A vault of this account's alone, created and linked.
    pub(crate) fn add_vault(&mut self, signer: &str, name: &str) -> TestVault {
        let vault = TestVault::new(self, signer, name);
        let slot = named(&format!("{name} slot 1"));
        self.push(signer, LinkBody::VaultCreate(VaultCreate { vault_id: vault.id(), slot }));
        self.heads.insert(vault.id(), vault.state.head());
        vault
    }

    /// The next rekey as an honest client makes it.
    pub(crate) fn rekey(&self, reason: RekeyReason, revoked: &[&str]) -> Rekey {
        let generation = self.state.generation().next();
        let tag = format!("{} generation {generation}", self.name);
        let old = self.state.auth().unwrap().secret_key_generation.0;
        let fresh = matches!(reason, RekeyReason::Lost | RekeyReason::Recovery);
        let mut revoked: Vec<DeviceId> = revoked.iter().map(|device| device_id(device)).collect();
        revoked.sort();
        let active = self.state.devices().iter().filter(|(_, device)| device.is_active());
        let slots = active.map(|(id, _)| *id).filter(|id| !revoked.contains(id));
        let vaults = self.state.vaults().iter();
        let (uek_generation, uek) = self.state.uek();
        Rekey {
            reason,
            generation,
            ark_commit: named(&format!("{tag} ark")),
            enrolment_key: PublicKey::from(&signing_key(&format!("{tag} esk"))),
            device_slots: slots
                .map(|device_id| DeviceSlot { device_id, slot: named(&format!("{tag} {device_id}")) })
                .collect(),
            auth: auth(&tag, if fresh { old + 1 } else { old }),
            uek_generation,
            uek: uek.clone(),
            vault_slots: vaults
                .map(|(vault_id, vault)| VaultSlot {
                    vault_id: *vault_id,
                    epoch: vault.epoch.next(),
                    vault_key_commit: named(&format!("key of epoch {}", vault.epoch.next())),
                    prev_vault_key: vec![2; 64],
                    slot: named(&format!("{tag} {vault_id}")),
                })
                .collect(),
            prev_ark: vec![1; 64],
            revoked,
        }
    }
}

/// A vault with its log and leaves.
#[derive(Clone)]
pub(crate) struct TestVault {
    pub(crate) entries: Vec<Entry>,
    pub(crate) state: VaultState,
    pub(crate) leaves: LeafMap,
}

impl TestVault {
    pub(crate) fn new(account: &TestAccount, signer: &str, name: &str) -> Self {
        let entry = Self::genesis(account, signer, name);
        let state = start(&entry, &account.state).unwrap();
        Self { entries: vec![entry], state, leaves: LeafMap::default() }
    }

    pub(crate) fn genesis(account: &TestAccount, signer: &str, name: &str) -> Entry {
        let member = Member {
            account_id: account.id(),
            role: Role::Admin,
            position: account.state.head(),
            uek_generation: Generation(1),
            slot: Hash::ZERO,
        };
        let body = CommitBody::Genesis(GenesisCommit {
            seed: named(&format!("{name} seed")).0,
            control: ControlBody {
                members: vec![member],
                epoch: Epoch(1),
                vault_key_commit: named(&format!("{name} key 1")),
                prev_vault_key: Vec::new(),
            },
        });
        let commit = Commit {
            vault_id: VaultId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            kind: CommitKind::Genesis,
            epoch: Epoch(1),
            control_hash: Hash::ZERO,
            author_account: account.id(),
            author_device: device_id(signer),
            author_position: account.state.head(),
            time_ms: TIME_MS,
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        Entry { commit: Signed::sign(commit, &signing_key(signer)), body }
    }

    pub(crate) fn id(&self) -> VaultId {
        self.state.vault_id()
    }

    /// The change that writes `content` as the next version of item `item`.
    pub(crate) fn change(&self, item: &str, content: &str) -> Change {
        let item_id = item_id(item);
        let old = self.leaves.leaf(&item_id);
        let old_version = old.map_or(Version(0), |leaf| leaf.version);
        Change {
            item_id,
            old_version,
            old_blob_hash: old.map_or(Hash::ZERO, |leaf| leaf.blob_hash),
            new_version: old_version.next(),
            new_blob_hash: named(content),
        }
    }

    /// The next commit with this body, its digest and counts as an honest client computes them.
    pub(crate) fn commit(&self, account: &AccountState, signer: &str, body: &CommitBody) -> Commit {
        let mut commit = Commit {
            vault_id: self.id(),
            seq: self.state.head().seq.next(),
            prev_hash: self.state.head().hash,
            kind: body.kind(),
            epoch: self.state.epoch(),
            control_hash: self.state.control().hash,
            author_account: account.account_id(),
            author_device: device_id(signer),
            author_position: account.head(),
            time_ms: TIME_MS,
            digest: self.state.digest(),
            live: self.state.live(),
            tombstones: self.state.tombstones(),
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        match body {
            CommitBody::Content(content) => {
                commit.digest = change_digest(&self.id(), &commit.digest, &content.changes).unwrap();
                commit.live +=
                    content.changes.iter().filter(|change| change.old_version.0 == 0).count() as u64;
            }
            CommitBody::Control(control) => commit.epoch = control.epoch,
            CommitBody::Genesis(_) | CommitBody::Heal(_) => {}
        }
        commit
    }

    pub(crate) fn content(&self, account: &AccountState, signer: &str, changes: &[(&str, &str)]) -> Entry {
        let mut changes: Vec<Change> =
            changes.iter().map(|(item, content)| self.change(item, content)).collect();
        changes.sort_by_key(|change| change.item_id);
        let body = CommitBody::Content(ContentBody { changes });
        let commit = self.commit(account, signer, &body);
        Entry { commit: Signed::sign(commit, &signing_key(signer)), body }
    }

    pub(crate) fn control(&self, account: &AccountState, signer: &str, epoch: Epoch) -> Entry {
        let fresh = epoch != self.state.epoch();
        let member = self.state.members()[&account.account_id()];
        let body = CommitBody::Control(ControlBody {
            members: vec![Member {
                account_id: account.account_id(),
                role: member.role,
                position: account.head(),
                uek_generation: member.uek_generation,
                slot: named(&format!("slot of epoch {epoch}")),
            }],
            epoch,
            vault_key_commit: if fresh {
                named(&format!("key of epoch {epoch}"))
            } else {
                self.state.vault_key_commit()
            },
            prev_vault_key: if fresh { vec![2; 64] } else { self.state.prev_vault_key().to_vec() },
        });
        let commit = self.commit(account, signer, &body);
        Entry { commit: Signed::sign(commit, &signing_key(signer)), body }
    }

    /// The commit that joins `side` to this chain, both of which go on from the commit at `fork`.
    pub(crate) fn heal(&self, account: &AccountState, signer: &str, side: &Self, fork: usize) -> Entry {
        let fork = &self.entries[fork].commit;
        let body = CommitBody::Heal(HealBody {
            fork: fork.value().head(fork.hash()),
            side: side.state.head(),
            side_control_hash: side.state.control().hash,
        });
        let mut commit = self.commit(account, signer, &body);
        commit.seq = self.state.head().seq.max(side.state.head().seq).next();
        commit.epoch = side.state.epoch();
        commit.control_hash = side.state.control().hash;
        Entry { commit: Signed::sign(commit, &signing_key(signer)), body }
    }

    /// Verifies the chain and one more commit, with what `sides` have.
    pub(crate) fn line(
        &self,
        entry: &Entry,
        sides: &[&Self],
        accounts: &impl AccountStates,
    ) -> Result<Line, CommitError> {
        let chain = [self.entries.as_slice(), std::slice::from_ref(entry)].concat();
        Line::verify(&chain, &sides_of(sides), accounts)
    }

    /// The chain after a heal.
    pub(crate) fn join(&mut self, entry: &Entry, sides: &[&Self], accounts: &impl AccountStates) -> Line {
        let line = self.line(entry, sides, accounts).unwrap();
        self.state = line.state().clone();
        self.entries.push(entry.clone());
        line
    }

    /// Applies an entry as a client does: chain and authority, then the leaf map.
    pub(crate) fn attempt(&self, entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        let found = self.followed(entry, accounts);
        note_commit(entry, Some(self.state.head()), accounts, &found);
        found
    }

    fn followed(&self, entry: &Entry, accounts: &impl AccountStates) -> Result<Self, CommitError> {
        let mut next = self.clone();
        next.state = self.state.apply(entry, accounts)?;
        if let CommitBody::Content(content) = &entry.body {
            next.leaves.check(&content.changes)?;
            next.leaves.apply(&content.changes);
        }
        next.entries.push(entry.clone());
        Ok(next)
    }

    pub(crate) fn accept(&mut self, entry: &Entry, accounts: &impl AccountStates) {
        *self = self.attempt(entry, accounts).unwrap();
    }

    pub(crate) fn write(&mut self, account: &AccountState, signer: &str, changes: &[(&str, &str)]) {
        let entry = self.content(account, signer, changes);
        self.accept(&entry, account);
    }
}

/// All commits of some chains.
pub(crate) fn sides_of(sides: &[&TestVault]) -> Sides {
    Sides::new(sides.iter().flat_map(|side| side.entries.clone()))
}

/// Signs an entry's commit again after `change`.
pub(crate) fn resign(entry: &Entry, signer: &str, change: impl FnOnce(&mut Commit)) -> Entry {
    let mut commit = entry.commit.value().clone();
    change(&mut commit);
    Entry { commit: Signed::sign(commit, &signing_key(signer)), body: entry.body.clone() }
}

/// The same heal, under the control state of this branch.
pub(crate) fn under(heal: &Entry, signer: &str, of: &TestVault) -> Entry {
    resign(heal, signer, |commit| {
        (commit.epoch, commit.control_hash) = (of.state.epoch(), of.state.control().hash);
    })
}

/// The account after `by`, which has seen this of the vault, removed a device.
pub(crate) fn removed(before: &TestAccount, by: &str, gone: &str, seen: &TestVault) -> TestAccount {
    let mut after = before.clone();
    after.heads.insert(seen.id(), seen.state.head());
    let rekey = after.rekey(RekeyReason::Lost, &[gone]);
    after.push(by, LinkBody::Rekey(Box::new(rekey)));
    after
}

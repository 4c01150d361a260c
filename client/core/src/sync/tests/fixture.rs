//! An account and a vault with real keys, without a server.

use std::sync::atomic::{AtomicU64, Ordering};

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::item::seal_item;
use lockstep_crypto::kem::KemSecret;
use lockstep_crypto::keys::{Ark, VaultKey};
use lockstep_crypto::random::{Random, make_bytes};
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::blob::{ItemHeader, ItemState};
use lockstep_proto::digest::{Digest, Leaf};
use lockstep_proto::ids::{
    AccountId, DeviceId, Epoch, Generation, Hash, ItemId, Seq, ServerId, VaultId, Version,
};
use lockstep_proto::log::{
    AccountLink, AccountState, Change, Commit, CommitBody, CommitKind, ContentBody, ControlBody, Entry,
    GenesisCommit, GenesisLink, LinkBody, Member, Role, Signer, VaultState, change_digest,
};
use lockstep_proto::sign::{PublicKey, Signed};

use crate::item::{Author, Document, Draft, Saw};
use crate::vault::{LeafState, Leaves, StoredLeaf, VaultKeys};

/// Distinct bytes, the same in every run.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for part in out.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let hash = lockstep_proto::hash::hash("test-random", &[&number.to_be_bytes()]);
            part.copy_from_slice(&hash.0[..part.len()]);
        }
    }
}

/// What one change makes of an item.
#[derive(Clone)]
pub(crate) enum Make {
    Write(Document),
    Purge,
}

/// One device, its account, and the chain of one vault as an honest author extends it.
pub(crate) struct World {
    pub(crate) random: Counting,
    pub(crate) device: DeviceKeys,
    pub(crate) account: AccountState,
    pub(crate) key: [u8; 32],
    pub(crate) genesis: Entry,
    pub(crate) state: VaultState,
    pub(crate) leaves: Leaves,
}

impl World {
    pub(crate) fn new() -> Self {
        let random = Counting::default();
        let device = DeviceKeys::make(&random);
        let account = account(&random, &device);
        let key = make_bytes(&random);
        let genesis = genesis(&random, &device, &account, &key);
        let state = VaultState::from_genesis(&genesis, &account).unwrap();
        Self { random, device, account, key, genesis, state, leaves: Leaves::default() }
    }

    pub(crate) fn vault_id(&self) -> VaultId {
        self.state.vault_id()
    }

    pub(crate) fn keys(&self) -> VaultKeys {
        VaultKeys::of(Epoch(1), VaultKey::from_bytes(self.key))
    }

    pub(crate) fn document(&self, title: &str) -> Document {
        document(title)
    }

    /// A commit on the chain's head, and the blobs of its changes. The chain does not move.
    pub(crate) fn make(&self, makes: &[(ItemId, Make)]) -> (Entry, Vec<(ItemId, Vec<u8>)>) {
        let mut makes = makes.to_vec();
        makes.sort_by_key(|(item_id, _)| *item_id);
        let (mut changes, mut blobs) = (Vec::new(), Vec::new());
        let (mut live, mut tombstones) = (self.state.live(), self.state.tombstones());
        for (item_id, make) in &makes {
            let old = self.leaves.leaf(item_id);
            match old.map(|old| old.state) {
                Some(LeafState::Live) => live -= 1,
                Some(_) => tombstones -= 1,
                None => {}
            }
            match make {
                Make::Write(_) => live += 1,
                Make::Purge => tombstones += 1,
            }
            let (change, blob) = self.seal(item_id, make, old.map(|old| old.leaf));
            changes.push(change);
            blobs.push((*item_id, blob));
        }
        let digest = change_digest(&self.vault_id(), &self.state.digest(), &changes).unwrap();
        let body = CommitBody::Content(ContentBody { changes });
        let commit = Commit {
            vault_id: self.vault_id(),
            seq: self.state.head().seq.next(),
            prev_hash: self.state.head().hash,
            kind: CommitKind::Content,
            control_hash: self.state.control().hash,
            digest,
            live,
            tombstones,
            body_hash: body.hash(),
            ..commit_by(&self.device, &self.account)
        };
        (Entry { commit: Signed::sign(commit, self.device.signing()), body }, blobs)
    }

    /// The same, and the chain moves on.
    pub(crate) fn commit(&mut self, makes: &[(ItemId, Make)]) -> (Entry, Vec<(ItemId, Vec<u8>)>) {
        let (entry, blobs) = self.make(makes);
        self.state = self.state.apply(&entry, &self.account).unwrap();
        let CommitBody::Content(body) = &entry.body else { panic!("content") };
        for change in &body.changes {
            let purged = makes.iter().any(|(id, make)| *id == change.item_id && matches!(make, Make::Purge));
            let state = if purged { LeafState::Tombstone } else { LeafState::Live };
            let leaf = Leaf { version: change.new_version, blob_hash: change.new_blob_hash };
            self.leaves.extend([(change.item_id, StoredLeaf { leaf, state })]);
        }
        (entry, blobs)
    }

    fn seal(&self, item_id: &ItemId, make: &Make, old: Option<Leaf>) -> (Change, Vec<u8>) {
        let (old_version, old_blob_hash) =
            old.map_or((Version(0), Hash::ZERO), |old| (old.version, old.blob_hash));
        let header = ItemHeader {
            vault_id: self.vault_id(),
            epoch: Epoch(1),
            item_id: *item_id,
            version: old_version.next(),
            prev_blob_hash: old_blob_hash,
            author_account: self.account.account_id(),
            author_device: self.device.device_id(),
            state: if matches!(make, Make::Purge) { ItemState::Tombstone } else { ItemState::Live },
        };
        let secret = self.device.derive_rng_secret();
        let hedge = Hedge::new(&self.random, &secret);
        let plaintext = match make {
            Make::Write(document) => document.to_bytes(),
            Make::Purge => Saw::of(&document("one")).to_bytes(),
        };
        let sealed = seal_item(&VaultKey::from_bytes(self.key), &header, &plaintext, &hedge).unwrap();
        let change = Change {
            item_id: *item_id,
            old_version,
            old_blob_hash,
            new_version: header.version,
            new_blob_hash: sealed.hash,
        };
        (change, sealed.bytes)
    }
}

/// A login with this title.
pub(crate) fn document(title: &str) -> Document {
    let author = Author { now_ms: 1_000, device: DeviceId([1; 16]) };
    Draft::by("login", author).unwrap().set("title", title).build().unwrap()
}

/// Item number `number`.
pub(crate) fn item(number: u8) -> ItemId {
    ItemId::from_random([number; 16])
}

fn commit_by(device: &DeviceKeys, account: &AccountState) -> Commit {
    Commit {
        vault_id: VaultId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        kind: CommitKind::Genesis,
        epoch: Epoch(1),
        control_hash: Hash::ZERO,
        author_account: account.account_id(),
        author_device: device.device_id(),
        author_position: account.head(),
        time_ms: 1_000,
        digest: Digest::default(),
        live: 0,
        tombstones: 0,
        observed: Vec::new(),
        body_hash: Hash::ZERO,
    }
}

fn genesis(random: &Counting, device: &DeviceKeys, account: &AccountState, key: &[u8; 32]) -> Entry {
    let seed = make_bytes(random);
    let member = Member {
        account_id: account.account_id(),
        role: Role::Admin,
        position: account.head(),
        uek_generation: Generation(1),
        slot: Hash::ZERO,
    };
    let control = ControlBody {
        members: vec![member],
        epoch: Epoch(1),
        vault_key_commit: VaultKey::from_bytes(*key).derive_commit(&seed, Epoch(1)),
        prev_vault_key: Vec::new(),
    };
    let body = CommitBody::Genesis(GenesisCommit { seed, control });
    let commit = Commit { body_hash: body.hash(), ..commit_by(device, account) };
    Entry { commit: Signed::sign(commit, device.signing()), body }
}

fn account(random: &Counting, device: &DeviceKeys) -> AccountState {
    let seed = make_bytes(random);
    let ark = Ark::make(random);
    let genesis = GenesisLink {
        seed,
        server_id: ServerId([3; 16]),
        device: device.public().clone(),
        enrolment_key: PublicKey::from(&ark.derive_enrolment_key(&seed, Generation(1))),
        uek: KemSecret::make(random).public(),
        recovery: RecoveryKey::make(random).derive_public_keys(),
        ark_commit: ark.derive_commit(&seed, Generation(1)),
        security_version: 1,
    };
    let link = AccountLink {
        account_id: AccountId::ZERO,
        seq: Seq(0),
        prev_hash: Hash::ZERO,
        signer: Signer::Device(device.device_id()),
        time_ms: 0,
        heads: Vec::new(),
        body: LinkBody::Genesis(Box::new(genesis)),
    };
    AccountState::from_genesis(&Signed::sign(link, device.signing())).unwrap()
}

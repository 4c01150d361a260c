//! Making a vault: its genesis on the server first, then the link that makes it the account's.
//!
//! A creation is one sealed record, written before the first byte is sent and removed in the same write that pins the
//! vault. Whatever happens between, the next sync goes on with it.

use lockstep_crypto::keys::{KEY_LENGTH, VaultKey};
use lockstep_crypto::random::make_bytes;
use lockstep_proto::api::vaults::CreateVault;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::digest::Digest;
use lockstep_proto::ids::{Epoch, Hash, ItemId, Seq, VaultId};
use lockstep_proto::log::{
    Commit, CommitBody, CommitError, CommitKind, ControlBody, ENTRY_LIMIT, Entry, GenesisCommit, LATEST_MS,
    Member, Role, VaultState, vault_id_of,
};
use lockstep_proto::{canon, log::AccountState};
use zeroize::Zeroizing;

use super::keys::VaultKeys;
use super::loading::{scan, unseal};
use super::names;
use super::open_vault::OpenVault;
use super::outbox::{Edit, OutboxEntry};
use super::pins::Pin;
use crate::account::{RecordError, Unlocked};
use crate::item::{Author, ItemError, MAX_LIVE_BYTES};
use crate::ports::{Batch, Ports, Table};

const PREFIX: &[u8] = b"vault-creation/";
/// A name, at most, in bytes: what the document that is to hold it can have.
const NAME_LIMIT: usize = MAX_LIVE_BYTES;

/// A vault that is being made.
pub(crate) struct Creation {
    entry: Entry,
    key: VaultKey,
    name: String,
}

impl Creation {
    /// A new vault's genesis and key.
    pub(crate) fn make(unlocked: &Unlocked, name: &str, now_ms: u64) -> Self {
        let key = VaultKey::make(unlocked.random());
        let seed = make_bytes(unlocked.random());
        let state = unlocked.state();
        let member = Member {
            account_id: unlocked.account_id(),
            role: Role::Admin,
            position: state.head(),
            uek_generation: state.uek().0,
            slot: Hash::ZERO,
        };
        let control = ControlBody {
            members: vec![member],
            epoch: Epoch(1),
            vault_key_commit: key.derive_commit(&seed, Epoch(1)),
            prev_vault_key: Vec::new(),
        };
        let body = CommitBody::Genesis(GenesisCommit { seed, control });
        let commit = Commit {
            vault_id: VaultId::ZERO,
            seq: Seq(0),
            prev_hash: Hash::ZERO,
            kind: CommitKind::Genesis,
            epoch: Epoch(1),
            control_hash: Hash::ZERO,
            author_account: unlocked.account_id(),
            author_device: unlocked.device_id(),
            author_position: state.head(),
            time_ms: now_ms.min(LATEST_MS),
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        Self { entry: Entry { commit: unlocked.sign_commit(commit), body }, key, name: name.to_owned() }
    }

    /// The vault that it makes.
    pub(crate) fn vault_id(&self) -> VaultId {
        vault_id_of(&self.entry.commit)
    }

    /// The vault's key.
    pub(crate) fn key(&self) -> &VaultKey {
        &self.key
    }

    /// What is sent, the same bytes every time.
    pub(crate) fn to_request(&self) -> CreateVault {
        CreateVault { commit: self.entry.commit.to_body(), body: Bytes(self.entry.body.to_bytes()) }
    }

    /// Makes the creation durable.
    pub(crate) async fn store(&self, ports: &Ports, unlocked: &Unlocked) -> Result<(), RecordError> {
        let key = record_key(&self.vault_id());
        let plaintext = Zeroizing::new(canon::to_bytes(self));
        let sealed = unlocked.sealer().seal(Table::Profile, &key, &plaintext);
        let mut batch = Batch::new();
        batch.put(
            Table::Profile,
            key,
            sealed.map_err(|source| RecordError::TooLarge { table: Table::Profile, source })?,
        );
        Ok(ports.store.write(batch).await?)
    }

    /// Forgets the creation: nothing but a name is lost.
    pub(crate) async fn give_up(&self, ports: &Ports) -> Result<(), RecordError> {
        let mut batch = Batch::new();
        batch.delete(Table::Profile, record_key(&self.vault_id()));
        Ok(ports.store.write(batch).await?)
    }

    /// The vault, pinned at its genesis, with its name waiting in the outbox; and the write that makes it so and ends
    /// the creation.
    pub(crate) fn adopt(
        self,
        unlocked: &Unlocked,
        accounts: &AccountState,
        author: Author,
    ) -> Result<(OpenVault, Batch), AdoptError> {
        let state = VaultState::from_genesis(&self.entry, accounts)?;
        let vault_id = state.vault_id();
        let pin = Pin::new(state, unlocked.device_id(), author.now_ms);
        let name = self.name_entry(&vault_id, author)?;
        let mut vault = OpenVault::empty(pin, VaultKeys::of(Epoch(1), self.key));
        let records = vault.records(unlocked);
        let mut batch = Batch::new();
        // A first sync may have begun to fetch it meanwhile.
        records.clear_first_sync(&mut batch);
        records.put_pin(&mut batch, &vault.pin)?;
        records.put_keys(&mut batch, &vault.keys)?;
        records.put_commit(&mut batch, &self.entry);
        if let Some((name_id, entry)) = name {
            records.put_outbox(&mut batch, &name_id, &entry)?;
            vault.outbox.insert(name_id, entry);
        }
        batch.delete(Table::Profile, record_key(&vault_id));
        Ok((vault, batch))
    }

    /// For a vault that was pulled before its creation ended: the name if the vault has none yet, and the write that
    /// lets it wait and ends the creation. Pin and items stay as they are.
    pub(crate) fn join(
        self,
        unlocked: &Unlocked,
        vault: &OpenVault,
        author: Author,
    ) -> Result<(Option<(ItemId, OutboxEntry)>, Batch), AdoptError> {
        let vault_id = vault.vault_id();
        let has = |item_id: &ItemId| {
            vault.leaves.leaf(item_id).is_some()
                || vault.outbox.contains_key(item_id)
                || vault.in_flight().is_some_and(|own| own.edits().contains_key(item_id))
        };
        let name = self.name_entry(&vault_id, author)?.filter(|(item_id, _)| !has(item_id));
        let mut batch = Batch::new();
        if let Some((item_id, entry)) = &name {
            vault.records(unlocked).put_outbox(&mut batch, item_id, entry)?;
        }
        batch.delete(Table::Profile, record_key(&vault_id));
        Ok((name, batch))
    }

    fn name_entry(
        &self,
        vault_id: &VaultId,
        author: Author,
    ) -> Result<Option<(ItemId, OutboxEntry)>, ItemError> {
        if self.name.is_empty() {
            return Ok(None);
        }
        let item_id = self.key.derive_item_id_key(vault_id).derive_vault_name();
        let edit = Edit::Write(names::named(None, &self.name, author)?);
        Ok(Some((item_id, OutboxEntry { base: None, base_document: None, edit })))
    }
}

/// Why a vault that was made here cannot be pinned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Name(#[from] ItemError),
}

/// The vaults that are being made.
pub(crate) async fn creations(ports: &Ports, unlocked: &Unlocked) -> Result<Vec<Creation>, RecordError> {
    let mut found = Vec::new();
    for (key, sealed) in scan(&*ports.store, Table::Profile, PREFIX).await? {
        let record = unseal(unlocked, Table::Profile, &key, &sealed)?;
        found.push(canon::from_bytes(&record).map_err(RecordError::reading(Table::Profile))?);
    }
    Ok(found)
}

fn record_key(vault_id: &VaultId) -> Vec<u8> {
    [PREFIX, vault_id.as_bytes()].concat()
}

impl Canon for Creation {
    fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.entry.commit.to_wire());
        out.bytes(&self.entry.body.to_bytes());
        out.fixed::<KEY_LENGTH>(self.key.expose_bytes());
        out.bytes(self.name.as_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let commit = input.bytes(2 * ENTRY_LIMIT)?;
        let body = input.bytes(ENTRY_LIMIT)?;
        let entry = Entry::from_wire(commit, body).map_err(|_| CanonError::Invalid("genesis"))?;
        let key = VaultKey::from_bytes(input.fixed::<KEY_LENGTH>()?);
        let name = String::from_utf8(input.bytes(NAME_LIMIT)?.to_vec());
        Ok(Self { entry, key, name: name.map_err(|_| CanonError::Invalid("name"))? })
    }
}

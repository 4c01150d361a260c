//! The facade: one unlocked profile as an app sees it.
//!
//! Every method that changes something is durable when it returns: it makes one local write, and a crash before that
//! write leaves everything as it was. Nothing but [`Client::sync`], [`Client::create_vault`], [`Client::pair`], what
//! changes devices and keys, [`Client::two_histories`] and [`Client::join_histories`] talks to the server, so
//! everything else works offline.
//!
//! **Invariants:** a call whose future was dropped, or whose write failed, is seen by the next call that writes as the
//! local store has it: whole or not at all. What [`Client::item`] shows was verified or written here; a failed sync changes neither what is
//! shown nor what waits to be sent.

mod editing;
mod error;
mod importing;
mod joining;
mod life_cycle;
mod pairing;
mod reading;
mod recovery;
mod settled;
mod telling;
#[cfg(test)]
mod tests;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_crypto::random::make_bytes;
use lockstep_proto::ids::{AccountId, DeviceId, ItemId, VaultId};

use crate::account::{AccountError, Claims, RecordError, SecurityEvent, Session, Unlocked, note_event};
use crate::api::Api;
use crate::item::Author;
use crate::ports::{Batch, Ports, Table};
use crate::sync::{Engine, SyncError};
use crate::vault::{self, OpenVault};

use self::settled::Settling;

pub use editing::Saved;
pub use error::ClientError;
pub use importing::{ImportItem, ImportOutcome, ImportedItems};
pub use joining::{BranchInfo, JoinError, TwoHistories};
pub use life_cycle::LifeCycleError;
pub use pairing::{Invited, Offered, PairError};
pub use recovery::{TakeBack, WaitingRecoveryKey};
pub use views::{
    ConflictInfo, ConflictValue, DeviceInfo, ItemSummary, OpenItem, QuarantineInfo, Status, VaultInfo,
    VaultStatus,
};

pub use crate::sync::{ItemNotice, Progress, ProgressSink, Silent, SyncReport};
pub use crate::vault::{Notice, Pending, QuarantineReason};

/// Evidence is kept once for each log of the account.
const FORKS_LIMIT: usize = lockstep_proto::log::VAULTS_LIMIT + 1;

/// One unlocked profile. Dropping it locks the profile.
pub struct Client {
    ports: Ports,
    api: Api,
    session: Session,
    unlocked: Unlocked,
    vaults: BTreeMap<VaultId, OpenVault>,
    claims: Claims,
    settling: Arc<Settling>,
}

impl Client {
    /// Opens what the device has, without the server: pins, leaves, and edits that wait.
    ///
    /// # Errors
    /// [`ClientError`] when the local store fails or a record in it is not as it was written.
    pub async fn open(ports: Ports, unlocked: Unlocked) -> Result<Self, ClientError> {
        let api = Api::new(ports.transport.clone());
        let session = Session::new(&api, &unlocked);
        let settling = Arc::new(Settling::new(ports.store.clone()));
        let ports = Ports { store: settling.clone(), ..ports };
        let vaults = vault::open_all::<ClientError>(&ports, &unlocked).await?;
        let claims = Claims::load(&*ports.store, &unlocked).await?;
        Ok(Self { ports, api, session, unlocked, vaults, claims, settling })
    }

    /// The account.
    pub fn account_id(&self) -> AccountId {
        self.unlocked.account_id()
    }

    /// This device.
    pub fn device_id(&self) -> DeviceId {
        self.unlocked.device_id()
    }

    /// The unlocked account: its verified log and keys.
    pub fn unlocked(&self) -> &Unlocked {
        &self.unlocked
    }

    /// Who edits, at what time: what [`crate::item::Document::edit`] and [`crate::item::Draft::by`] take.
    pub fn author(&self) -> Author {
        Author { now_ms: self.ports.clock.now_ms(), device: self.unlocked.device_id() }
    }

    /// The id for a new item.
    pub fn make_item_id(&self) -> ItemId {
        ItemId::from_random(make_bytes(&*self.ports.random))
    }

    /// Makes a vault: its genesis on the server first, then the link that makes it the account's. Needs the server.
    /// Once started it is finished by this call, or by the next [`Client::sync`] after a crash or a lost answer.
    ///
    /// # Errors
    /// [`SyncError`]; the vault's keys are kept and the next sync goes on with it.
    pub async fn create_vault(&mut self, name: &str) -> Result<VaultId, SyncError> {
        self.settle::<SyncError>().await?;
        self.engine(&Silent).create_vault(name).await
    }

    /// Brings this device and the server in step: own account log, then every vault, first pulling, then pushing.
    /// Dropping the future is safe at any point; the next sync goes on.
    ///
    /// What happened to items is told by every sync that succeeds, also when another one found it or failed after it,
    /// until [`Client::mark_told`] says that the user has seen it.
    ///
    /// # Errors
    /// The first [`SyncError`] of the account, or of a vault once all other vaults were tried. Edits stay on this
    /// device, and nothing of a vault that failed was changed.
    pub async fn sync(&mut self) -> Result<SyncReport, SyncError> {
        self.sync_with(&Silent).await
    }

    /// [`Client::sync`], with its steps told to `progress`.
    ///
    /// # Errors
    /// As [`Client::sync`].
    pub async fn sync_with(&mut self, progress: &dyn ProgressSink) -> Result<SyncReport, SyncError> {
        self.settle::<SyncError>().await?;
        let synced = self.engine(progress).sync().await;
        let kept = match synced.as_ref().err().and_then(SyncError::fork) {
            Some(vault_id) => Box::pin(self.keep_fork(vault_id, progress)).await,
            None => Ok(()),
        };
        if synced.as_ref().is_err_and(|error| !error.is_offline()) {
            self.session.close();
        }
        kept?;
        let mut report = synced?;
        self.tell(&mut report).await?;
        Ok(report)
    }

    /// Keeps the event, and evidence of it.
    async fn keep_fork(&mut self, vault_id: VaultId, progress: &dyn ProgressSink) -> Result<(), SyncError> {
        self.note(SecurityEvent::Fork { vault_id }).await?;
        self.engine(progress).keep_evidence(vault_id).await
    }

    /// The evidence of forks that this device keeps: the vault, zero for the account's own log, and the file, which
    /// [`ForkEvidence::verify`](lockstep_proto::log::ForkEvidence::verify) needs nothing else for.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn fork_evidence(&self) -> Result<Vec<(VaultId, Vec<u8>)>, ClientError> {
        let mut found = Vec::new();
        for prefix in [crate::sync::evidence::PREFIX, crate::sync::evidence::JOINED_PREFIX] {
            let kept = self.ports.store.scan(Table::Profile, prefix, None, FORKS_LIMIT).await?;
            let ids = kept
                .into_iter()
                .filter_map(|(key, file)| Some((VaultId(key.get(prefix.len()..)?.try_into().ok()?), file)));
            found.extend(ids);
        }
        Ok(found)
    }

    /// Keeps an event that no link tells.
    async fn note(&self, event: SecurityEvent) -> Result<(), SyncError> {
        let mut batch = Batch::new();
        note_event(&self.unlocked, event, self.ports.clock.now_ms(), &mut batch)
            .map_err(AccountError::from)?;
        Ok(self.ports.store.write(batch).await?)
    }

    /// Reads the vaults anew if the end of a write was not seen: its future was dropped, or the store failed.
    async fn settle<E: From<RecordError> + From<AccountError>>(&mut self) -> Result<(), E> {
        if !self.settling.is_settled() {
            self.vaults = vault::open_all::<E>(&self.ports, &self.unlocked).await?;
            self.claims = Claims::load(&*self.ports.store, &self.unlocked).await?;
            self.settling.settle();
        }
        Ok(())
    }

    fn engine<'a>(&'a mut self, progress: &'a dyn ProgressSink) -> Engine<'a> {
        Engine {
            ports: &self.ports,
            api: &self.api,
            session: &self.session,
            unlocked: &mut self.unlocked,
            vaults: &mut self.vaults,
            progress,
            claims: &mut self.claims,
        }
    }

    fn vault(&self, vault_id: &VaultId) -> Result<&OpenVault, ClientError> {
        self.vaults.get(vault_id).ok_or(ClientError::NoVault(*vault_id))
    }
}

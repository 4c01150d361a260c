//! The driver: one sync from beginning to end. It acts; what to do is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::{DeviceId, Epoch, VaultId};
use lockstep_proto::log::{AccountLink, CommitError, LinkBody, LogHead, Signer, VaultCreate, VaultHead};
use lockstep_proto::wrap::slot_hash;

use super::Wire;
use super::error::SyncError;
use super::first::first_pull;
use super::freshness::{self, Claim};
use super::healed_history::judge_anew;
use super::history::check_history;
use super::pull::pull;
use super::push::push;
use super::report::{Progress, ProgressSink, SyncReport};
use super::wire::Patience;
use crate::account::{self, AccountError, Claims, LinkParts, Said, Session, Unlocked};
use crate::api::Api;
use crate::item::Author;
use crate::ports::{Batch, Ports};
use crate::vault::{AdoptError, Creation, OpenVault, creations, names, open_pinned};

/// How often a link is made anew because the account's log moved on meanwhile.
const LINK_ATTEMPTS: usize = 4;

/// Everything a sync works on, borrowed from the client.
pub(crate) struct Engine<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) api: &'a Api,
    pub(crate) session: &'a Session,
    pub(crate) unlocked: &'a mut Unlocked,
    pub(crate) vaults: &'a mut BTreeMap<VaultId, OpenVault>,
    pub(crate) progress: &'a dyn ProgressSink,
    pub(crate) claims: &'a mut Claims,
}

impl Engine<'_> {
    /// Account log, vaults in creation, then every vault of the verified log.
    pub(crate) async fn sync(&mut self) -> Result<SyncReport, SyncError> {
        let mut report = SyncReport::default();
        let failure = self.sync_all(&mut report).await?;
        let checked = self.check_claims(&mut report, &BTreeSet::new()).await;
        // Those that are still here are told each time: nothing of them is sent any more.
        let ended = self.unlocked.state().ended_vaults();
        report.ended_vaults = ended.iter().filter(|id| self.vaults.contains_key(id)).copied().collect();
        failure.or(checked.err()).map_or(Ok(report), Err)
    }

    /// The same without what other devices say that they have seen. Gives the first failure of a part that does not
    /// keep the others from going on.
    ///
    /// # Errors
    /// [`SyncError`] where nothing goes on: offline, or the account's log is refused.
    pub(super) async fn sync_all(&mut self, report: &mut SyncReport) -> Result<Option<SyncError>, SyncError> {
        let mut waiting = self.sync_account_unless_waiting(report).await?;
        self.remind_of_recovery_key().await?;
        let mut failure = self.finish_creations(report).await.err();
        // All are pulled before anything is written: what a commit names of other vaults a restored server has again by
        // then.
        let vault_ids: Vec<VaultId> = self.unlocked.state().vaults().keys().copied().collect();
        let mut pulled = BTreeSet::new();
        for vault_id in vault_ids {
            match self.pull_vault(vault_id, report).await {
                Ok(()) => drop(pulled.insert(vault_id)),
                Err(error) if error.is_offline() => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for vault_id in &pulled {
            match self.write_vault(*vault_id, report).await {
                Ok(()) => report.vaults += 1,
                Err(error) if error.is_offline() => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match waiting {
            Some(AccountError::CutOffPassed) => self.give_up_passed().await?,
            Some(_) => waiting = self.sync_account_unless_waiting(report).await?,
            None => {}
        }
        Ok(failure.or(waiting.map(SyncError::from)))
    }

    /// Brings the account's log up to date. A change that waits and that the server does not take now is no reason not
    /// to go on: it is given.
    async fn sync_account_unless_waiting(
        &mut self,
        report: &mut SyncReport,
    ) -> Result<Option<AccountError>, SyncError> {
        match self.sync_account(report).await {
            Ok(()) => Ok(None),
            Err(SyncError::Account(error @ (AccountError::CutOffPassed | AccountError::VaultNotThere))) => {
                Ok(Some(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Starts a vault durably, then takes it to the server.
    pub(crate) async fn create_vault(&mut self, name: &str) -> Result<VaultId, SyncError> {
        names::named(None, name, self.author())?;
        let mut report = SyncReport::default();
        self.sync_account(&mut report).await?;
        let creation = Creation::make(self.unlocked, name, self.ports.clock.now_ms());
        creation.store(self.ports, self.unlocked).await?;
        let vault_id = creation.vault_id();
        self.finish_creations(&mut report).await?;
        Ok(vault_id)
    }

    pub(super) fn wire(&self) -> Wire<'_> {
        Wire {
            ports: self.ports,
            api: self.api,
            session: self.session,
            unlocked: self.unlocked,
            progress: self.progress,
        }
    }

    fn author(&self) -> Author {
        Author { now_ms: self.ports.clock.now_ms(), device: self.unlocked.device_id() }
    }

    /// The heads that the account's log says its active devices have seen: also for a vault that is new here.
    fn witnessed(&self) -> Vec<Said> {
        let state = self.unlocked.state();
        let heads = state.vaults().keys().flat_map(|vault_id| {
            let heads = state.witnessed(vault_id);
            heads.map(|(by, head)| Said { seen: VaultHead { vault_id: *vault_id, head }, by })
        });
        heads.collect()
    }

    /// Brings the account's log up to date, again with backoff while a failure may pass by itself.
    pub(crate) async fn sync_account(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        self.progress.progress(Progress::Account);
        let mut patience = Patience::new();
        let mut healed = false;
        loop {
            let error = match self.pull_account(report).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !healed && Box::pin(self.heal_account(&error, report)).await? {
                healed = true;
                continue;
            }
            match error {
                AccountError::Api(error) => {
                    patience.wait(self.ports, error).await.map_err(AccountError::Api)?;
                }
                error => return Err(error.into()),
            }
        }
    }

    /// A link that waits goes first; then the log is pulled.
    async fn pull_account(&mut self, report: &mut SyncReport) -> Result<(), AccountError> {
        let resumed = account::resume_link(self.ports, self.api, self.unlocked, self.session).await;
        match resumed {
            Ok(())
            | Err(AccountError::LinkOvertaken | AccountError::CutOffPassed | AccountError::VaultNotThere) => {
            }
            Err(error) => return Err(error),
        }
        let change = account::pull_account(self.ports, self.api, self.unlocked, self.session).await?;
        report.new_devices.extend(change.added_devices);
        match resumed {
            Err(error @ (AccountError::CutOffPassed | AccountError::VaultNotThere)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Verifies what a first sync left of a vault that was pulled, then pushes.
    async fn write_vault(&mut self, vault_id: VaultId, report: &mut SyncReport) -> Result<(), SyncError> {
        match self.push_vault(vault_id, report).await {
            Err(SyncError::Commit { source: CommitError::Withheld { .. }, .. }) => {
                self.sync_account(report).await?;
                self.pull_vault(vault_id, report).await?;
                self.push_vault(vault_id, report).await
            }
            other => other,
        }
    }

    /// No epoch is raised on a branch that another device is known to be ahead of: it may have raised it already.
    async fn check_raising(&self, vault_id: &VaultId) -> Result<(), SyncError> {
        let Some(vault) = self.vaults.get(vault_id).filter(|vault| vault.keys().are_due()) else {
            return Ok(());
        };
        for (_, head) in self.unlocked.state().witnessed(vault_id).collect::<Vec<_>>() {
            freshness::check(&*self.ports.store, vault, head).await?;
        }
        Ok(())
    }

    /// Before this device writes in a vault it has verified all of it; the sync that fetches one does not wait for that
    /// where there is nothing to send.
    async fn push_vault(&mut self, vault_id: VaultId, report: &mut SyncReport) -> Result<(), SyncError> {
        let is_new = report.new_vaults.contains(&vault_id);
        let idle = |vault: &OpenVault| vault.pending() == 0 && !vault.keys().are_due();
        if is_new && self.vaults.get(&vault_id).is_none_or(idle) {
            return Ok(());
        }
        self.check_history(vault_id).await?;
        self.check_raising(&vault_id).await?;
        let news = freshness::news(self.vaults.iter(), &vault_id);
        let Self { ports, api, session, unlocked, vaults, progress, claims } = self;
        let wire = Wire { ports, api, session, unlocked, progress: *progress };
        match vaults.get_mut(&vault_id) {
            Some(vault) => push(wire, vault, &news, claims, report).await,
            None => Ok(()),
        }
    }

    pub(super) async fn check_history(&mut self, vault_id: VaultId) -> Result<(), SyncError> {
        let Self { ports, api, session, unlocked, vaults, progress, claims } = self;
        let wire = Wire { ports, api, session, unlocked, progress: *progress };
        match vaults.get_mut(&vault_id) {
            Some(vault) => Box::pin(check_history(wire, vault, claims)).await,
            None => Ok(()),
        }
    }

    /// A commit whose author this device's copy of the account log does not reach yet makes it pull that log once more;
    /// a server that has lost what this device has gets it back first.
    pub(super) async fn pull_vault(
        &mut self,
        vault_id: VaultId,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let mut pulled = self.pull_once(vault_id, report).await;
        if let Err(error) = &pulled {
            match Box::pin(self.heal_vault(vault_id, error, report)).await {
                Ok(true) => pulled = self.pull_once(vault_id, report).await,
                Ok(false) => {}
                Err(error @ SyncError::Commit { .. }) => pulled = Err(error),
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = &pulled
            && Box::pin(self.follow_heal(vault_id, error, report)).await?
        {
            pulled = self.pull_once(vault_id, report).await;
        }
        match pulled {
            Err(SyncError::Commit { source: CommitError::Withheld { .. }, .. }) => {
                self.sync_account(report).await?;
                self.pull_once(vault_id, report).await
            }
            Err(SyncError::Api(error)) if error.code() == Some(ErrorCode::NoVault) => {
                let named = self.unlocked.state().vaults().get(&vault_id);
                let unknown = named.filter(|_| !self.vaults.contains_key(&vault_id));
                Err(unknown.map_or(error.into(), |vault| SyncError::VaultNotThere { vault_id, by: vault.by }))
            }
            other => other,
        }
    }

    async fn pull_once(&mut self, vault_id: VaultId, report: &mut SyncReport) -> Result<(), SyncError> {
        if !self.vaults.contains_key(&vault_id)
            && let Some(vault) = open_pinned::<SyncError>(self.ports, self.unlocked, &vault_id).await?
        {
            self.vaults.insert(vault_id, vault);
        }
        let Self { ports, api, session, unlocked, vaults, progress, claims } = self;
        let wire = Wire { ports, api, session, unlocked, progress: *progress };
        match vaults.get_mut(&vault_id) {
            Some(vault) => {
                match Box::pin(judge_anew(wire, vault)).await {
                    // What it lacks may come now.
                    Ok(()) | Err(SyncError::Withheld { .. }) => {}
                    Err(error) => return Err(error),
                }
                Box::pin(pull(wire, vault, None, claims, report)).await?;
                Box::pin(judge_anew(wire, vault)).await
            }
            None => {
                let vault = Box::pin(first_pull(wire, vault_id, claims, report)).await?;
                // With a heal on its chain, what of it counts is known only once its history is.
                let is_healed = !vault.pin().state().joins().is_empty();
                self.vaults.insert(vault_id, vault);
                if is_healed { self.check_history(vault_id).await } else { Ok(()) }
            }
        }
    }

    /// Every head that another device has seen must be in this device's chain, or be given by the server now. The first
    /// failure is told once all were judged.
    ///
    /// What only devices of `disregarded` say counts for nothing.
    pub(super) async fn check_claims(
        &mut self,
        report: &mut SyncReport,
        disregarded: &BTreeSet<DeviceId>,
    ) -> Result<(), SyncError> {
        let before = self.claims.clone();
        self.claims.note(self.witnessed());
        let devices = self.unlocked.state().devices();
        self.claims.keep_by(|device_id| devices.get(device_id).is_some_and(|device| device.is_active()));
        let mut failure = self.pull_claimed(report).await.err();
        for VaultHead { vault_id, head } in self.claims.made_by(|by| !disregarded.contains(by)) {
            match self.check_claim(vault_id, head).await {
                Ok(Claim::Met) => self.claims.end(&vault_id, &head),
                Ok(Claim::Open) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if *self.claims != before {
            let mut batch = Batch::new();
            self.claims.put(&mut batch, self.unlocked)?;
            self.ports.store.write(batch).await?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Pulls every vault that somebody has seen further along, each once more at most: a pull may bring claims about
    /// others.
    async fn pull_claimed(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        let mut pulled = BTreeSet::new();
        let mut failure = None;
        while let Some(vault_id) = self.claimed_above(&pulled) {
            pulled.insert(vault_id);
            match self.pull_vault(vault_id, report).await {
                Err(error) if error.is_offline() => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
                Ok(()) => {}
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn claimed_above(&self, pulled: &BTreeSet<VaultId>) -> Option<VaultId> {
        let mut left = self.vaults.iter().filter(|(vault_id, _)| !pulled.contains(vault_id));
        let found = left.find(|(vault_id, vault)| {
            self.claims.highest(vault_id).is_some_and(|highest| highest.seq > vault.pin().state().head().seq)
        });
        found.map(|(vault_id, _)| *vault_id)
    }

    async fn check_claim(&self, vault_id: VaultId, head: LogHead) -> Result<Claim, SyncError> {
        if !self.unlocked.state().vaults().contains_key(&vault_id) {
            return Ok(Claim::Met);
        }
        let Some(vault) = self.vaults.get(&vault_id) else { return Ok(Claim::Open) };
        freshness::check(&*self.ports.store, vault, head).await
    }

    /// Takes every vault in creation to the server and into the account's log.
    async fn finish_creations(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        for creation in creations(self.ports, self.unlocked).await? {
            self.finish_creation(creation, report).await?;
        }
        Ok(())
    }

    async fn finish_creation(
        &mut self,
        creation: Creation,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let vault_id = creation.vault_id();
        if !self.unlocked.state().vaults().contains_key(&vault_id) {
            let request = creation.to_request();
            let wire = self.wire();
            let made = match wire.repeat(|| wire.api.create_vault(wire.session, &request)).await {
                Ok(made) => made,
                Err(source) if source.code() == Some(ErrorCode::TooManyVaults) => {
                    creation.give_up(self.ports).await?;
                    return Err(SyncError::TooManyVaults { source });
                }
                Err(error) => return Err(error.into()),
            };
            if made.vault_id != vault_id {
                return Err(SyncError::NotMade { vault_id, what: "the server calls it otherwise" });
            }
            self.link_vault(&creation, report).await?;
        }
        let author = self.author();
        let refused = |error| match error {
            AdoptError::Commit(source) => SyncError::Commit { vault_id, source },
            AdoptError::Record(error) => error.into(),
            AdoptError::Name(error) => error.into(),
        };
        if let Some(vault) = self.vaults.get_mut(&vault_id) {
            let (name, batch) = creation.join(self.unlocked, vault, author).map_err(refused)?;
            self.ports.store.write(batch).await?;
            vault.outbox.extend(name);
            return Ok(());
        }
        let adopted = creation.adopt(self.unlocked, self.unlocked.state(), author);
        let (vault, batch) = adopted.map_err(refused)?;
        self.ports.store.write(batch).await?;
        self.vaults.insert(vault_id, vault);
        report.new_vaults.push(vault_id);
        Ok(())
    }

    /// Signs the `vault_create` link, anew while other devices are faster.
    async fn link_vault(&mut self, creation: &Creation, report: &mut SyncReport) -> Result<(), SyncError> {
        let vault_id = creation.vault_id();
        for _ in 0..LINK_ATTEMPTS {
            let heads = self.heads(report).await?;
            let slot = account::make_vault_key_slot(self.unlocked, vault_id, Epoch(1), creation.key())?;
            let body = LinkBody::VaultCreate(VaultCreate { vault_id, slot: slot_hash(&slot) });
            let signer = Signer::Device(self.unlocked.device_id());
            let state = self.unlocked.state();
            let now_ms = self.ports.clock.now_ms();
            let link = AccountLink::after(state.account_id(), &state.head(), signer, now_ms, heads, body);
            let link = self.unlocked.sign_link(link);
            let parts = LinkParts::of_slots(vec![slot]);
            match account::append_link(self.ports, self.api, self.unlocked, self.session, link, parts).await {
                Ok(()) => return Ok(()),
                Err(AccountError::LinkOvertaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// The pinned head of every vault of the account, fetching those that are new here and verifying them whole: what
    /// this device signs it vouches for.
    pub(crate) async fn heads(&mut self, report: &mut SyncReport) -> Result<Vec<VaultHead>, SyncError> {
        let vault_ids: Vec<VaultId> = self.unlocked.state().vaults().keys().copied().collect();
        let mut heads = Vec::new();
        for vault_id in vault_ids {
            if !self.vaults.contains_key(&vault_id) {
                self.pull_vault(vault_id, report).await?;
            }
            heads.extend(self.head(vault_id).await?);
        }
        Ok(heads)
    }

    /// The pinned head of a vault that is here, once it was verified whole.
    pub(super) async fn head(&mut self, vault_id: VaultId) -> Result<Option<VaultHead>, SyncError> {
        self.check_history(vault_id).await?;
        Ok(self.vaults.get(&vault_id).map(|vault| vault.pin().state().vault_head()))
    }
}

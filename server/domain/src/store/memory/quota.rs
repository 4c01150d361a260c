//! Shares in memory.

use async_trait::async_trait;
use lockstep_proto::ids::{AccountId, VaultId};

use super::super::{Allot, AllotOutcome, Counted, OwnLimits, QuotaStore, StagePlace, StoreError, Usage};
use super::heal::Stage;
use super::sides::StagedSides;
use super::{Account, MemoryStore, Tables};

#[async_trait]
impl QuotaStore for MemoryStore {
    async fn allot(&self, request: Allot) -> Result<AllotOutcome, StoreError> {
        let mut tables = self.lock();
        let place = request.place;
        let account = tables.accounts.get(&place.account_id);
        let limits = account.map(|account| account.own).unwrap_or_default().or(request.limits);
        let log = account.map_or(0, Account::bytes);
        let has_place = tables.shares.contains_key(&(place.account_id, place.vault_id));
        if !has_place && tables.vaults_of(place.account_id).len() as u64 >= limits.vaults {
            return Ok(AllotOutcome::TooManyVaults);
        }
        let counted = tables.counted(place, log);
        let share = match counted.share(request.more, limits.bytes) {
            Some(share) => share,
            None => {
                tables.trim_others(place);
                let counted = tables.counted(place, log);
                match counted.share(request.more, limits.bytes) {
                    Some(share) => share,
                    None => return Ok(AllotOutcome::Full(counted.shortage(limits.bytes))),
                }
            }
        };
        tables.set_share(place, share);
        Ok(AllotOutcome::Allotted(share))
    }

    async fn usage(&self, account_id: AccountId) -> Result<Option<Usage>, StoreError> {
        let tables = self.lock();
        let Some(account) = tables.accounts.get(&account_id) else { return Ok(None) };
        let vaults = tables.vaults_of(account_id);
        let held = |vault_id: &VaultId| tables.held(StagePlace { vault_id: *vault_id, account_id });
        Ok(Some(Usage {
            log_bytes: account.bytes(),
            vault_bytes: vaults.iter().map(held).sum(),
            vaults: vaults.len() as u64,
            own: account.own,
        }))
    }

    async fn set_limits(&self, account_id: AccountId, own: OwnLimits) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(account) = tables.accounts.get_mut(&account_id) else { return Ok(false) };
        account.own = own;
        Ok(true)
    }
}

impl Tables {
    /// The vaults that have one of the account's places.
    fn vaults_of(&self, account_id: AccountId) -> Vec<VaultId> {
        let all = (account_id, VaultId([0; 32]))..=(account_id, VaultId([255; 32]));
        self.shares.range(all).map(|((_, vault_id), _)| *vault_id).collect()
    }

    /// What a vault and its staging area hold.
    fn held(&self, place: StagePlace) -> u64 {
        let vault = self.vaults.get(&place.vault_id).map_or(0, |vault| vault.used_bytes);
        let staged = self.stages.get(&place).map_or(0, Stage::bytes);
        vault + staged + self.staged_sides.get(&place).map_or(0, StagedSides::bytes)
    }

    /// What all staging areas of a vault hold.
    pub(super) fn staged_bytes(&self, vault_id: &VaultId) -> u64 {
        let stages = self.stages.iter().filter(|(place, _)| place.vault_id == *vault_id);
        let sides = self.staged_sides.iter().filter(|(place, _)| place.vault_id == *vault_id);
        stages.map(|(_, stage)| stage.bytes()).chain(sides.map(|(_, sides)| sides.bytes())).sum()
    }

    fn counted(&self, place: StagePlace, log: u64) -> Counted {
        let others = self.shares.iter().filter(|((account_id, vault_id), _)| {
            *account_id == place.account_id && *vault_id != place.vault_id
        });
        Counted { log, others: others.map(|(_, share)| share).sum(), held: self.held(place) }
    }

    fn trim_others(&mut self, place: StagePlace) {
        let account_id = place.account_id;
        for vault_id in self.vaults_of(account_id).into_iter().filter(|other| *other != place.vault_id) {
            let other = StagePlace { vault_id, account_id };
            self.set_share(other, self.held(other));
        }
    }

    fn set_share(&mut self, place: StagePlace, share: u64) {
        self.shares.insert((place.account_id, place.vault_id), share);
        if let Some(vault) = self.vaults.get_mut(&place.vault_id) {
            vault.quota_bytes = share;
        }
    }
}

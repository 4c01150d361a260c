//! Accounts in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lockstep_proto::ids::{AccountId, Hash, Seq};
use lockstep_proto::log::LogHead;

use super::super::{
    AccountStore, Admission, AppendOutcome, CreateOutcome, LinkPage, NewAccount, NewLinks, OwnLimits,
    SignInStore, StoreError, StoredRecord, StoredSlot,
};
use super::{Account, MemoryStore, Tables, fits};

#[async_trait]
impl AccountStore for MemoryStore {
    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
    ) -> Result<CreateOutcome, StoreError> {
        let mut tables = self.lock();
        if let Some(known) = tables.accounts.get(&account.account_id) {
            let same = known.links.get(..account.links.len()) == Some(&account.links);
            return Ok(if same { CreateOutcome::Already } else { CreateOutcome::Exists });
        }
        if !tables.admit(admission) {
            return Ok(CreateOutcome::NotAdmitted);
        }
        let slots = account.slots.into_iter().map(|slot| (slot.hash, slot.bytes)).collect();
        let own = OwnLimits::default();
        let entry = Account { links: account.links, slots, record: account.record, own };
        tables.accounts.insert(account.account_id, entry);
        Ok(CreateOutcome::Created)
    }

    async fn append_links(&self, links: NewLinks) -> Result<AppendOutcome, StoreError> {
        let mut tables = self.lock();
        let Some(account) = tables.accounts.get_mut(&links.account_id) else {
            return Ok(AppendOutcome::NoAccount);
        };
        if account.head() != links.after {
            return Ok(AppendOutcome::HeadMoved(account.head()));
        }
        let mut after = account.clone();
        after.links.extend(links.links);
        after.slots.extend(links.slots.into_iter().map(|slot| (slot.hash, slot.bytes)));
        after.slots.retain(|hash, _| !links.gone.contains(hash));
        if links.record.is_some() {
            after.record = links.record;
        }
        if after.bytes() > links.limit_bytes {
            return Ok(AppendOutcome::Full);
        }
        *account = after;
        Ok(AppendOutcome::Appended)
    }

    async fn link_page(
        &self,
        account_id: AccountId,
        after: Option<Seq>,
    ) -> Result<Option<LinkPage>, StoreError> {
        let tables = self.lock();
        let Some(account) = tables.accounts.get(&account_id) else { return Ok(None) };
        let mut page = LinkPage { links: Vec::new(), head: account.head(), more: false };
        let mut held = 0;
        for link in account.links.iter().filter(|link| after.is_none_or(|after| link.head.seq > after)) {
            if !fits(held, link.bytes.len()) {
                page.more = true;
                break;
            }
            held += link.bytes.len();
            page.links.push(link.clone());
        }
        Ok(Some(page))
    }

    async fn slots(
        &self,
        account_id: AccountId,
        named: BTreeSet<Hash>,
    ) -> Result<Vec<StoredSlot>, StoreError> {
        let tables = self.lock();
        let slots = tables.accounts.get(&account_id).map(|account| &account.slots);
        let found = named.iter().filter_map(|hash| {
            let bytes = slots?.get(hash)?.clone();
            Some(StoredSlot { hash: *hash, bytes })
        });
        Ok(found.collect())
    }
}

#[async_trait]
impl SignInStore for MemoryStore {
    async fn record(&self, account_id: AccountId) -> Result<Option<StoredRecord>, StoreError> {
        Ok(self.lock().accounts.get(&account_id).and_then(|account| account.record.clone()))
    }
}

impl Account {
    fn head(&self) -> LogHead {
        self.links.last().map(|link| link.head).unwrap_or_default()
    }

    /// What links, slots and record hold.
    pub(super) fn bytes(&self) -> u64 {
        let links: usize = self.links.iter().map(|link| link.bytes.len()).sum();
        let slots: usize = self.slots.values().map(Vec::len).sum();
        let record = self.record.as_ref().map_or(0, |record| record.upload.len());
        (links + slots + record) as u64
    }
}

impl Tables {
    /// Whether an account may be made now; spends the invitation.
    fn admit(&mut self, admission: Admission) -> bool {
        if self.accounts.is_empty() {
            return true;
        }
        match admission {
            Admission::Anyone => true,
            Admission::FirstOnly => false,
            Admission::Invited { invite, now_ms } => {
                let valid = self.invites.get(&invite).is_some_and(|expires_ms| now_ms < *expires_ms);
                valid && self.invites.remove(&invite).is_some()
            }
        }
    }
}

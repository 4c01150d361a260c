//! Verified account states by account, from the cache or the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_proto::ids::AccountId;
use lockstep_proto::log::{AccountLink, AccountState, AccountStates};
use lockstep_proto::sign::Signed;

use crate::cache::Newest;
use crate::store::{Store, StoreError};

/// How many accounts' states stay in memory.
const CAPACITY: usize = 4_096;

/// The verified states of account logs.
pub(super) struct Accounts {
    store: Arc<dyn Store>,
    states: Newest<AccountId, AccountState>,
}

impl Accounts {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, states: Newest::new(CAPACITY, |state: &AccountState| state.head().seq) }
    }

    /// The account's state; `None` if there is no such account.
    pub(super) async fn find(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        match self.states.find(&account_id) {
            Some(state) => Ok(Some(state)),
            None => self.load(account_id).await,
        }
    }

    /// The account's state as the store has it now.
    pub(super) async fn load(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        let mut links = Vec::new();
        let mut after = None;
        loop {
            let Some(page) = self.store.link_page(account_id, after).await? else { return Ok(None) };
            after = page.links.last().map(|link| link.head.seq).or(after);
            for link in &page.links {
                let link = Signed::<AccountLink>::from_wire(&link.bytes);
                links.push(link.map_err(|_| StoreError::Corrupt("an account link"))?);
            }
            if !page.more {
                break;
            }
        }
        let state = AccountState::from_links(&links).map_err(|_| StoreError::Corrupt("an account log"))?;
        Ok(Some(self.states.keep(account_id, state)))
    }

    /// Keeps a state that is in the store now.
    pub(super) fn keep(&self, state: AccountState) {
        self.states.keep(state.account_id(), state);
    }
}

/// The states that one commit is verified with.
#[derive(Default)]
pub(super) struct KnownAccounts(pub(super) BTreeMap<AccountId, Arc<AccountState>>);

impl AccountStates for KnownAccounts {
    fn account(&self, account_id: &AccountId) -> Option<&AccountState> {
        self.0.get(account_id).map(Arc::as_ref)
    }
}

//! Verified account states by account, from the cache or the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_proto::ids::AccountId;
use lockstep_proto::log::{AccountLink, AccountState, AccountStates, Entry};
use lockstep_proto::sign::Signed;

use crate::cache::Newest;
use crate::ports::Clock;
use crate::store::{Store, StoreError, StoredLink};

/// How many accounts' states stay in memory.
const CAPACITY: usize = 4_096;
/// For how long a state is taken for the newest, in milliseconds: what another node appended is known here by then. Much
/// less than [`super::bars::MARGIN_MS`].
const FRESH_MS: u64 = 10_000;

/// The verified states of account logs.
pub(super) struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    states: Newest<AccountId, AccountState>,
}

impl Accounts {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, states: Newest::new(CAPACITY, |state: &AccountState| state.head().seq) }
    }

    /// The account's state, at most ten seconds old; `None` if there is no such account.
    pub(super) async fn find(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        match self.states.find_at(&account_id) {
            Some((state, at_ms)) if self.clock.now_ms() < at_ms.saturating_add(FRESH_MS) => Ok(Some(state)),
            _ => self.load(account_id).await,
        }
    }

    /// The account's state as the store has it now.
    pub(super) async fn load(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        let now_ms = self.clock.now_ms();
        let mut state = self.states.find(&account_id);
        loop {
            let after = state.as_ref().map(|state| state.head().seq);
            let Some(page) = self.store.link_page(account_id, after).await? else { return Ok(None) };
            state = Some(advance(state, &page.links)?);
            if !page.more {
                break;
            }
        }
        let state = state.ok_or(StoreError::Corrupt("an account without links"))?;
        Ok(Some(self.states.keep_at(account_id, state, now_ms)))
    }

    /// Adds the account that a commit of the caller's vaults is verified with, at least as far as the commit says. It is the
    /// caller's and no other's: a vault has one member, and a commit that names another account is answered the same whether
    /// that account is there or not.
    pub(super) async fn note_known(
        &self,
        known: &mut KnownAccounts,
        caller: AccountId,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let needed = entry.commit.value().author_position.seq;
        let reaches = |state: &Arc<AccountState>| state.head().seq >= needed;
        if !known.0.get(&caller).is_some_and(reaches) {
            let mut state = self.find(caller).await?;
            if !state.as_ref().is_some_and(reaches) {
                state = self.load(caller).await?;
            }
            known.0.extend(state.map(|state| (caller, state)));
        }
        Ok(())
    }

    /// Keeps a state that is in the store now.
    pub(super) fn keep(&self, state: AccountState) {
        self.states.keep_at(state.account_id(), Arc::new(state), self.clock.now_ms());
    }
}

fn advance(state: Option<Arc<AccountState>>, links: &[StoredLink]) -> Result<Arc<AccountState>, StoreError> {
    let links = links.iter().map(|link| Signed::<AccountLink>::from_wire(&link.bytes));
    let links = links.collect::<Result<Vec<_>, _>>().map_err(|_| StoreError::Corrupt("an account link"))?;
    let broken = |_| StoreError::Corrupt("an account log");
    let Some(mut state) = state else {
        return AccountState::from_links(&links).map(Arc::new).map_err(broken);
    };
    for link in &links {
        state = Arc::new(state.apply(link).map_err(broken)?);
    }
    Ok(state)
}

/// The states that one commit is verified with.
#[derive(Default)]
pub(super) struct KnownAccounts(pub(super) BTreeMap<AccountId, Arc<AccountState>>);

impl KnownAccounts {
    /// This account alone.
    pub(super) fn of(account: Arc<AccountState>) -> Self {
        Self(BTreeMap::from([(account.account_id(), account)]))
    }
}

impl AccountStates for KnownAccounts {
    fn account(&self, account_id: &AccountId) -> Option<&AccountState> {
        self.0.get(account_id).map(Arc::as_ref)
    }
}

//! Verified account states by account, from the cache or the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_proto::ids::AccountId;
use lockstep_proto::log::{AccountLink, AccountState, AccountStates, Entry};
use lockstep_proto::sign::Signed;
use tokio::sync::Semaphore;

use super::proof::Looked;
use crate::cache::{CacheRoom, Newest};
use crate::ports::Clock;
use crate::store::{Store, StoreError, StoredLink};

/// How many accounts' states stay in memory. The longest log that a server takes by default makes one of about 60 MiB.
const ROOM: CacheRoom = CacheRoom { states: 4_096, bytes: 64 << 20 };
/// How many signatures are verified on a thread that serves requests: about a millisecond.
const INLINE_SIGNATURES: usize = 8;
/// How many verify more than that at once.
const VERIFYING: usize = 2;
/// For how long a state is taken for the newest, in milliseconds: what another node appended is known here by then.
/// Much less than [`super::bars::MARGIN_MS`].
const FRESH_MS: u64 = 10_000;

/// The verified states of account logs.
pub(super) struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    states: Newest<AccountId, AccountState>,
    verifying: Arc<Semaphore>,
}

impl Accounts {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let states = Newest::new(ROOM, |state: &AccountState| state.head().seq, AccountState::memory_bytes);
        Self { store, clock, states, verifying: Arc::new(Semaphore::new(VERIFYING)) }
    }

    /// The account's state, at most ten seconds old; `None` if there is no such account.
    pub(super) async fn find(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        match self.states.find_at(&account_id) {
            // A clock that was set back makes nothing last longer.
            Some((state, at_ms)) if self.clock.now_ms().abs_diff(at_ms) < FRESH_MS => Ok(Some(state)),
            _ => self.load(account_id).await,
        }
    }

    /// The account's state as the store has it now.
    pub(super) async fn load(&self, account_id: AccountId) -> Result<Option<Arc<AccountState>>, StoreError> {
        self.look_up(account_id, &mut Looked::now()).await
    }

    /// The same for somebody whose proof may be refused.
    pub(super) async fn look_up(
        &self,
        account_id: AccountId,
        looked: &mut Looked,
    ) -> Result<Option<Arc<AccountState>>, StoreError> {
        let now_ms = self.clock.now_ms();
        let mut state = self.states.find(&account_id);
        loop {
            let after = state.as_ref().map(|state| state.head().seq);
            let Some(page) = self.store.link_page(account_id, after).await? else { return Ok(None) };
            let (links, known) = (page.links, state);
            looked.note_turn(links.len() > INLINE_SIGNATURES);
            state = Some(self.verify(links.len(), move || advance(known, &links)).await??);
            if !page.more {
                break;
            }
        }
        let state = state.ok_or(StoreError::Corrupt("an account without links"))?;
        Ok(Some(self.states.keep_at(account_id, state, now_ms)))
    }

    /// Waits until a refusal may leave. Who has waited for a turn has found a long log: nobody waits for fewer.
    pub(super) async fn refuse(&self, looked: Looked) {
        if !looked.had_turn() {
            // While the server stops there is nothing to hide.
            let _ = self.verify(INLINE_SIGNATURES + 1, || ()).await;
        }
        looked.until_refusal().await;
    }

    /// Verifies this many signatures: a few at once here, more on a thread that serves no requests, of which so many
    /// run at a time, so that whoever sends long logs waits for others who do, and nobody else does.
    ///
    /// # Errors
    /// [`StoreError::Closed`] while the server stops.
    pub(super) async fn verify<R: Send + 'static>(
        &self,
        signatures: usize,
        verify: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, StoreError> {
        if signatures <= INLINE_SIGNATURES {
            return Ok(verify());
        }
        let turn = self.verifying.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let work = move || {
            let verified = verify();
            // Kept until here, also where nobody waits any more: who sends and goes away gets no more threads than
            // others.
            drop(turn);
            verified
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)
    }

    /// Adds the account that a commit of the caller's vaults is verified with, at least as far as the commit says. It
    /// is the caller's and no other's: a vault has one member, and a commit that names another account is answered the
    /// same whether that account is there or not.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::store::MemoryStore;

    struct Noon;

    impl Clock for Noon {
        fn now_ms(&self) -> u64 {
            1_800_000_000_000
        }
    }

    fn accounts() -> Accounts {
        Accounts::new(Arc::new(MemoryStore::default()), Arc::new(Noon))
    }

    #[tokio::test]
    async fn a_long_log_is_verified_on_a_thread_that_serves_nobody() {
        let accounts = accounts();
        let thread = || thread::current().id();
        assert_eq!(accounts.verify(INLINE_SIGNATURES, thread).await.unwrap(), thread());
        assert_ne!(accounts.verify(INLINE_SIGNATURES + 1, thread).await.unwrap(), thread());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn long_logs_wait_for_each_other_also_where_whoever_sent_them_is_gone() {
        let accounts = Arc::new(accounts());
        let (begun, begin) = mpsc::channel();
        let mut gates = Vec::new();
        let mut held = Vec::new();
        for _ in 0..VERIFYING {
            let (gate, open) = mpsc::channel::<()>();
            let (accounts, begun) = (accounts.clone(), begun.clone());
            let work = move || {
                begun.send(()).unwrap();
                let _ = open.recv();
            };
            held.push(tokio::spawn(async move { accounts.verify(4_000, work).await }));
            gates.push(gate);
        }
        for _ in 0..VERIFYING {
            begin.recv().unwrap();
        }
        held.iter().for_each(tokio::task::JoinHandle::abort);
        for gone in held {
            assert!(gone.await.unwrap_err().is_cancelled());
        }
        assert_eq!(accounts.verifying.available_permits(), 0);
        // Few signatures wait for nobody.
        accounts.verify(1, || ()).await.unwrap();
        drop(gates);
        accounts.verify(4_000, || ()).await.unwrap();
    }
}

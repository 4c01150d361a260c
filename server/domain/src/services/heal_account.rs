//! Healing an account's log: after the database was restored from an older backup, devices give back the links that it
//! lacks. No session is needed: links that verify from the head that is stored are their own proof.
//!
//! **Invariants:** nothing is told about the account but whether it is healed; what a caller without links of this account
//! can make the server do is bounded before a signature is verified.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::api::{SLOT_LIMIT, SLOTS_PER_REQUEST};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use lockstep_proto::log::{AccountLink, AccountState, LinkBody, VaultHead};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::record_hash;
use lockstep_proto::wrap::slot_hash;

use super::Ports;
use super::accounts::Accounts;
use super::admissions::{Admissions, Restored};
use super::bars::Bars;
use super::proof::Looked;
use super::recovery_week::RecoveryWeek;
use super::shares::{LogLimit, removes};
use super::signup::{counted, stored_link};
use super::slots::given_up;
use crate::limits::{
    AddressKey, Buckets, Budget, CAPACITY, Limit, SignUpRates, Storage, StorageUsedUp, TooManyAttempts,
};
use crate::signin::OpaqueServer;
use crate::store::{
    Admission, AppendOutcome, CreateOutcome, NewAccount, NewLinks, StoreError, StoredRecord, StoredSlot,
};

/// Why an account was not healed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealError {
    /// Links, slots or record do not continue what is stored, or the account is not one to be taken.
    #[error("it does not continue what is stored")]
    Refused,
    /// No link was sent.
    #[error("no link was sent")]
    Empty,
    /// A link cannot be read.
    #[error("a link cannot be read")]
    Format(#[from] CanonError),
    /// Too many were tried.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// The server takes no new accounts.
    #[error(transparent)]
    StorageUsedUp(#[from] StorageUsedUp),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healed {
    /// The account.
    pub account_id: AccountId,
    /// Whether the server had none of it.
    pub newcomer: bool,
}

/// What one address may let the server verify, well-formed or not.
const TRIES: Budget = Budget::new(60, 5, Limit::GivingBack);
/// Links of one account that verify and are new: a device that is being removed, which could send some here, does not
/// move the head for ever.
const NEW_LINKS: Budget = Budget::new(20, 30, Limit::GivingBack);
/// Accounts that are not there and come back from one address, whatever comes from others: a family's.
const FROM_ONE_ADDRESS: Budget = Budget::new(8, 600, Limit::Newcomers);
/// What comes back beyond, from all addresses. Anybody can make up an account to give back.
const NEWCOMERS: Budget = Budget::new(20, 30, Limit::Newcomers);

/// The service.
pub struct HealAccounts {
    ports: Ports,
    accounts: Arc<Accounts>,
    bars: Arc<Bars>,
    week: Arc<RecoveryWeek>,
    opaque: Arc<OpaqueServer>,
    server_id: ServerId,
    admission: Option<Admission>,
    restored: Restored,
    tries: Buckets<AddressKey>,
    new_links: Buckets<AccountId>,
    from_one_address: Buckets<AddressKey>,
    newcomers: Buckets<()>,
    rates: Arc<SignUpRates>,
    storage: Arc<Storage>,
}

impl HealAccounts {
    pub(super) fn new(
        ports: Ports,
        accounts: Arc<Accounts>,
        (bars, week): (Arc<Bars>, Arc<RecoveryWeek>),
        opaque: Arc<OpaqueServer>,
        server_id: ServerId,
        admissions: Admissions,
        (rates, storage): (Arc<SignUpRates>, Arc<Storage>),
    ) -> Self {
        let (admission, restored) = (admissions.healing(), admissions.restored);
        let tries = Buckets::new(TRIES, CAPACITY, ports.clock.clone());
        let new_links = Buckets::new(NEW_LINKS, CAPACITY, ports.clock.clone());
        let from_one_address = Buckets::new(FROM_ONE_ADDRESS, CAPACITY, ports.clock.clone());
        let newcomers = Buckets::new(NEWCOMERS, 1, ports.clock.clone());
        Self {
            ports,
            accounts,
            bars,
            week,
            opaque,
            server_id,
            admission,
            restored,
            tries,
            new_links,
            from_one_address,
            newcomers,
            rates,
            storage,
        }
    }

    /// Appends the links that the server lacks, with slots and record, in one transaction. Links that revoke need no
    /// bars: what they say happened before. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`HealError`].
    pub async fn heal(&self, request: HealAccount, address: AddressKey) -> Result<Healed, HealError> {
        let links = request.links.iter().map(|wire| Signed::<AccountLink>::from_wire(wire));
        let links = links.collect::<Result<Vec<_>, _>>()?;
        let account_id = match links.first().ok_or(HealError::Empty)? {
            genesis if matches!(genesis.value().body, LinkBody::Genesis(_)) => {
                AccountId::from(genesis.hash())
            }
            other => other.value().account_id,
        };
        check_sizes(&request.slots)?;
        // Whoever asks: anybody may name an account, so that nothing of the account's own may be used up before what
        // was sent is verified.
        self.tries.take(&address)?;
        let mut looked = Looked::now();
        let healed = self.append(account_id, links, request, address, &mut looked).await;
        if matches!(healed, Err(HealError::Refused)) {
            self.accounts.refuse(looked).await;
        }
        healed
    }

    async fn append(
        &self,
        account_id: AccountId,
        links: Vec<Signed<AccountLink>>,
        request: HealAccount,
        address: AddressKey,
        looked: &mut Looked,
    ) -> Result<Healed, HealError> {
        let before = self.accounts.look_up(account_id, looked).await?;
        let newcomer = before.is_none();
        if newcomer {
            self.check_admission().await?;
        }
        let (known, server_id) = (before.clone(), self.server_id);
        let signatures = links.len();
        let verify = move || continued(known, links, server_id);
        let verified = self.accounts.verify(signatures, verify).await?;
        let Continued { after, new, limit } = verified.ok_or(HealError::Refused)?;
        let now_ms = self.ports.clock.now_ms();
        let links = new.iter().map(|link| stored_link(link, now_ms)).collect::<Vec<_>>();
        let slots = slots_of(&after, &request.slots).ok_or(HealError::Refused)?;
        let record = self.record_of(&after, request.record.as_ref())?;
        // What is stored already is not written again, however often it is sent.
        let (slots, record) = self.missing(account_id, slots, record).await?;
        if let Some(before) = before.as_ref().filter(|_| !new.is_empty()) {
            self.allow(before, &after, &new).await?;
        }
        let healed = match before {
            None => {
                let account = NewAccount { account_id, links, slots, record };
                let admission = self.admission.ok_or(HealError::Refused)?;
                let outcome = self.create(account, admission, address).await?;
                matches!(outcome, CreateOutcome::Created | CreateOutcome::Already)
            }
            Some(_) if links.is_empty() && slots.is_empty() && record.is_none() => true,
            Some(before) => {
                let gone = given_up(&before, &after);
                let limit_bytes = limit.bytes(&links, &slots);
                let after = before.head();
                let new = NewLinks { account_id, after, links, slots, record, gone, limit_bytes };
                self.ports.store.append_links(new).await? == AppendOutcome::Appended
            }
        };
        if !healed && !self.has(&after).await? {
            return Err(HealError::Refused);
        }
        self.accounts.keep(after);
        Ok(Healed { account_id, newcomer })
    }

    /// Makes an account that comes back. Where nothing was restored it is one that somebody makes today, like any
    /// other.
    async fn create(
        &self,
        account: NewAccount,
        admission: Admission,
        address: AddressKey,
    ) -> Result<CreateOutcome, HealError> {
        self.storage.check_account()?;
        if self.from_one_address.take(&address).is_err() {
            self.newcomers.take(&())?;
        }
        let create = self.ports.store.create_account(account, admission);
        if self.restored == Restored::Yes || admission != Admission::Anyone {
            return Ok(create.await?);
        }
        counted(&self.rates, address, create).await
    }

    /// What of slots and record is not stored yet.
    async fn missing(
        &self,
        account_id: AccountId,
        mut slots: Vec<StoredSlot>,
        record: Option<StoredRecord>,
    ) -> Result<(Vec<StoredSlot>, Option<StoredRecord>), StoreError> {
        if !slots.is_empty() {
            let stored = slots.iter().map(|slot| slot.hash).collect();
            let stored = self.ports.store.slots(account_id, stored).await?;
            let stored: BTreeSet<_> = stored.into_iter().map(|slot| slot.hash).collect();
            slots.retain(|slot| !stored.contains(&slot.hash));
        }
        let known = match &record {
            Some(_) => self.ports.store.record(account_id).await?,
            None => None,
        };
        Ok((slots, record.filter(|record| known.as_ref() != Some(record))))
    }

    /// Whether these new links may be taken: the last thing before they are written, since it bars whom they revoke,
    /// and nothing is given back while somebody is barred whom no link revokes.
    async fn allow(
        &self,
        before: &AccountState,
        after: &AccountState,
        new: &[Signed<AccountLink>],
    ) -> Result<(), HealError> {
        // The account's own budget: only its devices have signed what is charged here.
        let account_id = before.account_id();
        self.new_links.take(&account_id)?;
        let revoking: Vec<_> = match self.restored {
            Restored::No => new.iter().filter_map(|link| revoking(link.value())).collect(),
            // What the devices wrote since is void once a heal brings their cut-offs back. They are not barred: what
            // they wrote before is in the chains that are given back next, and no chain takes a commit of a device that
            // is barred.
            Restored::Yes => Vec::new(),
        };
        // A server that was not restored has had no announcement that it could have lost.
        let is_due = self.restored == Restored::Yes || self.week.seconds_left(before, new).await?.is_none();
        if is_due && self.bars.allow_healing(after, &revoking).await? {
            return Ok(());
        }
        self.new_links.give_back(&account_id);
        Err(HealError::Refused)
    }

    /// Whether an account that is not there may come back now.
    async fn check_admission(&self) -> Result<(), HealError> {
        let may = match self.admission {
            Some(Admission::FirstOnly) => self.ports.store.is_empty().await?,
            admission => admission.is_some(),
        };
        if may { Ok(()) } else { Err(HealError::Refused) }
    }

    /// Others may have sent the same meanwhile.
    async fn has(&self, state: &AccountState) -> Result<bool, StoreError> {
        let now = self.accounts.load(state.account_id()).await?;
        Ok(now.is_some_and(|now| now.hash_at(state.head().seq) == Some(state.head().hash)))
    }

    fn record_of(
        &self,
        after: &AccountState,
        sent: Option<&Bytes>,
    ) -> Result<Option<StoredRecord>, HealError> {
        let Some(upload) = sent else { return Ok(None) };
        let auth = after.auth().ok_or(HealError::Refused)?;
        let fits = record_hash(upload) == auth.record_hash
            && auth.opaque_server_key.as_slice() == self.opaque.public_key()
            && self.opaque.check_upload(upload).is_ok();
        if !fits {
            return Err(HealError::Refused);
        }
        Ok(Some(StoredRecord { upload: upload.0.clone(), profile: auth.profile }))
    }
}

fn check_sizes(slots: &[Bytes]) -> Result<(), HealError> {
    let fits = slots.len() <= SLOTS_PER_REQUEST
        && slots.iter().all(|slot| !slot.is_empty() && slot.len() <= SLOT_LIMIT);
    if fits { Ok(()) } else { Err(HealError::Refused) }
}

/// The devices that a link revokes, with the last commits of theirs that count.
fn revoking(link: &AccountLink) -> Option<(Vec<DeviceId>, Vec<VaultHead>)> {
    let revoked = link.body.revoked();
    (!revoked.is_empty()).then(|| (revoked.to_vec(), link.heads.clone()))
}

/// The slots that were sent, if the state names them all, now or of a former generation.
fn slots_of(after: &AccountState, sent: &[Bytes]) -> Option<Vec<StoredSlot>> {
    let named = after.kept_slot_hashes();
    let slots = sent.iter().map(|slot| StoredSlot { hash: slot_hash(slot), bytes: slot.0.clone() });
    let slots = slots.collect::<Vec<_>>();
    slots.iter().all(|slot| named.contains(&slot.hash)).then_some(slots)
}

/// A log after the links that were sent.
struct Continued {
    after: AccountState,
    new: Vec<Signed<AccountLink>>,
    limit: LogLimit,
}

/// The log after all links; `None` where one of them does not follow.
fn continued(
    known: Option<Arc<AccountState>>,
    links: Vec<Signed<AccountLink>>,
    server_id: ServerId,
) -> Option<Continued> {
    let mut state = known.map(|known| AccountState::clone(&known));
    let mut new = Vec::new();
    let mut limit = LogLimit::default();
    for link in links {
        let is_known = |state: &AccountState| state.hash_at(link.value().seq) == Some(link.hash());
        match &state {
            Some(state) if is_known(state) => continue,
            Some(known) => {
                limit.note(removes(known, &link.value().body));
                state = Some(known.apply(&link).ok()?);
            }
            None => {
                state = Some(
                    AccountState::from_genesis(&link).ok().filter(|made| made.server_id() == server_id)?,
                );
            }
        }
        new.push(link);
    }
    // A log is one from its second link on.
    let after = state.filter(|state| state.auth().is_some())?;
    Some(Continued { after, new, limit })
}

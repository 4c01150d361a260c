//! The caller's own account: its log, slots and new links.

use std::sync::Arc;

use lockstep_proto::api::account::{
    AppendLinks, Appended, LogPage, RegistrationStart, Slot, Slots, SlotsQuery,
};
use lockstep_proto::api::signup::RegistrationAnswer;
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::{AccountLink, AccountState, LinkBody, LinkError, LogHead};
use lockstep_proto::sign::Signed;

use super::Ports;
use super::accounts::Accounts;
use super::bars::Bars;
use super::open_sessions::OpenSessions;
use super::permit::{self, Permit};
use super::recovery_week::RecoveryWeek;
use super::shares::{LogLimit, removes};
use super::signup::stored_link;
use super::slots::{SlotFault, former_slots, given_up, new_record, new_slots};
use crate::caller::{Caller, Session};
use crate::ports::Clock;
use crate::signin::{OpaqueError, OpaqueServer};
use crate::store::{AppendOutcome, NewLinks, Store, StoreError, VaultReader};

/// Why links were not appended, or the account cannot be read. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinksError {
    /// The log's head is elsewhere.
    #[error("the account's log has moved on")]
    HeadMoved(LogHead),
    /// This session may not append such a link.
    #[error("this session may not append such a link")]
    Forbidden,
    /// The caller's device is being revoked.
    #[error("the device is barred")]
    Barred,
    /// A device that a link revokes is not barred in every vault, or wrote beyond the cut-off that the link names.
    #[error("a device that the link revokes is not barred, or wrote beyond the link's heads")]
    NotBarred,
    /// A link makes a vault the account's that is not there.
    #[error("vault {0}, which the link makes the account's, is not there")]
    NoVault(VaultId),
    /// A link accepts a head that this vault does not have.
    #[error("vault {0} lacks the head that the link accepts")]
    HeadMissing(VaultId),
    /// The Recovery Key was announced less than a week ago.
    #[error("the Recovery Key was announced less than a week ago: {seconds} seconds are left")]
    TooEarly {
        /// Until it may be changed.
        seconds: u32,
    },
    /// More than one link revokes devices.
    #[error("more than one link revokes devices")]
    TwoRevocations,
    /// More than one link accepts histories: each is looked up in up to 256 chains.
    #[error("more than one link accepts histories")]
    TwoReanchors,
    /// The account's log holds what it may hold.
    #[error("the account's log is full")]
    Full,
    /// No link was sent.
    #[error("no link was sent")]
    Empty,
    /// The account is gone.
    #[error("there is no such account")]
    NoAccount,
    /// A link cannot be read.
    #[error("a link cannot be read")]
    Format(#[from] CanonError),
    /// The OPAQUE message cannot be read.
    #[error(transparent)]
    Opaque(#[from] OpaqueError),
    /// A link breaks a rule.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Slots or record do not fit.
    #[error(transparent)]
    Slot(#[from] SlotFault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The service.
pub struct Account {
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    opaque: Arc<OpaqueServer>,
    bars: Arc<Bars>,
    week: Arc<RecoveryWeek>,
    clock: Arc<dyn Clock>,
    sessions: Arc<OpenSessions>,
}

impl Account {
    pub(super) fn new(
        Ports { store, clock, .. }: Ports,
        accounts: Arc<Accounts>,
        opaque: Arc<OpaqueServer>,
        (bars, week): (Arc<Bars>, Arc<RecoveryWeek>),
        sessions: Arc<OpenSessions>,
    ) -> Self {
        Self { store, accounts, opaque, bars, week, clock, sessions }
    }

    /// A page of the caller's log.
    ///
    /// # Errors
    /// [`LinksError::NoAccount`], [`LinksError::Store`].
    pub async fn log(&self, caller: Caller, after: Option<Seq>) -> Result<LogPage, LinksError> {
        let page = self.store.link_page(caller.account_id, after).await?.ok_or(LinksError::NoAccount)?;
        let links = page.links.into_iter().map(|link| link.bytes.into()).collect();
        Ok(LogPage { links, head: page.head, more: page.more })
    }

    /// The slots that the caller's log names now, or those that are kept of this former generation and of as
    /// many before it as fit into an answer.
    ///
    /// # Errors
    /// [`LinksError::NoAccount`], [`LinksError::Store`].
    pub async fn slots(&self, caller: Caller, query: SlotsQuery) -> Result<Slots, LinksError> {
        let state = self.accounts.find(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
        let (named, oldest) = match query.generation {
            None => (state.slot_hashes(), None),
            Some(former) => former_slots(&state, former),
        };
        let slots = self.store.slots(caller.account_id, named).await?;
        let slots = slots.into_iter().map(|slot| Slot { hash: slot.hash, bytes: slot.bytes.into() });
        Ok(Slots { slots: slots.collect(), oldest, head: state.head() })
    }

    /// OPAQUE registration for a new password of the caller's account. Nothing is kept.
    ///
    /// # Errors
    /// [`LinksError::Forbidden`], [`LinksError::Opaque`].
    pub fn registration(
        &self,
        caller: Caller,
        request: &RegistrationStart,
    ) -> Result<RegistrationAnswer, LinksError> {
        if matches!(caller.session, Session::Recovery { spent: true, .. }) {
            return Err(LinksError::Forbidden);
        }
        let response = self.opaque.registration(&caller.account_id, &request.request)?;
        Ok(RegistrationAnswer {
            response: response.into(),
            server_public_key: self.opaque.public_key().into(),
        })
    }

    /// Appends links, all or none. The same bytes again answer the same. A link that revokes devices needs them barred:
    /// see [`super::Bars`].
    ///
    /// # Errors
    /// [`LinksError`].
    pub async fn append(&self, caller: Caller, request: &AppendLinks) -> Result<Appended, LinksError> {
        let links = request.links.iter().map(|wire| Signed::<AccountLink>::from_wire(wire));
        let links = links.collect::<Result<Vec<_>, _>>()?;
        let permit = permit::of(caller, &links).ok_or(LinksError::Forbidden)?;
        let before = self.accounts.load(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
        let now_ms = self.clock.now_ms();
        let last = links.last().map(|link| stored_link(link, now_ms).head).ok_or(LinksError::Empty)?;
        if contains(&before, &links) {
            self.note(&permit, &before);
            return Ok(Appended { head: last });
        }
        permit.check_unspent().ok_or(LinksError::Forbidden)?;
        let from = before.clone();
        let (links, after, limit) =
            self.accounts.verify(links.len(), move || followed(&from, links)).await??;
        let stored = links.iter().map(|link| stored_link(link, now_ms)).collect::<Vec<_>>();
        let slots = new_slots(Some(&before), &after, &request.slots)?;
        let new = NewLinks {
            account_id: caller.account_id,
            after: before.head(),
            record: new_record(&self.opaque, Some(&before), &after, request.record.as_ref())?,
            gone: given_up(&before, &after),
            limit_bytes: limit.bytes(&stored, &slots),
            links: stored,
            slots,
        };
        if self.bars.is_barred(caller, &before).await? {
            return Err(LinksError::Barred);
        }
        if let Some(seconds) = self.week.seconds_left(&before, &links).await? {
            return Err(LinksError::TooEarly { seconds });
        }
        self.check_revocations(&links).await?;
        self.check_vaults(caller, &links).await?;
        self.check_anchors(caller, &links).await?;
        match self.store.append_links(new).await? {
            AppendOutcome::Appended => {
                self.note(&permit, &after);
                self.accounts.keep(after);
                Ok(Appended { head: last })
            }
            AppendOutcome::HeadMoved(head) => {
                // Others may have sent the same links meanwhile.
                let now = self.accounts.load(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
                if contains(&now, &links) {
                    self.note(&permit, &now);
                    Ok(Appended { head: last })
                } else {
                    Err(LinksError::HeadMoved(head))
                }
            }
            AppendOutcome::NoAccount => Err(LinksError::NoAccount),
            AppendOutcome::Full => Err(LinksError::Full),
        }
    }

    /// A revoked device must have stopped writing before, and the link must say where.
    async fn check_revocations(&self, links: &[Signed<AccountLink>]) -> Result<(), LinksError> {
        let mut revoking = links.iter().map(Signed::value).filter(|link| !link.body.revoked().is_empty());
        let Some(link) = revoking.next() else { return Ok(()) };
        if revoking.next().is_some() {
            return Err(LinksError::TwoRevocations);
        }
        let settled = self.bars.are_barred(link.account_id, link.body.revoked(), &link.heads).await?;
        if settled { Ok(()) } else { Err(LinksError::NotBarred) }
    }

    /// A vault is made before it is linked: one that never was would keep the account's other devices waiting for it.
    async fn check_vaults(&self, caller: Caller, links: &[Signed<AccountLink>]) -> Result<(), LinksError> {
        for link in links.iter().map(Signed::value) {
            let LinkBody::VaultCreate(vault) = &link.body else { continue };
            let reader = VaultReader { vault_id: vault.vault_id, account_id: caller.account_id };
            if self.store.find_commit(reader, LogHead::default()).await?.is_none() {
                return Err(LinksError::NoVault(vault.vault_id));
            }
        }
        Ok(())
    }

    /// What an account goes on from is there, fork and head: a chain only grows, so it stays true.
    async fn check_anchors(&self, caller: Caller, links: &[Signed<AccountLink>]) -> Result<(), LinksError> {
        let mut reanchors = links.iter().filter_map(|link| match &link.value().body {
            LinkBody::Reanchor(reanchor) => Some(reanchor),
            _ => None,
        });
        let Some(reanchor) = reanchors.next() else { return Ok(()) };
        if reanchors.next().is_some() {
            return Err(LinksError::TwoReanchors);
        }
        for anchor in &reanchor.vaults {
            let reader = VaultReader { vault_id: anchor.vault_id, account_id: caller.account_id };
            for commit in [anchor.fork, anchor.head] {
                let found = self.store.find_commit(reader, commit).await?;
                if !found.is_some_and(|(is_there, _)| is_there) {
                    return Err(LinksError::HeadMissing(anchor.vault_id));
                }
            }
        }
        Ok(())
    }

    fn note(&self, permit: &Permit, after: &AccountState) {
        if let Some(token) = permit.token() {
            self.sessions.note_appended(&token, after, permit.added());
        }
    }
}

/// The links, the state after all of them, and what the log may be then.
fn followed(
    before: &AccountState,
    links: Vec<Signed<AccountLink>>,
) -> Result<(Vec<Signed<AccountLink>>, AccountState, LogLimit), LinksError> {
    let (mut after, mut limit) = (before.clone(), LogLimit::default());
    for link in &links {
        limit.note(removes(&after, &link.value().body));
        after = after.apply(link).map_err(|error| match error {
            LinkError::Chain { .. } => LinksError::HeadMoved(before.head()),
            other => LinksError::Link(other),
        })?;
    }
    Ok((links, after, limit))
}

/// Whether the log has all of these links already.
fn contains(state: &AccountState, links: &[Signed<AccountLink>]) -> bool {
    links.iter().all(|link| state.hash_at(link.value().seq) == Some(link.hash()))
}

//! The caller's own account: its log, slots and new links.

use std::sync::Arc;

use lockstep_proto::api::account::{AppendLinks, Appended, LogPage, RegistrationStart, Slot, Slots};
use lockstep_proto::api::signup::RegistrationAnswer;
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{DeviceId, Seq};
use lockstep_proto::log::{AccountLink, AccountState, LinkBody, LinkError, LogHead, Signer};
use lockstep_proto::sign::Signed;

use super::accounts::Accounts;
use super::signup::stored_link;
use super::slots::{SlotFault, new_record, new_slots};
use crate::caller::Caller;
use crate::signin::{OpaqueError, OpaqueServer};
use crate::store::{AppendOutcome, NewLinks, Store, StoreError};

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
    /// Revoking needs steps that this server does not offer yet.
    #[error("this server cannot revoke devices yet")]
    Revocation,
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
}

impl Account {
    pub(super) fn new(store: Arc<dyn Store>, accounts: Arc<Accounts>, opaque: Arc<OpaqueServer>) -> Self {
        Self { store, accounts, opaque }
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

    /// The slots that the caller's log names now.
    ///
    /// # Errors
    /// [`LinksError::NoAccount`], [`LinksError::Store`].
    pub async fn slots(&self, caller: Caller) -> Result<Slots, LinksError> {
        let state = self.accounts.find(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
        let slots = self.store.slots(caller.account_id, state.slot_hashes()).await?;
        let slots = slots.into_iter().map(|slot| Slot { hash: slot.hash, bytes: slot.bytes.into() });
        Ok(Slots { slots: slots.collect(), head: state.head() })
    }

    /// OPAQUE registration for a new password of the caller's account. Nothing is kept.
    ///
    /// # Errors
    /// [`LinksError::Opaque`].
    pub fn registration(
        &self,
        caller: Caller,
        request: &RegistrationStart,
    ) -> Result<RegistrationAnswer, LinksError> {
        let response = self.opaque.registration(&caller.account_id, &request.request)?;
        Ok(RegistrationAnswer {
            response: response.into(),
            server_public_key: self.opaque.public_key().into(),
        })
    }

    /// Appends links, all or none. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`LinksError`].
    pub async fn append(&self, caller: Caller, request: &AppendLinks) -> Result<Appended, LinksError> {
        let links = request.links.iter().map(|wire| Signed::<AccountLink>::from_wire(wire));
        let links = links.collect::<Result<Vec<_>, _>>()?;
        for link in &links {
            check_allowed(caller, link.value())?;
        }
        let before = self.accounts.load(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
        let last = links.last().map(|link| stored_link(link).head).ok_or(LinksError::Empty)?;
        if contains(&before, &links) {
            return Ok(Appended { head: last });
        }
        let mut after = AccountState::clone(&before);
        for link in &links {
            after = after.apply(link).map_err(|error| match error {
                LinkError::Chain { .. } => LinksError::HeadMoved(before.head()),
                other => LinksError::Link(other),
            })?;
        }
        let new = NewLinks {
            account_id: caller.account_id,
            after: before.head(),
            links: links.iter().map(stored_link).collect(),
            slots: new_slots(Some(&before), &after, &request.slots)?,
            record: new_record(&self.opaque, Some(&before), &after, request.record.as_ref())?,
        };
        match self.store.append_links(new).await? {
            AppendOutcome::Appended => {
                self.accounts.keep(after);
                Ok(Appended { head: last })
            }
            AppendOutcome::HeadMoved(head) => {
                // Others may have sent the same links meanwhile.
                let now = self.accounts.load(caller.account_id).await?.ok_or(LinksError::NoAccount)?;
                if contains(&now, &links) {
                    Ok(Appended { head: last })
                } else {
                    Err(LinksError::HeadMoved(head))
                }
            }
            AppendOutcome::NoAccount => Err(LinksError::NoAccount),
        }
    }
}

/// Whether the log has all of these links already.
fn contains(state: &AccountState, links: &[Signed<AccountLink>]) -> bool {
    links.iter().all(|link| state.hash_at(link.value().seq) == Some(link.hash()))
}

/// A device session appends what its own device signed; an enrolment session what brings a device in, by the
/// enrolment key or by the device that it brought in.
fn check_allowed(caller: Caller, link: &AccountLink) -> Result<(), LinksError> {
    match &link.body {
        LinkBody::Rekey(rekey) if !rekey.revoked.is_empty() => return Err(LinksError::Revocation),
        LinkBody::Recover(_) => return Err(LinksError::Revocation),
        _ => {}
    }
    let allowed = match caller.device_id {
        Some(device_id) => signed_by(link, device_id),
        None => matches!(link.body, LinkBody::DeviceAdd(_) | LinkBody::AuthUpdate(_)),
    };
    if allowed { Ok(()) } else { Err(LinksError::Forbidden) }
}

fn signed_by(link: &AccountLink, device_id: DeviceId) -> bool {
    link.signer == Signer::Device(device_id)
}

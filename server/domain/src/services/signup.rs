//! Making an account.

use std::sync::Arc;

use lockstep_proto::api::info::SignupPolicy;
use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{AccountId, Hash, ServerId};
use lockstep_proto::log::{AccountLink, AccountState, LinkError, LogHead};
use lockstep_proto::sign::Signed;

use super::Ports;
use super::admissions::{Admissions, SignupRule, invite_hash, setup_token};
use super::slots::{SlotFault, new_record, new_slots};
use crate::limits::{AddressKey, SignUpRates, Storage, StorageUsedUp, Successes, TooManyAttempts};
use crate::ports::{Random, make_bytes};
use crate::secrets::ServerSecrets;
use crate::signin::{OpaqueError, OpaqueServer};
use crate::store::{Admission, CreateOutcome, NewAccount, StoreError, StoredLink};

/// Why no account was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignupError {
    /// Sign-up is closed.
    #[error("sign-up is closed")]
    Closed,
    /// No invitation, or none that is valid.
    #[error("a valid invitation is needed")]
    InviteNeeded,
    /// Too many accounts were made today.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// The server takes no new accounts.
    #[error(transparent)]
    StorageUsedUp(#[from] StorageUsedUp),
    /// The account exists with another log.
    #[error("the account exists already")]
    Exists,
    /// The genesis names another server.
    #[error("the account is made for another server")]
    OtherServer,
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

/// How long an invitation is valid, in milliseconds: 7 days.
const INVITE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The service.
pub struct SignUp {
    ports: Ports,
    opaque: Arc<OpaqueServer>,
    server_id: ServerId,
    rule: SignupRule,
    /// The hash of what the first account needs; `None` if it needs nothing.
    setup: Option<Hash>,
    newcomers: Newcomers,
}

/// What becomes of those who sign up.
pub(super) struct Newcomers {
    pub(super) successes: Arc<Successes>,
    pub(super) rates: Arc<SignUpRates>,
    pub(super) storage: Arc<Storage>,
}

impl SignUp {
    pub(super) fn new(
        ports: Ports,
        opaque: Arc<OpaqueServer>,
        secrets: &ServerSecrets,
        admissions: Admissions,
        newcomers: Newcomers,
    ) -> Self {
        let setup = admissions.needs_token().then(|| invite_hash(&setup_token(secrets)));
        Self { ports, opaque, server_id: secrets.server_id(), rule: admissions.rule, setup, newcomers }
    }

    pub(super) async fn policy(&self) -> Result<SignupPolicy, StoreError> {
        let first = self.ports.store.is_empty().await?;
        Ok(match self.rule {
            _ if first && self.setup.is_none() => SignupPolicy::FirstAccount,
            // The set-up token is an invitation to whoever makes the first account.
            _ if first => SignupPolicy::Invite,
            SignupRule::Open => SignupPolicy::Open,
            SignupRule::Invite => SignupPolicy::Invite,
            SignupRule::Closed => SignupPolicy::Closed,
        })
    }

    /// OPAQUE registration for an account that does not exist yet. Nothing is kept.
    ///
    /// # Errors
    /// [`SignupError`].
    pub async fn start(&self, request: &SignupStart) -> Result<RegistrationAnswer, SignupError> {
        self.admission(request.invite.as_deref()).await?;
        self.newcomers.storage.check_account()?;
        if self.ports.store.record(request.account_id).await?.is_some() {
            return Err(SignupError::Exists);
        }
        let response = self.opaque.registration(&request.account_id, &request.request)?;
        Ok(RegistrationAnswer {
            response: response.into(),
            server_public_key: self.opaque.public_key().into(),
        })
    }

    /// Makes the account in one transaction. The same bytes again answer the same.
    ///
    /// # Errors
    /// [`SignupError`].
    pub async fn finish(
        &self,
        request: &SignupFinish,
        address: AddressKey,
    ) -> Result<SignupDone, SignupError> {
        let genesis = Signed::<AccountLink>::from_wire(&request.genesis)?;
        let auth_update = Signed::<AccountLink>::from_wire(&request.auth_update)?;
        // Before anything is verified for somebody who may have no account. One that is there was admitted when it was
        // made, though its invitation is used up or sign-up closed by now.
        if let Err(refused) = self.admission(request.invite.as_deref()).await
            && self.ports.store.record(AccountId::from(genesis.hash())).await?.is_none()
        {
            return Err(refused);
        }
        let state = AccountState::from_links([&genesis, &auth_update])?;
        if state.server_id() != self.server_id {
            return Err(SignupError::OtherServer);
        }
        let record =
            new_record(&self.opaque, None, &state, Some(&request.record))?.ok_or(SlotFault::Record)?;
        let slots = new_slots(None, &state, &request.slots)?;
        let now_ms = self.ports.clock.now_ms();
        let links = vec![stored_link(&genesis, now_ms), stored_link(&auth_update, now_ms)];
        let account = NewAccount { account_id: state.account_id(), links, slots, record: Some(record) };
        let done = SignupDone { account_id: state.account_id(), head: state.head() };
        match self.create(account, request.invite.as_deref(), address).await? {
            CreateOutcome::Created => {
                self.newcomers.successes.remember(done.account_id, address);
                Ok(done)
            }
            // Whoever has the bytes can send them again.
            CreateOutcome::Already => Ok(done),
            CreateOutcome::Exists => Err(SignupError::Exists),
            CreateOutcome::NotAdmitted => Err(self.not_admitted()),
        }
    }

    /// Charges whoever comes uninvited: an invitation is the operator's word, and the first account the operator's own.
    async fn create(
        &self,
        account: NewAccount,
        invite: Option<&str>,
        address: AddressKey,
    ) -> Result<CreateOutcome, SignupError> {
        let admission = self.admission_of(invite).await?;
        // One that is there already needs no room and is not counted.
        let is_new = self.ports.store.record(account.account_id).await?.is_none();
        if is_new {
            self.newcomers.storage.check_account()?;
        }
        if !is_new || admission != Admission::Anyone {
            return Ok(self.ports.store.create_account(account, admission).await?);
        }
        let create = self.ports.store.create_account(account, admission);
        counted(&self.newcomers.rates, address, create).await
    }

    /// What the store is to make sure of. An empty server is only as empty as it was a moment ago: so the token admits
    /// a first account and no other.
    async fn admission_of(&self, invite: Option<&str>) -> Result<Admission, SignupError> {
        if let Some(setup) = self.setup
            && self.ports.store.is_empty().await?
        {
            let given = invite.map(invite_hash);
            return if given == Some(setup) {
                Ok(Admission::FirstOnly)
            } else {
                Err(SignupError::InviteNeeded)
            };
        }
        let now_ms = self.ports.clock.now_ms();
        let invited =
            invite.map(|code| (invite_hash(code), Admission::Invited { invite: invite_hash(code), now_ms }));
        Ok(match (self.rule, invited) {
            // Whoever is invited to an open server is not one of the crowd.
            (SignupRule::Open, Some((invite, invited)))
                if self.ports.store.has_invite(invite, now_ms).await? =>
            {
                invited
            }
            (SignupRule::Open, _) => Admission::Anyone,
            (SignupRule::Invite, Some((_, invited))) => invited,
            (SignupRule::Invite, None) | (SignupRule::Closed, _) => Admission::FirstOnly,
        })
    }

    /// Refuses early what the store would refuse.
    async fn admission(&self, invite: Option<&str>) -> Result<(), SignupError> {
        let admitted = match self.admission_of(invite).await? {
            Admission::Anyone => true,
            Admission::Invited { invite, now_ms } => self.ports.store.has_invite(invite, now_ms).await?,
            Admission::FirstOnly => false,
        };
        if admitted || self.ports.store.is_empty().await? { Ok(()) } else { Err(self.not_admitted()) }
    }

    fn not_admitted(&self) -> SignupError {
        match self.rule {
            // On an open server it is somebody whose invitation another one has just used.
            SignupRule::Open | SignupRule::Invite => SignupError::InviteNeeded,
            SignupRule::Closed => SignupError::Closed,
        }
    }

    /// Makes an invitation that is valid for seven days and one account, and gives its code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn make_invite(&self) -> Result<String, StoreError> {
        let code = make_code(&*self.ports.random);
        let expires_ms = self.ports.clock.now_ms().saturating_add(INVITE_MS);
        self.ports.store.add_invite(invite_hash(&code), expires_ms).await?;
        Ok(code)
    }
}

/// Makes an account that counts as one of its day, if it is made.
pub(super) async fn counted<E: From<TooManyAttempts> + From<StoreError>>(
    rates: &SignUpRates,
    address: AddressKey,
    create: impl Future<Output = Result<CreateOutcome, StoreError>>,
) -> Result<CreateOutcome, E> {
    rates.take(address)?;
    let outcome = create.await;
    if !matches!(outcome, Ok(CreateOutcome::Created)) {
        rates.give_back(address);
    }
    Ok(outcome?)
}

fn make_code(random: &dyn Random) -> String {
    lockstep_proto::bytes::to_base64url(&make_bytes::<16>(random))
}

pub(super) fn stored_link(link: &Signed<AccountLink>, added_ms: u64) -> StoredLink {
    StoredLink { head: LogHead { seq: link.value().seq, hash: link.hash() }, bytes: link.to_wire(), added_ms }
}

//! Sign-up: makes an account, on this device first and then on the server.
//!
//! **Order:** ask the server what it is and for its half of the OPAQUE registration; make and seal everything; write it
//! all locally; send it. A crash before the write leaves nothing, a crash after it leaves a profile that
//! [`resume_sign_up`] finishes with the same bytes.

use lockstep_crypto::kit::{EmergencyKit, RecoverySheet, ServerUrl};
use lockstep_crypto::opaque::{OpaqueError, Parties, Registered, Registration};
use lockstep_crypto::password::Password;
use lockstep_proto::api::PROTOCOL_VERSION;
use lockstep_proto::api::info::{Info, SignupPolicy};
use lockstep_proto::api::signup::SignupStart;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::signin::KsfProfile;

use super::error::AccountError;
use super::local_slot::make_local_slot;
use super::new_account::NewKeys;
use super::profile::{Profile, ProfileError, Stage, profile, refuse_existing};
use super::sign_up_records::{self, INVITE_LIMIT, Unshown};
use super::stretched::finish_registration;
use super::unlock::unlock_at_any_stage;
use super::unlocked::Unlocked;
use crate::api::{Api, ApiError};
use crate::ports::Ports;

/// A sign-up did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignUpError {
    /// The account could not be made.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The server's half of the registration is not one, or the password could not be stretched.
    #[error("the account could not be made: {0}; nothing was stored")]
    Opaque(#[from] OpaqueError),
    /// The server speaks another version of the protocol.
    #[error(
        "the server speaks protocol version {server}, this program speaks {}: update whichever is older",
        PROTOCOL_VERSION
    )]
    Protocol {
        /// The server's version.
        server: u32,
    },
    /// The server makes no accounts.
    #[error("sign-up is closed on this server; nothing was stored")]
    Closed,
    /// The server wants an invitation.
    #[error(
        "this server makes an account for whoever gives an invitation, or, while it is new, the set-up token that its log shows; nothing was stored"
    )]
    InviteNeeded,
    /// No invitation is that long.
    #[error(
        "the invitation is longer than any is ({found} bytes); nothing was stored: check what was pasted"
    )]
    InviteTooLong {
        /// Bytes.
        found: usize,
    },
    /// The server names one OPAQUE key and answers with another.
    #[error("the server's sign-in key does not match its answer; nothing was stored")]
    ServerKey,
    /// The server answered with another account than the one made.
    #[error("the server confirmed another account than the one made here; try again later")]
    OtherAccount,
}

impl From<ApiError> for SignUpError {
    fn from(error: ApiError) -> Self {
        Self::Account(error.into())
    }
}

impl From<ProfileError> for SignUpError {
    fn from(error: ProfileError) -> Self {
        Self::Account(error.into())
    }
}

/// What a person gives to make an account.
pub struct NewAccount<'a> {
    /// The server's address; the transport port leads to it.
    pub server_url: ServerUrl,
    /// The new password.
    pub password: &'a Password,
    /// The invitation, where the server wants one.
    pub invite: Option<String>,
}

/// A new account, unlocked, with the two sheets to print. Call [`forget_recovery_key`] once the person has them.
pub struct SignedUp {
    /// The unlocked device.
    pub unlocked: Unlocked,
    /// What signing in on another device needs, besides the password.
    pub kit: EmergencyKit,
    /// What gets back in without password and devices.
    pub recovery: RecoverySheet,
}

/// Makes an account: keys, genesis, sign-in record and slots, durable here before they are sent.
///
/// # Errors
/// [`SignUpError`]. Where the profile is left unfinished (no answer, or a refusal of the last message),
/// [`resume_sign_up`] goes on and [`super::abandon_unfinished`] gives up; otherwise nothing was stored.
pub async fn sign_up(ports: &Ports, new: NewAccount<'_>) -> Result<SignedUp, SignUpError> {
    refuse_existing(&*ports.store).await?;
    let api = Api::new(ports.transport.clone());
    let info = api.info().await?;
    check_info(&info, new.invite.as_deref())?;
    let ksf_profile = KsfProfile::CURRENT.max(info.ksf_profile);
    let now_ms = ports.clock.now_ms();
    let keys = NewKeys::make(info.server_id, (now_ms, &*ports.random));
    let registered = Box::pin(register(ports, &api, &keys, &info, &new, ksf_profile)).await?;
    let sign_in = keys.make_sign_in(registered, ksf_profile, (now_ms, &*ports.random))?;
    let owner = (keys.account_id(), keys.device.device_id());
    let hedge = lockstep_crypto::hedge::Hedge::new(&*ports.random, &keys.rng_secret);
    let local = Box::pin(make_local_slot(ports, new.password, owner, ksf_profile, &hedge)).await?;
    let profile = Profile {
        stage: Stage::SigningUp,
        server_url: new.server_url.as_str().to_owned(),
        server_id: info.server_id,
        account_id: owner.0,
        device_id: owner.1,
        ksf_profile,
        salt: local.salt,
        local_slot: local.slot,
    };
    let (unlocked, unshown) =
        sign_up_records::store(ports, profile, keys, sign_in, (local.lrk, &local.luk), new.invite).await?;
    finish(ports, &api, unlocked, unshown).await
}

/// Finishes a sign-up that was interrupted after its keys were made: sends the same bytes again.
///
/// # Errors
/// [`ProfileError::WrongPassword`] and the like, within [`SignUpError::Account`]; [`ProfileError::Complete`] when the
/// profile is not a half-made account.
pub async fn resume_sign_up(ports: &Ports, password: &Password) -> Result<SignedUp, SignUpError> {
    let profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    match profile.stage {
        Stage::SigningUp => {}
        stage @ (Stage::SigningIn | Stage::Recovering) => return Err(ProfileError::Unfinished(stage).into()),
        Stage::Ready => return Err(ProfileError::Complete.into()),
    }
    let unlocked = Box::pin(unlock_at_any_stage(ports, profile, password)).await?;
    let unshown = sign_up_records::read_unshown(&*ports.store, &unlocked).await?;
    let unshown = unshown.ok_or(ProfileError::Damaged("its Recovery Key is missing"))?;
    let api = Api::new(ports.transport.clone());
    finish(ports, &api, unlocked, unshown).await
}

/// The two sheets of a new account, as long as [`forget_recovery_key`] was not called: so that a crash between sign-up
/// and printing loses nothing.
///
/// # Errors
/// [`ProfileError`].
pub async fn unshown_papers(
    ports: &Ports,
    unlocked: &Unlocked,
) -> Result<Option<(EmergencyKit, RecoverySheet)>, ProfileError> {
    let Some(unshown) = sign_up_records::read_unshown(&*ports.store, unlocked).await? else {
        return Ok(None);
    };
    papers(unlocked, unshown).map(Some)
}

/// Removes the Recovery Key from this device. To be called when the person has it on paper.
///
/// # Errors
/// [`ProfileError::Store`].
pub async fn forget_recovery_key(ports: &Ports) -> Result<(), ProfileError> {
    sign_up_records::forget(ports).await
}

async fn register(
    ports: &Ports,
    api: &Api,
    keys: &NewKeys,
    info: &Info,
    new: &NewAccount<'_>,
    ksf_profile: KsfProfile,
) -> Result<Registered, SignUpError> {
    let account_id = keys.account_id();
    let password = new.password.derive_opaque(&keys.secret_key, &account_id);
    let (registration, request) = Registration::start(&password, &*ports.random)?;
    let start = SignupStart { account_id, request: Bytes(request), invite: new.invite.clone() };
    let answer = api.start_signup(&start).await?;
    let parties = Parties { account_id, server_id: info.server_id };
    let registered =
        finish_registration(ports, registration, &password, &answer.response, &parties, ksf_profile).await?;
    if registered.server_public_key[..] == answer.server_public_key[..] {
        Ok(registered)
    } else {
        Err(SignUpError::ServerKey)
    }
}

async fn finish(
    ports: &Ports,
    api: &Api,
    unlocked: Unlocked,
    unshown: Unshown,
) -> Result<SignedUp, SignUpError> {
    let body = sign_up_records::request(&*ports.store, &unlocked, &unshown).await?;
    let done = api.finish_signup(&body).await?;
    if done.account_id != unlocked.account_id() || done.head != unlocked.state().head() {
        return Err(SignUpError::OtherAccount);
    }
    let unlocked = sign_up_records::set_ready(ports, unlocked).await?;
    let (kit, recovery) = papers(&unlocked, unshown)?;
    Ok(SignedUp { unlocked, kit, recovery })
}

/// What is printed: the Emergency Kit as it is now, and the sheet of this Recovery Key.
pub(super) fn papers(
    unlocked: &Unlocked,
    unshown: Unshown,
) -> Result<(EmergencyKit, RecoverySheet), ProfileError> {
    let kit = unlocked.emergency_kit()?;
    let recovery = RecoverySheet {
        recovery_key: unshown.recovery_key,
        account_id: kit.account_id,
        server_url: kit.server_url.clone(),
        server_id: kit.server_id,
    };
    Ok((kit, recovery))
}

fn check_info(info: &Info, invite: Option<&str>) -> Result<(), SignUpError> {
    if info.protocol != PROTOCOL_VERSION {
        return Err(SignUpError::Protocol { server: info.protocol });
    }
    let found = invite.map_or(0, str::len);
    if found > INVITE_LIMIT {
        return Err(SignUpError::InviteTooLong { found });
    }
    match (info.signup, invite) {
        (SignupPolicy::Closed, _) => Err(SignUpError::Closed),
        (SignupPolicy::Invite, None) => Err(SignUpError::InviteNeeded),
        (SignupPolicy::Open | SignupPolicy::FirstAccount | SignupPolicy::Invite, _) => Ok(()),
    }
}

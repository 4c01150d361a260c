//! The profile: what this device is, readable without a key, and the local slot that a password opens.

use lockstep_crypto::password::PasswordError;
use lockstep_crypto::stretch::StretchError;
use lockstep_crypto::unlock::DeviceSalt;
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{AccountId, DeviceId, Generation, Hash, Seq, ServerId, VaultId};
use lockstep_proto::signin::KsfProfile;
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use crate::ports::{Batch, KeychainError, LocalStore, LocalStoreError, Ports, Table};

/// The format of profiles that this version writes.
const FORMAT: u16 = 1;
const URL_LIMIT: usize = 2_048;
const LOCAL_SLOT_LIMIT: usize = 4_096;

/// Keys of [`Table::Profile`]. Frozen: they are part of the profile's format.
pub(super) const PROFILE: &[u8] = b"profile";
pub(super) const SECRETS: &[u8] = b"secrets";
pub(super) const ACCOUNT_PIN: &[u8] = b"account-pin";
pub(super) const SIGN_UP: &[u8] = b"sign-up";
pub(super) const SIGN_IN: &[u8] = b"sign-in";
pub(super) const RECOVERY: &[u8] = b"recovery";
pub(super) const LINK_IN_FLIGHT: &[u8] = b"link-in-flight";
pub(super) const OPAQUE_RECORD: &[u8] = b"opaque-record";
pub(super) const GUESSES: &[u8] = b"guesses";
pub(super) const REMOVALS_DUE: &[u8] = b"removals-due";

/// The profile on this device cannot be used as asked. It is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] LocalStoreError),
    /// The keychain failed.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// There is no profile.
    #[error("there is no account on this device yet: sign up, or sign in with your Emergency Kit")]
    Missing,
    /// There is a profile already.
    #[error("this profile has an account already; use another profile for another account")]
    Exists,
    /// A sign-up, sign-in or recovery was begun and not finished.
    #[error("the {0} on this device is not finished: finish it, or abandon it")]
    Unfinished(Stage),
    /// There is nothing to finish.
    #[error("there is nothing to finish: the profile is complete")]
    Complete,
    /// The password does not open the profile.
    #[error("the password is wrong; nothing was changed")]
    WrongPassword,
    /// Too many wrong passwords were given, one after the other.
    #[error("too many wrong passwords: the next one can be tried in {seconds} s; nothing was changed")]
    TooManyGuesses {
        /// How long, in seconds.
        seconds: u64,
    },
    /// The root key given does not open the profile.
    #[error("the key does not open this profile; unlock with the password")]
    WrongKey,
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The keychain has no secret for this profile.
    #[error(
        "the keychain has lost this device's secret, so the password cannot unlock it: sign in again with your Kit"
    )]
    NoLocalSecret,
    /// The password could not be stretched.
    #[error(transparent)]
    Stretch(#[from] StretchError),
    /// A record was changed or lost outside this program.
    #[error(
        "the profile is damaged ({0}); nothing was changed: restore its files, or sign in again with your Kit"
    )]
    Damaged(&'static str),
    /// A newer version wrote the profile.
    #[error("this profile was written by a newer version of Lockstep (format {found}): update needed")]
    Newer {
        /// The format found.
        found: u16,
    },
}

/// How far a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The account's keys are made; whether the server has the account is not known.
    SigningUp,
    /// The device's keys are made; whether the account's log has the device is not known.
    SigningIn,
    /// The Recovery Key has opened the account; whether its log has the device is not known.
    Recovering,
    /// The device is one of the account's.
    Ready,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SigningUp => "sign-up",
            Self::SigningIn => "sign-in",
            Self::Recovering => "recovery",
            Self::Ready => "profile",
        })
    }
}

/// What this device is. Nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How far it is.
    pub stage: Stage,
    /// The server's address, as given at sign-up or in the Kit.
    pub server_url: String,
    /// The server's id.
    pub server_id: ServerId,
    /// The account.
    pub account_id: AccountId,
    /// This device.
    pub device_id: DeviceId,
    /// The profile by which the local slot's password is stretched.
    pub ksf_profile: KsfProfile,
    pub(super) salt: DeviceSalt,
    pub(super) local_slot: Vec<u8>,
}

impl Profile {
    /// The context of the local slot: LRK under LUK, on this device alone.
    pub(super) fn local_context(account_id: AccountId, device_id: DeviceId) -> WrapContext {
        Self::under_luk(account_id, device_id, (SlotKind::Local, KeyKind::Lrk))
    }

    /// The context of the key that countersigns, under LUK as well.
    pub(super) fn password_key_context(account_id: AccountId, device_id: DeviceId) -> WrapContext {
        Self::under_luk(account_id, device_id, (SlotKind::PasswordKey, KeyKind::PasswordKey))
    }

    fn under_luk(
        account_id: AccountId,
        device_id: DeviceId,
        (slot, wrapped): (SlotKind, KeyKind),
    ) -> WrapContext {
        WrapContext {
            account_id,
            slot,
            wrapping: KeyKind::Luk,
            wrapping_generation: Generation(0),
            wrapped,
            wrapped_generation: Generation(0),
            vault_id: VaultId::ZERO,
            device_id,
            log_seq: Seq(0),
            log_hash: Hash::ZERO,
        }
    }

    /// The write that stores the profile at another stage.
    pub(super) fn put(&self, stage: Stage, batch: &mut Batch) {
        batch.put(Table::Profile, PROFILE, canon::to_bytes(&Self { stage, ..self.clone() }));
    }
}

impl Canon for Profile {
    fn encode(&self, out: &mut Encoder) {
        out.u16(FORMAT);
        out.u8(match self.stage {
            Stage::SigningUp => 1,
            Stage::SigningIn => 2,
            Stage::Ready => 3,
            Stage::Recovering => 4,
        });
        out.bytes(self.server_url.as_bytes());
        self.server_id.encode(out);
        self.account_id.encode(out);
        self.device_id.encode(out);
        self.ksf_profile.encode(out);
        out.fixed(&self.salt.0);
        out.bytes(&self.local_slot);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "profile format", value: u32::from(format) });
        }
        let stage = match input.u8()? {
            1 => Stage::SigningUp,
            2 => Stage::SigningIn,
            3 => Stage::Ready,
            4 => Stage::Recovering,
            _ => return Err(CanonError::Invalid("stage")),
        };
        let url =
            std::str::from_utf8(input.bytes(URL_LIMIT)?).map_err(|_| CanonError::Invalid("server url"))?;
        Ok(Self {
            stage,
            server_url: url.to_owned(),
            server_id: Canon::decode(input)?,
            account_id: Canon::decode(input)?,
            device_id: Canon::decode(input)?,
            ksf_profile: Canon::decode(input)?,
            salt: DeviceSalt(input.fixed()?),
            local_slot: input.bytes(LOCAL_SLOT_LIMIT)?.to_vec(),
        })
    }
}

/// The profile on this device, if there is one. Needs no key.
///
/// # Errors
/// [`ProfileError::Store`], [`ProfileError::Newer`] or [`ProfileError::Damaged`].
pub async fn profile(store: &dyn LocalStore) -> Result<Option<Profile>, ProfileError> {
    let Some(bytes) = store.read(Table::Profile, PROFILE).await? else { return Ok(None) };
    match canon::from_bytes(&bytes) {
        Ok(profile) => Ok(Some(profile)),
        Err(CanonError::UpdateNeeded { field: "profile format", value }) => {
            Err(ProfileError::Newer { found: u16::try_from(value).unwrap_or(u16::MAX) })
        }
        Err(_) => Err(ProfileError::Damaged("its first record")),
    }
}

/// Removes a profile whose sign-up, sign-in or recovery was never finished. Its keys are gone: if the server did make the
/// account, nobody can open it any more.
///
/// # Errors
/// [`ProfileError::Complete`] for a finished profile, which is never removed here.
pub async fn abandon_unfinished(ports: &Ports) -> Result<(), ProfileError> {
    let profile = profile(&*ports.store).await?.ok_or(ProfileError::Missing)?;
    if profile.stage == Stage::Ready {
        return Err(ProfileError::Complete);
    }
    let mut batch = Batch::new();
    for table in Table::ALL {
        batch.delete_prefix(table, Vec::new());
    }
    Ok(ports.store.write(batch).await?)
}

/// Refuses where there is a profile already.
pub(super) async fn refuse_existing(store: &dyn LocalStore) -> Result<(), ProfileError> {
    match profile(store).await? {
        None => Ok(()),
        Some(profile) if profile.stage == Stage::Ready => Err(ProfileError::Exists),
        Some(profile) => Err(ProfileError::Unfinished(profile.stage)),
    }
}

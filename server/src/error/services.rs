//! What each service's refusals are called on the wire.

use std::fmt;

use lockstep_domain::limits::{Limit, TooManyAttempts};
use lockstep_domain::services::{
    BarError, CommitRefusal, HealError, LinksError, PairingError, ReadError, RecoveryError, SessionError,
    SigninError, SignupError, SlotFault,
};
use lockstep_domain::signin::OpaqueError;
use lockstep_domain::store::Shortage;
use lockstep_proto::api::pairing::PAIRING_SECONDS;
use lockstep_proto::api::vaults::Room;
use lockstep_proto::api::{ErrorCode, Problem};
use lockstep_proto::canon::CanonError;
use lockstep_proto::log::{CommitError, LinkError};

use super::Failure;

const NO_VAULT: &str = "There is no such vault for this account.";

impl From<CanonError> for Failure {
    fn from(error: CanonError) -> Self {
        match error {
            CanonError::UpdateNeeded { .. } => {
                Self::new(ErrorCode::UpdateNeeded, format!("The server must be updated first: {error}."))
            }
            _ => Self::new(ErrorCode::BadFormat, format!("A signed structure cannot be read: {error}.")),
        }
    }
}

impl From<OpaqueError> for Failure {
    fn from(error: OpaqueError) -> Self {
        Self::new(ErrorCode::BadFormat, format!("A sign-in message cannot be read: {error}."))
    }
}

impl From<SlotFault> for Failure {
    fn from(fault: SlotFault) -> Self {
        Self::new(ErrorCode::BadSlot, format!("Nothing was stored: {fault}."))
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Format(error) => error.into(),
            LinkError::UpdateNeeded(_) => {
                Self::new(ErrorCode::UpdateNeeded, format!("Nothing was stored: {error}."))
            }
            _ => Self::new(ErrorCode::LinkRefused, format!("Nothing was stored: {error}.")),
        }
    }
}

impl From<SignupError> for Failure {
    fn from(error: SignupError) -> Self {
        let (code, detail) = match error {
            SignupError::Closed => (
                ErrorCode::SignupClosed,
                "This server takes no new accounts. Ask its operator for an invitation.",
            ),
            SignupError::InviteNeeded => (
                ErrorCode::InviteNeeded,
                "Ask the server's operator for an invitation; each is valid once, for 7 days. The first account of all is made with the set-up token that the server's log shows.",
            ),
            SignupError::TooMany(refused) => return refused.into(),
            SignupError::StorageUsedUp(_) => return Self::storage_used_up(),
            SignupError::Exists => {
                (ErrorCode::AccountExists, "This account exists already. Sign in instead.")
            }
            SignupError::OtherServer => {
                (ErrorCode::OtherServer, "The account was made for another server. Start the sign-up again.")
            }
            SignupError::Format(error) => return error.into(),
            SignupError::Opaque(error) => return error.into(),
            SignupError::Link(error) => return error.into(),
            SignupError::Slot(fault) => return fault.into(),
            SignupError::Store(error) => return error.into(),
            _ => return Self::internal(),
        };
        Self::new(code, detail)
    }
}

impl From<SigninError> for Failure {
    fn from(error: SigninError) -> Self {
        match error {
            SigninError::TooMany(refused) => refused.into(),
            SigninError::Format => Self::new(ErrorCode::BadFormat, "The sign-in message cannot be read."),
            SigninError::Failed { .. } | SigninError::Unknown => Self::new(
                ErrorCode::SigninFailed,
                "The sign-in did not succeed. Check the password and the Emergency Kit, then start again.",
            ),
            SigninError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Failed => Self::new(
                ErrorCode::ChallengeFailed,
                "The device was not recognised. Ask for a new challenge; if it stays, add this device again.",
            ),
            SessionError::Ended => Self::unauthenticated(),
            SessionError::Revoked => Self::new(
                ErrorCode::DeviceRevoked,
                "This device was removed from the account. What it holds stays readable on it.",
            ),
            SessionError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<RecoveryError> for Failure {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::TooMany(refused) => refused.into(),
            RecoveryError::Failed | RecoveryError::Unknown => Self::new(
                ErrorCode::RecoveryFailed,
                "The recovery did not succeed. Check the recovery sheet, then start again.",
            ),
            RecoveryError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<BarError> for Failure {
    fn from(error: BarError) -> Self {
        match error {
            BarError::Forbidden => Self::new(ErrorCode::Forbidden, "This session may not remove devices."),
            BarError::Barred => Self::barred(),
            BarError::Devices => Self::unreadable(error),
            BarError::HeadMoved(head) => {
                let detail = "The account changed meanwhile. Read its log, then sign the request again.";
                Self::of(Problem::new(ErrorCode::HeadMoved, detail).with_head(head))
            }
            BarError::Unsigned => Self::new(
                ErrorCode::Forbidden,
                "Nobody removes devices without the account's password or the Recovery Key.",
            ),
            BarError::NoAccount => Self::unauthenticated(),
            BarError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<HealError> for Failure {
    fn from(error: HealError) -> Self {
        match error {
            // No head: whoever asks has no session.
            HealError::Refused => Self::new(
                ErrorCode::HeadMoved,
                "This does not continue the log that the server has, or it takes back no account that it lacks.",
            ),
            HealError::Empty => Self::unreadable("it holds no link"),
            HealError::Format(error) => error.into(),
            HealError::TooMany(refused) => refused.into(),
            HealError::StorageUsedUp(_) => Self::storage_used_up(),
            HealError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<TooManyAttempts> for Failure {
    fn from(refused: TooManyAttempts) -> Self {
        let seconds = refused.retry_after_seconds;
        let what = match refused.limit {
            Limit::AddressRequests => "Too many requests came from this address",
            Limit::AccountRequests => "This account's devices sent too many requests",
            Limit::AddressTries => "Too many tries to get in failed from this address",
            Limit::PairTries => "Too many tries to get in to this account failed from this address",
            Limit::StrangersTries => {
                "Too many tries to get in to this account failed from addresses that are new to it"
            }
            Limit::Pairings => "Too many pairings are open",
            Limit::AddressSignUps => "Too many accounts were made from this address today",
            Limit::SignUps => "Too many accounts were made on this server today",
            Limit::AccountRoom => "The account asked for room too often",
            Limit::GivingBack | Limit::Newcomers | Limit::Chains => "Too much was given back at once",
        };
        let detail = format!("{what}. Nothing was stored; try again in {seconds} seconds.");
        let problem = Problem::new(ErrorCode::TooManyAttempts, detail).with_retry_after(seconds);
        Self { too_many: Some(refused), ..Self::of(problem) }
    }
}

impl From<PairingError> for Failure {
    fn from(error: PairingError) -> Self {
        match error {
            PairingError::Unknown => {
                Self::new(ErrorCode::NoPairing, "There is no such pairing, or it has ended. Start it again.")
            }
            PairingError::Taken => Self::new(
                ErrorCode::PairingTaken,
                "Somebody else has taken part in this pairing. Trust no device that it showed; start it again.",
            ),
            PairingError::Foreign => {
                Self::new(ErrorCode::Forbidden, "Another device opened this pairing. Go on with that one.")
            }
            PairingError::Size => Self::new(ErrorCode::TooLarge, "The message is empty or too large."),
            PairingError::TooMany => {
                let (limit, retry_after_seconds) = (Limit::Pairings, PAIRING_SECONDS);
                TooManyAttempts { limit, retry_after_seconds, account_id: None }.into()
            }
            _ => Self::unreadable(error),
        }
    }
}

impl From<LinksError> for Failure {
    fn from(error: LinksError) -> Self {
        match error {
            LinksError::HeadMoved(head) => {
                let detail = "The account changed meanwhile. Read its log, then sign the change again.";
                Self::of(Problem::new(ErrorCode::HeadMoved, detail).with_head(head))
            }
            LinksError::Forbidden => Self::new(
                ErrorCode::Forbidden,
                "This session may not make this change. Use the device that signed it.",
            ),
            LinksError::Barred => Self::barred(),
            LinksError::NotBarred => Self::new(
                ErrorCode::NotBarred,
                "A device that is to be removed may have written meanwhile. Bar it, read all vaults, and sign again.",
            ),
            LinksError::NoVault(vault_id) => Self::new(
                ErrorCode::NoVault,
                format!(
                    "The link names vault {vault_id}, which is not here. Make it first, then send the link again."
                ),
            ),
            LinksError::HeadMissing(vault_id) => Self::new(
                ErrorCode::HeadMissing,
                format!(
                    "The link accepts a head that vault {vault_id} does not have here. Read the vault, then sign again."
                ),
            ),
            LinksError::TooEarly { seconds } => {
                let detail = "The new Recovery Key was announced less than a week ago. Until then the one before is valid.";
                Self::of(Problem::new(ErrorCode::RecoveryTooEarly, detail).with_retry_after(seconds))
            }
            LinksError::Full => Self::new(
                ErrorCode::QuotaExceeded,
                "Nothing was stored: the account's log of devices and keys is as long as this server keeps one. Devices can still \
                 be removed.",
            ),
            LinksError::TwoReanchors => Self::unreadable("more than one of its links accepts histories"),
            LinksError::TwoRevocations => Self::unreadable("more than one of its links removes devices"),
            LinksError::Empty => Self::unreadable("it holds no link"),
            LinksError::NoAccount => Self::unauthenticated(),
            LinksError::Format(error) => error.into(),
            LinksError::Opaque(error) => error.into(),
            LinksError::Link(error) => error.into(),
            LinksError::Slot(fault) => fault.into(),
            LinksError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoVault => Self::new(ErrorCode::NoVault, NO_VAULT),
            ReadError::TooMany => {
                Self::new(ErrorCode::TooLarge, "Too much was asked for at once. Ask for fewer items.")
            }
            ReadError::Store(error) => error.into(),
            _ => Self::internal(),
        }
    }
}

impl From<CommitRefusal> for Failure {
    fn from(refusal: CommitRefusal) -> Self {
        let code = match &refusal {
            CommitRefusal::Verifier(error) => return of_verifier(error),
            CommitRefusal::Store(_) => ErrorCode::Internal,
            CommitRefusal::NoVault => return Self::new(ErrorCode::NoVault, NO_VAULT),
            CommitRefusal::HeadMoved(_) => ErrorCode::HeadMoved,
            CommitRefusal::Barred => return Self::barred(),
            CommitRefusal::Foreign => ErrorCode::AuthorRefused,
            CommitRefusal::BlobCount | CommitRefusal::Blob(_) => ErrorCode::BadBlob,
            CommitRefusal::TooLarge => ErrorCode::TooLarge,
            CommitRefusal::StorageUsedUp(_) => return Self::storage_used_up(),
            CommitRefusal::TooManyVaults => {
                let detail = "Nothing was stored: the account has made as many vaults as this server gives it. Its operator can \
                              give it more (`lockstep-server quota`).";
                return Self::new(ErrorCode::TooManyVaults, detail);
            }
            CommitRefusal::Item { .. } => ErrorCode::ItemChanged,
            CommitRefusal::Counts => ErrorCode::DigestWrong,
            CommitRefusal::SideMissing => ErrorCode::SideMissing,
            CommitRefusal::SidesFull => ErrorCode::TooLarge,
            CommitRefusal::TooMany(refused) => return (*refused).into(),
            CommitRefusal::Incomplete => ErrorCode::HealIncomplete,
            CommitRefusal::Quota { room, shortage } => return of_quota(*room, *shortage),
            _ => ErrorCode::CommitRefused,
        };
        let problem = Problem::new(code, format!("Nothing was stored: {refusal}."));
        match refusal {
            CommitRefusal::Store(error) => error.into(),
            CommitRefusal::HeadMoved(moved) => {
                let problem = problem.with_head(moved.head).with_room(moved.room);
                Self::of(match moved.overtaken {
                    Some(overtaken) => problem.with_overtaken(overtaken),
                    None => problem,
                })
            }
            CommitRefusal::Blob(item_id) => Self::of(problem.with_item(item_id)),
            CommitRefusal::Item { item_id, head } => Self::of(problem.with_item(item_id).with_head(head)),
            _ => Self::of(problem),
        }
    }
}

/// Short, since a device shows 200 characters of it.
fn of_quota(room: Room, Shortage { used_bytes, limit_bytes }: Shortage) -> Failure {
    let detail = format!(
        "The account holds {} of its {} here, old versions included; nothing was stored. Purge items, or ask the operator for \
         more.",
        Size(used_bytes),
        Size(limit_bytes)
    );
    Failure::of(Problem::new(ErrorCode::QuotaExceeded, detail).with_room(room))
}

/// A number of bytes for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn of_verifier(error: &CommitError) -> Failure {
    let code = match error {
        CommitError::Format(error) => return (*error).into(),
        CommitError::Body => ErrorCode::BadFormat,
        CommitError::Epoch { .. } | CommitError::Control => ErrorCode::EpochChanged,
        CommitError::Withheld { .. }
        | CommitError::Position(_)
        | CommitError::PositionBack { .. }
        | CommitError::Role
        | CommitError::Author(_)
        | CommitError::CutOff { .. }
        | CommitError::Signature(_) => ErrorCode::AuthorRefused,
        CommitError::Digest | CommitError::Counts => ErrorCode::DigestWrong,
        CommitError::SideMissing(_) => ErrorCode::SideMissing,
        _ => ErrorCode::CommitRefused,
    };
    Failure::new(code, format!("Nothing was stored: {error}."))
}

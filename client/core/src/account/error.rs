//! Why something about the account's log or keys did not succeed.

use lockstep_crypto::envelope::SealError;
use lockstep_crypto::opaque::OpaqueError;
use lockstep_crypto::slots::SlotError;
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{Hash, Seq};
use lockstep_proto::log::{LinkError, LogHead};

use super::profile::ProfileError;
use crate::api::ApiError;
use crate::ports::LocalStoreError;

/// An operation on the account's log or keys did not succeed. What this device knew before is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The call to the server did not succeed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The profile on this device cannot be read or written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The server's copy of the account's log breaks the rules: it was changed by somebody without a key.
    #[error("the server's copy of your account was refused: {0}; what this device knows is unchanged")]
    Link(#[from] LinkError),
    /// The server's log belongs to another account than the one asked for.
    #[error("the server answered with another account; nothing of it was used")]
    OtherAccount,
    /// The server's log ends below what this device has seen: it was restored from a backup, or hides something.
    #[error(
        "the server's copy of your account ends at link {server}, this device has seen link {pinned}; nothing was taken \
         back"
    )]
    Behind {
        /// The server's last link.
        server: Seq,
        /// This device's last link.
        pinned: Seq,
    },
    /// The server's log is on another branch than this device.
    #[error(
        "the server shows another history of your account than this device has seen (at link {at}); this device keeps \
         its own and changes wait here"
    )]
    Diverged {
        /// A position where both differ.
        at: Seq,
    },
    /// The server's log is yet another one than the person was shown, or does not have this device.
    #[error(
        "the server's history of your account is not the one that you were asked about, or does not know this device; \
         nothing was changed"
    )]
    OtherLog,
    /// The server names a head and does not give the links up to it.
    #[error("the server withholds part of your account's history up to link {}; try again later", .head.seq)]
    Withheld {
        /// The head the server named.
        head: LogHead,
    },
    /// A slot that the log names is not there.
    #[error("the server does not give a sealed key that your account names ({hash}); try again later")]
    SlotMissing {
        /// The slot's hash.
        hash: Hash,
    },
    /// A slot does not open, or holds another key than the log says.
    #[error("a sealed key of your account was refused: {0}; nothing of it was used")]
    Slot(#[from] SlotError),
    /// Something cannot be sealed.
    #[error("a key could not be sealed: {0}")]
    Seal(#[from] SealError),
    /// Another link waits for the server's answer; it comes first (R-ONCE).
    #[error("another change of your account still waits for the server; sync first")]
    LinkInFlight,
    /// The log moved on before the link got in; nothing of the link was stored. Make a new one.
    #[error("your account was changed by another device meanwhile; try again")]
    LinkOvertaken,
    /// A device joined the account after its owner had seen the list of devices and before every key was changed: it may be
    /// the work of a device that is to be removed, so its owner decides again.
    #[error(
        "{} joined your account meanwhile; nothing was changed: look at the list of devices again, and decide about that too",
        if *.count == 1 { "a device" } else { "devices" }
    )]
    DevicesJoined {
        /// How many.
        count: usize,
    },
    /// The account's keys were changed while this device was about to join it by recovery, and the server does not give the
    /// new ones as the Recovery Key opens them.
    #[error(
        "the account's keys were changed while you recover it, and the server does not give the sealed key for your sheet: it \
         withholds it, or was never given it by whoever changed them; nothing was changed"
    )]
    KeysMovedOn,
    /// The server's OPAQUE key is not the one that the account's log names.
    #[error("the server's sign-in key is not the one that your account names; nothing was changed")]
    ServerKey,
    /// The server's half of an OPAQUE run is not one, or the password could not be stretched.
    #[error("the password could not be registered: {0}; nothing was changed")]
    Opaque(#[from] OpaqueError),
    /// A device that is to be removed wrote between this device's last pull and the removal.
    #[error(
        "a device that was to be removed wrote meanwhile, so it is not removed yet: sync, and remove it again"
    )]
    CutOffPassed,
    /// The server lacks a vault that a waiting link makes the account's: it was restored, and gets it back first.
    #[error(
        "the server lacks a vault that this device has made; what links it to the account waits here, sync again"
    )]
    VaultNotThere,
    /// The Recovery Key that was announced has to wait for the rest of its week.
    #[error(
        "the new Recovery Key was announced less than a week ago: it can take the place of the one before in {}; \
         until then that one is valid", left(*.seconds)
    )]
    RecoveryTooEarly {
        /// How long.
        seconds: u32,
    },
    /// The log names no announced Recovery Key.
    #[error(
        "no new Recovery Key is announced: it was never, or a change of the password, the keys or the Recovery Key has \
         cancelled it since"
    )]
    NoneAnnounced,
    /// Another Recovery Key is announced than the one of the sheet.
    #[error(
        "the account's log announces another Recovery Key than this sheet has: if you have not announced it, somebody else \
         has who knows your password; change the password, which cancels it, and look at your devices. Nothing was changed"
    )]
    OtherAnnounced,
    /// A recovery sheet of the account waits on this device and was never shown.
    #[error(
        "the sheet of the account's present Recovery Key is on this device and was never handed out: have it on paper \
         first; nothing was changed"
    )]
    SheetUnshown,
    /// The Recovery Key is not the account's.
    #[error("this is not the account's present Recovery Key; nothing was changed")]
    OtherRecoveryKey,
    /// The log says that this device was removed.
    #[error("this device was removed from the account; what is on it stays readable, but it no longer syncs")]
    DeviceRevoked,
}

/// A wait in days or hours, rounded up.
fn left(seconds: u32) -> String {
    let hours = seconds.div_ceil(60 * 60);
    let (number, unit) = if hours > 48 { (hours.div_ceil(24), "day") } else { (hours, "hour") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

impl From<LocalStoreError> for AccountError {
    fn from(error: LocalStoreError) -> Self {
        Self::Profile(error.into())
    }
}

impl From<CanonError> for AccountError {
    fn from(error: CanonError) -> Self {
        Self::Link(error.into())
    }
}

impl AccountError {
    /// Whether there is no way to the server now.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_offline())
    }
}

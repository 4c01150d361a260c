//! Why a sync did not finish.

use std::collections::BTreeSet;

use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{DeviceId, ItemId, Seq, VaultId};
use lockstep_proto::log::{CommitError, LogHead};

use crate::account::{AccountError, RecordError, SignInError};
use crate::api::ApiError;
use crate::item::ItemError;
use crate::ports::LocalStoreError;

/// A sync did not finish. Nothing that was pinned changed, and every edit waits on this device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The account's own log could not be brought up to date.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The server cannot be reached, refuses, or answers something else.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The account's password is another one: it was changed on another device.
    #[error("this is not the account's password: it was changed, or the Secret Key was, on another device")]
    NotThePassword,
    /// The password could not be proved to the server.
    #[error(transparent)]
    SignIn(Box<SignInError>),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] LocalStoreError),
    /// A record of this device is damaged.
    #[error(transparent)]
    Record(RecordError),
    /// A commit that the server gives breaks a rule.
    #[error(
        "the server's copy of vault {vault_id} was refused: {source}; this device keeps its own copy, and edits wait here"
    )]
    Commit {
        /// The vault.
        vault_id: VaultId,
        /// The rule.
        #[source]
        source: CommitError,
    },
    /// The server's log ends below the pin: it was restored from a backup, or takes back what it acknowledged.
    #[error(
        "the server's copy of vault {vault_id} ends at commit {}, this device has seen commit {}: the server has lost or hides what it had acknowledged; this device keeps its copy, and edits wait here", .served.seq, .pinned.seq
    )]
    Behind {
        /// The vault.
        vault_id: VaultId,
        /// This device's pin.
        pinned: LogHead,
        /// The server's head.
        served: LogHead,
    },
    /// The server's log is not the one this device was on.
    #[error(
        "the server shows another history of vault {vault_id} than this device has seen (at commit {at}); this device keeps its own copy, and edits wait here"
    )]
    Diverged {
        /// The vault.
        vault_id: VaultId,
        /// A position at which both differ.
        at: Seq,
    },
    /// The server names something and does not give it.
    #[error("the server does not give {what} of vault {vault_id}; nothing was changed, try again later")]
    Withheld {
        /// The vault.
        vault_id: VaultId,
        /// What is missing.
        what: Missing,
    },
    /// A blob is not the one that the log names.
    #[error(
        "the server gave other bytes for item {item_id} of vault {vault_id} than its log names; nothing of them was used"
    )]
    Blob {
        /// The vault.
        vault_id: VaultId,
        /// The item.
        item_id: ItemId,
    },
    /// A list of items cannot be that of the vault: one comes twice, out of order, or there are too many.
    #[error("the server's list of the items of vault {vault_id} cannot be true; nothing of it is shown")]
    Items {
        /// The vault.
        vault_id: VaultId,
    },
    /// The counts in the log do not agree with the items.
    #[error("the counts in the log of vault {vault_id} do not agree with its items; nothing was changed")]
    Counts {
        /// The vault.
        vault_id: VaultId,
    },
    /// The account's log names a vault that the server does not have and this device never had.
    #[error(
        "vault {vault_id}, which device {by} has added, is not on the server. Sync that device; if it is not yours, or \
         gone, remove it"
    )]
    VaultNotThere {
        /// The vault.
        vault_id: VaultId,
        /// Who has added it.
        by: DeviceId,
    },
    /// Vaults that a device which is to be removed has added cannot be had or opened here. They end with it if their
    /// owner says so; nothing was changed.
    #[error(
        "vaults that the device has added cannot be opened here, and end when it is removed: {}",
        vaults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    VaultsWouldEnd {
        /// The vaults.
        vaults: BTreeSet<VaultId>,
    },
    /// The vault's log has gone on to a key that this device was not given.
    #[error(
        "the key of vault {vault_id} has changed and is not on this device yet; edits wait here, sync again later"
    )]
    KeyMissing {
        /// The vault.
        vault_id: VaultId,
    },
    /// The account holds all that the server gives it.
    #[error(
        "the account is full on the server, old versions included: edits in vault {vault_id} wait on this device. Purge what you \
         do not need, whose room comes back once the server lets old versions go, or ask its operator for more; then sync again"
    )]
    Full {
        /// The vault.
        vault_id: VaultId,
        /// What the account takes in bytes, if the server said so.
        room: Option<u64>,
        /// What the server said, if it refused something.
        #[source]
        source: Option<ApiError>,
    },
    /// The account has as many vaults as the server gives it.
    #[error(
        "the account has made as many vaults as the server gives it, ended ones included; the new one was not made. Ask the \
         server's operator for more"
    )]
    TooManyVaults {
        /// What the server said.
        #[source]
        source: ApiError,
    },
    /// The server has no storage left.
    #[error(
        "the server's storage is used up: edits in vault {vault_id} wait on this device. Tell the server's operator, and sync \
         again later"
    )]
    ServerFull {
        /// The vault.
        vault_id: VaultId,
        /// What the server said.
        #[source]
        source: ApiError,
    },
    /// Others were faster every time.
    #[error(
        "vault {vault_id} is busy: other devices were faster {refusals} times in a row; edits wait here, sync again"
    )]
    Busy {
        /// The vault.
        vault_id: VaultId,
        /// How often.
        refusals: u32,
    },
    /// Asked to join branches where there are not two.
    #[error(
        "the server's copy of vault {vault_id} and this device's are of one history: there is nothing to join"
    )]
    NothingToJoin {
        /// The vault.
        vault_id: VaultId,
    },
    /// The server's branch is not the one that the owner was shown.
    #[error(
        "the server shows yet another history of vault {vault_id} than the one that you were asked about; nothing was joined, look again"
    )]
    OtherHistory {
        /// The vault.
        vault_id: VaultId,
    },
    /// The branches cannot be joined.
    #[error(
        "this device's history of vault {vault_id} cannot be joined to the server's: {source}; nothing was sent. What this device has stays readable and can be exported"
    )]
    NotJoined {
        /// The vault.
        vault_id: VaultId,
        /// The rule.
        #[source]
        source: CommitError,
    },
    /// What this device made breaks a rule: a fault of this program.
    #[error(
        "a commit could not be made for vault {vault_id} ({what}); nothing was sent, and edits wait here"
    )]
    NotMade {
        /// The vault.
        vault_id: VaultId,
        /// What is wrong.
        what: &'static str,
    },
    /// A name breaks a limit of items.
    #[error(transparent)]
    Name(#[from] ItemError),
}

impl From<SignInError> for SyncError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Account(error) => error.into(),
            SignInError::Refused => Self::NotThePassword,
            other => Self::SignIn(Box::new(other)),
        }
    }
}

/// A store that failed says nothing about what it holds.
impl From<RecordError> for SyncError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Store(error) => Self::Store(error),
            error => Self::Record(error),
        }
    }
}

/// What the server does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Commits up to the head it named.
    Commits(Seq),
    /// A commit that another vault's log, or the account's, says is there.
    Observed(LogHead),
    /// A commit that the revocation of a device names.
    CutOff(LogHead),
    /// The current version of an item.
    Item(ItemId),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Commits(seq) => write!(f, "the commits up to {seq}"),
            Self::Observed(head) => write!(f, "commit {}, which another device has seen,", head.seq),
            Self::CutOff(head) => write!(f, "commit {}, which the removal of a device names,", head.seq),
            Self::Item(item_id) => write!(f, "item {item_id}"),
        }
    }
}

impl SyncError {
    /// Whether there is no way to the server now.
    pub fn is_offline(&self) -> bool {
        match self {
            Self::Account(error) => error.is_offline(),
            Self::Api(error) => error.is_offline(),
            _ => false,
        }
    }

    /// The vault of which the server shows another history than this device has seen; zero for the account's own log.
    pub fn fork(&self) -> Option<VaultId> {
        match self {
            Self::Diverged { vault_id, .. } => Some(*vault_id),
            Self::Account(AccountError::Diverged { .. }) => Some(VaultId::ZERO),
            _ => None,
        }
    }

    /// The rule of the protocol that the server's answer breaks, if it breaks one.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Behind { .. } | Self::Diverged { .. } | Self::NotJoined { .. } => Some("R-HEAL"),
            Self::Withheld { what: Missing::CutOff(_), .. } => Some("R-AUTHOR"),
            Self::Blob { .. } => Some("R-ORACLE"),
            Self::Counts { .. } | Self::Items { .. } => Some("R-DIGEST"),
            Self::Commit { source, .. } => Some(commit_rule(source)),
            _ => None,
        }
    }
}

fn commit_rule(error: &CommitError) -> &'static str {
    match error {
        CommitError::Format(CanonError::UpdateNeeded { .. }) => "R-SUITE",
        CommitError::Digest | CommitError::Counts | CommitError::Item(_) => "R-DIGEST",
        CommitError::Chain { .. }
        | CommitError::Genesis
        | CommitError::Vault
        | CommitError::Heal
        | CommitError::SideMissing(_) => "R-HEAL",
        _ => "R-AUTHOR",
    }
}

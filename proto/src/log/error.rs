//! Why an entry is not accepted.

use crate::canon::CanonError;
use crate::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, Seq};
use crate::sign::SignatureError;

/// Why an account link does not continue a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The bytes are not a link.
    #[error("the link cannot be read: {0}")]
    Format(#[from] CanonError),
    /// The first link is not a genesis, or a genesis comes later.
    #[error("the log does not start with its genesis")]
    Genesis,
    /// The link belongs to another account.
    #[error("the link belongs to another account")]
    Account,
    /// The link does not follow the head.
    #[error("the link does not follow the log's head (expected seq {expected}, found {found})")]
    Chain {
        /// The position that was due.
        expected: Seq,
        /// The position the link has.
        found: Seq,
    },
    /// The signer may not sign this kind of link here.
    #[error("the link's signer is not authorised")]
    Signer,
    /// The signature or a key is wrong.
    #[error("the link's signature is wrong: {0}")]
    Signature(#[from] SignatureError),
    /// The link changes who gets in, and the account's password has not signed it.
    #[error("the link changes who gets into the account, and is not countersigned by the account's password")]
    Password,
    /// A key or a device id was used before in this log.
    #[error("the link uses a key again")]
    KeyReused,
    /// The heads do not name exactly the account's vaults.
    #[error("the link's heads do not name exactly the account's vaults")]
    Heads,
    /// A rule of this kind of link is broken.
    #[error("the link breaks a rule: {0}")]
    Rule(&'static str),
    /// A limit of the format is reached.
    #[error("the account's log has reached a limit: {0}")]
    Limit(&'static str),
    /// The kind is laid out but not handled by this program.
    #[error("this version of Lockstep cannot handle a {0} link: update needed")]
    UpdateNeeded(&'static str),
}

/// Why a commit does not continue a vault's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The bytes are not a commit or not its body.
    #[error("the commit cannot be read: {0}")]
    Format(#[from] CanonError),
    /// The body is not the one the commit names.
    #[error("the commit's body is not the one it names")]
    Body,
    /// The first commit is not a genesis, or a genesis comes later.
    #[error("the vault's log does not start with its genesis")]
    Genesis,
    /// The commit belongs to another vault.
    #[error("the commit belongs to another vault")]
    Vault,
    /// The commit does not follow the head.
    #[error("the commit does not follow the vault's head (expected seq {expected}, found {found})")]
    Chain {
        /// The position that was due.
        expected: Seq,
        /// The position the commit has.
        found: Seq,
    },
    /// The commit names another control state than the vault's present one, of the same epoch.
    #[error("the commit names another control commit than the vault's latest one")]
    Control,
    /// The commit's epoch is not the current one, or not one that it may bring.
    #[error("the commit was made for epoch {found}, the vault is at epoch {current}")]
    Epoch {
        /// The vault's epoch.
        current: Epoch,
        /// The commit's epoch.
        found: Epoch,
    },
    /// The author's account log is not known up to the position the commit names: `withheld`.
    #[error("the author's account log is not known up to link {needed}")]
    Withheld {
        /// The account.
        account_id: AccountId,
        /// How far it must be known.
        needed: Seq,
    },
    /// The author's account log has another link at that position.
    #[error("the author's account log has another link at position {0}")]
    Position(Seq),
    /// The commit names an earlier position of its author's log than one before it on the chain (R-AUTHOR 3).
    #[error(
        "the commit names link {found} of its author's account log; an earlier commit of this vault names link {known}"
    )]
    PositionBack {
        /// The position that it names.
        found: Seq,
        /// The one that the chain has.
        known: Seq,
    },
    /// The author is not a member, or its role does not allow this kind.
    #[error("the author may not write this kind of commit")]
    Role,
    /// The author's device is not authorised at that position (R-AUTHOR).
    #[error("device {0} is not authorised to write this commit")]
    Author(DeviceId),
    /// A chain does not contain the cut-off that a revocation names.
    #[error("the chain does not contain the commit {hash} that a revocation names at {seq}")]
    CutOff {
        /// The cut-off's position.
        seq: Seq,
        /// The cut-off's hash.
        hash: Hash,
    },
    /// The signature or a key is wrong.
    #[error("the commit's signature is wrong: {0}")]
    Signature(#[from] SignatureError),
    /// The digest after the changes is not the one the commit names (R-DIGEST).
    #[error("the commit's digest does not add up")]
    Digest,
    /// The counts do not add up.
    #[error("the commit's counts do not add up")]
    Counts,
    /// A change does not replace the version that is there.
    #[error("item {0} is not at the version the commit replaces")]
    Item(ItemId),
    /// A rule of this kind of commit is broken.
    #[error("the commit breaks a rule: {0}")]
    Rule(&'static str),
    /// The commit joins two branches, and only one of them is at hand.
    #[error("the commit joins two branches of the vault's log, and one of them is not at hand")]
    Heal,
    /// A commit on the side of a heal is not at hand.
    #[error("the commit {0}, which a heal joins, is missing")]
    SideMissing(Hash),
}

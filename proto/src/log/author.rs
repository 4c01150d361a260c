//! R-AUTHOR: whether a device may write at a point of a vault's log, as its account's log says.

use super::account::AccountState;
use super::error::CommitError;
use super::{Commit, Entry, LogHead};
use crate::ids::{AccountId, VaultId};
use crate::sign::PublicKey;

/// The verified account logs a verifier knows.
pub trait AccountStates {
    /// The state of that account's log, as far as it is known.
    fn account(&self, account_id: &AccountId) -> Option<&AccountState>;
}

impl AccountStates for AccountState {
    fn account(&self, account_id: &AccountId) -> Option<&AccountState> {
        (self.account_id() == *account_id).then_some(self)
    }
}

impl AccountStates for std::collections::BTreeMap<AccountId, AccountState> {
    fn account(&self, account_id: &AccountId) -> Option<&AccountState> {
        self.get(account_id)
    }
}

/// No account is known: every author is `withheld`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClosedAccounts;

impl AccountStates for ClosedAccounts {
    fn account(&self, _: &AccountId) -> Option<&AccountState> {
        None
    }
}

/// What R-AUTHOR says about a commit that may be valid.
pub(super) struct Authority {
    /// The key that must have signed.
    pub(super) key: PublicKey,
    /// A commit that this chain must contain, because a revocation of the author names it.
    pub(super) cut_off: Option<LogHead>,
    /// It does not count: its author was removed, and the remover had not seen it.
    pub(super) is_void: bool,
}

/// What a commit of a removed device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The remover had seen it.
    Counts,
    /// Valid if the chain comes to the cut-off.
    Open,
    /// It does not count, and keeps nobody from going on.
    Void,
    /// It makes the chain invalid.
    Denied,
}

/// Whoever knows what a chain joins says what a removed device's commits are.
pub(super) trait Removals {
    /// What this commit is, whose author was removed with this cut-off.
    fn standing(&self, commit: &LogHead, cut_off: &LogHead) -> Standing;
}

/// A chain of which no more is known than the commits up to one.
pub(super) struct Alone;

impl Removals for Alone {
    fn standing(&self, commit: &LogHead, cut_off: &LogHead) -> Standing {
        if commit.seq > cut_off.seq { Standing::Denied } else { Standing::Open }
    }
}

/// No chain: whoever signed before a revocation signed.
struct Anywhere;

impl Removals for Anywhere {
    fn standing(&self, _: &LogHead, _: &LogHead) -> Standing {
        Standing::Counts
    }
}

impl Entry {
    /// Whether a device of the author's account has signed this commit into this vault, and was of the account then
    /// (R-AUTHOR 1 and 2). Says nothing about the chain; but nobody else can make such commits, so whoever collects
    /// them is given no more than there are.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn check_signer(&self, vault_id: VaultId, accounts: &impl AccountStates) -> Result<(), CommitError> {
        let commit = self.commit.value();
        if commit.vault_id != vault_id && !commit.vault_id.is_zero() {
            return Err(CommitError::Vault);
        }
        let authority = authority(self, vault_id, accounts, &Anywhere)?;
        Ok(self.commit.verify(&authority.key)?)
    }
}

/// The cut-off of the commit's author in this vault, if it was removed and has one.
pub(super) fn cut_off_of(
    commit: &Commit,
    vault_id: VaultId,
    accounts: &impl AccountStates,
) -> Option<LogHead> {
    let account = accounts.account(&commit.author_account)?;
    let device = account.device(&commit.author_device)?;
    account.cut_off(&vault_id, device, commit.seq).ok()?
}

/// Rules (1), (2) and (4). Rule (3), positions, and (5), roles, need the vault's own state.
pub(super) fn authority(
    entry: &Entry,
    vault_id: VaultId,
    accounts: &impl AccountStates,
    removals: &impl Removals,
) -> Result<Authority, CommitError> {
    let commit = entry.commit.value();
    let position = commit.author_position;
    let withheld = CommitError::Withheld { account_id: commit.author_account, needed: position.seq };
    let account = accounts.account(&commit.author_account).ok_or(withheld.clone())?;
    match account.hash_at(position.seq) {
        None => return Err(withheld),
        Some(hash) if hash != position.hash && !crate::seeded!("author-log-unchecked") => {
            return Err(CommitError::Position(position.seq));
        }
        Some(_) => {}
    }
    let denied = CommitError::Author(commit.author_device);
    let device = account.device(&commit.author_device).ok_or(denied.clone())?;
    if !device.is_authorised_after(position.seq) && !crate::seeded!("revoked-device-writes") {
        return Err(denied);
    }
    let (mut needed, mut is_void) = (None, false);
    if let Some(cut_off) = account.cut_off(&vault_id, device, commit.seq).map_err(|()| denied.clone())? {
        match removals.standing(&commit.head(entry.commit.hash()), &cut_off) {
            Standing::Counts => {}
            Standing::Void => is_void = true,
            Standing::Denied if !crate::seeded!("cut-off-unchecked") => return Err(denied),
            Standing::Open | Standing::Denied => needed = Some(cut_off),
        }
    }
    Ok(Authority { key: device.keys().signing, cut_off: needed, is_void })
}

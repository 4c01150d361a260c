//! R-AUTHOR: whether a device may write at a point of a vault's log, as its account's log says.

use super::account::AccountState;
use super::error::CommitError;
use super::{Commit, Entry, LogHead};
use crate::ids::{AccountId, Seq};
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
    /// The author was revoked before it wrote this, on a branch that a heal writes over: what it says does not count.
    pub(super) is_void: bool,
}

/// What heals further along the chain say about cut-offs: nothing, where no heal is known.
pub(super) trait Mended {
    /// Whether this commit is on the side of a heal of this chain.
    fn holds(&self, cut_off: &LogHead) -> bool;
    /// Whether the commit at `seq` is written over by a heal whose side's chain has this cut-off.
    fn writes_over(&self, seq: Seq, cut_off: &LogHead) -> bool;
    /// Whether this chain has the cut-off itself, as far as it is known.
    fn has(&self, cut_off: &LogHead) -> bool;
}

/// A chain without heals to come.
pub(super) struct Unmended;

impl Mended for Unmended {
    fn holds(&self, _: &LogHead) -> bool {
        false
    }

    fn writes_over(&self, _: Seq, _: &LogHead) -> bool {
        false
    }

    fn has(&self, _: &LogHead) -> bool {
        false
    }
}

/// Everything is written over: whoever signed before a revocation signed.
struct AllOver;

impl Mended for AllOver {
    fn holds(&self, _: &LogHead) -> bool {
        true
    }

    fn writes_over(&self, _: Seq, _: &LogHead) -> bool {
        true
    }

    fn has(&self, _: &LogHead) -> bool {
        false
    }
}

impl Entry {
    /// Whether a device of the author's account has signed this commit into this vault, and was of the account then
    /// (R-AUTHOR 1 and 2). Says nothing about the chain; but nobody else can make such commits, so whoever collects them
    /// is given no more than there are.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn check_signer(
        &self,
        vault_id: crate::ids::VaultId,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        let commit = self.commit.value();
        if commit.vault_id != vault_id && !commit.vault_id.is_zero() {
            return Err(CommitError::Vault);
        }
        let authority = authority(commit, vault_id, accounts, &AllOver)?;
        Ok(self.commit.verify(&authority.key)?)
    }
}

/// Rules (1), (2) and (4). Rule (3), positions, and (5), roles, need the vault's own state.
pub(super) fn authority(
    commit: &Commit,
    vault_id: crate::ids::VaultId,
    accounts: &impl AccountStates,
    mended: &impl Mended,
) -> Result<Authority, CommitError> {
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
    let (cut_off, is_void) = match device.revocation() {
        None => (None, false),
        Some(revocation) => {
            let cut_off = revocation.cut_off(&vault_id).ok_or(denied.clone())?;
            let is_above = commit.seq > cut_off.seq && !crate::seeded!("cut-off-unchecked");
            let is_over = mended.writes_over(commit.seq, &cut_off);
            if is_above && !is_over {
                return Err(denied);
            }
            // Below its cut-off, but on another branch than that: not before it.
            let is_void = is_over && (is_above || !mended.has(&cut_off));
            ((!is_void).then_some(cut_off), is_void)
        }
    };
    Ok(Authority { key: device.keys().signing, cut_off, is_void })
}

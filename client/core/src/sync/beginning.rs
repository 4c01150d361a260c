//! Where a first sync begins: the control commits and the commit at the head, verified without those in between.

use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{AccountStates, CommitError, Entry, LogHead, VaultState};

/// A first sync's target, and the commits that lead to it.
pub(crate) struct Beginning {
    entries: Vec<Entry>,
    state: VaultState,
}

impl Beginning {
    /// Verifies the genesis, every later control commit and the commit at the head, in this order; a head that is a
    /// control commit itself comes once.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of it is trusted.
    pub(crate) fn verify(
        vault_id: VaultId,
        entries: Vec<Entry>,
        accounts: &impl AccountStates,
    ) -> Result<Self, CommitError> {
        let (genesis, later) = entries.split_first().ok_or(CommitError::Genesis)?;
        let mut state = VaultState::from_genesis(genesis, accounts)?;
        if state.vault_id() != vault_id {
            return Err(CommitError::Vault);
        }
        for entry in later {
            state = state.skip_to(entry, accounts)?;
        }
        Ok(Self { entries, state })
    }

    /// The commits.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The state at the target; digest and counts are its signer's word so far.
    pub(crate) fn state(&self) -> &VaultState {
        &self.state
    }

    /// The target.
    pub(crate) fn target(&self) -> LogHead {
        self.state.head()
    }
}

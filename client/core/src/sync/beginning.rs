//! Where a first sync begins: the control commits and the commit at the head, verified without those in between.

use lockstep_proto::ids::VaultId;
use lockstep_proto::log::{AccountStates, CommitBody, CommitError, Entry, LogHead, VaultState};

/// A first sync's target, and the commits that lead to it.
pub(crate) struct Beginning {
    entries: Vec<Entry>,
    state: VaultState,
}

impl Beginning {
    /// Begins with the vault's genesis.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of it is trusted.
    pub(crate) fn new(
        vault_id: VaultId,
        genesis: Entry,
        accounts: &impl AccountStates,
    ) -> Result<Self, CommitError> {
        let state = VaultState::from_genesis(&genesis, accounts)?;
        if state.vault_id() != vault_id {
            return Err(CommitError::Vault);
        }
        Ok(Self { entries: vec![genesis], state })
    }

    /// Goes on with the next control commit, or with the commit at the head.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was taken.
    pub(crate) fn push(&mut self, entry: Entry, accounts: &impl AccountStates) -> Result<(), CommitError> {
        self.state = self.state.skip_to(&entry, accounts)?;
        self.entries.push(entry);
        Ok(())
    }

    /// All of them in order: genesis, later control commits, and the commit at the head unless it is one of these.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of it is trusted.
    pub(crate) fn verify(
        vault_id: VaultId,
        entries: Vec<Entry>,
        accounts: &impl AccountStates,
    ) -> Result<Self, CommitError> {
        let mut entries = entries.into_iter();
        let genesis = entries.next().ok_or(CommitError::Genesis)?;
        let mut beginning = Self::new(vault_id, genesis, accounts)?;
        entries.try_for_each(|entry| beginning.push(entry, accounts))?;
        Ok(beginning)
    }

    /// The commits.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those of them that are on the chain itself, not on the side of a heal.
    pub(crate) fn on_chain(&self) -> impl Iterator<Item = &Entry> {
        let is_beside = |index: usize, entry: &Entry| {
            let later = self.entries.get(index + 1..).unwrap_or_default();
            later.iter().any(|later| match &later.body {
                CommitBody::Heal(heal) => {
                    let keeps_sides = later.commit.value().control_hash == heal.side_control_hash;
                    keeps_sides && entry.commit.value().seq > heal.fork.seq
                }
                _ => false,
            })
        };
        self.entries
            .iter()
            .enumerate()
            .filter(move |(index, entry)| !is_beside(*index, entry))
            .map(|(_, entry)| entry)
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

//! Members and epoch that are not in force: a removed device has set them, unseen by its remover, or what they rested on has
//! turned out to be void. Commits that build on them are followed; a heal takes other ones, or the chain is invalid.

use super::super::error::CommitError;
use super::VaultState;

/// Why, and what was in force before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overruled {
    why: CommitError,
    in_force: VaultState,
}

impl VaultState {
    /// After a commit that set members or epoch: whether they are in force, and what is that builds on what is not.
    pub(super) fn overrule(&mut self, before: &Self, why: Option<CommitError>) {
        let why = why.filter(|_| !crate::seeded!("void-sets-members"));
        let known = before.overruled.as_ref().map(|overruled| overruled.why.clone());
        self.overruled = known.or(why).map(|why| {
            let in_force = before.in_force().clone();
            Box::new(Overruled { why, in_force })
        });
    }

    /// The state whose members and epoch are in force.
    pub(super) fn in_force(&self) -> &Self {
        self.overruled.as_ref().map_or(self, |overruled| &overruled.in_force)
    }

    /// Why the chain is not valid if it ends here.
    pub(in super::super) fn overruled(&self) -> Option<&CommitError> {
        self.overruled.as_ref().map(|overruled| &overruled.why)
    }
}

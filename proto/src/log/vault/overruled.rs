//! Members and epoch that are not in force: a removed device has set them, unseen by its remover. Commits that build on them
//! are followed; a later heal takes other ones, or the chain is invalid.

use super::super::commit::Commit;
use super::VaultState;
use crate::ids::DeviceId;

/// By whom, and what was in force before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overruled {
    by: DeviceId,
    in_force: VaultState,
}

impl VaultState {
    /// After a commit that set members or epoch, a void one where a removed device is named: whether they are in force.
    pub(super) fn overrule(&mut self, before: &Self, by: Option<DeviceId>) {
        let by = by.filter(|_| !crate::seeded!("void-sets-members"));
        let known = before.overruled();
        self.overruled = known.or(by).map(|by| {
            let in_force = before.in_force().clone();
            Box::new(Overruled { by, in_force })
        });
    }

    /// The state whose members and epoch are in force.
    pub(in super::super) fn in_force(&self) -> &Self {
        self.overruled.as_ref().map_or(self, |overruled| &overruled.in_force)
    }

    /// The removed device from which members and epoch come: the chain is not valid if it ends here.
    pub(in super::super) fn overruled(&self) -> Option<DeviceId> {
        self.overruled.as_ref().map(|overruled| overruled.by)
    }

    /// Whether only members that are not in force let the author write this.
    pub(super) fn is_by_nobody(&self, commit: &Commit) -> bool {
        let member = self.in_force().members.get(&commit.author_account);
        self.overruled.is_some() && !member.is_some_and(|member| member.role.allows(commit.kind))
    }
}

//! A vault that several accounts share.

use std::collections::BTreeMap;

use super::fixture::*;
use crate::ids::{AccountId, Epoch, Generation};
use crate::log::*;
use crate::sign::Signed;

/// Anna is admin, ben writes, cleo reads, dora is no member. Each has one device, named like its owner.
pub(crate) struct Shared {
    pub(crate) people: BTreeMap<&'static str, TestAccount>,
    pub(crate) vault: TestVault,
}

pub(crate) const MEMBERS: [(&str, Role); 3] =
    [("anna", Role::Admin), ("ben", Role::Writer), ("cleo", Role::Reader)];

impl Shared {
    pub(crate) fn new() -> Self {
        let mut people: BTreeMap<_, _> =
            ["anna", "ben", "cleo", "dora"].map(|name| (name, TestAccount::new(name, name))).into();
        let vault = people.get_mut("anna").unwrap().add_vault("anna", "family");
        let mut shared = Self { people, vault };
        let entry = shared.control("anna", &MEMBERS, Epoch(1));
        shared.accept(&entry);
        shared
    }

    pub(crate) fn accounts(&self) -> BTreeMap<AccountId, AccountState> {
        self.people.values().map(|person| (person.id(), person.state.clone())).collect()
    }

    pub(crate) fn state(&self, name: &str) -> &AccountState {
        &self.people[name].state
    }

    /// One more link in that person's log, so that its position goes up.
    pub(crate) fn step(&mut self, name: &'static str) -> AccountState {
        let person = self.people.get_mut(name).unwrap();
        let before = person.state.clone();
        person.push(name, LinkBody::SecurityVersion(before.security_version() + 1));
        before
    }

    pub(crate) fn members(&self, members: &[(&str, Role)]) -> Vec<Member> {
        let member = |(name, role): &(&str, Role)| Member {
            account_id: self.people[name].id(),
            role: *role,
            position: self.state(name).head(),
            uek_generation: Generation(1),
            slot: named(&format!("grant of {name}")),
        };
        let mut members: Vec<Member> = members.iter().map(member).collect();
        members.sort_by_key(|member| member.account_id);
        members
    }

    /// A control commit by `author` with these members at their current positions.
    pub(crate) fn control(&self, author: &str, members: &[(&str, Role)], epoch: Epoch) -> Entry {
        self.control_with(author, self.members(members), epoch)
    }

    pub(crate) fn control_with(&self, author: &str, members: Vec<Member>, epoch: Epoch) -> Entry {
        let fresh = epoch != self.vault.state.epoch();
        let (vault_key_commit, prev_vault_key) = if fresh {
            (named(&format!("key of epoch {epoch}")), epoch.0.to_be_bytes().repeat(16))
        } else {
            (self.vault.state.vault_key_commit(), self.vault.state.prev_vault_key().to_vec())
        };
        let body = CommitBody::Control(ControlBody { members, epoch, vault_key_commit, prev_vault_key });
        let commit = self.vault.commit(self.state(author), author, &body);
        Entry { commit: Signed::sign(commit, &signing_key(author)), body }
    }

    pub(crate) fn content(&self, author: &str, item: &str) -> Entry {
        self.vault.content(self.state(author), author, &[(item, &format!("{item} by {author}"))])
    }

    pub(crate) fn heal(&self, author: &str) -> Entry {
        let head = self.vault.state.head();
        let body = CommitBody::Heal(HealBody { fork: head, side: head, side_control_hash: head.hash });
        let commit = self.vault.commit(self.state(author), author, &body);
        Entry { commit: Signed::sign(commit, &signing_key(author)), body }
    }

    pub(crate) fn outcome(&self, entry: &Entry) -> Result<(), CommitError> {
        super::every_kind::receive(&self.vault, entry, &self.accounts()).map(|_| ())
    }

    pub(crate) fn accept(&mut self, entry: &Entry) {
        self.vault.accept(entry, &self.accounts());
    }
}

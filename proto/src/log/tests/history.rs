//! Random honest histories: an account whose devices come and go, with vaults that they write.

use proptest::prelude::*;

use super::fixture::*;
use crate::ids::{Epoch, Seq, VaultId};
use crate::log::*;

/// Something that happens. Numbers pick among what is there at that time.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    AddDevice { kit: bool },
    Revoke(usize),
    Rotate,
    ChangePassword,
    RaiseVersion,
    CreateVault,
    Write { device: usize, vault: usize, items: Vec<u8> },
    Control { vault: usize, next_epoch: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let items = prop::collection::vec(0..6u8, 1..4);
    let write = (any::<usize>(), any::<usize>(), items);
    prop_oneof![
        2 => any::<bool>().prop_map(|kit| Step::AddDevice { kit }),
        2 => any::<usize>().prop_map(Step::Revoke),
        1 => Just(Step::Rotate),
        1 => Just(Step::ChangePassword),
        1 => Just(Step::RaiseVersion),
        2 => Just(Step::CreateVault),
        8 => write.prop_map(|(device, vault, items)| Step::Write { device, vault, items }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(vault, next_epoch)| Step::Control { vault, next_epoch }),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 4..16)
}

/// A history as it was made: the account, its vaults, and the names of the devices in use.
pub(crate) struct History {
    pub(crate) account: TestAccount,
    pub(crate) vaults: Vec<TestVault>,
    active: Vec<String>,
    made: usize,
    /// Per vault, the revocations that its control state counts.
    rekeyed: Vec<Seq>,
}

impl History {
    pub(crate) fn new(name: &str, steps: &[Step]) -> Self {
        let account = TestAccount::new(name, "first");
        let mut history =
            Self { account, vaults: Vec::new(), active: vec!["first".into()], made: 0, rekeyed: Vec::new() };
        history.step(&Step::CreateVault);
        steps.iter().for_each(|step| history.step(step));
        history
    }

    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what} {}", self.made)
    }

    /// Whoever signs links; it is never the one that goes.
    fn signer(&self) -> String {
        self.active[0].clone()
    }

    fn push(&mut self, body: LinkBody) {
        self.see_heads();
        self.account.push(&self.signer(), body);
    }

    fn see_heads(&mut self) {
        for vault in &self.vaults {
            self.account.heads.insert(vault.id(), vault.state.head());
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::AddDevice { kit } => self.add_device(*kit),
            Step::Revoke(index) if self.active.len() > 1 => {
                let gone = self.active.remove(1 + index % (self.active.len() - 1));
                self.see_heads();
                let rekey = self.account.rekey(RekeyReason::Lost, &[&gone]);
                self.push(LinkBody::Rekey(Box::new(rekey)));
            }
            Step::Revoke(_) | Step::Rotate => self.rotate(),
            Step::ChangePassword => {
                let tag = self.fresh("password");
                self.push(LinkBody::AuthUpdate(self.account.new_password(&tag)));
            }
            Step::RaiseVersion => {
                let next = self.account.state.security_version() + 1;
                self.push(LinkBody::SecurityVersion(next));
            }
            Step::CreateVault => self.create_vault(),
            Step::Write { device, vault, items } => self.write(*device, *vault, items),
            Step::Control { vault, next_epoch } => self.control(vault % self.vaults.len(), *next_epoch),
        }
    }

    fn rotate(&mut self) {
        let rekey = self.account.rekey(RekeyReason::Rotation, &[]);
        self.push(LinkBody::Rekey(Box::new(rekey)));
    }

    fn add_device(&mut self, kit: bool) {
        let device = self.fresh("device");
        if kit {
            let body = LinkBody::DeviceAdd(DeviceAdd { keys: device_keys(&device), how: Enrolment::Kit });
            let mut link = self.account.link(&self.signer(), body);
            link.signer = Signer::Enrolment;
            link.heads.clear();
            let generation = self.account.state.generation().0;
            let name = &self.account.name;
            let key = match generation {
                1 => format!("{name} esk 1"),
                generation => format!("{name} generation {generation} esk"),
            };
            self.account.accept(link, &key);
        } else {
            self.push(LinkBody::DeviceAdd(DeviceAdd { keys: device_keys(&device), how: Enrolment::Pairing }));
        }
        self.active.push(device);
    }

    fn create_vault(&mut self) {
        let name = self.fresh("vault");
        let signer = self.signer();
        self.see_heads();
        let position = self.account.state.head().seq;
        let vault = self.account.add_vault(&signer, &name);
        self.vaults.push(vault);
        self.rekeyed.push(position);
    }

    fn write(&mut self, device: usize, vault: usize, items: &[u8]) {
        let device = self.active[device % self.active.len()].clone();
        let content = self.fresh("content");
        let mut items: Vec<String> = items.iter().map(|item| format!("item {item}")).collect();
        items.sort();
        items.dedup();
        let changes: Vec<(&str, &str)> = items.iter().map(|item| (&item[..], &content[..])).collect();
        let index = vault % self.vaults.len();
        self.vaults[index].write(&self.account.state, &device, &changes);
    }

    /// A new epoch is the next one, which a rekey has named.
    fn control(&mut self, index: usize, next_epoch: bool) {
        let (vault_id, current) = (self.vaults[index].id(), self.vaults[index].state.epoch());
        if next_epoch && self.account.state.vaults()[&vault_id].epoch == current {
            self.rotate();
        }
        let state = &self.account.state;
        let revoked = state.revoked_between(self.rekeyed[index], state.head().seq);
        let epoch = if next_epoch || revoked { current.next() } else { current };
        let entry = self.control_entry(index, epoch);
        self.vaults[index].accept(&entry, state);
        self.rekeyed[index] = self.account.state.head().seq;
    }

    fn control_entry(&self, index: usize, epoch: Epoch) -> Entry {
        self.vaults[index].control(&self.account.state, &self.signer(), epoch)
    }

    pub(crate) fn vault(&self, vault_id: &VaultId) -> Option<&TestVault> {
        self.vaults.iter().find(|vault| vault.id() == *vault_id)
    }
}

/// A vault verified from its genesis.
pub(crate) fn replay(entries: &[Entry], account: &AccountState) -> Result<VaultState, CommitError> {
    let (first, rest) = entries.split_first().ok_or(CommitError::Genesis)?;
    let genesis = VaultState::from_genesis(first, account)?;
    rest.iter().try_fold(genesis, |state, entry| state.apply(entry, account))
}

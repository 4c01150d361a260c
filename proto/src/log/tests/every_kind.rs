//! An honest next entry of every kind, to be broken one field at a time.

use super::fixture::*;
use super::recorded::note_commit;
use crate::ids::{Epoch, VaultId};
use crate::log::*;
use crate::sign::Signed;

/// An account with three devices and a vault, so that every kind of link has something to say.
pub(crate) fn busy_account() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("laptop", "tablet");
    let vault = account.add_vault("laptop", "home");
    (account, vault)
}

pub(crate) fn pairing(device: &str) -> DeviceAdd {
    DeviceAdd { keys: device_keys(device), how: Enrolment::Pairing }
}

/// A `device_add` by kit, to be signed with "anna esk 1".
pub(crate) fn kit_link(account: &TestAccount) -> AccountLink {
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: device_keys("fresh"), how: Enrolment::Kit });
    let mut link = account.link("laptop", body);
    link.signer = Signer::Enrolment;
    link.heads.clear();
    link
}

/// A `reanchor` of the account's first vault, of which nothing is given up; an account without a vault has none.
pub(crate) fn reanchor_link(account: &TestAccount) -> Option<AccountLink> {
    let (vault_id, head) = account.heads.iter().next().map(|(vault_id, head)| (*vault_id, *head))?;
    let anchor = Anchor { vault_id, fork: head, head, distrusted: Distrusted::default() };
    Some(account.link("laptop", LinkBody::Reanchor(Reanchor { vaults: vec![anchor] })))
}

/// A `recover`, to be signed with "anna rk 1".
pub(crate) fn recover_link(account: &TestAccount) -> AccountLink {
    let mut rekey = account.rekey(RekeyReason::Recovery, &["laptop", "phone", "tablet"]);
    rekey.device_slots = vec![DeviceSlot { device_id: device_id("new"), slot: named("new slot") }];
    let device = DeviceAdd { keys: device_keys("new"), how: Enrolment::Recovery };
    let recover = Recover { device: Some(device), recovery: recovery_keys("anna rk 2"), rekey };
    let mut link = account.link("laptop", LinkBody::Recover(Box::new(recover)));
    link.signer = Signer::Recovery;
    link
}

/// An acceptable next link of every kind that is handled, with the name of the key that signs it.
pub(crate) fn next_links(account: &TestAccount) -> Vec<(AccountLink, &'static str)> {
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    let create = VaultCreate { vault_id: VaultId([4; 32]), slot: named("slot") };
    let by_laptop = [
        LinkBody::AuthUpdate(account.new_password("new")),
        LinkBody::DeviceAdd(pairing("fresh")),
        LinkBody::Rekey(Box::new(rekey)),
        LinkBody::VaultCreate(create),
        LinkBody::SecurityVersion(2),
        LinkBody::RecoveryAnnounce(Box::new(recovery_keys("anna rk 2"))),
    ];
    let mut links: Vec<_> = by_laptop.map(|body| (account.link("laptop", body), "laptop")).into();
    links.extend(reanchor_link(account).map(|link| (link, "laptop")));
    links.push((kit_link(account), "anna esk 1"));
    links.push((recover_link(account), "anna rk 1"));
    links.push((recovery_change_link(account), "anna rk 1"));
    links
}

/// A `recovery_change`, to be signed with "anna rk 1".
pub(crate) fn recovery_change_link(account: &TestAccount) -> AccountLink {
    let change = RecoveryChange { recovery: recovery_keys("anna rk 2"), slot: named("rk 2 slot") };
    let mut link = account.link("laptop", LinkBody::RecoveryChange(Box::new(change)));
    link.signer = Signer::Recovery;
    link
}

/// The kinds that are laid out only, and the name their refusal gives.
pub(crate) fn laid_out_links(account: &TestAccount) -> Vec<(AccountLink, &'static str)> {
    let position = LogHead { seq: account.state.head().seq, hash: named("position") };
    let vault_id = VaultId([3; 32]);
    let (grant, slot) = (named("grant"), named("slot"));
    let join = VaultJoin { vault_id, control: position, epoch: Epoch(2), grant, slot };
    let bodies = [
        (LinkBody::VaultJoin(join), "vault_join"),
        (LinkBody::VaultLeave(VaultLeave { vault_id, last: position }), "vault_leave"),
        (LinkBody::ContactPin(vec![1; 40]), "contact_pin"),
        (LinkBody::Escrow(vec![2; 40]), "escrow"),
    ];
    bodies.map(|(body, name)| (account.link("laptop", body), name)).into()
}

/// The next commit of every kind but genesis; the control commit brings epoch 2, which a rekey must have named.
pub(crate) fn next_entries(account: &TestAccount, vault: &TestVault) -> Vec<Entry> {
    let body = CommitBody::Heal(HealBody {
        fork: vault.state.control(),
        side: vault.state.head(),
        side_control_hash: vault.state.control().hash,
    });
    let commit = vault.commit(&account.state, "laptop", &body);
    let heal = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    let content = vault.content(&account.state, "laptop", &[("bank", "bank 9"), ("new", "new 1")]);
    vec![content, vault.control(&account.state, "laptop", Epoch(2)), heal]
}

/// Reads an entry back as whoever receives it does, and applies it.
pub(crate) fn receive(
    vault: &TestVault,
    entry: &Entry,
    accounts: &impl AccountStates,
) -> Result<TestVault, CommitError> {
    let read = Entry::from_wire(&entry.commit.to_wire(), &entry.body.to_bytes());
    let read = read.inspect_err(|error| {
        note_commit(entry, Some(vault.state.head()), accounts, &Err::<(), _>(error.clone()));
    })?;
    vault.attempt(&read, accounts)
}

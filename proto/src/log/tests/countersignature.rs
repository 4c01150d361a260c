//! What changes who gets in is signed by the account's password as well, as it was before the link.

use super::every_kind::*;
use super::fixture::*;
use super::recorded::{apply, begin};
use crate::hash::hash;
use crate::ids::VaultId;
use crate::log::*;
use crate::sign::Signed;

fn refused(found: Result<AccountState, LinkError>) {
    assert_eq!(found.map(|_| ()), Err(LinkError::Password));
}

#[test]
pub(super) fn a44_a_device_without_the_password_changes_nothing_about_who_gets_in() {
    let (account, _) = busy_account();
    let mut countersigned = Vec::new();
    for (link, key) in next_links(&account) {
        let kind = link.body.kind();
        let honest = sign_link(&account.state, link.clone(), key);
        apply(&account.state, &honest).unwrap();
        let alone = Signed::sign(link.clone(), &signing_key(key));
        if alone == honest {
            continue;
        }
        countersigned.push(kind);
        refused(apply(&account.state, &alone));
        // Everything that lies in an unlocked device's memory, and what the log itself says.
        let record = account.state.auth().unwrap().record_hash;
        let public = hash("test password", &[&account.state.auth().unwrap().password_key.0]);
        let keys = ["laptop", "phone", "anna esk 1", "anna rk 1", "mallory"].map(signing_key);
        let derived = [record, public].map(|bytes| ed25519_dalek::SigningKey::from_bytes(&bytes.0));
        for key_at_hand in keys.iter().chain(&derived) {
            refused(apply(&account.state, &alone.clone().countersigned(key_at_hand)));
        }
    }
    use LinkKind::{AuthUpdate, DeviceAdd, Reanchor, RecoveryAnnounce, Rekey, SecurityVersion};
    let expected = [AuthUpdate, DeviceAdd, Rekey, SecurityVersion, RecoveryAnnounce, Reanchor, DeviceAdd];
    assert_eq!(countersigned, expected);
}

/// A new password that only its own link names is no password before that link.
#[test]
pub(super) fn a44_the_password_that_a_link_brings_does_not_countersign_it() {
    let (account, _) = busy_account();
    let rekey = account.rekey(RekeyReason::Rotation, &[]);
    for (body, record) in [
        (LinkBody::AuthUpdate(account.new_password("mine")), account.new_password("mine").record_hash),
        (LinkBody::Rekey(Box::new(rekey.clone())), rekey.auth.record_hash),
    ] {
        let link = Signed::sign(account.link("laptop", body), &signing_key("laptop"));
        refused(apply(&account.state, &link.clone().countersigned(&password_key(&record))));
        let current = account.state.auth().unwrap().record_hash;
        apply(&account.state, &link.countersigned(&password_key(&current))).unwrap();
    }
}

#[test]
pub(super) fn a_password_that_was_changed_countersigns_nothing_any_more() {
    let (mut account, _) = busy_account();
    let old = password_key(&account.state.auth().unwrap().record_hash);
    account.push("phone", LinkBody::AuthUpdate(account.new_password("new")));
    let link =
        Signed::sign(account.link("laptop", LinkBody::DeviceAdd(pairing("fresh"))), &signing_key("laptop"));
    refused(apply(&account.state, &link.countersigned(&old)));
    account.add_device("laptop", "fresh");
}

/// It covers the position and the link before: it cannot be moved to another link, or to another branch.
#[test]
pub(super) fn a44_a_countersignature_is_of_one_link_at_one_place() {
    let (account, _) = busy_account();
    let at_hand = sign_link(&account.state, account.link("laptop", LinkBody::SecurityVersion(2)), "laptop");
    let wire = at_hand.to_wire();
    let (_, countersignature) = wire.split_at(wire.len() - 64);
    let mut moved_on = account.clone();
    moved_on.add_vault("laptop", "work");
    for (state, link) in [
        (&account.state, account.link("laptop", LinkBody::DeviceAdd(pairing("fresh")))),
        (&account.state, account.link("phone", LinkBody::SecurityVersion(2))),
        (&moved_on.state, moved_on.link("laptop", LinkBody::SecurityVersion(2))),
    ] {
        let key = if link.signer == Signer::Device(device_id("phone")) { "phone" } else { "laptop" };
        let wire = [&Signed::sign(link, &signing_key(key)).to_wire(), countersignature].concat();
        refused(apply(state, &Signed::from_wire(&wire).unwrap()));
    }
    apply(&account.state, &at_hand).unwrap();
}

#[test]
pub(super) fn the_first_auth_update_shows_the_key_that_it_names() {
    let genesis = Signed::sign(TestAccount::genesis("anna", "laptop"), &signing_key("laptop"));
    let state = begin(&genesis).unwrap();
    let signer = Signer::Device(device_id("laptop"));
    let body = LinkBody::AuthUpdate(auth("anna", 1));
    let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), body);
    let link = Signed::sign(link, &signing_key("laptop"));
    refused(apply(&state, &link));
    refused(apply(&state, &link.clone().countersigned(&signing_key("laptop"))));
    apply(&state, &link.countersigned(&password_key(&auth("anna", 1).record_hash))).unwrap();
}

/// Nobody who holds a device's keys can use up the room for links: what needs no password is bounded by the vaults.
#[test]
pub(super) fn a44_a_device_without_the_password_cannot_fill_the_log() {
    let (account, _) = busy_account();
    let free: Vec<LinkKind> = next_links(&account)
        .into_iter()
        .filter(|(link, key)| apply(&account.state, &Signed::sign(link.clone(), &signing_key(key))).is_ok())
        .filter(|(link, _)| link.signer != Signer::Recovery)
        .map(|(link, _)| link.body.kind())
        .collect();
    assert_eq!(free, [LinkKind::VaultCreate]);
    let mut full = account;
    for number in 1..VAULTS_LIMIT {
        full.add_vault("phone", &number.to_string());
    }
    let vault_id = VaultId([9; 32]);
    let one_more = LinkBody::VaultCreate(VaultCreate { vault_id, slot: named("one more") });
    assert_eq!(full.attempt(full.link("phone", one_more), "phone"), Err(LinkError::Limit("vaults")));
}

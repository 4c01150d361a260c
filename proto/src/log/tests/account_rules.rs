//! Rules of the account log.

use super::fixture::*;
use super::recorded::{apply, begin};
use crate::canon::{CanonError, to_bytes};
use crate::ids::{AccountId, Epoch, Generation, Hash, Seq, ServerId, VaultId};
use crate::log::*;
use crate::sign::{PublicKey, Signature, SignatureError, Signed};

#[test]
pub(super) fn an_honest_log_verifies_and_gives_its_devices_and_vaults() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let vault = account.add_vault("phone", "home");
    let state = AccountState::from_links(&account.links).unwrap();
    assert_eq!(state, account.state);
    assert_eq!(state.head().seq, Seq(3));
    assert!(state.device(&device_id("phone")).unwrap().is_authorised_after(Seq(2)));
    assert!(!state.device(&device_id("phone")).unwrap().is_authorised_after(Seq(1)));
    assert!(state.vaults().contains_key(&vault.id()));
    assert_eq!(state.account_id(), AccountId::from(account.links[0].hash()));
    assert_eq!((state.seed(), state.ark_commit()), (&named("anna seed").0, named("anna ark 1")));
    assert_eq!((state.server_id(), state.security_version()), (ServerId([7; 16]), 1));
    account.push("phone", LinkBody::SecurityVersion(2));
    assert_eq!(account.state.security_version(), 2);
}

#[test]
pub(super) fn wire_round_trips_and_any_flipped_byte_is_refused() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_vault("laptop", "home");
    for (index, link) in account.links.iter().enumerate() {
        let wire = link.to_wire();
        assert_eq!(Signed::<AccountLink>::from_wire(&wire).unwrap(), *link);
        for position in (0..wire.len()).step_by(7) {
            let mut broken = wire.clone();
            broken[position] ^= 0x40;
            let Ok(read) = Signed::<AccountLink>::from_wire(&broken) else { continue };
            let mut links = account.links.clone();
            links[index] = read;
            assert!(AccountState::from_links(&links).is_err(), "byte {position} of link {index}");
        }
    }
}

#[test]
pub(super) fn a_log_starts_with_its_genesis_and_has_only_one() {
    let account = TestAccount::new("anna", "laptop");
    assert_eq!(AccountState::from_links(&account.links[1..]), Err(LinkError::Genesis));
    assert_eq!(AccountState::from_links([]), Err(LinkError::Genesis));
    assert_eq!(apply(&account.state, &account.links[0]), Err(LinkError::Genesis));
    let mut link = TestAccount::genesis("anna", "laptop");
    link.seq = Seq(1);
    let link = Signed::sign(link, &signing_key("laptop"));
    assert_eq!(begin(&link), Err(LinkError::Genesis));
}

#[test]
pub(super) fn links_that_are_dropped_repeated_or_reordered_are_refused() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    account.add_device("phone", "tablet");
    for order in [vec![0, 1, 3], vec![0, 1, 2, 2], vec![0, 2, 1, 3], vec![0, 1, 1, 2, 3]] {
        let links: Vec<_> = order.iter().map(|index| account.links[*index].clone()).collect();
        assert!(matches!(AccountState::from_links(&links), Err(LinkError::Chain { .. })), "{order:?}");
    }
}

#[test]
pub(super) fn the_second_link_is_an_auth_update() {
    let link = Signed::sign(TestAccount::genesis("anna", "laptop"), &signing_key("laptop"));
    let state = begin(&link).unwrap();
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: device_keys("phone"), how: Enrolment::Pairing });
    let signer = Signer::Device(device_id("laptop"));
    let add = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), body);
    assert_eq!(apply(&state, &sign_link(&state, add, "laptop")), Err(LinkError::Password));
    // One that needs no countersignature, and names every vault that there is.
    let create = LinkBody::VaultCreate(VaultCreate { vault_id: VaultId([4; 32]), slot: named("slot") });
    let create = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), create);
    let expected = LinkError::Rule("the second link is an auth_update");
    assert_eq!(apply(&state, &sign_link(&state, create, "laptop")), Err(expected));
}

#[test]
pub(super) fn only_an_authorised_device_signs() {
    let account = TestAccount::new("anna", "laptop");
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: device_keys("phone"), how: Enrolment::Pairing });
    let link = account.link("stranger", body.clone());
    assert_eq!(account.attempt(link, "stranger"), Err(LinkError::Signer));
    let link = account.link("laptop", body);
    assert_eq!(account.attempt(link, "stranger"), Err(LinkError::Signature(SignatureError::Mismatch)));
}

#[test]
pub(super) fn the_enrolment_key_signs_device_add_by_kit_and_nothing_else() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_vault("laptop", "home");
    let add = |how| LinkBody::DeviceAdd(DeviceAdd { keys: device_keys("phone"), how });
    let by_kit = |body| {
        let mut link = account.link("laptop", body);
        link.signer = Signer::Enrolment;
        link.heads.clear();
        link
    };
    assert!(account.attempt(by_kit(add(Enrolment::Kit)), "anna esk 1").is_ok());
    for body in [add(Enrolment::Pairing), add(Enrolment::Recovery), LinkBody::AuthUpdate(auth("x", 1))] {
        assert_eq!(account.attempt(by_kit(body), "anna esk 1"), Err(LinkError::Signer));
    }
    let mut link = by_kit(add(Enrolment::Kit));
    link.heads = account.link("laptop", add(Enrolment::Kit)).heads;
    assert_eq!(account.attempt(link, "anna esk 1"), Err(LinkError::Heads));
    let link = account.link("laptop", add(Enrolment::Kit));
    assert_eq!(account.attempt(link, "laptop"), Err(LinkError::Signer));
}

#[test]
pub(super) fn heads_name_exactly_the_accounts_vaults() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_vault("laptop", "home");
    account.add_vault("laptop", "work");
    let mut link = account.link("laptop", LinkBody::SecurityVersion(2));
    link.heads.pop();
    assert_eq!(account.attempt(link.clone(), "laptop"), Err(LinkError::Heads));
    link.heads.clear();
    assert_eq!(account.attempt(link, "laptop"), Err(LinkError::Heads));
}

#[test]
pub(super) fn keys_are_never_used_again() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut keys = device_keys("tablet");
    keys.kem = kem_key("phone");
    for keys in [device_keys("phone"), device_keys("laptop"), keys] {
        let body = LinkBody::DeviceAdd(DeviceAdd { keys, how: Enrolment::Pairing });
        assert_eq!(account.attempt(account.link("laptop", body), "laptop"), Err(LinkError::KeyReused));
    }
}

#[test]
pub(super) fn small_order_and_malformed_keys_do_not_enter_a_log() {
    let account = TestAccount::new("anna", "laptop");
    let mut identity = [0; 32];
    identity[0] = 1;
    let order_two = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xec;
        bytes[31] = 0x7f;
        bytes
    };
    let mut non_canonical = [0xff; 32];
    non_canonical[0] = 0xee;
    non_canonical[31] = 0x7f;
    for bytes in [identity, order_two, non_canonical, [0; 32], [2; 32]] {
        assert_eq!(PublicKey(bytes).check(), Err(SignatureError::Key), "{bytes:?}");
        let keys = DevicePublicKeys { signing: PublicKey(bytes), kem: kem_key("phone") };
        let body = LinkBody::DeviceAdd(DeviceAdd { keys, how: Enrolment::Pairing });
        let refused = account.attempt(account.link("laptop", body), "laptop");
        assert_eq!(refused, Err(LinkError::Signature(SignatureError::Key)));
    }
}

#[test]
pub(super) fn a_signature_with_s_plus_l_is_refused() {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let account = TestAccount::new("anna", "laptop");
    let state = begin(&account.links[0]).unwrap();
    // The device's signature, and the password's behind it.
    for (end, refused) in [(64, LinkError::Signature(SignatureError::Mismatch)), (0, LinkError::Password)] {
        let mut wire = account.links[1].to_wire();
        let s = wire.len() - end - 32;
        let mut carry = 0u16;
        for (index, byte) in L.iter().enumerate() {
            let sum = u16::from(wire[s + index]) + u16::from(*byte) + carry;
            wire[s + index] = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        let link = Signed::<AccountLink>::from_wire(&wire).unwrap();
        assert_eq!(apply(&state, &link), Err(refused));
    }
}

#[test]
pub(super) fn an_unknown_suite_or_kind_asks_for_an_update() {
    let account = TestAccount::new("anna", "laptop");
    let wire = account.links[1].to_wire();
    let label = 4 + 1 + "account-link".len();
    let kind = label + 1 + 32 + 8 + 32;
    for (position, field) in [(label, "suite"), (kind, "link kind")] {
        let mut newer = wire.clone();
        newer[position] = 0x63;
        let error = Signed::<AccountLink>::from_wire(&newer).unwrap_err();
        assert_eq!(error, CanonError::UpdateNeeded { field, value: 0x63 });
    }
    let escrow = account.link("laptop", LinkBody::Escrow(vec![1]));
    assert_eq!(account.attempt(escrow, "laptop"), Err(LinkError::UpdateNeeded("escrow")));
    let join = VaultJoin {
        vault_id: VaultId([3; 32]),
        control: LogHead::default(),
        epoch: Epoch(1),
        grant: Hash::ZERO,
        slot: Hash::ZERO,
    };
    let join = account.link("laptop", LinkBody::VaultJoin(join));
    assert_eq!(account.attempt(join, "laptop"), Err(LinkError::UpdateNeeded("vault_join")));
}

#[test]
pub(super) fn an_auth_update_never_lowers_or_mixes_generations() {
    let account = TestAccount::new("anna", "laptop");
    let update = |auth| account.attempt(account.link("laptop", LinkBody::AuthUpdate(auth)), "laptop");
    assert!(update(account.new_password("new")).is_ok());
    for generation in [2, 3] {
        let mut another = account.new_password("new");
        another.secret_key_generation = Generation(generation);
        another.secret_key_commit = named("another key");
        assert!(matches!(update(another), Err(LinkError::Rule(_))), "only a rekey changes it");
    }
    let mut record_alone = auth("anna", 1);
    record_alone.record_hash = named("another record");
    assert!(matches!(update(record_alone), Err(LinkError::Rule(_))));
    let mut slot_alone = auth("anna", 1);
    slot_alone.password_slot = named("another slot");
    assert!(matches!(update(slot_alone), Err(LinkError::Rule(_))));
    assert!(matches!(update(auth("new", 0)), Err(LinkError::Rule(_))));
    let mut same_generation = account.new_password("new");
    same_generation.secret_key_commit = named("another key");
    assert!(matches!(update(same_generation), Err(LinkError::Rule(_))));
    let mut same_slot = account.new_password("new");
    same_slot.password_slot = same_slot.uek_slot;
    assert!(matches!(update(same_slot), Err(LinkError::Rule(_))));
}

#[test]
pub(super) fn a_repeated_slot_keeps_the_place_where_it_was_first_named() {
    let mut account = TestAccount::new("anna", "laptop");
    let first = account.links[0].hash();
    let next = account.new_password("new");
    account.push("laptop", LinkBody::AuthUpdate(next.clone()));
    assert_eq!(account.state.auth_slot(&next.recovery_slot).unwrap().before.hash, first);
    let second = account.links[1].hash();
    assert_eq!(account.state.auth_slot(&next.password_slot).unwrap().before.hash, second);
    assert!(account.state.auth_slot(&auth("anna", 1).password_slot).is_none());
}

#[test]
pub(super) fn a_link_of_another_account_is_refused() {
    let anna = TestAccount::new("anna", "laptop");
    let ben = TestAccount::new("ben", "desk");
    let link = ben.link("desk", LinkBody::SecurityVersion(2));
    assert_eq!(anna.attempt(link, "desk"), Err(LinkError::Account));
}

#[test]
pub(super) fn a_link_does_not_verify_as_a_commit_nor_the_other_way_round() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    assert_eq!(
        Signed::<Commit>::from_wire(&account.links[0].to_wire()),
        Err(CanonError::WrongLabel("vault-commit"))
    );
    assert_eq!(
        Signed::<AccountLink>::from_wire(&vault.entries[0].commit.to_wire()),
        Err(CanonError::WrongLabel("account-link"))
    );
    let _ = (Signature([0; 64]), to_bytes(&vault.state.head()));
}

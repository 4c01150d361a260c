//! What is too long or too many is refused by name, before memory is spent on it.

use std::iter::repeat_n;

use super::every_kind::*;
use super::fixture::*;
use crate::canon::{CanonError, Encoder};
use crate::ids::{AccountId, DeviceId, Epoch, Generation, Hash, ItemId, VaultId, Version};
use crate::log::device::Device;
use crate::log::*;
use crate::sign::Signed;

fn numbered<const N: usize>(number: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    bytes
}

fn heads(count: usize) -> Vec<VaultHead> {
    let head = LogHead::default();
    (0..count).map(|number| VaultHead { vault_id: VaultId(numbered(number)), head }).collect()
}

fn read(link: AccountLink) -> Result<Signed<AccountLink>, CanonError> {
    let signed = Signed::sign(link, &signing_key("laptop")).countersigned(&signing_key("password"));
    Signed::<AccountLink>::from_wire(&signed.to_wire())
}

fn too_long(limit: usize) -> CanonError {
    CanonError::TooLong { found: limit + 1, limit }
}

/// A rekey with lists of these lengths: revoked devices, device slots, vault slots.
fn long_rekey(account: &TestAccount, revoked: usize, devices: usize, vaults: usize) -> Rekey {
    let slot = named("slot");
    let mut rekey = account.rekey(RekeyReason::Rotation, &[]);
    rekey.revoked = (0..revoked).map(|number| DeviceId(numbered(number))).collect();
    rekey.device_slots =
        (0..devices).map(|number| DeviceSlot { device_id: DeviceId(numbered(number)), slot }).collect();
    rekey.vault_slots = (0..vaults)
        .map(|number| VaultSlot {
            vault_id: VaultId(numbered(number)),
            epoch: Epoch(1),
            vault_key_commit: slot,
            prev_vault_key: vec![2; VAULT_KEY_SEALED_LIMIT],
            slot,
        })
        .collect();
    rekey
}

#[test]
fn lists_of_a_link_have_bounds() {
    let (account, _) = busy_account();
    let rekey = |revoked, devices, vaults| {
        let body = LinkBody::Rekey(Box::new(long_rekey(&account, revoked, devices, vaults)));
        read(account.link("laptop", body))
    };
    assert_eq!(rekey(ALL_DEVICES_LIMIT + 1, 1, 1), Err(too_long(ALL_DEVICES_LIMIT)));
    assert_eq!(rekey(1, ALL_DEVICES_LIMIT + 1, 1), Err(too_long(ALL_DEVICES_LIMIT)));
    assert_eq!(rekey(1, 1, VAULTS_LIMIT + 1), Err(too_long(VAULTS_LIMIT)));
    let mut rekey = long_rekey(&account, 1, 1, 1);
    rekey.vault_slots[0].prev_vault_key.push(2);
    let long_key = read(account.link("laptop", LinkBody::Rekey(Box::new(rekey))));
    assert_eq!(long_key, Err(too_long(VAULT_KEY_SEALED_LIMIT)));
    let mut link = account.link("laptop", LinkBody::SecurityVersion(2));
    link.heads = heads(VAULTS_LIMIT + 1);
    assert_eq!(read(link), Err(too_long(VAULTS_LIMIT)));
    for body in [|sealed| LinkBody::ContactPin(sealed), |sealed| LinkBody::Escrow(sealed)] {
        assert!(read(account.link("laptop", body(vec![1; SEALED_LIMIT]))).is_ok());
        let refused = read(account.link("laptop", body(vec![1; SEALED_LIMIT + 1])));
        assert_eq!(refused, Err(too_long(SEALED_LIMIT)));
    }
}

/// Whatever the lists' bounds allow, an account in trouble can still say it in one link.
#[test]
fn the_longest_rekey_and_recovery_fit_into_a_link() {
    let (account, _) = busy_account();
    let mut rekey = long_rekey(&account, ALL_DEVICES_LIMIT, ALL_DEVICES_LIMIT, VAULTS_LIMIT);
    rekey.prev_ark = vec![1; SEALED_LIMIT];
    let device = DeviceAdd { keys: device_keys("new"), how: Enrolment::Recovery };
    let recovery = recovery_keys("anna rk 2");
    let recover = Recover { device: Some(device), recovery, rekey: rekey.clone() };
    for body in [LinkBody::Rekey(Box::new(rekey)), LinkBody::Recover(Box::new(recover))] {
        let mut link = account.link("laptop", body);
        link.heads = heads(VAULTS_LIMIT);
        assert_eq!(read(link.clone()).as_ref().map(Signed::value), Ok(&link));
    }
}

#[test]
fn lists_of_a_commit_s_body_have_bounds() {
    let change = |number| Change {
        item_id: ItemId::from_derived(numbered(number)),
        old_version: Version(0),
        old_blob_hash: Hash::ZERO,
        new_version: Version(1),
        new_blob_hash: named("blob"),
    };
    let content = |count| CommitBody::Content(ContentBody { changes: (0..count).map(change).collect() });
    let member = |number| Member {
        account_id: AccountId(numbered(number)),
        role: Role::Admin,
        position: LogHead::default(),
        uek_generation: Generation(1),
        slot: Hash::ZERO,
    };
    let control = |count, sealed| {
        CommitBody::Control(ControlBody {
            members: (0..count).map(member).collect(),
            epoch: Epoch(1),
            vault_key_commit: Hash::ZERO,
            prev_vault_key: vec![1; sealed],
        })
    };
    let read = |body: &CommitBody| CommitBody::from_bytes(body.kind(), &body.to_bytes());
    for longest in [content(CHANGES_LIMIT), control(MEMBERS_LIMIT, SEALED_LIMIT)] {
        assert_eq!(read(&longest), Ok(longest.clone()));
        assert!(longest.to_bytes().len() <= ENTRY_LIMIT);
    }
    assert_eq!(read(&content(CHANGES_LIMIT + 1)), Err(too_long(CHANGES_LIMIT)));
    assert_eq!(read(&control(MEMBERS_LIMIT + 1, 1)), Err(too_long(MEMBERS_LIMIT)));
    assert_eq!(read(&control(1, SEALED_LIMIT + 1)), Err(too_long(SEALED_LIMIT)));
    for kind in CommitKind::ALL {
        let long = vec![0; ENTRY_LIMIT + 1];
        assert_eq!(CommitBody::from_bytes(kind, &long), Err(too_long(ENTRY_LIMIT)));
    }
}

#[test]
fn an_announced_length_is_judged_before_the_bytes_are_there() {
    let announce = |length: u32| {
        let mut out = Encoder::new();
        out.u32(length);
        out.into_bytes()
    };
    let limit = ENTRY_LIMIT as u32;
    for (length, expected) in [
        (limit, CanonError::Truncated),
        (limit + 1, too_long(ENTRY_LIMIT)),
        (u32::MAX, CanonError::TooLong { found: u32::MAX as usize, limit: ENTRY_LIMIT }),
    ] {
        assert_eq!(Signed::<AccountLink>::from_wire(&announce(length)), Err(expected));
        assert_eq!(Signed::<Commit>::from_wire(&announce(length)), Err(expected));
    }
}

#[test]
fn an_account_has_room_for_so_many_vaults() {
    let mut account = TestAccount::new("anna", "laptop");
    let slot = NamedSlot { hash: named("slot"), before: LogHead::default() };
    let vaults = heads(VAULTS_LIMIT - 1);
    let vault = AccountVault {
        added: Seq(2),
        by: device_id("laptop"),
        slot,
        epoch: Epoch(1),
        epochs: Default::default(),
        former: Default::default(),
        anchors: Default::default(),
    };
    account.state.vaults = vaults.iter().map(|head| (head.vault_id, vault.clone())).collect();
    account.heads = vaults.iter().map(|head| (head.vault_id, head.head)).collect();
    let create = |byte| LinkBody::VaultCreate(VaultCreate { vault_id: VaultId([byte; 32]), slot: slot.hash });
    account.push("laptop", create(0xee));
    account.heads.insert(VaultId([0xee; 32]), LogHead::default());
    let full = account.attempt(account.link("laptop", create(0xef)), "laptop");
    assert_eq!(full, Err(LinkError::Limit("vaults")));
}

fn fill_devices(account: &mut TestAccount, total: usize) {
    for number in account.state.devices.len()..total {
        let mut device =
            Device::new(device_keys("spare"), Some(Enrolment::Pairing), account.state.head().seq);
        device.revoke(account.state.head().seq, [].into(), |_| false);
        account.state.devices.insert(DeviceId(numbered(number)), device);
    }
}

#[test]
fn a_recovery_finds_room_when_devices_have_used_up_theirs() {
    let (mut account, _) = busy_account();
    fill_devices(&mut account, DEVICES_LIMIT - 1);
    account.add_device("laptop", "last");
    let add = account.link("laptop", LinkBody::DeviceAdd(pairing("fresh")));
    assert_eq!(account.attempt(add, "laptop"), Err(LinkError::Limit("devices")));
    assert_eq!(account.attempt(kit_link(&account), "anna esk 1"), Err(LinkError::Limit("devices")));
    let recover = |account: &TestAccount| {
        let mut link = recover_link(account);
        let LinkBody::Recover(body) = &mut link.body else { panic!("a recover") };
        body.rekey.revoked.push(device_id("last"));
        body.rekey.revoked.sort();
        account.attempt(link, "anna rk 1").map(|_| ())
    };
    assert_eq!(recover(&account), Ok(()));
    fill_devices(&mut account, ALL_DEVICES_LIMIT);
    assert_eq!(recover(&account), Err(LinkError::Limit("devices")));
}

#[test]
fn rekeys_and_recoveries_have_room_of_their_own() {
    let (mut account, _) = busy_account();
    let fill = |account: &mut TestAccount, total: usize| {
        let missing = total - account.state.hashes.len();
        account.state.hashes.extend(repeat_n(named("link"), missing));
    };
    let outcomes = |account: &TestAccount| {
        let all = next_links(account).into_iter();
        all.map(|(link, key)| (link.body.kind(), account.attempt(link, key).err())).collect::<Vec<_>>()
    };
    fill(&mut account, LINKS_LIMIT - 1);
    assert!(outcomes(&account).iter().all(|(_, refused)| refused.is_none()));
    fill(&mut account, LINKS_LIMIT);
    for (kind, refused) in outcomes(&account) {
        let must_always_work = matches!(kind, LinkKind::Rekey | LinkKind::Recover);
        let expected = (!must_always_work).then_some(LinkError::Limit("links"));
        assert_eq!(refused, expected, "{kind:?}");
    }
    assert_eq!(
        (LINKS_LIMIT, REKEYS_LIMIT, RECOVERIES_LIMIT),
        (65_536, 1_024, 1_024),
        "as PROTOCOL.md has them"
    );
    let full = Some(LinkError::Limit("links"));
    account.state.rekeys = REKEYS_LIMIT;
    fill(&mut account, LINKS_LIMIT + REKEYS_LIMIT - 1);
    for (kind, refused) in outcomes(&account) {
        assert_eq!(refused, full.clone().filter(|_| kind == LinkKind::Rekey), "{kind:?}");
    }
    account.state.recoveries = RECOVERIES_LIMIT;
    fill(&mut account, ALL_LINKS_LIMIT);
    assert!(outcomes(&account).iter().all(|(_, refused)| *refused == full));
    // Re-anchors have a bound within that of the others.
    let (mut account, _) = busy_account();
    account.state.reanchors = REANCHORS_LIMIT;
    for (kind, refused) in outcomes(&account) {
        assert_eq!(refused, full.clone().filter(|_| kind == LinkKind::Reanchor), "{kind:?}");
    }
    // Each is counted where it belongs.
    let (mut account, _) = busy_account();
    account.accept(reanchor_link(&account).unwrap(), "laptop");
    assert_eq!((account.state.reanchors, REANCHORS_LIMIT), (1, 256));
    account.name_epoch("laptop");
    account.accept(recover_link(&account), "anna rk 1");
    assert_eq!((account.state.rekeys, account.state.recoveries), (1, 1));
}

#[test]
fn a_checkpoint_that_was_not_written_here_is_refused() {
    let (account, mut vault) = busy_account();
    vault.write(&account.state, "laptop", &[("bank", "bank 1")]);
    let kept = vault.state.to_checkpoint();
    for end in 0..kept.len() {
        assert!(VaultState::from_checkpoint(&kept[..end]).is_err(), "{end} bytes");
    }
    assert_eq!(VaultState::from_checkpoint(&[&kept[..], &[0]].concat()), Err(CanonError::Trailing(1)));
    let mut newer = kept.clone();
    newer["vault-checkpoint".len() + 1] = 2;
    let update = CanonError::UpdateNeeded { field: "suite", value: 2 };
    assert_eq!(VaultState::from_checkpoint(&newer), Err(update));
    let commit = vault.entries[1].commit.to_wire();
    assert!(VaultState::from_checkpoint(&commit[4..]).is_err());
}

#[test]
fn a_body_is_read_up_to_its_limit() {
    for (length, too_long) in [(ENTRY_LIMIT, false), (ENTRY_LIMIT + 1, true)] {
        let refused = CommitBody::from_bytes(CommitKind::Content, &vec![0; length]).unwrap_err();
        assert_eq!(
            refused == CanonError::TooLong { found: length, limit: ENTRY_LIMIT },
            too_long,
            "{refused}"
        );
    }
}

#[test]
fn a_vault_is_called_after_its_genesis() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    assert_eq!(vault_id_of(&vault.entries[0].commit), vault.id());
}

//! The fields every link has, broken one at a time for every kind, and signed again.

use super::every_kind::*;
use super::fixture::*;
use super::recorded::begin;
use crate::canon::CanonError;
use crate::ids::{AccountId, Hash, Seq, VaultId};
use crate::log::*;
use crate::sign::{PublicKey, SignatureError, Signed};

#[test]
pub(super) fn an_honest_next_link_of_every_kind_is_accepted() {
    let (account, _) = busy_account();
    let mut kinds = Vec::new();
    for (link, key) in next_links(&account) {
        kinds.push(link.body.kind());
        assert!(account.attempt(link, key).is_ok(), "{:?}", kinds.last());
    }
    for (link, name) in laid_out_links(&account) {
        kinds.push(link.body.kind());
        assert_eq!(account.attempt(link, "laptop"), Err(LinkError::UpdateNeeded(name)));
    }
    let untried = |kind: &LinkKind| *kind != LinkKind::Genesis && !kinds.contains(kind);
    assert_eq!(LinkKind::ALL.into_iter().find(untried), None);
}

type Break = (&'static str, fn(&mut AccountLink), LinkError);

#[test]
pub(super) fn a_link_at_another_place_in_another_log_or_with_other_heads_is_refused() {
    let (account, _) = busy_account();
    let chain = |found| LinkError::Chain { expected: Seq(5), found: Seq(found) };
    let foreign = |link: &mut AccountLink| {
        link.heads.push(VaultHead { vault_id: VaultId([0xff; 32]), head: LogHead::default() });
    };
    let breaks: &[Break] = &[
        ("account_id", |link| link.account_id = AccountId([9; 32]), LinkError::Account),
        ("account_id", |link| link.account_id = AccountId::ZERO, LinkError::Account),
        ("seq", |link| link.seq = Seq(6), chain(6)),
        ("seq", |link| link.seq = Seq(4), chain(4)),
        ("prev_hash", |link| link.prev_hash = named("fork"), chain(5)),
        ("prev_hash", |link| link.prev_hash = Hash::ZERO, chain(5)),
        ("signer", |link| link.signer = Signer::Device(device_id("stranger")), LinkError::Signer),
        ("heads", foreign, LinkError::Heads),
    ];
    for (honest, key) in next_links(&account) {
        let AccountLink { account_id: _, seq: _, prev_hash: _, signer: _, time_ms: _, heads: _, body: _ } =
            &honest;
        for (field, change, expected) in breaks {
            let mut link = honest.clone();
            change(&mut link);
            let refused = account.attempt(link, key).err();
            assert_eq!(refused.as_ref(), Some(expected), "{field} of {:?}", honest.body.kind());
        }
        if honest.signer != Signer::Enrolment {
            let mut link = honest.clone();
            link.heads[0].vault_id = VaultId([1; 32]);
            assert_eq!(account.attempt(link, key), Err(LinkError::Heads));
            let mut link = honest;
            link.heads.clear();
            assert_eq!(account.attempt(link, key), Err(LinkError::Heads));
        }
    }
}

/// Where a vault's head is, is the signer's word: it becomes the cut-off of whom the link revokes.
#[test]
pub(super) fn a_head_s_position_is_taken_from_the_signer() {
    let (account, vault) = busy_account();
    let mut link =
        account.link("laptop", LinkBody::Rekey(Box::new(account.rekey(RekeyReason::Lost, &["phone"]))));
    let claimed = LogHead { seq: Seq(70), hash: named("claimed") };
    link.heads[0].head = claimed;
    let state = account.attempt(link, "laptop").unwrap();
    let phone = state.device(&device_id("phone")).unwrap();
    assert_eq!(phone.revocation().unwrap().cut_off(&vault.id()), Some(claimed));
    let tablet = state.device(&device_id("tablet")).unwrap();
    assert_eq!(tablet.revocation(), None);
}

/// Nobody judges a time, whether it goes back or is the last one, but none is beyond what every reader can show.
#[test]
pub(super) fn a_link_s_time_is_the_signer_s_word_below_2_to_48() {
    let (account, _) = busy_account();
    for (honest, key) in next_links(&account) {
        for time_ms in [0, LATEST_MS] {
            let state = account.attempt(AccountLink { time_ms, ..honest.clone() }, key).unwrap();
            assert_eq!(state.time_ms_at(honest.seq), Some(time_ms));
            assert_eq!(state.time_ms_at(Seq(0)), Some(TIME_MS));
            assert_eq!(state.time_ms_at(honest.seq.next()), None);
        }
        let beyond = AccountLink { time_ms: LATEST_MS + 1, ..honest };
        let wire = sign_link(&account.state, beyond.clone(), key).to_wire();
        let refused = Err(CanonError::Invalid("time_ms"));
        assert_eq!(Signed::<AccountLink>::from_wire(&wire), refused);
        // No reader makes such a link; this one is tried for the vectors, which hold what is on the wire.
        drop(account.attempt(beyond, key));
    }
    let clock = |now_ms| {
        let signer = Signer::Device(device_id("laptop"));
        let body = LinkBody::SecurityVersion(2);
        AccountLink::after(account.id(), &account.state.head(), signer, now_ms, Vec::new(), body).time_ms
    };
    assert_eq!((clock(7), clock(u64::MAX)), (7, LATEST_MS));
}

/// When a person changed what lets them in: the link that did it, and no other.
#[test]
fn a_state_says_which_links_brought_the_password_and_the_recovery_key() {
    let (mut account, _) = busy_account();
    let since = |account: &TestAccount| (account.state.password_since(), account.state.recovery_since());
    assert_eq!(since(&account), (Some(Seq(1)), Seq(0)));
    let head = |account: &TestAccount| account.state.head().seq;
    account.push("laptop", LinkBody::AuthUpdate(account.new_password("new")));
    let password = head(&account);
    assert_eq!(since(&account), (Some(password), Seq(0)));
    account.push("laptop", LinkBody::SecurityVersion(2));
    account.accept(recovery_change_link(&account), "anna rk 1");
    let recovery = head(&account);
    assert_eq!(since(&account), (Some(password), recovery), "a new slot is no new password");
    account.name_epoch("laptop");
    assert_eq!(since(&account), (Some(head(&account)), recovery), "it registers the password anew");
}

/// Every kind × every signer × the key that belongs to it: exactly the honest pairing is accepted.
#[test]
pub(super) fn who_may_sign_which_kind() {
    let (account, _) = busy_account();
    let signers = [
        (Signer::Device(device_id("laptop")), "laptop"),
        (Signer::Device(device_id("phone")), "phone"),
        (Signer::Enrolment, "anna esk 1"),
        (Signer::Recovery, "anna rk 1"),
    ];
    for (honest, key) in next_links(&account) {
        let heads = account.link("laptop", LinkBody::SecurityVersion(2)).heads;
        for (signer, signer_key) in signers {
            let mut link = honest.clone();
            link.signer = signer;
            link.heads = if signer == Signer::Enrolment { Vec::new() } else { heads.clone() };
            let by_device = matches!(signer, Signer::Device(_)) && key == "laptop";
            // The phone is the one that the rekey ends: it does not end itself.
            let ends_itself = honest.body.kind() == LinkKind::Rekey && signer_key == "phone";
            let unannounced = honest.body.kind() == LinkKind::RecoveryChange && signer_key != "anna rk 1";
            let expected = match (by_device || signer == honest.signer, ends_itself) {
                (false, _) if unannounced && signer != Signer::Enrolment => {
                    Err(LinkError::Rule("a device changes the Recovery Key to the one that is announced"))
                }
                (true, true) => Err(LinkError::Rule("a device does not revoke itself")),
                (true, false) => Ok(()),
                (false, _) => Err(LinkError::Signer),
            };
            let found = account.attempt(link.clone(), signer_key).map(|_| ());
            assert_eq!(found, expected, "{:?} by {signer_key}", honest.body.kind());
            if expected.is_ok() {
                let forged = account.attempt(link, "mallory");
                assert_eq!(forged, Err(LinkError::Signature(SignatureError::Mismatch)));
            }
        }
    }
}

#[test]
pub(super) fn after_a_rekey_the_keys_before_sign_nothing() {
    let (mut account, _) = busy_account();
    let old = account.clone();
    account.accept(recover_link(&old), "anna rk 1");
    for device in ["laptop", "phone", "tablet"] {
        let link = account.link(device, LinkBody::SecurityVersion(2));
        assert_eq!(account.attempt(link, device), Err(LinkError::Signer), "{device}");
    }
    let mismatch = Err(LinkError::Signature(SignatureError::Mismatch));
    assert_eq!(account.attempt(kit_link(&account), "anna esk 1"), mismatch);
    assert!(account.attempt(kit_link(&account), "anna generation 2 esk").is_ok());
    let mut again = recover_link(&account);
    let LinkBody::Recover(body) = &mut again.body else { panic!("a recover") };
    body.device = Some(DeviceAdd { keys: device_keys("newer"), how: Enrolment::Recovery });
    body.rekey.device_slots = vec![
        DeviceSlot { device_id: device_id("new"), slot: named("new slot 2") },
        DeviceSlot { device_id: device_id("newer"), slot: named("newer slot") },
    ];
    body.rekey.device_slots.sort_by_key(|slot| slot.device_id);
    body.recovery = recovery_keys("anna rk 3");
    assert_eq!(account.attempt(again.clone(), "anna rk 1"), mismatch);
    let state = account.attempt(again, "anna rk 2").unwrap();
    assert_eq!(state.recovery().signing, PublicKey::from(&signing_key("anna rk 3")));
}

#[test]
pub(super) fn a_genesis_names_nothing_before_it_and_is_signed_by_the_device_it_names() {
    let honest = TestAccount::genesis("anna", "laptop");
    const HEAD: VaultHead =
        VaultHead { vault_id: VaultId([1; 32]), head: LogHead { seq: Seq(0), hash: Hash::ZERO } };
    type Change = (&'static str, fn(&mut AccountLink));
    let breaks: [Change; 7] = [
        ("account_id", |link| link.account_id = AccountId([1; 32])),
        ("seq", |link| link.seq = Seq(1)),
        ("prev_hash", |link| link.prev_hash = named("before")),
        ("signer", |link| link.signer = Signer::Device(device_id("phone"))),
        ("signer", |link| link.signer = Signer::Enrolment),
        ("signer", |link| link.signer = Signer::Recovery),
        ("heads", |link| link.heads.push(HEAD)),
    ];
    for (field, change) in breaks {
        let mut link = honest.clone();
        change(&mut link);
        let found = begin(&Signed::sign(link, &signing_key("laptop")));
        assert_eq!(found, Err(LinkError::Genesis), "{field}");
    }
    let forged = begin(&Signed::sign(honest, &signing_key("phone")));
    assert_eq!(forged, Err(LinkError::Signature(SignatureError::Mismatch)));
}

use std::sync::Arc;

use lockstep_crypto::secret_bytes::SecretBytes;
use lockstep_proto::api::info::SignupPolicy;
use lockstep_proto::api::signup::SignupFinish;

use super::super::*;
use super::device::{Device, PASSWORD, account, contains, password};
use super::server::{Loss, Server, read};
use crate::testing::block_on;

#[test]
fn a_new_account_unlocks_offline_with_its_password_only() {
    let (server, device, signed_up) = account();
    server.lose("/v1/info", Loss::Request);
    let unlocked = device.unlock().unwrap();
    assert_eq!(unlocked.account_id(), signed_up.unlocked.account_id());
    assert_eq!(unlocked.state(), signed_up.unlocked.state());
    assert_eq!(unlocked.ark().expose_bytes(), signed_up.unlocked.ark().expose_bytes());
    let wrong = block_on(unlock(&device.ports, &password("wrong"))).err().unwrap();
    assert!(matches!(wrong, ProfileError::WrongPassword), "{wrong}");
}

#[test]
fn a_kept_root_key_unlocks_and_another_does_not() {
    let (_, device, signed_up) = account();
    let lrk = *signed_up.unlocked.expose_lrk();
    assert!(block_on(unlock_with_lrk(&device.ports, SecretBytes::copy_of(&lrk))).is_ok());
    let wrong = block_on(unlock_with_lrk(&device.ports, SecretBytes::copy_of(&[0; 32]))).err().unwrap();
    assert!(matches!(wrong, ProfileError::WrongKey));
}

#[test]
fn a_lost_last_message_is_sent_again_byte_for_byte() {
    for loss in [Loss::Request, Loss::Answer] {
        let server = Arc::new(Server::new());
        let device = Device::new(&server, 2);
        server.lose("/v1/signup/finish", loss);
        assert!(device.sign_up().is_err());
        assert!(matches!(device.unlock(), Err(ProfileError::Unfinished(Stage::SigningUp))));

        let device = device.after_power_cut();
        let again = device.sign_up().err().unwrap();
        assert!(matches!(again, SignUpError::Account(AccountError::Profile(ProfileError::Unfinished(_)))));
        let signed_up = block_on(resume_sign_up(&device.ports, &password(PASSWORD))).unwrap();
        let sent = server.sent("/v1/signup/finish");
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], sent[1]);
        assert_eq!(device.unlock().unwrap().state(), signed_up.unlocked.state());
    }
}

#[test]
fn a_loss_before_the_keys_are_stored_leaves_nothing() {
    for path in ["/v1/info", "/v1/signup/start"] {
        let server = Arc::new(Server::new());
        let device = Device::new(&server, 2);
        server.lose(path, Loss::Answer);
        assert!(device.sign_up().is_err());
        assert!(device.is_untouched());
        assert!(device.sign_up().is_ok());
    }
}

#[test]
fn the_sheets_wait_until_they_are_on_paper() {
    let (_, device, signed_up) = account();
    let device = device.after_power_cut();
    let unlocked = device.unlock().unwrap();
    let (kit, recovery) = block_on(unshown_papers(&device.ports, &unlocked)).unwrap().unwrap();
    assert_eq!(*kit.expose_text(), *signed_up.kit.expose_text());
    assert_eq!(*recovery.expose_text(), *signed_up.recovery.expose_text());
    let kept = block_on(unshown_sheet(&*device.store, &unlocked)).unwrap().map(|(_, standing)| standing);
    assert_eq!(kept, Some(SheetStanding::Present));
    assert!(block_on(keeps_unshown(&*device.store)).unwrap());
    block_on(forget_recovery_key(&device.ports)).unwrap();
    assert!(!block_on(keeps_unshown(&*device.store)).unwrap());
    assert!(block_on(unshown_papers(&device.ports, &unlocked)).unwrap().is_none());
    assert_eq!(*unlocked.emergency_kit().unwrap().expose_text(), *kit.expose_text());
}

#[test]
fn no_secret_is_stored_or_sent_in_clear() {
    let (server, device, signed_up) = account();
    let unlocked = &signed_up.unlocked;
    let sent = server.everything_sent();
    let secrets: [&[u8]; 5] = [
        unlocked.ark().expose_bytes(),
        unlocked.expose_lrk(),
        signed_up.kit.secret_key.expose_bytes(),
        signed_up.recovery.recovery_key.expose_bytes(),
        PASSWORD.as_bytes(),
    ];
    for secret in secrets {
        assert!(!device.holds(secret));
        assert!(!contains(&sent, secret));
    }
}

#[test]
fn a_server_without_sign_up_is_told_nothing() {
    let server = Arc::new(Server::new());
    let device = Device::new(&server, 2);
    *server.policy.lock().unwrap() = SignupPolicy::Closed;
    assert!(matches!(device.sign_up(), Err(SignUpError::Closed)));
    *server.policy.lock().unwrap() = SignupPolicy::Invite;
    assert!(matches!(device.sign_up(), Err(SignUpError::InviteNeeded)));
    assert!(server.sent("/v1/signup/start").is_empty() && device.is_untouched());
    device.sign_up_with(Some("welcome".to_owned())).unwrap();
    let finish: SignupFinish = read(&server.sent("/v1/signup/finish")[0]);
    assert_eq!(finish.invite.as_deref(), Some("welcome"));
}

#[test]
fn a_profile_has_one_account() {
    let (_, device, signed_up) = account();
    let refused = device.sign_up().err().unwrap();
    assert!(matches!(refused, SignUpError::Account(AccountError::Profile(ProfileError::Exists))));
    let refused = device.sign_in(&signed_up.kit).err().unwrap();
    assert!(matches!(refused, SignInError::Account(AccountError::Profile(ProfileError::Exists))));
    let refused = block_on(abandon_unfinished(&device.ports)).err().unwrap();
    assert!(matches!(refused, ProfileError::Complete));
}

#[test]
fn an_abandoned_sign_up_leaves_nothing() {
    let server = Arc::new(Server::new());
    let device = Device::new(&server, 2);
    server.lose("/v1/signup/finish", Loss::Request);
    assert!(device.sign_up().is_err());
    block_on(abandon_unfinished(&device.ports)).unwrap();
    assert!(device.is_untouched());
    assert!(device.sign_up().is_ok());
}

#[test]
fn damaged_records_are_named_and_nothing_is_guessed() {
    let (_, device, _) = account();
    for table in [crate::ports::Table::Links, crate::ports::Table::Profile] {
        let records = block_on(device.ports.store.scan(table, b"", None, 100)).unwrap();
        for (key, value) in records {
            let device = device.after_power_cut();
            let mut changed = value.clone();
            let last = changed.len() - 1;
            changed[last] ^= 1;
            let mut batch = crate::ports::Batch::new();
            batch.put(table, key.clone(), changed);
            block_on(device.ports.store.write(batch)).unwrap();
            let unused = [&b"opaque-record"[..], b"sign-up", b"password-key"].contains(&&key[..])
                || key.starts_with(b"security/");
            assert_eq!(device.unlock().is_ok(), unused, "{}", String::from_utf8_lossy(&key));
        }
    }
}

#[test]
fn an_invitation_that_its_record_could_not_hold_is_refused_before_anything_is_stored() {
    let (device, invited) = (Device::new(&Arc::new(Server::new()), 2), "i".repeat(1_025));
    let refused = device.sign_up_with(Some(invited)).err().unwrap();
    assert!(matches!(refused, SignUpError::InviteTooLong { found: 1_025 }), "{refused}");
    assert!(device.store.values().is_empty());
}

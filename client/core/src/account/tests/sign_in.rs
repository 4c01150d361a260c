use lockstep_crypto::kit::EmergencyKit;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::AccountId;
use lockstep_proto::log::Enrolment;

use super::super::*;
use super::device::{Device, PASSWORD, account, password};
use super::links::create_vault;
use super::server::Loss;
use crate::testing::block_on;

#[test]
fn a_second_device_gets_in_and_the_first_one_sees_it() {
    let (server, first, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let unlocked = second.sign_in(&signed_up.kit).unwrap();
    assert_eq!(unlocked.ark().expose_bytes(), signed_up.unlocked.ark().expose_bytes());
    assert_ne!(unlocked.device_id(), signed_up.unlocked.device_id());
    let change = first.pull(&mut signed_up.unlocked).unwrap();
    assert_eq!(change.added_devices, [unlocked.device_id()]);
    assert_eq!(signed_up.unlocked.state(), unlocked.state());
    assert_eq!(second.unlock().unwrap().state(), unlocked.state());
    assert_eq!(first.unlock().unwrap().state(), unlocked.state());
    let device = unlocked.state().device(&unlocked.device_id()).unwrap();
    assert_eq!(device.how(), Some(Enrolment::Kit));
}

#[test]
fn the_devices_are_shown_before_anything_is_stored() {
    let (server, _, signed_up) = account();
    let second = Device::new(&server, 3);
    let password = password(PASSWORD);
    let pending = block_on(start_sign_in(&second.ports, &signed_up.kit, &password)).unwrap();
    let devices: Vec<_> = pending.devices().iter().map(|device| device.device_id).collect();
    assert_eq!(devices, [signed_up.unlocked.device_id()]);
    drop(pending);
    assert!(second.is_untouched());
    assert!(server.sent("/v1/account/links").is_empty());
}

#[test]
fn wrong_password_wrong_secret_key_and_unknown_account_read_the_same() {
    let (server, _, signed_up) = account();
    let second = Device::new(&server, 3);
    let kit = |secret_key: SecretKey, account_id: AccountId| EmergencyKit {
        secret_key,
        account_id,
        server_url: signed_up.kit.server_url.clone(),
        ..signed_up.kit
    };
    let right = || SecretKey::from_bytes(*signed_up.kit.secret_key.expose_bytes());
    let refusals = [
        second.sign_in_as(&signed_up.kit, "wrong").err().unwrap(),
        second.sign_in(&kit(SecretKey::from_bytes([0; 16]), signed_up.kit.account_id)).err().unwrap(),
        second.sign_in(&kit(right(), AccountId([1; 32]))).err().unwrap(),
    ];
    for refused in refusals {
        assert!(matches!(refused, SignInError::Refused), "{refused}");
        assert!(refused.to_string().contains("Emergency Kit"));
    }
    assert!(second.is_untouched());
    assert!(server.sent("/v1/signin/finish").is_empty());
}

#[test]
fn a_lost_device_link_is_sent_again_byte_for_byte() {
    for loss in [Loss::Request, Loss::Answer] {
        let (server, _, signed_up) = account();
        let second = Device::new(&server, 3);
        server.lose("/v1/account/links", loss);
        let offline = second.sign_in(&signed_up.kit).err().unwrap();
        assert!(matches!(&offline, SignInError::Account(error) if error.is_offline()), "{offline}");
        assert!(matches!(second.unlock(), Err(ProfileError::Unfinished(Stage::SigningIn))));

        let second = second.after_power_cut();
        server.end_sessions();
        let unlocked = block_on(resume_sign_in(&second.ports, &password(PASSWORD))).unwrap();
        let sent = server.sent("/v1/account/links");
        assert_eq!(sent[0], sent[1]);
        assert_eq!(server.links(&unlocked.account_id()).len(), 3);
        assert_eq!(second.unlock().unwrap().state(), unlocked.state());
    }
}

#[test]
fn a_loss_before_the_keys_are_stored_leaves_nothing() {
    let paths = ["/v1/info", "/v1/signin/start", "/v1/signin/finish", "/v1/account/log", "/v1/account/slots"];
    for path in paths {
        let (server, _, signed_up) = account();
        let second = Device::new(&server, 3);
        server.lose(path, Loss::Answer);
        assert!(second.sign_in(&signed_up.kit).is_err());
        assert!(second.is_untouched(), "{path}");
        assert!(second.sign_in(&signed_up.kit).is_ok());
    }
}

#[test]
fn a_vault_made_meanwhile_does_not_stop_a_sign_in() {
    let (server, first, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let password = password(PASSWORD);
    let pending = block_on(start_sign_in(&second.ports, &signed_up.kit, &password)).unwrap();
    create_vault(&first, &mut signed_up.unlocked, 1).unwrap();
    let unlocked = block_on(pending.confirm()).unwrap();
    assert_eq!(unlocked.state().vaults().len(), 1);
    assert_eq!(second.unlock().unwrap().state(), unlocked.state());
}

#[test]
fn a_device_that_came_in_meanwhile_must_be_confirmed_too() {
    let (server, _, signed_up) = account();
    let (second, third) = (Device::new(&server, 3), Device::new(&server, 4));
    let password = password(PASSWORD);
    let pending = block_on(start_sign_in(&second.ports, &signed_up.kit, &password)).unwrap();
    third.sign_in(&signed_up.kit).unwrap();
    let refused = block_on(pending.confirm()).err().unwrap();
    assert!(matches!(refused, SignInError::AccountChanged), "{refused}");
    block_on(abandon_unfinished(&second.ports)).unwrap();
    assert_eq!(second.sign_in(&signed_up.kit).unwrap().state().devices().len(), 3);
}

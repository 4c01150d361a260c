//! What a finished key exchange is compared with before a key is opened (A02, A14).

use lockstep_crypto::keys::Auk;
use lockstep_crypto::opaque::Parties;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::SlotError;
use lockstep_proto::ids::ServerId;
use lockstep_proto::signin::KsfProfile;

use super::super::session::EnrolmentToken;
use super::super::sign_in_run::{Entered, Entrant, check_log};
use super::super::*;
use super::device::{PASSWORD, account, password};

/// The comparison after an exchange with this server's key, by whoever holds this Secret Key and this server's Kit.
fn compare(server_key: u8, secret_key: u8, server_id: u8) -> Result<(), SignInError> {
    compare_with(server_key, secret_key, server_id, None)
}

fn compare_with(
    server_key: u8,
    secret_key: u8,
    server_id: u8,
    password_key: Option<PasswordKey>,
) -> Result<(), SignInError> {
    let (_, first, mut signed_up) = account();
    let state = signed_up.unlocked.state();
    let mut server_public_key = state.auth().unwrap().opaque_server_key;
    server_public_key[0] ^= server_key;
    let own_key = first.password_key(&mut signed_up.unlocked);
    let state = signed_up.unlocked.state();
    let entered = Entered {
        token: EnrolmentToken(String::new().into()),
        auk: Auk::from_bytes([1; 32]),
        password_key: password_key.unwrap_or(own_key),
        profile: KsfProfile::CURRENT,
        server_public_key,
    };
    let mut own = *signed_up.kit.secret_key.expose_bytes();
    own[0] ^= secret_key;
    let mut server = signed_up.kit.server_id;
    server = ServerId(std::array::from_fn(|at| server.0[at] ^ server_id));
    let entrant = Entrant {
        parties: Parties { account_id: signed_up.kit.account_id, server_id: server },
        secret_key: &SecretKey::from_bytes(own),
        password: &password(PASSWORD),
        floor: KsfProfile::CURRENT,
    };
    check_log(state, &entered, &entrant)
}

#[test]
fn a_key_exchange_with_another_key_than_the_logs_is_refused() {
    assert!(matches!(compare(1, 0, 0), Err(SignInError::ServerKey)));
}

#[test]
fn a_secret_key_that_the_log_does_not_commit_to_is_refused() {
    let error = compare(0, 1, 0).unwrap_err();
    assert!(matches!(error, SignInError::Account(AccountError::Slot(SlotError::NotCommitted))), "{error}");
}

/// The server signed this device in with another record than the log names.
#[test]
fn a_record_that_the_log_does_not_name_is_refused() {
    let other = PasswordKey::from_slice(&[9; 32]).unwrap();
    let error = compare_with(0, 0, 0, Some(other)).unwrap_err();
    assert!(matches!(error, SignInError::Account(AccountError::Slot(SlotError::NotCommitted))), "{error}");
}

#[test]
fn the_log_of_an_account_at_another_server_is_refused() {
    assert!(matches!(compare(0, 0, 1), Err(SignInError::OtherServer)));
    compare(0, 0, 0).unwrap();
}

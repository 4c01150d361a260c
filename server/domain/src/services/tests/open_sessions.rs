//! Sessions that no device has.

use std::net::IpAddr;

use lockstep_proto::api::ENROLMENT_SECONDS;
use lockstep_proto::log::{AccountState, LinkBody};

use super::fixture::*;
use crate::caller::Session;
use crate::limits::AddressKey;
use crate::services::open_sessions::OpenSessions;

fn address() -> AddressKey {
    AddressKey::from(IpAddr::from([10, 0, 0, 1]))
}

#[test]
fn a_session_ends_at_its_second_and_for_every_other_token() {
    let world = World::new();
    let account = TestAccount::new(&world, "ann", "phone");
    let sessions = OpenSessions::new(&world.ports);
    let record = account.state.auth().unwrap().record_hash;
    let (token, expires_ms) = sessions.open_enrolment(account.id(), record, address());
    assert_eq!(expires_ms, NOON_MS + u64::from(ENROLMENT_SECONDS) * 1_000);
    world.clock.set_ms(expires_ms - 1);
    let (hash, opened) = sessions.find(&token).unwrap();
    assert!(opened.caller(hash, &account.state).is_some());
    for other in ["", "?", &token[1..], &format!("{token}="), &format!("{token}A"), &token.to_uppercase()] {
        assert!(sessions.find(other).is_none(), "{other}");
    }
    world.clock.set_ms(expires_ms);
    assert!(sessions.find(&token).is_none());
}

/// What opened it is not the account's any more: somebody else set the password meanwhile.
#[test]
fn a_session_ends_when_another_one_sets_the_password_and_stays_when_it_does_so_itself() {
    let world = World::new();
    let mut account = TestAccount::new(&world, "ann", "phone");
    let sessions = OpenSessions::new(&world.ports);
    let record = account.state.auth().unwrap().record_hash;
    let open = || sessions.open_enrolment(account.id(), record, address()).0;
    let (own, other) = (open(), open());
    let is_open = |token: &str, account: &TestAccount| {
        let (hash, opened) = sessions.find(token).unwrap();
        opened.caller(hash, &account.state)
    };
    let own_hash = sessions.find(&own).unwrap().0;
    let added = account.add_device("phone", "tablet");
    assert!(!added.is_empty());
    sessions.note_appended(&own_hash, &account.state, Some(device_id("tablet")));
    let session = is_open(&own, &account).unwrap().session;
    assert_eq!(session, Session::Enrolment { token: own_hash, added: Some(device_id("tablet")) });
    account.sign("tablet", LinkBody::AuthUpdate(account.new_password("next")));
    // Not noted yet: what it was opened with is no longer the account's.
    assert!(is_open(&own, &account).is_none());
    sessions.note_appended(&own_hash, &account.state, None);
    let session = is_open(&own, &account).unwrap().session;
    assert_eq!(session, Session::Enrolment { token: own_hash, added: Some(device_id("tablet")) });
    assert!(is_open(&other, &account).is_none());
}

/// A recovery changes the Recovery Key itself: the session that did it goes on reading, and no other one does.
#[test]
fn a_recovery_session_is_good_for_its_key_and_once() {
    let world = World::new();
    let account = TestAccount::new(&world, "ann", "phone");
    let sessions = OpenSessions::new(&world.ports);
    let open = |key| sessions.open_recovery(account.id(), key, address()).0;
    let session = |token: &str, state: &AccountState| {
        let (hash, opened) = sessions.find(token).unwrap();
        opened.caller(hash, state).map(|caller| caller.session)
    };
    let key = account.state.recovery().signing;
    let (own, second, foreign) = (open(key), open(key), open(recovery_keys("another").signing));
    let token = sessions.find(&own).unwrap().0;
    assert_eq!(session(&own, &account.state), Some(Session::Recovery { token, spent: false }));
    assert_eq!(session(&foreign, &account.state), None);
    // After the recovery the account has another key.
    let after = TestAccount::new(&world, "ann again", "phone").state;
    assert_eq!(session(&own, &after), None);
    sessions.note_appended(&token, &after, None);
    assert_eq!(session(&own, &after), Some(Session::Recovery { token, spent: true }));
    assert_eq!(session(&second, &after), None);
}

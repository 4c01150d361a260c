//! The key that only the password gives: where it is not.

use lockstep_proto::canon;
use lockstep_proto::sign::PublicKey;

use super::super::*;
use super::device::{account, contains, password};
use crate::ports::Table;
use crate::testing::block_on;

/// Everything that a process has which takes the root key from an agent, and the profile's files.
#[test]
fn a44_an_unlocked_profile_does_not_hold_the_key_that_countersigns() {
    let (_, device, signed_up) = account();
    let mut unlocked = signed_up.unlocked;
    let key = device.password_key(&mut unlocked);
    assert_eq!(unlocked.state().auth().unwrap().password_key, key.public());
    let records = block_on(device.ports.store.scan(Table::Profile, b"", None, 100)).unwrap();
    let mut opened = 0;
    for (name, sealed) in records {
        assert!(!contains(&sealed, key.expose_bytes()));
        let Ok(record) = unlocked.sealer().open(Table::Profile, &name, &sealed) else { continue };
        opened += 1;
        assert!(!contains(&record, key.expose_bytes()), "{}", String::from_utf8_lossy(&name));
        if name == b"password-key" {
            let public: PublicKey = canon::from_bytes(&record[..32]).unwrap();
            assert_eq!(public, key.public(), "what is kept is this key, sealed");
        }
    }
    assert!(opened > 3, "{opened} records");
}

/// The budget is the device's: no process that starts anew, and no other command, has a new one.
#[test]
fn a_device_counts_the_guesses_at_its_password() {
    let (_, device, signed_up) = account();
    let unlocked = signed_up.unlocked;
    let wrong = password("another password");
    for _ in 0..5 {
        assert!(matches!(block_on(unlock(&device.ports, &wrong)), Err(ProfileError::WrongPassword)));
        let again = block_on(reauthenticate(&device.ports, &unlocked, &wrong));
        assert!(matches!(again, Err(ProfileError::WrongPassword)));
    }
    let after = device.after_power_cut();
    let refused = block_on(unlock(&after.ports, &wrong)).err();
    assert!(matches!(refused, Some(ProfileError::TooManyGuesses { seconds: 1 })), "{refused:?}");
    let right = after.unlock().err();
    assert!(matches!(right, Some(ProfileError::TooManyGuesses { seconds: 1 })), "it is not looked at");
    block_on(after.ports.clock.sleep_ms(1_000));
    assert!(matches!(block_on(unlock(&after.ports, &wrong)), Err(ProfileError::WrongPassword)));
    let refused = block_on(unlock(&after.ports, &wrong)).err();
    assert!(matches!(refused, Some(ProfileError::TooManyGuesses { seconds: 2 })), "{refused:?}");
    block_on(after.ports.clock.sleep_ms(2_000));
    after.unlock().unwrap();
    // The right one ends the count.
    assert!(matches!(block_on(unlock(&after.ports, &wrong)), Err(ProfileError::WrongPassword)));
    after.unlock().unwrap();
}

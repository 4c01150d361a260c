//! Base32 of RFC 4648 as people and sites write it: either case, with spaces, dashes and padding or without.

use zeroize::Zeroizing;

/// The bytes; `None` for any other character, or nothing. Bits beyond the last whole byte are dropped, since some
/// sites make secrets of random letters.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8));
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes().filter(|letter| !matches!(letter, b' ' | b'-')) {
        let value = match letter.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => upper - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits).to_le_bytes()[0]);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::decode;

    #[test]
    fn the_vectors_of_rfc_4648_decode() {
        for (text, bytes) in
            [("MY======", "f"), ("MZXQ====", "fo"), ("MZXW6===", "foo"), ("MZXW6YTBOI======", "foobar")]
        {
            assert_eq!(decode(text).unwrap().as_slice(), bytes.as_bytes());
        }
        assert_eq!(decode("mzxw 6ytb-oi").unwrap().as_slice(), b"foobar");
        assert!(decode("not base32!").is_none() && decode("").is_none() && decode("A").is_none());
    }
}

//! Base32 of RFC 4648 as people and sites write it: either case, with blanks, dashes and padding or without.

use zeroize::Zeroizing;

/// The bytes; `None` for any other character, or nothing. Bits beyond the last whole byte are dropped, since some
/// sites make secrets of random letters.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8));
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for letter in text.trim_end_matches(is_skipped_or_padding).chars().filter(|letter| !is_skipped(*letter)) {
        let value = match u8::try_from(letter).ok()?.to_ascii_uppercase() {
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

/// What stands between groups of letters, or came along when a page was copied: blanks of every kind, dashes, characters
/// without width.
pub(super) fn is_skipped(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn is_skipped_or_padding(letter: char) -> bool {
    letter == '=' || is_skipped(letter)
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
        for text in [
            "mzxw 6ytb-oi",
            "MZXW\u{a0}6YTB\u{a0}OI",
            "MZXW6\tYTBOI\u{200b}",
            "MZXW6YTBOI ====== \r\n",
            "MZXW–6YTBOI",
        ] {
            assert_eq!(decode(text).unwrap().as_slice(), b"foobar", "{text}");
        }
        for wrong in ["not base32!", "", "A", "MZXW=6YTBOI", "MZXW0", "ＭＺＸＷ", "ĭZXW6YTBOI"] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }
}

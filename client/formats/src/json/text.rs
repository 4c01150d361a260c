//! The bytes of a text file in UTF-8, whatever Unicode encoding they came in.

use std::borrow::Cow;

/// The file's text: UTF-16 is converted, a byte order mark and NULs at the end are dropped.
///
/// Bytes that are no UTF-8 stay as they are: whoever reads the values mends and names them. Half a surrogate pair of
/// UTF-16 becomes the three bytes that UTF-8 would have for it.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = match encoding(bytes) {
        Encoding::Utf16(order) => {
            let bytes = bytes.strip_prefix(order.mark()).unwrap_or(bytes);
            Cow::Owned(from_utf16(bytes.chunks_exact(2).map(|pair| order.unit(pair))))
        }
        Encoding::Utf8 => Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    };
    let length = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
        Cow::Owned(mut text) => {
            text.truncate(length);
            Cow::Owned(text)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16(Order),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Little => b"\xff\xfe",
            Self::Big => b"\xfe\xff",
        }
    }

    fn unit(self, pair: &[u8]) -> u16 {
        match (self, pair) {
            (Self::Little, [low, high]) | (Self::Big, [high, low]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        }
    }
}

/// JSON begins with two ASCII characters, so without a mark the places of the first NULs tell.
fn encoding(bytes: &[u8]) -> Encoding {
    let plain = |byte: u8| byte == b'{' || byte == b'[' || byte.is_ascii_whitespace();
    match bytes {
        [0xff, 0xfe, ..] => Encoding::Utf16(Order::Little),
        [0xfe, 0xff, ..] => Encoding::Utf16(Order::Big),
        [first, 0, second, 0, ..] if plain(*first) && *second != 0 => Encoding::Utf16(Order::Little),
        [0, first, 0, second, ..] if plain(*first) && *second != 0 => Encoding::Utf16(Order::Big),
        _ => Encoding::Utf8,
    }
}

fn from_utf16(units: impl Iterator<Item = u16>) -> Vec<u8> {
    let mut text = Vec::new();
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => text.extend_from_slice(&lone_surrogate(lone.unpaired_surrogate())),
        }
    }
    text
}

/// What the pattern of UTF-8 gives for half a surrogate pair (WTF-8).
fn lone_surrogate(unit: u16) -> [u8; 3] {
    let [high, low] = unit.to_be_bytes();
    [0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str, order: Order) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            Order::Little => unit.to_le_bytes(),
            Order::Big => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        let text = "{\"name\":\"Zoë 🙂 日本語\"}\r\n";
        for order in [Order::Little, Order::Big] {
            let plain = units(text, order);
            let marked = [order.mark(), &plain].concat();
            let long = [&marked[..], b"\0\0\0"].concat();
            for bytes in [plain, marked, long] {
                assert_eq!(decode(&bytes).as_ref(), text.as_bytes());
            }
        }
    }

    #[test]
    fn utf_8_is_taken_as_it_is_without_its_mark_and_the_nuls_behind_it() {
        for bytes in [&b"{}"[..], b"\xef\xbb\xbf{}", b"{}\0\0\0"] {
            assert_eq!(decode(bytes).as_ref(), b"{}");
        }
        assert_eq!(decode(b"{\xff}").as_ref(), b"{\xff}");
        for nothing in [&b""[..], b"\0\0\0\0\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff\0"] {
            assert_eq!(decode(nothing).as_ref(), b"");
        }
    }

    #[test]
    fn half_a_surrogate_pair_stays_recognisable() {
        let bytes = [0xff, 0xfe, b'{', 0, 0x3d, 0xd8, b'}', 0];
        assert_eq!(decode(&bytes).as_ref(), b"{\xed\xa0\xbd}");
        assert_eq!(lone_surrogate(0xdfff), [0xed, 0xbf, 0xbf]);
    }
}

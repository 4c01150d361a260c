//! Mends what is no JSON inside one value, so that a parser takes it: one pass, and everything changed is named.
//!
//! Control characters in texts are escaped and nothing is lost; all else is a [`Mended`]. What is still no JSON then is
//! for the parser to refuse.

/// What was changed in a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    /// Bytes that are no UTF-8 were read as Windows-1252.
    pub(crate) bytes: bool,
    /// Halves of surrogate pairs became U+FFFD.
    pub(crate) surrogates: bool,
    /// Backslashes that escape nothing were kept as characters.
    pub(crate) escapes: bool,
    /// Numbers that no computer holds, or that JSON does not have, became texts.
    pub(crate) numbers: bool,
}

/// The value as JSON in UTF-8, as far as it can be had, and what was changed.
pub(crate) fn mend(value: &[u8]) -> (String, Mended) {
    let mut mender =
        Mender { value, at: 0, text: String::with_capacity(value.len()), mended: Mended::default() };
    while let Some(byte) = value.get(mender.at) {
        match byte {
            b'"' => mender.string(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.' => mender.word(),
            _ => mender.character(),
        }
    }
    (mender.text, mender.mended)
}

struct Mender<'v> {
    value: &'v [u8],
    at: usize,
    text: String,
    mended: Mended,
}

impl Mender<'_> {
    /// A whole string; one that does not end is copied to the end.
    fn string(&mut self) {
        self.character();
        while let Some(byte) = self.value.get(self.at) {
            match byte {
                b'"' => return self.character(),
                b'\\' => self.escape(),
                control @ ..0x20 => {
                    self.text.push_str(&format!("\\u{control:04x}"));
                    self.at += 1;
                }
                _ => self.character(),
            }
        }
    }

    /// One character as it is.
    fn character(&mut self) {
        let rest = &self.value[self.at..];
        let (character, length) = decode_character(rest, &mut self.mended);
        self.text.push(character);
        self.at += length;
    }

    /// A backslash and what it escapes.
    fn escape(&mut self) {
        let rest = &self.value[self.at..];
        let length = match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => match (code_unit(rest), code_unit(rest.get(6..).unwrap_or_default())) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff), _) => {
                    self.mended.surrogates = true;
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    self.at += 6;
                    return;
                }
                (Some(_), _) => 6,
                (None, _) => 0,
            },
            _ => 0,
        };
        if length == 0 {
            self.mended.escapes = true;
            self.text.push_str("\\\\");
            self.at += 1;
        }
        self.text.extend(rest[..length].iter().map(|byte| char::from(*byte)));
        self.at += length;
    }

    /// A number or a literal.
    fn word(&mut self) {
        let rest = &self.value[self.at..];
        let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len());
        let word: String = rest[..length].iter().map(|byte| char::from(*byte)).collect();
        self.at += length;
        if is_number_like(&word) && !is_held(&word) {
            self.mended.numbers = true;
            self.text.push_str(&format!("\"{word}\""));
        } else {
            self.text.push_str(&word);
        }
    }
}

/// The first character and its bytes. A surrogate pair of which each half was encoded by itself (CESU-8) is one
/// character.
fn decode_character(bytes: &[u8], mended: &mut Mended) -> (char, usize) {
    let length = match bytes {
        [..0x80, ..] => 1,
        [0xc2..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf4, ..] => 4,
        _ => 0,
    };
    let valid = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    if let Some(character) = valid.and_then(|text| text.chars().next()) {
        return (character, length);
    }
    let (first, second) = (surrogate(bytes), surrogate(bytes.get(3..).unwrap_or_default()));
    if let (Some(high @ ..0xdc00), Some(low @ 0xdc00..)) = (first, second)
        && let Some(Ok(character)) = char::decode_utf16([high, low]).next()
    {
        return (character, 6);
    }
    if first.is_some() {
        mended.surrogates = true;
        return (char::REPLACEMENT_CHARACTER, 3);
    }
    mended.bytes = true;
    (bytes.first().map_or(char::REPLACEMENT_CHARACTER, |byte| windows_1252(*byte)), 1)
}

/// A surrogate in three bytes.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] => {
            Some(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f))
        }
        _ => None,
    }
}

/// The character of a byte (WHATWG Encoding Standard, index windows-1252).
fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', //
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// The code unit of `\uXXXX`.
fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let text =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    u16::from_str_radix(text?, 16).ok()
}

fn is_number_like(word: &str) -> bool {
    let unsigned = word.trim_start_matches(['+', '-']);
    unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || matches!(unsigned, "NaN" | "Infinity")
}

/// Whether a number is one of JSON, and written with all that it says.
fn is_held(word: &str) -> bool {
    let Some((whole, fraction, exponent)) = parts_of_number(word) else { return false };
    if fraction.is_none() && exponent.is_none() {
        let is_integer = word.parse::<i64>().is_ok() || word.parse::<u64>().is_ok();
        return is_integer || word.parse::<f64>().is_ok_and(|float| format!("{float:.0}") == word);
    }
    let is_zero =
        [whole, fraction.unwrap_or_default()].iter().all(|digits| digits.bytes().all(|byte| byte == b'0'));
    word.parse::<f64>().is_ok_and(|float| float.is_finite() && (float != 0.0 || is_zero))
}

/// Digits before the point, after it, and of the exponent, by the grammar of RFC 8259.
fn parts_of_number(word: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let is_number = are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(are_digits)
        && exponent_digits.is_none_or(are_digits);
    is_number.then_some((whole, fraction, exponent))
}

//! Where a JSON value ends, by its quotes and brackets alone: what stands inside may be as broken as it likes.

/// Where a value ends, and how deep it is nested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The offset behind its last byte.
    pub(crate) end: usize,
    /// Levels of brackets; 0 for a scalar.
    pub(crate) depth: usize,
}

/// The extent of the value that begins at `from`; `None` where the text ends first or nothing begins there. Which of
/// both kinds of bracket closes another does not matter here.
pub(crate) fn extent(text: &[u8], from: usize) -> Option<Extent> {
    match text.get(from)? {
        b'{' | b'[' => bracketed(text, from),
        b'"' => Some(Extent { end: string_end(text, from)?, depth: 0 }),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'{' | b'[' | b'"') || is_blank(*byte);
            let length = text[from..].iter().position(ends).unwrap_or(text.len() - from);
            (length > 0).then_some(Extent { end: from + length, depth: 0 })
        }
    }
}

fn bracketed(text: &[u8], from: usize) -> Option<Extent> {
    let (mut open, mut depth, mut at) = (0_usize, 0, from);
    while let Some(byte) = text.get(at) {
        at = match byte {
            b'"' => string_end(text, at)?,
            b'{' | b'[' => {
                open += 1;
                depth = depth.max(open);
                at + 1
            }
            b'}' | b']' if open == 1 => return Some(Extent { end: at + 1, depth }),
            b'}' | b']' => {
                open -= 1;
                at + 1
            }
            _ => at + 1,
        };
    }
    None
}

/// The offset behind the quote that ends the string beginning at `from`.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The first offset from `from` on at which no white space stands.
pub(crate) fn skip_blanks(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().position(|byte| !is_blank(*byte)).map_or(text.len(), |length| from + length)
}

/// The first offset from `from` on at which neither white space nor a comma stands.
pub(crate) fn skip_separators(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let separates = |byte: u8| byte == b',' || is_blank(byte);
    rest.iter().position(|byte| !separates(*byte)).map_or(text.len(), |length| from + length)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Option<usize> {
        extent(text.as_bytes(), 0).map(|extent| extent.end)
    }

    #[test]
    fn values_end_where_their_brackets_and_quotes_do() {
        for (value, rest) in [
            (r#"{"a":[1,{"b":"}]"}]}"#, ",{"),
            (r#""a\"b\\""#, r#","c""#),
            ("true", "}"),
            ("-1.5e3", ","),
            ("nonsense", " ]"),
            ("{mismatched]", ""),
            (r#"{"\u00":tru}"#, "\n"),
        ] {
            assert_eq!(end(&format!("{value}{rest}")), Some(value.len()), "{value}");
            assert_eq!(end(value), Some(value.len()), "{value}");
        }
    }

    #[test]
    fn what_does_not_end_has_no_extent() {
        for text in ["", ",", "]", "{", "[[]", "\"", "\"a\\\"", "\"a\\", "{\"a}"] {
            assert_eq!(end(text), None, "{text}");
        }
        assert_eq!(extent(b"{}", 7), None);
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        let text = [vec![b'['; 3_000_000], vec![b']'; 3_000_000]].concat();
        assert_eq!(extent(&text, 0), Some(Extent { end: text.len(), depth: 3_000_000 }));
        assert_eq!(extent(&text[..4_000_000], 0), None);
        assert_eq!(extent(b"[{},[]]", 0), Some(Extent { end: 7, depth: 2 }));
    }
}

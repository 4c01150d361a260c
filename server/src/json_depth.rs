//! How deeply a JSON text nests, found without parsing it.

/// Whether `text` never opens more than `limit` arrays and objects inside each other. Says nothing about whether it is
/// JSON at all.
pub(crate) fn is_at_most(text: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_at_most;

    #[test]
    fn nesting_is_counted_outside_strings_only() {
        for (text, depth) in [
            ("1", 0),
            ("[]", 1),
            ("[[],[]]", 2),
            (r#"{"a":[{}]}"#, 3),
            (r#""[[[[""#, 0),
            (r#"["\"[[", []]"#, 2),
            (r#"["\\",[]]"#, 2),
        ] {
            assert!(is_at_most(text.as_bytes(), depth), "{text}");
            assert!(depth == 0 || !is_at_most(text.as_bytes(), depth - 1), "{text}");
        }
    }
}

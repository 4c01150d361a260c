//! Text as people compare it: without case, accents, width and normal form; and the order in which they look for it.

use unicode_normalization::UnicodeNormalization as _;

/// `text` folded: two texts that a person would call the same word have the same form. Compatibility forms are taken
/// apart (UAX #15, NFKD), accents dropped, letters with a stroke or a ligature written out, case folded, blanks at
/// both ends dropped and others made one. Only for comparing: what is shown and kept is always the text as typed.
///
/// Letters of scripts that write vowels or voicing as marks keep them: there a mark makes another word.
pub fn fold(text: &str) -> String {
    let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { fold_letters(text) };
    let mut words = folded.split_whitespace();
    let mut joined = String::with_capacity(folded.len());
    joined.extend(words.next());
    words.for_each(|word| joined.extend([" ", word]));
    joined
}

fn fold_letters(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_dropped(*letter)) {
        match written_out(letter) {
            Some(plain) => folded.push_str(plain),
            // Upper case first: it brings together what lower case keeps apart, such as σ and ς.
            None => letter.to_uppercase().flat_map(char::to_lowercase).for_each(|letter| {
                match written_out(letter) {
                    Some(plain) => folded.push_str(plain),
                    None => folded.push(letter),
                }
            }),
        }
    }
    // What was taken apart and is no accent belongs together again: a syllable of Hangul, a kana with its voicing.
    folded.nfc().collect()
}

/// Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic, and what has no width.
fn is_dropped(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c7}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{640}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}')
}

/// Letters and signs that Unicode does not take apart, as somebody without them on the keyboard types them.
fn written_out(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'þ' | 'Þ' => "th",
        'ø' | 'Ø' | 'ɵ' => "o",
        'ł' | 'Ł' | 'ƚ' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'ħ' | 'Ħ' => "h",
        'ŧ' | 'Ŧ' | 'ⱦ' => "t",
        'ı' | 'ɨ' | 'Ɨ' | 'ɩ' | 'Ɩ' => "i",
        'ȷ' | 'ɉ' => "j",
        'ŋ' | 'Ŋ' => "ng",
        'ĸ' => "k",
        'ⱥ' | 'Ⱥ' => "a",
        'ƀ' | 'Ƀ' => "b",
        'ȼ' | 'Ȼ' => "c",
        'ɇ' | 'Ɇ' => "e",
        'ǥ' | 'Ǥ' => "g",
        'ɍ' | 'Ɍ' => "r",
        'ʉ' | 'Ʉ' => "u",
        'ƶ' | 'Ƶ' => "z",
        '‘' | '’' | '‛' | 'ʼ' | '`' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        _ => return None,
    })
}

/// A place in a list: numbers in a title count as numbers (`Cam 2` before `Cam 10`), letters are [folded](fold), and only
/// titles that are the same so are told apart as typed. Made once for each item, compared often.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NaturalOrder {
    folded: String,
    exact: String,
}

impl NaturalOrder {
    /// The place of this title.
    pub fn of(title: &str) -> Self {
        Self { folded: count_digits(&fold(title)), exact: title.to_owned() }
    }
}

/// Each run of digits without its leading zeros, behind a `0` and the number of its digits: compared letter by letter, a
/// longer number is then the larger one, and numbers stay where digits stand in the alphabet.
fn count_digits(text: &str) -> String {
    let mut counted = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        let number = digits[..end].trim_start_matches('0');
        counted.push_str(before);
        counted.push('0');
        // Numbers of more digits than there are characters below the surrogates count as equally long.
        counted.push(u32::try_from(number.len()).ok().and_then(char::from_u32).unwrap_or('\u{d7ff}'));
        counted.push_str(number);
        rest = &digits[end..];
    }
    counted.push_str(rest);
    counted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_differ_in_accents_case_width_or_form_are_the_same() {
        for (typed, meant) in [
            ("Zürich Bank", "zurich bank"),
            ("Zu\u{308}rich", "zürich"),
            ("Ügyfélkapu", "ugyfelkapu"),
            ("cipő", "CIPO"),
            ("Łódź", "lodz"),
            ("Đà Nẵng", "da nang"),
            ("straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("İstanbul", "istanbul"),
            ("ISPARTA", "ısparta"),
            ("Éclair", "eclair"),
            ("Öl", "ol"),
            ("ａｄｏｂｅ", "Adobe"),
            ("ﬁle server", "file server"),
            ("naïve", "NAIVE"),
            ("Smørrebrød", "smorrebrod"),
            ("Ærø, Þór, Ħal Għaxaq", "aero, thor, hal ghaxaq"),
            ("ΟΔΟΣ", "οδός"),
            ("Ёлка", "елка"),
            ("O’Brien – work", "o'brien - work"),
            ("  leading\u{a0} \tblank ", "leading blank"),
            ("soft\u{ad}hy\u{200b}phen", "softhyphen"),
            ("m²", "M2"),
        ] {
            assert_eq!(fold(typed), fold(meant), "{typed}");
        }
        assert_eq!(fold("Zürich Bank"), "zurich bank");
    }

    #[test]
    fn marks_that_make_another_word_stay() {
        for (one, other) in
            [("が", "か"), ("कि", "का"), ("한", "하"), ("บ้าน", "บาน"), ("oil", "ol"), ("a b", "ab")]
        {
            assert_ne!(fold(one), fold(other), "{one}");
        }
        assert_eq!(fold("か\u{3099}"), fold("が"));
        assert_eq!(fold("ｶﾞ"), fold("ガ"));
    }

    fn sorted(titles: &[&str]) -> Vec<String> {
        let mut titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
        titles.sort_by_cached_key(|title| NaturalOrder::of(title));
        titles
    }

    #[test]
    fn lists_are_in_the_order_that_people_look_in() {
        let right = [
            "1 a",
            "2 a",
            "10 a",
            "_under",
            "apple",
            "Beer",
            "Cam 1",
            "Cam 2",
            "Cam 10",
            "cam x",
            "eclair",
            "Éclair",
            "  leading blank",
            "lemon",
            "Oil",
            "Öl",
            "Zürich",
            "日本",
        ];
        let mut shuffled = right;
        shuffled.reverse();
        assert_eq!(sorted(&shuffled), right);
        assert_eq!(sorted(&["v1.10", "v1.9.1", "v1.9"]), ["v1.9", "v1.9.1", "v1.10"]);
        assert_eq!(sorted(&["a 02", "a 1", "a 2"]), ["a 1", "a 02", "a 2"]);
        let (long, longer) = ("9".repeat(70_000), "1".repeat(70_001));
        assert_eq!(sorted(&[&longer, &long, "5"])[0], "5");
    }

    #[test]
    fn folding_what_is_folded_changes_nothing() {
        for letter in ('\0'..='\u{1ffff}').map(String::from) {
            let once = fold(&letter);
            assert_eq!(fold(&once), once, "{}", letter.escape_unicode());
        }
    }

    proptest! {
        #[test]
        fn folding_is_done_once(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn numbers_are_ordered_as_numbers(a in any::<u64>(), b in any::<u64>()) {
            let of = |number: u64| NaturalOrder::of(&format!("x {number} y"));
            prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        }
    }
}

//! Text of others made fit to be shown: nothing in it steers a terminal, hides, or turns what stands beside it around.

/// `text` with all that steers a terminal, or that nobody sees, made visible: what a vault or a server says can neither move
/// the cursor nor turn text around nor hide in it. Line breaks and tabs stay; a line break of Windows (CR LF) is a line break.
/// Joiners stay behind letters that are not ASCII: emoji and some scripts are written with them.
pub fn clean(text: &str) -> String {
    cleaned(text.replace("\r\n", "\n").chars()).collect()
}

/// [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// As [`clean`], one character at a time, for text that may be huge.
pub(crate) fn cleaned(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut before = ' ';
    text.map(move |character| {
        let joins = is_joiner(character) && !before.is_ascii();
        before = character;
        let stays = joins || matches!(character, '\n' | '\t') || !is_hidden(character);
        if stays { character } else { char::REPLACEMENT_CHARACTER }
    })
}

/// C0 and C1 controls, marks of direction, separators of lines, and what has no width or no ink.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || is_joiner(character)
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
        )
}

fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_vault_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\r\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\n");
        assert_eq!(clean_line("two\nlines"), "two lines");
        assert_eq!(clean("line1\r\nline2\rline3\n\r\n"), "line1\nline2\u{fffd}line3\n\n");
        assert_eq!(clean_line("two\r\nlines"), "two lines");
        assert_eq!(clean("日本語 🙂"), "日本語 🙂");
    }

    #[test]
    fn nothing_hides_in_a_text_and_what_scripts_and_emoji_need_stays() {
        let hidden = "\0\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}\u{200d}\u{200e}\u{200f}\
                      \u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{feff}\u{ffa0}\u{fff9}\u{e0041}\u{e0fff}";
        for character in hidden.chars() {
            assert!(is_hidden(character), "{character:?}");
            assert_eq!(clean(&format!("a{character}b")), "a\u{fffd}b", "{character:?}");
        }
        for fine in ["👩\u{200d}👧", "می\u{200c}خواهم", "Zürich", "a\tb\nc", "葛\u{e0100}城", "❤\u{fe0f}"]
        {
            assert_eq!(clean(fine), fine);
        }
    }
}

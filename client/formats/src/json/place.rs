//! Where in a file something stands, as an editor counts.

use std::fmt;

/// A place in a text, counted from 1. A column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in its line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Finds places by offset. Asked in ascending order it goes over the text once.
pub(crate) struct Places<'t> {
    text: &'t [u8],
    offset: usize,
    place: Place,
}

impl<'t> Places<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { text, offset: 0, place: Place { line: 1, column: 1 } }
    }

    /// The place of the character at `offset`, or just behind the text.
    pub(crate) fn at(&mut self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        for byte in &self.text[self.offset..offset] {
            match byte {
                b'\n' => self.place = Place { line: self.place.line + 1, column: 1 },
                // The further bytes of a character of UTF-8.
                0x80..=0xbf => {}
                _ => self.place.column += 1,
            }
        }
        self.offset = offset;
        self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_an_editor_in_any_order() {
        let text = "{\r\n  \"ü日🙂\": 1\n}".as_bytes();
        let mut places = Places::new(text);
        let at = |line, column| Place { line, column };
        let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
        for (offset, place) in
            [(0, at(1, 1)), (5, at(2, 3)), (colon, at(2, 8)), (0, at(1, 1)), (999, at(3, 2))]
        {
            assert_eq!(places.at(offset), place);
        }
        assert_eq!(at(3, 14).to_string(), "line 3, column 14");
    }
}

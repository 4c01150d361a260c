//! Finds the way back behind a fault.
//!
//! A missing quote turns texts and brackets inside out until the end of the file, so the place of the next record
//! cannot be counted; it is recognised. A brace begins a record if a whole value that parses begins there, with the
//! members that every item has, and if it is no member of something: objects inside of records are members, or lack
//! some of them.

use serde_json::Value as Json;

use crate::json::parse::parse;
use crate::json::scan::{extent, skip_blanks};

/// Steps for each byte of the file, so that no file takes longer than in proportion to its size.
const STEPS_PER_BYTE: usize = 8;
const STEPS_AT_LEAST: usize = 64 * 1024 * 1024;
/// Blanks between a member's colon and its value that are looked over.
const BLANKS: usize = 256;
const TITLE_CHARACTERS: usize = 200;

/// Looks for records, with a bound on all that it does.
pub(super) struct Recovery<'t> {
    text: &'t [u8],
    steps_left: usize,
}

impl<'t> Recovery<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, steps_left: text.len() * STEPS_PER_BYTE + STEPS_AT_LEAST }
    }

    /// Where the next record begins, from `from` on and before `to`; `None` also when the bound is reached.
    pub(super) fn next_record(&mut self, from: usize, to: usize) -> Option<usize> {
        // How `from` was found has cost as much as what lies between.
        self.spend(to.saturating_sub(from))?;
        let mut at = from;
        while let Some(length) = self.text.get(at..to)?.iter().position(|byte| *byte == b'{') {
            at += length;
            self.spend(length + BLANKS)?;
            if self.begins_record(at)? {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// `None` when the bound is reached.
    fn begins_record(&mut self, at: usize) -> Option<bool> {
        let before = &self.text[at.saturating_sub(BLANKS)..at];
        let is_member = before.trim_ascii_end().last() == Some(&b':');
        if is_member || self.text.get(skip_blanks(self.text, at + 1)) != Some(&b'"') {
            return Some(false);
        }
        let Some(found) = extent(self.text, at) else {
            self.spend(self.text.len() - at)?;
            return Some(false);
        };
        self.spend(found.end - at)?;
        let parsed = parse(&self.text[at..found.end]);
        Some(parsed.is_ok_and(|parsed| is_record(&parsed.json)))
    }

    fn spend(&mut self, steps: usize) -> Option<()> {
        self.steps_left = self.steps_left.checked_sub(steps).or_else(|| {
            self.steps_left = 0;
            None
        })?;
        Some(())
    }
}

/// Whether a value has what every item has, and not what only parts of items have.
pub(super) fn is_record(json: &Json) -> bool {
    let has = |name: &str| json.get(name).is_some();
    has("type") && has("name") && !has("value") && !has("linkedId")
}

/// The offset behind the bracket that begins a list of items, looked for from `from` on.
pub(super) fn find_items(text: &[u8], from: usize) -> Option<usize> {
    const KEY: &[u8] = b"\"items\"";
    let mut at = from;
    loop {
        at += text.get(at..)?.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
        let colon = skip_blanks(text, at);
        let list = skip_blanks(text, colon + 1);
        if text.get(colon) == Some(&b':') && text.get(list) == Some(&b'[') {
            return Some(list + 1);
        }
    }
}

/// The title in a part of the file that cannot be read, if one stands there.
pub(super) fn title_in(part: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"name\"";
    let key = part.windows(KEY.len()).position(|window| window == KEY)?;
    let colon = skip_blanks(part, key + KEY.len());
    let value = skip_blanks(part, colon + 1);
    if part.get(colon) != Some(&b':') || part.get(value) != Some(&b'"') {
        return None;
    }
    let end = extent(part, value)?.end;
    let parsed = parse(&part[value..end]).ok()?;
    parsed.json.as_str().map(shortened)
}

/// A title as remarks name it: each of them has one.
pub(in crate::bitwarden) fn shortened(title: &str) -> String {
    title.chars().take(TITLE_CHARACTERS).collect()
}

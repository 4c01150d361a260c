//! The walk over a file: members, records, and what stands where neither can be.

use std::ops::Range;

use super::SourceRecord;
use super::members::Members;
use super::recover::{Recovery, find_items, is_record, title_in};
use crate::bitwarden::elements::text;
use crate::bitwarden::error::ImportError;
use crate::bitwarden::remark::FileRemark;
use crate::bitwarden::report::Problem;
use crate::json::mend::Mended;
use crate::json::parse::{Parsed, Unparsed, parse};
use crate::json::place::{Place, Places};
use crate::json::scan::{Extent, extent, skip_blanks, skip_separators};
use crate::looks::looks_like;

/// Entries of `items` that are read, at most.
pub(super) const MAX_RECORDS: usize = 250_000;

/// Places of the file that are told as damaged, and members that stand more than once, at most.
const MAX_REMARKS: usize = 1_000;

/// A file in its parts.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) members: Members,
    pub(super) records: Vec<SourceRecord>,
    pub(super) remarks: Vec<FileRemark>,
    /// Why there are no items, where no list of them was found.
    pub(super) refused: Option<ImportError>,
}

/// Walks over the text of a file.
pub(super) fn outline(text: &[u8]) -> Outline {
    let mut walk = Walk {
        text,
        places: Places::new(text),
        recovery: Recovery::new(text),
        outline: Outline::default(),
        items: Items::Missing,
        repeated: 0,
    };
    let start = skip_blanks(text, 0);
    if text.get(start) != Some(&b'{') {
        let at = walk.places.at(start);
        walk.outline.refused = Some(ImportError::NotJson { looks: looks_like(text), at });
        return walk.outline;
    }
    let fault = walk.file(start).err();
    let at = walk.places.at(match (walk.items, fault) {
        (Items::NoList(offset), _) => offset,
        (_, Some(Fault::Broken(offset) | Fault::Behind(offset) | Fault::TooMany(offset))) => offset,
        (_, Some(Fault::Ends(_)) | None) => text.len(),
    });
    match walk.items {
        Items::Read => {
            let remark = fault.map(|fault| match fault {
                Fault::Ends(_) => FileRemark::EndsEarly { at },
                Fault::Broken(_) => FileRemark::Broken { at },
                Fault::Behind(_) => FileRemark::TrailingText { at },
                Fault::TooMany(_) => FileRemark::TooMany { limit: MAX_RECORDS, at },
            });
            walk.outline.remarks.extend(remark);
        }
        Items::NoList(_) => walk.outline.refused = Some(ImportError::ItemsNoList { at }),
        Items::Missing => {
            walk.outline.refused = Some(match fault {
                None | Some(Fault::Behind(_)) => ImportError::NotAnExport,
                Some(Fault::Ends(_)) => ImportError::EndsEarly { at },
                Some(Fault::Broken(_) | Fault::TooMany(_)) => ImportError::Broken { at },
            });
        }
    }
    walk.outline
}

/// Whether a list of items was met.
#[derive(Debug, Clone, Copy)]
enum Items {
    Missing,
    /// `items` is something else, at this offset.
    NoList(usize),
    Read,
}

/// Why the walk cannot go on at an offset.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// What begins there does not end.
    Ends(usize),
    /// What stands there cannot stand there.
    Broken(usize),
    /// Something stands behind the end of the JSON.
    Behind(usize),
    /// One record more than are read.
    TooMany(usize),
}

/// Where the walk goes on, and in what.
#[derive(Debug, Clone, Copy)]
enum Step {
    Members(usize),
    Items(usize),
}

struct Walk<'t> {
    text: &'t [u8],
    places: Places<'t>,
    recovery: Recovery<'t>,
    outline: Outline,
    items: Items,
    /// Members that stood more than once in a record.
    repeated: usize,
}

impl Walk<'_> {
    /// The whole file: one object, or several that follow each other. Behind a fault it goes on where items begin or,
    /// once they have begun, at the next record.
    fn file(&mut self, start: usize) -> Result<(), Fault> {
        let mut step = Step::Members(start + 1);
        loop {
            let walked = match step {
                Step::Members(at) => self.members(at),
                Step::Items(at) => self.items(at).and_then(|at| self.members(at)),
            };
            let behind = walked.map(|end| skip_blanks(self.text, end));
            step = match behind {
                Ok(at) => match self.text.get(at) {
                    None => return Ok(()),
                    Some(b'{') => Step::Members(at + 1),
                    Some(_) => self.resume(Fault::Behind(at))?,
                },
                Err(fault) => self.resume(fault)?,
            };
        }
    }

    /// Where the walk goes on behind a fault; what is skipped is named.
    fn resume(&mut self, fault: Fault) -> Result<Step, Fault> {
        let (Fault::Ends(at) | Fault::Broken(at) | Fault::Behind(at)) = fault else { return Err(fault) };
        let step = self.next_step(at).ok_or(fault)?;
        let at = self.places.at(at);
        self.remark_skipped(at);
        Ok(step)
    }

    fn next_step(&mut self, from: usize) -> Option<Step> {
        match self.items {
            // The quote before may be the one of the key.
            Items::Missing | Items::NoList(_) => find_items(self.text, from.saturating_sub(1)),
            Items::Read => self.recovery.next_record(from, self.text.len()),
        }
        .map(Step::Items)
    }

    /// Members from `at` on to the brace that closes them; the offset behind it.
    fn members(&mut self, mut at: usize) -> Result<usize, Fault> {
        loop {
            at = skip_separators(self.text, at);
            match self.text.get(at) {
                None => return Err(Fault::Ends(at)),
                Some(b'}') => return Ok(at + 1),
                Some(b'"') => at = self.member(at)?,
                Some(_) => return Err(Fault::Broken(at)),
            }
        }
    }

    /// One member; the offset behind it.
    fn member(&mut self, at: usize) -> Result<usize, Fault> {
        let key = extent(self.text, at).ok_or(Fault::Ends(at))?.end;
        let colon = skip_blanks(self.text, key);
        match self.text.get(colon) {
            None => return Err(Fault::Ends(colon)),
            Some(b':') => {}
            Some(_) => return Err(Fault::Broken(colon)),
        }
        let name = parse(&self.text[at..key]).ok().and_then(|parsed| parsed.json.as_str().map(str::to_owned));
        let name = name.unwrap_or_default();
        let value = skip_blanks(self.text, colon + 1);
        match self.text.get(value) {
            None => Err(Fault::Ends(value)),
            Some(b'[') if name == "items" => self.items(value + 1),
            Some(_) => self.other_member(name, value),
        }
    }

    /// The value of a member that is no list of items; the offset behind it.
    fn other_member(&mut self, name: String, value: usize) -> Result<usize, Fault> {
        let found = extent(self.text, value);
        let parsed = found.and_then(|Extent { end, .. }| parse(&self.text[value..end]).ok());
        let is_read = parsed.is_some();
        if name == "items" && !matches!(self.items, Items::Read) {
            let is_empty = parsed.is_some_and(|parsed| parsed.json.is_null());
            self.items = if is_empty { Items::Read } else { Items::NoList(value) };
        } else {
            self.keep_member(name, parsed);
        }
        match found {
            // Where quotes are missing, the value may seem to reach over the items.
            Some(found) if !is_read && find_items(&self.text[..found.end], value).is_some() => {
                Err(Fault::Broken(value))
            }
            Some(found) => Ok(found.end),
            None if matches!(self.text.get(value), Some(b',' | b'}' | b']')) => Err(Fault::Broken(value)),
            None => Err(Fault::Ends(value)),
        }
    }

    fn keep_member(&mut self, name: String, parsed: Option<Parsed>) {
        match parsed {
            Some(parsed) => self.outline.members.add(name, &parsed.json),
            None => self.outline.members.leave_out(name),
        }
    }

    /// Entries from `at` on to the bracket that closes them; the offset behind it.
    fn items(&mut self, mut at: usize) -> Result<usize, Fault> {
        self.items = Items::Read;
        loop {
            at = skip_separators(self.text, at);
            match self.text.get(at) {
                None => return Err(Fault::Ends(at)),
                Some(b']') => return Ok(at + 1),
                Some(_) => at = self.entry(at)?,
            }
        }
    }

    /// One entry, which is read or named; the offset behind it.
    fn entry(&mut self, at: usize) -> Result<usize, Fault> {
        if self.outline.records.len() >= MAX_RECORDS {
            return Err(Fault::TooMany(at));
        }
        let found = extent(self.text, at);
        let followed = found.filter(|found| self.is_followed(found.end));
        let mut why = Unparsed::Broken;
        if let Some(Extent { end, .. }) = found {
            match parse(&self.text[at..end]) {
                Ok(parsed) if followed.is_some() || is_record(&parsed.json) => {
                    self.keep(at..end, parsed);
                    return Ok(end);
                }
                Ok(_) => {}
                Err(Unparsed::TooDeep) if followed.is_some() => {
                    self.leave_out(at, end, Unparsed::TooDeep);
                    return Ok(end);
                }
                Err(unparsed) => why = unparsed,
            }
        }
        // A missing quote or bracket makes an entry seem to reach over others.
        let reach = followed.map_or(self.text.len(), |found| found.end);
        if let Some(next) = self.recovery.next_record(at + 1, reach) {
            self.leave_out(at, next, why);
            return Ok(next);
        }
        match (followed, found) {
            (Some(followed), _) => {
                self.leave_out(at, followed.end, why);
                Ok(followed.end)
            }
            (None, Some(_)) => Err(Fault::Broken(at)),
            (None, None) if matches!(self.text.get(at), Some(b'{' | b'[' | b'"')) => {
                self.leave_out(at, self.text.len(), Unparsed::Broken);
                Err(Fault::Ends(self.text.len()))
            }
            (None, None) => Err(Fault::Broken(at)),
        }
    }

    /// Whether an entry may end there: at a comma, the end of the list or of the file, or where only a comma is
    /// missing.
    fn is_followed(&self, end: usize) -> bool {
        matches!(self.text.get(skip_blanks(self.text, end)), None | Some(b',' | b']' | b'{'))
    }

    fn keep(&mut self, entry: Range<usize>, parsed: Parsed) {
        let index = self.outline.records.len();
        let Parsed { json, mended, repeated } = parsed;
        let Mended { bytes, surrogates, escapes, numbers } = mended;
        let mends = [
            (bytes, Problem::NotUtf8),
            (surrogates, Problem::HalfCharacters),
            (escapes, Problem::UnknownEscape),
            (numbers, Problem::NumberAsText),
        ];
        let mut problems: Vec<Problem> =
            mends.into_iter().filter(|(is_so, _)| *is_so).map(|(_, problem)| problem).collect();
        let room = MAX_REMARKS.saturating_sub(self.repeated);
        self.repeated += repeated.len();
        problems.extend(repeated.into_iter().take(room).map(|member| Problem::RepeatedMember { member }));
        self.outline.records.push(SourceRecord {
            index,
            entry: Ok(entry),
            id: text(&json, "id"),
            title: None,
            problems,
        });
    }

    /// Says that something was skipped there, unless that was said of so many places already.
    fn remark_skipped(&mut self, at: Place) {
        if self.outline.remarks.len() < MAX_REMARKS {
            self.outline.remarks.push(FileRemark::Skipped { at });
        }
    }

    /// Names what stands from `at` to `end` as left out: an entry, or a stretch that is none.
    fn leave_out(&mut self, at: usize, end: usize, why: Unparsed) {
        let (part, place) = (&self.text[at..end], self.places.at(at));
        if part.iter().all(|byte| matches!(byte, b'}' | b']' | b':' | b',') || byte.is_ascii_whitespace()) {
            self.remark_skipped(place);
            return;
        }
        let looks_like_a_record = part.first() == Some(&b'{');
        let follows_a_broken_one = matches!(
            self.outline.records.last(),
            Some(SourceRecord { entry: Err(Problem::Unreadable { .. }), .. })
        );
        if !looks_like_a_record && follows_a_broken_one {
            return;
        }
        let problem = match why {
            _ if end == self.text.len() => Problem::Incomplete { at: place },
            Unparsed::Broken => Problem::Unreadable { at: place },
            Unparsed::TooDeep => Problem::NestedTooDeeply { at: place },
            Unparsed::TooLong => Problem::TooLong { at: place },
        };
        let index = self.outline.records.len();
        let title = title_in(part);
        self.outline.records.push(SourceRecord {
            index,
            entry: Err(problem),
            id: None,
            title,
            problems: Vec::new(),
        });
    }
}

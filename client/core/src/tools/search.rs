//! Search over open documents.

use crate::item::views::{Login, field};
use crate::item::{Document, Value};

/// What somebody typed into a search box: words that an item must all hold, in any order and case. `tag:`, `kind:` and
/// `is:favourite` narrow it down; everything else is looked for in titles, user names, addresses, tags and notes,
/// never in passwords and hidden fields.
#[derive(Debug, Clone, Default)]
pub struct Query {
    words: Vec<Word>,
}

#[derive(Debug, Clone)]
enum Word {
    Tag(String),
    Kind(String),
    Favourite,
    Anywhere(String),
}

/// How well an item fits; the order of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    TitleStart,
    Title,
    Elsewhere,
}

impl Query {
    /// Reads what was typed. Nothing typed finds everything.
    pub fn parse(text: &str) -> Self {
        let word = |word: &str| {
            let word = word.to_lowercase();
            match word.split_once(':') {
                Some(("tag", tag)) if !tag.is_empty() => Word::Tag(tag.to_owned()),
                Some(("kind", kind)) if !kind.is_empty() => Word::Kind(kind.to_owned()),
                Some(("is", "favourite" | "favorite")) => Word::Favourite,
                _ => Word::Anywhere(word),
            }
        };
        Self { words: text.split_whitespace().map(word).collect() }
    }

    /// Whether a document holds every word.
    pub fn matches(&self, document: &Document) -> bool {
        self.fit(document).is_some()
    }

    fn fit(&self, document: &Document) -> Option<Fit> {
        let title = document.name().to_lowercase();
        let mut fit = Fit::TitleStart;
        for word in &self.words {
            let found = match word {
                Word::Tag(tag) => {
                    document.tags().any(|name| in_tag(&name.to_lowercase(), tag)).then_some(fit)
                }
                Word::Kind(kind) => (document.kind() == kind).then_some(fit),
                Word::Favourite => document.is_favourite().then_some(fit),
                Word::Anywhere(word) if title.starts_with(word) => Some(Fit::TitleStart),
                Word::Anywhere(word) if title.contains(word) => Some(Fit::Title),
                Word::Anywhere(word) => holds(document, word).then_some(Fit::Elsewhere),
            };
            fit = fit.max(found?);
        }
        Some(fit)
    }
}

/// The documents that match, best first: titles that start with a word, then titles that hold it, then the others,
/// each in alphabetical order.
pub fn search<'d, K: Copy + Ord>(
    query: &Query,
    documents: impl IntoIterator<Item = (K, &'d Document)>,
) -> Vec<(K, &'d Document)> {
    let fitting =
        documents.into_iter().filter_map(|(key, document)| Some((query.fit(document)?, key, document)));
    let mut found: Vec<_> =
        fitting.map(|(fit, key, it)| ((fit, it.name().to_lowercase(), key), it)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|((_, _, key), document)| (key, document)).collect()
}

/// A tag holds its own items and those of the tags nested in it.
fn in_tag(name: &str, tag: &str) -> bool {
    name.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn holds(document: &Document, word: &str) -> bool {
    const TEXTS: [&str; 8] =
        [field::NOTES, field::USERNAME, "email", "cardholder", "company", "first-name", "last-name", "ssid"];
    let contains = |text: &str| text.to_lowercase().contains(word);
    TEXTS.iter().filter_map(|key| document.text(key)).any(contains)
        || Login::of(document).uris().iter().any(|(_, uri)| uri.uri.as_deref().is_some_and(contains))
        || document.tags().any(contains)
        || document.list(field::CUSTOM).any(|(_, custom)| {
            let name = custom.member("name").and_then(Value::as_text);
            name.is_some_and(contains)
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lockstep_proto::ids::DeviceId;

    use super::*;
    use crate::item::{Draft, Stamp};

    fn item(name: &str, fields: &[(&str, &str)]) -> Document {
        let mut draft = Draft::new("login", Stamp::clamped(1, 0, DeviceId::ZERO)).set("name", name);
        fields.iter().for_each(|(key, value)| draft.put(*key, *value));
        draft.build().unwrap()
    }

    fn names(query: &str, documents: &[Document]) -> Vec<String> {
        let found = search(&Query::parse(query), documents.iter().enumerate());
        found.into_iter().map(|(_, document)| document.name().to_owned()).collect()
    }

    #[test]
    fn titles_come_before_other_places_and_every_word_must_be_there() {
        let items = [
            item("Work wiki", &[("username", "mailman")]),
            item("Old mail", &[]),
            item("Mail", &[("username", "Änn")]),
            item("Bank", &[]),
        ];
        assert_eq!(names("MAIL", &items), ["Mail", "Old mail", "Work wiki"]);
        assert_eq!(names("mail änn", &items), ["Mail"]);
        assert_eq!(names("", &items).len(), 4);
    }

    #[test]
    fn passwords_are_never_searched() {
        let items = [item("a", &[("password", "needle"), ("totp", "needle")])];
        assert!(names("needle", &items).is_empty());
    }

    #[test]
    fn tags_and_kinds_narrow_down() {
        let items = [item("a", &[("tags/Home/Router", "x")]), item("b", &[("tags/Homework", "x")])];
        assert_eq!(names("tag:home", &items), ["a"]);
        assert_eq!(names("kind:login", &items).len(), 2);
        assert!(names("kind:note", &items).is_empty() && names("is:favourite", &items).is_empty());
    }
}

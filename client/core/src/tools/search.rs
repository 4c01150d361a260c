//! Search over open documents.

use std::cell::OnceCell;

use super::fold::{NaturalOrder, fold};
use crate::item::views::{Login, field};
use crate::item::{Document, Value};

/// What somebody typed into a search box: words that an item must all hold, in any order, [folded](fold). `tag:`, `kind:`
/// and `is:favourite` narrow it down; everything else is looked for in titles, user names, addresses, tags, notes and custom
/// fields, never in passwords and hidden fields.
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
    /// A word of which folding leaves nothing, such as an accent alone: as typed, in the title.
    Exact(String),
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
        let word = |typed: &str| {
            let word = fold(typed);
            match word.split_once(':') {
                Some(("tag", tag)) if !tag.is_empty() => Word::Tag(tag.to_owned()),
                Some(("kind", kind)) if !kind.is_empty() => Word::Kind(kind.to_owned()),
                Some(("is", "favourite" | "favorite")) => Word::Favourite,
                _ if word.is_empty() => Word::Exact(typed.to_owned()),
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
        let title = fold(document.name());
        // Folded once, and only where a word is not in the title.
        let (tags, texts) = (OnceCell::new(), OnceCell::new());
        let tags = || tags.get_or_init(|| document.tags().map(fold).collect::<Vec<_>>());
        let texts = || texts.get_or_init(|| searched(document));
        let mut fit = Fit::TitleStart;
        for word in &self.words {
            let found = match word {
                Word::Tag(tag) => tags().iter().any(|name| in_tag(name, tag)).then_some(fit),
                Word::Kind(kind) => (document.kind() == kind).then_some(fit),
                Word::Favourite => document.is_favourite().then_some(fit),
                Word::Anywhere(word) if title.starts_with(word) => Some(Fit::TitleStart),
                Word::Anywhere(word) if title.contains(word) => Some(Fit::Title),
                Word::Anywhere(word) => {
                    tags().iter().chain(texts()).any(|text| text.contains(word)).then_some(Fit::Elsewhere)
                }
                Word::Exact(word) => document.name().contains(word).then_some(Fit::Title),
            };
            fit = fit.max(found?);
        }
        Some(fit)
    }
}

/// The documents that match, best first: titles that start with a word, then titles that hold it, then the others,
/// each in [natural order](NaturalOrder).
pub fn search<'d, K: Copy + Ord>(
    query: &Query,
    documents: impl IntoIterator<Item = (K, &'d Document)>,
) -> Vec<(K, &'d Document)> {
    let fitting =
        documents.into_iter().filter_map(|(key, document)| Some((query.fit(document)?, key, document)));
    let mut found: Vec<_> =
        fitting.map(|(fit, key, it)| ((fit, NaturalOrder::of(it.name()), key), it)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|((_, _, key), document)| (key, document)).collect()
}

/// Whether an item with the tag `name` is in `tag`, both folded: a tag holds its own items and those of the tags nested
/// in it.
pub fn in_tag(name: &str, tag: &str) -> bool {
    name.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is searched besides title and tags, folded.
fn searched(document: &Document) -> Vec<String> {
    const TEXTS: [&str; 8] =
        [field::NOTES, field::USERNAME, "email", "cardholder", "company", "first-name", "last-name", "ssid"];
    let fields = TEXTS.iter().filter_map(|key| document.text(key)).map(fold);
    let uris = Login::of(document).uris().into_iter().filter_map(|(_, uri)| Some(fold(&uri.uri?)));
    let custom = document.list(field::CUSTOM).flat_map(|(_, custom)| {
        let text = |member: &str| custom.member(member).and_then(Value::as_text);
        let value = text("value").filter(|_| text("type") != Some("hidden"));
        [text("name"), value].into_iter().flatten().map(fold)
    });
    fields.chain(uris).chain(custom).collect()
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
    fn a_search_without_accents_finds_what_has_them_and_the_other_way_round() {
        let items = [
            "Zürich Bank",
            "Zurich bus",
            "cipő bolt",
            "Łódź tram",
            "straße",
            "STRASSE",
            "Éclair",
            "ａｄｏｂｅ",
            "ﬁle server",
            "naïve",
            "Oil",
            "Öl",
        ]
        .map(|name| item(name, &[]));
        for (typed, found) in [
            ("zurich", &["Zürich Bank", "Zurich bus"][..]),
            ("ZÜRICH", &["Zürich Bank", "Zurich bus"]),
            ("cipo", &["cipő bolt"]),
            ("lodz", &["Łódź tram"]),
            ("strasse", &["STRASSE", "straße"]),
            ("éclair", &["Éclair"]),
            ("adobe", &["ａｄｏｂｅ"]),
            ("file", &["ﬁle server"]),
            ("naive", &["naïve"]),
            ("oil", &["Oil"]),
            ("\u{301}", &[]),
        ] {
            assert_eq!(names(typed, &items), found, "{typed}");
        }
        let elsewhere = [item("a", &[("username", "Jürgen"), ("notes", "Café"), ("tags/Büro/Küche", "x")])];
        for typed in ["jurgen", "CAFE", "tag:buro", "tag:BÜRO/kuche", "kuche"] {
            assert_eq!(names(typed, &elsewhere), ["a"], "{typed}");
        }
    }

    #[test]
    fn custom_fields_are_found_by_name_and_by_what_is_not_hidden() {
        let custom = |kind: &str, value: &str| {
            Value::map([("name", "PIN".into()), ("type", kind.into()), ("value", value.into())])
        };
        let draft = Draft::new("note", Stamp::clamped(1, 0, DeviceId::ZERO)).set("name", "wifi");
        let draft = draft.set("custom/0", custom("text", "4711")).set("custom/1", custom("hidden", "1234"));
        let items = [draft.build().unwrap()];
        assert_eq!((names("pin", &items), names("4711", &items)), (vec!["wifi".into()], vec!["wifi".into()]));
        assert!(names("1234", &items).is_empty());
    }

    #[test]
    fn tags_and_kinds_narrow_down() {
        let items = [item("a", &[("tags/Home/Router", "x")]), item("b", &[("tags/Homework", "x")])];
        assert_eq!(names("tag:home", &items), ["a"]);
        assert_eq!(names("kind:login", &items).len(), 2);
        assert!(names("kind:note", &items).is_empty() && names("is:favourite", &items).is_empty());
    }
}

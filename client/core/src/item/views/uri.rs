//! Addresses of a login.

use super::{ORDER, text_member};
use crate::item::value::Value;

const URI: &str = "uri";
const MATCH: &str = "match";

/// When an address counts as the one of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatchMode {
    /// The registrable domain is the same.
    Domain,
    /// Host name and port are the same.
    Host,
    /// The page's address starts with it.
    StartsWith,
    /// The page's address is the same.
    Exact,
    /// It is a regular expression that the page's address matches.
    Regex,
    /// Never.
    Never,
}

impl MatchMode {
    /// All modes.
    pub const ALL: [Self; 6] =
        [Self::Domain, Self::Host, Self::StartsWith, Self::Exact, Self::Regex, Self::Never];

    /// How it is written in a document. Frozen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Host => "host",
            Self::StartsWith => "starts-with",
            Self::Exact => "exact",
            Self::Regex => "regex",
            Self::Never => "never",
        }
    }

    /// The mode written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// An address of a login: an element of `uris`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Uri {
    /// The address; absent in some exports.
    pub uri: Option<String>,
    /// When it matches; the user's default where absent.
    pub match_mode: Option<MatchMode>,
    /// Its place in the list.
    pub order: Option<i64>,
}

impl Uri {
    /// Reads an element; members of another type read as absent.
    pub fn read(value: &Value) -> Self {
        Self {
            uri: text_member(value, URI),
            match_mode: value.member(MATCH).and_then(Value::as_text).and_then(MatchMode::parse),
            order: value.member(ORDER).and_then(Value::as_int),
        }
    }

    /// The element as a value.
    pub fn to_value(&self) -> Value {
        Value::map([
            (URI, self.uri.clone().into()),
            (MATCH, self.match_mode.map(MatchMode::as_str).into()),
            (ORDER, self.order.into()),
        ])
    }
}

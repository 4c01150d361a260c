//! The kinds of items that have a view.

use crate::item::document::Document;

/// A kind that this version knows. Documents of other kinds are kept, listed and synced all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// User name, password, addresses.
    Login,
    /// Text alone.
    Note,
    /// A payment card.
    Card,
    /// Names, addresses and numbers of a person.
    Identity,
    /// An SSH key pair.
    SshKey,
    /// A passkey that belongs to no login.
    Passkey,
    /// A wireless network.
    Wifi,
    /// Keys of a programming interface.
    ApiCredential,
    /// A file with its description.
    Document,
    /// Custom fields alone.
    Custom,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Login,
        Self::Note,
        Self::Card,
        Self::Identity,
        Self::SshKey,
        Self::Passkey,
        Self::Wifi,
        Self::ApiCredential,
        Self::Document,
        Self::Custom,
    ];

    /// How the kind is written in a document. Frozen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Note => "note",
            Self::Card => "card",
            Self::Identity => "identity",
            Self::SshKey => "ssh-key",
            Self::Passkey => "passkey",
            Self::Wifi => "wifi",
            Self::ApiCredential => "api-credential",
            Self::Document => "document",
            Self::Custom => "custom",
        }
    }

    /// The kind written so; `None` for one that this version does not know.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind of a document; `None` for one that this version does not know.
    pub fn of(document: &Document) -> Option<Self> {
        Self::parse(document.kind())
    }
}

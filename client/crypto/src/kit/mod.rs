//! What a person keeps on paper: the Emergency Kit and, on a sheet of its own, the Recovery Key.
//!
//! Both have a text form that reads well and parses back, and one printable page (SVG, A4) whose QR code holds the
//! same fields. A `Check` line makes a typo in any other field as visible as the keys' own check symbols do.
//!
//! **Invariants:** the Recovery Key never stands in the Emergency Kit, nor the Secret Key on the recovery sheet; what
//! parses was complete and checked.

use lockstep_proto::canon::{Canon, CanonError, Encoder};
use lockstep_proto::ids::{AccountId, IdError, ServerId};

use crate::printed::PrintedKeyError;

mod emergency;
mod page;
mod recovery;
mod sheet;

pub use emergency::EmergencyKit;
pub use recovery::RecoverySheet;

/// Why a sheet cannot be read or printed. Nothing in it reveals a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// A line is missing.
    #[error("the line \"{0}:\" is missing")]
    Missing(&'static str),
    /// A line stands there twice.
    #[error("the line \"{0}:\" stands there more than once")]
    Repeated(&'static str),
    /// It is the other sheet.
    #[error("this is the other sheet: the {0} is needed here")]
    OtherSheet(&'static str),
    /// The key has a typo.
    #[error("the key cannot be read: {0}")]
    Key(#[from] PrintedKeyError),
    /// An id has a typo.
    #[error("the line \"{field}:\" cannot be read")]
    Id {
        /// The line.
        field: &'static str,
        /// What an id of this kind is.
        #[source]
        source: IdError,
    },
    /// The server's address is not a web address, or too long for the sheet.
    #[error(
        "the server's address must start with https:// or http://, without spaces, and have at most 512 characters"
    )]
    ServerUrl,
    /// The key-stretching profile is not a number.
    #[error("the line \"KSF profile:\" cannot be read")]
    Profile,
    /// The profile is newer than this program.
    #[error("the sheet cannot be used with this version of Lockstep: {0}")]
    UpdateNeeded(#[source] CanonError),
    /// The fields do not belong together: one of them has a typo.
    #[error("there is a typo in the lines above \"Check:\"; compare them with the sheet")]
    Check,
    /// The sheet's QR code cannot hold the fields.
    #[error("the sheet does not fit into a QR code")]
    Qr,
}

/// The address of a server as it stands on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Upper bound of the length in bytes.
    pub const LIMIT: usize = 512;

    /// The address, if it can stand on one line and starts with `https://` or `http://`. Surrounding spaces go.
    ///
    /// # Errors
    /// [`KitError::ServerUrl`].
    pub fn new(text: &str) -> Result<Self, KitError> {
        let text = text.trim();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let rest = scheme.map_or("", |scheme| &text[scheme.len()..]);
        let odd = text.chars().any(|character| character.is_whitespace() || character.is_control());
        if rest.is_empty() || odd || text.len() > Self::LIMIT {
            return Err(KitError::ServerUrl);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Account and server: what both sheets name.
fn encode_place(out: &mut Encoder, account_id: &AccountId, server_url: &ServerUrl, server_id: &ServerId) {
    account_id.encode(out);
    out.bytes(server_url.as_str().as_bytes());
    server_id.encode(out);
}

#[cfg(test)]
mod tests;

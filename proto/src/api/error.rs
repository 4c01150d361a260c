//! What a failure says: RFC 9457 problem documents with stable machine codes.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::vaults::{Overtaken, Room};
use crate::ids::ItemId;
use crate::log::LogHead;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// Which failure it is. The text form is stable; a code this program does not know reads as
        /// [`ErrorCode::Unknown`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable machine code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// A short title, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

error_codes! {
    /// The body cannot be read as what the endpoint takes.
    BadRequest = "bad-request", 400, "The request cannot be read";
    /// A signed link, commit or a blob cannot be decoded.
    BadFormat = "bad-format", 400, "A signed structure cannot be read";
    /// A suite, kind or version this server does not know (R-SUITE).
    UpdateNeeded = "update-needed", 400, "The server does not know this format yet";
    /// No session, or one that ended.
    Unauthenticated = "unauthenticated", 401, "A session is needed";
    /// The password, the Secret Key or the account id is wrong; which one is not known to the server.
    SigninFailed = "signin-failed", 401, "The sign-in did not succeed";
    /// The signature over the challenge is wrong, or the device is not one of the account's.
    ChallengeFailed = "challenge-failed", 401, "The device was not recognised";
    /// The device was revoked.
    DeviceRevoked = "device-revoked", 401, "This device was removed from the account";
    /// This device is being removed from the account, and writes nothing further.
    DeviceBarred = "device-barred", 403, "This device is being removed from the account";
    /// The Recovery Key or the account id is wrong.
    RecoveryFailed = "recovery-failed", 401, "The recovery did not succeed";
    /// The session may not do this.
    Forbidden = "forbidden", 403, "This session may not do that";
    /// Sign-up is closed.
    SignupClosed = "signup-closed", 403, "Sign-up is closed on this server";
    /// An invitation is needed, or it is not valid.
    InviteNeeded = "invite-needed", 403, "An invitation is needed";
    /// Nothing here, or nothing this session may see.
    NotFound = "not-found", 404, "Not found";
    /// The vault does not exist, or this account is not a member.
    NoVault = "no-vault", 404, "No such vault";
    /// There is no such pairing, or it has ended.
    NoPairing = "no-pairing", 404, "No such pairing";
    /// The method is not one of this path.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed here";
    /// The account exists with other bytes.
    AccountExists = "account-exists", 409, "The account exists already";
    /// The log has moved on; `head` says where it is.
    HeadMoved = "head-moved", 409, "The log has moved on";
    /// The commit's epoch or control hash is not the current one.
    EpochChanged = "epoch-changed", 409, "The vault's epoch has changed";
    /// A device that the link revokes is not barred in every vault, or wrote beyond the cut-off that the link names.
    NotBarred = "not-barred", 409, "The devices are not barred yet";
    /// A vault's chain lacks the head, or the fork, that a reanchor accepts.
    HeadMissing = "head-missing", 409, "The vault does not have the accepted head";
    /// The Recovery Key was announced less than a week ago; `retry_after_seconds` says when it may be changed.
    RecoveryTooEarly = "recovery-too-early", 409, "The new Recovery Key has to wait";
    /// Blobs of the staged head are not staged yet.
    HealIncomplete = "heal-incomplete", 409, "Something is missing from the catch-up";
    /// Side commits that a heal commit needs are neither kept nor staged.
    SideMissing = "side-missing", 409, "A commit of the joined branch is missing";
    /// There is a pairing mailbox of this name, or the message is there with other bytes.
    PairingTaken = "pairing-taken", 409, "The pairing has gone on already";
    /// A change replaces another version than the stored one; `item_id` says which.
    ItemChanged = "item-changed", 409, "An item was changed meanwhile";
    /// The server is not known by the name in `Host`.
    ForeignHost = "foreign-host", 421, "The server is not known by this name";
    /// `Origin` names a page in a browser.
    ForeignOrigin = "foreign-origin", 403, "A page may not talk to this server";
    /// Not CBOR.
    UnsupportedMediaType = "unsupported-media-type", 415, "The content type is not supported";
    /// The body, a blob, a list is above its limit.
    TooLarge = "too-large", 413, "The request is above a limit";
    /// The link breaks a rule of the account log.
    LinkRefused = "link-refused", 422, "The link was refused";
    /// The author may not write this commit (R-AUTHOR).
    AuthorRefused = "author-refused", 422, "The commit's author may not write it";
    /// The digest or the counts do not add up (R-DIGEST).
    DigestWrong = "digest-wrong", 422, "The commit's digest does not add up";
    /// A blob is not the one that its change names, or its header disagrees with the commit.
    BadBlob = "bad-blob", 422, "A blob does not match its change";
    /// The commit breaks another rule of the vault log.
    CommitRefused = "commit-refused", 422, "The commit was refused";
    /// A slot or record does not match, or one that a link names was not sent.
    BadSlot = "bad-slot", 422, "A slot does not match its link";
    /// The genesis names another server.
    OtherServer = "other-server", 422, "The account belongs to another server";
    /// Too many attempts; `retry_after_seconds` says when to try again.
    TooManyAttempts = "too-many-attempts", 429, "Too many attempts";
    /// The server cannot do it now; nothing was written.
    Unavailable = "unavailable", 503, "The server is not available now";
    /// The server failed; whether something was written is not known.
    Internal = "internal", 500, "The server failed";
    /// The account holds what it may hold; `room` says what it still takes.
    QuotaExceeded = "quota-exceeded", 507, "The account is full";
    /// The account has as many vaults as it may have.
    TooManyVaults = "too-many-vaults", 507, "The account has too many vaults";
    /// The server's storage is used up, or its disk is full; nothing was written.
    InsufficientStorage = "insufficient-storage", 507, "The server's storage is used up";
    /// A code that this program does not know.
    Unknown = "unknown", 500, "Unknown failure";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::ALL.iter().copied().find(|code| code.as_str() == text).unwrap_or(Self::Unknown))
    }
}

/// A problem document (RFC 9457) with the extension members that some codes bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:lockstep:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Which failure.
    pub code: ErrorCode,
    /// A sentence that a person can act on.
    pub detail: String,
    /// Where the log is (`head-moved`, `epoch-changed`, `item-changed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<LogHead>,
    /// What the account still takes (`quota-exceeded`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
    /// Which item (`item-changed`, `bad-blob`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<ItemId>,
    /// When to try again, in seconds (`too-many-attempts`, `recovery-too-early`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// What overtook a commit (`head-moved`), if it is small enough; otherwise it is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<Box<Overtaken>>,
}

impl Problem {
    /// A problem without extension members.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:lockstep:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            head: None,
            room: None,
            item_id: None,
            retry_after_seconds: None,
            overtaken: None,
        }
    }

    /// With the log's head.
    pub fn with_head(mut self, head: LogHead) -> Self {
        self.head = Some(head);
        self
    }

    /// With the account's room.
    pub fn with_room(mut self, room: Room) -> Self {
        self.room = Some(room);
        self
    }

    /// With the item concerned.
    pub fn with_item(mut self, item_id: ItemId) -> Self {
        self.item_id = Some(item_id);
        self
    }

    /// With what overtook the commit.
    pub fn with_overtaken(mut self, overtaken: Overtaken) -> Self {
        self.overtaken = Some(Box::new(overtaken));
        self
    }

    /// With the seconds to wait.
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_code_round_trips_and_has_a_failure_status() {
        for code in ErrorCode::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(serde_json::from_str::<ErrorCode>(&text).unwrap(), *code);
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn a_code_from_a_newer_server_reads_as_unknown() {
        let text = r#"{"type":"x","title":"t","status":418,"code":"brand-new","detail":"d","extra":1}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.code, ErrorCode::Unknown);
        assert_eq!(problem.detail, "d");
    }

    #[test]
    fn a_problem_round_trips_in_both_formats() {
        let problem = Problem::new(ErrorCode::HeadMoved, "pull first").with_head(LogHead::default());
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
        let mut cbor = Vec::new();
        ciborium::into_writer(&problem, &mut cbor).unwrap();
        assert_eq!(ciborium::from_reader::<Problem, _>(&cbor[..]).unwrap(), problem);
    }
}

//! Which member of Bitwarden's JSON is which field of a document.

use lockstep_client::item::views::Kind;

/// What Bitwarden calls this record; kept so that an export gives it back.
pub(super) const SOURCE_ID: &str = "source/bitwarden/id";
/// The folder at import: a map of `id` and, if the export had such a folder, `name`.
pub(super) const SOURCE_FOLDER: &str = "source/bitwarden/folder";
/// What the fields do not say: see [`rest`](super::rest).
pub(super) const REST: &str = "source/bitwarden/rest";
/// Kinds that Lockstep does not know are `bitwarden/<number>`.
pub(super) const UNKNOWN_KIND: &str = "bitwarden/";

/// Bitwarden's number, the member that holds the kind's own data, and its texts: (member, field).
pub(super) struct KindKeys {
    pub(super) kind: Kind,
    pub(super) number: i64,
    pub(super) member: &'static str,
    pub(super) texts: &'static [(&'static str, &'static str)],
}

pub(super) const KINDS: [KindKeys; 5] = [
    KindKeys {
        kind: Kind::Login,
        number: 1,
        member: "login",
        texts: &[("username", "username"), ("password", "password"), ("totp", "totp")],
    },
    KindKeys { kind: Kind::Note, number: 2, member: "secureNote", texts: &[] },
    KindKeys {
        kind: Kind::Card,
        number: 3,
        member: "card",
        texts: &[
            ("cardholderName", "cardholder"),
            ("brand", "brand"),
            ("number", "number"),
            ("expMonth", "expiry-month"),
            ("expYear", "expiry-year"),
            ("code", "code"),
        ],
    },
    KindKeys {
        kind: Kind::Identity,
        number: 4,
        member: "identity",
        texts: &[
            ("title", "title"),
            ("firstName", "first-name"),
            ("middleName", "middle-name"),
            ("lastName", "last-name"),
            ("address1", "address1"),
            ("address2", "address2"),
            ("address3", "address3"),
            ("city", "city"),
            ("state", "state"),
            ("postalCode", "postal-code"),
            ("country", "country"),
            ("company", "company"),
            ("email", "email"),
            ("phone", "phone"),
            ("ssn", "ssn"),
            ("username", "username"),
            ("passportNumber", "passport-number"),
            ("licenseNumber", "license-number"),
        ],
    },
    KindKeys {
        kind: Kind::SshKey,
        number: 5,
        member: "sshKey",
        texts: &[
            ("privateKey", "private-key"),
            ("publicKey", "public-key"),
            ("keyFingerprint", "fingerprint"),
        ],
    },
];

/// Parts of a passkey: (member, part).
pub(super) const PASSKEY: [(&str, &str); 13] = [
    ("credentialId", "credential-id"),
    ("keyType", "key-type"),
    ("keyAlgorithm", "algorithm"),
    ("keyCurve", "curve"),
    ("keyValue", "private-key"),
    ("rpId", "rp-id"),
    ("userHandle", "user-handle"),
    ("userName", "user-name"),
    ("counter", "counter"),
    ("rpName", "rp-name"),
    ("userDisplayName", "user-display-name"),
    ("discoverable", "discoverable"),
    ("creationDate", "created"),
];

/// Number of the kind for which Lockstep has no counterpart in Bitwarden: a note with custom fields.
pub(super) const NOTE: i64 = 2;

//! Field keys. Frozen: renaming one would hide what is stored under it.

use lockstep_proto::bytes::to_base64url;
use lockstep_proto::hash::hash;

/// The item's title: text.
pub const NAME: &str = "name";
/// Notes: text.
pub const NOTES: &str = "notes";
/// Whether the item is a favourite: bool.
pub const FAVOURITE: &str = "favourite";
/// Since when it is archived: integer, milliseconds since 1970.
pub const ARCHIVED: &str = "archived";
/// When it was created: integer, milliseconds since 1970.
pub const CREATED: &str = "created";
/// Whether the password is asked for before secrets are shown: bool.
pub const REPROMPT: &str = "reprompt";
/// List of tags, `tags/<name>` = true.
pub const TAGS: &str = "tags";
/// List of custom fields.
pub const CUSTOM: &str = "custom";
/// User name: text.
pub const USERNAME: &str = "username";
/// Password: text.
pub const PASSWORD: &str = "password";
/// TOTP secret or `otpauth://` address: text.
pub const TOTP: &str = "totp";
/// List of addresses of a login.
pub const URIS: &str = "uris";
/// List of passkeys.
pub const PASSKEYS: &str = "passkeys";

/// Fields that are hidden until asked for, whatever the kind; hidden custom fields and passkeys are, too.
pub const SECRETS: [&str; 8] =
    ["password", "totp", "number", "code", "private-key", "secret", "ssn", "passport-number"];

/// The key of a list element: `<list>/<id>`.
pub fn element(list: &str, id: &str) -> String {
    format!("{list}/{id}")
}

/// The id of a list element that comes from elsewhere: made of what identifies it there (an address, a name), so that
/// the same element meets itself again wherever it stands. `occurrence` tells equal ones apart, from 0.
pub fn derive_element_id(list: &str, identity: &[&str], occurrence: usize) -> String {
    let parts: Vec<[u8; 32]> =
        identity.iter().map(|part| hash("element-part", &[part.as_bytes()]).0).collect();
    let occurrence = u64::try_from(occurrence).unwrap_or(u64::MAX).to_be_bytes();
    let digest = hash("element-id", &[list.as_bytes(), &[0], &occurrence, parts.concat().as_slice()]);
    to_base64url(&digest.0[..8])
}

//! Field keys. Frozen: renaming one would hide what is stored under it.

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

/// The key of a list element: `<list>/<id>`.
pub fn element(list: &str, id: &str) -> String {
    format!("{list}/{id}")
}

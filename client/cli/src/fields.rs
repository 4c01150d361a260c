//! Fields as they are named on the command line, and which of them are secrets.

use std::str::FromStr;

use lockstep_client::item::views::{ApiCredential, Card, FileDocument, Identity, SshKey, Wifi, field};
use lockstep_client::item::{Document, Value, is_inner};

use crate::custom;
use crate::failure::Failure;
use crate::output::{clean_line, shell_word};
use crate::secrets::Lines;

/// Fields that are shown and taken only when asked for.
const SECRET: &[&str] = &field::SECRETS;

/// Fields whose values have many lines: keys, files of settings, text.
const MANY_LINES: &[&str] = &[field::NOTES, "private-key", "secret", "description"];

/// Lists that have a name of their own.
pub const LISTS: &[&str] = &[field::URIS, field::TAGS, field::CUSTOM, field::PASSKEYS];

/// Whether a field's value is hidden until asked for.
pub fn is_secret(key: &str, value: &Value) -> bool {
    SECRET.contains(&key)
        || key.starts_with("passkeys/")
        || is_inner(key)
        || (key.starts_with("custom/") && custom::is_hidden(value))
}

/// Whether a field of this name must not be given on the command line.
pub fn is_secret_name(key: &str) -> bool {
    SECRET.contains(&key)
}

/// The fields that `--set` knows, whatever the kind.
pub fn known() -> Vec<&'static str> {
    let common = [field::NAME, field::NOTES, field::FAVOURITE, field::USERNAME, field::PASSWORD, field::TOTP];
    let kinds = [
        Card::FIELDS,
        Identity::FIELDS,
        SshKey::FIELDS,
        Wifi::FIELDS,
        ApiCredential::FIELDS,
        FileDocument::FIELDS,
    ];
    let mut all: Vec<_> = common.into_iter().chain(kinds.into_iter().flatten().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The key that a person's name for a field stands for: an item's title is its `name`, unless it is an identity, which
/// has a `title` (Ms, Dr) besides.
pub fn key_of<'a>(kind: &str, name: &'a str) -> &'a str {
    match name {
        "title" if kind != "identity" => field::NAME,
        "note" => field::NOTES,
        other => other,
    }
}

/// A field as a person names it on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// One that every item may have.
    Known(String),
    /// `custom:NAME`: a custom field, which there need not be yet.
    Custom(String),
    /// Whatever else: perhaps a custom field that the item has.
    Other(String),
}

impl Name {
    /// What this text names.
    pub fn of(text: &str) -> Self {
        match text.strip_prefix(custom::MARK) {
            Some(name) => Self::Custom(name.to_owned()),
            None if known().contains(&text) || matches!(text, "title" | "note") => {
                Self::Known(text.to_owned())
            }
            None => Self::Other(text.to_owned()),
        }
    }

    /// As it was typed, without the mark of custom fields.
    pub fn as_str(&self) -> &str {
        let (Self::Known(name) | Self::Custom(name) | Self::Other(name)) = self;
        name
    }
}

/// What is told about a name that means nothing.
pub fn unknown(name: &str) -> String {
    let adds = shell_word(&format!("custom:{name}=VALUE"));
    format!(
        "there is no field {}; known are {}; --set {adds} adds a custom field; nothing was changed",
        clean_line(name),
        known().join(", ")
    )
}

/// What a name means in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// The field of this key.
    Field(String),
    /// All elements of this list.
    List(&'static str),
}

/// What a person means by `name` in this document: a field by its key, all of a list, or a custom field by its name, in this
/// order. `None` where the item holds none of them.
///
/// # Errors
/// A [`Failure`] where several custom fields have this name.
pub fn meant(document: &Document, name: &str) -> Result<Option<Meant>, Failure> {
    if let Some(custom) = name.strip_prefix(custom::MARK) {
        return Ok(custom::key_named(document, custom)?.map(Meant::Field));
    }
    let key = key_of(document.kind(), name);
    if document.value(key).is_some() {
        return Ok(Some(Meant::Field(key.to_owned())));
    }
    if let Some(list) = LISTS.iter().find(|list| **list == name && document.list(list).next().is_some()) {
        return Ok(Some(Meant::List(list)));
    }
    Ok(custom::key_named(document, name)?.map(Meant::Field))
}

/// The keys that a person means by `name` in what the document holds or held: as [`meant`], where fields that are empty now
/// are found, too. None where there never was such a field.
///
/// # Errors
/// A [`Failure`] where several custom fields have or had this name.
pub fn ever_meant(document: &Document, name: &str) -> Result<Vec<String>, Failure> {
    let custom_name = name.strip_prefix(custom::MARK);
    let key = key_of(document.kind(), name);
    if custom_name.is_none() && document.register(key).is_some() {
        return Ok(vec![key.to_owned()]);
    }
    if LISTS.contains(&name) {
        let in_list = |key: &str| key.split_once('/').is_some_and(|(list, _)| list == name);
        let keys = document.registers().map(|(key, _)| key).filter(|key| in_list(key));
        return Ok(keys.map(str::to_owned).collect());
    }
    let custom_name = custom_name.unwrap_or(name);
    let now = custom::key_named(document, custom_name)?;
    Ok(match now {
        Some(key) => vec![key],
        None => custom::key_once_named(document, custom_name)?.into_iter().collect(),
    })
}

/// How many lines the value of a field may have, when it is asked for.
pub fn lines_of(key: &str) -> Lines {
    if MANY_LINES.contains(&key) { Lines::Many } else { Lines::One }
}

/// `field=value` as on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The field.
    pub field: Name,
    /// The value.
    pub value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write --set as field=value; nothing was changed")?;
        if is_secret_name(name) {
            return Err(format!(
                "{name} is a secret and would be seen in the list of processes: use --secret {name}, which asks for it, \
                 or --secret {name}=N, which reads file descriptor N"
            ));
        }
        Ok(Self { field: named(name)?, value: value.to_owned() })
    }
}

/// `FIELD` or `FIELD=N`: a secret to be asked for, or read from a file descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretField {
    /// The field.
    pub field: Name,
    /// The descriptor, if it is not to be asked for.
    pub descriptor: Option<u32>,
}

impl FromStr for SecretField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, descriptor) = match text.rsplit_once('=') {
            None => (text, None),
            Some((name, number)) => {
                let number = number.parse().map_err(|_| {
                    "after = stands the number of a file descriptor, never the secret itself".to_owned()
                })?;
                (name, Some(number))
            }
        };
        Ok(Self { field: named(name)?, descriptor })
    }
}

fn named(text: &str) -> Result<Name, String> {
    let name = Name::of(text);
    if name.as_str().trim().is_empty() {
        return Err("a field needs a name; nothing was changed".to_owned());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use lockstep_client::item::{Author, Draft};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    #[test]
    fn a_secret_cannot_be_given_on_the_command_line() {
        for secret in SECRET {
            let refused = format!("{secret}=hunter2").parse::<Assignment>().unwrap_err();
            assert!(refused.contains("--secret"), "{refused}");
            assert!(!refused.contains("hunter2"));
            assert!(known().contains(secret), "{secret}");
        }
        let refused = "password=hunter2".parse::<SecretField>().unwrap_err();
        assert!(!refused.contains("hunter2"));
    }

    #[test]
    fn assignments_are_read_at_their_first_equals_sign() {
        let read = |text: &str| text.parse::<Assignment>().map(|set| (set.field, set.value));
        assert_eq!(read("username=a=b"), Ok((Name::Known("username".into()), "a=b".into())));
        assert_eq!(read("title=x"), Ok((Name::Known("title".into()), "x".into())));
        assert_eq!(read("custom:PIN=4711"), Ok((Name::Custom("PIN".into()), "4711".into())));
        assert_eq!(read("PIN=4711"), Ok((Name::Other("PIN".into()), "4711".into())));
        for wrong in ["username", "=x", "custom:=x", " =x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(unknown("usrname").contains("username") && unknown("usrname").contains("custom:usrname="));
    }

    #[test]
    fn the_title_of_an_identity_is_a_form_of_address() {
        assert_eq!(key_of("login", "title"), "name");
        assert_eq!(key_of("identity", "title"), "title");
    }

    #[test]
    fn secrets_come_from_a_prompt_or_a_descriptor() {
        let read = |text: &str| text.parse::<SecretField>().map(|secret| (secret.field, secret.descriptor));
        assert_eq!(read("totp"), Ok((Name::Known("totp".into()), None)));
        assert_eq!(read("password=3"), Ok((Name::Known("password".into()), Some(3))));
        assert_eq!(read("custom:recovery=5"), Ok((Name::Custom("recovery".into()), Some(5))));
        assert_eq!(read("PIN"), Ok((Name::Other("PIN".into()), None)));
    }

    #[test]
    fn hidden_custom_fields_passkeys_and_what_nobody_can_name_are_secrets() {
        assert!(is_secret("source/bitwarden/rest", &"x".into()));
        let custom = |kind: &str| Value::map([("type", kind.into()), ("value", "x".into())]);
        assert!(is_secret("custom/1", &custom("hidden")));
        assert!(!is_secret("custom/1", &custom("text")));
        assert!(is_secret("passkeys/1", &Value::Null));
        assert!(!is_secret("username", &"x".into()));
    }

    #[test]
    fn a_name_means_a_key_a_list_or_a_custom_field_in_this_order() {
        let author = Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) };
        let custom = |name: &str| Value::map([("name", name.into())]);
        let draft = Draft::by("login", author)
            .unwrap()
            .set("name", "Bank")
            .set("username", "anna")
            .set("tags/x", true);
        let draft = draft
            .set("custom/0", custom("username"))
            .set("custom/1", custom("uris"))
            .set("custom/2", custom("PIN"));
        let document = draft.build().unwrap();
        let field = |key: &str| Some(Meant::Field(key.to_owned()));
        for (name, is) in [
            ("username", field("username")),
            ("custom:username", field("custom/0")),
            ("title", field("name")),
            ("tags", Some(Meant::List("tags"))),
            ("uris", field("custom/1")),
            ("custom", Some(Meant::List("custom"))),
            ("custom/1", field("custom/1")),
            ("PIN", field("custom/2")),
            ("password", None),
            ("custom:password", None),
            ("", None),
        ] {
            assert_eq!(meant(&document, name).unwrap(), is, "{name}");
        }

        let mut cleared = document;
        let author = Author { now_ms: 1_700_000_001_000, device: DeviceId([1; 16]) };
        let fields = ["username", "tags/x", "custom/2"];
        fields.iter().fold(cleared.edit(author), |edit, key| edit.set(*key, Value::Null)).apply().unwrap();
        for (name, keys) in [
            ("username", &["username"][..]),
            ("custom:username", &["custom/0"]),
            ("tags", &["tags/x"]),
            ("custom", &["custom/0", "custom/1", "custom/2"]),
            ("PIN", &["custom/2"]),
            ("custom:pin", &["custom/2"]),
            ("password", &[]),
            ("", &[]),
        ] {
            assert_eq!(ever_meant(&cleared, name).unwrap(), keys, "{name}");
        }
    }
}

//! Fields as they are named on the command line, and which of them are secrets.

use std::str::FromStr;

use lockstep_client::item::views::{ApiCredential, Card, FileDocument, Identity, SshKey, Wifi, field};
use lockstep_client::item::{Value, is_inner};

/// Fields that are shown and taken only when asked for.
const SECRET: &[&str] = &field::SECRETS;

/// Whether a field's value is hidden until asked for.
pub fn is_secret(key: &str, value: &Value) -> bool {
    let hidden_custom = || value.member("type").and_then(Value::as_text) == Some("hidden");
    SECRET.contains(&key)
        || key.starts_with("passkeys/")
        || is_inner(key)
        || (key.starts_with("custom/") && hidden_custom())
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

/// `field=value` as on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The field.
    pub field: String,
    /// The value; empty clears the field.
    pub value: String,
}

impl Assignment {
    /// What the field is to hold.
    pub fn to_value(&self) -> Value {
        match (self.field.as_str(), self.value.as_str()) {
            (_, "") => Value::Null,
            (field::FAVOURITE, text) => Value::Bool(matches!(text, "true" | "yes" | "1")),
            (_, text) => text.into(),
        }
    }
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
        if !known().contains(&name) && !matches!(name, "title" | "note") {
            return Err(format!("there is no field {name}; known are {}", known().join(", ")));
        }
        Ok(Self { field: name.to_owned(), value: value.to_owned() })
    }
}

/// `FIELD` or `FIELD=N`: a secret to be asked for, or read from a file descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretField {
    /// The field.
    pub field: String,
    /// The descriptor, if it is not to be asked for.
    pub descriptor: Option<u32>,
}

impl FromStr for SecretField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, descriptor) = match text.split_once('=') {
            None => (text, None),
            Some((name, number)) => {
                let number = number.parse().map_err(|_| {
                    "after = stands the number of a file descriptor, never the secret itself".to_owned()
                })?;
                (name, Some(number))
            }
        };
        if !known().contains(&name) {
            return Err(format!("there is no field {name}; secrets are {}", SECRET.join(", ")));
        }
        Ok(Self { field: name.to_owned(), descriptor })
    }
}

#[cfg(test)]
mod tests {
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
    fn assignments_are_read_with_their_types() {
        let read = |text: &str| text.parse::<Assignment>().unwrap().to_value();
        assert_eq!(read("username=a=b"), Value::from("a=b"));
        assert_eq!(read("favourite=true"), Value::Bool(true));
        assert_eq!(read("notes="), Value::Null);
        assert!("usrname=x".parse::<Assignment>().unwrap_err().contains("username"));
        assert!("username".parse::<Assignment>().is_err());
    }

    #[test]
    fn the_title_of_an_identity_is_a_form_of_address() {
        assert_eq!(key_of("login", "title"), "name");
        assert_eq!(key_of("identity", "title"), "title");
    }

    #[test]
    fn secrets_come_from_a_prompt_or_a_descriptor() {
        let asked = SecretField { field: "totp".into(), descriptor: None };
        assert_eq!("totp".parse::<SecretField>().unwrap(), asked);
        assert_eq!("password=3".parse::<SecretField>().unwrap().descriptor, Some(3));
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
}

//! What `add` and `edit` are told to write.

use clap::Args;
use lockstep_client::client::Client;
use lockstep_client::item::views::{Login, Uri, field};
use lockstep_client::item::{Document, Value};
use lockstep_client::ports::Ports;
use lockstep_client::tools::{PasswordRecipe, make_password};

use crate::failure::Failure;
use crate::fields::{Assignment, SecretField, key_of};
use crate::secrets::{self, Source};

/// Fields of an item, as options.
#[derive(Debug, Args)]
pub struct ChangeArguments {
    /// The title.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// The user name.
    #[arg(long, value_name = "TEXT")]
    username: Option<String>,
    /// An address; may be given several times.
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// The notes.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Another field; an empty value clears it. Secrets are refused here.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    assignments: Vec<String>,
    /// A secret field, such as password or totp: asked for without echo, or read from file descriptor N.
    #[arg(long = "secret", value_name = "FIELD[=N]")]
    secrets: Vec<String>,
    /// Make a new password.
    #[arg(long)]
    generate: bool,
    /// How long the new password is.
    #[arg(long, value_name = "CHARACTERS", default_value_t = PasswordRecipe::default().length, requires = "generate")]
    length: usize,
}

/// Fields and what they are to hold.
pub(crate) type Changes = Vec<(String, Value)>;

impl ChangeArguments {
    /// What `--set` and `--secret` name. Read here, not by the parser of the command line: that one repeats what it
    /// refuses, and somebody may have typed a secret.
    pub(crate) fn check(&self) -> Result<(Vec<Assignment>, Vec<SecretField>), Failure> {
        let assignments = self.assignments.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        let secrets = self.secrets.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        Ok((
            assignments.map_err(|message: String| Failure::usage(message))?,
            secrets.map_err(|message: String| Failure::usage(message))?,
        ))
    }

    /// The changes for an item of this kind; secrets are asked for now. `before` is the item so far.
    pub(crate) fn collect(
        self,
        kind: &str,
        before: &Document,
        client: &Client,
        ports: &Ports,
    ) -> Result<Changes, Failure> {
        let (assignments, secrets) = self.check()?;
        let mut changes = Changes::new();
        let mut text = |key: &str, value: Option<String>| {
            changes.extend(value.map(|value| (key.to_owned(), none_if_empty(value))));
        };
        text(field::NAME, self.title);
        text(field::USERNAME, self.username);
        text(field::NOTES, self.note);
        changes
            .extend(self.tags.into_iter().map(|tag| (field::element(field::TAGS, &tag), Value::Bool(true))));
        changes.extend(assignments.iter().map(|set| (key_of(kind, &set.field).to_owned(), set.to_value())));
        changes.extend(new_urls(self.urls, before, client));
        if self.generate {
            let recipe = PasswordRecipe { length: self.length, ..PasswordRecipe::default() };
            let password = make_password(&recipe, &*ports.random).map_err(Failure::usage)?;
            changes.push((field::PASSWORD.to_owned(), password.as_str().into()));
        }
        for secret in secrets {
            let held = secrets::read(Source::of(secret.descriptor), &format!("Value of {}", secret.field))?;
            changes.push((secret.field, none_if_empty(held.as_str().to_owned())));
        }
        Ok(changes)
    }
}

/// Addresses get ids of their own, so that those added on two devices both stay.
fn new_urls(urls: Vec<String>, before: &Document, client: &Client) -> Changes {
    let last = Login::of(before).uris().iter().filter_map(|(_, uri)| uri.order).max().unwrap_or(0);
    let places = urls.into_iter().zip(last.saturating_add(1)..);
    places
        .map(|(url, order)| {
            let uri = Uri { uri: Some(url), match_mode: None, order: Some(order) };
            (field::element(field::URIS, &client.make_item_id().to_string()), uri.to_value())
        })
        .collect()
}

fn none_if_empty(text: String) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

//! What `add` and `edit` are told to write.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use lockstep_client::client::Client;
use lockstep_client::item::views::{Login, Uri, field};
use lockstep_client::item::{Document, Value};
use lockstep_client::tools::{PasswordRecipe, fold, make_password};

use crate::checks::{address, checked};
use crate::context::Context;
use crate::custom::{self, Shown};
use crate::failure::Failure;
use crate::fields::{Assignment, Name, SecretField, key_of, lines_of, unknown};
use crate::output::clean_line;
use crate::secrets::{self, Lines, Source};
use crate::session::{Session, read_password};

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
    /// Another field, or custom:NAME for one of your own. Secrets are refused here.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    assignments: Vec<String>,
    /// A secret field, such as password, totp or custom:NAME: asked for without echo, or all that file descriptor N holds.
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

/// What `--set` and `--secret` name.
#[derive(Debug)]
pub(crate) struct Named {
    assignments: Vec<Assignment>,
    secrets: Vec<SecretField>,
}

impl Named {
    /// The same, for an item that is not there yet: no name can mean a custom field that it has.
    pub(crate) fn for_new(self) -> Result<Self, Failure> {
        let names = self.assignments.iter().map(|set| &set.field);
        let mut names = names.chain(self.secrets.iter().map(|secret| &secret.field));
        match names.find(|name| matches!(name, Name::Other(_))) {
            Some(name) => Err(Failure::usage(unknown(name.as_str()))),
            None => Ok(self),
        }
    }

    /// Opens the profile for these changes.
    pub(crate) async fn open(&self, context: &Context) -> Result<Session, Failure> {
        let shares = |secret: &SecretField| {
            secret.descriptor.is_some() && Source::of(secret.descriptor) == context.password
        };
        // The first line of a descriptor for both is the account's password in any case, and is checked. Were it read only
        // while the profile is locked, it would become part of the item's secret as soon as somebody ran `unlock`.
        match self.secrets.iter().any(shares) {
            true => Session::open_with(context, &read_password(context)?).await,
            false => Session::open(context).await,
        }
    }
}

/// The item that is changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'i> {
    /// Its kind.
    pub(crate) kind: &'i str,
    /// What it holds so far.
    pub(crate) before: &'i Document,
    /// What the same command takes away.
    pub(crate) removed: &'i Changes,
}

impl ChangeArguments {
    /// What `--set` and `--secret` name. Read here, not by the parser of the command line: that one repeats what it
    /// refuses, and somebody may have typed a secret.
    pub(crate) fn check(&self) -> Result<Named, Failure> {
        let assignments = self.assignments.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        let secrets = self.secrets.iter().map(|text| text.parse()).collect::<Result<Vec<SecretField>, _>>();
        let assignments = assignments.map_err(|message: String| Failure::usage(message))?;
        let secrets = secrets.map_err(|message: String| Failure::usage(message))?;
        let mut descriptors = BTreeSet::new();
        match secrets
            .iter()
            .filter_map(|secret| secret.descriptor)
            .find(|number| !descriptors.insert(*number))
        {
            Some(number) => Err(Failure::usage(format!(
                "two secrets are to be read from file descriptor {number}, and each is read to its end: give each a \
                 descriptor of its own; nothing was changed"
            ))),
            None => Ok(Named { assignments, secrets }),
        }
    }

    /// The changes for an item; secrets are asked for now, once everything else is known to be right.
    pub(crate) fn collect(self, named: Named, item: Item<'_>, session: &Session) -> Result<Changes, Failure> {
        let mut changes = Collected::new(item);
        for (key, text) in
            [(field::NAME, self.title), (field::USERNAME, self.username), (field::NOTES, self.note)]
        {
            if let Some(text) = text {
                changes.put(key.to_owned(), checked(key, &text).map_err(Failure::usage)?)?;
            }
        }
        changes.0.extend(new_tags(&self.tags, item)?);
        for set in &named.assignments {
            let target = Target::of(&set.field, item, &session.client)?;
            let value = target.value(&set.value, Shown::Open)?;
            changes.put(target.key, value)?;
        }
        changes.0.extend(new_urls(self.urls, item.before, &session.client)?);
        if self.generate {
            let recipe = PasswordRecipe { length: self.length, ..PasswordRecipe::default() };
            let password = make_password(&recipe, &*session.ports.random).map_err(Failure::usage)?;
            changes.put(field::PASSWORD.to_owned(), password.as_str().into())?;
        }
        let mut targets = Vec::new();
        for secret in &named.secrets {
            let target = Target::of(&secret.field, item, &session.client)?;
            // A field that is named twice is told before anything is asked.
            changes.claim(&target.key)?;
            targets.push(target);
        }
        for (secret, target) in named.secrets.iter().zip(targets) {
            let held = secrets::read_value(
                Source::of(secret.descriptor),
                secret.field.as_str(),
                target.lines(),
                &target.text(item.before),
            )?;
            let value = target.value(&held, Shown::Hidden)?;
            changes.0.push((target.key, value));
        }
        Ok(changes.0)
    }
}

/// Changes of fields, each of which is given once.
struct Collected(Changes, BTreeSet<String>);

impl Collected {
    fn new(item: Item<'_>) -> Self {
        Self(Changes::new(), item.removed.iter().map(|(key, _)| key.clone()).collect())
    }

    fn put(&mut self, key: String, value: Value) -> Result<(), Failure> {
        self.claim(&key)?;
        self.0.push((key, value));
        Ok(())
    }

    fn claim(&mut self, key: &str) -> Result<(), Failure> {
        if self.1.insert(key.to_owned()) {
            return Ok(());
        }
        Err(Failure::usage(format!("{} is given twice; nothing was changed: say it once", clean_line(key))))
    }
}

/// The field that a name means, to be written.
struct Target {
    key: String,
    /// A custom field, with or without a value so far.
    custom: Option<Value>,
}

impl Target {
    fn of(name: &Name, item: Item<'_>, client: &Client) -> Result<Self, Failure> {
        let held = |key: String| Self { custom: item.before.value(&key).cloned(), key };
        match name {
            Name::Known(name) => Ok(Self { key: key_of(item.kind, name).to_owned(), custom: None }),
            Name::Custom(name) => Ok(custom::key_named(item.before, name)?.map_or_else(
                || Self {
                    key: field::element(field::CUSTOM, &client.make_item_id().to_string()),
                    custom: Some(custom::new(item.before, name)),
                },
                held,
            )),
            Name::Other(key) if key.starts_with("custom/") && item.before.value(key).is_some() => {
                Ok(held(key.clone()))
            }
            Name::Other(name) => {
                let key = custom::key_named(item.before, name)?;
                key.map(held).ok_or_else(|| Failure::usage(unknown(name)))
            }
        }
    }

    fn value(&self, text: &str, shown: Shown) -> Result<Value, Failure> {
        match &self.custom {
            Some(before) => custom::with_text(before, text, shown),
            None => checked(&self.key, text).map_err(Failure::usage),
        }
    }

    /// What the field holds so far.
    fn text(&self, before: &Document) -> String {
        let known = || before.text(&self.key).unwrap_or_default().to_owned();
        self.custom.as_ref().map_or_else(known, custom::text)
    }

    fn lines(&self) -> Lines {
        match &self.custom {
            Some(before) if custom::text(before).contains('\n') => Lines::Many,
            _ => lines_of(&self.key),
        }
    }
}

/// Tags as the item spells them already: `home` beside `Home` would be the same to everybody who looks for it.
fn new_tags(tags: &[String], item: Item<'_>) -> Result<Changes, Failure> {
    let is_removed = |tag: &str| item.removed.iter().any(|(key, _)| *key == field::element(field::TAGS, tag));
    let held = item.before.tags().filter(|tag| !is_removed(tag));
    let mut spelt: BTreeMap<String, String> = held.map(|tag| (fold(tag), tag.to_owned())).collect();
    let mut changes = Changes::new();
    for tag in tags {
        if tag.trim().is_empty() {
            return Err(Failure::usage("a tag needs a name; nothing was changed"));
        }
        let exact = item.before.tags().any(|held| held == tag && !is_removed(held));
        let spelling = if exact { tag } else { spelt.entry(fold(tag)).or_insert_with(|| tag.clone()) };
        changes.push((field::element(field::TAGS, spelling), Value::Bool(true)));
    }
    Ok(changes)
}

/// Addresses get ids of their own, so that those added on two devices both stay.
fn new_urls(urls: Vec<String>, before: &Document, client: &Client) -> Result<Changes, Failure> {
    let last = Login::of(before).uris().iter().filter_map(|(_, uri)| uri.order).max().unwrap_or(0);
    let mut changes = Changes::new();
    for (url, order) in urls.into_iter().zip(last.saturating_add(1)..) {
        address(&url).map_err(Failure::usage)?;
        let uri = Uri { uri: Some(url), match_mode: None, order: Some(order) };
        changes.push((field::element(field::URIS, &client.make_item_id().to_string()), uri.to_value()));
    }
    Ok(changes)
}

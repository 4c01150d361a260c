//! Where values come from: built-in ones, then a file, then variables, then flags.

use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::Value;
use figment::{Figment, Provider as _};

use super::ConfigError;
use super::arguments::{Arguments, Options};
use super::keys::{Key, keys, near, slip};
use super::values::Values;

/// What every variable begins with.
const PREFIX: &str = "LOCKSTEP_";

/// The sources, weakest first, each with what it is called.
pub(super) struct Layers {
    pub(super) keys: Vec<Key>,
    layers: Vec<(String, Figment)>,
}

impl Layers {
    /// All sources of this process.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that nobody knows.
    pub(super) fn read(arguments: &Arguments) -> Result<Self, ConfigError> {
        let keys = keys();
        let mut layers = vec![("default".to_owned(), defaults(&keys))];
        let variable = std::env::var_os(format!("{PREFIX}CONFIG")).filter(|file| !file.is_empty());
        if let Some(file) = arguments.config.clone().or(variable.map(PathBuf::from)) {
            layers.push((file.display().to_string(), from_file(&file)?));
        }
        layers.push(("variable".to_owned(), from_environment(&keys)?));
        layers.push(("flag".to_owned(), from_flags(&arguments.options)));
        Ok(Self { keys, layers })
    }

    /// All of them together.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, its source, and what is wrong.
    pub(super) fn values(&self) -> Result<Values, ConfigError> {
        for (source, layer) in &self.layers {
            self.check_names(source, layer)?;
        }
        let all = self.layers.iter().fold(Figment::new(), |all, (_, layer)| all.merge(layer.clone()));
        all.extract().map_err(|error| self.in_words(&error))
    }

    /// A key's value and the name of its source; `None` if nobody gives one.
    pub(super) fn find(&self, name: &str) -> Option<(Value, &str)> {
        let mut strongest_first = self.layers.iter().rev();
        strongest_first.find_map(|(source, layer)| Some((layer.find_value(name).ok()?, source.as_str())))
    }

    fn check_names(&self, source: &str, layer: &Figment) -> Result<(), ConfigError> {
        let names = || self.keys.iter().map(|key| key.name.as_str());
        let given = layer
            .data()
            .map_err(|error| self.in_words(&error))?
            .into_values()
            .flat_map(figment::value::Dict::into_keys);
        for name in given {
            if !names().any(|known| *known == name) {
                let near = near(&name, names()).map(ToOwned::to_owned);
                return Err(ConfigError::UnknownKey { name, source_name: source.to_owned(), near });
            }
        }
        Ok(())
    }

    /// What figment found, as a sentence. It repeats values, but `database` can be any text and is never among them.
    fn in_words(&self, error: &figment::Error) -> ConfigError {
        let key = error.path.join(".");
        let source = self.find(&key).map_or("default", |(_, source)| source).to_owned();
        let wrong = match &error.kind {
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                format!("it is {found}, and should be {expected}")
            }
            Kind::UnknownVariant(found, known) => {
                format!("it is \"{found}\", and should be one of {}", known.join(", "))
            }
            other => other.to_string(),
        };
        ConfigError::Value { key, source_name: source, wrong }
    }
}

fn defaults(keys: &[Key]) -> Figment {
    let with_default = keys.iter().filter_map(|key| Some((key, key.default.as_ref()?)));
    with_default.fold(Figment::new(), |figment, (key, default)| {
        figment.merge(Serialized::default(&key.name, key.value(default)))
    })
}

fn from_file(file: &Path) -> Result<Figment, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError::File { path: PathBuf::from(file), source })?;
    // Parsed here and nowhere else: what this parser says of a fault repeats no line, which may hold a password.
    let table = text.parse::<toml::Table>().map_err(|error| ConfigError::Toml {
        path: file.to_owned(),
        line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        wrong: error.message().to_owned(),
    })?;
    Ok(Figment::from(Serialized::defaults(table)))
}

fn from_environment(keys: &[Key]) -> Result<Figment, ConfigError> {
    let mut figment = Figment::new();
    for (name, value) in std::env::vars_os() {
        let Some(typed) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let typed = typed.to_lowercase();
        let Some(key) = keys.iter().find(|key| key.name == typed) else {
            mistyped(&typed, keys)?;
            continue;
        };
        let text = value.into_string().map_err(|_| ConfigError::Value {
            key: key.name.clone(),
            source_name: "variable".to_owned(),
            wrong: "it is not UTF-8".to_owned(),
        })?;
        // Compose files and the like set what nobody gave a value for to nothing.
        if !text.is_empty() {
            figment = figment.merge(Serialized::default(&key.name, key.value(&text)));
        }
    }
    Ok(figment)
}

/// Others use this prefix, too: the client, and clusters for a service of this name.
fn mistyped(typed: &str, keys: &[Key]) -> Result<(), ConfigError> {
    let names = keys.iter().map(|key| key.name.as_str()).chain(["config"]);
    match slip(typed, names) {
        Some(meant) if meant != typed => Err(ConfigError::UnknownVariable {
            name: format!("{PREFIX}{}", typed.to_uppercase()),
            near: format!("{PREFIX}{}", meant.to_uppercase()),
        }),
        _ => Ok(()),
    }
}

fn from_flags(options: &Options) -> Figment {
    Figment::from(Serialized::defaults(options))
}

//! `config print`, and the example file.

use figment::value::Value;

use super::layers::Layers;

/// Every key with its value and source; keys without a value as comments.
pub(super) fn print(layers: &Layers) -> String {
    let mut out = String::new();
    for key in &layers.keys {
        let name = &key.name;
        let line = match layers.find(name) {
            Some((value, source)) => format!("{name} = {}  # {source}\n", toml_of(name, &value)),
            None => format!("# {name} is not set\n"),
        };
        out.push_str(&line);
    }
    out
}

fn toml_of(name: &str, value: &Value) -> toml::Value {
    match value {
        Value::String(_, text) if name == "database" => toml::Value::String(without_password(text)),
        Value::String(_, text) => toml::Value::String(text.clone()),
        Value::Bool(_, yes) => toml::Value::Boolean(*yes),
        Value::Num(_, number) => {
            let unsigned = number.to_u128().and_then(|number| i64::try_from(number).ok());
            let integer = unsigned.or_else(|| number.to_i128().and_then(|number| i64::try_from(number).ok()));
            integer.map_or_else(|| toml::Value::String(format!("{number:?}")), toml::Value::Integer)
        }
        other => toml::Value::String(format!("{other:?}")),
    }
}

/// A URL without user and password, or nothing of it if it is none.
fn without_password(url: &str) -> String {
    url.parse::<lockstep_store::StoreUrl>().map_or_else(|_| "(not a URL)".to_owned(), |url| url.to_string())
}

/// The example file: every key with its help, switched off, at its default.
#[cfg(test)]
pub(super) fn example(keys: &[super::keys::Key]) -> String {
    let mut out = String::from(
        "# Lockstep's server: every key, switched off. What follows a key is its value without being set, or, in capitals,\n\
         # what could stand there. A variable LOCKSTEP_ and the key in capitals wins over this file, a flag over both.\n",
    );
    for key in keys {
        out.push('\n');
        for line in key.help.lines().flat_map(|line| wrapped(line, 110)) {
            out.push_str(&format!("# {line}\n"));
        }
        let text = key.default.clone().unwrap_or_else(|| key.placeholder.clone());
        let bare = text.parse::<bool>().is_ok() || text.parse::<u32>().is_ok();
        let value = if bare { text } else { toml::Value::String(text).to_string() };
        out.push_str(&format!("#{} = {value}\n", key.name));
    }
    out
}

#[cfg(test)]
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

//! The keys of the configuration, as the command line declares them: names, help, defaults; and what somebody may have meant.

use clap::{Args as _, Command};
use figment::value::Value;

use super::arguments::Options;

/// How unlike a known name another one may be to be taken for it mistyped.
const LIKENESS: f64 = 0.8;

/// How many letters may be missing, too many, wrong or in the wrong order in a variable that is meant for a known one.
const SLIPS: usize = 2;

/// A key, as its option describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name in the file; `LOCKSTEP_` and this in capitals is its variable.
    pub(super) name: String,
    /// What it means.
    pub(super) help: String,
    /// Its value where nobody gives one.
    pub(super) default: Option<String>,
    /// What stands for a value in its help.
    pub(super) placeholder: String,
}

impl Key {
    /// A text as this key's value: a number or a truth value where its default is one, and else the text as it stands.
    pub(super) fn value(&self, text: &str) -> Value {
        let default = self.default.as_deref().unwrap_or_default();
        let is_bare = default.parse::<bool>().is_ok() || default.parse::<u32>().is_ok();
        let bare = || {
            let number = text.parse::<u32>().map(Value::from);
            number.or_else(|_| text.parse::<bool>().map(Value::from))
        };
        bare().ok().filter(|_| is_bare).unwrap_or_else(|| Value::from(text))
    }
}

/// Every key, in the order of `--help`.
pub(super) fn keys() -> Vec<Key> {
    let command = Options::augment_args(Command::new("keys"));
    command.get_arguments().map(key).collect()
}

fn key(argument: &clap::Arg) -> Key {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let (help, default) = match help.split_once(" [default: ") {
        Some((help, default)) => (format!("{help}."), Some(default.trim_end_matches(['.', ']']).to_owned())),
        None => (format!("{}.", help.trim_end_matches('.')), None),
    };
    let placeholder = argument.get_value_names().and_then(<[_]>::first);
    Key {
        name: argument.get_id().to_string(),
        help,
        default,
        placeholder: placeholder.map(ToString::to_string).unwrap_or_default(),
    }
}

/// The known name that this one is most like, if it is like one.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &&str| strsim::jaro(name, known);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|best| likeness(best) > LIKENESS)
}

/// The known name that this one is but a slip or two away from.
pub(super) fn slip<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |known: &str| strsim::osa_distance(name, known);
    known.filter(|known| slips(known) <= SLIPS).min_by_key(|known| slips(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_names_are_taken_for_what_they_are_like() {
        let keys = keys();
        let near = |name: &str| near(name, keys.iter().map(|key| key.name.as_str()));
        for (typed, meant) in [
            ("sign_up", "signup"),
            ("singup", "signup"),
            ("listne", "listen"),
            ("data-dir", "data_dir"),
            ("datadir", "data_dir"),
            ("tls_certificate", "tls_cert"),
            ("history_day", "history_days"),
            ("database_password", "database_password_file"),
            ("publicurl", "public_url"),
        ] {
            assert_eq!(near(typed), Some(meant), "{typed}");
        }
        assert_eq!(near("colour"), None);
    }

    #[test]
    fn variables_of_others_are_no_slips() {
        let keys = keys();
        let slip = |name: &str| slip(name, keys.iter().map(|key| key.name.as_str()));
        assert_eq!(
            [slip("sing_up"), slip("pubilc_url"), slip("listen")],
            ["signup", "public_url", "listen"].map(Some)
        );
        // Variables of the client, and those that a cluster makes for services called lockstep and lockstep-database.
        for other in [
            "home",
            "profile",
            "ca",
            "port",
            "service_host",
            "port_7390_tcp",
            "test_store",
            "database_port",
            "database_service_host",
            "database_user",
        ] {
            assert_eq!(slip(other), None, "{other}");
        }
    }

    #[test]
    fn every_key_says_what_it_is() {
        for key in keys() {
            assert!(key.help.len() > 15 && key.help.ends_with('.'), "{key:?}");
            assert!(key.default.is_some() || !key.placeholder.is_empty(), "{key:?}");
        }
    }
}

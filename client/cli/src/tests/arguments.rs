//! What each command understands.

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, Command};
use crate::fields::{Assignment, Name, SecretField, is_secret_name, known};

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("lockstep").chain(line.split_whitespace()))
}

#[test]
fn what_is_documented_is_understood() {
    for line in [
        "signup",
        "signup --server https://vault.example.org --invite abc --kit-dir kit --device-name laptop",
        "signup --server https://vault.example.org --invite -abc_DEF --kit-dir kit",
        "signin --kit kit.txt --device-name phone",
        "signin --kit -",
        "unlock",
        "unlock --minutes 1",
        "unlock --minutes 1440",
        "lock",
        "add --title Bank",
        "add --kind card --title Visa --set brand=visa --secret number --secret code=4",
        "add --title x --username a --url https://a.test --url https://b.test --tag A --tag B --note n --vault Home",
        "add --title x --generate",
        "add --title x --generate --length 64",
        "edit Bank --title Post --untag A --remove-url https://a.test",
        "edit 07070707 --clear notes --clear uris",
        "edit 07070707 --set custom:PIN=4711 --secret custom:PUK --secret PIN=3",
        "code Bank",
        "get Bank",
        "get Bank --field password",
        "get Bank --reveal",
        "list",
        "list --search bank --tag Home --trash --vault Home",
        "rm Bank",
        "rm Bank --purge --yes",
        "restore Bank",
        "import export.json --format bitwarden-json",
        "import --format bitwarden-json export.json --vault Home",
        "export --format bitwarden-json",
        "export --format bitwarden-json -o out.json --vault Home",
        "sync",
        "status",
        "conflicts",
        "conflicts --reveal",
        "conflicts resolve Bank password --keep 2",
        "--json --offline --yes --profile phone --password-fd 3 --ca ca.pem sync",
        "sync --json --offline --profile phone_2-b",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_is_missing_wrong_or_contradictory_is_refused_for_that_reason() {
    use ErrorKind::{
        ArgumentConflict, InvalidSubcommand, InvalidValue, MissingRequiredArgument, UnknownArgument,
        ValueValidation,
    };
    for (line, kind) in [
        ("frobnicate", InvalidSubcommand),
        ("signup --password x", UnknownArgument),
        ("signup surplus", UnknownArgument),
        ("signin --kit", InvalidValue),
        ("unlock --minutes 0", ValueValidation),
        ("unlock --minutes 1441", ValueValidation),
        ("unlock --minutes soon", ValueValidation),
        ("add --kind hologram", ValueValidation),
        ("add --length 20", MissingRequiredArgument),
        ("add --generate --length many", ValueValidation),
        ("add Bank", UnknownArgument),
        ("edit", MissingRequiredArgument),
        ("get", MissingRequiredArgument),
        ("get Bank --field password --reveal", ArgumentConflict),
        ("list Bank", UnknownArgument),
        ("rm", MissingRequiredArgument),
        ("restore", MissingRequiredArgument),
        ("restore Bank --purge", UnknownArgument),
        ("import --format bitwarden-json", MissingRequiredArgument),
        ("import export.json", MissingRequiredArgument),
        ("import export.csv --format csv", InvalidValue),
        ("export", MissingRequiredArgument),
        ("export --format pdf", InvalidValue),
        ("sync now", UnknownArgument),
        ("status --server x", UnknownArgument),
        ("conflicts resolve Bank", MissingRequiredArgument),
        ("conflicts resolve Bank password", MissingRequiredArgument),
        ("conflicts resolve Bank password --keep -1", UnknownArgument),
        ("conflicts resolve Bank password --keep first", ValueValidation),
        ("sync --profile ../other", ValueValidation),
        ("sync --profile a/b", ValueValidation),
        ("sync --profile aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ValueValidation),
        ("sync --password-fd hunter2", ValueValidation),
        ("sync --password-fd -1", UnknownArgument),
    ] {
        let refused = parse(line).err().unwrap_or_else(|| panic!("{line} is understood"));
        assert_eq!(refused.kind(), kind, "{line}");
        assert!(refused.use_stderr(), "{line}");
    }
}

#[test]
fn options_of_every_command_are_taken_before_and_behind_it() {
    for line in
        ["--json --offline --yes status", "status --json --offline --yes", "--json status --yes --offline"]
    {
        let global = parse(line).unwrap().global;
        assert!(global.json && global.offline && global.yes, "{line}");
    }
    let plain = parse("status").unwrap();
    assert!(!(plain.global.json || plain.global.offline || plain.global.yes));
    assert!(matches!(plain.command, Command::Status));
}

#[test]
fn fields_and_secrets_are_told_apart_and_nothing_typed_is_repeated() {
    for (text, understood) in [
        ("username=anna", true),
        ("username=", true),
        ("title=x", true),
        ("note=x", true),
        ("username", false),
        ("=x", false),
        ("Username=x", false),
        ("trash=x", false),
        ("kind=x", false),
        ("bitwarden/rest=x", false),
        ("tags/x=true", false),
    ] {
        // Whatever else is named may be a custom field of an item that is there, and nothing but that.
        let known = text.parse::<Assignment>().is_ok_and(|set| !matches!(set.field, Name::Other(_)));
        assert_eq!(known, understood, "{text}");
    }
    for field in known() {
        let assigned = format!("{field}=hunter2").parse::<Assignment>();
        assert_eq!(assigned.is_err(), is_secret_name(field), "{field}");
        assert!(field.parse::<SecretField>().is_ok(), "{field}");
    }
    for text in ["password=hunter2", "password=", "password=-1", "password=4294967296", "=3", "", "custom:=3"]
    {
        let refused = text.parse::<SecretField>().unwrap_err();
        assert!(!refused.contains("hunter2"), "{text}: {refused}");
    }
}

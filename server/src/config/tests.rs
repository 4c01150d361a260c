use clap::Parser as _;
use lockstep_domain::services::{FirstAccount, SignupRule};

use super::*;

fn load(arguments: &[&str]) -> Result<Config, ConfigError> {
    Config::load(&parsed(arguments))
}

fn parsed(arguments: &[&str]) -> Arguments {
    Arguments::try_parse_from(["lockstep-server"].iter().chain(arguments)).unwrap()
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn refusal(text: &str) -> String {
    let (_folder, path) = file(text);
    load(&["--config", &path]).unwrap_err().to_string().replace(&path, "FILE")
}

#[test]
fn nothing_needs_to_be_configured() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7390");
    assert_eq!(config.database, StoreUrl::Sqlite("lockstep-data/lockstep.db".into()));
    assert_eq!(config.admissions, Admissions::unguarded(SignupRule::Invite));
    assert_eq!(Ok(config.history), HistoryRule::new(365, 50, 30));
}

#[test]
fn plain_http_stays_on_loopback_unless_told_otherwise() {
    assert!(matches!(load(&["--listen", "0.0.0.0:80"]), Err(ConfigError::PlainHttp(_))));
    load(&["--listen", "0.0.0.0:80", "--allow-plain-http"]).unwrap();
    load(&["--listen", "0.0.0.0:80", "--tls-cert", "a", "--tls-key", "b"]).unwrap();
    assert!(matches!(load(&["--tls-cert", "a"]), Err(ConfigError::HalfTls)));
}

#[test]
fn the_first_account_needs_a_token_where_others_reach_the_server() {
    let first = |arguments: &[&str]| load(arguments).unwrap().admissions.first;
    assert_eq!(first(&["--listen", "[::1]:80"]), FirstAccount::Anyone);
    assert_eq!(first(&["--public-url", "http://localhost:7390"]), FirstAccount::Anyone);
    assert_eq!(first(&["--listen", "192.0.2.1:80", "--allow-plain-http"]), FirstAccount::SetupToken);
    // A proxy on the same machine reaches it by loopback, and everybody reaches the proxy.
    assert_eq!(first(&["--public-url", "https://vault.example.org"]), FirstAccount::SetupToken);
    assert!(matches!(load(&["--public-url", "vault.example.org"]), Err(ConfigError::PublicUrl(_))));
}

#[test]
fn history_is_kept_as_told_but_never_too_short() {
    let told = ["--history-days", "1", "--history-versions", "2", "--purged-days", "31"];
    assert_eq!(Ok(load(&told).unwrap().history), HistoryRule::new(1, 2, 31));
    for (option, value, said) in [
        ("--history-days", "0", "1 day at least"),
        ("--history-versions", "0", "at least 1"),
        ("--purged-days", "29", "30 days at least"),
        ("--purged-days", "0", "30 days at least"),
    ] {
        let error = load(&[option, value]).unwrap_err();
        assert!(matches!(error, ConfigError::History(_)) && error.to_string().contains(said), "{error}");
    }
}

#[test]
fn limits_have_defaults_and_never_shut_everybody_out() {
    let front = load(&[]).unwrap().front;
    assert_eq!((front.connections, front.bodies, front.pace), Default::default());
    let told =
        ["--connections", "100", "--connections-per-address", "7", "--head-seconds", "3", "--body-rate", "9"];
    let front = load(&told).unwrap().front;
    let rules = front.connections;
    assert_eq!((rules.all, rules.of_address, rules.head.as_secs(), front.pace.rate), (100, 7, 3, 9));
    load(&["--body-memory", "9", "--sessionless-body-memory", "1"]).unwrap();
    for told in [
        &["--connections", "15"][..],
        &["--connections-per-address", "0"],
        &["--head-seconds", "0"],
        &["--sessionless-body-memory", "0"],
        &["--body-memory", "15"],
        &["--body-wait-seconds", "0"],
        &["--body-rate", "0"],
    ] {
        let error = load(told).unwrap_err();
        assert!(matches!(error, ConfigError::Limit { .. }), "{error}");
        assert!(error.to_string().starts_with(&told[0][2..].replace('-', "_")), "{error}");
    }
}

#[test]
fn a_file_is_read_and_flags_win() {
    let (_folder, path) = file("signup = \"open\"\nlisten = \"127.0.0.1:1\"\n");
    let config = load(&["--config", &path, "--listen", "127.0.0.1:2"]).unwrap();
    assert_eq!(config.admissions.rule, SignupRule::Open);
    assert_eq!(config.listen.port(), 2);
}

#[test]
fn what_is_wrong_in_a_file_is_said_in_words() {
    for (text, said) in [
        ("sing_up = \"open\"", "there is no key \"sing_up\" (FILE). Did you mean \"signup\"?"),
        ("colour = 1", "there is no key \"colour\" (FILE). `lockstep-server --help` lists all"),
        (
            "[server]\nlisten = \"127.0.0.1:1\"",
            "there is no key \"server\" (FILE). `lockstep-server --help` lists all",
        ),
        (
            "signup = \"everybody\"",
            "signup (FILE): it is \"everybody\", and should be one of open, invite, closed",
        ),
        ("\nlisten = 127.0.0.1", "FILE is not TOML, in line 2: "),
        ("signup = \"open\"\nsignup = \"open\"", "FILE is not TOML, in line 2: "),
        ("restored = \"yes\"", "restored (FILE): it is string \"yes\", and should be a boolean"),
        ("history_days = -1", "history_days (FILE): it is "),
        ("database_password_file = \"x\"", "database_password_file is for PostgreSQL: "),
        ("database = \"mysql://x\"", "this is not a database URL: "),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with(said), "{refused}\n{said}");
    }
    // Whatever is wrong with it, a line with a password is not repeated.
    for value in [
        "postgres://ann:se\\ecret-hunter2@db/v",
        "postgres://ann:\\xhunter2@db/v",
        "postgres://ann:hunter2\n@db/v",
    ] {
        for line in [
            format!("database = \"{value}\""),
            format!("database = {value}"),
            format!("database = [\"{value}\"]"),
        ] {
            let (_folder, path) = file(&line);
            let said = load(&["--config", &path])
                .map_or_else(|error| format!("{error} {error:?}"), |config| format!("{config:?}"));
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    let missing = load(&["--config", "/nowhere/lockstep.toml"]).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/lockstep.toml cannot be read: "), "{missing}");
}

#[test]
fn a_password_is_read_from_its_file_and_printed_nowhere() {
    let (folder, secret) = file("hunter2\n");
    let with_file = |url: &str| load(&["--database", url, "--database-password-file", &secret]);
    let config = with_file("postgres://ann@db/vaults").unwrap();
    assert_eq!(config.database, "postgres://ann:hunter2@db/vaults".parse().unwrap());
    assert!(matches!(with_file("postgres://ann:x@db/vaults"), Err(ConfigError::TwoPasswords)));
    for text in ["", "\n", "two\nlines\n"] {
        std::fs::write(&secret, text).unwrap();
        assert!(matches!(with_file("postgres://ann@db/vaults"), Err(ConfigError::NoPassword(_))));
    }
    std::fs::remove_file(&secret).unwrap();
    let missing = with_file("postgres://ann@db/vaults").unwrap_err().to_string();
    assert!(missing.contains("lockstep.toml cannot be read"), "{missing}");

    let path = folder.path().join("lockstep.toml");
    std::fs::write(&path, "database = \"postgres://ann:hunter2@db/vaults\"\nhistory_days = 9\n").unwrap();
    let path = path.to_str().unwrap();
    let printed = Config::print(&parsed(&["--config", path, "--signup", "closed"])).unwrap();
    assert!(!printed.contains("hunter2") && !format!("{:?}", load(&["--config", path])).contains("hunter2"));
    for line in [
        format!("database = \"postgres://db:5432/vaults\"  # {path}"),
        format!("history_days = 9  # {path}"),
        "signup = \"closed\"  # flag".to_owned(),
        "listen = \"127.0.0.1:7390\"  # default".to_owned(),
        "restored = false  # default".to_owned(),
        "# tls_cert is not set".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}\n{printed}");
    }
    assert_eq!(printed.lines().count(), keys::keys().len());
    printed.parse::<toml::Table>().unwrap();
}

/// The example in deploy/ is written by this test (`just bless`), so it lists every key, and its values are the defaults.
#[test]
fn the_example_file_lists_every_key_with_its_default() {
    let example = print::example(&keys::keys());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lockstep-server.toml");
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        std::fs::write(&path, &example).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), example);

    let is_default = |line: &str| {
        keys::keys().iter().any(|key| key.default.is_some() && line.starts_with(&format!("#{} = ", key.name)))
    };
    let switched_on: String =
        example.lines().filter(|line| is_default(line)).map(|line| format!("{}\n", &line[1..])).collect();
    let (_folder, path) = file(&switched_on);
    assert_eq!(format!("{:?}", load(&["--config", &path]).unwrap()), format!("{:?}", load(&[]).unwrap()));
}

//! The command line. Its options are the configuration's keys: their names, help and defaults stand here and nowhere else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "lockstep-server",
    version,
    about = "Keeps end-to-end encrypted vaults in step. It cannot read them.",
    after_help = "Every option can stand in a TOML file (--config) under the same name with _ for -, or in a variable \
                  LOCKSTEP_…; a flag wins over a variable, a variable over the file."
)]
pub struct Arguments {
    /// What to do; without it, the server runs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// A TOML file with the same names as the options below; LOCKSTEP_CONFIG names it, too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// What else than running.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Makes an invitation for one new account, valid for 7 days, and prints it.
    Invite,
    /// Prints the set-up token, with which the first account is made; refused once there is one, or before the first start.
    SetupToken,
    /// Whether the server of this configuration answers and its database can be read: exit code 0, or 1 and the reason.
    Health,
    /// Says what one account holds and may hold, and gives it another limit than `account_storage` and `account_vaults`.
    Quota(QuotaArguments),
    /// Looks at files, secrets, database, TLS and clock, changes nothing, and says what to mend.
    Doctor,
    /// What is configured.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Whose limits, and which.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct QuotaArguments {
    /// The account's id, as the log and its devices show it.
    #[arg(value_name = "ACCOUNT", allow_hyphen_values = true)]
    pub account: String,
    /// How many MiB this account may hold.
    #[arg(long, value_name = "MIB")]
    pub storage: Option<u32>,
    /// How many vaults this account may make, 256 at most.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(..=256))]
    pub vaults: Option<u32>,
    /// What every account has, again.
    #[arg(long, conflicts_with_all = ["storage", "vaults"])]
    pub default: bool,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Says whether it can be used; exit code 2 if not.
    Check,
    /// Prints every key with its value and where that comes from. Secrets are left out.
    Print,
}

/// The keys. `[default: …]` at the end of a help text is the value without anybody's saying so.
#[derive(Debug, Args, Serialize)]
pub(super) struct Options {
    /// Where to listen; port 0 lets the system choose [default: 127.0.0.1:7390].
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// The address under which devices reach the server, where it is another one than it listens on, as behind a proxy or in
    /// a container. The log names it.
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// Where the server keeps its files [default: lockstep-data].
    #[arg(long, global = true, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://USER@HOST/DB?sslmode=require`. Without it: SQLite, in lockstep.db in the data folder.
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// A file that holds the password for `database`, so that it stands in no URL, variable or list of processes.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_password_file: Option<PathBuf>,
    /// The server's secrets. Without it: secrets.toml in the data folder.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets_file: Option<PathBuf>,
    /// Who may sign up after the first account: `open` (anybody), `invite` or `closed` [default: invite].
    #[arg(long, global = true, value_name = "WHO")]
    #[serde(skip_serializing_if = "Option::is_none")]
    signup: Option<String>,
    /// The database was restored from a backup: take back from devices the accounts that it lacks, whoever may sign up, and
    /// removals of devices that have written since. Leave it out again when all are back [default: false].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored: bool,
    /// How many days a replaced version of an item is kept, 1 at least [default: 365].
    #[arg(long, global = true, value_name = "DAYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    history_days: Option<u32>,
    /// How many replaced versions of an item are kept, 1 at least; none goes within 24 hours [default: 50].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    history_versions: Option<u32>,
    /// How many days the versions of a purged item are kept, 30 at least [default: 30].
    #[arg(long, global = true, value_name = "DAYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    purged_days: Option<u32>,
    /// The TLS certificate chain, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<PathBuf>,
    /// The TLS private key, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS on other than loopback addresses: only behind a proxy that speaks TLS [default: false].
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_plain_http: bool,
    /// Names under which the server is asked, beside `localhost` and the one in `public_url`, with commas between; addresses need
    /// none. A request under any other name is refused, since a page in a browser may have caused it. Without it: no more.
    #[arg(long, global = true, value_name = "NAMES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<String>,
    /// The proxies before the server, as addresses and networks with commas between: what they say of whom they forward for
    /// (`Forwarded`, `X-Forwarded-For`) is believed, and nobody else's. Only the proxies themselves. Without it: none.
    #[arg(long, global = true, value_name = "ADDRESSES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_proxies: Option<String>,
    /// How many requests a minute are served of one address (for IPv6: of one /64) that come without a session, as many of
    /// them at once; beyond, the answer is 429 and when to try again. A family behind one router is one address, and behind
    /// a proxy that is not among `trusted_proxies` everybody is. 0 for any number [default: 1200].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    address_requests: Option<u32>,
    /// The same of one account, within sessions. 0 for any number [default: 12000].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    account_requests: Option<u32>,
    /// How many MiB one account may hold, with all its vaults, their history, and what waits to come back to a restored server.
    /// Beyond, it can purge, remove devices and read; `lockstep-server quota` gives one account more [default: 2048].
    #[arg(long, global = true, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    account_storage: Option<u32>,
    /// How many vaults one account may make, ended ones included; 256 at most [default: 64].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    account_vaults: Option<u32>,
    /// How many accounts one address (for IPv6: one /64) makes in a day without an invitation, as many of them at once. 0 for
    /// any number [default: 16].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    address_accounts: Option<u32>,
    /// The same of all addresses together. 0 for any number [default: 128].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_accounts: Option<u32>,
    /// How many MiB the database may take: from 90 of 100 on the server makes no accounts, at 100 it takes no new data. Without
    /// it: no limit for PostgreSQL, and for SQLite 95 of 100 of what its disk has for it, which hold in any case.
    #[arg(long, global = true, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_limit: Option<u32>,
    /// How many connections there are at once, 16 at least; fewer where the process may not have as many files open. When all
    /// are taken, the one of the busiest address that has waited longest without a session is closed for the next
    /// [default: 1024].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u32>,
    /// How many connections one address has at once, or a /64 of IPv6; trusted proxies are exempt. As many requests without a
    /// session are under way for each address that a proxy forwards for [default: 64].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connections_per_address: Option<u32>,
    /// How many seconds a connection may be without a request under way before it is closed, however many bytes of a
    /// request's head have come [default: 15].
    #[arg(long, global = true, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    head_seconds: Option<u32>,
    /// How much memory the bodies of all requests take together, in MiB [default: 64].
    #[arg(long, global = true, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    body_memory: Option<u32>,
    /// How much of `body_memory` those without a session take, in MiB [default: 8].
    #[arg(long, global = true, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    sessionless_body_memory: Option<u32>,
    /// How many seconds the first byte of a body may take [default: 15].
    #[arg(long, global = true, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    body_wait_seconds: Option<u32>,
    /// How many bytes of a body have to come each second in the mean, from 5 seconds after the first on [default: 1024].
    #[arg(long, global = true, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    body_rate: Option<u32>,
    /// Write the server's URL to this file once it listens.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    address_file: Option<PathBuf>,
    /// How log lines look: `text` or `json` [default: text].
    #[arg(long, global = true, value_name = "FORM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_may_begin_with_a_hyphen() {
        for line in [
            &["quota", "-bc", "--storage", "5"][..],
            &["quota", "--storage", "5", "-bc"],
            &["quota", "--storage=5", "--", "-bc"],
            &["--listen", "127.0.0.1:0", "quota", "--storage", "5", "--", "-bc"],
        ] {
            let read = Arguments::try_parse_from([&["lockstep-server"], line].concat()).unwrap();
            let Some(Command::Quota(quota)) = read.command else { panic!("{line:?}") };
            assert_eq!((quota.account.as_str(), quota.storage), ("-bc", Some(5)), "{line:?}");
        }
        for wrong in [
            &["quota"][..],
            &["quota", "a", "--vaults", "257"],
            &["quota", "a", "--default", "--vaults", "2"],
        ] {
            assert!(Arguments::try_parse_from([&["lockstep-server"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}

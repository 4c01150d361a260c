//! Under which names a server may be spoken to.
//!
//! A page in a browser can have its own name lead to any address ("DNS rebinding") and then talks to a server on
//! loopback or at home as if it were its own. Its requests come to the right address, but their `Host` is the page's
//! name. So:
//!
//! - **a name** must be one that the server is known by: `localhost`, the one in `public_url`, those in `hosts`;
//! - **an address** is always right: no name had to be looked up, so nobody could have led it elsewhere;
//! - **no `Host` at all** is no browser's;
//! - the port says nothing: proxies and containers change it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name that the DNS has.
const NAME_LIMIT: usize = 253;

/// Not a list of names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "hosts has \"{0}\", and should be like vault.example.org, lockstep.lan: names without a port, with commas between"
)]
pub struct HostsError(String);

/// The names that a server is known by, beside `localhost`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// The same and one more, which may be an address.
    #[must_use]
    pub fn with(mut self, host: &str) -> Self {
        self.0.insert(canonical(host));
        self
    }

    /// Whether a request with this `Host` may be meant for the server.
    pub fn admit(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        is_address(name) || canonical(name) == "localhost" || self.0.contains(&canonical(name))
    }
}

impl FromStr for Hosts {
    type Err = HostsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let read = |name: &str| match is_name(name) {
            true => Ok(canonical(name)),
            false => Err(HostsError(name.to_owned())),
        };
        names.map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// The same name, however it is written: letters have no case, and a dot at the end says only that the name is whole.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= NAME_LIMIT && text.bytes().all(allowed) && !canonical(text).is_empty()
}

/// Addresses as browsers write them: they make `127.1` and `0x7f000001` into `127.0.0.1` before they send them.
fn is_address(text: &str) -> bool {
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match in_brackets {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv4Addr>().is_ok(),
    }
}

/// `None` where what follows the last colon is no port.
fn without_port(host: &str) -> Option<&str> {
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    match host[after_brackets..].find(':') {
        None => Some(host),
        Some(at) => {
            let (name, port) = host.split_at(after_brackets + at);
            (port.len() <= 6 && port[1..].bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_addresses_are_always_right() {
        let hosts = "lockstep.lan, Server.".parse::<Hosts>().unwrap().with("Vault.Example.org");
        for host in [
            "vault.example.org",
            "VAULT.example.ORG.:8443",
            "lockstep.lan",
            "server:7390",
            "localhost",
            "LocalHost:7390",
            "localhost.",
            "127.0.0.1:7390",
            "127.0.0.1",
            "[::1]:7390",
            "[::1]",
            "10.1.2.3",
            "vault.example.org:",
        ] {
            assert!(hosts.admit(host), "{host}");
        }
        for host in [
            "",
            ":7390",
            "evil.example",
            "evil.localhost",
            "localhost.evil.example",
            "vault.example.org.evil.example",
            "vault.example.org..",
            "vault.example.org:80:80",
            "vault.example.org:80a",
            "vault.example.org:800000",
            "127.0.0.1.evil.example",
            "127.0.0.1.",
            "127.1",
            "::1",
            "[::1",
            "[::1]evil.example",
            "[::1].evil.example",
            "[127.0.0.1]",
            "evil.example@127.0.0.1",
            "127.0.0.1@evil.example",
            "localhost,evil.example",
            " localhost",
            "localhost\u{0}",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
    }

    #[test]
    fn a_list_is_names_and_nothing_else() {
        for list in ["", ",", "a", "a.example, b_c.example,"] {
            assert!(list.parse::<Hosts>().is_ok(), "{list}");
        }
        let long = "a".repeat(NAME_LIMIT + 1);
        for list in ["*", "*.example.org", "https://a.example", "a.example:80", "a b", "[::1]", ".", &long] {
            let error = list.parse::<Hosts>().unwrap_err();
            assert!(error.to_string().contains(list), "{error}");
        }
    }
}

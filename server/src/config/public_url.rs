//! The address under which devices reach the server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use actix_web::http::Uri;

/// Not an address that devices could use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "public_url is \"{0}\", and should be like https://vault.example.org: devices speak plain HTTP to their own machine alone"
)]
pub struct PublicUrlError(String);

/// `https://HOST[:PORT]`, or `http://` and a loopback host. Without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    host: String,
    loopback: bool,
}

impl PublicUrl {
    /// The name or address in it, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let refused = || PublicUrlError(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(refused()) };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        let whole = !host.is_empty()
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none();
        if whole && (scheme == "https" || scheme == "http" && loopback) {
            Ok(Self { text: text.trim_end_matches('/').to_owned(), host: host.to_owned(), loopback })
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn devices_use_tls_but_on_their_own_machine() {
        for (text, loopback) in [
            ("https://vault.example.org", false),
            ("https://vault.example.org:8443", false),
            ("https://192.0.2.1", false),
            ("http://127.0.0.1:7390", true),
            ("http://localhost:7390", true),
            ("http://[::1]:7390", true),
            ("https://localhost", true),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.is_loopback()), (text, loopback));
        }
        assert_eq!(
            "https://vault.example.org/".parse::<PublicUrl>().unwrap().to_string(),
            "https://vault.example.org"
        );
        for text in [
            "",
            "vault.example.org",
            "http://vault.example.org",
            "http://192.0.2.1",
            "https://vault.example.org/lockstep",
            "https://vault.example.org/?x",
            "https://ann@vault.example.org",
            "ftp://vault.example.org",
            "https://",
            "http://localhost.example.org",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}

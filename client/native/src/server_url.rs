//! Which addresses may be a server's.

use reqwest::Url;

use crate::http::PlainHttp;

/// An address that is not used as a server's. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerUrlError {
    /// It is no address.
    #[error("the server's address cannot be read: write it like https://vault.example.org")]
    Format,
    /// It has a user name, a password, a query or a fragment.
    #[error(
        "the server's address has parts that do not belong there: write it like https://vault.example.org"
    )]
    Parts,
    /// It is plain HTTP to another machine.
    #[error(
        "the connection to this address is not encrypted (http), so nothing was sent: use its https address"
    )]
    Plain,
}

/// The base under which the interface's paths lie, with a `/` at its end.
pub(crate) fn base_url(text: &str, plain: PlainHttp) -> Result<Url, ServerUrlError> {
    let mut url = Url::parse(text.trim()).map_err(|_| ServerUrlError::Format)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ServerUrlError::Format);
    }
    let extra = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if extra || url.fragment().is_some() {
        return Err(ServerUrlError::Parts);
    }
    match url.scheme() {
        "https" => {}
        "http" if plain == PlainHttp::Anywhere || is_this_machine(&url) => {}
        "http" => return Err(ServerUrlError::Plain),
        _ => return Err(ServerUrlError::Format),
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, ServerUrlError> {
        base_url(text, PlainHttp::ThisMachine).map(|url| url.to_string())
    }

    #[test]
    fn encrypted_addresses_and_this_machine_are_taken() {
        assert_eq!(check("https://vault.example.org").unwrap(), "https://vault.example.org/");
        assert_eq!(check(" https://example.org:8443/vault ").unwrap(), "https://example.org:8443/vault/");
        for local in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert!(check(local).is_ok(), "{local}");
        }
    }

    #[test]
    fn plain_http_to_another_machine_is_refused_unless_allowed() {
        for remote in ["http://vault.example.org", "http://192.0.2.1", "http://localhost.example.org"] {
            assert_eq!(check(remote), Err(ServerUrlError::Plain), "{remote}");
            assert!(base_url(remote, PlainHttp::Anywhere).is_ok());
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "vault.example.org", "ftp://example.org", "https://", "file:///etc/passwd"] {
            assert_eq!(check(text), Err(ServerUrlError::Format), "{text}");
        }
        for text in ["https://user@example.org", "https://example.org/?a=b", "https://example.org/#a"] {
            assert_eq!(check(text), Err(ServerUrlError::Parts), "{text}");
        }
    }
}

//! From which address a request comes, where proxies stand between, and which addresses share a limit.
//!
//! A header is believed of nobody but a proxy that the configuration names. Each proxy puts the address of whoever asked it
//! behind what was there, so what it says itself stands on the right, and everything to the left is as good as whoever asked:
//!
//! ```text
//! X-Forwarded-For: (what the client made up), (the client, says the proxy)      <- the socket's peer: the proxy
//! ```

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

pub use lockstep_domain::limits::AddressKey;

use crate::forwarded::{Hops, of_forwarded, of_x_forwarded_for};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Not a list of addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "trusted_proxies has \"{0}\", and should be like 127.0.0.1, 10.0.0.0/8, 2001:db8::/32: addresses and networks with commas \
     between"
)]
pub struct TrustedProxiesError(String);

/// The proxies that say truly for whom they forward.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the address of one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the socket's peer or, where that is a trusted proxy, the right-most hop that is none. IPv4 within
    /// IPv6 is given as IPv4.
    ///
    /// Where all hops are trusted it is the left-most; where the headers say nothing that can be believed, the peer.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let said = [
            lines(headers, &FORWARDED).map(|lines| of_forwarded(lines?.into_iter())),
            lines(headers, &X_FORWARDED_FOR).map(|lines| Some(of_x_forwarded_for(lines?.into_iter()))),
        ];
        // A proxy that writes one of the two hands on the other as the client made it up, so where both are there and do not
        // say the same, neither is believed.
        let mut clients = said.into_iter().flatten().map(|hops| hops.and_then(|hops| self.right_most(&hops)));
        let first = clients.next().flatten();
        first.filter(|first| clients.all(|other| other == Some(*first))).unwrap_or(peer)
    }

    /// The client's address of a request, by its socket and headers; `0.0.0.0` for one that came by no socket.
    pub fn client_of(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        self.client(peer, request.headers())
    }

    /// The first hop from the right that is no trusted proxy, or the last of all. `None` once a hop on the way is no address.
    fn right_most(&self, hops: &Hops) -> Option<IpAddr> {
        let mut furthest = None;
        for hop in hops.iter().rev() {
            let hop = hop.as_ref()?.to_canonical();
            if !self.contains(hop) {
                return Some(hop);
            }
            furthest = Some(hop);
        }
        furthest
    }
}

/// A header's lines, where it is there; the inner `None` where one of them is not text.
fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<Vec<&'a str>>> {
    let mut values = headers.get_all(name).peekable();
    values.peek()?;
    Some(values.map(|value| value.to_str().ok()).collect())
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let networks = parts.map(|part| network(part).ok_or_else(|| TrustedProxiesError(part.to_owned())));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

/// An address alone is a network of one. A network of IPv4 within IPv6 is one of IPv4, as the addresses are.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let mapped = |network: ipnet::Ipv6Net| {
        let address = network.addr().to_ipv4_mapped()?;
        Ipv4Net::new(address, network.prefix_len().checked_sub(96)?).ok()
    };
    Some(match network {
        IpNet::V6(v6) => mapped(v6).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn client(trusted: &str, peer: &str, headers: &[(&str, &[u8])]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        trusted.client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let headers: &[(&str, &[u8])] = &[("x-forwarded-for", b"192.0.2.9"), ("forwarded", b"for=192.0.2.9")];
        for (trusted, peer, said) in [
            ("", "192.0.2.1", "192.0.2.1"),
            ("", PROXY, PROXY),
            (PROXY, "192.0.2.1", "192.0.2.1"),
            (PROXY, "10.0.0.2", "10.0.0.2"),
            (PROXY, PROXY, "192.0.2.9"),
            (PROXY, "::ffff:10.0.0.1", "192.0.2.9"),
            ("10.0.0.0/8", PROXY, "192.0.2.9"),
            ("::ffff:10.0.0.0/104", PROXY, "192.0.2.9"),
            ("2001:db8::/32, 127.0.0.1", "2001:db8:1::1", "192.0.2.9"),
            // A network of all IPv6 is none of IPv4.
            ("::/0", PROXY, PROXY),
        ] {
            assert_eq!(client(trusted, peer, headers), said, "{trusted} {peer}");
        }
        assert_eq!(client("", "::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn what_clients_make_up_is_not_believed() {
        for (name, value, said) in [
            ("x-forwarded-for", &b"192.0.2.9"[..], "192.0.2.9"),
            // The client wrote all but the last.
            ("x-forwarded-for", b"127.0.0.1, 192.0.2.9", "192.0.2.9"),
            ("x-forwarded-for", b"nonsense, , 192.0.2.9", "192.0.2.9"),
            ("x-forwarded-for", b"192.0.2.8, 10.0.0.7, 10.0.0.1", "192.0.2.8"),
            ("x-forwarded-for", b"::ffff:192.0.2.9", "192.0.2.9"),
            ("x-forwarded-for", b"10.0.0.9, 10.0.0.7", "10.0.0.9"),
            ("forwarded", b"for=127.0.0.1, for=192.0.2.9;proto=https", "192.0.2.9"),
            ("forwarded", b"for=\"[2001:db8::5]:1\"", "2001:db8::5"),
            // Nothing to believe: the proxy itself.
            ("x-forwarded-for", b"192.0.2.9, unknown", PROXY),
            ("x-forwarded-for", b"192.0.2.9, 10.0.0.300", PROXY),
            ("x-forwarded-for", b"192.0.2.9,", PROXY),
            ("x-forwarded-for", b"", PROXY),
            ("x-forwarded-for", b"192.0.2.9, \xff", PROXY),
            ("forwarded", b"for=\"127.0.0.1, for=192.0.2.9", PROXY),
            ("forwarded", b"for=_hidden", PROXY),
            ("forwarded", b"proto=https", PROXY),
            ("forwarded", b"", PROXY),
        ] {
            assert_eq!(client("10.0.0.0/24", PROXY, &[(name, value)]), said, "{name}: {value:?}");
        }
    }

    #[test]
    fn two_headers_are_believed_only_where_they_agree() {
        let both = |forwarded: &'static [u8], other: &'static [u8]| {
            client(PROXY, PROXY, &[("forwarded", forwarded), ("x-forwarded-for", other)])
        };
        assert_eq!(both(b"for=192.0.2.9", b"192.0.2.1, 192.0.2.9"), "192.0.2.9");
        assert_eq!(both(b"for=192.0.2.8", b"192.0.2.9"), PROXY);
        assert_eq!(both(b"for=", b"192.0.2.9"), PROXY);
        assert_eq!(both(b"for=192.0.2.9", b"unknown"), PROXY);
    }

    #[test]
    fn lines_are_read_in_their_order() {
        let lines: &[(&str, &[u8])] = &[("x-forwarded-for", b"192.0.2.1"), ("x-forwarded-for", b"192.0.2.9")];
        assert_eq!(client(PROXY, PROXY, lines), "192.0.2.9");
        let long = vec![b','; 60_000];
        assert_eq!(client(PROXY, PROXY, &[("x-forwarded-for", &long)]), PROXY);
        let long = b"10.0.0.1,".repeat(6_000);
        assert_eq!(client(PROXY, PROXY, &[("x-forwarded-for", &long)]), PROXY);
    }

    #[test]
    fn a_list_is_read_or_refused() {
        for list in ["", " ", "127.0.0.1", "10.0.0.0/8 , ::1,", "2001:db8::/32"] {
            assert!(list.parse::<TrustedProxies>().is_ok(), "{list}");
        }
        for list in ["proxy.example.org", "10.0.0.0/33", "10.0.0", "10.0.0.1 10.0.0.2", "*", "[::1]"] {
            let error = list.parse::<TrustedProxies>().unwrap_err();
            assert!(error.to_string().contains(list), "{error}");
        }
    }
}

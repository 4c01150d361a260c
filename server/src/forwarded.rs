//! Who a proxy says it forwards for: `Forwarded` (RFC 7239) and `X-Forwarded-For`, hop by hop.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What a header names, left to right, so that the last is what the nearest proxy says. `None` is a hop that is no address:
/// `unknown`, a made-up name (`_hidden`), or nonsense.
pub(crate) type Hops = Vec<Option<IpAddr>>;

/// The hops of the lines of a `Forwarded` header; `None` if any of them is not of the form that RFC 7239 gives it: a quoted
/// text that somebody left open could swallow what the proxy has put behind it.
pub(crate) fn of_forwarded<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Hops> {
    let mut hops = Hops::new();
    for line in lines {
        for element in split(line, ',')? {
            hops.push(of_element(element)?);
        }
    }
    Some(hops)
}

/// The hops of the lines of an `X-Forwarded-For` header.
pub(crate) fn of_x_forwarded_for<'a>(lines: impl Iterator<Item = &'a str>) -> Hops {
    lines.flat_map(|line| line.split(',')).map(|hop| address(hop.trim())).collect()
}

/// The hop that one element names in its only `for`.
fn of_element(element: &str) -> Option<Option<IpAddr>> {
    let mut hop = None;
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if !name.eq_ignore_ascii_case("for") {
            continue;
        }
        if hop.is_some() {
            return None;
        }
        hop = Some(address(unquoted(value)?));
    }
    Some(hop.flatten())
}

/// The parts of a text between separators that stand outside of quotes; `None` where quotes do not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if letter == separator && !quoted => {
                parts.push(text[start..at].trim());
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    (!quoted).then_some(parts)
}

/// A value without its quotes. No address needs an escape, so one with escapes is none.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains('"')),
        None => (!value.contains('"')).then_some(value),
    }
}

/// An address, in brackets or not, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = in_brackets {
        return inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(hops: Hops) -> String {
        let told = hops.iter().map(|hop| hop.map_or("-".to_owned(), |address| address.to_string()));
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn forwarded_is_read_as_the_standard_writes_it() {
        for (lines, hops) in [
            (&["for=192.0.2.43"][..], Some("192.0.2.43")),
            (&["For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], Some("192.0.2.60")),
            (&["for=192.0.2.43, for=198.51.100.17"], Some("192.0.2.43 198.51.100.17")),
            (&["for=192.0.2.43", "for=\"198.51.100.17:80\""], Some("192.0.2.43 198.51.100.17")),
            (&["for=\"_gazonk\", for=unknown, by=10.0.0.1"], Some("- - -")),
            (&["proto=\"a,for=1.2.3.4\";for=192.0.2.1"], Some("192.0.2.1")),
            // What swallows what the proxy adds, or says two things, or nothing.
            (&["for=\"192.0.2.1, for=192.0.2.2"], None),
            (&["for=\"\\", "for=192.0.2.2"], None),
            (&["for=192.0.2.1;for=192.0.2.2"], None),
            (&["192.0.2.1"], None),
            (&["for=\"192.0.2.1"], None),
            (&["for=192.0.2.1\""], None),
            (&[""], None),
            (&["for=192.0.2.1,"], None),
            (&["for=\"a\"192.0.2.1\""], None),
        ] {
            let read = of_forwarded(lines.iter().copied()).map(told);
            assert_eq!(read.as_deref(), hops, "{lines:?}");
        }
    }

    #[test]
    fn x_forwarded_for_is_a_list_of_addresses() {
        for (line, hops) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:443 ,  2001:db8::1", "192.0.2.1 2001:db8::1"),
            ("[2001:db8::1], [2001:db8::1]:80", "2001:db8::1 2001:db8::1"),
            ("unknown, 192.0.2.1, ", "- 192.0.2.1 -"),
            ("192.0.2.1.5, 192.0.2, 0300.0.2.1, fe80::1%eth0, [192.0.2.1], 1", "- - - - - -"),
            ("", "-"),
        ] {
            assert_eq!(told(of_x_forwarded_for([line].into_iter())), hops, "{line}");
        }
    }
}

//! Whether a value can be what its field holds. Everything else is kept as typed.

use lockstep_client::item::Value;
use lockstep_client::item::views::field;
use lockstep_client::tools::Totp;
use url::Url;

/// How a wireless network is protected.
const SECURITY: [&str; 4] = ["wpa2", "wpa3", "wep", "open"];

/// The value of the field `key` that `text` stands for; the refusal says what the field takes, and never repeats the text,
/// which may be a secret.
///
/// # Errors
/// What is wrong, for a person.
pub(crate) fn checked(key: &str, text: &str) -> Result<Value, String> {
    let expects = |what: &str| Err(format!("{key} takes {what}; nothing was changed"));
    match key {
        _ if text.is_empty() => Err(format!(
            "an empty value is no value; to clear the field use `lockstep edit ITEM --clear {key}`; nothing was changed"
        )),
        field::FAVOURITE => switch(text).map_or_else(|| expects(SWITCH), |on| Ok(on.into())),
        "hidden" => switch(text).map_or_else(|| expects(SWITCH), |on| Ok(switch_text(on).into())),
        "security" => {
            let known = SECURITY.into_iter().find(|known| known.eq_ignore_ascii_case(text));
            known.map_or_else(|| expects(&SECURITY.join(", ")), |known| Ok(known.into()))
        }
        "expiry-month" => match text.parse::<u8>() {
            Ok(month @ 1..=12) => Ok(month.to_string().into()),
            _ => expects("a month, 1 to 12"),
        },
        "expiry-year"
            if !matches!(text.len(), 2 | 4) || !text.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            expects("a year of 2 or 4 digits")
        }
        "public-key" if text.contains(['\n', '\r']) => expects("one line"),
        "endpoint" => address(text),
        field::TOTP => {
            Totp::parse(text).map(|_| text.into()).map_err(|error| format!("{error}; nothing was changed"))
        }
        _ => Ok(text.into()),
    }
}

const SWITCH: &str = "on or off (also yes, true, 1, no, false, 0)";

/// What a switch is set to.
pub(crate) fn switch(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match (is(["on", "yes", "true", "1"]), is(["off", "no", "false", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// How a document holds a switch as text.
pub(crate) fn switch_text(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// An address of a site or an app: with a scheme (`https://…`, `androidapp://…`, `mailto:…`), or a host alone with port and
/// path if need be. Lenient, since people keep addresses of routers and of apps; but what holds a blank or a control
/// character was meant for another field, and no browser would ever match it.
///
/// # Errors
/// What is wrong, for a person.
pub(crate) fn address(text: &str) -> Result<Value, String> {
    let is_clean = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let is_address =
        is_clean && (Url::parse(&with_scheme).is_ok_and(|url| has_content(&url)) || is_opaque(text));
    if is_address {
        return Ok(text.into());
    }
    Err("this is no address: write it like https://example.org or example.org, without blanks; nothing was changed"
        .to_owned())
}

fn has_content(url: &Url) -> bool {
    url.host_str().is_some_and(|host| !host.is_empty()) || !url.path().trim_matches('/').is_empty()
}

/// `mailto:anna@example.org`, `urn:…`: a scheme without a host.
fn is_opaque(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.cannot_be_a_base() && !url.path().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_takes_what_it_can_hold() {
        for (key, text, value) in [
            ("favourite", "on", Value::Bool(true)),
            ("favourite", "YES", Value::Bool(true)),
            ("favourite", "1", Value::Bool(true)),
            ("favourite", "true", Value::Bool(true)),
            ("favourite", "off", Value::Bool(false)),
            ("favourite", "No", Value::Bool(false)),
            ("favourite", "false", Value::Bool(false)),
            ("favourite", "0", Value::Bool(false)),
            ("hidden", "yes", "true".into()),
            ("hidden", "off", "false".into()),
            ("security", "WPA2", "wpa2".into()),
            ("security", "open", "open".into()),
            ("expiry-month", "03", "3".into()),
            ("expiry-month", "12", "12".into()),
            ("expiry-year", "2031", "2031".into()),
            ("expiry-year", "31", "31".into()),
            ("endpoint", "https://api.test/v1?x=1", "https://api.test/v1?x=1".into()),
            ("totp", "jbsw y3dp ehpk 3pxp", "jbsw y3dp ehpk 3pxp".into()),
            ("username", " banana ", " banana ".into()),
            ("notes", "a\r\nb", "a\r\nb".into()),
        ] {
            assert_eq!(checked(key, text).unwrap(), value, "{key}={text}");
        }
    }

    #[test]
    fn what_a_field_cannot_hold_is_refused_and_not_repeated() {
        for (key, text) in [
            ("favourite", "banana"),
            ("favourite", "2"),
            ("hidden", "banana"),
            ("security", "banana"),
            ("expiry-month", "0"),
            ("expiry-month", "13"),
            ("expiry-month", "banana"),
            ("expiry-year", "banana"),
            ("expiry-year", "203"),
            ("expiry-year", "ab"),
            ("public-key", "ssh-ed25519\nbanana"),
            ("endpoint", "ba nana"),
            ("totp", "banana"),
            ("totp", "garbage"),
        ] {
            let refused = checked(key, text).unwrap_err();
            assert!(refused.ends_with("nothing was changed"), "{refused}");
            assert!(text.len() < 5 || !refused.contains(text), "{refused}");
        }
        for key in ["username", "notes", "password", "favourite"] {
            assert!(checked(key, "").unwrap_err().contains(&format!("--clear {key}")), "{key}");
        }
    }

    #[test]
    fn an_address_is_one_of_a_site_or_an_app() {
        for text in [
            "https://example.org",
            "http://192.168.0.1/",
            "HTTPS://EXAMPLE.ORG/Path?x=1#y",
            "https://münchen.example/",
            "https://[2001:db8::1]:8443/x",
            "example.org",
            "example.org:8080/admin",
            "localhost",
            "router",
            "[::1]:7390",
            "münchen.example",
            "androidapp://com.example.app",
            "iosapp://com.example",
            "ssh://git@example.org:22/x",
            "about:blank",
            "mailto:anna@example.org",
            "file:///home/anna/x.html",
        ] {
            assert_eq!(address(text), Ok(text.into()), "{text}");
        }
        for text in [
            "",
            " ",
            "two words",
            "https://exam ple.org",
            "https://",
            "https://example.org\nx",
            "a\tb",
            "https://example.org:99999",
            "https://[::1",
            "androidapp://",
            "x\u{7}y",
            "exa<mple.org",
        ] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }
}

//! Dates of other programs to milliseconds since 1970, and times as Bitwarden writes them.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::{SignedDuration, fmt::rfc2822};
use serde_json::Value as Json;

/// No date has a longer text.
const MAX_TEXT: usize = 64;
/// Numbers below are seconds since 1970 (until the year 5138), others milliseconds (from 1973 on).
const FIRST_MILLISECONDS: f64 = 1e11;
/// Fewer digits are no time since 1970 but a year or a short date.
const MIN_DIGITS: usize = 9;
/// Further forms, in the order in which they are tried. Dates with slashes are American, with full stops European.
const FORMS: [&str; 12] = [
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%a %b %d %H:%M:%S %Y",
];

/// What a member that should hold a date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadDate {
    /// Nothing: it is absent or null.
    Absent,
    /// A time, in milliseconds since 1970.
    At(u64),
    /// Something that is no date from 1970 to 9999.
    Unreadable,
}

impl ReadDate {
    /// The time, if it could be read.
    pub(crate) fn ms(self) -> Option<u64> {
        match self {
            Self::At(ms) => Some(ms),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// Reads a date in any usual form: text, seconds or milliseconds since 1970, `{"$date": …}`. Without a zone: UTC.
pub(crate) fn read_date(json: Option<&Json>) -> ReadDate {
    let ms = match json {
        None | Some(Json::Null) => return ReadDate::Absent,
        Some(Json::String(text)) => parse_ms(text),
        Some(Json::Number(number)) => number.as_f64().and_then(since_1970),
        Some(Json::Object(members)) => {
            let inner = members.get("$date").or_else(|| members.get("$numberLong"));
            // One level for each of both members, so that no nesting is followed further.
            let inner = inner.map(|inner| inner.get("$numberLong").unwrap_or(inner));
            return match inner {
                Some(Json::String(_) | Json::Number(_)) => read_date(inner),
                _ => ReadDate::Unreadable,
            };
        }
        Some(_) => None,
    };
    ms.map_or(ReadDate::Unreadable, ReadDate::At)
}

/// Milliseconds since 1970 of a date; finer parts are cut off. `None` for what is no date, and outside 1970 to 9999.
fn parse_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return None;
    }
    if text.len() >= MIN_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return since_1970(text.parse().ok()?);
    }
    parse_iso(text)
        .or_else(|| parse_mail(text))
        .or_else(|| FORMS.iter().find_map(|form| parse_form(form, text)))
}

/// ISO 8601, RFC 3339 and RFC 9557 in their usual forms.
fn parse_iso(text: &str) -> Option<u64> {
    let zoneless = [" UTC", " GMT", " Z"].iter().find_map(|zone| text.strip_suffix(zone));
    let pieces = Pieces::parse(zoneless.unwrap_or(text)).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    to_ms(local, pieces.to_numeric_offset())
}

/// RFC 2822 and, with `GMT`, the dates of HTTP.
fn parse_mail(text: &str) -> Option<u64> {
    let parsed = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text);
    u64::try_from(parsed.ok()?.as_millisecond()).ok()
}

fn parse_form(form: &str, text: &str) -> Option<u64> {
    // JavaScript adds the zone's name in brackets.
    let text = text.split_once(" (").map_or(text, |(date, _)| date);
    let parsed: BrokenDownTime = strtime::parse(form, text).ok()?;
    let time = parsed.to_time().unwrap_or(Time::midnight());
    to_ms(parsed.to_date().ok()?.to_datetime(time), parsed.offset())
}

fn to_ms(local: DateTime, offset: Option<Offset>) -> Option<u64> {
    let offset = SignedDuration::from_secs(offset.map_or(0, |offset| i64::from(offset.seconds())));
    let utc = local.checked_sub(offset).ok()?;
    u64::try_from(utc.duration_since(epoch()).as_millis()).ok()
}

fn since_1970(number: f64) -> Option<u64> {
    const LAST: f64 = 253_402_300_799_999.0;
    let ms = if number < FIRST_MILLISECONDS { number * 1_000.0 } else { number };
    // Within these bounds a float is an exact count of milliseconds.
    (0.0..=LAST).contains(&ms).then_some(ms as u64)
}

/// A time as Bitwarden writes it: UTC with three decimals. Times after the year 9999 are its last millisecond.
pub(crate) fn format_ms(ms: u64) -> String {
    let since = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    let utc = epoch().checked_add(since).unwrap_or(DateTime::MAX);
    utc.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn epoch() -> DateTime {
    DateTime::from_parts(Date::constant(1970, 1, 1), Time::midnight())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON: u64 = 1_675_245_600_000;

    #[test]
    fn times_survive_both_ways() {
        for text in ["1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "9999-12-31T23:59:59.999Z"] {
            assert_eq!(format_ms(parse_ms(text).unwrap()), text);
        }
        for day in 0..40_000_u64 {
            let ms = day * 86_400_000 + day;
            assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        }
        assert_eq!(format_ms(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn usual_forms_say_the_same_time() {
        for text in [
            "2023-02-01T10:00:00.000Z",
            "2023-02-01T10:00:00Z",
            "2023-02-01T10:00:00.0000000+00:00",
            "2023-02-01T10:00:00",
            "2023-02-01T10:00:00+0000",
            "2023-02-01T10:00:00+00",
            "2023-02-01T12:00:00+02",
            "2023-02-01T05:30:00-04:30",
            "2023-02-01T10:00Z",
            "2023-02-01 10:00:00",
            "2023-02-01 10:00:00 UTC",
            "2023-02-01t10:00:00z",
            "20230201T100000Z",
            "+002023-02-01T10:00:00Z",
            "Wed, 01 Feb 2023 10:00:00 GMT",
            "Wed, 1 Feb 2023 12:00:00 +0200",
            "02/01/2023 10:00:00",
            "2/1/2023 10:00:00 AM",
            "2/1/2023 10:00",
            "01.02.2023 10:00:00",
            "2023/02/01 10:00:00",
            "Wed Feb 01 2023 10:00:00 GMT+0000 (Coordinated Universal Time)",
            "Wed Feb 01 10:00:00 2023",
            "1675245600",
            "1675245600000",
            " 2023-02-01T10:00:00Z ",
        ] {
            assert_eq!(parse_ms(text), Some(NOON), "{text}");
        }
        assert_eq!(parse_ms("2023-02-01T10:00:00,123Z"), Some(NOON + 123));
        assert_eq!(parse_ms("2023-02-01T10:00:00.1234567"), Some(NOON + 123));
        for text in ["2023-02-01", "20230201", "02/01/2023", "01.02.2023", "2023/02/01"] {
            assert_eq!(parse_ms(text), Some(NOON - 36_000_000), "{text}");
        }
    }

    #[test]
    fn numbers_and_objects_are_dates_too() {
        for json in [
            json!(1_675_245_600_000_u64),
            json!(1_675_245_600),
            json!(1_675_245_600.0),
            json!({ "$date": "2023-02-01T10:00:00Z" }),
            json!({ "$date": 1_675_245_600_000_u64 }),
            json!({ "$date": { "$numberLong": "1675245600000" } }),
        ] {
            assert_eq!(read_date(Some(&json)), ReadDate::At(NOON), "{json}");
        }
        assert_eq!(read_date(Some(&json!(0))), ReadDate::At(0));
        assert_eq!(read_date(Some(&Json::Null)), ReadDate::Absent);
        assert_eq!(read_date(None), ReadDate::Absent);
    }

    #[test]
    fn what_is_no_date_of_our_time_is_unreadable() {
        for json in [
            json!(""),
            json!("T"),
            json!("yesterday"),
            json!("2024-13-01T00:00:00Z"),
            json!("2023-02-30T10:00:00Z"),
            json!("2023-02-01T24:00:00Z"),
            json!("1969-12-31T23:59:59Z"),
            json!("1970-01-01T00:00:00+01:00"),
            json!("1601-01-01T00:00:00Z"),
            json!("0001-01-01T00:00:00"),
            json!("10000-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:59-01:00"),
            json!("2023"),
            json!("é-é-éTéZ"),
            json!("9".repeat(1_000_000)),
            json!("9".repeat(40)),
            json!(-11_644_473_600_i64),
            json!(1e300),
            json!(true),
            json!([]),
            json!({}),
            json!({ "$date": { "$date": "2023-02-01T10:00:00Z" } }),
        ] {
            let text = json.to_string();
            assert_eq!(read_date(Some(&json)), ReadDate::Unreadable, "{}", text.get(..40).unwrap_or(&text));
        }
    }
}

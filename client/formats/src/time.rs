//! RFC 3339 times to milliseconds since 1970 and back.

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970 of an RFC 3339 time; finer parts are cut off. `None` for anything else, and before 1970.
pub(crate) fn parse_ms(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, offset_minutes) = split_offset(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':').map(digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if date.next().is_some() || clock.next().is_some() || !in_range || year > 9_999 {
        return None;
    }
    let ms = digits(&format!("{:0<3.3}", fraction))?;
    let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
    u64::try_from(days_from_civil(year, month, day) * DAY_MS + seconds * 1_000 + ms).ok()
}

/// A time as Bitwarden writes it: UTC with three decimals.
pub(crate) fn format_ms(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let (year, month, day) = civil_from_days(ms / DAY_MS);
    let rest = ms % DAY_MS;
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let sign = time.rfind(['+', '-'])?;
    let (hours, minutes) = time.get(sign + 1..)?.split_once(':')?;
    let minutes = digits(hours)? * 60 + digits(minutes)?;
    Some((time.get(..sign)?, if time[sign..].starts_with('-') { -minutes } else { minutes }))
}

/// Days since 1970 of a date in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_both_ways() {
        for text in ["1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "2024-12-19T11:02:11.000Z"] {
            assert_eq!(format_ms(parse_ms(text).unwrap()), text);
        }
        assert_eq!(parse_ms("2001-09-09T01:46:40Z"), Some(1_000_000_000_000));
        assert_eq!(parse_ms("2001-09-09T03:46:40.5+02:00"), Some(1_000_000_000_500));
        assert_eq!(parse_ms("2001-09-08T21:46:40.1234567-04:00"), Some(1_000_000_000_123));
        for day in 0..40_000_u64 {
            let ms = day * 86_400_000 + day;
            assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "T",
            "2024-13-01T00:00:00Z",
            "2024-01-01",
            "1969-12-31T23:59:59Z",
            "2024-01-01T00:00:00",
            "é-é-éTéZ",
        ] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }
}

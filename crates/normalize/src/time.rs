//! Texts and numbers to nanoseconds since the Unix epoch.
//!
//! Nearly every record has an RFC 3339 time, so that form is read by hand; a calendar library costs ten times as much.
//! What cannot be a time of a log (before 1973, after 2262, the 31st of June) is `None`, and the caller keeps the text.

use logkeep_record::Value;

const NS: i64 = 1_000_000_000;
/// Epoch numbers below this many seconds are counters or durations, not times (March 1973).
const FIRST_SECOND: i64 = 100_000_000;

/// From whatever a sender put under a time key.
pub(crate) fn from_value(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => from_epoch(*number),
        Value::Double(number) => from_epoch_double(*number),
        Value::Str(text) => from_text(text),
        _ => None,
    }
}

/// RFC 3339 and its usual variations, the Common Log Format, or an epoch number.
pub(crate) fn from_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some((ns, rest)) = date_time_prefix(text) {
        return rest.is_empty().then_some(ns);
    }
    if text.as_bytes().get(2) == Some(&b'/') {
        return common_log(text);
    }
    epoch_text(text)
}

/// A date and time at the start of `text`, and what follows it: `2026-11-20T10:00:00.123456789Z`, also with a space
/// or a comma, with an offset such as `+01:00` or `+0100`, or without one, which we read as UTC.
pub(crate) fn date_time_prefix(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes[4] != b'-' || bytes[7] != b'-' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i64::from(two(bytes, 0)?) * 100 + i64::from(two(bytes, 2)?);
    let days = days_from_civil(year, two(bytes, 5)?, two(bytes, 8)?)?;
    let clock = clock(two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?)?;
    let (fraction_ns, at) = fraction(bytes, 19);
    let (offset_s, at) = offset(bytes, at)?;
    let seconds = days * 86_400 + clock - offset_s;
    let ns = in_range(seconds)?.checked_mul(NS)?.checked_add(fraction_ns)?;
    Some((ns, &text[at..]))
}

/// `20/Nov/2026:10:00:00 +0000`, as Apache and its imitators write it.
fn common_log(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 26 || bytes[6] != b'/' || bytes[11] != b':' || bytes[20] != b' ' {
        return None;
    }
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let month = MONTHS.iter().position(|name| bytes[3..6].eq_ignore_ascii_case(name))? as u32 + 1;
    let year = i64::from(two(bytes, 7)?) * 100 + i64::from(two(bytes, 9)?);
    let days = days_from_civil(year, month, two(bytes, 0)?)?;
    let clock = clock(two(bytes, 12)?, two(bytes, 15)?, two(bytes, 18)?)?;
    let (offset_s, end) = offset(bytes, 21)?;
    if end != bytes.len() {
        return None;
    }
    in_range(days * 86_400 + clock - offset_s)?.checked_mul(NS)
}

/// `1120 10:00:00.123456` (month, day, time), the year being the one that puts it nearest to `near_ns`.
pub(crate) fn klog(text: &str, near_ns: i64) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 13 || bytes[4] != b' ' || bytes[7] != b':' || bytes[10] != b':' {
        return None;
    }
    let (month, day) = (two(bytes, 0)?, two(bytes, 2)?);
    let clock = clock(two(bytes, 5)?, two(bytes, 8)?, two(bytes, 11)?)?;
    let (fraction_ns, _) = fraction(bytes, 13);
    let this_year = 1970 + near_ns.div_euclid(NS).div_euclid(31_556_952);
    (this_year - 1..=this_year + 1)
        .filter_map(|year| {
            let seconds = days_from_civil(year, month, day)? * 86_400 + clock;
            in_range(seconds)?.checked_mul(NS)?.checked_add(fraction_ns)
        })
        .min_by_key(|ns| ns.abs_diff(near_ns))
}

/// Seconds, milliseconds, microseconds or nanoseconds, told apart by size.
pub(crate) fn from_epoch(number: i64) -> Option<i64> {
    let unit = match number {
        FIRST_SECOND..100_000_000_000 => NS,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        100_000_000_000_000_000.. => 1,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// A double holds a time of today to about a quarter of a microsecond, so no more than microseconds are read from it.
fn from_epoch_double(number: f64) -> Option<i64> {
    let us_per_unit = match number {
        n if !(FIRST_SECOND as f64..1e18).contains(&n) => return None,
        n if n < 1e11 => 1e6,
        n if n < 1e14 => 1e3,
        n if n < 1e17 => 1.0,
        _ => 1e-3,
    };
    ((number * us_per_unit).round() as i64).checked_mul(1_000)
}

/// `1795168800`, `1795168800123`, `1795168800.123456789`.
fn epoch_text(text: &str) -> Option<i64> {
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) => (whole, rest),
        Some(_) => return None,
        None => (text, ""),
    };
    if whole.len() > 19 || whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let ns = from_epoch(number)?;
    if rest.is_empty() {
        return Some(ns);
    }
    let unit = ns / number;
    let mut fraction_ns = 0;
    let mut place = unit;
    for digit in rest.bytes().take(9) {
        place /= 10;
        fraction_ns += place * i64::from(digit - b'0');
    }
    ns.checked_add(fraction_ns)
}

fn two(bytes: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (bytes.get(at)?.wrapping_sub(b'0'), bytes.get(at + 1)?.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Seconds of the day. A leap second counts as the second before it, as POSIX time has no place for it.
fn clock(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| i64::from(hour * 3_600 + minute * 60 + second.min(59)))
}

/// Digits after `.` or `,`, cut at nanoseconds, and where they end.
fn fraction(bytes: &[u8], mut at: usize) -> (i64, usize) {
    let digit_follows = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if !digit_follows || !matches!(bytes[at], b'.' | b',') {
        return (0, at);
    }
    at += 1;
    let (mut ns, mut place) = (0, NS / 10);
    while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
        ns += place * i64::from(digit - b'0');
        place /= 10;
        at += 1;
    }
    (ns, at)
}

/// Seconds east of UTC, and where the offset ends. Absent is UTC.
fn offset(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let sign = match bytes.get(at) {
        Some(b'Z' | b'z') => return Some((0, at + 1)),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Some((0, at)),
    };
    let hours = two(bytes, at + 1)?;
    let minutes_at = if bytes.get(at + 3) == Some(&b':') { at + 4 } else { at + 3 };
    let minutes = two(bytes, minutes_at)?;
    (hours < 24 && minutes < 60).then(|| (sign * i64::from(hours * 3_600 + minutes * 60), minutes_at + 2))
}

fn in_range(seconds: i64) -> Option<i64> {
    (FIRST_SECOND..=i64::MAX / NS - 1).contains(&seconds).then_some(seconds)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, years counted from March so that the leap day
/// comes last.
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        let expected = expected.map(|text| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64);
        assert_eq!(from_text(text), expected, "{text}");
    }

    #[test]
    fn texts() {
        let at = Some("2026-11-20T10:00:00.123Z");
        for text in [
            "2026-11-20T10:00:00.123Z",
            "2026-11-20 10:00:00,123",
            "2026-11-20T11:00:00.123+01:00",
            "2026-11-20T04:30:00.123-0530",
            " 2026-11-20t10:00:00.123z ",
            "1795168800123",
            "1795168800.123",
            "1795168800123000",
            "1795168800123000000",
            "1795168800123.0",
        ] {
            check(text, at);
        }
        check("20/Nov/2026:10:00:00 +0000", Some("2026-11-20T10:00:00Z"));
        check("20/Nov/2026:10:00:00 -0130", Some("2026-11-20T11:30:00Z"));
        check("2028-02-29T23:59:60Z", Some("2028-02-29T23:59:59Z"));
        check("1795168800", Some("2026-11-20T10:00:00Z"));
        for text in [
            "",
            "-",
            "now",
            "0001-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T10:00:00Zx",
            "2026-11-20T10:00:00.Z",
            "9999-12-31T23:59:59Z",
            "0",
            "12",
            "-1795168800",
            "99999999999999999999",
            "1795168800.",
            "20/Foo/2026:10:00:00 +0000",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(from_value(&Value::Double(1_795_168_800.123_456)), Some(1_795_168_800_123_456_000));
        assert_eq!(from_value(&Value::Double(1_795_168_800_123.0)), Some(1_795_168_800_123_000_000));
        for wrong in [f64::NAN, f64::INFINITY, -1.0, 3.5, 1e300] {
            assert_eq!(from_value(&Value::Double(wrong)), None, "{wrong}");
        }
        assert_eq!(from_epoch(i64::MAX), Some(i64::MAX));
        assert_eq!(from_epoch(i64::MIN), None);
    }

    #[test]
    fn klog_year_is_the_nearest() {
        let new_year = 1_798_761_600_000_000_000; // 2027-01-01T00:00:00Z
        let ns = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64;
        assert_eq!(klog("1231 23:59:59.5 1 x", new_year), Some(ns("2026-12-31T23:59:59.5Z")));
        assert_eq!(klog("0101 00:00:01 1 x", new_year - NS), Some(ns("2027-01-01T00:00:01Z")));
        assert_eq!(klog("9999 00:00:01", new_year), None);
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(seconds in FIRST_SECOND..9_223_372_000i64, nanos in 0..NS, offset_min in -1_439i64..1_440) {
            let ns = seconds * NS + nanos;
            let zone = jiff::tz::Offset::from_seconds(offset_min as i32 * 60).unwrap();
            let timestamp = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap();
            prop_assert_eq!(from_text(&timestamp.to_string()), Some(ns));
            prop_assert_eq!(from_text(&timestamp.display_with_offset(zone).to_string()), Some(ns));
        }

        #[test]
        fn takes_no_date_that_jiff_refuses(text in "[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z") {
            let expected = text.parse::<jiff::Timestamp>().ok().map(|t| t.as_nanosecond());
            if let Some(ns) = from_text(&text) {
                prop_assert_eq!(Some(i128::from(ns)), expected);
            } else {
                prop_assert!(expected.is_none_or(|ns| !(i128::from(FIRST_SECOND * NS)..9_223_372_035_000_000_000).contains(&ns)));
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}", number: i64, double: f64) {
            from_text(&text);
            from_epoch(number);
            from_epoch_double(double);
            klog(&text, number);
        }
    }
}

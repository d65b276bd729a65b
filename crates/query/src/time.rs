//! The times of a request, as `docs/api.md` has them, to nanoseconds since the Unix epoch.

use jiff::Timestamp;

/// A time that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time; use RFC 3339 like `2026-11-20T10:00:00Z`, an epoch number, `now`, or a distance like `-15m`"
)]
pub struct TimeError(String);

/// Reads a time: RFC 3339, an epoch number, `now`, or a distance from now like `-15m` (units `ns us ms s m h d w`).
/// `now-15m` is the same as `-15m`. Results beyond what 64 bits of nanoseconds hold are errors.
///
/// # Errors
/// [`TimeError`] for anything else.
pub fn parse(text: &str, now_ns: i64) -> Result<i64, TimeError> {
    let fault = || TimeError(shortened(text));
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now_ns);
    }
    let relative = text.strip_prefix("now").unwrap_or(text);
    if let Some(distance) = relative.strip_prefix('-').and_then(parse_duration) {
        return now_ns.checked_sub(distance).ok_or_else(fault);
    }
    if let Some(distance) = relative.strip_prefix('+').and_then(parse_duration) {
        return now_ns.checked_add(distance).ok_or_else(fault);
    }
    parse_absolute(text)
}

/// Reads a time that does not depend on now: RFC 3339 or an epoch number.
///
/// # Errors
/// [`TimeError`] for anything else.
pub fn parse_absolute(text: &str) -> Result<i64, TimeError> {
    let fault = || TimeError(shortened(text));
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return epoch(number).ok_or_else(fault);
    }
    let timestamp: Timestamp = text.parse().map_err(|_| fault())?;
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| fault())
}

/// Seconds below 10^11 (until the year 5138), then milliseconds below 10^14, microseconds below 10^17 and nanoseconds,
/// each from 1973 on.
fn epoch(number: i64) -> Option<i64> {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.checked_mul(1_000_000_000),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.checked_mul(1_000),
        _ => Some(number),
    }
}

/// Reads an unsigned distance like `15m` or `1h30m` as nanoseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_ns(unit)?)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

fn unit_ns(unit: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000_000;
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => 86_400 * SECOND,
        "w" => 7 * 86_400 * SECOND,
        _ => return None,
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_168_800_000_000_000;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse(text, NOW).ok(), expected, "{text}");
    }

    #[test]
    fn every_form() {
        check("now", Some(NOW));
        check("-15m", Some(NOW - 900_000_000_000));
        check("now-1h30m", Some(NOW - 5_400_000_000_000));
        check("+1s", Some(NOW + 1_000_000_000));
        check("-1w", Some(NOW - 604_800_000_000_000));
        check("-5us", Some(NOW - 5_000));
        check("2026-11-20T10:00:00Z", Some(NOW));
        check("2026-11-20T11:00:00.5+01:00", Some(NOW + 500_000_000));
        check("1795168800", Some(NOW));
        check("1795168800000", Some(NOW));
        check("1795168800000000", Some(NOW));
        check("1795168800000000000", Some(NOW));
        check("0", Some(0));
        check("-5", Some(-5_000_000_000));
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "yesterday", "-15", "-15x", "2026-11-20", "-m", "-1h30", "99999999999999999999", "-9999999w"] {
            let expected = if text == "-15" { Some(-15_000_000_000) } else { None };
            check(text, expected);
        }
        assert!(parse(&"x".repeat(1_000_000), NOW).unwrap_err().to_string().len() < 300);
    }
}

//! Stamps, with and without a year.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

fn nanoseconds(time: Timestamp) -> Option<i64> {
    i64::try_from(time.as_nanosecond()).ok()
}

fn at(time: DateTime, utc_offset_s: i32) -> Option<i64> {
    nanoseconds(Offset::from_seconds(utc_offset_s).ok()?.to_timestamp(time).ok()?)
}

/// RFC 3339, and the same without a zone.
pub(super) fn iso(text: &str, utc_offset_s: i32) -> Option<i64> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse::<Timestamp>()
        .ok()
        .and_then(nanoseconds)
        .or_else(|| text.parse::<DateTime>().ok().and_then(|time| at(time, utc_offset_s)))
}

/// `Nov  6 10:00:00` or `Nov 06 10:00:00.123`, and what follows it. The year is the one that puts it nearest to
/// `received_ns`, so that the last second of December that arrives in January is not a year late.
pub(super) fn without_year(text: &str, utc_offset_s: i32, received_ns: i64) -> Option<(i64, &str)> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = text.get(..3)?;
    let month = MONTHS.iter().position(|month| *month == name)? as i8 + 1;
    let rest = text[3..].strip_prefix(' ')?.trim_start();
    let (day, rest) = rest.split_once(' ')?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | ':' | '.')).unwrap_or(rest.len());
    let (clock, rest) = rest.split_at(end);
    // The colon is HAProxy's and Cisco's habit.
    let clock: Time = clock.trim_end_matches(':').parse().ok()?;
    let day = day.parse().ok()?;
    let received = Timestamp::from_nanosecond(received_ns.into()).ok()?;
    let year = Offset::from_seconds(utc_offset_s).ok()?.to_datetime(received).year();
    let nearest = [year.checked_sub(1), Some(year), year.checked_add(1)]
        .into_iter()
        .flatten()
        .filter_map(|year| at(Date::new(year, month, day).ok()?.to_datetime(clock), utc_offset_s))
        .min_by_key(|time_ns| time_ns.abs_diff(received_ns))?;
    Some((nearest, rest))
}

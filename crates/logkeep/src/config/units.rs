//! Sizes and times as people write them.

use std::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads a size: a whole number of bytes, or one with a unit (`KiB MiB GiB kB MB GB`).
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (text[..digits].parse::<u64>().ok()?, text[digits..].trim_start());
    if unit.is_empty() {
        return Some(number);
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

/// A size in the largest binary unit that holds it exactly.
pub fn format_bytes(bytes: u64) -> String {
    let exact = UNITS[..3].iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    match exact {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// Reads a duration with a unit, like `30s`, `5m` or `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let ns = logkeep_query::time::parse_duration(text.trim())?;
    u64::try_from(ns).ok().map(Duration::from_nanos)
}

/// A duration in the largest unit that holds it exactly.
pub fn format_duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    for (unit, factor) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)] {
        if ns > 0 && ns.is_multiple_of(factor) {
            return format!("{}{unit}", ns / factor);
        }
    }
    format!("{ns}ns")
}

//! Lines whose head has a form and whose rest is a message: CRI, klog, and level words.

use logkeep_record::{Severity, Value};

use super::Parsed;
use crate::time;

/// How far into a line a level word is looked for, after the time.
const LEVEL_WITHIN_BYTES: usize = 64;
const LEVEL_WITHIN_WORDS: usize = 6;

/// ` stdout F message`: what follows the time in a Kubernetes container log.
pub(super) fn cri(after_time: &str) -> Option<Parsed<'_>> {
    let rest = after_time.strip_prefix(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let (tags, message) = rest.split_once(' ').unwrap_or((rest, ""));
    let complete = tags.split(':').next()?;
    if !matches!(complete, "F" | "P") {
        return None;
    }
    let mut pairs = vec![("stream".into(), Value::str(stream))];
    if complete == "P" {
        pairs.push(("log.record.partial".into(), Value::Bool(true)));
    }
    Some(Parsed { pairs, message: Some(message.into()), ..Parsed::default() })
}

/// `E1120 10:00:00.123456    1234 file.go:123] message`: Kubernetes' own components.
pub(super) fn klog(line: &str, received_ns: i64) -> Option<Parsed<'_>> {
    let (header, _) = line.get(..line.len().min(256)).unwrap_or(line).split_once("] ")?;
    let time_ns = time::klog(header.get(1..)?, received_ns)?;
    let mut words = header.split_ascii_whitespace().skip(2);
    let (thread, place) = (words.next()?.parse::<i64>().ok()?, words.next()?);
    let (file, number) = place.rsplit_once(':')?;
    let pairs = vec![
        ("thread.id".into(), Value::Int(thread)),
        ("code.file.path".into(), Value::str(file)),
        ("code.line.number".into(), Value::Int(number.parse().ok()?)),
    ];
    let severity_text = &line[..1];
    Some(Parsed {
        pairs,
        time_ns: Some(time_ns),
        severity: Severity::from_text(severity_text),
        severity_text: severity_text.into(),
        ..Parsed::default()
    })
}

/// A level word where such words stand: among the first few, in capitals, in brackets or followed by a colon.
pub(super) fn level(line: &str) -> Option<Parsed<'_>> {
    let mut end = line.len().min(LEVEL_WITHIN_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let words = line[..end].split([' ', '\t', '|']).filter(|word| !word.is_empty());
    let mut time_ns = None;
    for (place, word) in words.take(LEVEL_WITHIN_WORDS).enumerate() {
        let bare = word.trim_matches(['[', ']', '(', ')', '<', '>', ':', ',', '-']);
        if place == 0 && bare.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            time_ns = time::date_time_prefix(bare).map(|(ns, _)| ns);
        }
        let marked = word.starts_with('[') || (place == 0 && word.ends_with(':'));
        if !(4..=9).contains(&bare.len()) && !matches!(bare, "ERR") {
            continue;
        }
        let capitals = bare.bytes().all(|b| b.is_ascii_uppercase());
        let bracketed = marked && bare.bytes().all(|b| b.is_ascii_alphabetic());
        if !(capitals || bracketed) {
            continue;
        }
        let severity = Severity::from_text(bare);
        if severity != Severity::UNSPECIFIED {
            return Some(Parsed { severity, severity_text: bare.into(), time_ns, ..Parsed::default() });
        }
    }
    time_ns.map(|ns| Parsed { time_ns: Some(ns), ..Parsed::default() })
}

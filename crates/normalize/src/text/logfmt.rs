//! `key=value key="quoted value"`: logfmt, and ztunnel's access log, which ends in such pairs.

use std::borrow::Cow;

use logkeep_record::{Attributes, Severity, Value};

use super::Parsed;
use crate::family::Family;
use crate::table;

/// Fewer pairs than this may be prose that happens to hold an equals sign.
const FEWEST_PAIRS: usize = 3;
/// More are no line of logfmt; a bound on the work for a hostile one.
const MOST_PAIRS: usize = 512;
/// Of all words, how many may be no pair.
const STRAY_WORDS: usize = 1;

/// A line in which all but one word are pairs.
pub(super) fn logfmt(line: &str) -> Option<Parsed<'_>> {
    let first = line.split(' ').next()?;
    if !first.contains('=') {
        return None;
    }
    let (pairs, stray) = read_pairs(line);
    if pairs.len() < FEWEST_PAIRS || stray > STRAY_WORDS {
        return None;
    }
    let family = Family::of(&pairs);
    Some(Parsed { family, pairs, ..Parsed::default() })
}

/// `\tinfo\taccess\tconnection complete\tsrc.addr=… src.workload="…" …`, what follows the time.
pub(super) fn ztunnel(after_time: &str) -> Option<Parsed<'_>> {
    let mut columns = after_time.strip_prefix('\t')?.splitn(4, '\t');
    let (level, scope) = (columns.next()?, columns.next()?);
    let message = columns.next()?;
    let fields = columns.next().unwrap_or_default();
    let (mut pairs, _) = read_pairs(fields);
    let family = Family::of(&pairs);
    pairs.insert(0, (Cow::Borrowed("scope"), Value::str(scope)));
    if family != Family::App {
        pairs.insert(1, (Cow::Borrowed("mesh.event"), Value::str(message)));
    }
    Some(Parsed {
        family,
        pairs,
        severity: Severity::from_text(level),
        severity_text: level.into(),
        ..Parsed::default()
    })
}

/// The pairs, and how many words were none.
fn read_pairs(mut text: &str) -> (Attributes<'_>, usize) {
    let (mut pairs, mut stray) = (Attributes::with_capacity(16), 0);
    loop {
        text = text.trim_start_matches([' ', '\t']);
        if text.is_empty() || pairs.len() == MOST_PAIRS || stray > STRAY_WORDS {
            return (pairs, stray);
        }
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        let word = &text[..end];
        let Some((key, _)) = word.split_once('=').filter(|(key, _)| is_key(key)) else {
            stray += 1;
            text = &text[end..];
            continue;
        };
        let value = &text[key.len() + 1..];
        if let Some(quoted) = value.strip_prefix('"') {
            let Some((inner, rest)) = unquote(quoted) else {
                stray += STRAY_WORDS + 1;
                continue;
            };
            pairs.push((Cow::Borrowed(key), Value::Str(inner)));
            text = rest;
        } else {
            let raw = &word[key.len() + 1..];
            pairs.push((Cow::Borrowed(key), if table::lookup(key).is_some() { Value::str(raw) } else { typed(raw) }));
            text = &text[end..];
        }
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 128
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'@'))
}

/// The text up to the closing quote, its escapes undone, and what follows the quote.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
    if text.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut inner = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(inner), &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => inner.push('\n'),
                't' => inner.push('\t'),
                'r' => inner.push('\r'),
                other => inner.push(other),
            },
            other => inner.push(other),
        }
    }
    None
}

/// A number or a truth value where the text is exactly what that value would be written as.
fn typed(text: &str) -> Value<'_> {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let Some(first) = text.bytes().next().filter(|b| b.is_ascii_digit() || *b == b'-') else {
        return Value::str(text);
    };
    let plain = text.len() <= 17 && text.bytes().skip(1).all(|b| b.is_ascii_digit() || b == b'.');
    let padded = first == b'0' && text.len() > 1 && !text.starts_with("0.");
    if !plain || padded {
        return Value::str(text);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Int(number);
    }
    text.parse::<f64>().map_or(Value::str(text), Value::Double)
}

//! Functions of texts.

use vrl::prelude::{KeyString, ObjectMap, Value, ValueRegex, VrlValueConvert, kind};

use super::{Arguments, Fails, Failure, Plain, TEXT_BYTES, bounded, needs, takes};
use crate::vrl::convert::to_vrl;

const TEXT: u16 = kind::BYTES;
const PATTERN: u16 = kind::BYTES | kind::REGEX;

pub(super) const FUNCTIONS: &[Plain] = &[
    plain("upcase", &[needs("value", TEXT)], TEXT, |a| bounded(a.text(0)?.to_uppercase())),
    plain("downcase", &[needs("value", TEXT)], TEXT, |a| bounded(a.text(0)?.to_lowercase())),
    plain("strip_whitespace", &[needs("value", TEXT)], TEXT, |a| bounded(a.text(0)?.trim().to_owned())),
    plain("strlen", &[needs("value", TEXT)], kind::INTEGER, |a| Ok(Value::from(a.text(0)?.chars().count()))),
    plain("contains", &[needs("value", TEXT), needs("substring", TEXT), CASE], kind::BOOLEAN, |a| {
        compared(a, |value, part| value.contains(part))
    }),
    plain("starts_with", &[needs("value", TEXT), needs("substring", TEXT), CASE], kind::BOOLEAN, |a| {
        compared(a, |value, part| value.starts_with(part))
    }),
    plain("ends_with", &[needs("value", TEXT), needs("substring", TEXT), CASE], kind::BOOLEAN, |a| {
        compared(a, |value, part| value.ends_with(part))
    }),
    plain("match", &[needs("value", TEXT), needs("pattern", kind::REGEX)], kind::BOOLEAN, |a| {
        let text = a.text(0)?;
        Ok(Value::Boolean(regex(a, 1)?.is_match(&text)))
    }),
    plain("truncate", &[needs("value", TEXT), needs("limit", kind::INTEGER), takes("suffix", TEXT)], TEXT, truncate),
    plain(
        "replace",
        &[needs("value", TEXT), needs("pattern", PATTERN), needs("with", TEXT), takes("count", kind::INTEGER)],
        TEXT,
        replace,
    )
    .failing(),
    plain(
        "split",
        &[needs("value", TEXT), needs("pattern", PATTERN), takes("limit", kind::INTEGER)],
        kind::ARRAY,
        split,
    ),
    plain("slice", &[needs("value", TEXT), needs("start", kind::INTEGER), takes("end", kind::INTEGER)], TEXT, slice)
        .failing(),
    plain("parse_json", &[needs("value", TEXT)], kind::ANY, |a| {
        let text = a.text(0)?;
        let parsed = logkeep_record::json::parse(&text).map_err(|error| error.to_string())?;
        Ok(to_vrl(&parsed))
    })
    .failing(),
    plain("encode_json", &[needs("value", kind::ANY)], TEXT, |a| {
        serde_json::to_string(&a.value(0)).map_err(|error| error.to_string().into()).and_then(bounded)
    }),
    plain("parse_regex", &[needs("value", TEXT), needs("pattern", kind::REGEX)], kind::OBJECT, parse_regex).failing(),
    plain(
        "parse_key_value",
        &[needs("value", TEXT), takes("key_value_delimiter", TEXT), takes("field_delimiter", TEXT)],
        kind::OBJECT,
        parse_key_value,
    )
    .failing(),
];

const CASE: vrl::compiler::Parameter = takes("case_sensitive", kind::BOOLEAN);

type Run = fn(&mut Arguments) -> Result<Value, Failure>;

const fn plain(name: &'static str, parameters: &'static [vrl::compiler::Parameter], returns: u16, run: Run) -> Plain {
    Plain { name, parameters, returns, fails: Fails::Never, run }
}

impl Plain {
    const fn failing(self) -> Self {
        Self { fails: Fails::Always, ..self }
    }
}

fn compared(a: &mut Arguments, is: fn(&str, &str) -> bool) -> Result<Value, Failure> {
    let (value, part) = (a.text(0)?, a.text(1)?);
    let holds = if a.flag_or(2, true)? { is(&value, &part) } else { is(&value.to_lowercase(), &part.to_lowercase()) };
    Ok(Value::Boolean(holds))
}

fn regex(a: &mut Arguments, at: usize) -> Result<ValueRegex, Failure> {
    Ok(a.value(at).try_regex().map_err(|error| error.to_string())?)
}

fn truncate(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, limit, suffix) = (a.text(0)?, a.integer(1)?, a.text_or(2, "")?);
    let limit = usize::try_from(limit).unwrap_or(0);
    match text.char_indices().nth(limit) {
        Some((end, _)) => bounded(format!("{}{suffix}", &text[..end])),
        None => bounded(text),
    }
}

/// What is looked for.
enum Pattern {
    Regex(ValueRegex),
    Text(String),
}

fn pattern(a: &mut Arguments, at: usize) -> Result<Pattern, Failure> {
    match a.value(at) {
        Value::Regex(regex) => Ok(Pattern::Regex(regex)),
        other => {
            let text = other.try_bytes_utf8_lossy().map_err(|error| error.to_string())?;
            Ok(Pattern::Text(text.into_owned()))
        }
    }
}

fn replace(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, pattern) = (a.text(0)?, pattern(a, 1)?);
    let (with, count) = (a.text(2)?, a.integer_or(3, -1)?);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut out, mut from) = (String::new(), 0);
    match pattern {
        Pattern::Text(pattern) => {
            for (at, found) in text.match_indices(&pattern).take(count) {
                out.push_str(&text[from..at]);
                out.push_str(&with);
                from = at + found.len();
                if out.len() > TEXT_BYTES {
                    break;
                }
            }
        }
        Pattern::Regex(pattern) => {
            for found in pattern.captures_iter(&text).take(count) {
                let Some(whole) = found.get(0) else { break };
                out.push_str(&text[from..whole.start()]);
                found.expand(&with, &mut out);
                from = whole.end();
                if out.len() > TEXT_BYTES {
                    break;
                }
            }
        }
    }
    out.push_str(&text[from..]);
    bounded(out)
}

fn split(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, pattern) = (a.text(0)?, pattern(a, 1)?);
    let limit = usize::try_from(a.integer_or(2, 0)?).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    Ok(Value::Array(match pattern {
        Pattern::Text(pattern) => text.splitn(limit, pattern.as_str()).map(Value::from).collect(),
        Pattern::Regex(pattern) => pattern.splitn(&text, limit).map(Value::from).collect(),
    }))
}

fn slice(a: &mut Arguments) -> Result<Value, Failure> {
    let text = a.text(0)?;
    let chars = text.chars().count() as i64;
    let (start, end) = (a.integer(1)?, a.integer_or(2, chars)?);
    let place = |at: i64| if at < 0 { at.saturating_add(chars) } else { at };
    let (start, end) = (place(start), place(end).min(chars));
    if !(0..=chars).contains(&start) || end < start {
        return Err(format!("{start}..{end} is not within the {chars} characters").into());
    }
    bounded(text.chars().skip(start as usize).take((end - start) as usize).collect())
}

fn parse_regex(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, regex) = (a.text(0)?, regex(a, 1)?);
    let found = regex.captures(&text).ok_or("the pattern does not match")?;
    let names = regex.capture_names().flatten();
    let pairs = names
        .map(|name| (KeyString::from(name), found.name(name).map_or(Value::Null, |found| Value::from(found.as_str()))));
    Ok(Value::Object(pairs.collect()))
}

/// `a=1 b="two words"`, as logfmt has it.
fn parse_key_value(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, between, after) = (a.text(0)?, a.text_or(1, "=")?, a.text_or(2, " ")?);
    if between.is_empty() || after.is_empty() {
        return Err("a delimiter is empty".into());
    }
    let mut pairs = ObjectMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let name_end = rest.find(&after).unwrap_or(rest.len());
        let Some(at) = rest.find(&between).filter(|at| *at < name_end) else {
            let (name, left) = (rest[..name_end].trim(), rest.get(name_end + after.len()..).unwrap_or_default());
            if !name.is_empty() {
                pairs.insert(name.into(), Value::Boolean(true));
            }
            rest = left;
            continue;
        };
        let name = rest[..at].trim();
        let (value, left) = value_of_pair(rest[at + between.len()..].trim_start_matches(' '), &after)?;
        pairs.insert(name.into(), Value::from(value));
        rest = left;
    }
    if pairs.is_empty() { Err("there is no pair in it".into()) } else { Ok(Value::Object(pairs)) }
}

/// A value, quoted or up to what ends it, and what follows.
fn value_of_pair<'t>(text: &'t str, after: &str) -> Result<(String, &'t str), Failure> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(after).unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), text.get(end + after.len()..).unwrap_or_default()));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                let left = quoted[at + 1..].trim_start_matches(' ');
                return Ok((value, left.strip_prefix(after).unwrap_or(left)));
            }
            '\\' => value.extend(chars.next().map(|(_, escaped)| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            other => value.push(other),
        }
    }
    Err("a quoted value has no end".into())
}

//! Values in the type and unit their field has.

use std::borrow::Cow;

use logkeep_record::{Severity, Value};

use crate::semconv::Scale;

/// What proxies write for "there is none".
pub(crate) fn is_absent(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Str(text) => text.is_empty() || text == "-",
        _ => false,
    }
}

/// A whole number, also from text.
pub(crate) fn integer<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Int(number) => Some(Value::Int(*number)),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(Value::Int(*number as i64)),
        Value::Str(text) => text.parse().ok().map(Value::Int),
        _ => None,
    }
}

/// Milliseconds: a number is milliseconds already, a text may have a unit (`1006ms`, `1.5s`).
pub(crate) fn millis<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    let ms = match value {
        Value::Int(number) => *number as f64,
        Value::Double(number) => *number,
        Value::Str(text) => {
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let per_unit = match &text[digits.len()..] {
                "" | "ms" => 1.0,
                "s" => 1e3,
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-3,
                "ns" => 1e-6,
                _ => return None,
            };
            digits.parse::<f64>().ok()? * per_unit
        }
        _ => return None,
    };
    ms.is_finite().then_some(Value::Double(ms))
}

/// Milliseconds from nanoseconds.
pub(crate) fn millis_of_nanos<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    match integer(value)? {
        Value::Int(ns) => Some(Value::Double(ns as f64 / 1e6)),
        _ => None,
    }
}

/// The two sides of a place in a text, `skip` bytes between them left out; slices where the text is borrowed.
pub(crate) fn cut<'a>(text: Cow<'a, str>, at: usize, skip: usize) -> (Cow<'a, str>, Cow<'a, str>) {
    match text {
        Cow::Borrowed(text) => (Cow::Borrowed(&text[..at]), Cow::Borrowed(&text[at + skip..])),
        Cow::Owned(mut text) => {
            let right = text[at + skip..].to_owned();
            text.truncate(at);
            (Cow::Owned(text), Cow::Owned(right))
        }
    }
}

/// `10.0.0.1:80`, `[::1]:80`, `reviews:9080`, `[::1]`, `::1`, `reviews`, `/run/a.sock`: the address and, if given, the
/// port.
pub(crate) fn address(text: Cow<'_, str>) -> (Cow<'_, str>, Option<i64>) {
    let split = text.rfind(':').filter(|at| {
        let host = &text[..*at];
        !host.contains(':') || (host.starts_with('[') && host.ends_with(']'))
    });
    let port = split.and_then(|at| text[at + 1..].parse::<u16>().ok());
    let host = match (split, port) {
        (Some(at), Some(_)) => cut(text, at, 1).0,
        _ => text,
    };
    let bare = host.len() > 2 && host.starts_with('[') && host.ends_with(']');
    let host = match host {
        Cow::Borrowed(host) if bare => Cow::Borrowed(&host[1..host.len() - 1]),
        Cow::Owned(host) if bare => Cow::Owned(host[1..host.len() - 1].to_owned()),
        host => host,
    };
    (host, port.map(i64::from))
}

/// What a level means: words everywhere the same, numbers by the sender's scale.
pub(crate) fn severity(value: &Value<'_>, scale: Scale) -> Severity {
    match value {
        Value::Str(text) => match text.parse::<i64>() {
            Ok(number) => severity_of_number(number, scale),
            Err(_) => Severity::from_text(text),
        },
        Value::Int(number) => severity_of_number(*number, scale),
        _ => Severity::UNSPECIFIED,
    }
}

fn severity_of_number(number: i64, scale: Scale) -> Severity {
    match (scale, number) {
        (Scale::Otel, number) => Severity::from_number(number),
        (Scale::SyslogOrPino, 0..=7) => Severity::from_syslog(number as u8),
        (Scale::SyslogOrPino, 10) => Severity::TRACE,
        (Scale::SyslogOrPino, 20) | (Scale::Python, 10) => Severity::DEBUG,
        (Scale::SyslogOrPino, 30) | (Scale::Python, 20) => Severity::INFO,
        (Scale::SyslogOrPino, 40) | (Scale::Python, 30) => Severity::WARN,
        (Scale::SyslogOrPino, 50) | (Scale::Python, 40) => Severity::ERROR,
        (Scale::SyslogOrPino, 60) | (Scale::Python, 50) => Severity::FATAL,
        _ => Severity::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, address_expected, port) in [
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[::1]:80", "::1", Some(80)),
            ("[::1]", "::1", None),
            ("fe80::1", "fe80::1", None),
            ("reviews:9080", "reviews", Some(9080)),
            ("reviews", "reviews", None),
            ("/run/a.sock", "/run/a.sock", None),
            ("a:99999", "a:99999", None),
            (":", ":", None),
            ("", "", None),
        ] {
            for text in [Cow::Borrowed(text), Cow::Owned(text.to_owned())] {
                assert_eq!(address(text), (Cow::Borrowed(address_expected), port));
            }
        }
    }

    #[test]
    fn durations() {
        for (value, expected) in [
            (Value::Int(12), Some(12.0)),
            ("1006ms".into(), Some(1006.0)),
            ("1.5s".into(), Some(1500.0)),
            ("250us".into(), Some(0.25)),
            ("7".into(), Some(7.0)),
            ("soon".into(), None),
            ("1h".into(), None),
            (Value::Double(f64::NAN), None),
        ] {
            assert_eq!(millis(&value), expected.map(Value::Double), "{value:?}");
        }
        assert_eq!(millis_of_nanos(&"1500000".into()), Some(Value::Double(1.5)));
    }
}

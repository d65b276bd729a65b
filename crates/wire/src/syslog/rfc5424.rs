//! `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value, limits};

use super::{Header, present, time};

/// `None` if the text after the priority is not of this form.
pub(super) fn parse(text: &str, utc_offset_s: i32) -> Option<Header<'_>> {
    let mut fields = text.strip_prefix("1 ")?.splitn(6, ' ');
    let mut field = || fields.next();
    let (stamp, host, app, process, message_id) = (field()?, field()?, field()?, field()?, field()?);
    let time_ns = time::iso(stamp, utc_offset_s);
    if time_ns.is_none() && stamp != "-" {
        return None;
    }
    let rest = field().unwrap_or_default();
    let (structured_data, message) = structured_data(rest).unwrap_or((Vec::new(), rest));
    let message = message.strip_prefix(' ').unwrap_or(message);
    Some(Header {
        time_ns,
        host: present(host),
        app: present(app),
        process: present(process),
        message_id: present(message_id),
        structured_data,
        message: message.strip_prefix('\u{feff}').unwrap_or(message),
    })
}

/// `-`, or elements `[id name="value" …]` without anything between them. `None` if one of them does not close.
fn structured_data(text: &str) -> Option<(Attributes<'_>, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return (rest.is_empty() || rest.starts_with(' ')).then_some((Vec::new(), rest));
    }
    let mut attributes = Vec::new();
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']'])?;
        let (id, mut parameters) = element.split_at(end);
        while let Some(parameter) = parameters.strip_prefix(' ') {
            let parameter = parameter.trim_start_matches(' ');
            if parameter.starts_with(']') {
                parameters = parameter;
                break;
            }
            let (name, value) = parameter.split_once("=\"")?;
            let (value, after) = value_and_rest(value)?;
            if attributes.len() < limits::ATTRIBUTES_PER_RECORD {
                attributes.push((Cow::Owned(format!("syslog.structured_data.{id}.{name}")), Value::Str(value)));
            }
            parameters = after;
        }
        rest = parameters.strip_prefix(']')?;
    }
    (rest.len() < text.len()).then_some((attributes, rest))
}

/// The value up to its closing quote, with `\"`, `\\` and `\]` resolved; other backslashes stand for themselves.
fn value_and_rest(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = Cow::Borrowed("");
    let mut from = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' | b'\\' | b']' if escaped => {
                value.to_mut().push_str(&text[from..at - 1]);
                from = at;
                escaped = false;
            }
            b'"' => {
                match &mut value {
                    Cow::Borrowed(whole) => *whole = &text[..at],
                    Cow::Owned(parts) => parts.push_str(&text[from..at]),
                }
                return Some((value, &text[at + 1..]));
            }
            _ => escaped = byte == b'\\',
        }
    }
    None
}

//! `Mmm dd hh:mm:ss HOST TAG[PID]: MSG`, of which every part may be missing.

use super::{Header, present, time};

/// Reads as much of the header as is there. Text without priority and without stamp is a message and nothing else:
/// `error: disk full` names no program.
pub(super) fn parse(text: &str, has_priority: bool, utc_offset_s: i32, received_ns: i64) -> Header<'_> {
    let message_only = Header { message: text, ..Header::default() };
    let (time_ns, rest) = match stamp(text, utc_offset_s, received_ns) {
        Some((time_ns, rest)) => (Some(time_ns), rest),
        None if has_priority => (None, text),
        None => return message_only,
    };
    let rest = rest.trim_start_matches(' ');
    let mut header = Header { time_ns, message: rest, ..Header::default() };
    if read_tag(rest, &mut header) || time_ns.is_none() {
        return header;
    }
    // The first word is no tag: it is the host.
    let (host, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if rest.is_empty() {
        return header;
    }
    header.host = present(host);
    header.message = rest;
    read_tag(rest.trim_start_matches(' '), &mut header);
    header
}

fn stamp(text: &str, utc_offset_s: i32, received_ns: i64) -> Option<(i64, &str)> {
    // Routers mark an unsynchronised clock with `*` or `.`.
    let text = text.trim_start_matches([' ', '*', '.']);
    if let Some(found) = time::without_year(text, utc_offset_s, received_ns) {
        return Some(found);
    }
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    // A bare date or number is no stamp.
    if first.len() < "2026-11-20T10:00".len() {
        return None;
    }
    Some((time::iso(first.trim_end_matches(':'), utc_offset_s)?, rest))
}

/// `app:`, `app[123]:`, `app[123]` or `app[123]:message`; the message starts behind it.
fn read_tag<'t>(text: &'t str, header: &mut Header<'t>) -> bool {
    const MAX_TAG_BYTES: usize = 128;
    let is_name =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'@' | b'(' | b')' | b'%');
    let end = text.bytes().take(MAX_TAG_BYTES).position(|b| !is_name(b));
    let Some(end) = end.filter(|end| *end > 0) else { return false };
    let (name, mut rest) = text.split_at(end);
    if let Some(bracketed) = rest.strip_prefix('[') {
        let Some((process, after)) = bracketed.split_once(']') else { return false };
        if process.len() > MAX_TAG_BYTES || process.contains(char::is_whitespace) {
            return false;
        }
        if !(after.is_empty() || after.starts_with([':', ' '])) {
            return false;
        }
        header.process = present(process);
        rest = after.strip_prefix(':').unwrap_or(after);
    } else if let Some(after) = rest.strip_prefix(':').filter(|after| after.is_empty() || after.starts_with(' ')) {
        rest = after;
    } else {
        return false;
    }
    header.app = present(name);
    header.message = rest.strip_prefix(' ').unwrap_or(rest);
    true
}

//! Octet counting (RFC 6587): the length of each message, a space, the message. A stack trace's line feeds stay inside.

use logkeep_meshsim::{Event, render};

/// All events as frames.
pub fn frames(events: &[Event]) -> Vec<u8> {
    let mut out = String::with_capacity(events.len() * 1_000);
    let mut message = String::with_capacity(1_000);
    for event in events {
        message.clear();
        render::syslog(event, &mut message);
        out.push_str(&message.len().to_string());
        out.push(' ');
        out.push_str(&message);
    }
    out.into_bytes()
}

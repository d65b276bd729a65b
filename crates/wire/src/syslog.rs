//! Syslog: RFC 5424, RFC 3164, and what is really sent under those names.
//!
//! Nobody answers a syslog sender and no sender repeats itself, so nothing is refused here: a header is read as far as it
//! makes sense, the rest is the message, and the frame as it came is kept beside it. A stamp without a year or zone is
//! placed nearest to the time of arrival.
//!
//! Not here: sockets and TLS (`intake`), what is inside the message (`normalize`).

mod rfc3164;
mod rfc5424;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Severity, Value};

use crate::frame::Frame;
use crate::text::Text;

/// Turns frames into records. It remembers the sources it saw, so that their records share one resource.
#[derive(Debug, Default)]
pub struct Parser {
    utc_offset_s: i32,
    resources: HashMap<String, Arc<Resource>>,
    key: String,
}

/// Sources remembered; more than that are forgotten all at once and computed again.
const MAX_RESOURCES: usize = 1_024;

/// What the header said. Absent parts are `None` or empty.
#[derive(Debug, Default)]
struct Header<'t> {
    time_ns: Option<i64>,
    host: Option<&'t str>,
    app: Option<&'t str>,
    process: Option<&'t str>,
    message_id: Option<&'t str>,
    structured_data: Attributes<'t>,
    message: &'t str,
}

impl Parser {
    /// `utc_offset_s` is the zone of stamps that have none, in seconds east of UTC.
    pub fn new(utc_offset_s: i32) -> Self {
        Self { utc_offset_s, ..Self::default() }
    }

    /// The record of one frame or datagram.
    pub fn record<'a>(&mut self, frame: &Frame<'a>, received_ns: i64) -> Record<'a> {
        let mut text = Text::new(trim(frame.bytes));
        text.truncated_bytes += frame.truncated_bytes;
        let mut record = match &text.text {
            Cow::Borrowed(line) => self.parse(line, received_ns),
            Cow::Owned(line) => self.parse(line, received_ns).into_owned(),
        };
        text.mark(&mut record.attributes);
        record
    }

    fn parse<'t>(&mut self, line: &'t str, received_ns: i64) -> Record<'t> {
        let (priority, rest) = priority(line).map_or((None, line), |(priority, rest)| (Some(priority), rest));
        let header = priority
            .and_then(|_| rfc5424::parse(rest, self.utc_offset_s))
            .unwrap_or_else(|| rfc3164::parse(rest, priority.is_some(), self.utc_offset_s, received_ns));
        let process_id = header.process.and_then(|process| process.parse::<i64>().ok());
        let resource = self.resource(&header, process_id);
        let mut record = Record::new(received_ns, Value::str(header.message), resource);
        record.time_ns = header.time_ns;
        if let Some(priority) = priority {
            record.severity = Severity::from_syslog(priority & 7);
            record.attributes.push(pair("syslog.facility.code", Value::Int(i64::from(priority >> 3))));
            record.attributes.push(pair("syslog.facility.name", Value::str(facility(priority >> 3))));
        }
        if let Some(id) = header.message_id {
            record.attributes.push(pair("syslog.msg.id", Value::str(id)));
        }
        if let (Some(process), None) = (header.process, process_id) {
            record.attributes.push(pair("syslog.procid", Value::str(process)));
        }
        record.attributes.extend(header.structured_data);
        if header.message.len() != line.len() {
            record.original = Some(Cow::Borrowed(line));
        }
        record
    }

    fn resource(&mut self, header: &Header<'_>, process_id: Option<i64>) -> Arc<Resource> {
        self.key.clear();
        for part in [header.host, header.app, process_id.and(header.process)] {
            // Neither a host nor a name holds a space.
            self.key.push_str(part.unwrap_or_default());
            self.key.push(' ');
        }
        if let Some(resource) = self.resources.get(&self.key) {
            return Arc::clone(resource);
        }
        let text = |name, value: Option<&str>| value.map(|value| pair(name, Value::from(value.to_owned())));
        let attributes = [
            text("host.name", header.host),
            text("service.name", header.app),
            process_id.map(|id| pair("process.pid", Value::Int(id))),
        ];
        let resource = Resource::from_attributes(attributes.into_iter().flatten().collect());
        if self.resources.len() == MAX_RESOURCES {
            self.resources.clear();
        }
        self.resources.insert(self.key.clone(), Arc::clone(&resource));
        resource
    }
}

fn pair<'a>(key: &'static str, value: Value<'a>) -> (Cow<'a, str>, Value<'a>) {
    (Cow::Borrowed(key), value)
}

/// Line ends and the NUL that some senders add are part of the framing.
fn trim(mut frame: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | 0] = frame {
        frame = rest;
    }
    frame
}

/// `<PRI>`, 0 to 191, and what follows it.
fn priority(line: &str) -> Option<(u8, &str)> {
    let (digits, rest) = line.strip_prefix('<')?.split_once('>')?;
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let priority = digits.parse().ok().filter(|priority| fits && *priority <= 191)?;
    Some((priority, rest))
}

/// RFC 5424, table 1, by the names of its reference implementations.
fn facility(code: u8) -> &'static str {
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
        "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];
    NAMES.get(usize::from(code)).copied().unwrap_or("unknown")
}

/// `-` says that a field is absent.
fn present(field: &str) -> Option<&str> {
    (!field.is_empty() && field != "-").then_some(field)
}

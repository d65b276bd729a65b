//! Messages of queues (Kafka, NATS): what a message holds in one of a few forms, and what its queue says of it.
//!
//! A queue has no form of its own, so the configuration says which one a topic has. What the queue says of a message
//! becomes attributes under OpenTelemetry's names for messaging, but for OTLP, whose records say for themselves what they
//! are about and may be about messaging.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Value};

use crate::frame::Frame;
use crate::otlp::{OtlpError, decode_json, decode_protobuf, decode_traces_json, decode_traces_protobuf};
use crate::text::Text;
use crate::{Decoded, documents, ndjson, syslog};

/// What the messages of a queue hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A record, as a line of it would be one: a JSON object is a map, anything else its own text.
    Text,
    /// JSON documents, one or several, or an array of them, each alone or as Fluent Bit pairs it with its time; what is no JSON
    /// is refused.
    Json,
    /// One message of syslog.
    Syslog,
    /// An export request of log records, in protobuf or JSON.
    OtlpLogs,
    /// An export request of spans, in protobuf or JSON.
    OtlpTraces,
}

impl Form {
    /// Every form, by the name the configuration has for it.
    pub const NAMES: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("json", Self::Json),
        ("syslog", Self::Syslog),
        ("otlp_logs", Self::OtlpLogs),
        ("otlp_traces", Self::OtlpTraces),
    ];

    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, form)| *form == self).map_or("text", |(name, _)| name)
    }
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What it holds.
    pub payload: &'a [u8],
    /// When it was put into the queue, nanoseconds.
    pub time_ns: Option<i64>,
    /// What its queue says of it.
    pub facts: &'a Attributes<'static>,
}

/// Reads messages of one form, one after the other.
#[derive(Debug)]
pub struct Reader {
    form: Form,
    resource: Arc<Resource>,
    parser: syslog::Parser,
}

impl Reader {
    /// For messages of this form.
    pub fn new(form: Form) -> Self {
        Self { form, resource: Resource::from_attributes(Vec::new()), parser: syslog::Parser::default() }
    }

    /// Gives each record of a message, or what is wrong with one, to `take`.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn each<E>(
        &mut self,
        message: &Message<'_>,
        received_ns: i64,
        mut take: impl FnMut(Result<Record<'_>, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let payload = message.payload;
        let resource = self.resource.clone();
        match self.form {
            Form::Text if payload.is_empty() => take(Err(EMPTY.to_owned())),
            Form::Text => take(Ok(message.told(ndjson::record(payload, received_ns, resource)))),
            Form::Syslog if payload.is_empty() => take(Err(EMPTY.to_owned())),
            Form::Syslog => take(Ok(message.told(self.parser.record(&Frame::new(payload), received_ns)))),
            Form::Json => {
                let text = documents::text(payload);
                let mut documents = documents::documents(&text).peekable();
                if documents.peek().is_none() {
                    return take(Err(EMPTY.to_owned()));
                }
                for document in documents {
                    let record = |document| {
                        let timed = documents::timed(document, received_ns, resource.clone());
                        timed.unwrap_or_else(|| documents::record(document, received_ns, resource.clone()))
                    };
                    take(document.map(|document| message.told(record(document))))?;
                }
                Ok(())
            }
            Form::OtlpLogs | Form::OtlpTraces => match export(self.form, payload, received_ns) {
                Ok(Decoded { records, rejected }) => {
                    rejected.into_iter().try_for_each(|rejection| take(Err(rejection.reason)))?;
                    records.into_iter().try_for_each(|record| take(Ok(record)))
                }
                Err(error) => take(Err(error.to_string())),
            },
        }
    }
}

const EMPTY: &str = "the message is empty";

/// No export message begins with `{`: that would be field 15 with a group.
fn export(form: Form, payload: &[u8], received_ns: i64) -> Result<Decoded<'_>, OtlpError> {
    let is_json = payload.trim_ascii_start().first() == Some(&b'{');
    match (form, is_json) {
        (Form::OtlpTraces, true) => decode_traces_json(payload, received_ns),
        (Form::OtlpTraces, false) => decode_traces_protobuf(payload, received_ns),
        (_, true) => decode_json(payload, received_ns),
        (_, false) => decode_protobuf(payload, received_ns),
    }
}

impl Message<'_> {
    /// A record with what the queue says.
    fn told<'r>(&self, mut record: Record<'r>) -> Record<'r> {
        record.observed_ns = record.observed_ns.or(self.time_ns);
        record.attributes.extend(self.facts.iter().cloned());
        record
    }
}

/// Headers of one message that become attributes; more are surely no description of it.
const HEADERS: usize = 64;

fn text(name: &'static str, value: &str) -> (Cow<'static, str>, Value<'static>) {
    (Cow::Borrowed(name), Value::from(value.to_owned()))
}

fn bytes(value: &[u8]) -> Value<'static> {
    match Text::new(value) {
        Text { text, invalid_utf8: false, .. } => Value::Str(Cow::Owned(text.into_owned())),
        _ => Value::Bytes(Cow::Owned(value.to_vec())),
    }
}

/// A header is `messaging.header.NAME`, for which OpenTelemetry has no name of its own.
fn headers<'h>(facts: &mut Attributes<'static>, headers: impl Iterator<Item = (&'h str, &'h [u8])>) {
    let named = |(name, value)| (Cow::Owned(format!("messaging.header.{name}")), bytes(value));
    facts.extend(headers.take(HEADERS).map(named));
}

/// What Kafka says of a message.
pub fn kafka_facts<'h>(
    (topic, partition, offset): (&str, i32, i64),
    key: Option<&[u8]>,
    of_headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> Attributes<'static> {
    let mut facts = vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", topic),
        text("messaging.destination.partition.id", &partition.to_string()),
        (Cow::Borrowed("messaging.kafka.offset"), Value::Int(offset)),
    ];
    facts.extend(key.map(|key| (Cow::Borrowed("messaging.kafka.message.key"), bytes(key))));
    headers(&mut facts, of_headers);
    facts
}

/// What NATS says of a message: its subject, and its place in its stream if it has one.
pub fn nats_facts<'h>(
    subject: &str,
    stored: Option<(&str, u64)>,
    of_headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> Attributes<'static> {
    let mut facts = vec![text("messaging.system", "nats"), text("messaging.destination.name", subject)];
    if let Some((stream, sequence)) = stored {
        facts.push(text("messaging.nats.stream", stream));
        facts.push((Cow::Borrowed("messaging.nats.sequence"), Value::Int(sequence as i64)));
    }
    headers(&mut facts, of_headers);
    facts
}

#[cfg(test)]
mod tests {
    use logkeep_record::json;
    use proptest::prelude::*;

    use super::*;

    fn read(form: Form, payload: &[u8]) -> Vec<String> {
        let facts = kafka_facts(("t", 3, 17), Some(b"k"), [("h", b"v".as_slice()), ("b", b"\xff")].into_iter());
        let message = Message { payload, time_ns: Some(5), facts: &facts };
        let mut found = Vec::new();
        let taken = Reader::new(form).each(&message, 7, |record| {
            found.push(match record {
                Ok(record) => {
                    let mut out = String::new();
                    json::write(&record.body, &mut out);
                    format!("{out} at {} +{}", record.effective_time_ns(), record.attributes.len())
                }
                Err(error) => format!("bad: {error}"),
            });
            Ok::<_, ()>(())
        });
        assert_eq!(taken, Ok(()));
        found
    }

    fn check(form: Form, payload: &[u8], expected: &[&str]) {
        let found = read(form, payload);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "`{found}` is not `{expected}…`");
        }
    }

    #[test]
    fn every_form() {
        check(Form::Text, b"{\"a\":1}\n", &["{\"a\":1} at 5 +7"]);
        check(Form::Text, b"two\nlines", &["\"two\\nlines\" at 5 +7"]);
        check(Form::Text, b"", &["bad: the message is empty"]);
        check(Form::Json, b"{\"a\":1}", &["{\"a\":1} at 5 +7"]);
        check(Form::Json, b"[{\"a\":1},{\"b\":2}] {\"c\":3}", &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        check(
            Form::Json,
            b"[[1795168800.5,{\"a\":1}],[7,8]]",
            &["{\"a\":1} at 1795168800500000000 +7", "\"[7,8]\" at 5"],
        );
        check(Form::Json, b"not json", &["bad: expected ident"]);
        check(Form::Json, b" \n", &["bad: the message is empty"]);
        check(Form::Syslog, b"<13>1 2026-11-20T10:00:00Z web app 7 - - hi", &["\"hi\" at 1795168800000000000"]);
        check(
            Form::OtlpLogs,
            br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"9","body":{"stringValue":"x"}},{"body":{"intValue":"x"}}]}]}]}"#,
            &["bad: ", "\"x\" at 9 +0"],
        );
        check(Form::OtlpLogs, b"\xff\xff\xff", &["bad: "]);
        check(Form::OtlpTraces, b"{", &["bad: "]);
    }

    #[test]
    fn what_queues_say() {
        let shown = |facts: Attributes<'_>| {
            let mut out = String::new();
            for (key, value) in &facts {
                out.push_str(&format!("{key}="));
                json::write(value, &mut out);
                out.push(' ');
            }
            out
        };
        assert_eq!(
            shown(kafka_facts(("logs", 0, 9), None, [("trace", b"1".as_slice())].into_iter())),
            "messaging.system=\"kafka\" messaging.destination.name=\"logs\" messaging.destination.partition.id=\"0\" \
             messaging.kafka.offset=9 messaging.header.trace=\"1\" "
        );
        assert_eq!(
            shown(nats_facts("logs.web", Some(("LOGS", 4)), std::iter::empty())),
            "messaging.system=\"nats\" messaging.destination.name=\"logs.web\" messaging.nats.stream=\"LOGS\" \
             messaging.nats.sequence=4 "
        );
        let many = (0..1_000).map(|_| ("h", b"v".as_slice()));
        assert_eq!(nats_facts("s", None, many).len(), 2 + HEADERS);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, form) in Form::NAMES {
            assert_eq!(form.name(), *name);
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            for (_, form) in Form::NAMES {
                read(*form, &payload);
            }
        }
    }
}

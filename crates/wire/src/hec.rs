//! Splunk's HTTP Event Collector
//! (<https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>).
//!
//! Events are JSON envelopes one after the other, with nothing between them or line feeds. Answers have a code of their own
//! beside the status, and senders go by both: 400 is final. So an envelope that is none costs only itself, the others are
//! stored first, and the answer then names the first that was not.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, json};

use crate::documents::{documents, record, seconds};
use crate::text::Text;

/// What the collector says, with Splunk's numbers and texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Stored.
    Success,
    /// No token, or none that is known.
    NoToken,
    /// The tenant is not known, or not open to this token.
    InvalidToken,
    /// There is nothing in the body.
    NoData,
    /// What is in the body is no event.
    InvalidData,
    /// Send again later.
    Busy,
    /// A question for acks without a channel.
    NoChannel,
    /// An envelope without `event`.
    NoEvent,
    /// An envelope with an empty `event`.
    BlankEvent,
    /// To a question for health.
    Healthy,
}

impl Answer {
    /// Status, code and text.
    pub fn parts(self) -> (u16, u32, &'static str) {
        match self {
            Self::Success => (200, 0, "Success"),
            Self::NoToken => (401, 2, "Token is required"),
            Self::InvalidToken => (403, 4, "Invalid token"),
            Self::NoData => (400, 5, "No data"),
            Self::InvalidData => (400, 6, "Invalid data format"),
            Self::Busy => (503, 9, "Server is busy"),
            Self::NoChannel => (400, 10, "Data channel is missing"),
            Self::NoEvent => (400, 12, "Event field is required"),
            Self::BlankEvent => (400, 13, "Event field cannot be blank"),
            Self::Healthy => (200, 17, "HEC is healthy"),
        }
    }

    /// The body, with the number of the event at fault or of an ack.
    pub fn body(self, extra: Option<(&str, u64)>) -> String {
        let (_, code, text) = self.parts();
        let extra = extra.map_or(String::new(), |(name, number)| format!(",\"{name}\":{number}"));
        format!("{{\"text\":\"{text}\",\"code\":{code}{extra}}}")
    }
}

/// What holds for all events of a raw body, from the query of its address, or for one event, from its envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata<'a> {
    host: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    sourcetype: Option<Cow<'a, str>>,
    index: Option<Cow<'a, str>>,
    time_ns: Option<i64>,
}

impl<'a> Metadata<'a> {
    /// Takes what is known under this name; gives back anything else.
    pub fn set(&mut self, name: &str, value: Value<'a>) -> Option<Value<'a>> {
        if name == "time" {
            self.time_ns = seconds(&value);
            return None;
        }
        let Value::Str(text) = value else { return Some(value) };
        let slot = match name {
            "host" => &mut self.host,
            "source" => &mut self.source,
            "sourcetype" => &mut self.sourcetype,
            "index" => &mut self.index,
            _ => return Some(Value::Str(text)),
        };
        *slot = Some(text);
        None
    }

    fn put(self, record: &mut Record<'a>) {
        record.time_ns = self.time_ns;
        // The names that OpenTelemetry's own receiver gives.
        let named = [
            ("host.name", self.host),
            ("com.splunk.source", self.source),
            ("com.splunk.sourcetype", self.sourcetype),
            ("com.splunk.index", self.index),
        ];
        for (name, value) in named {
            record.attributes.extend(value.map(|value| (Cow::Borrowed(name), Value::Str(value))));
        }
    }
}

/// The events of a body, in its order.
pub fn events<'a>(
    body: &'a str,
    received_ns: i64,
    resource: &Arc<Resource>,
) -> impl Iterator<Item = Result<Record<'a>, Answer>> {
    documents(body).map(move |document| {
        let document = document.map_err(|_| Answer::InvalidData)?;
        event(document, received_ns, resource.clone())
    })
}

fn event(document: &str, received_ns: i64, resource: Arc<Resource>) -> Result<Record<'_>, Answer> {
    let Ok(Value::Map(envelope)) = json::parse(document) else { return Err(Answer::InvalidData) };
    let (mut metadata, mut event, mut fields) = (Metadata::default(), None, Vec::new());
    for (key, value) in envelope {
        match (&*key, value) {
            ("event", value) => event = Some(value),
            ("fields", Value::Map(pairs)) => fields = pairs,
            (name, value) => fields.extend(metadata.set(name, value).map(|value| (key, value))),
        }
    }
    let body = match event {
        None | Some(Value::Null) => return Err(Answer::NoEvent),
        Some(Value::Str(text)) if text.is_empty() => return Err(Answer::BlankEvent),
        Some(body) => body,
    };
    let original = Text::new(document.as_bytes());
    let mut record = Record::new(received_ns, body, resource);
    original.mark(&mut record.attributes);
    record.original = Some(original.text);
    metadata.put(&mut record);
    record.attributes.extend(fields);
    Ok(record)
}

/// The record of a line of a raw body.
pub fn raw<'a>(line: &'a str, metadata: &Metadata<'a>, received_ns: i64, resource: Arc<Resource>) -> Record<'a> {
    let mut record = record(line, received_ns, resource);
    metadata.clone().put(&mut record);
    record
}

/// Answers a question about acks, `{"acks":[1,2]}`: an id is only ever given to what is durable. `None` if it is no such
/// question.
pub fn acks(body: &str) -> Option<String> {
    let Ok(Value::Map(pairs)) = json::parse(body) else { return None };
    let (_, Value::Array(ids)) = pairs.into_iter().find(|(key, _)| key == "acks")? else { return None };
    let ids: Option<Vec<_>> =
        ids.iter().map(|id| if let Value::Int(id) = id { Some(format!("\"{id}\":true")) } else { None }).collect();
    Some(format!("{{\"acks\":{{{}}}}}", ids?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(record: Result<Record<'_>, Answer>) -> String {
        let record = match record {
            Ok(record) => record,
            Err(answer) => return answer.body(None),
        };
        let mut out = format!("{} ", record.time_ns.unwrap_or(0));
        json::write(&record.body, &mut out);
        for (key, value) in &record.attributes {
            out.push_str(&format!(" {key}="));
            json::write(value, &mut out);
        }
        out
    }

    fn check(body: &str, expected: &[&str]) {
        let resource = Resource::from_attributes(Vec::new());
        assert_eq!(events(body, 7, &resource).map(shown).collect::<Vec<_>>(), expected, "{body}");
    }

    #[test]
    fn envelopes() {
        check(
            r#"{"event":"one","time":1795168800.25,"host":"web-1","source":"s","sourcetype":"t","index":"i"}{"event":{"a":1},"time":"1795168800.123456789","fields":{"k":"v"},"extra":1}"#,
            &[
                r#"1795168800250000000 "one" host.name="web-1" com.splunk.source="s" com.splunk.sourcetype="t" com.splunk.index="i""#,
                r#"1795168800123456789 {"a":1} k="v" extra=1"#,
            ],
        );
        check("{\"event\":1,\"time\":5}\n\n{\"event\":false,\"time\":\"x\"}", &["5000000000 1", "0 false"]);
        check(
            "{\"message\":1}\n{\"event\":\"\"}\n{\"event\":null}\nx\n{\"event\":\"two\"}\n7",
            &[
                r#"{"text":"Event field is required","code":12}"#,
                r#"{"text":"Event field cannot be blank","code":13}"#,
                r#"{"text":"Event field is required","code":12}"#,
                r#"{"text":"Invalid data format","code":6}"#,
                "0 \"two\"",
                r#"{"text":"Invalid data format","code":6}"#,
            ],
        );
        check("", &[]);
    }

    #[test]
    fn raw_lines_share_what_the_address_says() {
        let mut metadata = Metadata::default();
        assert_eq!(metadata.set("host", Value::str("web-1")), None);
        assert_eq!(metadata.set("time", Value::str("1795168800")), None);
        assert_eq!(metadata.set("channel", Value::str("c")), Some(Value::str("c")));
        let record = raw("plain", &metadata, 7, Resource::from_attributes(Vec::new()));
        assert_eq!(shown(Ok(record)), r#"1795168800000000000 "plain" host.name="web-1""#);
    }

    #[test]
    fn answers() {
        assert_eq!(Answer::Success.body(Some(("ackId", 3))), r#"{"text":"Success","code":0,"ackId":3}"#);
        assert_eq!(acks(r#"{"acks":[1,3]}"#).unwrap(), r#"{"acks":{"1":true,"3":true}}"#);
        assert_eq!(acks(r#"{"acks":[]}"#).unwrap(), r#"{"acks":{}}"#);
        for bad in ["", "{}", r#"{"acks":1}"#, r#"{"acks":["a"]}"#] {
            assert_eq!(acks(bad), None);
        }
    }
}

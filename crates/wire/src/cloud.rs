//! What clouds push over HTTP: AWS Firehose and Google Pub/Sub.
//!
//! Both wrap a sender's bytes in JSON as base64. What Firehose brings from CloudWatch is compressed once more and has a
//! document of its own around its events.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logkeep_record::{Attributes, Record, Resource, Value, json, limits};
use serde::Deserialize;

use crate::compress::{decompress, is_compressed};
use crate::ndjson;

/// A body that is not what this sender sends: answer 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no {form}: {what}")]
pub struct CloudError {
    form: &'static str,
    what: String,
}

/// What Firehose delivers.
#[derive(Debug, Deserialize)]
pub struct Firehose<'a> {
    /// To be repeated in the answer; a retry has the same.
    #[serde(rename = "requestId", borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(borrow)]
    records: Vec<Data<'a>>,
}

#[derive(Debug, Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// Reads a delivery.
///
/// # Errors
/// [`CloudError`].
pub fn firehose(body: &str) -> Result<Firehose<'_>, CloudError> {
    serde_json::from_str(body).map_err(|error| CloudError { form: "delivery of Firehose", what: error.to_string() })
}

/// The answer to a delivery; anything else than 200 with the same id is delivered again.
pub fn firehose_answer(request_id: &str, now_ms: i64, error: Option<&str>) -> String {
    let mut out = String::from("{\"requestId\":");
    json::write_str(request_id, &mut out);
    out.push_str(&format!(",\"timestamp\":{now_ms}"));
    if let Some(error) = error {
        out.push_str(",\"errorMessage\":");
        json::write_str(error, &mut out);
    }
    out.push('}');
    out
}

/// The attributes that Firehose sends in a header, the same for all records of a delivery.
pub fn common_attributes(header: &str) -> Attributes<'static> {
    let Ok(Value::Map(pairs)) = json::parse(header) else { return Vec::new() };
    let inner = pairs.into_iter().find(|(key, _)| key == "commonAttributes");
    match inner.map(|(_, value)| value.into_owned()) {
        Some(Value::Map(pairs)) => pairs,
        _ => Vec::new(),
    }
}

impl Firehose<'_> {
    /// Gives every record to `take`, or why one is none.
    pub fn each<E>(
        &self,
        received_ns: i64,
        common: &Attributes<'static>,
        mut take: impl FnMut(Result<Record<'_>, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let resource = Resource::from_attributes(common.clone());
        for Data { data } in &self.records {
            let bytes = match opened(data) {
                Ok(bytes) => bytes,
                Err(error) => {
                    take(Err(error))?;
                    continue;
                }
            };
            match std::str::from_utf8(&bytes).ok().and_then(|text| serde_json::from_str::<CloudWatch<'_>>(text).ok()) {
                // CloudWatch asks whether anyone is there.
                Some(CloudWatch::Control {}) => {}
                Some(CloudWatch::Data(data)) => data.each(received_ns, common, &mut take)?,
                None => {
                    for line in ndjson::lines(&bytes) {
                        take(Ok(ndjson::record(line, received_ns, resource.clone())))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn opened(data: &str) -> Result<Vec<u8>, String> {
    let bytes = STANDARD.decode(data.trim_ascii()).map_err(|error| format!("the data is not base64: {error}"))?;
    if !is_compressed(&bytes) {
        return Ok(bytes);
    }
    let opened = decompress(&bytes, "", 16 * limits::record_bytes()).map_err(|error| error.to_string())?;
    Ok(opened.into_owned())
}

#[derive(Deserialize)]
#[serde(tag = "messageType")]
enum CloudWatch<'a> {
    #[serde(rename = "CONTROL_MESSAGE")]
    Control {},
    #[serde(rename = "DATA_MESSAGE", borrow)]
    Data(LogEvents<'a>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvents<'a> {
    #[serde(borrow, default)]
    owner: Cow<'a, str>,
    #[serde(borrow, default)]
    log_group: Cow<'a, str>,
    #[serde(borrow, default)]
    log_stream: Cow<'a, str>,
    #[serde(borrow)]
    log_events: Vec<LogEvent<'a>>,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(default)]
    timestamp: i64,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

impl LogEvents<'_> {
    fn each<E>(
        &self,
        received_ns: i64,
        common: &Attributes<'static>,
        take: &mut impl FnMut(Result<Record<'_>, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = |name: &'static str, value: &str| (Cow::Borrowed(name), Value::from(value.to_owned()));
        let list = |name, value: &str| (Cow::Borrowed(name), Value::Array(vec![Value::from(value.to_owned())]));
        let mut attributes = common.clone();
        attributes.extend([
            text("cloud.provider", "aws"),
            text("cloud.account.id", &self.owner),
            list("aws.log.group.names", &self.log_group),
            list("aws.log.stream.names", &self.log_stream),
        ]);
        let resource = Resource::from_attributes(attributes);
        for event in &self.log_events {
            let mut record = ndjson::record(event.message.as_bytes(), received_ns, resource.clone());
            record.time_ns = event.timestamp.checked_mul(1_000_000).filter(|ns| *ns > 0);
            record.attributes.push((Cow::Borrowed("aws.cloudwatch.event.id"), Value::Str(event.id.clone())));
            take(Ok(record))?;
        }
        Ok(())
    }
}

/// What Pub/Sub pushes: one message.
#[derive(Debug, Deserialize)]
pub struct PubSub<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    /// Where it comes from.
    #[serde(borrow, default)]
    pub subscription: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    data: Cow<'a, str>,
    #[serde(borrow, default)]
    attributes: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, alias = "message_id")]
    message_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "publish_time")]
    publish_time: Cow<'a, str>,
}

/// Reads a message.
///
/// # Errors
/// [`CloudError`].
pub fn pubsub(body: &str) -> Result<PubSub<'_>, CloudError> {
    serde_json::from_str(body).map_err(|error| CloudError { form: "message of Pub/Sub", what: error.to_string() })
}

impl PubSub<'_> {
    /// What a redelivery has in common with this.
    pub fn key(&self) -> Vec<u8> {
        [b"pubsub\0", self.subscription.as_bytes(), b"\0", self.message.message_id.as_bytes()].concat()
    }

    /// The message's own bytes.
    ///
    /// # Errors
    /// [`CloudError`] if they are not base64.
    pub fn data(&self) -> Result<Vec<u8>, CloudError> {
        opened(&self.message.data).map_err(|what| CloudError { form: "message of Pub/Sub", what })
    }

    /// The record of the message, over what [`PubSub::data`] gave.
    pub fn record<'b>(&self, data: &'b [u8], received_ns: i64) -> Record<'b> {
        let mut record = ndjson::record(data, received_ns, Resource::from_attributes(Vec::new()));
        let published: Option<jiff::Timestamp> = self.message.publish_time.parse().ok();
        record.observed_ns = published.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
        let text = |name: &'static str, value: &str| (Cow::Borrowed(name), Value::from(value.to_owned()));
        record.attributes.extend([
            text("messaging.destination.subscription.name", &self.subscription),
            text("messaging.message.id", &self.message.message_id),
        ]);
        let attributes = self.message.attributes.and_then(|raw| json::parse(raw.get()).ok()).map(Value::into_owned);
        if let Some(Value::Map(pairs)) = attributes {
            record.attributes.extend(pairs);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn shown(record: &Record<'_>) -> String {
        let mut out = format!("{} ", record.effective_time_ns());
        json::write(&record.body, &mut out);
        for (key, value) in record.resource.attributes().iter().chain(&record.attributes) {
            out.push_str(&format!(" {key}="));
            json::write(value, &mut out);
        }
        out
    }

    fn check_firehose(datas: &[&str], expected: &[&str]) {
        let datas: Vec<_> = datas.iter().map(|data| format!("{{\"data\":\"{data}\"}}")).collect();
        let body = format!("{{\"requestId\":\"r1\",\"timestamp\":5,\"records\":[{}]}}", datas.join(","));
        let common = common_attributes(r#"{"commonAttributes":{"k":"v"}}"#);
        let mut found = Vec::new();
        let take = |record: Result<Record<'_>, String>| {
            found.push(record.map_or_else(|error| error, |record| shown(&record)));
            Ok::<_, ()>(())
        };
        firehose(&body).unwrap().each(7, &common, take).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn deliveries() {
        let plain = STANDARD.encode("{\"a\":1}\nplain\n");
        check_firehose(
            &[&plain, "!"],
            &["7 {\"a\":1} k=\"v\"", "7 \"plain\" k=\"v\"", "the data is not base64: Invalid symbol 33, offset 0."],
        );
        let cloud_watch = r#"{"messageType":"DATA_MESSAGE","owner":"12","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
            "logEvents":[{"id":"e1","timestamp":1795168800123,"message":"hi\n"}]}"#;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(cloud_watch.as_bytes()).unwrap();
        let control = STANDARD.encode(r#"{"messageType":"CONTROL_MESSAGE","owner":"x","logEvents":[]}"#);
        check_firehose(
            &[&control, &STANDARD.encode(gzip.finish().unwrap())],
            &[
                r#"1795168800123000000 "hi\n" k="v" cloud.provider="aws" cloud.account.id="12" aws.log.group.names=["g"] aws.log.stream.names=["s"] aws.cloudwatch.event.id="e1""#,
            ],
        );
        assert!(firehose("{}").is_err() && firehose("[").is_err());
        assert_eq!(firehose_answer("r\"1", 5, None), r#"{"requestId":"r\"1","timestamp":5}"#);
        assert_eq!(firehose_answer("r", 5, Some("e")), r#"{"requestId":"r","timestamp":5,"errorMessage":"e"}"#);
    }

    #[test]
    fn messages() {
        let data = STANDARD.encode("{\"message\":\"hi\"}");
        let body = format!(
            r#"{{"message":{{"data":"{data}","attributes":{{"k":"v"}},"messageId":"m1","publishTime":"2026-11-20T10:00:00Z"}},"subscription":"s"}}"#
        );
        let message = pubsub(&body).unwrap();
        let bytes = message.data().unwrap();
        assert_eq!(
            shown(&message.record(&bytes, 7)),
            r#"1795168800000000000 {"message":"hi"} messaging.destination.subscription.name="s" messaging.message.id="m1" k="v""#
        );
        assert_eq!(message.key(), b"pubsub\0s\0m1");
        assert!(pubsub(r#"{"message":{"messageId":"m","data":"!"}}"#).unwrap().data().is_err());
        assert!(pubsub("{}").is_err());
    }
}

//! The JSON form: protobuf's JSON mapping, but with ids in hexadecimal (OTLP specification, "JSON Protobuf Encoding").
//!
//! The outline of the request is read first and each record by itself, so that a record with a field of the wrong type
//! is told apart from the good ones around it. 64-bit integers come as numbers or as text, enums as numbers or names,
//! and unknown keys are ignored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use logkeep_record::{Attributes, Record, Resource, Scope, Severity, SpanId, TraceId, Value, json, limits};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{MAX_VALUES, OtlpError, time};
use crate::Decoded;

/// One record or resource as JSON text; escapes and base64 make it longer than the record.
fn max_part_bytes() -> usize {
    4 * limits::record_bytes()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow, alias = "resource_logs")]
    resource_logs: Option<Vec<Object<ResourceLogs<'a>>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceLogs<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, alias = "scope_logs")]
    scope_logs: Option<Vec<Object<ScopeLogs<'a>>>>,
    #[serde(alias = "schema_url")]
    schema_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScopeLogs<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow, alias = "log_records")]
    log_records: Option<Vec<&'a RawValue>>,
    #[serde(alias = "schema_url")]
    schema_url: Option<String>,
}

/// A message in JSON: an object and nothing else. serde would take an array for the fields in their order, so that a
/// request of arrays would be answered with success and store nothing.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Decodes the body of `POST /v1/logs` in JSON. Bytes that are not UTF-8 are replaced.
///
/// # Errors
/// [`OtlpError`]; do not retry.
pub fn decode_json(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, OtlpError> {
    decode_lossy(body, received_ns, decode_text)
}

/// Reads what it can: bytes that are not UTF-8 are replaced, and what came of them borrows nothing.
pub(super) fn decode_lossy(
    body: &[u8],
    received_ns: i64,
    decode: for<'a> fn(&'a str, i64) -> Result<Decoded<'a>, OtlpError>,
) -> Result<Decoded<'_>, OtlpError> {
    match std::str::from_utf8(body) {
        Ok(text) => decode(text, received_ns),
        Err(_) => decode(&String::from_utf8_lossy(body), received_ns).map(Decoded::into_owned),
    }
}

fn decode_text(text: &str, received_ns: i64) -> Result<Decoded<'_>, OtlpError> {
    let request: Request<'_> = outline(text)?;
    let mut decoder = Decoder::new(received_ns);
    for Object(logs) in request.resource_logs.into_iter().flatten() {
        let emitter = decoder.emitter(logs.resource, logs.schema_url);
        for Object(logs) in logs.scope_logs.into_iter().flatten() {
            let resource = decoder.resource(&emitter, logs.scope, logs.schema_url);
            for log in logs.log_records.into_iter().flatten() {
                decoder.entry(log, &resource, Decoder::record)?;
            }
        }
    }
    Ok(decoder.decoded)
}

/// The parts of a request, each still as text.
pub(super) fn outline<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, OtlpError> {
    if !text.trim_ascii_start().starts_with('{') {
        // serde would take an array for the fields of the message in order.
        return Err(OtlpError::Malformed { format: "JSON", what: "it is not a JSON object".to_owned() });
    }
    serde_json::from_str(text).map_err(|error| OtlpError::Malformed { format: "JSON", what: error.to_string() })
}

/// Why a record is rejected.
pub(super) type Fault = Cow<'static, str>;

/// A resource that still lacks its scope.
pub(super) struct Emitter {
    attributes: Attributes<'static>,
    dropped_attributes: u32,
    schema_url: String,
}

pub(super) struct Decoder<'a> {
    pub(super) received_ns: i64,
    values_left: usize,
    pub(super) decoded: Decoded<'a>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(received_ns: i64) -> Self {
        Self { received_ns, values_left: MAX_VALUES, decoded: Decoded::default() }
    }

    /// An entry whose resource or scope cannot be read is rejected with it: its origin would be lost.
    pub(super) fn entry(
        &mut self,
        entry: &'a RawValue,
        resource: &Result<Arc<Resource>, Fault>,
        read: fn(&mut Self, &'a RawValue, &Arc<Resource>) -> Result<Record<'a>, Fault>,
    ) -> Result<(), OtlpError> {
        if self.decoded.place() == limits::RECORDS_PER_REQUEST {
            return Err(OtlpError::TooMany { what: "records", max: limits::RECORDS_PER_REQUEST });
        }
        match resource.as_ref().map_err(Clone::clone).and_then(|resource| read(self, entry, resource)) {
            Ok(record) => self.decoded.records.push(record),
            Err(_) if self.values_left == 0 => return Err(OtlpError::TooMany { what: "values", max: MAX_VALUES }),
            Err(fault) => self.decoded.reject(fault),
        }
        Ok(())
    }

    pub(super) fn emitter(
        &mut self,
        resource: Option<&'a RawValue>,
        schema_url: Option<String>,
    ) -> Result<Emitter, Fault> {
        let schema_url = schema_url.unwrap_or_default();
        let mut emitter = Emitter { attributes: Vec::new(), dropped_attributes: 0, schema_url };
        for (key, value) in object(resource, "resource")? {
            match &*key {
                "attributes" => emitter.attributes = owned(self.attributes(value)?),
                "droppedAttributesCount" | "dropped_attributes_count" => emitter.dropped_attributes = uint32(&value)?,
                _ => {}
            }
        }
        Ok(emitter)
    }

    pub(super) fn resource(
        &mut self,
        emitter: &Result<Emitter, Fault>,
        scope: Option<&'a RawValue>,
        schema_url: Option<String>,
    ) -> Result<Arc<Resource>, Fault> {
        let emitter = emitter.as_ref().map_err(Clone::clone)?;
        let scope = self.scope(scope, schema_url.unwrap_or_default())?;
        let (attributes, schema_url) = (emitter.attributes.clone(), emitter.schema_url.clone());
        Ok(Resource::new(attributes, emitter.dropped_attributes, schema_url, scope))
    }

    fn scope(&mut self, scope: Option<&'a RawValue>, schema_url: String) -> Result<Scope, Fault> {
        let mut read = Scope { schema_url, ..Scope::default() };
        for (key, value) in object(scope, "scope")? {
            match &*key {
                "name" => read.name = text(value)?.into_owned(),
                "version" => read.version = text(value)?.into_owned(),
                "attributes" => read.attributes = owned(self.attributes(value)?),
                "droppedAttributesCount" | "dropped_attributes_count" => read.dropped_attributes = uint32(&value)?,
                _ => {}
            }
        }
        Ok(read)
    }

    fn record(&mut self, log: &'a RawValue, resource: &Arc<Resource>) -> Result<Record<'a>, Fault> {
        let mut record = Record::new(self.received_ns, Value::Null, Arc::clone(resource));
        for (key, value) in object(Some(log), "log record")? {
            let fault = |fault: Fault| Cow::Owned(format!("log record: `{}`: {fault}", shown(&key)));
            self.field(&mut record, &key, value).map_err(fault)?;
        }
        Ok(record)
    }

    fn field(&mut self, record: &mut Record<'a>, key: &str, value: Value<'a>) -> Result<(), Fault> {
        match key {
            "timeUnixNano" | "time_unix_nano" => record.time_ns = time(uint64(&value)?),
            "observedTimeUnixNano" | "observed_time_unix_nano" => record.observed_ns = time(uint64(&value)?),
            "severityNumber" | "severity_number" => record.severity = severity(&value)?,
            "severityText" | "severity_text" => record.severity_text = text(value)?,
            "body" => record.body = self.any(value)?,
            "attributes" => record.attributes = self.attributes(value)?,
            "droppedAttributesCount" | "dropped_attributes_count" => record.dropped_attributes = uint32(&value)?,
            "flags" => record.flags = uint32(&value)?,
            "traceId" | "trace_id" => {
                record.trace_id = id(&text(value)?).and_then(TraceId::new);
            }
            "spanId" | "span_id" => record.span_id = id(&text(value)?).and_then(SpanId::new),
            "eventName" | "event_name" => record.event_name = text(value)?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn attributes(&mut self, value: Value<'a>) -> Result<Attributes<'a>, Fault> {
        let pairs = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(pairs) => pairs,
            _ => return Err("key-value pairs must be an array".into()),
        };
        pairs.into_iter().map(|pair| self.pair(pair)).collect()
    }

    fn pair(&mut self, pair: Value<'a>) -> Result<(Cow<'a, str>, Value<'a>), Fault> {
        let Value::Map(fields) = pair else { return Err("a key-value pair must be an object".into()) };
        let mut read = (Cow::Borrowed(""), Value::Null);
        self.count()?;
        for (key, value) in fields {
            match &*key {
                "key" => read.0 = text(value)?,
                "value" => read.1 = self.any(value)?,
                _ => {}
            }
        }
        Ok(read)
    }

    pub(super) fn count(&mut self) -> Result<(), Fault> {
        self.values_left = self.values_left.saturating_sub(1);
        if self.values_left == 0 { Err("too many values".into()) } else { Ok(()) }
    }

    /// An `AnyValue`: an object with one member that names the type. Depth is that of the JSON, which is bounded.
    fn any(&mut self, value: Value<'a>) -> Result<Value<'a>, Fault> {
        self.count()?;
        let members = match value {
            Value::Null => return Ok(Value::Null),
            Value::Map(members) => members,
            _ => return Err("a value must be an object such as {\"stringValue\": \"…\"}".into()),
        };
        for (key, value) in members {
            match &*key {
                "stringValue" | "string_value" => return text(value).map(Value::Str),
                "boolValue" | "bool_value" => {
                    return if matches!(value, Value::Bool(_)) {
                        Ok(value)
                    } else {
                        Err("boolValue must be a boolean".into())
                    };
                }
                "intValue" | "int_value" => return int64(&value).map(Value::Int),
                "doubleValue" | "double_value" => return double(&value).map(Value::Double),
                "arrayValue" | "array_value" => return self.array(value),
                "kvlistValue" | "kvlist_value" => return self.attributes(member(value, "values")?).map(Value::Map),
                "bytesValue" | "bytes_value" => return bytes(&text(value)?).map(Value::Bytes),
                _ => {}
            }
        }
        Ok(Value::Null)
    }

    fn array(&mut self, value: Value<'a>) -> Result<Value<'a>, Fault> {
        match member(value, "values")? {
            Value::Null => Ok(Value::Array(Vec::new())),
            Value::Array(values) => {
                values.into_iter().map(|value| self.any(value)).collect::<Result<_, _>>().map(Value::Array)
            }
            _ => Err("the values of an arrayValue must be an array".into()),
        }
    }
}

/// A key as an error message shows it.
pub(super) fn shown(key: &str) -> &str {
    &key[..key.floor_char_boundary(40)]
}

pub(super) fn object<'a>(part: Option<&'a RawValue>, what: &'static str) -> Result<Attributes<'a>, Fault> {
    let text = part.map_or("null", RawValue::get);
    if text.len() > max_part_bytes() {
        return Err(format!("{what}: {} bytes of JSON, more than {}", text.len(), max_part_bytes()).into());
    }
    match json::parse(text).map_err(|error| Cow::Owned(format!("{what}: {error}")))? {
        Value::Null => Ok(Vec::new()),
        Value::Map(pairs) => Ok(pairs),
        _ => Err(format!("{what}: not an object").into()),
    }
}

fn member<'a>(value: Value<'a>, name: &str) -> Result<Value<'a>, Fault> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Map(pairs) => Ok(pairs.into_iter().find(|(key, _)| key == name).map_or(Value::Null, |(_, value)| value)),
        _ => Err("an arrayValue or kvlistValue must be an object".into()),
    }
}

fn owned(attributes: Attributes<'_>) -> Attributes<'static> {
    attributes.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect()
}

pub(super) fn text(value: Value<'_>) -> Result<Cow<'_, str>, Fault> {
    match value {
        Value::Str(text) => Ok(text),
        Value::Null => Ok(Cow::Borrowed("")),
        _ => Err("must be a string".into()),
    }
}

pub(super) fn int64(value: &Value<'_>) -> Result<i64, Fault> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Str(text) => text.parse().ok(),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => Some(*number as i64),
        _ => None,
    }
    .ok_or(Cow::Borrowed("must be a 64-bit integer, as a number or as text"))
}

pub(super) fn uint64(value: &Value<'_>) -> Result<u64, Fault> {
    match value {
        Value::Null => Some(0),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Str(text) => text.parse().ok(),
        Value::Double(number) if number.fract() == 0.0 && (0.0..1.8e19).contains(number) => Some(*number as u64),
        _ => None,
    }
    .ok_or(Cow::Borrowed("must be an unsigned 64-bit integer, as a number or as text"))
}

pub(super) fn uint32(value: &Value<'_>) -> Result<u32, Fault> {
    uint64(value)?.try_into().map_err(|_| Cow::Borrowed("must be less than 2^32"))
}

fn double(value: &Value<'_>) -> Result<f64, Fault> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        // Rust reads "NaN", "Infinity" and "-Infinity" as protobuf writes them.
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or(Cow::Borrowed("doubleValue must be a number"))
}

fn severity(value: &Value<'_>) -> Result<Severity, Fault> {
    match value {
        Value::Str(name) => Ok(name
            .strip_prefix("SEVERITY_NUMBER_")
            .map_or_else(|| name.parse().map_or(Severity::UNSPECIFIED, Severity::from_number), Severity::from_text)),
        Value::Null => Ok(Severity::UNSPECIFIED),
        number => int64(number).map(Severity::from_number),
    }
}

/// Hexadecimal digits of the full length; base64, as the plain protobuf mapping has it, is taken where it fits.
pub(super) fn id<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() == N * 2 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let mut id = [0; N];
        for (place, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).ok()?;
        }
        return Some(id);
    }
    bytes(text).ok()?.into_owned().try_into().ok()
}

fn bytes(text: &str) -> Result<Cow<'static, [u8]>, Fault> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map(Cow::Owned)
        .map_err(|_| Cow::Borrowed("bytesValue must be base64"))
}

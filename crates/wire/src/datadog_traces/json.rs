//! Versions 0.3 and 0.4 in JSON. The lists are read first and each span by itself, so that a bad one is told apart.

use std::borrow::Cow;

use logkeep_record::{Value, json, limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{Read, Taken};
use super::span::{DatadogSpan, Fault, span_id, trace_id};
use crate::Decoded;
use crate::spans::SpansError;

const EXPECTED: &str = "a list of Datadog traces in JSON";

/// Ids go beyond what our values hold, so they are read apart.
#[derive(Deserialize)]
struct Ids {
    #[serde(default)]
    trace_id: Option<u64>,
    #[serde(default)]
    span_id: Option<u64>,
    #[serde(default)]
    parent_id: Option<u64>,
    #[serde(default)]
    span_links: Option<Vec<LinkIds>>,
}

/// Numbers or, in some, texts.
#[derive(Deserialize)]
struct LinkIds {
    #[serde(default)]
    trace_id: serde_json::Value,
    #[serde(default)]
    trace_id_high: serde_json::Value,
    #[serde(default)]
    span_id: serde_json::Value,
}

/// Bytes that are not UTF-8 are replaced.
pub(super) fn decode<'a>(body: &'a [u8], mut taken: Taken<'a>) -> Result<Decoded<'a>, SpansError> {
    let text = String::from_utf8_lossy(body);
    let malformed = |error: serde_json::Error| SpansError::Malformed { expected: EXPECTED, what: error.to_string() };
    let traces: Vec<&RawValue> = serde_json::from_str(&text).map_err(malformed)?;
    for trace in traces {
        let spans: Vec<&RawValue> = serde_json::from_str(trace.get()).map_err(malformed)?;
        crate::spans::check_count(spans.len())?;
        let mut read = Vec::with_capacity(spans.len());
        for text in spans {
            let span = span(text.get());
            if let Ok(span) = &span {
                taken.count(span)?;
            }
            read.push(span);
        }
        taken.chunk(read)?;
    }
    Ok(taken.finish())
}

fn span(text: &str) -> Read<'static> {
    let max = 4 * limits::record_bytes();
    if text.len() > max {
        return Err(format!("a span of {} bytes, more than {max}", text.len()).into());
    }
    let fault = |error: &dyn std::fmt::Display| -> Fault { Cow::Owned(error.to_string()) };
    let Value::Map(fields) = json::parse(text).map_err(|error| fault(&error))?.into_owned() else {
        return Err("a span must be an object".into());
    };
    let ids: Ids = serde_json::from_str(text).map_err(|error| fault(&error))?;
    let mut span = DatadogSpan::default();
    for (key, value) in fields {
        if !matches!(&*key, "trace_id" | "span_id" | "parent_id") {
            span.set(&key, value)?;
        }
    }
    span.trace_id = ids.trace_id.unwrap_or(0);
    span.span_id = ids.span_id.unwrap_or(0);
    span.parent_id = ids.parent_id.unwrap_or(0);
    for (link, ids) in span.links.iter_mut().zip(ids.span_links.unwrap_or_default()) {
        if let (Some(trace), Some(span)) = (ids.trace_id.as_u64(), ids.span_id.as_u64()) {
            link.trace_id = trace_id(ids.trace_id_high.as_u64().unwrap_or(0), trace);
            link.span_id = span_id(span);
        }
    }
    span.checked()
}

//! Metrics, which are not stored: how many data points a request has, so that the answer can say what was refused.

use prost::encoding::{WireType, decode_key, decode_varint};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::OtlpError;
use super::json::{Object, outline};

/// Data points of a request in protobuf.
///
/// # Errors
/// [`OtlpError::Malformed`]; do not retry.
pub fn count_points_protobuf(body: &[u8]) -> Result<usize, OtlpError> {
    points(Level::Request, body)
        .ok_or_else(|| OtlpError::Malformed { format: "protobuf", what: "a field is cut off".to_owned() })
}

#[derive(Clone, Copy)]
enum Level {
    Request,
    Resource,
    Scope,
    Metric,
    Data,
}

fn points(level: Level, mut body: &[u8]) -> Option<usize> {
    let mut found = 0;
    while !body.is_empty() {
        let (tag, wire_type) = decode_key(&mut body).ok()?;
        let len = match wire_type {
            WireType::Varint => {
                decode_varint(&mut body).ok()?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut body).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (field, rest) = body.split_at_checked(len)?;
        found += match (level, tag, wire_type) {
            (Level::Request, 1, WireType::LengthDelimited) => points(Level::Resource, field)?,
            (Level::Resource, 2, WireType::LengthDelimited) => points(Level::Scope, field)?,
            (Level::Scope, 2, WireType::LengthDelimited) => points(Level::Metric, field)?,
            // Gauge, sum, histogram, exponential histogram, summary.
            (Level::Metric, 5 | 7 | 9 | 10 | 11, WireType::LengthDelimited) => points(Level::Data, field)?,
            (Level::Data, 1, WireType::LengthDelimited) => 1,
            _ => 0,
        };
        body = rest;
    }
    Some(found)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request {
    resource_metrics: Option<Vec<Object<ResourceMetrics>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceMetrics {
    scope_metrics: Option<Vec<Object<ScopeMetrics>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeMetrics {
    metrics: Option<Vec<Object<Metric>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metric {
    gauge: Option<Object<Data>>,
    sum: Option<Object<Data>>,
    histogram: Option<Object<Data>>,
    exponential_histogram: Option<Object<Data>>,
    summary: Option<Object<Data>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Data {
    data_points: Option<Vec<IgnoredAny>>,
}

impl Metric {
    fn points(self) -> usize {
        let data = [self.gauge, self.sum, self.histogram, self.exponential_histogram, self.summary];
        data.into_iter().flatten().map(|Object(data)| data.data_points.map_or(0, |points| points.len())).sum()
    }
}

/// Data points of a request in JSON.
///
/// # Errors
/// [`OtlpError::Malformed`]; do not retry.
pub fn count_points_json(body: &[u8]) -> Result<usize, OtlpError> {
    let request: Request = outline(&String::from_utf8_lossy(body))?;
    let resources = request.resource_metrics.into_iter().flatten();
    let scopes = resources.flat_map(|Object(resource)| resource.scope_metrics.into_iter().flatten());
    let metrics = scopes.flat_map(|Object(scope)| scope.metrics.into_iter().flatten());
    Ok(metrics.map(|Object(metric)| metric.points()).sum())
}

//! Entries to documents with the keys of Envoy's JSON access log.

use std::borrow::Cow;

use jiff::Timestamp;
use logkeep_record::{Attributes, Value};
use prost::encoding::{WireType, decode_key, decode_varint};

use super::messages::{Address, Common, HttpEntry, Pair, Request, Response, TcpEntry, Time};
use super::tls::put_tls;
use crate::spans::put;

const METHODS: [&str; 10] = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const VERSIONS: [&str; 5] = ["", "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"];
/// By the number of their field.
const FLAGS: [&str; 31] = [
    "", "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI",
    "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
];
/// Headers that carry a trace's context, and the key it is read from.
const CONTEXT: [(&str, &str); 5] = [
    ("traceparent", "traceparent"),
    ("x-b3-traceid", "x-b3-traceid"),
    ("x-b3-spanid", "x-b3-spanid"),
    ("x-datadog-trace-id", "dd.trace_id"),
    ("x-datadog-parent-id", "dd.span_id"),
];

type Document = Attributes<'static>;

impl HttpEntry {
    pub(super) fn document(self) -> Document {
        let mut pairs = begin(self.common.as_ref());
        let (request, response) = (self.request.unwrap_or_default(), self.response.unwrap_or_default());
        put(&mut pairs, "protocol", by_number(&VERSIONS, self.version));
        put_request(&mut pairs, &request);
        put_response(&mut pairs, &response);
        put_common(&mut pairs, self.common.unwrap_or_default());
        for header in request.headers {
            match CONTEXT.iter().find(|(name, _)| *name == header.key) {
                Some((_, key)) => put(&mut pairs, key, Value::from(header.value)),
                None => put_header(&mut pairs, "http.request.header.", header),
            }
        }
        for header in response.headers {
            match &*header.key {
                "x-envoy-upstream-service-time" => {
                    put(&mut pairs, "upstream_service_time", Value::from(header.value));
                }
                "grpc-status" => put(&mut pairs, "grpc_status", Value::from(header.value)),
                _ => put_header(&mut pairs, "http.response.header.", header),
            }
        }
        for trailer in response.trailers {
            match &*trailer.key {
                "grpc-status" => put(&mut pairs, "grpc_status", Value::from(trailer.value)),
                _ => put_header(&mut pairs, "http.response.trailer.", trailer),
            }
        }
        pairs
    }
}

impl TcpEntry {
    pub(super) fn document(self) -> Document {
        let mut pairs = begin(self.common.as_ref());
        let connection = self.connection.unwrap_or_default();
        put(&mut pairs, "bytes_received", size(connection.received_bytes));
        put(&mut pairs, "bytes_sent", size(connection.sent_bytes));
        put_common(&mut pairs, self.common.unwrap_or_default());
        pairs
    }
}

/// The keys by which a document is known to be Envoy's are in all of them.
fn begin(common: Option<&Common>) -> Document {
    let mut pairs = Document::with_capacity(40);
    put(&mut pairs, "start_time", common.and_then(|common| common.start_time.as_ref()).and_then(time_text));
    let flags = common.map(|common| flags(&common.response_flags)).unwrap_or_default();
    for (key, text) in [
        ("response_flags", flags),
        ("upstream_cluster", common.map(|common| common.upstream_cluster.clone()).unwrap_or_default()),
        ("route_name", common.map(|common| common.route_name.clone()).unwrap_or_default()),
    ] {
        pairs.push((Cow::Borrowed(key), if text.is_empty() { Value::str("-") } else { Value::from(text) }));
    }
    pairs
}

fn put_request(pairs: &mut Document, request: &Request) {
    put(pairs, "method", by_number(&METHODS, request.method));
    put(pairs, "url.scheme", text(&request.scheme));
    put(pairs, "authority", text(&request.authority));
    let path = if request.original_path.is_empty() { &request.path } else { &request.original_path };
    put(pairs, "path", text(path));
    put(pairs, "user_agent", text(&request.user_agent));
    put(pairs, "referer", text(&request.referer));
    put(pairs, "x_forwarded_for", text(&request.forwarded_for));
    put(pairs, "request_id", text(&request.request_id));
    put(pairs, "bytes_received", size(request.body_bytes));
    put(pairs, "mesh.request.headers_bytes", some_size(request.headers_bytes));
}

fn put_response(pairs: &mut Document, response: &Response) {
    // Nothing is sent where no answer was: Envoy's other logs have 0 there.
    let code = response.code.as_ref().map_or(0, |code| code.value);
    put(pairs, "response_code", Value::Int(code.into()));
    put(pairs, "response_code_details", text(&response.code_details));
    put(pairs, "bytes_sent", size(response.body_bytes));
    put(pairs, "mesh.response.headers_bytes", some_size(response.headers_bytes));
}

fn put_common(pairs: &mut Document, common: Common) {
    put(pairs, "duration", common.duration.as_ref().or(common.to_last_downstream_tx_byte.as_ref()).and_then(ms));
    for (key, time) in [
        ("mesh.time_to_last_rx_byte_ms", &common.to_last_rx_byte),
        ("mesh.time_to_first_upstream_tx_byte_ms", &common.to_first_upstream_tx_byte),
        ("mesh.time_to_last_upstream_tx_byte_ms", &common.to_last_upstream_tx_byte),
        ("mesh.time_to_first_upstream_rx_byte_ms", &common.to_first_upstream_rx_byte),
        ("mesh.time_to_last_upstream_rx_byte_ms", &common.to_last_upstream_rx_byte),
        ("mesh.time_to_first_downstream_tx_byte_ms", &common.to_first_downstream_tx_byte),
        ("mesh.time_to_last_downstream_tx_byte_ms", &common.to_last_downstream_tx_byte),
    ] {
        put(pairs, key, time.as_ref().and_then(ms));
    }
    for (key, address) in [
        ("upstream_host", common.upstream_remote_address),
        ("upstream_local_address", common.upstream_local_address),
        ("downstream_local_address", common.downstream_local_address),
        ("downstream_remote_address", common.downstream_remote_address),
        ("downstream_direct_remote_address", common.downstream_direct_remote_address),
    ] {
        put(pairs, key, address.and_then(address_text));
    }
    if let Some(tls) = common.tls {
        put_tls(pairs, tls);
    }
    put(pairs, "upstream_transport_failure_reason", Value::from(common.upstream_transport_failure_reason));
    put(pairs, "mesh.downstream.transport_failure_reason", Value::from(common.downstream_transport_failure_reason));
    put(pairs, "connection_termination_details", Value::from(common.connection_termination_details));
    put(pairs, "mesh.stream_id", Value::from(common.stream_id));
    for (key, count) in [
        ("mesh.upstream.attempts", common.upstream_request_attempt_count.into()),
        ("mesh.downstream.wire_bytes_sent", common.downstream_wire_bytes_sent),
        ("mesh.downstream.wire_bytes_received", common.downstream_wire_bytes_received),
        ("mesh.upstream.wire_bytes_sent", common.upstream_wire_bytes_sent),
        ("mesh.upstream.wire_bytes_received", common.upstream_wire_bytes_received),
    ] {
        put(pairs, key, some_size(count));
    }
    put(pairs, "mesh.intermediate", common.intermediate.then_some(Value::Bool(true)));
    put(pairs, "mesh.sample_rate", Some(Value::Double(common.sample_rate)).filter(|_| common.sample_rate != 0.0));
    pairs.extend(common.custom_tags.into_iter().map(|tag| (Cow::Owned(tag.key), Value::from(tag.value))));
    for filter in common.metadata.unwrap_or_default().filters {
        let fields = filter.fields.unwrap_or_default().into_value();
        pairs.push((Cow::Owned(format!("mesh.metadata.{}", filter.filter)), fields));
    }
    for state in common.filter_state {
        let bytes = state.content.unwrap_or_default().value;
        pairs.push((Cow::Owned(format!("mesh.filter_state.{}", state.name)), Value::Bytes(Cow::Owned(bytes))));
    }
}

fn put_header(pairs: &mut Document, prefix: &str, header: Pair) {
    pairs.push((Cow::Owned(format!("{prefix}{}", header.key)), Value::from(header.value)));
}

fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

fn size(bytes: u64) -> Value<'static> {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Zero stands for "not said" here.
fn some_size(bytes: u64) -> Option<Value<'static>> {
    (bytes != 0).then(|| size(bytes))
}

fn by_number(names: &[&'static str], number: i32) -> Option<Value<'static>> {
    usize::try_from(number).ok().and_then(|number| names.get(number)).map(|name| Value::str(name))
}

fn time_text(time: &Time) -> Option<Value<'static>> {
    Timestamp::new(time.seconds, time.nanos).ok().map(|time| Value::from(format!("{time:.9}")))
}

fn ms(time: &Time) -> Option<Value<'static>> {
    let ns = time.seconds.checked_mul(1_000_000_000)?.checked_add(time.nanos.into())?;
    Some(Value::Double(ns as f64 / 1e6))
}

fn address_text(address: Address) -> Option<Value<'static>> {
    let text = match (address.socket, address.pipe.or(address.internal)) {
        (Some(socket), _) if socket.address.contains(':') => format!("[{}]:{}", socket.address, socket.port),
        (Some(socket), _) => format!("{}:{}", socket.address, socket.port),
        (None, Some(name)) => name.name,
        (None, None) => return None,
    };
    Some(Value::from(text))
}

/// The short names of the flags that are set, joined by commas. Flags newer than this list are `F` and their number.
fn flags(mut message: &[u8]) -> String {
    let mut names = Vec::new();
    while let Ok((tag, wire_type)) = decode_key(&mut message) {
        let set = match wire_type {
            WireType::Varint => decode_varint(&mut message).ok().map(|value| value != 0),
            // Details of one that is set.
            WireType::LengthDelimited => {
                let length = decode_varint(&mut message).ok().and_then(|length| usize::try_from(length).ok());
                length.and_then(|length| message.split_at_checked(length)).map(|(_, rest)| {
                    message = rest;
                    true
                })
            }
            _ => None,
        };
        let Some(set) = set else { break };
        if set && names.len() < FLAGS.len() {
            let known = FLAGS.get(tag as usize).filter(|name| !name.is_empty());
            names.push(known.map_or_else(|| format!("F{tag}"), |name| (*name).to_owned()));
        }
    }
    names.join(",")
}

//! The messages, as far as they are read (envoy/service/accesslog/v3/als.proto, envoy/data/accesslog/v3/accesslog.proto and
//! what these import). A map on the wire is a list of pairs; so its order is kept.

use std::borrow::Cow;

use logkeep_record::Value;
use prost::{Message, Oneof};

#[derive(Message)]
pub(super) struct StreamMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) identifier: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<Entries>,
    #[prost(message, optional, tag = "3")]
    pub(super) tcp: Option<Entries>,
}

/// Of either kind; they stay bytes at first.
#[derive(Message)]
pub(super) struct Entries {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) entries: Vec<Vec<u8>>,
}

#[derive(Message)]
pub(super) struct Identifier {
    #[prost(message, optional, tag = "1")]
    pub(super) node: Option<Node>,
    #[prost(string, tag = "2")]
    pub(super) log_name: String,
}

/// Its list of extensions, which is nearly all of it, is passed over.
#[derive(Message)]
pub(super) struct Node {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) cluster: String,
    #[prost(message, optional, tag = "3")]
    pub(super) metadata: Option<Struct>,
    #[prost(message, optional, tag = "4")]
    pub(super) locality: Option<Locality>,
}

#[derive(Message)]
pub(super) struct Locality {
    #[prost(string, tag = "1")]
    pub(super) region: String,
    #[prost(string, tag = "2")]
    pub(super) zone: String,
}

#[derive(Message)]
pub(super) struct HttpEntry {
    #[prost(message, optional, tag = "1")]
    pub(super) common: Option<Common>,
    #[prost(int32, tag = "2")]
    pub(super) version: i32,
    #[prost(message, optional, tag = "3")]
    pub(super) request: Option<Request>,
    #[prost(message, optional, tag = "4")]
    pub(super) response: Option<Response>,
}

#[derive(Message)]
pub(super) struct TcpEntry {
    #[prost(message, optional, tag = "1")]
    pub(super) common: Option<Common>,
    #[prost(message, optional, tag = "2")]
    pub(super) connection: Option<Connection>,
}

#[derive(Message)]
pub(super) struct Connection {
    #[prost(uint64, tag = "1")]
    pub(super) received_bytes: u64,
    #[prost(uint64, tag = "2")]
    pub(super) sent_bytes: u64,
}

#[derive(Message)]
pub(super) struct Common {
    #[prost(double, tag = "1")]
    pub(super) sample_rate: f64,
    #[prost(message, optional, tag = "2")]
    pub(super) downstream_remote_address: Option<Address>,
    #[prost(message, optional, tag = "3")]
    pub(super) downstream_local_address: Option<Address>,
    #[prost(message, optional, tag = "4")]
    pub(super) tls: Option<Tls>,
    #[prost(message, optional, tag = "5")]
    pub(super) start_time: Option<Time>,
    #[prost(message, optional, tag = "6")]
    pub(super) to_last_rx_byte: Option<Time>,
    #[prost(message, optional, tag = "7")]
    pub(super) to_first_upstream_tx_byte: Option<Time>,
    #[prost(message, optional, tag = "8")]
    pub(super) to_last_upstream_tx_byte: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub(super) to_first_upstream_rx_byte: Option<Time>,
    #[prost(message, optional, tag = "10")]
    pub(super) to_last_upstream_rx_byte: Option<Time>,
    #[prost(message, optional, tag = "11")]
    pub(super) to_first_downstream_tx_byte: Option<Time>,
    #[prost(message, optional, tag = "12")]
    pub(super) to_last_downstream_tx_byte: Option<Time>,
    #[prost(message, optional, tag = "13")]
    pub(super) upstream_remote_address: Option<Address>,
    #[prost(message, optional, tag = "14")]
    pub(super) upstream_local_address: Option<Address>,
    #[prost(string, tag = "15")]
    pub(super) upstream_cluster: String,
    /// Nearly thirty flags, read by number.
    #[prost(bytes = "vec", tag = "16")]
    pub(super) response_flags: Vec<u8>,
    #[prost(message, optional, tag = "17")]
    pub(super) metadata: Option<Metadata>,
    #[prost(string, tag = "18")]
    pub(super) upstream_transport_failure_reason: String,
    #[prost(string, tag = "19")]
    pub(super) route_name: String,
    #[prost(message, optional, tag = "20")]
    pub(super) downstream_direct_remote_address: Option<Address>,
    #[prost(message, repeated, tag = "21")]
    pub(super) filter_state: Vec<FilterState>,
    #[prost(message, repeated, tag = "22")]
    pub(super) custom_tags: Vec<Pair>,
    #[prost(message, optional, tag = "23")]
    pub(super) duration: Option<Time>,
    #[prost(uint32, tag = "24")]
    pub(super) upstream_request_attempt_count: u32,
    #[prost(string, tag = "25")]
    pub(super) connection_termination_details: String,
    #[prost(string, tag = "26")]
    pub(super) stream_id: String,
    #[prost(bool, tag = "27")]
    pub(super) intermediate: bool,
    #[prost(string, tag = "28")]
    pub(super) downstream_transport_failure_reason: String,
    #[prost(uint64, tag = "29")]
    pub(super) downstream_wire_bytes_sent: u64,
    #[prost(uint64, tag = "30")]
    pub(super) downstream_wire_bytes_received: u64,
    #[prost(uint64, tag = "31")]
    pub(super) upstream_wire_bytes_sent: u64,
    #[prost(uint64, tag = "32")]
    pub(super) upstream_wire_bytes_received: u64,
}

#[derive(Message)]
pub(super) struct Request {
    #[prost(int32, tag = "1")]
    pub(super) method: i32,
    #[prost(string, tag = "2")]
    pub(super) scheme: String,
    #[prost(string, tag = "3")]
    pub(super) authority: String,
    #[prost(string, tag = "5")]
    pub(super) path: String,
    #[prost(string, tag = "6")]
    pub(super) user_agent: String,
    #[prost(string, tag = "7")]
    pub(super) referer: String,
    #[prost(string, tag = "8")]
    pub(super) forwarded_for: String,
    #[prost(string, tag = "9")]
    pub(super) request_id: String,
    #[prost(string, tag = "10")]
    pub(super) original_path: String,
    #[prost(uint64, tag = "11")]
    pub(super) headers_bytes: u64,
    #[prost(uint64, tag = "12")]
    pub(super) body_bytes: u64,
    #[prost(message, repeated, tag = "13")]
    pub(super) headers: Vec<Pair>,
}

#[derive(Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) code: Option<Number>,
    #[prost(uint64, tag = "2")]
    pub(super) headers_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub(super) body_bytes: u64,
    #[prost(message, repeated, tag = "4")]
    pub(super) headers: Vec<Pair>,
    #[prost(message, repeated, tag = "5")]
    pub(super) trailers: Vec<Pair>,
    #[prost(string, tag = "6")]
    pub(super) code_details: String,
}

#[derive(Message)]
pub(super) struct Number {
    #[prost(uint32, tag = "1")]
    pub(super) value: u32,
}

/// A `Timestamp` or a `Duration`.
#[derive(Message)]
pub(super) struct Time {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[derive(Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    pub(super) socket: Option<SocketAddress>,
    #[prost(message, optional, tag = "2")]
    pub(super) pipe: Option<Name>,
    #[prost(message, optional, tag = "3")]
    pub(super) internal: Option<Name>,
}

/// A path, or the name of an internal listener.
#[derive(Message)]
pub(super) struct Name {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Message)]
pub(super) struct SocketAddress {
    #[prost(string, tag = "2")]
    pub(super) address: String,
    #[prost(uint32, tag = "3")]
    pub(super) port: u32,
}

#[derive(Message)]
pub(super) struct Tls {
    #[prost(int32, tag = "1")]
    pub(super) version: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) cipher: Option<Number>,
    #[prost(string, tag = "3")]
    pub(super) server_name: String,
    #[prost(message, optional, tag = "4")]
    pub(super) local: Option<Certificate>,
    #[prost(message, optional, tag = "5")]
    pub(super) peer: Option<Certificate>,
    #[prost(string, tag = "7")]
    pub(super) ja3: String,
}

#[derive(Message)]
pub(super) struct Certificate {
    #[prost(message, repeated, tag = "1")]
    pub(super) names: Vec<AltName>,
    #[prost(string, tag = "2")]
    pub(super) subject: String,
}

#[derive(Message)]
pub(super) struct AltName {
    #[prost(string, tag = "1")]
    pub(super) uri: String,
    #[prost(string, tag = "2")]
    pub(super) dns: String,
}

#[derive(Message)]
pub(super) struct FilterState {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) content: Option<AnyMessage>,
}

#[derive(Message)]
pub(super) struct AnyMessage {
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

#[derive(Message)]
pub(super) struct Metadata {
    #[prost(message, repeated, tag = "1")]
    pub(super) filters: Vec<FilterMetadata>,
}

#[derive(Message)]
pub(super) struct FilterMetadata {
    #[prost(string, tag = "1")]
    pub(super) filter: String,
    #[prost(message, optional, tag = "2")]
    pub(super) fields: Option<Struct>,
}

/// `google.protobuf.Struct`.
#[derive(Message)]
pub(super) struct Struct {
    #[prost(message, repeated, tag = "1")]
    fields_on_wire: Vec<Field>,
}

#[derive(Message)]
struct Field {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Any>,
}

/// `google.protobuf.Value`.
#[derive(Message)]
pub(super) struct Any {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Oneof)]
enum Kind {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Truth(bool),
    #[prost(message, tag = "5")]
    Struct(Struct),
    #[prost(message, tag = "6")]
    List(List),
}

#[derive(Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Any>,
}

impl Any {
    /// Depth is bounded by prost, which refuses messages nested over a hundred deep: fewer than 64 values.
    pub(super) fn into_value(self) -> Value<'static> {
        match self.kind {
            None | Some(Kind::Null(_)) => Value::Null,
            Some(Kind::Number(number)) => Value::Double(number),
            Some(Kind::Text(text)) => Value::from(text),
            Some(Kind::Truth(truth)) => Value::Bool(truth),
            Some(Kind::Struct(fields)) => fields.into_value(),
            Some(Kind::List(list)) => Value::Array(list.values.into_iter().map(Self::into_value).collect()),
        }
    }

    pub(super) fn into_text(self) -> Option<String> {
        match self.kind {
            Some(Kind::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl Struct {
    pub(super) fn into_value(self) -> Value<'static> {
        let pair = |field: Field| (Cow::Owned(field.key), field.value.map_or(Value::Null, Any::into_value));
        Value::Map(self.fields_on_wire.into_iter().map(pair).collect())
    }

    pub(super) fn fields(self) -> impl Iterator<Item = (String, Option<Any>)> {
        self.fields_on_wire.into_iter().map(|field| (field.key, field.value))
    }
}

//! Envoy's access log service, version 3 (als.proto, accesslog.proto), as Envoy fills it for a request.

use anyhow::Context;
use logkeep_meshsim::{Access, Event};
use prost::Message;

use super::grpc;
use crate::receivers::batch::Batch;

#[derive(Message)]
struct StreamMessage {
    #[prost(message, optional, tag = "1")]
    identifier: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    http: Option<Entries>,
}

#[derive(Message)]
struct Identifier {
    #[prost(message, optional, tag = "1")]
    node: Option<Node>,
    #[prost(string, tag = "2")]
    log_name: String,
}

#[derive(Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    cluster: String,
}

#[derive(Message)]
struct Entries {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    common: Option<Common>,
    #[prost(int32, tag = "2")]
    version: i32,
    #[prost(message, optional, tag = "3")]
    request: Option<Request>,
    #[prost(message, optional, tag = "4")]
    response: Option<Response>,
}

#[derive(Message)]
struct Common {
    #[prost(message, optional, tag = "2")]
    downstream_remote_address: Option<Address>,
    #[prost(message, optional, tag = "3")]
    downstream_local_address: Option<Address>,
    #[prost(message, optional, tag = "5")]
    start_time: Option<Time>,
    #[prost(message, optional, tag = "6")]
    to_last_rx_byte: Option<Time>,
    #[prost(message, optional, tag = "10")]
    to_last_upstream_rx_byte: Option<Time>,
    #[prost(message, optional, tag = "12")]
    to_last_downstream_tx_byte: Option<Time>,
    #[prost(message, optional, tag = "13")]
    upstream_remote_address: Option<Address>,
    #[prost(string, tag = "15")]
    upstream_cluster: String,
    #[prost(message, optional, tag = "16")]
    response_flags: Option<Flags>,
    #[prost(string, tag = "18")]
    upstream_transport_failure_reason: String,
    #[prost(string, tag = "19")]
    route_name: String,
    #[prost(message, optional, tag = "23")]
    duration: Option<Time>,
}

#[derive(Message)]
struct Flags {
    #[prost(bool, tag = "3")]
    upstream_request_timeout: bool,
    #[prost(bool, tag = "6")]
    upstream_connection_failure: bool,
    #[prost(bool, tag = "7")]
    upstream_connection_termination: bool,
    #[prost(bool, tag = "8")]
    upstream_overflow: bool,
    #[prost(bool, tag = "16")]
    upstream_retry_limit_exceeded: bool,
}

#[derive(Message)]
struct Request {
    #[prost(int32, tag = "1")]
    method: i32,
    #[prost(string, tag = "2")]
    scheme: String,
    #[prost(string, tag = "3")]
    authority: String,
    #[prost(string, tag = "5")]
    path: String,
    #[prost(string, tag = "6")]
    user_agent: String,
    #[prost(string, tag = "9")]
    request_id: String,
    #[prost(uint64, tag = "11")]
    headers_bytes: u64,
    #[prost(uint64, tag = "12")]
    body_bytes: u64,
    #[prost(message, repeated, tag = "13")]
    headers: Vec<Pair>,
}

#[derive(Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    code: Option<Number>,
    #[prost(uint64, tag = "2")]
    headers_bytes: u64,
    #[prost(uint64, tag = "3")]
    body_bytes: u64,
    #[prost(string, tag = "6")]
    code_details: String,
}

#[derive(Message)]
struct Number {
    #[prost(uint32, tag = "1")]
    value: u32,
}

#[derive(Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<SocketAddress>,
}

#[derive(Message)]
struct SocketAddress {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

/// The first message of a stream: who sends.
pub(in crate::receivers) fn identifier() -> Vec<u8> {
    let node = Node { id: "sidecar~10.42.7.19~orders-core.shop".to_owned(), cluster: "orders-core.shop".to_owned() };
    let identifier = Some(Identifier { node: Some(node), log_name: "otel_envoy_accesslog".to_owned() });
    grpc(&StreamMessage { identifier, http: None }.encode_to_vec())
}

/// The lines of proxies as one message of a stream.
pub(in crate::receivers) fn entries(batch: &Batch) -> anyhow::Result<Vec<u8>> {
    let entry = |event: &Event| Ok(entry(event.time_ns, event.access().context("the line is no proxy's")?));
    let entries: anyhow::Result<Vec<Entry>> = batch.events.iter().map(entry).collect();
    let message = StreamMessage { identifier: None, http: Some(Entries { entries: entries? }) };
    Ok(grpc(&message.encode_to_vec()))
}

fn entry(start_ns: i64, access: &Access) -> Entry {
    let methods = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let method = methods.iter().position(|method| *method == access.method).unwrap_or_default();
    let (ip, port) = access.peer();
    let traced = Pair { key: "x-forwarded-proto".to_owned(), value: "https".to_owned() };
    Entry {
        common: Some(common(start_ns, access, address(ip, port))),
        version: if access.protocol == "HTTP/2" { 3 } else { 2 },
        request: Some(Request {
            method: method as i32,
            scheme: "http".to_owned(),
            authority: format!("{}.{}:{}", access.server.service, access.server.namespace, access.server.port),
            path: access.path.clone(),
            user_agent: access.user_agent.to_owned(),
            request_id: uuid(access.request_id),
            headers_bytes: 512,
            body_bytes: access.bytes_received,
            headers: vec![traced],
        }),
        response: Some(Response {
            code: Some(Number { value: access.status.into() }),
            headers_bytes: 180,
            body_bytes: access.bytes_sent,
            code_details: access.details.to_owned(),
        }),
    }
}

fn common(start_ns: i64, access: &Access, peer: Address) -> Common {
    let server = &access.server;
    let lasted = |us: u64| Some(time(us as i64 * 1_000));
    let flag = |name: &str| access.flags.split(',').any(|flag| flag == name);
    Common {
        downstream_remote_address: Some(peer),
        downstream_local_address: Some(address(server.ip, server.port)),
        start_time: Some(time(start_ns)),
        to_last_rx_byte: lasted(40),
        to_last_upstream_rx_byte: access.upstream_us.and_then(lasted),
        to_last_downstream_tx_byte: lasted(access.duration_us),
        upstream_remote_address: Some(address(server.ip, server.port)),
        upstream_cluster: format!(
            "outbound|{}||{}.{}.svc.cluster.local",
            server.port, server.service, server.namespace
        ),
        response_flags: Some(Flags {
            upstream_request_timeout: flag("UT"),
            upstream_connection_failure: flag("UF"),
            upstream_connection_termination: flag("UC"),
            upstream_overflow: flag("UO"),
            upstream_retry_limit_exceeded: flag("URX"),
        }),
        upstream_transport_failure_reason: access.transport_failure.unwrap_or_default().to_owned(),
        route_name: "default".to_owned(),
        duration: lasted(access.duration_us),
    }
}

fn time(ns: i64) -> Time {
    Time { seconds: ns / 1_000_000_000, nanos: (ns % 1_000_000_000) as i32 }
}

fn address(ip: [u8; 4], port: u16) -> Address {
    let address = std::net::Ipv4Addr::from(ip).to_string();
    Address { socket: Some(SocketAddress { address, port: port.into() }) }
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

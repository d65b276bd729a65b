//! Access logs as Envoy (under Istio or Consul) and Linkerd write them.
//!
//! Envoy sorts the keys of its JSON, writes `null` for what is absent and keeps numbers as numbers. Linkerd writes
//! its durations and byte counts as text, because it records them that way.

use crate::event::{Access, Event, Side};
use crate::text::{Object, push_address, push_hex, push_ip, push_rfc3339, push_u64, push_uuid};
use crate::topology::{Platform, Pod};

/// The JSON form of whichever proxy stands beside the pod.
pub fn access_json(event: &Event, access: &Access, out: &mut String) {
    match event.pod.platform {
        Platform::Istio => istio_json(event, access, out),
        Platform::Linkerd => linkerd_json(event, access, out),
        Platform::Consul => envoy_json(event, access, out),
    }
}

/// Istio's JSON: 24 keys.
pub fn istio_json(event: &Event, access: &Access, out: &mut String) {
    let mut object = Object::new(out);
    envoy_fields(event, access, Form { route_name: true, time: true }, &mut object);
    object.close();
}

/// Consul's JSON: the same keys but for `route_name`.
pub fn envoy_json(event: &Event, access: &Access, out: &mut String) {
    let mut object = Object::new(out);
    envoy_fields(event, access, Form { route_name: false, time: true }, &mut object);
    object.close();
}

/// Which of the optional keys are there.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) route_name: bool,
    /// A shipper that has read the time leaves its source out.
    pub(super) time: bool,
}

pub(super) fn envoy_fields(event: &Event, access: &Access, form: Form, object: &mut Object<'_>) {
    let (peer_ip, peer_port) = access.peer();
    object.plain("authority", |out| authority(access, out));
    object.number("bytes_received", access.bytes_received);
    object.number("bytes_sent", access.bytes_sent);
    object.optional("connection_termination_details", None);
    object.plain("downstream_local_address", |out| push_address(out, access.server.ip, access.server.port));
    object.plain("downstream_remote_address", |out| push_address(out, peer_ip, peer_port));
    object.number("duration", access.duration_ms());
    object.text("method", access.method);
    object.text("path", &access.path);
    object.text("protocol", access.protocol);
    object.plain("request_id", |out| push_uuid(out, access.request_id));
    // A server name is asked for only where the caller's proxy speaks TLS to this one.
    match access.side == Side::Inbound && access.caller.is_some() {
        true => object.plain("requested_server_name", |out| server_name(&access.server, out)),
        false => object.optional("requested_server_name", None),
    }
    object.number("response_code", access.status.into());
    object.text("response_code_details", access.details);
    object.text("response_flags", access.flags);
    if form.route_name {
        object.text("route_name", "default");
    }
    if form.time {
        object.plain("start_time", |out| push_rfc3339(out, event.time_ns, 3));
    }
    object.plain("upstream_cluster", |out| upstream_cluster(access, out));
    object.plain("upstream_host", |out| push_address(out, access.server.ip, access.server.port));
    match access.upstream_us {
        Some(_) => object.plain("upstream_local_address", |out| local_address(event, access, out)),
        None => object.optional("upstream_local_address", None),
    }
    match access.upstream_us {
        Some(us) => object.plain("upstream_service_time", |out| push_u64(out, us / 1_000)),
        None => object.optional("upstream_service_time", None),
    }
    object.optional("upstream_transport_failure_reason", access.transport_failure);
    object.text("user_agent", access.user_agent);
    match access.client {
        Some(ip) => object.plain("x_forwarded_for", |out| push_ip(out, ip)),
        None => object.optional("x_forwarded_for", None),
    }
}

/// Envoy's text line: Istio's default format under Istio, Envoy's own elsewhere.
pub fn access_text(event: &Event, access: &Access, out: &mut String) {
    let istio = event.pod.platform == Platform::Istio;
    out.push('[');
    push_rfc3339(out, event.time_ns, 3);
    for part in ["] \"", access.method, " ", &access.path, " ", access.protocol, "\" "] {
        out.push_str(part);
    }
    push_u64(out, access.status.into());
    out.push(' ');
    out.push_str(access.flags);
    if istio {
        out.push(' ');
        out.push_str(access.details);
        out.push_str(" - \"");
        out.push_str(access.transport_failure.unwrap_or("-"));
        out.push('"');
    }
    for number in [access.bytes_received, access.bytes_sent, access.duration_ms()] {
        out.push(' ');
        push_u64(out, number);
    }
    out.push(' ');
    match access.upstream_us {
        Some(us) => push_u64(out, us / 1_000),
        None => out.push('-'),
    }
    out.push_str(" \"");
    match access.client {
        Some(ip) => push_ip(out, ip),
        None => out.push('-'),
    }
    out.push_str("\" \"");
    out.push_str(access.user_agent);
    out.push_str("\" \"");
    push_uuid(out, access.request_id);
    out.push_str("\" \"");
    authority(access, out);
    out.push_str("\" \"");
    push_address(out, access.server.ip, access.server.port);
    out.push('"');
    if istio {
        istio_text_tail(event, access, out);
    }
}

fn istio_text_tail(event: &Event, access: &Access, out: &mut String) {
    out.push(' ');
    upstream_cluster(access, out);
    out.push(' ');
    match access.upstream_us {
        Some(_) => local_address(event, access, out),
        None => out.push('-'),
    }
    out.push(' ');
    push_address(out, access.server.ip, access.server.port);
    out.push(' ');
    let (ip, port) = access.peer();
    push_address(out, ip, port);
    out.push(' ');
    match access.side == Side::Inbound && access.caller.is_some() {
        true => server_name(&access.server, out),
        false => out.push('-'),
    }
    out.push_str(" default");
}

/// Linkerd's JSON. Durations and lengths are text; the length of an answer without a `content-length` is absent.
pub fn linkerd_json(event: &Event, access: &Access, out: &mut String) {
    let mut object = Object::new(out);
    linkerd_fields(event, access, true, &mut object);
    object.close();
}

/// `alone`: with the time and the trace id, which a shipper has already read.
pub(super) fn linkerd_fields(event: &Event, access: &Access, alone: bool, object: &mut Object<'_>) {
    let (peer_ip, peer_port) = access.peer();
    object.plain("client.addr", |out| push_address(out, peer_ip, peer_port.max(1)));
    object.plain("client.id", |out| match &access.caller {
        Some(caller) => {
            for part in [&caller.service, ".", caller.namespace, ".serviceaccount.identity.linkerd.cluster.local"] {
                out.push_str(part);
            }
        }
        None => out.push('-'),
    });
    if alone {
        object.plain("timestamp", |out| push_rfc3339(out, event.time_ns, 9));
    }
    object.text("method", access.method);
    object.text("uri", &access.path);
    object.text("version", if access.protocol == "HTTP/2" { "HTTP/2.0" } else { access.protocol });
    if alone {
        let trace_id = event.trace.map_or(0, |trace| trace.trace_id);
        object.plain("trace_id", |out| push_hex(out, trace_id, 32));
    }
    object.plain("request_bytes", |out| match access.bytes_received {
        0 => {}
        bytes => push_u64(out, bytes),
    });
    object.number("status", access.status.into());
    object.plain("response_bytes", |out| push_u64(out, access.bytes_sent));
    object.plain("total_ns", |out| push_u64(out, access.duration_us * 1_000));
    object.plain("processing_ns", |out| push_u64(out, 20_000 + access.duration_us % 97 * 100));
    object.text("user_agent", access.user_agent);
    object.plain("host", |out| authority(access, out));
}

fn authority(access: &Access, out: &mut String) {
    if access.caller.is_none() {
        out.push_str("www.example.com");
        return;
    }
    out.push_str(&access.server.service);
    out.push('.');
    out.push_str(access.server.namespace);
    out.push(':');
    push_u64(out, access.server.port.into());
}

fn upstream_cluster(access: &Access, out: &mut String) {
    if access.side == Side::Inbound {
        out.push_str("inbound|");
        push_u64(out, access.server.port.into());
        out.push_str("||");
        return;
    }
    out.push_str("outbound|");
    push_u64(out, access.server.port.into());
    for part in ["||", &access.server.service, ".", access.server.namespace, ".svc.cluster.local"] {
        out.push_str(part);
    }
}

fn server_name(server: &Pod, out: &mut String) {
    out.push_str("outbound_.");
    push_u64(out, server.port.into());
    for part in ["_._.", &server.service, ".", server.namespace, ".svc.cluster.local"] {
        out.push_str(part);
    }
}

/// Istio's inbound proxy speaks to its application from 127.0.0.6; an outbound one from the pod's address.
fn local_address(event: &Event, access: &Access, out: &mut String) {
    let ip = if access.side == Side::Inbound { [127, 0, 0, 6] } else { event.pod.ip };
    push_address(out, ip, access.caller_port ^ 1);
}

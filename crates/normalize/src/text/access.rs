//! Access logs in text: Envoy, Istio, Kuma, and the Common Log Format of web servers and Linkerd.
//!
//! Proxies do not escape quotes in paths and user agents, so a line is read from both ends: a request target has no
//! spaces, the last fields have neither spaces nor quotes, and what a client may have made up lies between.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value};

use super::Parsed;
use crate::family::Family;

const ENVOY_NUMBERS: [&str; 6] =
    ["response_code", "response_flags", "bytes_received", "bytes_sent", "duration", "upstream_service_time"];
const ENVOY_QUOTED: [&str; 3] = ["request_id", "authority", "upstream_host"];
const ISTIO_TAIL: [&str; 6] = [
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
];
const KUMA_QUOTED: [&str; 7] = [
    "x-b3-traceid",
    "request_id",
    "authority",
    "kuma_source_service",
    "kuma_destination_service",
    "kuma_source_address",
    "upstream_host",
];

fn put<'t>(pairs: &mut Attributes<'t>, key: &'static str, text: &'t str) {
    pairs.push((Cow::Borrowed(key), Value::str(text)));
}

/// `[time] "request" …` of Envoy, Istio and Kuma, and Kuma's form for plain connections.
pub(super) fn envoy(line: &str) -> Option<Parsed<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    crate::time::from_text(time)?;
    let mut pairs = Vec::with_capacity(32);
    put(&mut pairs, "start_time", time);
    let parsed = if let Some(rest) = rest.strip_prefix('"') {
        envoy_request(rest, &mut pairs)
    } else if let Some((mesh, rest)) = rest.split_once(" \"").filter(|(mesh, _)| !mesh.contains(' ')) {
        put(&mut pairs, "kuma_mesh", mesh);
        kuma_request(rest, &mut pairs)
    } else {
        kuma_connection(rest, &mut pairs)
    };
    parsed.map(|()| Parsed { family: Family::Envoy, pairs, ..Parsed::default() })
}

fn envoy_request<'t>(rest: &'t str, pairs: &mut Attributes<'t>) -> Option<()> {
    let rest = request(rest, pairs)?;
    let (numbers, rest) = rest.split_once('"')?;
    let numbers: Vec<&str> = numbers.split_ascii_whitespace().take(8).collect();
    let rest = if numbers.len() == 6 {
        ENVOY_NUMBERS.iter().zip(&numbers).for_each(|(key, text)| put(pairs, key, text));
        rest
    } else {
        istio_middle(&numbers, rest, pairs)?
    };
    plausible_status(pairs)?;
    let (quoted, tail) = rest.rsplit_once('"')?;
    let tail: Vec<&str> = tail.split_ascii_whitespace().take(32).collect();
    if !tail.is_empty() && tail.len() < ISTIO_TAIL.len() {
        return None;
    }
    quoted_fields(quoted, &ENVOY_QUOTED, pairs)?;
    ISTIO_TAIL.iter().zip(&tail).for_each(|(key, text)| put(pairs, key, text));
    Some(())
}

/// `code flags details termination` are before the first quote, `"reason" rx tx duration upstream "` after it.
fn istio_middle<'t>(head: &[&'t str], rest: &'t str, pairs: &mut Attributes<'t>) -> Option<&'t str> {
    let &[code, flags, ref details @ ..] = head else { return None };
    put(pairs, "response_code", code);
    put(pairs, "response_flags", flags);
    for (key, text) in ["response_code_details", "connection_termination_details"].iter().zip(details) {
        put(pairs, key, text);
    }
    let (reason, rest) = rest.split_once("\" ")?;
    put(pairs, "upstream_transport_failure_reason", reason);
    let (numbers, rest) = rest.split_once('"')?;
    let mut numbers = numbers.split_ascii_whitespace();
    for key in &ENVOY_NUMBERS[2..] {
        put(pairs, key, numbers.next()?);
    }
    Some(rest)
}

fn kuma_request<'t>(rest: &'t str, pairs: &mut Attributes<'t>) -> Option<()> {
    let rest = request(rest, pairs)?;
    let (numbers, rest) = rest.split_once('"')?;
    let mut numbers = numbers.split_ascii_whitespace();
    for key in ENVOY_NUMBERS {
        put(pairs, key, numbers.next()?);
    }
    plausible_status(pairs)?;
    quoted_fields(rest.trim_end().strip_suffix('"')?, &KUMA_QUOTED, pairs)
}

/// `flags mesh addr(source)->addr(destination) took 3ms, sent 10 bytes, received: 20 bytes`.
fn kuma_connection<'t>(rest: &'t str, pairs: &mut Attributes<'t>) -> Option<()> {
    let (ends, counts) = rest.split_once(" took ")?;
    let mut words = ends.split(' ');
    let (flags, mesh, ends) = (words.next()?, words.next()?, words.next()?);
    let (source, destination) = ends.split_once(")->")?;
    let (address, source) = source.split_once('(')?;
    let (upstream, destination) = destination.strip_suffix(')')?.split_once('(')?;
    let (duration, counts) = counts.split_once(", sent ")?;
    let (sent, received) = counts.split_once(" bytes, received: ")?;
    let received = received.trim_end().strip_suffix(" bytes")?;
    for (key, text) in [
        ("response_flags", flags),
        ("kuma_mesh", mesh),
        ("kuma_source_address", address),
        ("kuma_source_service", source),
        ("upstream_host", upstream),
        ("kuma_destination_service", destination),
        ("duration", duration),
        ("bytes_sent", sent),
        ("bytes_received", received),
    ] {
        put(pairs, key, text);
    }
    Some(())
}

/// `METHOD TARGET PROTOCOL" `, the opening quote gone; gives what follows. The target may hold quotes, so the end is
/// the first quote after something that is a protocol.
fn request<'t>(text: &'t str, pairs: &mut Attributes<'t>) -> Option<&'t str> {
    let (end, _) = text.match_indices("\" ").find(|(end, _)| {
        let before = &text[..*end];
        ["-", "HTTP/1.1", "HTTP/2", "HTTP/1.0", "HTTP/3", "HTTP/2.0", "HTTP/0.9"]
            .iter()
            .any(|protocol| before.strip_suffix(protocol).is_some_and(|before| before.ends_with(' ')))
            || before == "-"
    })?;
    let (line, rest) = (&text[..end], &text[end + 2..]);
    if line != "-" {
        let (method, target) = line.split_once(' ')?;
        let (target, protocol) = target.rsplit_once(' ')?;
        put(pairs, "method", method);
        put(pairs, "path", target);
        put(pairs, "protocol", protocol);
    }
    Some(rest)
}

/// `XFF" "UA" "…" "last`: the named fields from the right, where no client can put a quote, then XFF from the left.
fn quoted_fields<'t>(mut text: &'t str, from_right: &[&'static str], pairs: &mut Attributes<'t>) -> Option<()> {
    for key in from_right.iter().rev() {
        let (before, field) = text.rsplit_once("\" \"")?;
        put(pairs, key, field);
        text = before;
    }
    let (forwarded, agent) = text.split_once("\" \"")?;
    put(pairs, "x_forwarded_for", forwarded);
    put(pairs, "user_agent", agent);
    Some(())
}

fn plausible_status(pairs: &Attributes<'_>) -> Option<()> {
    let (_, status) = pairs.iter().find(|(key, _)| key == "response_code")?;
    let status = status.as_str()?;
    (status == "0" || status == "-" || (status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()))).then_some(())
}

/// `host ident user [time] "request" status bytes "referer" "agent"`: web servers, and Linkerd's `apache` format,
/// where the host has a port, the ident is the client's TLS identity and the time is RFC 3339.
pub(super) fn common_log(line: &str) -> Option<Parsed<'_>> {
    let (address, rest) = line.split_once(' ')?;
    if address.len() < 3 || !address.contains(['.', ':']) || address.ends_with(':') {
        return None;
    }
    let (ident, rest) = rest.split_once(' ')?;
    let (user, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    if user.len() > 256 || crate::time::from_text(time).is_none() {
        return None;
    }
    let is_linkerd = time.as_bytes().get(4) == Some(&b'-');
    let mut pairs = Vec::with_capacity(16);
    put(&mut pairs, "client.addr", address);
    put(&mut pairs, if is_linkerd { "client.id" } else { "user.id" }, ident);
    put(&mut pairs, "user", user);
    put(&mut pairs, "timestamp", time);
    let padded = rest.ends_with('"');
    let rest = if padded { rest } else { rest.trim_end() };
    let rest = request(rest, &mut pairs)?;
    if let Some((_, path)) = pairs.iter_mut().find_map(|(key, value)| (key == "path").then_some((key, value))) {
        let target = std::mem::take(path);
        pairs.retain(|(key, _)| key != "path");
        pairs.push((Cow::Borrowed("uri"), target));
    }
    let (numbers, quoted) = rest.split_once(" \"").unwrap_or((rest, ""));
    let mut numbers = numbers.split_ascii_whitespace();
    put(&mut pairs, "response_code", numbers.next()?);
    plausible_status(&pairs)?;
    if let Some(bytes) = numbers.next() {
        put(&mut pairs, "response_bytes", bytes);
    }
    if let Some((referer, agent)) = quoted.strip_suffix('"').and_then(|quoted| quoted.split_once("\" \"")) {
        put(&mut pairs, "referer", referer);
        put(&mut pairs, "user_agent", agent);
    }
    let family = if is_linkerd { Family::Linkerd } else { Family::WebServer };
    Some(Parsed { family, pairs, ..Parsed::default() })
}

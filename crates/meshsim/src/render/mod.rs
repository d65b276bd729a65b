//! Events worded as their authors word them.
//!
//! Each function appends one record to a line buffer, without a line feed at its end. Stack traces do contain line
//! feeds: they are one record, and a sender's framing has to keep them together.

mod access;
mod app;
mod audit;
mod document;
mod syslog;

#[cfg(test)]
mod tests;

pub use access::{access_json, access_text, envoy_json, istio_json, linkerd_json};
pub use app::{app_json, app_text};
pub use audit::audit_json;
pub use document::{document, message};
pub use syslog::syslog;

use crate::event::{Event, Kind};
use crate::topology::Language;

/// A time in RFC 3339, UTC, with nine digits.
pub fn rfc3339(time_ns: i64) -> String {
    let mut out = String::with_capacity(30);
    crate::text::push_rfc3339(&mut out, time_ns, 9);
    out
}

/// The line a container writes to its output. Node applications log JSON, the others text; Istio's and Linkerd's proxies
/// log JSON, while those of the older Consul mesh still have Envoy's default text.
pub fn line(event: &Event, out: &mut String) {
    match &event.kind {
        Kind::App(app) if event.pod.language == Language::Node => app_json(event, app, out),
        Kind::App(app) => app_text(event, app, out),
        Kind::Audit(audit) => audit_json(event, audit, out),
        Kind::EnvoyAccess(access) => access_text(event, access, out),
        Kind::IstioAccess(access) => istio_json(event, access, out),
        Kind::LinkerdAccess(access) => linkerd_json(event, access, out),
    }
}

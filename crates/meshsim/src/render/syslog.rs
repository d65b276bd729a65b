//! Syslog messages (RFC 5424), without framing.

use crate::event::Event;
use crate::render::line;
use crate::text::{push_hex, push_rfc3339, push_u64};

/// Facility local0, under which applications log.
const FACILITY: u64 = 16;

/// One message: header, structured data with the pod's place in the mesh, then the line.
pub fn syslog(event: &Event, out: &mut String) {
    out.push('<');
    push_u64(out, FACILITY * 8 + u64::from(event.level().syslog()));
    out.push_str(">1 ");
    push_rfc3339(out, event.time_ns, 6);
    for part in [" ", &event.pod.node, " ", &event.pod.service, " 1 ", event.level().upper()] {
        out.push_str(part);
    }
    // 32473 is the enterprise number that RFC 5612 sets aside for documentation.
    out.push_str(" [mesh@32473 cluster=\"");
    for part in [event.pod.cluster, "\" namespace=\"", event.pod.namespace, "\" pod=\"", &event.pod.name] {
        out.push_str(part);
    }
    out.push_str("\" version=\"");
    out.push_str(event.pod.version);
    if let Some(trace) = event.trace {
        out.push_str("\" trace_id=\"");
        push_hex(out, trace.trace_id, 32);
    }
    out.push_str("\"] ");
    line(event, out);
}

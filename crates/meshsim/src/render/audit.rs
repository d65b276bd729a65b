//! The Kubernetes API server's audit log (`audit.k8s.io/v1`), at level `Metadata`.

use crate::event::{Audit, Event};
use crate::text::{Object, push_ip, push_json_str, push_rfc3339, push_uuid};

/// One audit event as JSON.
pub fn audit_json(event: &Event, audit: &Audit, out: &mut String) {
    let mut object = Object::new(out);
    audit_fields(event, audit, &mut object);
    object.close();
}

pub(super) fn audit_fields(event: &Event, audit: &Audit, object: &mut Object<'_>) {
    object.text("kind", "Event");
    object.text("apiVersion", "audit.k8s.io/v1");
    object.plain("auditID", |out| push_uuid(out, audit.audit_id));
    object.text("stage", "ResponseComplete");
    object.plain("requestURI", |out| request_uri(audit, out));
    object.text("verb", audit.verb);
    user(audit, object.value("user"));
    let out = object.value("sourceIPs");
    out.push_str("[\"");
    push_ip(out, audit.source_ip);
    out.push_str("\"]");
    object.text("userAgent", audit.user_agent);
    let mut reference = Object::new(object.value("objectRef"));
    reference.text("resource", audit.resource);
    reference.text("namespace", &audit.namespace);
    reference.text("name", &audit.name);
    if !audit.api_group.is_empty() {
        reference.text("apiGroup", audit.api_group);
    }
    reference.text("apiVersion", "v1");
    reference.close();
    let mut status = Object::new(object.value("responseStatus"));
    status.value("metadata").push_str("{}");
    status.number("code", audit.status.into());
    status.close();
    object.plain("requestReceivedTimestamp", |out| push_rfc3339(out, event.time_ns, 6));
    let done_ns = event.time_ns + audit.duration_us as i64 * 1_000;
    object.plain("stageTimestamp", |out| push_rfc3339(out, done_ns, 6));
    let mut annotations = Object::new(object.value("annotations"));
    annotations.text("authorization.k8s.io/decision", if audit.status == 403 { "forbid" } else { "allow" });
    annotations.text("authorization.k8s.io/reason", &audit.reason);
    annotations.close();
}

fn user(audit: &Audit, out: &mut String) {
    let mut user = Object::new(out);
    user.text("username", &audit.user);
    let groups = user.value("groups");
    groups.push('[');
    push_json_str(groups, audit.group);
    groups.push_str(",\"system:authenticated\"]");
    user.close();
}

fn request_uri(audit: &Audit, out: &mut String) {
    if audit.api_group.is_empty() {
        out.push_str("/api/v1");
    } else {
        for part in ["/apis/", audit.api_group, "/v1"] {
            out.push_str(part);
        }
    }
    for part in ["/namespaces/", &audit.namespace, "/", audit.resource, "/", &audit.name] {
        out.push_str(part);
    }
}

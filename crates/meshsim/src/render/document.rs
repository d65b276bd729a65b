//! Events as a log shipper sends them: the line's own fields beside those the shipper knows of the container.

use crate::event::{AppLog, Event, Kind};
use crate::render::access::{Form, envoy_fields, linkerd_fields};
use crate::render::audit::audit_fields;
use crate::text::{Object, push_hex, push_rfc3339, push_u64};
use crate::topology::Platform;

/// One flat JSON document: where and when, then `message`, then every field of the line itself. As shippers do it,
/// absent fields are left out and the line's own time has become `@timestamp`.
pub fn document(event: &Event, out: &mut String) {
    let mut object = Object::sparse(out);
    place(event, &mut object);
    match &event.kind {
        Kind::App(app) => app_fields(event, app, &mut object),
        Kind::Audit(audit) => {
            object.plain("message", |out| message(event, out));
            audit_fields(event, audit, &mut object);
        }
        Kind::EnvoyAccess(access) | Kind::IstioAccess(access) => {
            object.plain("message", |out| message(event, out));
            let form = Form { route_name: event.pod.platform == Platform::Istio, time: false };
            envoy_fields(event, access, form, &mut object);
        }
        Kind::LinkerdAccess(access) => {
            object.plain("message", |out| message(event, out));
            linkerd_fields(event, access, false, &mut object);
        }
    }
    object.close();
}

/// What the document says under `message`: the application's own words and stack trace, or a summary of the request
/// or act.
pub fn message(event: &Event, out: &mut String) {
    match &event.kind {
        Kind::App(app) => {
            out.push_str(&app.message);
            if let Some(stack) = &app.stack {
                out.push('\n');
                out.push_str(stack);
            }
        }
        Kind::Audit(audit) => {
            for part in [audit.verb, " ", audit.resource, " ", &audit.namespace, "/", &audit.name] {
                out.push_str(part);
            }
        }
        Kind::EnvoyAccess(access) | Kind::IstioAccess(access) | Kind::LinkerdAccess(access) => {
            for part in [access.method, " ", &access.path, " "] {
                out.push_str(part);
            }
            push_u64(out, access.status.into());
            out.push(' ');
            push_u64(out, access.duration_ms());
            out.push_str("ms");
        }
    }
}

fn place(event: &Event, object: &mut Object<'_>) {
    object.plain("@timestamp", |out| push_rfc3339(out, event.time_ns, 9));
    object.text("cluster", event.pod.cluster);
    object.text("namespace", event.pod.namespace);
    object.text("service", &event.pod.service);
    object.text("pod", &event.pod.name);
    object.text("level", event.level().lower());
    if let Some(trace) = event.trace {
        object.plain("trace_id", |out| push_hex(out, trace.trace_id, 32));
    }
}

fn app_fields(event: &Event, app: &AppLog, object: &mut Object<'_>) {
    if let Some(trace) = event.trace {
        object.plain("span_id", |out| push_hex(out, trace.span_id.into(), 16));
    }
    object.text("node", &event.pod.node);
    object.text("version", event.pod.version);
    object.text("logger", app.logger);
    object.text("stream", if app.level >= crate::Level::Warn { "stderr" } else { "stdout" });
    let mut text = String::with_capacity(64);
    message(event, &mut text);
    object.text("message", &text);
}

//! Application lines in the manner of their language, as text and as JSON.

use crate::event::{AppLog, Event};
use crate::text::{Object, push_civil, push_hex, push_json_str, push_rfc3339, push_u64};
use crate::topology::Language;

/// The text an application writes to its output, stack trace included.
pub fn app_text(event: &Event, app: &AppLog, out: &mut String) {
    match event.pod.language {
        Language::Java => java(event, app, out),
        Language::Python => python(event, app, out),
        Language::Go => go(event, app, out),
        Language::Node => node(event, app, out),
    }
    if let Some(stack) = &app.stack {
        out.push('\n');
        out.push_str(stack);
    }
}

/// The JSON line of an application that logs structured.
pub fn app_json(event: &Event, app: &AppLog, out: &mut String) {
    let mut object = Object::new(out);
    object.plain("time", |out| push_rfc3339(out, event.time_ns, 6));
    object.text("level", app.level.lower());
    object.text("logger", app.logger);
    object.text("msg", &app.message);
    if let Some(trace) = event.trace {
        object.plain("trace_id", |out| push_hex(out, trace.trace_id, 32));
        object.plain("span_id", |out| push_hex(out, trace.span_id.into(), 16));
    }
    if let Some(stack) = &app.stack {
        object.text("stack", stack);
    }
    object.text("version", event.pod.version);
    object.close();
}

/// logback: `2026-11-20 10:00:00,123 INFO [exec-7] [trace,span] c.e.OrderService - …`.
fn java(event: &Event, app: &AppLog, out: &mut String) {
    push_civil(out, event.time_ns, ' ', ',', 3);
    out.push(' ');
    out.push_str(app.level.upper());
    out.push_str(" [http-nio-8080-exec-");
    push_u64(out, event.time_ns as u64 / 1_000 % 40);
    out.push_str("] [");
    if let Some(trace) = event.trace {
        push_hex(out, trace.trace_id, 32);
        out.push(',');
        push_hex(out, trace.span_id.into(), 16);
    }
    for part in ["] ", app.logger, " - ", &app.message] {
        out.push_str(part);
    }
}

/// `logging` with a trace id: `2026-11-20 10:00:00,123 WARNING app.store [trace_id=…] …`.
fn python(event: &Event, app: &AppLog, out: &mut String) {
    push_civil(out, event.time_ns, ' ', ',', 3);
    out.push(' ');
    out.push_str(match app.level {
        crate::Level::Warn => "WARNING",
        level => level.upper(),
    });
    out.push(' ');
    out.push_str(app.logger);
    if let Some(trace) = event.trace {
        out.push_str(" [trace_id=");
        push_hex(out, trace.trace_id, 32);
        out.push(']');
    }
    out.push(' ');
    out.push_str(&app.message);
}

/// `log/slog`: `time=… level=INFO msg="…" logger=store trace_id=…`.
fn go(event: &Event, app: &AppLog, out: &mut String) {
    out.push_str("time=");
    push_rfc3339(out, event.time_ns, 3);
    out.push_str(" level=");
    out.push_str(app.level.upper());
    out.push_str(" msg=");
    push_json_str(out, &app.message);
    out.push_str(" logger=");
    out.push_str(app.logger);
    if let Some(trace) = event.trace {
        out.push_str(" trace_id=");
        push_hex(out, trace.trace_id, 32);
    }
}

/// `[2026-11-20T10:00:00.123Z] info: … trace=…`.
fn node(event: &Event, app: &AppLog, out: &mut String) {
    out.push('[');
    push_rfc3339(out, event.time_ns, 3);
    for part in ["] ", app.level.lower(), ": ", app.logger, ": ", &app.message] {
        out.push_str(part);
    }
    if let Some(trace) = event.trace {
        out.push_str(" trace=");
        push_hex(out, trace.trace_id, 32);
    }
}

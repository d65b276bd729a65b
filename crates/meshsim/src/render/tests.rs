use serde_json::Value;

use super::*;
use crate::{Mesh, Mix, Options, Simulator};

fn events(count: usize) -> Vec<Event> {
    let options = Options {
        seed: 3,
        start_ns: 1_795_168_800_000_000_000,
        ns_per_event: 1_000_000,
        mix: Mix::default(),
        fault: None,
    };
    Simulator::new(Mesh::shop(), options).take(count).collect()
}

fn rendered(render: fn(&Event, &mut String), event: &Event) -> String {
    let mut out = String::new();
    render(event, &mut out);
    out
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_document_is_one_line_of_json() {
    for event in events(5_000) {
        let text = rendered(document, &event);
        let value = parsed(&text);
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(value["service"], event.pod.service, "{text}");
        assert_eq!(value["level"], event.level().lower(), "{text}");
        assert!(value["message"].as_str().is_some_and(|message| !message.is_empty()), "{text}");
    }
}

#[test]
fn proxies_write_their_own_keys() {
    let (mut istio, mut consul, mut linkerd) = (0, 0, 0);
    for event in events(5_000) {
        let text = rendered(line, &event);
        match &event.kind {
            Kind::IstioAccess(access) => {
                istio += 1;
                check_envoy(&parsed(&text), access.status, 24);
                assert!(rendered(access_text_of, &event).ends_with(" default"));
            }
            Kind::EnvoyAccess(access) => {
                consul += 1;
                let mut json = String::new();
                access_json(&event, access, &mut json);
                check_envoy(&parsed(&json), access.status, 23);
                assert!(text.starts_with('[') && !text.ends_with(" default"), "{text}");
            }
            Kind::LinkerdAccess(access) => {
                linkerd += 1;
                let value = parsed(&text);
                assert_eq!(value.as_object().map(serde_json::Map::len), Some(14), "{text}");
                assert_eq!(value["status"], access.status);
                assert_eq!(value["total_ns"], (access.duration_us * 1_000).to_string());
            }
            Kind::App(app) => assert!(text.contains(&app.message), "{text}"),
            Kind::Audit(audit) => assert_eq!(parsed(&text)["verb"], audit.verb),
        }
    }
    assert!(istio > 100 && consul > 100 && linkerd > 100, "{istio} {consul} {linkerd}");
}

fn access_text_of(event: &Event, out: &mut String) {
    if let Some(access) = event.access() {
        access_text(event, access, out);
    }
}

fn check_envoy(value: &Value, status: u16, keys: usize) {
    let Value::Object(fields) = value else { panic!("an object: {value}") };
    let names: Vec<&String> = fields.keys().collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.len(), keys, "{names:?}");
    assert_eq!(value["response_code"], status);
    assert!(value["connection_termination_details"].is_null());
}

#[test]
fn envoy_text_has_its_fields_in_order() {
    let event = events(500).into_iter().find(|event| matches!(event.kind, Kind::EnvoyAccess(_))).expect("a Consul hop");
    let access = event.access().expect("an access log");
    let text = rendered(access_text_of, &event);
    let start =
        format!("\"{} {} {}\" {} {} ", access.method, access.path, access.protocol, access.status, access.flags);
    assert!(text.starts_with('[') && text.contains(&start), "{text}");
    assert_eq!(text.matches('"').count(), 12, "request line and five quoted fields: {text}");
}

#[test]
fn application_lines_carry_the_request() {
    for event in events(2_000) {
        let (Kind::App(app), Some(trace)) = (&event.kind, event.trace) else { continue };
        let mut json = String::new();
        app_json(&event, app, &mut json);
        let value = parsed(&json);
        let id = format!("{:032x}", trace.trace_id);
        assert_eq!(value["trace_id"], id);
        assert_eq!(value["stack"].as_str(), app.stack.as_deref());
        assert!(rendered(line, &event).contains(&id), "{json}");
        let syslog = rendered(syslog, &event);
        assert!(syslog.starts_with('<') && syslog.contains(">1 2026-11-20T10:0") && syslog.contains(&id), "{syslog}");
    }
}

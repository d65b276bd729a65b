use std::collections::{HashMap, HashSet};

use super::*;

const START: i64 = 1_795_168_800_123_456_789;

fn simulator(mesh: Mesh, seed: u64, fault: Option<Fault>) -> Simulator {
    let options = Options { seed, start_ns: START, ns_per_event: 10_000_000, mix: Mix::default(), fault };
    Simulator::new(mesh, options)
}

fn documents(seed: u64, count: usize) -> String {
    let mut out = String::new();
    for event in simulator(Mesh::company(), seed, None).take(count) {
        crate::render::document(&event, &mut out);
        out.push('\n');
    }
    out
}

/// FNV-1a, so that the expected value depends on nothing but the bytes.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_seed_always_gives_the_same_bytes() {
    assert_eq!(documents(42, 3_000), documents(42, 3_000));
    assert_ne!(documents(42, 100), documents(43, 100));
    let bytes = documents(42, 3_000);
    assert!((700..=800).contains(&(bytes.len() / 3_000)), "{} bytes a line", bytes.len() / 3_000);
    assert_eq!(
        digest(&bytes),
        8_161_634_202_805_916_866,
        "published figures name a seed: bytes change only with a note there"
    );
}

#[test]
fn events_come_in_order_at_the_rate_asked_for() {
    let mut last = 0;
    let events: Vec<Event> = simulator(Mesh::shop(), 1, None).take(20_000).collect();
    for event in &events {
        assert!(event.time_ns >= last, "{} after {last}", event.time_ns);
        last = event.time_ns;
    }
    let seconds = (last - START) / 1_000_000_000;
    assert!((190..210).contains(&seconds), "20,000 events 10 ms apart took {seconds} s");
}

#[test]
fn the_lines_of_a_request_share_a_trace() {
    let mut services: HashMap<u128, HashSet<String>> = HashMap::new();
    let (mut access, mut app) = (HashSet::new(), HashSet::new());
    for event in simulator(Mesh::shop(), 1, None).take(20_000) {
        let Some(trace) = event.trace else { continue };
        services.entry(trace.trace_id).or_default().insert(event.pod.service.clone());
        match event.kind {
            Kind::App(_) => app.insert(trace.trace_id),
            _ => access.insert(trace.trace_id),
        };
    }
    assert!(app.intersection(&access).count() > 1_000);
    assert!(services.values().any(|services| services.len() >= 6), "some request crosses half the shop");
}

#[test]
fn the_mix_is_what_was_asked_for() {
    let mut counts = [0_u32; 4];
    for event in simulator(Mesh::company(), 42, None).take(100_000) {
        counts[match event.kind {
            Kind::EnvoyAccess(_) | Kind::IstioAccess(_) => 0,
            Kind::LinkerdAccess(_) => 1,
            Kind::App(_) => 2,
            Kind::Audit(_) => 3,
        }] += 1;
    }
    let expected = [60_000, 15_000, 20_000, 5_000];
    for (kind, (count, expected)) in counts.iter().zip(expected).enumerate() {
        assert!(count.abs_diff(expected) <= 2_000, "kind {kind}: {counts:?}");
    }
}

#[test]
fn a_bad_deploy_shows() {
    let at_ns = START + 100_000_000_000;
    let until_ns = Some(START + 200_000_000_000);
    let fault = Fault { service: "checkout".to_owned(), at_ns, until_ns };
    let marker = "connection pool orders-db exhausted";
    let mut phases = [[0_u64; 5]; 3];
    for event in simulator(Mesh::shop(), 1, Some(fault)).take(30_000) {
        // A request that began before the change may still speak just after it.
        let phase = ((event.time_ns - START) / 100_000_000_000).clamp(0, 2) as usize;
        let counts = &mut phases[phase];
        match &event.kind {
            Kind::Audit(audit) if audit.verb == "patch" && audit.name == "checkout" => counts[0] += 1,
            Kind::App(app) if app.message.starts_with(marker) => counts[1] += 1,
            _ => {}
        }
        let Some(access) = event.access() else { continue };
        if access.server.service == "checkout" && access.side == Side::Inbound {
            counts[2] += u64::from(access.status == 503 && access.flags != "-");
            counts[3] += 1;
            counts[4] += u64::from(access.server.version == "v2.8.0");
        }
    }
    let [before, during, after] = phases;
    assert_eq!((before[0], before[1], before[4]), (0, 0, 0), "{phases:?}");
    assert_eq!((during[0], after[0]), (1, 1), "deployed and rolled back: {phases:?}");
    assert!(during[1] > 3 && during[4] > during[3] / 3, "{phases:?}");
    assert!(during[2] * 5 > during[3] && before[2] * 20 < before[3].max(20), "{phases:?}");
    assert!(after[4] <= 2, "{phases:?}");
}

#[test]
fn what_is_due_is_what_comes_next() {
    let (mut all, mut due) = (simulator(Mesh::shop(), 7, None), simulator(Mesh::shop(), 7, None));
    for step in 1..200 {
        let until_ns = START + step * 37_000_000;
        while let Some(event) = due.next_until(until_ns) {
            assert!(event.time_ns <= until_ns);
            assert_eq!(Some(event.time_ns), all.next().map(|event| event.time_ns));
        }
    }
    assert!(all.next().unwrap().time_ns > START + 199 * 37_000_000, "nothing that was due is left");
}

#[test]
fn spans_change_no_line() {
    let lines = |simulator: Simulator| {
        let mut out = String::new();
        simulator
            .take(3_000)
            .filter(|event| event.access().is_none_or(|access| access.side == Side::Inbound))
            .for_each(|event| {
                crate::render::document(&event, &mut out);
                out.push('\n');
            });
        out
    };
    assert_eq!(lines(simulator(Mesh::shop(), 9, None)), lines(simulator(Mesh::shop(), 9, None).traced()));
    let mut untraced = simulator(Mesh::shop(), 9, None);
    assert!(untraced.next().is_some() && untraced.take_spans(i64::MAX).is_empty() && untraced.waiting_spans() == 0);
}

#[test]
fn every_line_of_a_request_has_its_span_and_every_span_its_parent() {
    let fault = Fault { service: "checkout".to_owned(), at_ns: START, until_ns: None };
    let mut simulator = simulator(Mesh::shop(), 3, Some(fault)).traced();
    let events: Vec<Event> = simulator.by_ref().take(8_000).collect();
    let early = simulator.take_spans(START + 20_000_000_000);
    assert!(!early.is_empty() && early.iter().all(|span| span.end_ns <= START + 20_000_000_000));
    let rest = simulator.take_spans(i64::MAX);
    assert!(simulator.waiting_spans() == 0 && rest.iter().all(|span| span.end_ns > START + 20_000_000_000));
    let spans: Vec<Span> = early.into_iter().chain(rest).collect();
    let by_id: HashMap<u64, &Span> = spans.iter().map(|span| (span.span_id, span)).collect();
    assert_eq!(by_id.len(), spans.len(), "no id twice");
    for event in events.iter().filter(|event| event.trace.is_some()) {
        let span = by_id[&event.trace.unwrap().span_id];
        assert_eq!(span.trace_id, event.trace.unwrap().trace_id);
        assert_eq!(span.pod().name, event.pod.name, "who writes the line made the span");
        let Some(access) = event.access() else { continue };
        assert_eq!(
            (span.access.side, span.access.status, &span.access.path),
            (access.side, access.status, &access.path)
        );
    }
    for span in &spans {
        let Some(parent) = span.parent_id.map(|id| by_id[&id]) else {
            assert!(span.access.caller.is_none() && span.access.side == Side::Inbound);
            continue;
        };
        assert!(parent.start_ns <= span.start_ns && span.end_ns <= parent.end_ns, "{span:?} is not within {parent:?}");
        assert_ne!(parent.access.side, span.access.side);
        assert_eq!(span.access.caller.as_ref().unwrap().name, parent.pod().name, "the parent is the caller's");
    }
    let failed: Vec<&Span> = spans.iter().filter(|span| span.failed()).collect();
    assert!(failed.len() > 50 && failed.iter().all(|span| span.access.status >= 500));
    let thrown = spans.iter().filter(|span| span.exception.is_some()).count();
    assert_eq!(thrown, failed.iter().filter(|span| span.access.side == Side::Inbound).count());
}

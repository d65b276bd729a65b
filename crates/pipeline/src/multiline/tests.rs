//! Lines of several sequences, as they come.

use logkeep_record::{Resource, json};

use super::*;
use crate::spec::{Multiline, Pipeline, When};

fn multiline(starts: Option<&str>, continues: Option<&str>) -> Multiline {
    let (starts, continues) = (starts.map(str::to_owned), continues.map(str::to_owned));
    Multiline { starts, continues, max_lines: 5, max_bytes: 60, timeout: Duration::from_secs(1) }
}

fn joining(rules: &[(&str, Multiline)]) -> Joining {
    let pipeline = |(service, multiline): &(&str, Multiline)| {
        let fields = vec![("service".to_owned(), vec![(*service).to_owned()])];
        let when = When { fields, ..When::default() };
        Pipeline { name: "p".to_owned(), when, multiline: Some(multiline.clone()), ..Pipeline::default() }
    };
    let pipelines: Vec<_> = rules.iter().map(pipeline).collect();
    Joining::new(&Arc::new(PipelineSet::compile(&pipelines).unwrap()), &TenantId::default()).unwrap()
}

fn record(service: &str, body: &str) -> Record<'static> {
    let name = ("service.name".into(), Value::Str(service.to_owned().into()));
    Record::new(7, Value::Str(body.to_owned().into()), Resource::from_attributes(vec![name]))
}

/// The bodies that become of `service: body`, in their order.
fn check(joining: &mut Joining, lines: &[&str], expected: &[&str]) {
    let (now, mut done) = (Instant::now(), Vec::new());
    for line in lines {
        let (service, body) = line.split_once(": ").unwrap();
        let left = joining.take(record(service, body), None, now, &mut done);
        done.extend(left.map(|record| (None, record)));
    }
    done.extend(joining.leave(None));
    let bodies: Vec<_> = done.iter().map(|(_, record)| record.body.as_str().unwrap()).collect();
    assert_eq!(bodies, expected);
}

#[test]
fn what_continues_is_joined_within_its_sequence() {
    let mut lines = joining(&[("web", multiline(None, Some(r"^\s|^Caused by")))]);
    check(
        &mut lines,
        &["web: a", "web:   at x", "db:   at y", "web: b", "db: c", "web: Caused by: d", "web:   at z"],
        &["  at y", "a\n  at x", "c", "b\nCaused by: d\n  at z"],
    );
    check(&mut lines, &["web:   orphan", "web:  and its own"], &["  orphan\n and its own"]);
    let mut lines = joining(&[("web", multiline(Some(r"^\d"), None)), ("*", multiline(None, Some("^ ")))]);
    check(
        &mut lines,
        &["web: 1 a", "db: 1 x", "web: b", "db: y", "web: 2 c", "db:  z", "web: d", "web: 3"],
        &["1 x", "1 a\nb", "2 c\nd", "y\n z", "3"],
    );
    // Where both are there, both must hold.
    let mut lines = joining(&[("web", multiline(Some("^#"), Some("^[#-]")))]);
    check(&mut lines, &["web: # a", "web: - b", "web: # c", "web: d", "web: - e"], &["# a\n- b", "# c", "d\n- e"]);
}

#[test]
fn lines_bytes_and_time_are_bounded() {
    let mut lines = joining(&[("*", multiline(Some("^start"), None))]);
    let many: Vec<_> = (0..12).map(|n| if n == 0 { "a: start".to_owned() } else { format!("a: {n}") }).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    check(&mut lines, &many, &["start\n1\n2\n3\n4", "5\n6\n7\n8\n9", "10\n11"]);
    let long = "x".repeat(58);
    check(&mut lines, &["a: start", &format!("a: {long}"), "a: y"], &["start", &format!("{long}\ny")]);
    let (now, mut done) = (Instant::now(), Vec::new());
    assert!(lines.take(record("a", "start"), None, now, &mut done).is_none());
    assert!(lines.take(record("a", "more"), None, now + Duration::from_millis(999), &mut done).is_none());
    assert_eq!(lines.until(), Some(now + Duration::from_secs(1)), "from the first line on");
    assert!(done.is_empty() && lines.bytes() > 9);
    assert_eq!(lines.leave(lines.until()).len(), 1);
}

#[test]
fn nothing_of_what_came_is_lost() {
    let mut lines = joining(&[("*", multiline(None, Some("^ ")))]);
    let (now, mut done) = (Instant::now(), Vec::new());
    let of = |body: &str, original: Option<&str>, attributes: &[(&'static str, i64)]| {
        let mut record = record("a", body);
        record.original = original.map(|text| text.to_owned().into());
        record.attributes = attributes.iter().map(|(name, value)| ((*name).into(), Value::Int(*value))).collect();
        record
    };
    let mut last = of(" c", None, &[("z", 3), (JOINED_PARTS, 2)]);
    (last.time_ns, last.severity) = (Some(5), Severity::ERROR);
    for record in [of("a", None, &[("x", 1)]), of(" b", Some("<b>"), &[("x", 2), ("y", 2)]), last] {
        assert!(lines.take(record, None, now, &mut done).is_none());
    }
    let [(None, joined)] = &lines.leave(None)[..] else { panic!("one record") };
    assert_eq!((joined.body.as_str(), joined.original.as_deref()), (Some("a\n b\n c"), Some("a\n<b>\n c")));
    assert_eq!((joined.time_ns, joined.severity), (Some(5), Severity::ERROR));
    let mut attributes = String::new();
    json::write(&Value::Map(joined.attributes.clone()), &mut attributes);
    assert_eq!(attributes, format!("{{\"x\":1,\"y\":2,\"z\":3,\"{JOINED_PARTS}\":4}}"));
}

#[test]
fn senders_and_streams_are_kept_apart() {
    let mut lines = joining(&[("*", multiline(None, Some("^ ")))]);
    let (now, mut done) = (Instant::now(), Vec::new());
    for (peer, stream, body) in [(1, "stdout", "a"), (2, "stdout", "b"), (1, "stderr", "c"), (1, "stdout", " d")] {
        let mut record = record("x", body);
        record.attributes.push(("log.iostream".into(), Value::str(stream)));
        let peer = Some(IpAddr::from([10, 0, 0, peer]));
        assert!(lines.take(record, peer, now, &mut done).is_none());
    }
    let left = lines.leave(None);
    let bodies: Vec<_> = left.iter().map(|(_, record)| record.body.as_str().unwrap()).collect();
    assert_eq!(bodies, ["a\n d", "b", "c"]);
    assert_eq!(left[1].0, Some(IpAddr::from([10, 0, 0, 2])));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let refused = |multiline: Multiline| Rule::new(&multiline).unwrap_err();
    assert!(refused(multiline(None, None)).contains("neither `starts` nor `continues`"));
    assert!(refused(multiline(Some("("), None)).contains("no regular expression"));
    assert!(refused(Multiline { max_lines: 1, ..multiline(Some("a"), None) }).contains("max_lines"));
    assert!(refused(Multiline { max_bytes: 0, ..multiline(Some("a"), None) }).contains("max_bytes"));
    assert!(refused(Multiline { timeout: Duration::ZERO, ..multiline(Some("a"), None) }).contains("timeout"));
    assert!(refused(Multiline { timeout: LONGEST * 2, ..multiline(Some("a"), None) }).contains("timeout"));
}

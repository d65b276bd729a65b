use logkeep_record::{json, limits};
use proptest::prelude::*;

use super::*;
use crate::frame::Framer;

/// 2026-01-02T00:00:00Z
const RECEIVED_NS: i64 = 1_767_312_000_000_000_000;

fn render(record: &Record<'_>) -> String {
    let time = record.time_ns.map(|ns| jiff::Timestamp::from_nanosecond(ns.into()).unwrap().to_string());
    let mut out = format!("{} {} ", time.unwrap_or_default(), record.severity.number());
    json::write(&Value::Map(record.resource.attributes().clone()), &mut out);
    json::write(&record.body, &mut out);
    for (key, value) in record.attributes.iter().filter(|(key, _)| key != "syslog.facility.code") {
        out.push_str(&format!(" {}=", key.strip_prefix("syslog.").unwrap_or(key)));
        json::write(value, &mut out);
    }
    out
}

fn check(frame: &[u8], expected: &str) {
    let record = Parser::new(0).record(&Frame::new(frame), RECEIVED_NS);
    assert_eq!(render(&record), expected, "{}", String::from_utf8_lossy(frame));
    let whole = record.body.as_str().is_some_and(|body| body.as_bytes() == trim(frame));
    assert!(whole || record.original.is_some());
}

#[test]
fn rfc5424() {
    check(
        b"<165>1 2025-12-31T22:14:15.003Z host.example app 8710 ID47 [id@1 a=\"1\" b=\"q\\\"\\\\\\]\\n\"][other] \xef\xbb\xbfmessage\n",
        r#"2025-12-31T22:14:15.003Z 10 {"host.name":"host.example","service.name":"app","process.pid":8710}"message" facility.name="local4" msg.id="ID47" structured_data.id@1.a="1" structured_data.id@1.b="q\"\\]\\n""#,
    );
    check(b"<13>1 - - - - - -", r#" 10 {}"" facility.name="user""#);
    check(
        b"<30>1 2026-01-01T01:00:00+01:00 - haproxy abc - - m  m",
        r#"2026-01-01T00:00:00Z 9 {"service.name":"haproxy"}"m  m" facility.name="daemon" procid="abc""#,
    );
    // Structured data that does not close stays in the message.
    check(
        b"<13>1 - h a 1 - [x y=\"1 m",
        r#" 10 {"host.name":"h","service.name":"a","process.pid":1}"[x y=\"1 m" facility.name="user""#,
    );
    check(b"<13>1 - h a 1 -", r#" 10 {"host.name":"h","service.name":"a","process.pid":1}"" facility.name="user""#);
}

#[test]
fn rfc3164_and_its_dialects() {
    let nginx = r#"2026-01-01T10:00:00Z 9 {"service.name":"nginx"}"10.0.0.1 GET /" facility.name="local7""#;
    check(b"<190>Jan  1 10:00:00 nginx: 10.0.0.1 GET /", nginx);
    check(b"<190>Jan  1 10:00:00  nginx: 10.0.0.1 GET /", nginx);
    let app = r#"2026-01-01T10:00:00Z 10 {"host.name":"web-1","service.name":"app","process.pid":123}"msg text" facility.name="user""#;
    for tail in ["web-1 app[123]: msg text", "web-1 app[123] msg text", "web-1 app[123]:msg text"] {
        check(format!("<13>Jan 01 10:00:00 {tail}\0").as_bytes(), app);
        check(format!("<13>2026-01-01T10:00:00Z {tail}\r\n").as_bytes(), app);
    }
    check(b"<13>Jan  1 10:00:00 - app: m", r#"2026-01-01T10:00:00Z 10 {"service.name":"app"}"m" facility.name="user""#);
    check(
        b"<13>Jan  1 10:00:00 host only text",
        r#"2026-01-01T10:00:00Z 10 {"host.name":"host"}"only text" facility.name="user""#,
    );
    check(b"<13>app[7]: m", r#" 10 {"service.name":"app","process.pid":7}"m" facility.name="user""#);
    check(b"<13>just text", r#" 10 {}"just text" facility.name="user""#);
    check(b"Jan  1 10:00:00 h app: m", r#"2026-01-01T10:00:00Z 0 {"host.name":"h","service.name":"app"}"m""#);
}

#[test]
fn nothing_is_refused() {
    for raw in ["", "error: disk full", "<999>x", "<>x", "<1", "<13", "10.0.0.1:80 [20/Nov/2026:10:00:00] fe be/s1 0/0"]
    {
        let mut body = String::new();
        json::write_str(raw, &mut body);
        check(raw.as_bytes(), &format!(" 0 {{}}{body}"));
    }
    check(b"<13>\xff", " 10 {}\"\u{fffd}\" facility.name=\"user\" logkeep.invalid_utf8=true");
}

#[test]
fn the_year_is_the_nearest() {
    let resolved = |stamp: &str, received: &str, offset_s| {
        let received: jiff::Timestamp = received.parse().unwrap();
        let line = format!("<13>{stamp} h a: m");
        let record =
            Parser::new(offset_s).record(&Frame::new(line.as_bytes()), received.as_nanosecond() as i64).into_owned();
        jiff::Timestamp::from_nanosecond(record.time_ns.unwrap().into()).unwrap().to_string()
    };
    assert_eq!(resolved("Dec 31 23:59:59", "2026-01-01T00:00:01Z", 0), "2025-12-31T23:59:59Z");
    assert_eq!(resolved("Jan  1 00:00:01", "2025-12-31T23:59:59Z", 0), "2026-01-01T00:00:01Z");
    assert_eq!(resolved("Jan  1 00:30:00", "2025-12-31T23:30:00Z", 3_600), "2025-12-31T23:30:00Z");
    assert_eq!(resolved("Feb 29 12:00:00", "2025-02-28T12:00:00Z", 0), "2024-02-29T12:00:00Z");
    assert_eq!(resolved("Nov 20 10:00:00.125", "2026-11-20T10:00:01Z", 0), "2026-11-20T10:00:00.125Z");
}

#[test]
fn sources_share_a_resource() {
    let mut parser = Parser::new(0);
    let one = parser.record(&Frame::new(b"<13>1 - h a 1 - - x"), 7);
    let two = parser.record(&Frame::new(b"<13>1 - h a 1 - - y"), 7);
    let other = parser.record(&Frame::new(b"<13>1 - h a 2 - - y"), 7);
    assert!(Arc::ptr_eq(&one.resource, &two.resource) && one.resource != other.resource);
    for number in 0..3 * MAX_RESOURCES {
        parser.record(&Frame::new(format!("<13>1 - h a {number} - - x").as_bytes()), 7);
    }
    assert!(parser.resources.len() <= MAX_RESOURCES);
}

/// The messages of a stream that arrives in pieces of `step` bytes.
fn frames(stream: &[u8], step: usize) -> Vec<String> {
    let mut framer = Framer::syslog();
    let mut out = Vec::new();
    for piece in stream.chunks(step.max(1)) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => out.push(String::from_utf8_lossy(frame.bytes).into_owned()),
                Ok(None) => break,
                Err(error) => {
                    out.push(error.to_string());
                    return out;
                }
            }
        }
    }
    out.extend(framer.finish().map(|frame| format!("last {}", String::from_utf8_lossy(frame.bytes))));
    out
}

#[test]
fn framing() {
    for (stream, expected) in [
        ("<1>a\n<2>b\r\n\n<3>c", vec!["<1>a", "<2>b\r", "last <3>c"]),
        ("4 <1>a5 <2>b\n6 <3>", vec!["<1>a", "<2>b\n", "last <3>"]),
        ("4 <1>a\n4 <2>b\n", vec!["<1>a", "<2>b"]),
        ("<1>a\0<2>b\0", vec!["<1>a", "<2>b"]),
        ("2026-01-01T10:00:00Z h a: m\n", vec!["2026-01-01T10:00:00Z h a: m"]),
        ("haproxy says hi\n", vec!["haproxy says hi"]),
        ("4 <1>axx", vec!["<1>a", "octet counting: expected a length and a space, found byte 0x78"]),
        ("99999999 <1>a", vec!["octet counting: a length of `99999999…`, over the limit of 1048576 bytes"]),
        ("9999999 <1>a", vec!["octet counting: a length of `9999999…`, over the limit of 1048576 bytes"]),
        ("", vec![]),
    ] {
        for step in [1, 3, 1_000] {
            assert_eq!(frames(stream.as_bytes(), step), expected, "{stream:?} by {step}");
        }
    }
    assert!(frames(&[0x78, 0x9c, 1, 2], 1)[0].starts_with("the stream is compressed with zlib"));
    assert!(frames(&[0x16, 0x03, 1, 2], 1)[0].starts_with("the stream is TLS"));
}

#[test]
fn a_long_line_is_cut_and_memory_stays_bounded() {
    let mut framer = Framer::syslog();
    for _ in 0..40 {
        framer.push(&[b'a'; 100_000]);
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(framer.buffer.len() <= limits::RECORD_BYTES + 100_004);
    }
    framer.push(b"\n<1>next\n");
    let frame = framer.next_frame().unwrap().unwrap();
    assert_eq!(
        (frame.bytes.len(), frame.truncated_bytes),
        (limits::RECORD_BYTES + 4, 4_000_000 - limits::RECORD_BYTES - 4)
    );
    let record = Parser::new(0).record(&frame, 7);
    assert_eq!(record.attribute("logkeep.truncated_bytes"), Some(&Value::Int(4_000_000 - limits::RECORD_BYTES as i64)));
    assert_eq!(framer.next_frame().unwrap().unwrap().bytes, b"<1>next");
}

proptest! {
    #[test]
    fn junk_never_panics(text in "[<>0-9 A-Za-z:\\[\\]=\"\\\\é-]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..80), step in 1..9usize) {
        Parser::new(0).record(&Frame::new(text.as_bytes()), RECEIVED_NS);
        Parser::new(0).record(&Frame::new(format!("<13>1 - {text}").as_bytes()), RECEIVED_NS);
        Parser::new(0).record(&Frame::new(&bytes), RECEIVED_NS);
        frames(&bytes, step);
    }

    #[test]
    fn pieces_do_not_matter(lines in proptest::collection::vec("<[a-z ]{0,20}", 1..10), octets in any::<bool>(), step in 1..30usize) {
        let stream: String = lines.iter().map(|line| {
            if octets { format!("{} {line}", line.len()) } else { format!("{line}\n") }
        }).collect();
        prop_assert_eq!(frames(stream.as_bytes(), step), lines);
    }
}

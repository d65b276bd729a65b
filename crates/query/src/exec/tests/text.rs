//! Words of originals that are written from fields: what fields, keys, escapes, times and what is left over say.

use logkeep_record::{Record, Resource, Value};

use super::*;

fn document(dice: &mut Dice, number: i64) -> Record<'static> {
    let path = dice.pick(&["/node", "/cart?x=503", "/über"]);
    let message =
        dice.pick(&["a\node failed", "tab\there", "plain words", "say \"hi\" to Foo", "ob\u{7}eep", "Ünicode"]);
    let (millis, code, size) = ([1.5, 12.0, 0.25][dice.roll(3) as usize], dice.roll(2) as i64 * 300 + 203, -5i64);
    let time = ["2026-11-20T00:00:04.877Z", "2026-11-20T23:17:44Z"][dice.roll(2) as usize];
    let mut escaped = String::new();
    logkeep_record::json::write_str(message, &mut escaped);
    let mut record = Record::new(
        1_000 + number,
        Value::str(message),
        Resource::from_attributes(vec![("service.name".into(), Value::str(dice.pick(&["web", "cart"])))]),
    );
    record.time_ns = crate::time::parse_absolute(time).ok();
    record.severity_text = dice.pick(&["", "WARN"]).into();
    record.attributes = vec![
        ("path".into(), Value::str(path)),
        ("ms".into(), Value::Double(millis)),
        ("code".into(), Value::Int(code)),
        ("size".into(), Value::Int(size)),
        ("ok".into(), Value::Bool(code == 203)),
        ("raw".into(), Value::Bytes(vec![0xab, 0xcd].into())),
    ];
    match dice.roll(4) {
        // The same key twice: a value without a column.
        0 => record.attributes.push(("path".into(), Value::str("twice said"))),
        1 => record
            .attributes
            .push(("odd".into(), Value::Double([f64::NAN, 1e300, f64::INFINITY][dice.roll(3) as usize]))),
        _ => {}
    }
    let nanos = (millis * 1e6) as i64;
    let left_over = dice.pick(&["kept", "503", "left over"]);
    record.original = match dice.roll(4) {
        0 => None,
        1 => Some(format!("{time} stdout {left_over}: {message}").into()),
        _ => Some(
            format!(
                r#"{{"timeout_ms":{nanos},"time":"{time}","took":{millis},"code":{code},"size":"{size}","Path":"{path}","extra":"{left_over}","message":{escaped}}}"#
            )
            .into(),
        ),
    };
    record
}

const WORDS: &[&str] = &[
    "node",
    "ode",
    "nope",
    "there",
    "here",
    "tab",
    "failed",
    "plain",
    "words",
    "hi",
    "say",
    "foo",
    "u0007eep",
    "u0007",
    "u00zz",
    "user",
    "nowhere",
    "n",
    "eep",
    "ob",
    "ünicode",
    "über",
    "timeout_ms",
    "timeout",
    "path",
    "extra",
    "message",
    "kept",
    "left",
    "over",
    "stdout",
    "503",
    "203",
    "1500000",
    "12000000",
    "250000",
    "12",
    "0",
    "5",
    "25",
    "05",
    "-5",
    "1",
    "2026",
    "20t00",
    "44z",
    "877z",
    "04",
    "00",
    "17",
    "t",
    "true",
    "false",
    "nan",
    "infinity",
    "1e300",
    "abcd",
    "twice",
    "said",
    "warn",
    "web",
    "cart",
    "\"left over\"",
    "\"hi to\"",
    "\"plain words\"",
    "\"code 503\"",
    "/node",
    "20t00\\:00",
    "kept*",
    "no*",
    "*ode",
    "n?de",
    "*0007*",
    "*7e*",
    "877*",
    "20t0*",
    "15000*",
    "*000*",
    "timeo*",
    "*meout_m*",
    "u000*",
    "tr?e",
    "inf*",
    "ab*",
    "*cd",
    "Foo*",
    "*",
    "*ünic*",
    "50?",
    "*o*e*",
    "x*503",
    "time*",
    "/[0-9]{7}/",
    "\"timeout_ms\"",
    "nothing",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_found_wherever_it_is_written() {
    let mut dice = Dice(5);
    let data = stored((0..600).map(|number| document(&mut dice, number)).collect()).await;
    let snapshot = data.ingest.snapshot();
    let mut found_some = 0;
    for word in WORDS {
        for query in [(*word).to_owned(), format!("not {word}"), format!("code:503 and {word}")] {
            let filter = parse(&query).unwrap();
            let mut expected: Vec<(i64, i64)> = data
                .records
                .iter()
                .filter(|record| matches(&filter, record))
                .map(|record| (record.effective_time_ns(), record.received_ns - 1_000))
                .collect();
            expected.sort_unstable();
            found_some += usize::from(!expected.is_empty());
            let scan = scan(&snapshot, &filter, TimeRange::ALL);
            assert_eq!(found(&scan, Order::Ascending, 1_000), expected, "{query}");
        }
    }
    assert!(found_some > 2 * WORDS.len(), "the words find something: {found_some}");
}

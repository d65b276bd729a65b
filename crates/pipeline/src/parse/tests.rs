//! Patterns over texts.

use logkeep_record::{Record, Resource, Value, json};
use proptest::prelude::*;

use super::{Parser, Patterns, pattern_faults};
use crate::spec::{Form, Parse};

fn parser(form: Form, pattern: &str) -> Result<Parser, String> {
    let parse = Parse { field: "body".to_owned(), form, pattern: pattern.to_owned() };
    Parser::new(&parse, Patterns(&[]))
}

fn record(text: &str) -> Record<'static> {
    Record::new(0, Value::Str(text.to_owned().into()), Resource::from_attributes(Vec::new()))
}

fn check(form: Form, pattern: &str, text: &str, expected: &str) {
    let mut out = String::new();
    match parser(form, pattern) {
        Err(error) => out = error,
        Ok(parser) => {
            let mut record = record(text);
            match parser.apply(&mut record) {
                Ok(()) => json::write(&Value::Map(record.attributes), &mut out),
                Err(reason) => out = reason,
            }
        }
    }
    assert_eq!(out, expected, "{pattern}");
}

#[test]
fn dissect() {
    let check = |pattern: &str, text: &str, expected: &str| check(Form::Dissect, pattern, text, expected);
    check("%{a} %{b}", "1 2 3", r#"{"a":"1","b":"2 3"}"#);
    check("<%{n}>%{t->} %{?skip} %{} %{rest}", "<5>x    y z all of it", r#"{"n":"5","t":"x","rest":"all of it"}"#);
    check("%{t} %{+t} %{+t}: %{m}", "Nov 20 10:00: up", r#"{"t":"Nov 20 10:00","m":"up"}"#);
    check("%{+a/2}-%{+a/1}", "x-y", r#"{"a":"y-x"}"#);
    check("%{a}, %{b}", "no comma", "dissect: `, ` is not where the pattern has it");
    check("[%{a}]", "(x)", "dissect: `[` is not where the pattern has it");
    check("%{a}%{b}", "", "nothing stands between `%{a}` and the key behind it");
    check("%{*k}=%{&k}", "", "`%{*k}` would let the text name a field; use a program");
    check("%{a", "", "a `%{` has no `}`");
    check("plain", "", "a pattern has keys like `%{name}`");
    check("%{logkeep.source} %{a}", "", "`logkeep.source` is no name of a field that a text may set");
}

#[test]
fn regex() {
    let check = |pattern: &str, text: &str, expected: &str| check(Form::Regex, pattern, text, expected);
    check(r"(?P<http.status>\d+)( (?P<b>x))?", "took 200", r#"{"http.status":"200"}"#);
    check(r"^(?<a>\d+)$", "x", "regex: the pattern does not match");
    check(r"(a", "", "`(a` is no regular expression: unclosed group");
    check(r"a", "a", "`a` names no field to set");
}

fn named(patterns: &[(&str, &str)]) -> Vec<(String, String)> {
    patterns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn own_patterns_of_grok() {
    let own = named(&[("ORDER", r"[A-Z]{2}-%{SERIAL:serial:int}"), ("SERIAL", r"\d{3}")]);
    assert_eq!(pattern_faults(&own), []);
    let parse = Parse { field: "body".to_owned(), form: Form::Grok, pattern: "%{ORDER:order} %{IP:ip}".to_owned() };
    let mut record = record("sold AB-123 10.0.0.7");
    Parser::new(&parse, Patterns(&own)).unwrap().apply(&mut record).unwrap();
    let mut out = String::new();
    json::write(&Value::Map(record.attributes), &mut out);
    assert_eq!(out, r#"{"order":"AB-123","serial":123,"ip":"10.0.0.7"}"#);
}

#[test]
fn faults_of_own_patterns() {
    let fault = |patterns: &[(&str, &str)], expected: &str| {
        let faults = pattern_faults(&named(patterns));
        assert!(faults.iter().any(|(_, what)| what.contains(expected)), "{expected}: {faults:?}");
        faults[0].0
    };
    assert_eq!(fault(&[("A", "a"), ("b-c", "b")], "letters, digits"), 1);
    assert_eq!(fault(&[("IP", "a")], "knows another"), 0);
    assert_eq!(fault(&[("A", "a"), ("A", "b")], "twice"), 1);
    assert_eq!(fault(&[("A", "("), ("B", "b")], "unclosed group"), 0);
    fault(&[("A", "%{B}"), ("B", "%{A}")], "nested more than 16 deep");
    fault(&[("A", "%{B}%{B}%{B}%{B}"), ("B", "%{A}")], "nested more than 16 deep");
    fault(&[("A", "%{ORDR}"), ("ORDRS", "x")], "there is ORDRS");
    fault(&[("A", &"x".repeat(20_000))], "20000 bytes");
    let many: Vec<_> = (0..300).map(|n| (format!("P{n}"), "x".to_owned())).collect();
    assert_eq!(pattern_faults(&many), [(256, "there are more than 256 patterns".to_owned())]);
}

#[test]
fn grok() {
    let check = |pattern: &str, text: &str, expected: &str| check(Form::Grok, pattern, text, expected);
    check(
        "%{IP:client.address} %{WORD:[http][method]} %{NUMBER:took:float} %{INT:n:int} %{GREEDYDATA:rest}",
        "10.0.0.1 GET 0.5 007 x y",
        r#"{"client.address":"10.0.0.1","http.method":"GET","took":0.5,"n":7,"rest":"x y"}"#,
    );
    check("(?<a>[a-z]+) %{DATA:b}$", "x y", r#"{"b":"y","a":"x"}"#);
    check("%{IPS:a}", "", "`IPS` is no pattern that grok knows");
    check("%{ip:a}", "", "`ip` is no pattern that grok knows; there is IP");
    check("%{INT:a:bool}", "", "`bool` is no type: write int or float");
    check("%{INT:a} (", "", "`%{INT:a} (` is no grok pattern: unclosed group");
    check(
        "%{COMBINEDAPACHELOG}",
        r#"127.0.0.1 - frank [10/Oct/2026:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326 "http://x/" "Mozilla/4.08 [en]""#,
        r#"{"client.address":"127.0.0.1","user.name":"frank","timestamp":"10/Oct/2026:13:55:36 -0700","http.request.method":"GET","url.original":"/a?b=c","network.protocol.version":"1.0","http.response.status_code":200,"http.response.body.size":2326,"http.request.header.referer":"http://x/","user_agent.original":"Mozilla/4.08 [en]"}"#,
    );
    check(
        "%{SYSLOGBASE} %{GREEDYDATA:body}",
        "Nov 20 10:00:00 node1 sshd[812]: Accepted",
        r#"{"timestamp":"Nov 20 10:00:00","host.name":"node1","process.name":"sshd","process.pid":812}"#,
    );
    let mut record = record("Nov 20 10:00:00 node1 sshd[812]: Accepted");
    parser(Form::Grok, "%{SYSLOGBASE} %{GREEDYDATA:body}").unwrap().apply(&mut record).unwrap();
    assert_eq!(record.body.as_str(), Some("Accepted"));
    assert_eq!(record.original.as_deref(), Some("Nov 20 10:00:00 node1 sshd[812]: Accepted"));
}

#[test]
fn every_named_pattern_stands_alone() {
    for name in Patterns(&[]).names() {
        parser(Form::Grok, &format!("%{{{name}:x}}")).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (name, good, bad) in [
        ("IPV6", "2001:db8::1", "2001:db8::1::2"),
        ("IPV6", "::", ":"),
        ("IPV6", "::ffff:10.0.0.1", "::ffff:10.0.0.256"),
        ("IPV4", "255.0.10.9", "256.1.1.1"),
        ("UUID", "0af76519-16cd-43dd-8448-eb211c80319c", "0af76519"),
        ("TIMESTAMP_ISO8601", "2026-11-20T10:00:00.123+01:00", "2026-13-20T10:00:00"),
        ("HOSTPORT", "db.example.com:5432", "db"),
        ("URI", "https://u:p@x.org:1/a/b?c=d", "x.org"),
        ("EMAILADDRESS", "a.b+c@example.com", "a.b"),
        ("QUOTEDSTRING", r#""a \" b""#, "a"),
        ("MAC", "00:1b:44:11:3a:b7", "00:1b:44"),
        ("LOGLEVEL", "WARNING", "loud"),
    ] {
        let pattern = format!("^%{{{name}:x}}$");
        check(Form::Grok, &pattern, good, &format!(r#"{{"x":{}}}"#, serde_json::to_string(good).unwrap()));
        check(Form::Grok, &pattern, bad, "grok: the pattern does not match");
    }
}

proptest! {
    #[test]
    fn nothing_panics(pattern in r"([a-z%{}+?*&/:> -]|%\{[+?]?[a-c/1-]{0,4}(->)?\}){0,12}", text in "\\PC{0,60}") {
        for form in [Form::Dissect, Form::Grok, Form::Regex] {
            if let Ok(parser) = parser(form, &pattern) {
                let mut record = record(&text);
                let before = record.clone();
                if parser.apply(&mut record).is_err() {
                    prop_assert_eq!(record, before);
                }
            }
        }
    }

    /// What dissect takes apart is what stood there.
    #[test]
    fn dissect_is_exact(parts in proptest::collection::vec("[a-z]{0,6}", 3)) {
        let text = format!("{}, {}; {}", parts[0], parts[1], parts[2]);
        let mut record = record(&text);
        parser(Form::Dissect, "%{a}, %{b}; %{c}").unwrap().apply(&mut record).unwrap();
        for (name, part) in ["a", "b", "c"].iter().zip(&parts) {
            prop_assert_eq!(record.attribute(name).and_then(Value::as_str), Some(part.as_str()));
        }
    }
}

/// The engine takes time in proportion to the text, so a hostile line costs no more than its length.
#[test]
fn a_hostile_line_takes_no_longer() {
    let parser = parser(Form::Grok, "%{DATA:a} %{DATA:b} %{DATA:c} %{QUOTEDSTRING:d} %{URI:e}$").unwrap();
    let start = std::time::Instant::now();
    let mut record = record(&"a \"".repeat(100_000));
    assert!(parser.apply(&mut record).is_err());
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}

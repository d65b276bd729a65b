//! Programs over a record that is written as JSON, and what they leave as JSON.

use std::time::{Duration, Instant};

use ::vrl::compiler::runtime::Runtime;
use logkeep_record::{Record, Resource, Severity, TenantId, Value, json};

use super::{Facts, Outcome, Program};
use crate::spec::Signal;

fn value(text: &str) -> Value<'static> {
    json::parse(text).unwrap().into_owned()
}

fn pairs(text: &str) -> logkeep_record::Attributes<'static> {
    let Value::Map(pairs) = value(text) else { panic!("{text} is no object") };
    pairs
}

fn record(attributes: &str) -> Record<'static> {
    let resource = Resource::from_attributes(pairs(r#"{"service.name":"web"}"#));
    let mut record = Record::new(7, Value::Str("hello 42".into()), resource);
    record.attributes = pairs(attributes);
    record.severity = Severity::NOTICE;
    record.time_ns = Some(1_795_168_800_123_456_789);
    record
}

fn run(source: &str, record: &mut Record<'_>) -> Result<Outcome, String> {
    let program = Program::compile(source).unwrap_or_else(|error| panic!("{source}\n{error}"));
    let facts = Facts { tenant: &TenantId::default(), signal: Signal::Logs };
    program.run(&mut Runtime::default(), record, &facts)
}

/// What a program makes of the attributes.
fn check(source: &str, before: &str, expected: &str) {
    let mut record = record(before);
    let shown = match run(source, &mut record) {
        Ok(Outcome::Done) => {
            let mut out = String::new();
            json::write(&Value::Map(record.attributes), &mut out);
            out
        }
        Ok(Outcome::Aborted) => "aborted".to_owned(),
        Err(reason) => {
            assert_eq!(record, self::record(before), "{source}: a failure changes nothing");
            reason
        }
    };
    assert_eq!(shown, expected, "{source}");
}

#[test]
fn attributes_change_and_the_rest_stays_exactly() {
    let before = r#"{"z":1,"a":-0.0,"z":2,"m":{"y":1,"x":[1,{"k":null}],"y":3}}"#;
    check(".attributes.b = 1", before, r#"{"z":1,"a":-0.0,"z":2,"m":{"y":1,"x":[1,{"k":null}],"y":3},"b":1}"#);
    check(".attributes.m.x[0] = 2", before, r#"{"z":1,"a":-0.0,"z":2,"m":{"y":1,"x":[2,{"k":null}],"y":3}}"#);
    check(".attributes.z = 5", before, r#"{"z":5,"a":-0.0,"m":{"y":1,"x":[1,{"k":null}],"y":3}}"#);
    check("del(.attributes.z)", before, r#"{"a":-0.0,"m":{"y":1,"x":[1,{"k":null}],"y":3}}"#);
    check(".attributes.\"http.status\" = to_int!(.attributes.s)", r#"{"s":"200"}"#, r#"{"s":"200","http.status":200}"#);
    check(".attributes.n = .attributes.n", r#"{"n":"x"}"#, r#"{"n":"x"}"#);
}

#[test]
fn nan_survives() {
    let mut record = record("{}");
    record.attributes.push(("nan".into(), Value::Double(f64::NAN)));
    run(".attributes.b = 1", &mut record).unwrap();
    assert_eq!(record.attributes[0].1, Value::Double(f64::NAN));
}

#[test]
fn functions_do_as_in_the_library_they_are_named_after() {
    for (source, expected) in [
        (r#"upcase("aß")"#, r#""ASS""#),
        (r#"contains("Hello", "hello", case_sensitive: false)"#, "true"),
        (r#"truncate("héllo", 2, "...")"#, r#""hé...""#),
        (r#"replace("a-b-c", "-", "+", 1) ?? """#, r#""a+b-c""#),
        (r#"replace("k=v", r'(\w)=(\w)', "$2=$1") ?? """#, r#""v=k""#),
        (r#"replace("a.b", ".", "$0") ?? """#, r#""a$0b""#),
        (r#"split("a.b.c", ".", 2)"#, r#"["a","b.c"]"#),
        (r#"split("a, b,c", r', ?')"#, r#"["a","b","c"]"#),
        (r#"slice!("abcdef", 1, -1)"#, r#""bcde""#),
        (r#"join!(["a","b"], "/")"#, r#""a/b""#),
        (r#"parse_json!("{\"a\":[1,2.5]}")"#, r#"{"a":[1,2.5]}"#),
        (r#"encode_json({"b": 1, "a": "x"})"#, r#""{\"a\":\"x\",\"b\":1}""#),
        (r#"parse_regex!("GET /x", r'(?P<m>\w+) (?P<p>\S+)')"#, r#"{"m":"GET","p":"/x"}"#),
        (r#"parse_key_value!("a=1 b=\"two \\\"w\" c")"#, r#"{"a":"1","b":"two \"w","c":true}"#),
        (r#"parse_int!("0x1f")"#, "31"),
        (r#"to_string(1.5)"#, r#""1.5""#),
        (r#"to_int("12") ?? 0"#, "12"),
        (r#"to_int("x") ?? 7"#, "7"),
        (r#"round(2.5)"#, "3.0"),
        (r#"mod!(7, 3)"#, "1"),
        (r#"keys({"b": 1, "a": 2})"#, r#"["a","b"]"#),
        (r#"merge({"a": {"x": 1}}, {"a": {"y": 2}}, deep: true)"#, r#"{"a":{"x":1,"y":2}}"#),
        (r#"flatten({"a": {"b": {"c": 1}}})"#, r#"{"a.b.c":1}"#),
        (r#"get!({"a": [1, 2]}, ["a", 1])"#, "2"),
        (r#"unique([1, 2, 1])"#, "[1,2]"),
        (r#"filter([1, 2, 3]) -> |_i, v| { v > 1 }"#, "[2,3]"),
        (r#"map_values({"a": "x"}) -> |v| { upcase(v) }"#, r#"{"a":"X"}"#),
        (r#"map_keys({"a": 1}) -> |k| { upcase(k) }"#, r#"{"A":1}"#),
        (r#"n = 0; for_each([1, 2, 3]) -> |_i, v| { n = n + v }; n"#, "6"),
        (r#"parse_timestamp!("2026-11-20 10:00:00 +0100", "%Y-%m-%d %H:%M:%S %z")"#, r#""2026-11-20T09:00:00Z""#),
        (r#"to_unix_timestamp!(t'2026-11-20T10:00:00Z', "milliseconds")"#, "1795168800000"),
        (r#"format_timestamp!(from_unix_timestamp!(0), "%F")"#, r#""1970-01-01""#),
        (r#"exists(.attributes.nothing)"#, "false"),
        (r#"is_nullish("-")"#, "true"),
        (r#"2 * (3 + length("ab"))"#, "10"),
    ] {
        let (before, last) = source.rsplit_once("; ").unwrap_or(("null", source));
        let program = format!("{}\n.attributes.x = {last}", before.replace("; ", "\n").replace("null", ""));
        check(&program, "{}", &format!(r#"{{"x":{expected}}}"#));
    }
}

#[test]
fn parts_of_a_record_beside_its_attributes() {
    let mut one = record("{}");
    run(
        r#".body = "short"
        .severity = "error"
        .severity_text = "E"
        .resource."service.version" = "2"
        .trace_id = "0af7651916cd43dd8448eb211c80319c"
        .time = t'2026-11-20T10:00:00.5Z'
        del(.event_name)"#,
        &mut one,
    )
    .unwrap();
    assert_eq!(one.body.as_str(), Some("short"));
    assert_eq!(one.original.as_deref(), Some("hello 42"), "what came is kept");
    assert_eq!((one.severity, &*one.severity_text), (Severity::ERROR, "E"));
    assert_eq!(one.resource.attribute("service.version"), Some(&Value::str("2")));
    assert_eq!(one.trace_id.unwrap().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(one.time_ns, Some(1_795_168_800_500_000_000));

    let mut read = record("{}");
    run(".attributes.t = .time\n.attributes.s = .severity", &mut read).unwrap();
    assert_eq!((read.time_ns, read.severity), (Some(1_795_168_800_123_456_789), Severity::NOTICE), "exactly as before");
    run("del(.original)\n.body = \"x\"", &mut read).unwrap();
    assert_eq!(read.original, None);
    let mut kept = record("{}");
    run("if contains(string!(.original), \"hello\") { .body = \"x\" }", &mut kept).unwrap();
    assert_eq!(kept.original.as_deref(), Some("hello 42"));
    for (source, reason) in [
        (".original = \"made up\"", "`.original` is what came; it can be deleted and not be changed"),
        (".time = 5", "`.time` is integer, a timestamp is expected"),
        (".trace_id = \"xyz\"", "`.trace_id` is `xyz`, which is no id"),
        (".severity = \"loud\"", "`.severity` is `loud`, which is none"),
        ("del(.resource.\"service.name\")", "`.resource.\"service.name\"` must be left, as a text"),
        (
            ".resource.\"logkeep.source\" = \"forged\"",
            "fields of `.resource` called `logkeep.…` say how the record came, and cannot be changed",
        ),
        (".attributes = 3", "`.attributes` is integer, an object is expected"),
    ] {
        check(source, "{}", reason);
    }
}

#[test]
fn programs_end() {
    check("if .severity == \"info\" { abort }", "{}", "aborted");
    check("parse_json!(.body)", "{}", "parse_json: not JSON at byte 0: Invalid JSON value");
    check(
        "for_each(array!(.attributes.l)) -> |_i, _v| { for_each(array!(.attributes.l)) -> |_j, _w| { .body = 1 } }",
        &format!(r#"{{"l":[{}0]}}"#, "0,".repeat(500)),
        "it computes more than 40,000 expressions for one record",
    );
    let nest = "x = []\nfor_each(array!(.attributes.l)) -> |_i, _v| { x = [x] }\n.attributes.x = x";
    check(nest, &format!(r#"{{"l":[{}0]}}"#, "0,".repeat(100)), "what it leaves is nested more than 64 deep");
}

#[test]
fn no_value_grows_without_bound() {
    let list = format!(r#"{{"l":[{}0]}}"#, "0,".repeat(40));
    let again = |what: &str| {
        format!(
            "x = \"0123456789abcdef\"\ny = [x]\nfor_each(array!(.attributes.l)) -> |_i, _v| {{ {what} }}\n.body = [x, y]"
        )
    };
    for (what, fault) in [
        ("x = x + x", "more than 4194304 bytes"),
        ("x = \"{{ x }}{{ x }}\"", "more than 4194304 bytes"),
        ("y = [y, y]", "more than 4194304 bytes"),
        ("y = append(y, y)", "append: it makes a value of more than 4194304 bytes"),
        (".attributes.t = [.attributes.t, .attributes.t]", "more than 4194304 bytes"),
        ("x = encode_json(x)", "more than 4 MiB"),
        ("y = [y]; y = map_values(y) -> |v| { [v, v] }", "more than 4194304 bytes"),
    ] {
        let mut record = record(&list);
        let before = record.clone();
        let started = Instant::now();
        let error = run(&again(what), &mut record).expect_err(what);
        assert!(error.contains(fault) || error.contains("100 ms"), "{what}: {error}");
        assert_eq!(record, before, "{what}");
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
    }
    // A thousand values of which each is small enough.
    let mut record = record(&format!(r#"{{"l":[{}0]}}"#, "0,".repeat(1_000)));
    record.body = Value::Str("a".repeat(10_000).into());
    let many =
        ".attributes.l = map_values(array!(.attributes.l)) -> |v| { join!([string!(.body), to_string(int!(v))]) }";
    let error = run(many, &mut record).expect_err(many);
    assert!(error.contains("more than 4194304 bytes") || error.contains("100 ms"), "{error}");
}

#[test]
fn sources_that_nest_without_end_are_refused() {
    let nested = |before: &str, inside: &str, after: &str, times: usize| {
        format!(".body = {}{inside}{}", before.repeat(times), after.repeat(times))
    };
    for source in [
        nested("(", "1", ")", 30_000),
        nested("[", "1", "]", 30_000),
        nested("", "1", "+1", 30_000),
        nested("!", "true", "", 60_000),
        nested("{\"a\":", "1", "}", 10_000),
        "if .severity == \"a\" { ".repeat(2_000) + &"}".repeat(2_000),
        "x = ".repeat(10_000) + "1",
    ] {
        let error = Program::compile(&source).expect_err("it is too deep");
        assert!(error.contains("nested more than 100 deep") || error.contains("syntax error"), "{error:.200}");
    }
    Program::compile(&nested("", "1", "+1", 90)).unwrap();
}

#[test]
fn what_is_measured_means_the_same() {
    check(
        "a = {\"b\": [1, \"ä\"], \"c\": .attributes.s} # a comment, a.b\nd = \"é{{ a_ }}\"\n.attributes = {\"d\": d, \"x\": a.b[1], \"y\": exists(a.b), \"z\": del(a.b), \"l\": a}"
            .replace("d = ", "a_ = \"n\"\nd = ")
            .as_str(),
        r#"{"s":"t"}"#,
        r#"{"d":"én","l":{"b":[1,"ä"],"c":"t"},"x":"ä","y":true,"z":[1,"ä"]}"#,
    );
    check(
        ".attributes.n = parse_json!(.attributes.s).a[0]\nn, err = .attributes.n + 1\n.attributes.m = (n + 1) ?? 0\nif !is_null(err) { abort } else { .attributes.o = [n, { \"n\": n }] }",
        r#"{"s":"{\"a\":[4]}"}"#,
        r#"{"s":"{\"a\":[4]}","m":6,"n":4,"o":[5,{"n":5}]}"#,
    );
}

/// Few expressions, each of which takes long.
#[test]
fn programs_end_in_time() {
    let mut record = record(&format!(r#"{{"l":[{}0]}}"#, "0,".repeat(3_000)));
    record.body = Value::Str("a ".repeat(400_000).into());
    let before = record.clone();
    let start = Instant::now();
    let slow = "x = string!(.body)\nfor_each(array!(.attributes.l)) -> |_i, _v| { x = replace(x, r'[ab]', \"b\") ?? \"\" }\n.body = x";
    assert_eq!(run(slow, &mut record), Err("it takes more than 100 ms for one record".to_owned()));
    assert_eq!(record, before);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// As deep as a program can nest within its bound, on the stack that a thread has.
#[test]
fn the_deepest_value_does_no_harm() {
    let nest = "x = []\nfor_each(array!(.attributes.l)) -> |_i, _v| { x = [x] }\n.attributes.x = x";
    let work = move || {
        let mut record = record(&format!(r#"{{"l":[{}0]}}"#, "0,".repeat(6_000)));
        run(nest, &mut record)
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    assert!(thread.join().unwrap().is_err());
}

fn faulty(source: &str, expected: &[&str]) {
    let error = Program::compile(source).expect_err(source);
    for part in expected {
        assert!(error.contains(part), "{source}: {part} is not in\n{error}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    faulty(".attributes.x = upcas(.body)", &["undefined function", "1 │ .attributes.x = upcas(.body)", "^^^^^"]);
    faulty(".attributes.x = upcase(.body)", &["this expression is fallible"]);
    faulty("x = \n", &["syntax error"]);
    faulty(".message = 1", &["a record has no such part; it has .body, .attributes"]);
    faulty(". = {}", &["read-only"]);
    faulty("del(.)", &["cannot be deleted"]);
    faulty("%x = 1", &["no metadata"]);
    faulty(".tenant = \"other\"", &["read-only"]);
    faulty("upcase(\"x\")\n.body = 1", &["unused result"]);
}

#[test]
fn what_has_no_bound_is_refused() {
    faulty(".attributes.x = \"a\" * int!(.attributes.n)", &["`*` could repeat a text", "^"]);
    faulty("if true { for_each([1]) -> |_i, v| { .body = [{\"a\": v * v}] } }", &["`*` could repeat a text"]);
    faulty(".attributes.x[2000000000] = 1", &["too many elements"]);
    faulty("x = []\nx[1001] = 1\n.attributes.x = x", &["too many elements"]);
}

#[test]
fn nothing_reaches_out_of_the_record() {
    for call in [
        "now()",
        "get_env_var!(\"HOME\")",
        "uuid_v4()",
        "random_int(0, 9)",
        "dns_lookup!(\"x\")",
        "log(\"x\")",
        "get_hostname!()",
        "http_request!(\"x\")",
        "decode_gzip!(\"x\")",
        "parse_yaml!(\"x\")",
    ] {
        faulty(&format!(".attributes.x = {call}"), &["undefined function"]);
    }
}

//! The language as text in, text out: canonical forms, faults, what matches what, and that no text breaks it.

use std::borrow::Cow;

use logkeep_record::{Attributes, Record, Resource, Scope, Severity, SpanId, TraceId, Value};
use proptest::prelude::*;

use super::*;

/// Parses and prints: the canonical form, or the fault as `message @position+length -> suggestion`.
fn shown(query: &str) -> String {
    match parse(query) {
        Ok(expr) => expr.to_string(),
        Err(error) => format!(
            "{} @{}+{} -> {}",
            error.message,
            error.position,
            error.length,
            error.suggestion.as_deref().unwrap_or("none")
        ),
    }
}

fn check(query: &str, expected: &str) {
    assert_eq!(shown(query), expected, "{query}");
    if let Ok(expr) = parse(query) {
        assert_eq!(parse(expected).as_ref(), Ok(&expr), "canonical form of {query}");
    }
}

#[test]
fn terms() {
    check("", "*");
    check("  ", "*");
    check("*", "*");
    check("timeout", "timeout");
    check("\"connection refused\"", "\"connection refused\"");
    check("\"one\"", "one");
    check("conn* t?x", "conn* and t?x");
    check("/api/v1", "\"/api/v1\"");
    check("/time(out)?/", "/time(out)?/");
    check("/a b\\/c/", "/a b\\/c/");
    check(
        "http://host:80/x std::io::Error 10.0.0.1:8080 10:30:00",
        "\"http://host:80/x\" and \"std::io::Error\" and \"10.0.0.1:8080\" and \"10:30:00\"",
    );
    check("/x?a=1", "\\/x?a\\=1");
    check("\\and \\* a\\ b", "\"and\" and \"*\" and \"a b\"");
    check("--flag", "\"--flag\"");
    check("a - b", "a and \"-\" and b");
    check("日本", "日本");
}

#[test]
fn fields_and_values() {
    check("level:error", "level:error");
    check("level : error", "level:error");
    check("url.path:/api/v1", "url.path:\\/api\\/v1");
    check("path:/pay or path:/", "path:\\/pay or path:\\/");
    check("url.path:/^.pay/", "url.path:/^.pay/");
    check("msg:\"a \\\"b\\\"\"", "msg:\"a \\\"b\\\"\"");
    check("\"my field\":x", "\"my field\":x");
    check("@timestamp:2026-11-20T10:00:00Z", "@timestamp:2026-11-20T10\\:00\\:00Z");
    check("a-b.c_d:*", "a-b.c_d:*");
    check("a:**", "a:*");
    check("a:x*", "a:x*");
    check("a:\\*", "a:\\*");
    check("a:-5", "a:-5");
    check("a:(b or \"c d\")", "a:b or a:\"c d\"");
    check("a:(b or not (c and d*))", "a:b or not (a:c and a:d*)");
    check("a:(b c)", "a:b and a:c");
    check("and:x", "\"and\":x");
    check("\\4:0", "\"4\":0");
    check("\"4.4\">=0", "\"4.4\" >= 0");
    check("a:\"\"", "a:\"\"");
}

#[test]
fn ranges() {
    check("a > 5", "a > 5");
    check("a>=5", "a >= 5");
    check("a:<-1.5e3", "a < -1.5e3");
    check("a <= \"x y\"", "a <= \"x y\"");
    check("status:[500 to 599]", "status >= 500 and status <= 599");
    check("status:{500 TO 599}", "status > 500 and status < 599");
    check("status:[500 to *]", "status >= 500");
    check("status:[* to *]", "status:*");
    check("severity>=warn", "severity >= warn");
}

#[test]
fn booleans() {
    check("a b", "a and b");
    check("a AND b Or c", "a and b or c");
    check("a && b || c", "a and b or c");
    check("(a or b) c", "(a or b) and c");
    check("(a b) c", "a and b and c");
    check("not a b", "not a and b");
    check("-a !b NOT c", "not a and not b and not c");
    check("-level:debug", "not level:debug");
    check("not(a or b)", "not (a or b)");
    check("not not a", "not not a");
    check("-(a b)", "not (a and b)");
    check("((a))", "a");
}

#[test]
fn faults() {
    check("level:", "expected a value @6+0 -> level:*");
    check("level: and x", "expected a value @7+3 -> level:* and x");
    check("state:or", "expected a value @6+2 -> state:\"or\"");
    check("(level:)", "expected a value @7+0 -> (level:*)");
    check("level=error x", "`=` is not an operator here; write `name:value` @5+1 -> level:error x");
    check("a level == error", "`=` is not an operator here; write `name:value` @8+2 -> a level:error");
    check("a status!=500", "`!=` is not an operator here; write `not name:value` @9+1 -> a not status:500");
    check("a \"b c", "the quote is never closed @2+4 -> a \"b c\"");
    check("a \"b\\", "the quote is never closed @2+3 -> a \"b\"");
    check("(a or (b", "the parenthesis is never closed @6+1 -> (a or (b))");
    check("a) b", "this `)` closes nothing @1+1 -> a b");
    check("a and", "nothing follows `and` @5+0 -> a");
    check("a or ", "nothing follows `or` @4+0 -> a");
    check("(a and) b", "nothing follows `and` @6+0 -> (a) b");
    check("not", "nothing follows `not` @3+0 -> none");
    check("or a", "`or` stands where a term should; quote it to search for the word @0+2 -> \"or\" a");
    check("a adn b:c", "`adn` looks like a mistyped `and`; quote it to search for the word @2+3 -> a and b:c");
    check("a \"adn\" b", "a and \"adn\" and b");
    check("()", "nothing stands between the parentheses @0+2 -> *");
    check("a >", "expected a value after `>` @3+0 -> none");
    check("a > b*", "a comparison takes no wildcards @6+0 -> none");
    check(":x", "a field name is missing here @0+1 -> none");
    check("a*:x", "a field name takes no wildcards @0+2 -> none");
    check("\"\"", "the phrase is empty @0+2 -> none");
    check("a \\", "nothing follows the escape `\\` @2+1 -> a \\\\");
    check("a:[1 2]", "a range is written `[100 to 200]` @2+3 -> none");
    check("a:[1 to 2", "a range is written `[100 to 200]` @2+7 -> none");
    check("a:/[/", "bad regular expression: unclosed character class @2+3 -> none");
    check(
        "é:/(?<=a)b/",
        "bad regular expression: look-around, including look-ahead and look-behind, is not supported @2+9 -> none",
    );
    check(
        "level:loud",
        concat!(
            "`loud` is no severity; use trace, debug, info, warn, error, fatal, unspecified or a number from 1 to 24",
            " @0+10 -> none"
        ),
    );
    check(
        "time>yesterday",
        "`yesterday` is no time; use RFC 3339 like `2026-11-20T10:00:00Z`, or set the time range @0+14 -> none",
    );
}

#[test]
fn bounds() {
    assert!(shown(&"a".repeat(8_193)).starts_with("the query is 8193 characters long"));
    assert!(shown(&"(".repeat(8_000)).starts_with("nested more than 64 deep"));
    assert!(shown(&"!".repeat(8_000)).starts_with("nested more than 64 deep"));
    assert!(shown(&("(".repeat(64) + "a" + &")".repeat(64))).starts_with('a'));
    assert!(shown(&("?".repeat(128))).starts_with("a pattern of more than 127"));
    assert!(shown("/(((a{1,500}){1,500}){1,500})/").starts_with("the regular expression is too large"));
    assert!(shown(&"/a/ ".repeat(17)).starts_with("more than 16 regular"));
    assert!(parse(&"a ".repeat(4_000)).is_ok());
}

fn pairs(pairs: &[(&'static str, Value<'static>)]) -> Attributes<'static> {
    pairs.iter().map(|(key, value)| (Cow::Borrowed(*key), value.clone())).collect()
}

fn sample() -> Record<'static> {
    let scope = Scope { name: "io.app".into(), attributes: pairs(&[("s", "scoped".into())]), ..Scope::default() };
    let attributes =
        pairs(&[("service.name", "checkout".into()), ("k8s.namespace.name", "Shop".into()), ("r", 1.into())]);
    let mut record = Record::new(
        1_795_168_801_000_000_000,
        "Payment refused: card_4242 for user=ann, GET /api/v1/pay".into(),
        Resource::new(attributes, 0, String::new(), scope),
    );
    record.time_ns = Some(1_795_168_800_000_000_000);
    record.severity = Severity::CRITICAL;
    record.severity_text = "CRIT".into();
    record.trace_id = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736");
    record.span_id = SpanId::from_hex("00f067aa0ba902b7");
    record.attributes = pairs(&[
        ("http.response.status_code", 503.into()),
        ("url.path", "/api/v1/pay".into()),
        ("took", Value::Double(2.5)),
        ("size", "1024".into()),
        ("ok", Value::Bool(false)),
        ("tag", "red".into()),
        ("tag", "blue".into()),
        ("none", Value::Null),
        ("r", "record".into()),
        ("list", Value::Array(vec!["a".into(), 7.into()])),
        ("map", Value::Map(pairs(&[("in.ner", "deep".into())]))),
        ("exception.message", "socket hang up".into()),
        ("big", 9_007_199_254_740_993.into()),
    ]);
    record
}

fn check_matches(expected: bool, queries: &[&str]) {
    let record = sample();
    for query in queries {
        let expr = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(matches(&expr, &record), expected, "{query}");
        let negated = Expr::Not(Box::new(expr));
        assert_eq!(matches(&negated, &record), !expected, "not {query}");
    }
}

#[test]
fn free_text_matches() {
    check_matches(
        true,
        &[
            "*",
            "PAYMENT",
            "refused payment",
            "\"payment refused\"",
            "card_4242",
            "ann",
            "user",
            "/api/v1/pay",
            "503",
            "checkout",
            "shop",
            "crit",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00F067AA0BA902B7",
            "red blue",
            "deep",
            "pay*",
            "*fus*",
            "/Pay.*ref/",
            "\"refused:\"",
            "2.5",
            "false",
            "scoped or payment",
        ],
    );
    check_matches(
        false,
        &[
            "pay-ment",
            "paymen",
            "\"refused payment\"",
            "card",
            "\"payment card\"",
            "status_code",
            "io.app",
            "scoped",
            "/payment/",
            "*ayment?refused",
            "\"red blue\"",
            "null",
        ],
    );
}

#[test]
fn field_matches() {
    check_matches(
        true,
        &[
            "service:checkout",
            "service.name:CHECKOUT",
            "ns:shop",
            "status:503",
            "status:503.0",
            "status:\"503\"",
            "status:5*",
            "status>=500",
            "status:[500 to 599]",
            "status:(404 or 503)",
            "took>2",
            "took<=2.5",
            "took:2.5",
            "size>1000",
            "size:1024",
            "ok:false",
            "tag:red",
            "tag:blue",
            "list:a",
            "list>5",
            "list:*",
            "map:*",
            "map.in.ner:deep",
            "r:record",
            "resource.r:1",
            "attributes.r:record",
            "s:scoped",
            "scope.name:io.app",
            "trace:4BF92F3577B34DA6A3CE929D0E0E4736",
            "msg:payment",
            "msg:\"payment refused\"",
            "msg:/card_\\d+/",
            "exception.message:hang",
            "url.path:/api/*/pay",
            "url.path:/v1.pay$/",
            "path:/api/v1/pay",
            "severity_text:crit",
            "big:9007199254740993",
            "big>9007199254740992.0",
            "tag>a",
        ],
    );
    check_matches(
        false,
        &[
            "service:check",
            "status:50",
            "status:\"503.0\"",
            "status<503",
            "size:1024.0",
            "tag:green",
            "none:*",
            "gone:*",
            "gone<5",
            "r:1",
            "map.in:deep",
            "map:deep",
            "url.path:pay",
            "url.path:/API$/",
            "big:9007199254740992",
            "ok:no",
            "tag>5",
            "took>x",
            "msg:paymen",
            "event_name:*",
            "original:*",
            "exception.message:han",
        ],
    );
}

#[test]
fn severity_and_time_match() {
    check_matches(
        true,
        &[
            "level:error",
            "level:critical",
            "severity:ERR",
            "severity:18",
            "severity>=warn",
            "severity>=error",
            "severity<=error",
            "severity>17",
            "severity<fatal",
            "severity:e*",
            "severity:*",
            "severity_number:18",
            "time:2026-11-20T10:00:00Z",
            "time<2026-11-20T10:00:00.5Z",
            "received>1795168800000",
            "@timestamp:*",
        ],
    );
    check_matches(
        false,
        &[
            "level:warn",
            "severity>error",
            "severity<error",
            "severity:17",
            "severity:unspecified",
            "severity>=fatal",
            "time>2026-11-20T10:00:00Z",
            "received:1795168800",
        ],
    );
    let bare = Record::new(0, Value::Null, Resource::from_attributes(Vec::new()));
    for (query, expected) in [("severity:unspecified", true), ("severity<fatal", false), ("severity:*", false)] {
        assert_eq!(matches(&parse(query).unwrap(), &bare), expected, "{query}");
    }
}

#[test]
fn a_real_field_goes_before_its_alias() {
    let mut record = sample();
    record.attributes.push(("status".into(), "shipped".into()));
    assert!(matches(&parse("status:shipped").unwrap(), &record));
    assert!(!matches(&parse("status:503").unwrap(), &record));
}

#[test]
fn spans_count_characters() {
    let expr = parse("é and näme:\"x y\"").unwrap();
    let mut seen = Vec::new();
    expr.for_each_field(&mut |name, span| seen.push((name.to_owned(), span.position, span.length)));
    assert_eq!(seen, [("näme".to_owned(), 6, 10)]);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_.@:/=!<>(){}\\[\\] *?\"\\\\-]{1,8}",
        "(and|OR|not|adn|\\|\\||&&|to|-|é日)",
        "\\PC{1,6}",
        Just("\n\t\r".to_owned()),
    ]
}

fn any_wildcard() -> impl Strategy<Value = Wildcard> {
    let item = prop_oneof![
        any_text().prop_map(|text| text.chars().next().map_or(WildcardItem::One, WildcardItem::Char)),
        Just(WildcardItem::One),
        Just(WildcardItem::Many),
    ];
    (prop::collection::vec(item, 1..6), any::<bool>())
        .prop_map(|(mut items, many)| {
            items.push(if many { WildcardItem::Many } else { WildcardItem::One });
            Wildcard::new(items).unwrap()
        })
        .prop_filter("`*` alone means something else", |pattern| pattern.items() != [WildcardItem::Many])
}

fn any_regex() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/: ]{1,6}", "(a|b)\\\\d+", "\\[/\\]x:", "\\\\\\\\"]
}

fn any_leaf() -> impl Strategy<Value = Expr> {
    let pattern = prop_oneof![
        any_text().prop_map(TextPattern::Phrase),
        any_wildcard().prop_map(TextPattern::Wildcard),
        any_regex().prop_map(TextPattern::Regex),
    ];
    let op = prop_oneof![Just(Op::Lt), Just(Op::Le), Just(Op::Gt), Just(Op::Ge)];
    let predicate = prop_oneof![
        Just(Predicate::Exists),
        any_text().prop_map(|text| Predicate::Equals(Literal { text })),
        any_text().prop_map(Predicate::Phrase),
        any_wildcard().prop_map(Predicate::Pattern),
        (op, any_text()).prop_map(|(op, text)| Predicate::Range { op, literal: Literal { text } }),
        any_regex().prop_map(Predicate::Regex),
    ];
    prop_oneof![
        Just(Expr::All),
        pattern.prop_map(|pattern| Expr::Text { pattern, span: Span::default() }),
        (any_text(), predicate).prop_map(|(name, predicate)| Expr::Field {
            name: name + "x",
            predicate,
            span: Span::default()
        }),
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_leaf().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_form_reads_as_the_same(expr in any_expr()) {
        let text = expr.to_string();
        prop_assert_eq!(parse(&text), Ok(expr), "{}", text);
    }

    #[test]
    fn any_text_parses_or_fails_in_place(parts in prop::collection::vec(any_text(), 0..8)) {
        let query = parts.concat();
        match parse(&query) {
            Ok(expr) => {
                let text = expr.to_string();
                prop_assert_eq!(parse(&text), Ok(expr.clone()), "{}", text);
                matches(&expr, &sample());
            }
            Err(error) => {
                prop_assert!(error.position + error.length <= query.chars().count(), "{:?}", error);
                if let Some(suggestion) = error.suggestion {
                    prop_assert!(parse(&suggestion).is_ok(), "{}", suggestion);
                }
            }
        }
    }

    #[test]
    fn what_a_phrase_matches_has_its_tokens_in_order(phrase in any_text(), text in prop::collection::vec(any_text(), 1..6)) {
        let text = text.concat();
        let matcher = TextMatcher::new(&TextPattern::Phrase(phrase.clone())).unwrap();
        let wanted: Vec<_> = tokens(&phrase).collect();
        let has: Vec<_> = tokens(&text).collect();
        if matcher.matches(&text) && !wanted.is_empty() {
            prop_assert!(has.windows(wanted.len()).any(|window| window == wanted));
        }
        let around = format!("({phrase})");
        prop_assert!(matcher.matches(&around));
    }
}

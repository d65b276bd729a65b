use super::*;

fn template(text: &str) -> Template {
    let parsed = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(parsed.to_string(), text);
    parsed
}

fn of(line: &str) -> Template {
    let mut reader = Reader::default();
    scan::read(line, &mut reader.line);
    Template::of(&reader.line)
}

/// What the parameters of a line are, as text with its kind.
fn check(text: &str, line: &str, expected: Option<&str>) {
    let mut reader = Reader::default();
    let template = template(text);
    let found = template.parameters(&mut reader, line);
    let shown = found.map(|found| {
        let shown: Vec<_> =
            found.iter().map(|one| format!("{}={}", one.kind.mark(), &line[one.place.clone()])).collect();
        shown.join(" ")
    });
    assert_eq!(shown.as_deref(), expected, "{text}: {line}");
    assert_eq!(template.matches(&mut reader, line), expected.is_some());
}

#[test]
fn texts_are_read_back() {
    for text in [
        "",
        "<...>",
        "a <*> b",
        "user=<*> from <ip>: <num>%d",
        "x<*>y <...>",
        r"\<num> \<*> \<...>",
        r"a\\<num>",
        r"\a \",
        r"C:\x <nu> <<num>>",
        "ä\u{1b}<var>",
        r"\\\<num>",
    ] {
        template(text);
    }
}

#[test]
fn what_looks_like_a_mark_is_none() {
    for line in ["<num> of <*>", "<...>", "end <...>", r"\<num>", r"\\<*> x", "a<*>", "<<num>>"] {
        let own = of(line);
        assert_eq!(Template::parse(&own.to_string()), Ok(own.clone()), "{line}");
        assert!(own.matches(&mut Reader::default(), line));
        assert!(!own.matches(&mut Reader::default(), "7 of 9"));
    }
}

#[test]
fn texts_that_are_none() {
    let error = |text: &str| Template::parse(text).unwrap_err().to_string();
    assert_eq!(error("a  b"), "word `1` of a template is empty or has blanks in it");
    assert_eq!(error("a <*><*>"), "word `1` of a template has more than one `<*>`, or variables side by side");
    assert_eq!(error("<num><ip>"), "word `0` of a template has more than one `<*>`, or variables side by side");
    assert_eq!(error(&"a ".repeat(64)), "a template has more than `64` words");
    assert_eq!(error(&"a".repeat(20_000)), "a template has `20000` bytes, at most `16384`");
}

#[test]
fn parameters() {
    check("user <*> from <ip> <num>", "user bob from 10.0.0.1:80 7 ms", Some("<var>=bob <ip>=10.0.0.1:80 <num>=7 ms"));
    check("user=<*> id=<num>", "  user= \t id=7\n", Some("<var>= <num>=7"));
    check("web-<num>-<*>-<id>", "web-1-a-b-x2x4z", Some("<num>=1 <var>=a-b <id>=x2x4z"));
    check("took <num>", "took ab", None);
    check("took <num>", "took 10.0.0.1", None);
    check("took <var>", "took 10.0.0.1", Some("<ip>=10.0.0.1"));
    check("took <num>", "took 1\nmore", None);
    check("took <num> <...>", "took 1\nmore 2", Some("<num>=1"));
    check("<*>", "a b", None);
    check("at <time> ä<*>", "at Nov  2 10:00:00 äöü", Some("<time>=Nov  2 10:00:00 <var>=öü"));
}

#[test]
fn joins_and_order() {
    let pairs = [
        ("user bob id 7", "user eve id ab12cd34", "user <*> id <var>"),
        ("user bob", "user bob\nx", "user bob <...>"),
        ("a=1 b", "a=x b", "a=<*> b"),
    ];
    for (one, other, expected) in pairs {
        let (one, other) = (of(one), of(other));
        let joined = one.join(&other).unwrap();
        assert_eq!(joined.to_string(), expected);
        assert_eq!(other.join(&one), Some(joined.clone()));
        for special in [&one, &other] {
            assert!(joined.covers(special));
            let is_same = *special == joined;
            assert_eq!(special.covers(&joined), is_same);
            assert_eq!(joined.by_generality(special), if is_same { Ordering::Equal } else { Ordering::Less });
        }
    }
    assert_eq!(of("a b").join(&of("a")), None);
}

#[test]
fn the_id_of_a_form_is_fixed() {
    // Stored ids are computed so: another value here is another version of the stored form.
    let first = of("user bob id 7").first_id();
    assert_eq!(first, of("user  bob id ab12cd34\nmore").first_id());
    assert_ne!(first, of("user eve id 7").first_id());
    assert_eq!(first.to_string(), "b5f6b7a5c22b012d");
}

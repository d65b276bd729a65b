//! What becomes of a record.

use super::*;

fn mask(fields: &[&str]) -> Mask {
    Mask::new(fields.iter().copied()).unwrap()
}

fn record(body: Value<'static>, attributes: Attributes<'static>) -> Record<'static> {
    let resource = Resource::from_attributes(vec![
        ("service.name".into(), Value::str("cart")),
        ("host.name".into(), Value::str("node-17")),
    ]);
    let mut record = Record::new(1, body, resource);
    record.original = Some("as it came".into());
    record.attributes = attributes;
    record
}

fn applied(mask: &Mask, mut record: Record<'static>) -> Record<'static> {
    mask.masker().apply(&mut record);
    record
}

#[test]
fn a_value_is_masked_wherever_it_stands() {
    let attributes = vec![
        ("user.email".into(), Value::str("alice@example.org")),
        ("http.response.status_code".into(), Value::Int(200)),
        ("url.query".into(), Value::str("m=ALICE%40example.org&x=1")),
        ("url.path".into(), Value::str("/cart")),
    ];
    let seen = applied(&mask(&["user.email"]), record(Value::str("mail to alice@example.org sent"), attributes));
    assert_eq!(seen.attribute("user.email"), Some(&Value::str(MARKER)));
    assert_eq!(seen.attribute("url.query"), Some(&Value::str(MARKER)));
    assert_eq!(seen.attribute("url.path"), Some(&Value::str("/cart")));
    assert_eq!(seen.attribute("http.response.status_code"), Some(&Value::Int(200)));
    assert_eq!(seen.body, Value::str(MARKER));
    assert_eq!(seen.original.as_deref(), Some(MARKER));
}

#[test]
fn a_record_without_the_field_stays_as_it_is() {
    let before = record(Value::str("hello"), vec![("a".into(), Value::str("b"))]);
    assert_eq!(applied(&mask(&["user.email", "cards.*"]), before.clone()), before);
}

#[test]
fn fields_of_the_resource_and_of_maps() {
    let nested = Value::Map(vec![(
        "user".into(),
        Value::Map(vec![("email".into(), Value::str("x@y")), ("plan".into(), Value::str("free"))]),
    )]);
    let attributes = vec![
        ("request".into(), nested.clone()),
        ("user".into(), Value::Map(vec![("email".into(), Value::Array(vec![Value::Int(1), Value::str("q")]))])),
    ];
    let seen = applied(&mask(&["user.email", "host.name"]), record(nested, attributes));
    let user = |plan: bool| {
        let mut pairs = vec![("email".into(), Value::str(MARKER))];
        pairs.extend(plan.then(|| ("plan".into(), Value::str("free"))));
        Value::Map(pairs)
    };
    assert_eq!(seen.body, Value::Map(vec![("user".into(), user(true))]));
    assert_eq!(seen.attribute("request"), Some(&Value::Map(vec![("user".into(), user(true))])));
    assert_eq!(seen.attribute("user"), Some(&user(false)));
    assert_eq!(seen.resource.attribute("host.name"), Some(&Value::str(MARKER)));
    assert_eq!(seen.resource.attribute("service.name"), Some(&Value::str("cart")));
}

#[test]
fn a_field_with_its_parts() {
    let covers = |field: &str, names: [&str; 4]| names.map(|name| mask(&[field]).covers(name));
    let names = ["user", "user.email", "user.name.first", "users"];
    assert_eq!(covers("user", names), [true, true, true, false]);
    assert_eq!(covers("user.*", names), [false, true, true, false]);
    assert_eq!(covers("user.email", names), [false, true, false, false]);
}

#[test]
fn aliases_body_and_original() {
    let attributes = || vec![("http.response.status_code".into(), Value::Int(503))];
    let seen = applied(&mask(&["status"]), record(Value::str("ok"), attributes()));
    assert_eq!(seen.attribute("http.response.status_code"), Some(&Value::str(MARKER)));
    let seen = applied(&mask(&["message"]), record(Value::str("ok"), attributes()));
    assert_eq!((seen.body, seen.original.as_deref()), (Value::str(MARKER), Some(MARKER)));
    let seen = applied(&mask(&["original"]), record(Value::str("ok"), attributes()));
    assert_eq!((seen.body, seen.original.as_deref()), (Value::str("ok"), Some(MARKER)));
}

#[test]
fn parts_of_every_record_cannot_be_masked() {
    for field in ["time", "severity", "trace_id", ".*"] {
        assert!(Mask::new([field]).is_err(), "{field}");
    }
    assert!(Mask::new([]).unwrap().is_empty());
}

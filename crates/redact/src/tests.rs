//! Records in, records out.

use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Scope, TenantId, Value, json};
use proptest::prelude::*;

use crate::{Action, FieldPattern, Find, HashKey, LeftOut, Redaction, Redactor, Rule, Rules, kinds_called};

fn rule(what: &str, action: Action) -> Rule {
    let find = match what.strip_prefix("field ") {
        Some(name) => Find::Fields(vec![FieldPattern::new(name).unwrap()]),
        None => Find::Kinds(what.split(' ').flat_map(|name| kinds_called(name).unwrap()).collect()),
    };
    Rule { name: "the-rule".to_owned(), find, tenants: vec![], services: vec![], action }
}

fn rules(rules: &[(&str, Action)]) -> Rules {
    Rules { rules: rules.iter().map(|(what, action)| rule(what, *action)).collect(), ..Rules::default() }
}

fn redaction(rules: Rules) -> Redaction {
    Redaction::new(Arc::new(Redactor::new(rules, HashKey::new([1; 32]))), TenantId::default())
}

fn attributes(document: &str) -> Attributes<'static> {
    match json::parse(document).unwrap().into_owned() {
        Value::Map(pairs) => pairs,
        other => panic!("{other:?}"),
    }
}

/// A record as JSON: its attributes, its body and its original.
fn check(given: Rules, record: (&str, &str, &str), expected: (&str, &str, &str)) {
    let (document, body, original) = record;
    let mut record = Record::new(0, Value::from(body.to_owned()), Resource::from_attributes(vec![]));
    record.attributes = attributes(document);
    record.original = (!original.is_empty()).then(|| original.to_owned().into());
    let mut redaction = redaction(given);
    for turn in ["first", "again"] {
        redaction.apply(&mut record).unwrap();
        let mut shown = String::new();
        json::write(&Value::Map(record.attributes.clone()), &mut shown);
        let found = (shown.as_str(), record.body.as_str().unwrap(), record.original.as_deref().unwrap_or_default());
        assert_eq!(found, expected, "{turn}");
    }
}

#[test]
fn secrets_are_hidden_in_every_form_of_a_record() {
    check(
        Rules::default(),
        (
            r#"{"user":"bob","auth.password":"hun\"ter2","tags":["x","Bearer abcdefghijklmnop1"],"n":1}"#,
            "bob came with hun\"ter2",
            r#"{"user":"bob","auth":{"password":"hun\"ter2"},"tags":["x","Bearer abcdefghijklmnop1"],"n":1}"#,
        ),
        (
            r#"{"user":"bob","auth.password":"[redacted:secret]","tags":["x","Bearer [redacted:authorization]"],"n":1}"#,
            "bob came with [redacted:secret]",
            r#"{"user":"bob","auth":{"password":"[redacted:secret]"},"tags":["x","Bearer [redacted:authorization]"],"n":1}"#,
        ),
    );
}

#[test]
fn escapes_hide_nothing() {
    check(
        Rules::default(),
        (
            r#"{"dsn":"https://u:pa55@h/x"}"#,
            "x",
            r#"{"log":"{\"dsn\":\"https:\\/\\/u:pa55@h\\/x\",\"k\":\"a\\u0070i_key=\\u0061bc\"}\n"}"#,
        ),
        (
            r#"{"dsn":"https://u:[redacted:url_password]@h/x"}"#,
            "x",
            r#"{"log":"{\"dsn\":\"https:\\/\\/u:[redacted:url_password]@h\\/x\",\"k\":\"a\\u0070i_key=[redacted:secret]\"}\n"}"#,
        ),
    );
}

#[test]
fn fields_are_hidden_by_their_names_wherever_their_values_are() {
    check(
        rules(&[
            ("field user.name", Action::Mask),
            ("field age", Action::DropField),
            ("field at", Action::Keep),
            ("email", Action::Mask),
        ]),
        (
            r#"{"user.name":"bob","age":42,"at":"bob@example.com","to":"eve@example.com"}"#,
            "bob (42, not 421) wrote bob@example.com",
            r#"{"user":{"name":"bob"},"age":42,"at":"bob@example.com","to":"eve@example.com"}"#,
        ),
        (
            r#"{"user.name":"[redacted:user.name]","at":"bob@example.com","to":"[redacted:email]"}"#,
            "[redacted:user.name] ([redacted:age], not 421) wrote [redacted:user.name]@example.com",
            r#"{"user":{"name":"[redacted:user.name]"},"age":"[redacted:age]","at":"[redacted:user.name]@example.com","to":"[redacted:email]"}"#,
        ),
    );
}

#[test]
fn numbers_are_values_too() {
    check(
        rules(&[("card", Action::Mask)]),
        (r#"{"card":4111111111111111,"n":4111}"#, "", r#"{"card":4111111111111111,"n":4111}"#),
        (r#"{"card":"[redacted:card]","n":4111}"#, "", r#"{"card":"[redacted:card]","n":4111}"#),
    );
}

#[test]
fn hashes_join_what_is_equal() {
    let mut redaction = redaction(rules(&[("email", Action::Hash)]));
    let mut hash = |text: &str| {
        let mut record = Record::new(0, Value::from(text.to_owned()), Resource::from_attributes(vec![]));
        redaction.apply(&mut record).unwrap();
        record.body.as_str().unwrap().to_owned()
    };
    let (one, two, other) = (hash("a Bob@example.com"), hash("a bob@EXAMPLE.com"), hash("a eve@example.com"));
    assert_eq!(one, two);
    assert!(one != other && one.starts_with("a [email:") && one.len() == "a [email:]".len() + 16, "{one}");
    let again = hash(&one);
    assert_eq!(again, one);
}

#[test]
fn records_and_resources_are_left_out_by_name() {
    let mut redaction = redaction(rules(&[("card", Action::DropRecord)]));
    let mut record = Record::new(0, Value::str("4111 1111 1111 1111"), Resource::from_attributes(vec![]));
    assert_eq!(redaction.apply(&mut record), Err(LeftOut("the-rule".into())));
    let mut record =
        Record::new(0, Value::str("x"), Resource::from_attributes(attributes(r#"{"c":"4111111111111111"}"#)));
    assert_eq!(redaction.apply(&mut record), Err(LeftOut("the-rule".into())));
}

#[test]
fn resources_are_redacted_once_for_all_their_records() {
    let mut redaction = redaction(Rules::default());
    let scope = Scope { name: "password=hunter2".into(), ..Scope::default() };
    let resource = Resource::new(attributes(r#"{"service.name":"a","token":"a1b2c3d4e5f6"}"#), 0, String::new(), scope);
    let mut records = [(); 2].map(|()| Record::new(0, Value::str("came with a1b2c3d4e5f6"), resource.clone()));
    for record in &mut records {
        redaction.apply(record).unwrap();
        assert_eq!(record.resource.attribute("token"), Some(&Value::str("[redacted:secret]")));
        assert_eq!(record.resource.scope().name, "password=[redacted:secret]");
        assert_eq!(record.body, Value::str("came with [redacted:secret]"));
    }
    assert!(Arc::ptr_eq(&records[0].resource, &records[1].resource));
}

#[test]
fn rules_are_of_tenants_and_services_and_the_first_decides() {
    let shop = TenantId::new("shop").unwrap();
    let mut given = rules(&[("secret", Action::Keep), ("secret", Action::DropRecord)]);
    given.rules[0].services = vec!["debug-*".to_owned()];
    given.rules[1].tenants = vec![shop.clone()];
    let redactor = Arc::new(Redactor::new(given, HashKey::new([1; 32])));
    for (tenant, service, expected) in [
        (TenantId::default(), "web", Ok("password=[redacted:secret]")),
        (TenantId::default(), "debug-1", Ok("password=hunter2")),
        (shop.clone(), "debug-1", Ok("password=hunter2")),
        (shop, "web", Err(LeftOut("the-rule".into()))),
    ] {
        let resource = Resource::from_attributes(vec![("service.name".into(), Value::from(service.to_owned()))]);
        let mut record = Record::new(0, Value::str("password=hunter2"), resource);
        let done = Redaction::new(redactor.clone(), tenant).apply(&mut record);
        assert_eq!(done.map(|()| record.body.as_str().unwrap()), expected, "{service}");
    }
}

#[test]
fn nested_values_names_and_bytes() {
    let mut record = Record::new(0, Value::Bytes(b"password=hunter2".into()), Resource::from_attributes(vec![]));
    record.attributes =
        attributes(r#"{"span.events":[{"name":"x","attributes":{"password":"hunter2"}}],"https://a:pw1@h":1}"#);
    redaction(Rules::default()).apply(&mut record).unwrap();
    let mut shown = String::new();
    json::write(&Value::Map(record.attributes), &mut shown);
    assert_eq!(
        shown,
        r#"{"span.events":[{"name":"x","attributes":{"password":"[redacted:secret]"}}],"https://a:[redacted:url_password]@h":1}"#
    );
    assert_eq!(record.body, Value::Bytes(b"password=[redacted:secret]".into()));
}

#[test]
fn time_is_in_proportion_to_the_text() {
    let everything = || rules(&[("secrets pii ip", Action::Mask)]);
    for piece in [
        "password=",
        "password=\"",
        "password: [",
        "pwd",
        "://a:",
        "eyJ",
        "eyJ.",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
        "a@",
        "a@b.",
        "1",
        "1 ",
        "1.1.",
        "1:",
        "::",
        "\\",
        "\\\"",
        "\\u0041",
        "DE89",
        "AKIA",
        "ghp_",
        "Cookie: ",
        "{\"a\":[",
        "Authorization: [",
        "password=\\\"",
        "4111-",
        "%40",
        "[redacted:",
    ] {
        let text = piece.repeat((256 << 10) / piece.len());
        let started = std::time::Instant::now();
        let mut record = Record::new(0, Value::str(&text), Resource::from_attributes(vec![]));
        redaction(everything()).apply(&mut record).unwrap();
        // A quarter of a mebibyte in any time that grows with its square would take minutes.
        assert!(started.elapsed().as_secs() < 20, "{piece}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_found_is_hidden(text in r#"([a-z@.:/= "\\{}]|password=|\\"|://|4111111111111111|Bearer |éü|eyJ|-----BEGIN RSA PRIVATE KEY-----){0,30}"#) {
        let redactor = Arc::new(Redactor::new(rules(&[("secrets pii ip", Action::Mask)]), HashKey::new([1; 32])));
        let found = redactor.find(&text);
        let mut record = Record::new(0, Value::str(&text), Resource::from_attributes(vec![]));
        record.original = Some((&*text).into());
        Redaction::new(redactor, TenantId::default()).apply(&mut record).unwrap();
        let after = record.body.as_str().unwrap();
        prop_assert_eq!(after, record.original.as_deref().unwrap());
        prop_assert_eq!(found.is_empty(), after == text);
        prop_assert!(found.iter().all(|(_, place)| text.get(place.clone()).is_some_and(|value| !value.is_empty())));
        prop_assert!(found.is_empty() || after.contains("[redacted:"));
    }

    /// Fields that are parts of the original are not searched twice: they must not be searched less for it.
    #[test]
    fn it_is_all_the_same_whether_fields_are_parts_of_the_original(
        fields in prop::collection::vec((
            prop_oneof!["[a-z]{1,5}", Just("password".to_owned()), Just("authorization".to_owned()), Just("token".to_owned())],
            r#"([a-z0-9]{1,4}|[ .:/=&\\-]|password=|ghp_[A-Za-z0-9]{36}|://u:|@|Bearer [a-z]{18}[0-9]|AKIA[A-Z2-7]{16}){0,6}"#,
            any::<bool>(),
        ), 0..6),
        renamed in any::<bool>(),
    ) {
        let member = |(name, text, number): &(String, String, bool)| match number {
            true => format!("\"{name}\":{}", 1_000 + text.len()),
            false => format!("\"{name}\":{}", json_text(text)),
        };
        let document = format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(","));
        let mut within = Record::new(0, Value::Null, Resource::from_attributes(vec![]));
        let Value::Map(attributes) = json::parse(&document).unwrap() else { panic!("an object is a map") };
        within.attributes = attributes;
        if let (true, Some((name, _))) = (renamed, within.attributes.first_mut()) {
            *name = "client_secret".into();
        }
        within.original = Some((&*document).into());
        let mut apart = within.clone().into_owned();
        let mut knows_the_names = redaction(Rules::default());
        knows_the_names.apply(&mut within.clone()).unwrap();
        knows_the_names.apply(&mut within).unwrap();
        redaction(Rules::default()).apply(&mut apart).unwrap();
        prop_assert_eq!(within, apart);
    }
}

fn json_text(text: &str) -> String {
    let mut out = String::new();
    json::write(&Value::str(text), &mut out);
    out
}

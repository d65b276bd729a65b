#![no_main]
//! Texts with secrets in every place of a record: what is hidden once stays hidden, and nothing else changes.
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use logkeep_record::{Record, Resource, TenantId, Value};
use logkeep_redact::{Action, FieldPattern, Find, HashKey, Kind, Redaction, Redactor, Rule, Rules};

static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(|| {
    let rule = |find, action| Rule { name: "rule".to_owned(), find, tenants: vec![], services: vec![], action };
    let rules = vec![
        rule(Find::Kinds(vec![Kind::Email]), Action::Hash),
        rule(Find::Fields(vec![FieldPattern::new("user*").unwrap()]), Action::DropField),
        rule(Find::Kinds(Kind::ALL.to_vec()), Action::Mask),
    ];
    Arc::new(Redactor::new(Rules { rules, secrets: Action::Mask }, HashKey::new([7; 32])))
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (name, rest) = text.split_once('\n').unwrap_or(("", text));
    let mut record = Record::new(7, Value::str(rest), Resource::from_attributes(Vec::new()));
    record.attributes.push((name.into(), Value::str(rest)));
    record.attributes.push(("list".into(), Value::Array(vec![Value::Bytes(rest.as_bytes().into())])));
    record.original = Some(text.into());
    let before = record.clone();
    let mut redaction = Redaction::new(REDACTOR.clone(), TenantId::default());
    redaction.apply(&mut record).unwrap();
    logkeep_fuzz::must_come_back(&record);
    let is_named = name.to_ascii_lowercase().starts_with("user");
    for (kind, place) in REDACTOR.find(text) {
        assert!(text.get(place.clone()).is_some_and(|found| !found.is_empty()), "{kind:?} at {place:?}");
        assert!(record != before, "{kind:?} at {place:?} was found and left");
    }
    if record.attributes.len() == before.attributes.len() && !is_named {
        let once = record.clone();
        redaction.apply(&mut record).unwrap();
        assert!(once == record, "a second time changes it again");
    }
});

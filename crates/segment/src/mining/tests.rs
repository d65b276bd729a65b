use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::UInt32Type;
use logkeep_pattern::{Limits, Miner, Reader, TemplateId};
use logkeep_record::{BatchSeed, Record, Resource, Value};
use proptest::prelude::*;

use crate::columns::fixed;
use crate::templates::{Templates, stream_key};
use crate::{Rows, RowsBuilder, Segment, merge, write_segment};

fn service(name: &str, pod: &str) -> Arc<Resource> {
    let pair = |key: &str, value: &str| (key.to_owned().into(), Value::from(value.to_owned()));
    Resource::from_attributes(vec![pair("service.name", name), pair("k8s.pod.name", pod)])
}

fn batch(number: u64, lines: &[(i64, &Arc<Resource>, Value<'static>)]) -> Rows {
    let mut builder = RowsBuilder::new();
    for (time_ns, resource, body) in lines {
        let mut record = Record::new(0, body.clone(), (*resource).clone());
        record.time_ns = Some(*time_ns);
        builder.push(&record);
    }
    builder.finish().unwrap().with_batch(number, BatchSeed::new([1; 32]))
}

fn written(rows: Rows, miner: Option<&mut Miner>) -> Segment {
    let bytes = write_segment([Ok(rows)], 1, miner).unwrap().bytes;
    Segment::open(Arc::new(bytes::Bytes::from(bytes))).unwrap()
}

/// The template of each body, by text; bodies that are no text are left out.
fn ids(segment: &Segment) -> HashMap<String, TemplateId> {
    let (rows, templates) = (segment.rows_where(None).unwrap(), segment.templates().unwrap().unwrap());
    let numbers = rows.column(fixed::TEMPLATE).unwrap().as_primitive::<UInt32Type>();
    let mut ids = HashMap::new();
    for row in 0..rows.len() {
        let record = rows.record(row).unwrap();
        let Some(body) = record.body.as_str() else {
            assert!(numbers.is_null(row));
            continue;
        };
        let listed = &templates.list()[templates.place(numbers.value(row)).unwrap()].listed;
        assert!(
            listed.template.matches(&mut Reader::default(), body),
            "`{}` is no template of {body}",
            listed.template
        );
        assert_eq!(listed.stream, stream_key(&record.resource));
        ids.insert(body.to_owned(), listed.id);
    }
    ids
}

/// Text, count and first time of each template.
fn listed(segment: &Segment) -> BTreeMap<String, (u64, i64)> {
    let templates = segment.templates().unwrap().unwrap();
    let of_one = |known: &crate::Known| (known.listed.template.to_string(), (known.listed.count, known.first_ns));
    templates.list().iter().map(of_one).collect()
}

#[test]
fn each_row_with_a_text_has_a_template_of_its_service() {
    let (web, again, cart) = (service("web", "web-1"), service("web", "web-2"), service("cart", "cart-1"));
    let line = |n: i64, of| (n, of, Value::from(format!("order {n} placed in {n} ms")));
    let mut lines: Vec<_> = (0..30).map(|n| line(100 - n, if n % 2 == 0 { &web } else { &again })).collect();
    lines.extend((0..5).map(|n| line(n, &cart)));
    lines.push((7, &cart, Value::Map(vec![("a".into(), Value::Int(1))])));
    let mut miner = Miner::new(Limits::default());
    let segment = written(merge(vec![batch(0, &lines)]).unwrap().unwrap(), Some(&mut miner));
    let templates = segment.templates().unwrap().unwrap();
    let found: Vec<_> = templates.list().iter().map(|known| (known.listed.count, known.first_ns)).collect();
    let of = |resource: &Arc<Resource>, found| (stream_key(resource), found);
    let mut expected = [of(&web, (30, 71)), of(&cart, (5, 0))];
    expected.sort();
    assert_eq!(found, expected.map(|(_, found)| found), "one for each service, whatever pod it ran on");
    let text = |known: &crate::Known| known.listed.template.to_string();
    assert!(templates.list().iter().all(|known| text(known).starts_with("order <num> placed in <")));
    assert_eq!(ids(&segment).len(), 30 + 5);
}

#[test]
fn merged_segments_keep_ids_and_counts_and_what_had_none_gets_one() {
    let web = service("web", "web-1");
    let lines = |from: i64, to: i64| {
        let line = |n: i64| match n % 3 {
            0 => (n, &web, Value::from(format!("connection from 10.0.0.{n} closed"))),
            1 => (n, &web, Value::from(format!("user u{n}x logged in"))),
            _ => (n, &web, Value::Int(n)),
        };
        (from..to).map(line).collect::<Vec<_>>()
    };
    let mut miner = Miner::new(Limits::default());
    let first = written(batch(0, &lines(0, 60)), Some(&mut miner));
    let second = written(batch(1, &lines(60, 120)), Some(&mut miner));
    let old = written(batch(2, &lines(120, 150)), None);
    assert!(old.templates().unwrap().is_none());
    let inputs = [&first, &second, &old].map(|segment| segment.rows_to_merge().unwrap());
    let mut other = Miner::new(Limits::default());
    let merged = written(merge(inputs.into()).unwrap().unwrap(), Some(&mut other));
    let now = ids(&merged);
    assert_eq!(now.len(), 100);
    for (body, id) in ids(&first).into_iter().chain(ids(&second)) {
        assert_eq!(now[&body], id, "{body}");
    }
    let expected = [("connection from <ip> closed".to_owned(), (50, 0)), ("user <num> logged in".to_owned(), (50, 1))];
    let found = listed(&merged);
    assert_eq!(found.values().copied().collect::<Vec<_>>(), expected.clone().map(|(_, found)| found), "{found:?}");
    // And once more, with nothing left to be found.
    let again = merge(vec![merged.rows_to_merge().unwrap()]).unwrap().unwrap();
    assert_eq!(ids(&written(again, Some(&mut Miner::new(Limits::default())))), now);
}

#[test]
fn a_miner_that_is_made_from_lists_goes_on_with_their_ids() {
    let web = service("web", "web-1");
    let of = |names: &[&str]| {
        let line = |(n, name): (usize, &&str)| (n as i64, &web, Value::from(format!("{name} joined the room")));
        names.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    let first =
        written(batch(0, &of(&["ann", "bob", "cleo", "dan", "eve", "finn"])), Some(&mut Miner::new(Limits::default())));
    let mut restored = Miner::new(Limits::default());
    first.templates().unwrap().unwrap().list().iter().for_each(|known| restored.restore(&known.listed));
    let second = written(batch(1, &of(&["gus"])), Some(&mut restored));
    assert_eq!(ids(&second)["gus joined the room"], ids(&first)["ann joined the room"]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..10_000, flip in 1u8..) {
        prop_assert!(Templates::decode(&bytes).is_none());
        let plain = zstd::bulk::compress(&bytes, 1).unwrap();
        let _ = Templates::decode(&plain);
        let web = service("web", "web-1");
        let segment = written(batch(0, &[(1, &web, Value::from("a b 1".to_owned()))]), Some(&mut Miner::new(Limits::default())));
        let templates = segment.templates().unwrap().unwrap();
        let encoded = templates.encode(1).unwrap();
        prop_assert_eq!(Templates::decode(&encoded), Some(templates));
        let mut plain = zstd::stream::decode_all(encoded.as_slice()).unwrap();
        let at = at % plain.len();
        plain[at] ^= flip;
        let _ = Templates::decode(&zstd::bulk::compress(&plain, 1).unwrap());
    }
}

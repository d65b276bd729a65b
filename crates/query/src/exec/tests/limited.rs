//! What a reader may not see makes no difference to any answer.
//!
//! Two stores hold the same records but for what is masked, or out of scope. Whatever is asked, both must say the same:
//! nothing else shows that nothing can be inferred.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use logkeep_access::Scope;

use super::sql::answer_as;
use super::*;
use crate::exec::{PatternSearch, With};
use crate::mask::{MARKER, Mask};

fn masked(fields: &[&str]) -> Arc<View> {
    Arc::new(View { scopes: Vec::new(), mask: Some(Arc::new(Mask::new(fields.iter().copied()).unwrap())) })
}

fn of_service(name: &str) -> Arc<View> {
    let scope = Scope { services: BTreeSet::from([name.to_owned()]), ..Scope::default() };
    Arc::new(View { scopes: vec![scope], mask: None })
}

/// The fields that are masked, in whatever form they come.
const MASKED: &[&str] = &["user.email", "user.id", "client.address", "k8s.pod.name", "cards.*"];

/// What nobody may learn, in one world.
struct Secrets {
    emails: [&'static str; 3],
    ids: [i64; 3],
    addresses: [&'static str; 2],
    pods: [&'static str; 2],
    card: &'static str,
}

const WORLDS: [Secrets; 2] = [
    Secrets {
        emails: ["alice@example.org", "Bob.Jones@mail.example", "zoë@example.net"],
        ids: [7, 48_213_991, -5],
        addresses: ["10.1.2.3", "fe80::1"],
        pods: ["cart-5d9f", "pay-77c1"],
        card: "4111 1111 1111 1111",
    },
    Secrets {
        emails: ["quinn@other.test", "someone.else@x.example", "ann@a.example"],
        ids: [912_345_678_901, 3, 55_555],
        addresses: ["192.168.77.200", "2001:db8::beef:7"],
        pods: ["web-0", "a-very-long-name-of-a-pod-6b7f9"],
        card: "5500-0000-0000-0004",
    },
];

/// A record with secrets in every place that a sender may put them.
fn record(dice: &mut Dice, number: i64, world: &Secrets) -> Record<'static> {
    let service = dice.pick(&["web", "cart"]).to_owned();
    let pod = dice.roll(2) as usize;
    let mut resource = vec![("service.name".into(), Value::from(service)), ("region".into(), Value::str("eu"))];
    if dice.roll(3) == 0 {
        resource.push(("k8s.pod.name".into(), Value::str(world.pods[pod])));
        resource.push(("log.file.path".into(), Value::from(format!("/var/log/pods/{}/0.log", world.pods[pod]))));
    }
    let (email, id) = (world.emails[dice.roll(3) as usize], world.ids[dice.roll(3) as usize]);
    let has_secret = dice.roll(4) > 0;
    let body = match dice.roll(6) {
        _ if !has_secret => Value::str(dice.pick(&["hello there", "GET /cart 503", ""])),
        0 => Value::from(format!("login of {email} refused")),
        1 => Value::from(format!("GET /u?mail={} HTTP/1.1", email.replace('@', "%40").to_uppercase())),
        2 => Value::from(format!(r#"{{"mail": "{}", "n": {id}}}"#, email.replace('@', r"\u0040"))),
        3 => Value::Map(vec![
            ("user".into(), Value::Map(vec![("email".into(), Value::str(email)), ("plan".into(), Value::str("free"))])),
            ("note".into(), Value::from(format!("mail to {email}"))),
        ]),
        4 => Value::Array(vec![Value::str("first"), Value::str(email)]),
        _ => Value::str("nothing of it"),
    };
    let mut record = Record::new(1_000 + number, body, Resource::from_attributes(resource));
    record.time_ns = Some(dice.roll(500) as i64);
    record.severity = Severity::from_number(dice.roll(25) as i64);
    record.trace_id = TraceId::new([dice.roll(3) as u8; 16]);
    record.attributes.push(("n".into(), Value::Int(dice.roll(5) as i64)));
    if !has_secret {
        return record;
    }
    record.original = (dice.roll(2) == 0).then(|| format!("raw {email} {id} line").into());
    record.attributes.push(("user.email".into(), Value::str(email)));
    match dice.roll(6) {
        0 => record.attributes.push(("user.id".into(), Value::Int(id))),
        1 => record.attributes.push(("user.id".into(), Value::from(format!("id-{id}-x")))),
        2 => record.attributes.push((
            "peer".into(),
            Value::Map(vec![(
                "client".into(),
                Value::Map(vec![("address".into(), Value::str(world.addresses[0])), ("port".into(), Value::Int(80))]),
            )]),
        )),
        3 => {
            record.attributes.push(("user.email".into(), Value::str(world.emails[0])));
            record.attributes.push(("copy".into(), Value::from(format!("<{email}>"))));
        }
        4 => record.attributes.push(("cards.first".into(), Value::str(world.card))),
        _ => record.attributes.push(("client.address".into(), Value::str(world.addresses[1]))),
    }
    record
}

/// Enough for two segments and live rows.
const RECORDS: i64 = 96;

async fn worlds() -> [Data; 2] {
    let records = |world: &Secrets| {
        let mut dice = Dice(3);
        (0..RECORDS).map(|number| record(&mut dice, number, world)).collect()
    };
    [stored(records(&WORLDS[0])).await, stored(records(&WORLDS[1])).await]
}

/// Everything that searching answers.
fn everything(view: &Arc<View>, data: &Data, query: &str) -> String {
    let mut told = String::new();
    let filter = match parse(query) {
        Ok(filter) => filter,
        Err(error) => return error.to_string(),
    };
    let snapshot = data.ingest.snapshot();
    let part = TimeRange::new(100, 300).unwrap();
    for range in [if query.len().is_multiple_of(4) { part } else { TimeRange::ALL }] {
        let scan = scan_as(view, &snapshot, &filter, range);
        for order in [Order::Ascending, Order::Descending] {
            writeln!(told, "{:?}", found(&scan, order, 50)).unwrap();
        }
        let page = scan.page(&Search { limit: 300, order: Order::Ascending, after: None }).unwrap();
        page.records.iter().for_each(|found| writeln!(told, "{:?}", found.record().unwrap()).unwrap());
        writeln!(told, "{:?}", scan.fields().unwrap()).unwrap();
        for field in ["user.email", "user.id", "client.address", "k8s.pod.name", "copy", "body", "original", "nothing"]
        {
            writeln!(told, "{field} {:?}", scan.values(field, 100).unwrap()).unwrap();
        }
        writeln!(told, "{:?}", scan.budget.stats()).unwrap();
    }
    let of_all = scan_as(view, &snapshot, &filter, TimeRange::ALL);
    let search = PatternSearch { range: TimeRange::new(200, 400).unwrap(), buckets: 5, examples: 200 };
    writeln!(told, "{:?}", of_all.patterns(&search, &patterns::segments(data)).unwrap()).unwrap();
    for with in [With::Before, With::Rest] {
        let differences = of_all.compare(&compare::asked(with, TimeRange::new(250, 500).unwrap())).unwrap();
        writeln!(told, "{differences:?}").unwrap();
        if let Some(mask) = &view.mask {
            let mut fields = differences.fields.iter();
            assert!(!fields.any(|field| mask.covers(&field.name)), "{differences:?}");
        }
    }
    let over_time = scan_as(view, &snapshot, &filter, TimeRange::new(0, 500).unwrap());
    writeln!(told, "{:?}", over_time.histogram(10).unwrap()).unwrap();
    for field in ["user.email", "user.id", "k8s.pod.name", "body"] {
        writeln!(told, "{:?}", over_time.split(field, 10, 20).unwrap()).unwrap();
    }
    told
}

/// Filters by what an attacker may guess, in every way there is to ask.
fn attempts() -> Vec<String> {
    let mut attempts: Vec<String> = [
        "",
        "user.email:*",
        "not user.email:*",
        "user.id>10",
        "user.id:[0 to 100]",
        "not user.id>0",
        "user.email>m",
        "user.email:/^a/",
        "user.email:a*",
        "user.email:/.{12}/",
        "client.address:10.*",
        "peer.client.address:*",
        "k8s.pod.name:/[0-9]/",
        "pod:cart*",
        "/[a-z]+@[a-z]+/",
        "body:/@|%40/",
        "original:/raw [a-z]/",
        "body:refused and not body:alice",
        "log.file.path:*cart*",
        "cards.first:4*",
        "copy:/[<]a/",
        "n:3 and user.id<0",
        "trace_id:01010101010101010101010101010101",
        "level:error",
    ]
    .map(str::to_owned)
    .into();
    for world in &WORLDS {
        let words = world.emails.iter().chain(&world.addresses).chain(&world.pods).chain([&world.card]);
        for word in words {
            attempts.push(format!("\"{word}\""));
            attempts.push(format!("not \"{word}\""));
            attempts.push(format!("user.email:\"{word}\" or client.address:\"{word}\" or body:\"{word}\""));
            attempts.push(format!("original:\"{word}\" or k8s.pod.name:\"{word}\""));
        }
        for id in world.ids {
            attempts.push(format!("user.id:{id} or \"{id}\""));
            attempts.push(format!("not (user.id>={id})"));
        }
    }
    attempts
}

const STATEMENTS: &[&str] = &[
    "select * from logs order by time, id",
    "select \"user.email\", count(*) from logs group by 1 order by 2 desc, 1",
    "select count(distinct \"user.email\"), min(\"user.email\"), max(\"user.email\") from logs",
    "select id from logs order by \"user.email\", \"user.id\", body, id limit 20",
    "select id from logs where \"user.email\" like 'a%' or \"user.email\" > 'm' order by id",
    "select id from logs where \"user.email\" = 'alice@example.org' or \"user.id\" = '7' order by id",
    "select length(\"user.email\"), length(body), length(original) from logs order by id",
    "select cast(\"user.email\" as bigint) from logs",
    "select cast(\"user.id\" as bigint) + 1 from logs where \"user.id\" is not null",
    "select 1 / (case when \"user.email\" = 'alice@example.org' then 0 else 1 end) from logs",
    "select regexp_replace(body, '.*([a-z]+@[a-z]+).*', '\\1') from logs order by id",
    "select id from logs where regexp_like(original, 'raw [a-m]') order by id",
    "select id from logs where match_phrase(body, 'alice') order by id",
    "select substr(\"client.address\", 1, 2), count(*) from logs group by 1 order by 1",
    "select \"k8s.pod.name\", \"log.file.path\", count(*) from logs group by 1, 2 order by 1, 2",
    "select md5(\"user.email\") from logs order by id",
    "select a.id from logs a join logs b on a.\"user.email\" = b.body order by a.id, b.id limit 10",
    "select id from logs where \"user.email\" in (select copy from logs) order by id",
    "select percentile_cont(0.5) within group (order by length(\"user.email\")) from logs",
    "select row_number() over (order by \"user.email\", id), id from logs order by id",
    "select \"cards.first\", copy, peer from logs order by id",
    "select approx_distinct(\"user.id\") from logs",
    "select column_name, data_type from information_schema.columns",
    "select template_id, template, count(*) from logs group by 1, 2 order by 3, 2",
    "select id, template from logs where template like '%refused%' or template is null order by id",
    "select *, length(template) from logs where time < '1970-01-01T00:00:00.0000003Z' order by template, id",
];

fn answered(answer: Result<Vec<arrow::array::RecordBatch>, QueryError>) -> String {
    match answer {
        Ok(batches) => arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_makes_no_difference() {
    let [one, other] = worlds().await;
    let view = masked(MASKED);
    let unlimited = Arc::<View>::default();
    let (mut differ, mut marked) = (0, 0);
    for attempt in attempts() {
        let told = everything(&view, &one, &attempt);
        assert_eq!(told, everything(&view, &other, &attempt), "{attempt}");
        marked += usize::from(told.contains(MARKER));
    }
    for statement in STATEMENTS {
        let told =
            async |view: &Arc<View>, data: &Data| answered(answer_as(view, &data.ingest.snapshot(), statement).await);
        assert_eq!(told(&view, &one).await, told(&view, &other).await, "{statement}");
        differ += usize::from(told(&unlimited, &one).await != told(&unlimited, &other).await);
    }
    assert!(differ > 10, "the worlds differ for those who see all: {differ}");
    assert!(marked > 20, "what is found is shown with the marker: {marked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_masked_is_in_any_answer() {
    let [one, _] = worlds().await;
    let view = masked(MASKED);
    let mut told = everything(&view, &one, "");
    for statement in STATEMENTS {
        told += &answered(answer_as(&view, &one.ingest.snapshot(), statement).await);
    }
    let world = &WORLDS[0];
    // What the statements themselves ask for is in their errors.
    for word in world.emails[1..].iter().chain(&world.addresses).chain(&world.pods).chain([&world.card]) {
        assert!(!told.contains(word), "{word}");
    }
    assert!(!told.contains("48213991"));
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_masked_records_agree_with_the_evaluator() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let mut dice = Dice(5);
    for fields in
        [&["a"][..], &["a.b", "b"], &["status", "x y"], &["k8s.pod.name"], &["body"], &["original"], &["service.name"]]
    {
        let view = masked(fields);
        let mask = view.mask.as_ref().unwrap();
        let seen: Vec<Record<'_>> = data
            .records
            .iter()
            .cloned()
            .map(|mut record| {
                mask.masker().apply(&mut record);
                record
            })
            .collect();
        for _ in 0..30 {
            let query = any_query(&mut dice, 3);
            let filter = parse(&query).unwrap();
            let mut expected: Vec<(i64, i64)> = seen
                .iter()
                .filter(|record| matches(&filter, record))
                .map(|record| (record.effective_time_ns(), record.received_ns - 1_000))
                .collect();
            expected.sort_unstable();
            let scan = scan_as(&view, &snapshot, &filter, TimeRange::ALL);
            assert_eq!(found(&scan, Order::Ascending, 70), expected, "{fields:?} {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_scope_makes_no_difference() {
    let records = |secrets: &'static Secrets| {
        let mut dice = Dice(9);
        let one = |number| {
            let mine = dice.roll(2) == 0;
            let world = if mine { &WORLDS[0] } else { secrets };
            let mut record = record(&mut dice, number, world);
            let name = Value::str(if mine { "cart" } else { "web" });
            // A record of another service may say of itself what it likes.
            record.attributes.push(("service.name".into(), Value::str("cart")));
            record.resource = Resource::from_attributes(vec![("service.name".into(), name)]);
            record
        };
        (0..RECORDS).map(one).collect()
    };
    let (one, other) = (stored(records(&WORLDS[0])).await, stored(records(&WORLDS[1])).await);
    let view = of_service("cart");
    let total = scan_as(&view, &one.ingest.snapshot(), &Expr::All, TimeRange::new(0, 500).unwrap());
    let total: u64 = total.histogram(1).unwrap().buckets.iter().map(crate::exec::Bucket::total).sum();
    let mine = |record: &&Record<'_>| record.resource.attribute("service.name") == Some(&Value::str("cart"));
    assert_eq!(total as usize, one.records.iter().filter(mine).count());
    for attempt in attempts() {
        assert_eq!(everything(&view, &one, &attempt), everything(&view, &other, &attempt), "{attempt}");
    }
    for statement in STATEMENTS {
        let told = async |data: &Data| match answer_as(&view, &data.ingest.snapshot(), statement).await {
            // It names a value of whichever row comes first: of what may be seen.
            Err(error) if error.to_string().contains("Cast error") => {
                let error = error.to_string();
                let own = WORLDS[0].emails.iter().chain(&["id-", "7", "48213991", "-5"]);
                assert!(own.into_iter().any(|value| error.contains(value)), "{error}");
                "a value cannot be cast".to_owned()
            }
            answer => answered(answer),
        };
        assert_eq!(told(&one).await, told(&other).await, "{statement}");
    }
}

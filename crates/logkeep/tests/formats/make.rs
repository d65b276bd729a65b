//! Makes the fixture of this release.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logkeep_ingest::{BatchBuilder, Ingest};
use logkeep_record::{Record, Resource, Scope, Severity, SpanId, TraceId, Value};

use super::fixture::{class, copy_folder, described, files, folder, open_at, tenant};

/// A clock's reading that tells nothing of the machine that made the fixture.
const TIME_NS: i64 = 1_790_000_000_000_000_000;
const MOST_BYTES: u64 = 300_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes into the source tree; run it once for each release whose formats differ"]
async fn make_a_fixture() {
    let target = folder().join(format!("v{}", env!("CARGO_PKG_VERSION")));
    assert!(!target.exists(), "`{}` is there already, and a fixture is never changed", target.display());
    let work = tempfile::tempdir().unwrap();
    let (data, key) = (work.path().join("data"), work.path().join("key"));
    for round in 0..2 {
        let ingest = open_at(&data, &key).await.unwrap();
        fill(&ingest, round).await;
        ingest.close();
    }
    let ingest = open_at(&data, &key).await.unwrap();
    fill(&ingest, 2).await;
    let told = described(&ingest);
    wait_for_checkpoints(&ingest, &data);
    // Copied in use: as a kill would leave it, with the last batches only in the log.
    fs::create_dir_all(&target).unwrap();
    copy_folder(&data, &target.join("data"));
    ingest.close();
    fs::remove_dir_all(target.join("data/objects/.tmp")).unwrap();
    // Shared memory of the processes that have the catalog open; SQLite makes it anew.
    let _ = fs::remove_file(target.join("data/catalog.sqlite-shm"));
    fs::copy(&key, target.join("key")).unwrap();
    fs::write(target.join("records.txt"), told).unwrap();
    let bytes: u64 = files(&target).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < MOST_BYTES, "{bytes} bytes are too many for a fixture");
}

async fn fill(ingest: &Ingest, round: usize) {
    store(ingest, "default", "default", plain(20 + round), Some(format!("key {round}").as_bytes())).await;
    store(ingest, "default", "default", every_kind(), None).await;
    store(ingest, "default", "audit", plain(2), None).await;
    store(ingest, "other", "default", plain(3), None).await;
}

/// Waits until what was stored is in a published tree.
fn wait_for_checkpoints(ingest: &Ingest, data: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let size = |class: &str| {
        let text = fs::read_to_string(data.join("tlog").join(class).join("checkpoint")).unwrap_or_default();
        text.lines().nth(1).and_then(|size| size.parse::<usize>().ok()).unwrap_or_default()
    };
    while size("default/default") < 6 || size("default/audit") < 3 || size("other/default") < 3 {
        assert!(Instant::now() < deadline, "no checkpoint, faults {:?}", ingest.faults());
        std::thread::yield_now();
    }
}

pub(crate) async fn store(
    ingest: &Ingest,
    tenant_name: &str,
    class_name: &str,
    records: Vec<Record<'static>>,
    key: Option<&[u8]>,
) {
    let mut batch = BatchBuilder::default();
    records.iter().for_each(|record| batch.push(record));
    let (batch, count) = (batch.finish().unwrap().unwrap(), records.len());
    let committed = ingest.commit(&tenant(tenant_name), &class(class_name), batch, key).await.unwrap();
    assert_eq!(committed.records, count);
}

/// Records as most are.
pub(crate) fn plain(count: usize) -> Vec<Record<'static>> {
    let web = Resource::from_attributes(vec![("service.name".into(), Value::Str("web".into()))]);
    let one = |n: usize| {
        let mut record = Record::new(TIME_NS + n as i64, Value::Str(format!("GET /pay/{n} 200").into()), web.clone());
        record.severity = Severity::from_number(9);
        record.attributes = vec![
            ("url.path".into(), Value::Str(format!("/pay/{n}").into())),
            ("http.response.status_code".into(), Value::Int(200 + n as i64)),
            ("duration_ms".into(), Value::Double(n as f64 / 8.0)),
        ];
        record.original = Some(format!(r#"{{"path":"/pay/{n}","status":{},"rest":"x{n}y"}}"#, 200 + n).into());
        record
    };
    (0..count).map(one).collect()
}

/// Every type of value in every place, and everything a record may have.
fn every_kind() -> Vec<Record<'static>> {
    let map = Value::Map(vec![("b".into(), Value::Int(1)), ("a".into(), Value::Null), ("b".into(), Value::Bool(true))]);
    let values = [
        Value::Null,
        Value::Bool(false),
        Value::Int(i64::MIN),
        Value::Double(f64::NAN),
        Value::Double(-0.0),
        Value::Str("naïve \u{0} text\n".into()),
        Value::Bytes(vec![0, 255, 7].into()),
        Value::Array(vec![map.clone(), Value::Array(vec![]), Value::Double(0.1)]),
        map,
    ];
    let resource = Resource::new(
        vec![("service.name".into(), Value::Str("pay".into())), ("zones".into(), values[7].clone())],
        3,
        "https://example.org/resource".into(),
        Scope {
            name: "scope".into(),
            version: "1.2".into(),
            attributes: vec![("x".into(), Value::Int(1)), ("x".into(), Value::Int(1))],
            dropped_attributes: 1,
            schema_url: "https://example.org/scope".into(),
        },
    );
    let of_value = |(n, value): (usize, &Value<'static>)| {
        let mut record = Record::new(TIME_NS + n as i64, value.clone(), Arc::clone(&resource));
        record.time_ns = (n % 3 == 0).then_some(TIME_NS - 60_000_000_000 + n as i64);
        record.observed_ns = (n % 2 == 0).then_some(TIME_NS - 1);
        record.severity_text = "Notice".into();
        record.attributes = vec![
            ("value".into(), value.clone()),
            ("value".into(), value.clone()),
            (format!("key {n}").into(), Value::Str("k".into())),
            (String::new().into(), Value::Int(n as i64)),
        ];
        record.dropped_attributes = n as u32;
        record.flags = 1;
        record.trace_id = TraceId::new([n as u8 + 1; 16]);
        record.span_id = SpanId::new([n as u8 + 1; 8]);
        record.event_name = "event".into();
        record
    };
    values.iter().enumerate().map(of_value).collect()
}

//! The trail, as a real one is written and read.

use std::time::Duration;

use logkeep_access::{Access, AccessError, Action, Identity, Rules, Totals};
use logkeep_ingest::Ingest;
use logkeep_record::{TenantId, Value};

use super::*;
use crate::exec::SqlOptions;
use crate::exec::tests::open;
use crate::kql::parse;
use crate::{QueryEngine, QueryOptions};

fn engine_of(ingest: &Ingest) -> QueryEngine {
    let sql = SqlOptions { memory_bytes: 1 << 24, rows: 100, threads: 1 };
    let options = QueryOptions { timeout: Duration::from_secs(60), sql, cache_bytes: 1 << 20 };
    QueryEngine::new(ingest.clone(), options).unwrap()
}

fn local() -> Identity {
    Identity::local([127, 0, 0, 1].into(), TenantId::default()).unwrap()
}

async fn ask(access: &Access, what: &str) -> Grant {
    let grant = access.authorize(&local(), Action::Query, &[("audit.query", what.to_owned())]).await.unwrap();
    grant.release().await.unwrap();
    grant
}

fn text(found: &Found, key: &str) -> String {
    let record = found.record().unwrap();
    let value = record.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    match value {
        Some(Value::Str(text)) => text.into_owned(),
        Some(Value::Int(number)) => number.to_string(),
        _ => "-".to_owned(),
    }
}

/// Each entry as what was asked, what was decided, what came of it, and rows; with whether there are more.
async fn page(engine: &QueryEngine, access: &Access, query: &str, limit: usize) -> (Vec<String>, bool) {
    let grant = access.authorize(&local(), Action::QueryAudit, &[]).await.unwrap();
    let search = Search { limit, order: Order::Descending, after: None };
    let filter = parse(query).unwrap();
    let page = engine.audit(&grant, &filter, TimeRange::ALL, search, &engine.budget()).await.unwrap();
    let entry = |entry: &AuditEntry| {
        let closed = |key| entry.closed.as_ref().map_or("-".to_owned(), |closed| text(closed, key));
        let said = [text(&entry.opened, "audit.query"), text(&entry.opened, "audit.decision")];
        [&said[..], &[closed("audit.outcome"), closed("audit.rows")]].concat().join(" ")
    };
    (page.entries.iter().map(entry).collect(), page.more)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_request_left_stands_together() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let (engine, access) = (engine_of(&ingest), Access::new(ingest.clone(), Rules::default()));
    let first = ask(&access, "one").await;
    let second = ask(&access, "two").await;
    // Out of order, and one that goes on.
    second.close(Totals { rows: 2, bytes: 20 });
    first.close(Totals { rows: 1, bytes: 10 });
    let lasting = ask(&access, "three").await;
    ask(&access, "four").await.fail();
    let nobody = Identity::anonymous([127, 0, 0, 1].into(), TenantId::default());
    let denied = access.authorize(&nobody, Action::Query, &[("audit.query", "five".to_owned())]).await;
    assert!(matches!(denied, Err(AccessError::Denied { .. })));
    access.flush().await;
    let all =
        ["five deny - -", "four allow failed 0", "three allow - -", "two allow answered 2", "one allow answered 1"];
    let expected = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let about = "audit.action:query";
    assert_eq!(page(&engine, &access, about, 100).await, (expected(&all), false));
    assert_eq!(page(&engine, &access, about, 2).await, (expected(&all[..2]), true), "a page has so many requests");
    let denied = page(&engine, &access, "audit.action:query and audit.decision:deny", 9).await;
    assert_eq!(denied, (expected(&all[..1]), false));
    // The same out of a segment, by its index.
    drop(lasting);
    access.flush().await;
    ingest.close();
    drop((engine, access, ingest));
    let ingest = open(folder.path()).await;
    let (engine, access) = (engine_of(&ingest), Access::new(ingest.clone(), Rules::default()));
    let mut all = all;
    all[2] = "three allow abandoned 0";
    assert_eq!(page(&engine, &access, about, 100).await, (expected(&all), false));
}

#[tokio::test]
async fn it_takes_the_leave_for_that() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let (engine, access) = (engine_of(&ingest), Access::new(ingest.clone(), Rules::default()));
    // A collector may write, and neither query nor read the trail.
    let who = Identity::certified(
        "CN=c",
        [logkeep_access::Role::Collector].into(),
        [127, 0, 0, 1].into(),
        TenantId::default(),
    );
    let grant = access.authorize(&who, Action::Write, &[]).await.unwrap();
    let search = Search { limit: 1, order: Order::Descending, after: None };
    let refused = engine.audit(&grant, &Expr::All, TimeRange::ALL, search, &engine.budget()).await;
    assert!(matches!(refused, Err(QueryError::Denied("audit"))));
}

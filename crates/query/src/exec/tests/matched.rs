//! What a filter matched is kept, block by block, and says the same as looking anew.

use logkeep_segment::Segment;

use super::*;
use crate::exec::chunk::{Place, Source, Wanted};
use crate::exec::filter::Filter;
use crate::exec::matched::Matched;

const ROWS: i64 = 20_000;

/// One segment of three blocks; the word is nowhere in the second.
async fn three_blocks(folder: &Path) -> Ingest {
    let ingest = open(folder).await;
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
    let mut builder = BatchBuilder::default();
    for number in 0..ROWS {
        let has_word = number % 7 == 0 && !(8_192..16_384).contains(&number);
        let body = Value::str(if has_word { "upstream timeout" } else { "upstream answered" });
        let mut record = Record::new(1_000 + number, body, resource.clone());
        record.time_ns = Some(number);
        builder.push(&record);
    }
    let batch = builder.finish().unwrap().unwrap();
    ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
    ingest.close();
    open(folder).await
}

fn scan_anew(ingest: &Ingest, cache: &Arc<BlockCache>, query: &str, range: TimeRange) -> Scan {
    let filter = parse(query).unwrap();
    Scan { cache: cache.clone(), ..scan(&ingest.snapshot(), &filter, range) }
}

fn fresh() -> Arc<BlockCache> {
    Arc::new(BlockCache::new(1 << 20))
}

fn segment_of(source: &Source) -> Arc<Segment> {
    match &source.place {
        Place::Segment(handle) => handle.segment().unwrap(),
        Place::Live(_) => panic!("rows are in a segment"),
    }
}

fn matched(scan: &Scan, blocks: &[usize]) -> Option<Arc<Matched>> {
    let source = &scan.sources[0];
    let mut columns = Wanted::new();
    let filter = Filter::prepare(scan.filter.as_ref().unwrap(), source, &mut columns).unwrap();
    scan.matched((source, &segment_of(source)), (&filter, &columns), blocks).unwrap()
}

fn count(matched: &Matched, block: usize) -> Option<usize> {
    matched.rows(block).map(arrow::buffer::BooleanBuffer::count_set_bits)
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_looked_at_once_and_as_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = three_blocks(folder.path()).await;
    let cache = fresh();
    let scan = || scan_anew(&ingest, &cache, "body:/time.*/", TimeRange::ALL);
    let first = matched(&scan(), &[0]).unwrap();
    assert_eq!((count(&first, 0), count(&first, 2)), (Some(8_192_usize.div_ceil(7)), None));
    let all = matched(&scan(), &[0, 1, 2]).unwrap();
    let in_third = (16_384..ROWS).filter(|number| number % 7 == 0).count();
    assert_eq!((count(&all, 0), count(&all, 1), count(&all, 2)), (count(&first, 0), None, Some(in_third)));
    assert!(all.is_in(0) && !all.is_in(1) && all.is_in(2));
    let (again, asked) = (scan(), scan());
    assert!(Arc::ptr_eq(&matched(&again, &[0, 1, 2]).unwrap(), &all), "nobody looks twice");
    assert!(Arc::ptr_eq(&matched(&asked, &[2]).unwrap(), &all));
    let stats = |scan: &Scan| scan.budget.stats().map(|stats| (stats.scanned_rows, stats.scanned_bytes)).unwrap();
    assert_eq!((stats(&again), stats(&asked)), ((ROWS as u64, 0), (ROWS as u64 - 16_384, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_of_one_filter_and_for_whoever_sees_all() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = three_blocks(folder.path()).await;
    let cache = fresh();
    let all = matched(&scan_anew(&ingest, &cache, "timeout", TimeRange::ALL), &[0]).unwrap();
    let other = matched(&scan_anew(&ingest, &cache, "answered", TimeRange::ALL), &[0]).unwrap();
    assert_eq!(count(&all, 0).unwrap() + count(&other, 0).unwrap(), 8_192);
    let little = TimeRange::new(0, ROWS / 5).unwrap();
    assert!(matched(&scan_anew(&ingest, &cache, "timeout", little), &[0]).is_none(), "that is looked at alone");
    let mask = Some(Arc::new(crate::mask::Mask::new(["user.email"]).unwrap()));
    let limited = Scan {
        view: Arc::new(View { scopes: Vec::new(), mask }),
        ..scan_anew(&ingest, &cache, "timeout", TimeRange::ALL)
    };
    assert!(matched(&limited, &[0]).is_none(), "others' questions make no difference");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_from_a_cold_and_a_warm_cache() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = three_blocks(folder.path()).await;
    let warm = fresh();
    let ranges = [(0, ROWS), (1, ROWS - 1), (7, 14_001), (8_191, 16_385), (9_000, 16_000), (0, 3_000)];
    for (start, end) in ranges {
        let range = TimeRange::new(start, end).unwrap();
        for query in ["timeout", "not timeout", "answered or timeout", "service:web and body:/time/", "body:/nowhere/"]
        {
            for order in [Order::Ascending, Order::Descending] {
                let [cold, kept] = [fresh(), warm.clone()].map(|cache| scan_anew(&ingest, &cache, query, range));
                let first = Search { limit: 50, order, after: None };
                let records = |scan: &Scan| {
                    let page = scan.page(&first).unwrap();
                    let times = page.records.iter().map(|found| found.record().unwrap().effective_time_ns());
                    (times.collect::<Vec<_>>(), page.more)
                };
                let expected: Vec<i64> = (start..end)
                    .filter(|number| match query {
                        "timeout" | "service:web and body:/time/" => {
                            number % 7 == 0 && !(8_192..16_384).contains(number)
                        }
                        "not timeout" => number % 7 != 0 || (8_192..16_384).contains(number),
                        "answered or timeout" => true,
                        _ => false,
                    })
                    .collect();
                let mut ordered = expected.clone();
                if order == Order::Descending {
                    ordered.reverse();
                }
                ordered.truncate(50);
                let of_cold = records(&cold);
                assert_eq!(of_cold, (ordered, expected.len() > 50), "{query} in {range:?}");
                assert_eq!(records(&kept), of_cold, "{query} in {range:?}");
                let total = |scan: &Scan| -> u64 {
                    scan.histogram(10).unwrap().buckets.iter().map(crate::exec::Bucket::total).sum()
                };
                assert_eq!((total(&cold), total(&kept)), (expected.len() as u64, expected.len() as u64), "{query}");
            }
        }
    }
}

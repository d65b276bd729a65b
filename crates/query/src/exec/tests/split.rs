//! Groups add up to the histogram, and have the records that have their values.

use super::*;
use crate::exec::{Group, Split};

fn over_time(data: &Data, query: &str, field: &str, most: usize) -> (Split, Scan) {
    let filter = parse(query).unwrap();
    let scan = scan(&data.ingest.snapshot(), &filter, TimeRange::new(0, 5_000).unwrap());
    (scan.split(field, 10, most).unwrap(), scan)
}

fn adds_up(split: &Split) {
    for (at, bucket) in split.histogram.buckets.iter().enumerate() {
        let groups: u64 = split.groups.iter().map(|group| group.counts[at]).sum();
        assert_eq!(groups + split.other[at] + split.missing[at], bucket.total());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_the_values_of_the_field() {
    let data = data().await;
    for query in ["", "level:error", "red", "a:*", "nothing:here"] {
        for field in ["service.name", "severity", "a", "a.b", "http.response.status_code", "b", "body", "nothing"] {
            let (split, scan) = over_time(&data, query, field, 1_000);
            adds_up(&split);
            assert_eq!(split.histogram, scan.histogram(10).unwrap());
            let values = scan.values(field, 1_000).unwrap();
            let groups: Vec<(&str, u64)> = split.groups.iter().map(|group| (&*group.value, group.total())).collect();
            let expected = values.iter().flat_map(|of| of.values.iter().map(|one| (&*one.value, one.count)));
            assert_eq!(groups, expected.collect::<Vec<_>>(), "{query} by {field}");
            let missing =
                values.map_or(split.histogram.buckets.iter().map(crate::exec::Bucket::total).sum(), |of| of.missing);
            assert_eq!((split.missing.iter().sum::<u64>(), split.many), (missing, false));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_where_its_records_are() {
    let data = data().await;
    let (split, _) = over_time(&data, "", "service.name", 2);
    adds_up(&split);
    assert_eq!(split.groups.len(), 2, "the third is among the others");
    assert!(split.other.iter().sum::<u64>() > 0 && split.groups[0].total() >= split.groups[1].total());
    let in_range = |record: &&Record<'_>| (0..5_000).contains(&record.effective_time_ns());
    for Group { value, counts } in &split.groups {
        let mut expected = vec![0u64; counts.len()];
        let of_value = data
            .records
            .iter()
            .filter(in_range)
            .filter(|record| record.resource.attribute("service.name").and_then(Value::as_str) == Some(value));
        of_value.for_each(|record| expected[split.histogram.bucket_of(record.effective_time_ns()).unwrap()] += 1);
        assert_eq!(*counts, expected, "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_values_are_counted_together_and_that_is_said() {
    let resource = Resource::from_attributes(vec![]);
    let record = |number: i64| {
        let mut record = Record::new(1_000 + number, Value::str("x"), resource.clone());
        record.time_ns = Some(number);
        record.attributes.push(("request".into(), Value::from(format!("id-{}", number.max(3)))));
        record
    };
    let data = stored((0..2_100).map(record).collect()).await;
    let (split, _) = over_time(&data, "", "request", 5);
    adds_up(&split);
    assert!(split.many);
    assert_eq!((split.groups.len(), &*split.groups[0].value, split.groups[0].total()), (5, "id-3", 4));
}

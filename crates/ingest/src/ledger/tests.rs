use std::net::IpAddr;

use super::*;

fn source(peer: &str) -> Arc<Source> {
    Arc::new(Source::new("syslog").at(peer.parse::<IpAddr>().unwrap()))
}

fn stored(count: u64) -> Counts {
    Counts { received: count, stored: count, bytes: 10 * count, newest_ns: Some(count as i64), ..Counts::default() }
}

fn rejected(count: u64, reason: &str) -> Counts {
    Counts { received: count, rejected: [(reason.to_owned(), count)].into(), ..Counts::default() }
}

#[test]
fn lines_come_back_from_bytes_and_pages() {
    let mut ledger = Ledger::default();
    ledger.add(7, &source("10.0.0.1"), &stored(3));
    ledger.add(7, &source("10.0.0.1"), &rejected(2, "malformed"));
    ledger.add(-1, &Arc::new(Source::new("otlp").called(" agent\n/1 ")), &stored(1));
    let mut again = Ledger::default();
    again.merge(&Ledger::decode(&ledger.encode().unwrap()).unwrap());
    assert_eq!(again, ledger);
    assert_eq!(Ledger::from_page(&ledger.to_page().unwrap()).unwrap().lines, ledger.lines);
    let lines: Vec<_> = ledger.lines().collect();
    assert_eq!(lines[0].1.sender.as_deref(), Some("agent/1"));
    assert_eq!((lines[1].2.received, lines[1].2.rejected(), lines[1].2.is_balanced()), (5, 2, true));
}

#[test]
fn what_is_counted_elsewhere_is_taken_away_and_nothing_else() {
    let mut ledger = Ledger::default();
    ledger.add(7, &source("10.0.0.1"), &stored(3));
    let flushed = ledger.clone();
    ledger.add(7, &source("10.0.0.1"), &rejected(1, "malformed"));
    ledger.add(8, &source("10.0.0.1"), &stored(4));
    ledger.subtract(&flushed);
    let left: Vec<_> = ledger.lines().map(|(minute, _, counts)| (minute, counts.stored, counts.rejected())).collect();
    assert_eq!(left, [(7, 0, 1), (8, 4, 0)]);
}

#[test]
fn sources_that_find_no_room_are_counted_together() {
    let mut ledger = Ledger::bounded(2);
    for n in 1..=9u8 {
        ledger.add(7, &source(&format!("10.0.0.{n}")), &stored(1));
    }
    let lines: Vec<_> = ledger.lines().map(|(_, source, counts)| (source.others, counts.stored)).collect();
    assert_eq!(lines.iter().filter(|(others, _)| !others).count(), 2);
    assert!(lines.contains(&(true, 7)), "{lines:?}");
    assert_eq!(ledger.stored(), 9);
    let flushed = ledger.clone();
    ledger.subtract(&flushed);
    assert!(ledger.is_empty(), "{ledger:?}");
}

#[test]
fn an_hour_is_the_sum_of_its_minutes() {
    let mut ledger = Ledger::default();
    (0..120).for_each(|minute| ledger.add(minute, &source("10.0.0.1"), &stored(1)));
    let hours: Vec<_> = ledger.coarser(60, 10).lines().map(|(minute, _, counts)| (minute, counts.stored)).collect();
    assert_eq!(hours, [(0, 60), (60, 60)]);
}

#[test]
fn a_line_that_does_not_add_up_is_told() {
    assert!(stored(3).is_balanced());
    assert!(!Counts { received: 4, ..stored(3) }.is_balanced());
    assert!(Counts { refused: [("busy".to_owned(), 3)].into(), ..stored(3) }.is_balanced(), "nobody knows of how many");
}

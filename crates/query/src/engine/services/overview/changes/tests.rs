use logkeep_pattern::Template;

use super::*;

/// The same in each slot of the time before, and in each of the range.
fn steady(before: u64, now: u64) -> Counts {
    std::array::from_fn(|slot| if slot < SLOTS { before } else { now })
}

fn series(counts: Counts, errors: Counts) -> Series {
    Series { counts, errors, activity: counts, duration_ms: [[None; 2]; 2] }
}

fn shown(change: &Change) -> String {
    let name = change.service.as_deref().unwrap_or("everything");
    let share = |share: &Share| format!("{}/{}", share.errors, share.of);
    match &change.what {
        What::Errors { before, now } => format!("{name} errors {} → {}", share(before), share(now)),
        What::Latency { percentile, before_ms, now_ms } => format!("{name} p{percentile} {before_ms} → {now_ms} ms"),
        What::Silent { slots, expected } => format!("{name} silent for {slots}, expected {expected:.0}"),
        What::New { first, count } => format!("{name} new at {first}, {count}"),
        What::Pattern { template, count, .. } => format!("{name} says {template}, {}", share(count)),
        What::Volume { before, now } => format!("{name} volume {before:.1} → {now:.1}"),
    }
}

/// Beside a service that always speaks, so that there are no gaps.
fn check(one: Series, expected: &[&str]) {
    let other = series(steady(100, 100), steady(0, 0));
    check_all(&[("one", one), ("other", other)], expected);
}

fn check_all(services: &[(&str, Series)], expected: &[&str]) {
    let everything = std::array::from_fn(|slot| services.iter().map(|(_, one)| one.activity[slot]).sum());
    let found = changes(services.iter().map(|(name, one)| (*name, one)), &everything, (&[], 0));
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn what_goes_on_is_no_change() {
    check(series(steady(10, 10), steady(1, 1)), &[]);
    check(series(steady(10, 15), steady(0, 0)), &[]);
    check(series(steady(0, 0), steady(0, 0)), &[]);
}

#[test]
fn shares_of_errors_jump() {
    check(series(steady(10, 10), steady(0, 1)), &["one errors 0/300 → 30/300"]);
    check(series(steady(10, 10), steady(1, 4)), &["one errors 30/300 → 120/300"]);
    // Half as much again, however sure.
    check(series(steady(1000, 1000), steady(100, 150)), &[]);
    // Twice as much, of less than a hundredth.
    check(series(steady(1000, 1000), steady(2, 8)), &[]);
    // Better than before.
    check(series(steady(10, 10), steady(4, 0)), &[]);
}

#[test]
fn few_are_no_share() {
    let at = |slot: usize, count: u64| -> Counts { std::array::from_fn(|at| if at == slot { count } else { 0 }) };
    let both = |before: u64, now: u64| -> Counts { std::array::from_fn(|at| at_either(at, before, now)) };
    // Four failed of nineteen.
    check(series(both(100, 19), at(40, 4)), &["one volume 3.3 → 0.6"]);
    // Of so few before nothing is known: their share may have been the same.
    check(series(both(3, 40), at(40, 6)), &[]);
    check(series(both(1000, 40), at(40, 6)), &["one volume 33.3 → 1.3", "one errors 0/1000 → 6/40"]);
}

fn at_either(slot: usize, before: u64, now: u64) -> u64 {
    match slot {
        3 => before,
        40 => now,
        _ => 0,
    }
}

#[test]
fn volumes_jump_and_fall() {
    check(series(steady(10, 20), steady(0, 0)), &["one volume 10.0 → 20.0"]);
    check(series(steady(20, 10), steady(0, 0)), &["one volume 20.0 → 10.0"]);
    // 30 and 60: not sure enough.
    check(series(steady(1, 2), steady(0, 0)), &[]);
    let burst: Counts = std::array::from_fn(|slot| if slot == 45 { 48 } else { 0 });
    let (mut rare, mut often) = (burst, burst);
    rare[0] = 1;
    check(series(rare, steady(0, 0)), &[]);
    often[45] = 400;
    often[0] = 1;
    check(series(often, steady(0, 0)), &["one volume 0.0 → 13.3"]);
}

#[test]
fn durations_shift() {
    let check = |counts: Counts, before: [f64; 2], now: [f64; 2], expected: &[&str]| {
        let duration_ms = [before.map(Some), now.map(Some)];
        check(Series { duration_ms, ..series(counts, steady(0, 0)) }, expected);
    };
    check(steady(10, 10), [20.0, 100.0], [25.0, 200.0], &["one p95 100 → 200 ms"]);
    check(steady(10, 10), [20.0, 200.0], [20.0, 100.0], &["one p95 200 → 100 ms"]);
    check(steady(10, 10), [20.0, 100.0], [39.0, 199.0], &[]);
    // Twice as much of next to nothing.
    check(steady(10, 10), [1.0, 4.0], [3.0, 13.0], &[]);
    // The 95th of 60 is that of three; half of them are enough to tell a median.
    check(steady(2, 2), [20.0, 100.0], [25.0, 900.0], &[]);
    check(steady(2, 2), [20.0, 100.0], [50.0, 900.0], &["one p50 20 → 50 ms"]);
    check(steady(1, 1), [20.0, 100.0], [500.0, 900.0], &[]);
    self::check(series(steady(10, 10), steady(0, 0)), &[]);
}

#[test]
fn silence_is_what_was_steady_and_stopped() {
    let until =
        |last: usize, count: u64| -> Counts { std::array::from_fn(|slot| if slot <= last { count } else { 0 }) };
    check(series(until(54, 3), steady(0, 0)), &["one silent for 5, expected 15"]);
    // One slot may only be late, and of two in which six should have come nothing is said yet.
    check(series(until(58, 100), steady(0, 0)), &[]);
    check(series(until(57, 3), steady(0, 0)), &[]);
    check(series(until(57, 5), steady(0, 0)), &["one silent for 2, expected 10"]);
    // It stopped before the range: silent still.
    check(series(until(20, 5), steady(0, 0)), &["one silent for 39, expected 195"]);
    // What pauses for as long now and then is not silent.
    let every_eighth: Counts = std::array::from_fn(|slot| if slot % 8 == 0 { 40 } else { 0 });
    check(series(every_eighth, steady(0, 0)), &[]);
    // Too short to be called steady.
    check(
        series(std::array::from_fn(|slot| if (40..44).contains(&slot) { 90 } else { 0 }), steady(0, 0)),
        &["one new at 40, 360"],
    );
}

#[test]
fn all_that_stops_is_one_change() {
    let until: Counts = std::array::from_fn(|slot| if slot < 50 { 10 } else { 0 });
    let one = series(until, steady(0, 0));
    check_all(&[("a", one.clone()), ("b", one)], &["everything silent for 10, expected 200"]);
}

#[test]
fn the_new_is_new_only_where_there_was_a_before() {
    check(series(steady(0, 1), steady(0, 1)), &["one new at 30, 30"]);
    let some = |from: usize, count: u64| -> Counts { std::array::from_fn(|slot| if slot == from { count } else { 0 }) };
    check(series(some(50, 10), steady(0, 0)), &["one new at 50, 10"]);
    check(series(some(50, 9), steady(0, 0)), &[]);
    // The first record of all came with the range, or shortly before: everything would be new.
    check_all(&[("a", series(steady(0, 10), steady(0, 5)))], &[]);
    let since = |from: usize| -> Counts { std::array::from_fn(|slot| if slot >= from { 10 } else { 0 }) };
    check_all(&[("a", series(since(16), steady(0, 0))), ("b", series(since(40), steady(0, 0)))], &[]);
    check_all(&[("a", series(since(15), steady(0, 0))), ("b", series(since(40), steady(0, 0)))], &["b new at 40, 200"]);
}

#[test]
fn a_gap_is_no_time() {
    // The server was down for half of the range: as much came in the rest as before.
    let gap: Counts = std::array::from_fn(|slot| if (35..50).contains(&slot) { 0 } else { 10 });
    check_all(&[("a", series(gap, steady(0, 0))), ("b", series(gap, steady(0, 0)))], &[]);
    // Data begins in the middle of the time before: rates are of what there is.
    let late = |now: u64| -> Counts {
        std::array::from_fn(|slot| {
            if slot < 12 {
                0
            } else if slot < SLOTS {
                10
            } else {
                now
            }
        })
    };
    check_all(&[("a", series(late(10), steady(0, 0)))], &[]);
    check_all(&[("a", series(late(30), steady(0, 0)))], &["a volume 10.0 → 30.0"]);
    assert_eq!(Covered::by(&late(1)).compared(), Some(Compared { before: 18, now: 30 }));
    assert_eq!(Covered::by(&steady(1, 0)).compared(), None);
}

#[test]
fn what_hurts_most_comes_first() {
    let stopped: Counts = std::array::from_fn(|slot| if slot < 50 { 10 } else { 0 });
    let slow = Series {
        duration_ms: [[Some(10.0), Some(50.0)], [Some(80.0), Some(400.0)]],
        ..series(steady(10, 10), steady(0, 0))
    };
    check_all(
        &[
            ("new", series(steady(0, 2), steady(0, 0))),
            ("more", series(steady(10, 25), steady(0, 0))),
            ("slow", slow),
            ("gone", series(stopped, steady(0, 0))),
            ("failing", series(steady(10, 10), steady(0, 5))),
        ],
        &[
            "failing errors 0/300 → 150/300",
            "gone silent for 10, expected 100",
            "slow p95 50 → 400 ms",
            "more volume 10.0 → 25.0",
            "new new at 30, 60",
        ],
    );
}

/// A template of the service `one`, first seen then.
fn template(text: &str, counts: (u64, u64), errors: u64, first_seen_ns: Option<i64>) -> Pattern {
    let mut severity = [0; 25];
    (severity[9], severity[17]) = (counts.1 - errors, errors);
    Pattern {
        id: None,
        template: Template::parse(text).unwrap(),
        count: counts.1,
        before: counts.0,
        severity,
        services: vec![("one".to_owned(), counts.1)],
        times_ns: (5, 9),
        first_seen_ns,
        series: Vec::new(),
        example: None,
    }
}

#[test]
fn new_messages_are_told_those_of_errors_first() {
    let patterns = [
        template("it <num> goes on", (40, 60), 0, Some(1)),
        template("it failed", (0, 30), 30, Some(5)),
        template("it was there long ago", (0, 90), 0, Some(-900)),
        template("nobody knows since when", (0, 60), 0, None),
        template("by chance", (0, 9), 0, Some(5)),
    ];
    let of = |activity| vec![("one", series(activity, steady(0, 0))), ("two", series(steady(9, 9), steady(0, 0)))];
    let told = |services: Vec<(&'static str, Series)>| {
        let everything = std::array::from_fn(|slot| services.iter().map(|(_, one)| one.activity[slot]).sum());
        let found = changes(services.iter().map(|(name, one)| (*name, one)), &everything, (&patterns, 0));
        found.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(told(of(steady(9, 9))), ["one says it failed, 30/30", "one says nobody knows since when, 0/60"]);
    assert_eq!(told(of(steady(0, 9))), ["one new at 30, 270"], "of a new service all is new");
}

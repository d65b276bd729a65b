//! What a statement may not be, take or make.

use datafusion::execution::SessionStateDefaults;

use super::super::allowed::{GROWING, PLAIN};
use super::super::{QueryError, STACK_BYTES};
use super::sql::{answer_within, lines, run_sql};
use super::*;

/// With the stack that they have.
fn on_threads_of_the_server(test: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let runtime = runtime.unwrap();
    runtime.block_on(runtime.spawn(test)).unwrap();
}

/// As deep as may be, in every way in which a statement can be deep.
#[test]
fn the_deepest_statements_are_planned_or_refused() {
    let chain = |link: &str, words: usize, first: &str| [first.to_owned(), link.repeat(1_990 / words)].concat();
    let operators = |link: &str, first: &str| [first.to_owned(), link.repeat(290)].concat();
    let nested = |open: &str, within: &str, close: &str| [&open.repeat(12), within, &close.repeat(12)].concat();
    let tables = |count: usize| (0..count).map(|n| format!("logs l{n}")).collect::<Vec<_>>().join(", ");
    let common = |count: usize, of: &str| {
        let each = (1..count).map(|n| format!(", t{n} as (select {of} from t{})", n - 1)).collect::<String>();
        format!("with t0 as (select severity_number as a from logs){each} select count(a) from t{}", count - 1)
    };
    let statements = [
        chain("+1", 1, "select 1"),
        operators("+1", "select 1"),
        operators("+severity_number", "select count(*) from logs where 1 < severity_number"),
        operators(" or body = 'x'", "select count(*) from logs where body = 'y'"),
        operators(" and body <> 'x'", "select count(*) from logs where body <> 'y'"),
        operators("::int", "select 1"),
        operators(" is null", "select count(*) from logs where body is null"),
        operators("||body", "select max(character_length(body)) from logs where body || body"),
        chain("[]", 2, "select null::int"),
        chain(" union all select 1", 3, "select 1"),
        chain(" cross join logs", 3, "select 1 from logs"),
        chain("->'a'", 1, "select body"),
        chain(" at time zone 'UTC'", 3, "select time"),
        chain(" when body = 'a' then 1", 5, "select case") + " end from logs",
        chain("not ", 1, "select ") + "true",
        chain("- ", 1, "select ") + "1",
        chain("explain ", 1, "") + "select 1",
        chain("interval ", 1, "select ") + "'1'",
        chain("case when true then ", 4, "select "),
        chain("array<", 2, "select cast(null as "),
        format!("select cast(null as {}int{})", "array<".repeat(300), ">".repeat(300)),
        format!("select {}", nested("cast(", "1", " as int)")),
        format!("select {}", nested("(select ", "1", ")")),
        format!("select {}", nested("coalesce(", "1", ")")),
        format!("select {}", nested("count(*) filter (where ", "true", ")").replace("(*)", "(1)")),
        format!("select 1 where {}", nested("not exists (select 1 where ", "true", ")")),
        nested("with a as (", "select 1", ") select 1"),
        format!("select count(*) from {}", tables(300)),
        common(200, "a"),
        common(200, "a + a as a"),
        common(200, "a + a as a from t0 where a + a > 1 union all select a"),
        common(30, "a") + " where a + a > 1",
        format!(
            "select 1 from logs order by {}",
            (0..60).map(|n| format!("flags + {n}")).collect::<Vec<_>>().join(", ")
        ),
    ];
    on_threads_of_the_server(async move {
        let data = data().await;
        let snapshot = data.ingest.snapshot();
        for text in statements {
            let answer = run_sql(&snapshot, &text).await;
            let shown = &text[..text.len().min(80)];
            assert!(
                matches!(answer, Ok(_) | Err(QueryError::Sql { .. } | QueryError::Internal(_))),
                "{shown}: {answer:?}"
            );
        }
    });
}

#[test]
fn what_is_too_large_is_refused_with_the_reason() {
    on_threads_of_the_server(async { refuse_what_is_too_large().await });
}

async fn refuse_what_is_too_large() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let doubled = |count: usize| {
        let each = |n: usize| format!(", t{n} as (select a from t{} union all select a from t{})", n - 1, n - 1);
        let each = (1..count).map(each).collect::<String>();
        format!("with t0 as (select flags as a from logs){each} select a from t{}", count - 1)
    };
    let hidden = "with t0 as (select 1 as a union all select 1), t1 as (select x.a from t0 x, t0 y), \
                  t2 as (with t1 as (select 1 as a) select a from t1), t3 as (select x.a from t1 x, t1 y, t2), \
                  t4 as (select x.a from t3 x, t3 y, t1), t5 as (select x.a from t4 x, t4 y, t4 z) select a from t5";
    let computed = |count: usize| {
        let each = |n: usize| format!(", t{n} as (select a + a as a from t{} where a + a > 1)", n - 1);
        let each = (1..count).map(each).collect::<String>();
        format!("with t0 as (select flags as a from logs){each} select a from t{}", count - 1)
    };
    let sorted = |count: usize| (0..count).map(|n| format!("flags + {n}")).collect::<Vec<_>>().join(", ");
    let nested = |count: usize| format!("select {}1{}", "(".repeat(count), ")".repeat(count));
    let refused = [
        (nested(13), "more than 12 brackets"),
        (format!("select {}1{}", "case when true then ".repeat(13), " end".repeat(13)), "more than 12 brackets"),
        (format!("select 1{}", "+1".repeat(2_000)), "more than 2000 words"),
        (format!("select 1{}", "+1".repeat(300)), "more than 300 operators"),
        (format!("select '{}'", "x".repeat(9_000)), "literal of more than 8192 bytes"),
        (doubled(20), "more than 32 tables"),
        (hidden.into(), "more than 32 tables"),
        (format!("select 1{}", " union select 1".repeat(400)), "more than 500 steps"),
        (computed(20), "more than 10000 parts"),
        (format!("select 1 from logs order by {}", sorted(65)), "more than 64 columns"),
        ("select struct(1, 2)".into(), "not available"),
        ("select {'a': 1}".into(), "not available"),
        ("select map {1: 2}".into(), "not available"),
    ];
    for (text, reason) in refused {
        let error = run_sql(&snapshot, &text).await.unwrap_err();
        let QueryError::Sql { message, .. } = &error else { panic!("{reason}: {error}") };
        assert!(message.contains(reason), "{message}");
    }
    for text in [nested(12), doubled(4), computed(8), format!("select 1 from logs order by {}", sorted(64))] {
        run_sql(&snapshot, &text).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_grow_too_long_are_refused() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let doubled = |what: &str, count: usize| {
        let each = (1..count).map(|n| format!(", t{n} as (select {what} as a from t{})", n - 1)).collect::<String>();
        format!("with t0 as (select repeat(body, 10000) as a from logs){each} select a from t{}", count - 1)
    };
    let too_long = [
        "select repeat(body, 100000000) from logs".to_owned(),
        "select repeat('x', 100000000)".into(),
        "select lpad(body, 2000000000) from logs".into(),
        "select rpad('x', 2000000000, 'y')".into(),
        "select replace(repeat('a', 1000000), 'a', repeat('b', 1000000))".into(),
        "select regexp_replace(repeat('a', 1000000), '(.*)', repeat('$1', 1000), 'g')".into(),
        "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))".into(),
        "select count(*) from logs where character_length(repeat(body, 100000000)) > 1".into(),
        doubled("a || a", 9),
        doubled("concat(a, 'x', a)", 9),
        doubled("[a, a]", 9),
    ];
    for text in too_long {
        let error = run_sql(&snapshot, &text).await.unwrap_err();
        assert!(matches!(error, QueryError::OverMemory), "{text}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_may_grow_are_what_they_were() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let all = async |text: &str| run_sql(&snapshot, text).await.unwrap().iter().flat_map(lines).collect::<Vec<_>>();
    for (text, expected) in [
        ("select 'a' || 'b' || 1", "ab1"),
        ("select 'a' || null", ""),
        ("select concat('a', null, 'b')", "ab"),
        ("select concat_ws('-', 'a', 'b')", "a-b"),
        ("select repeat('ab', 3)", "ababab"),
        ("select lpad('7', 3, '0') || rpad('7', 3, '0')", "007700"),
        ("select replace('aXbX', 'X', 'yy')", "ayybyy"),
        ("select regexp_replace('a1b22', '[0-9]+', '#', 'g')", "a#b#"),
        ("select overlay('abcdef' placing 'XX' from 2 for 3)", "aXXef"),
        ("select to_char(timestamp '2026-01-02T03:04:05', '%Y/%m')", "2026/01"),
        ("select array_to_string([1, 2] || 3 || [4], '+')", "1+2+3+4"),
        ("select levenshtein('kitten', 'sitting')", "3"),
    ] {
        assert_eq!(all(text).await, [expected], "{text}");
    }
    // Of all rows at once it may be too much, of each by itself it is not.
    let whole =
        all("select character_length(repeat(body, 20000)) from logs where body is not null order by time, id").await;
    let each = all("select character_length(body) * 20000 from logs where body is not null order by time, id").await;
    assert!(each.len() > 100);
    assert_eq!(whole, each);
    let joined = all(
        "select distinct character_length(body || body) = 2 * character_length(body) from logs where body is not null",
    )
    .await;
    assert_eq!(joined, ["true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_there_has_neighbours() {
    let data = data().await;
    for (text, nearest) in [("uper(body)", Some("upper")), ("cuont(1)", Some("count")), ("md5(body)", None)] {
        let error = run_sql(&data.ingest.snapshot(), &format!("select {text} from logs")).await.unwrap_err();
        let QueryError::Sql { message, suggestion, .. } = &error else { panic!("{error}") };
        assert!(message.contains("Invalid function") && !message.contains("Did you mean"), "{message}");
        assert_eq!(suggestion.as_deref(), nearest, "{text}");
    }
}

/// Rows that are made of rows that have been read already.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_gives_way_when_its_time_is_over() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let many = "(select 1 from generate_series(1, 1000000))";
    let crossed = format!("select count(*) from {many} a, {many} b, {many} c");
    let less =
        "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b where a.value < b.value";
    for text in [&crossed, less] {
        let budget = Budget::new(Duration::from_secs(1));
        let answer = answer_within(&snapshot, text, &budget).await;
        assert!(matches!(answer, Err(QueryError::OverTime(_))), "{text}: {answer:?}");
    }
}

/// A function that is new in DataFusion has to be looked at, and one that is gone forgotten.
#[test]
fn every_function_has_been_looked_at() {
    let known: Vec<String> =
        SessionStateDefaults::default_scalar_functions().iter().map(|function| function.name().to_owned()).collect();
    let listed: Vec<&str> = PLAIN.split_whitespace().chain(GROWING.iter().map(|(name, _)| *name)).collect();
    let gone: Vec<&&str> = listed.iter().filter(|name| !known.iter().any(|known| known == **name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
    let mut others: Vec<&str> = known.iter().map(String::as_str).filter(|name| !listed.contains(name)).collect();
    others.sort_unstable();
    assert_eq!(others.join(" "), LEFT_OUT);
}

/// They make something large of something small, or tell of the machine, or are of no use here.
const LEFT_OUT: &str = "array_repeat array_replace array_replace_all array_replace_n array_resize arrays_zip arrow_cast arrow_field \
    arrow_metadata arrow_try_cast cast_to_type file_row_index generate_series input_file_name map map_entries map_extract \
    map_keys map_values named_struct range struct try_cast_to_type union_extract union_tag version with_metadata";

//! Statements see the columns that they name, and answer as if they saw all.

use super::super::named::Named;
use super::super::sql::SqlRoom;
use super::super::{QueryError, SqlOptions};
use super::data;
use super::sql::{lines, run_sql};

const NAME_WHAT_THEY_ARE_ABOUT: &[&str] = &[
    "select count(*) from logs",
    "select count(1) from logs where severity = 'error'",
    "select body, \"service.name\" as s from logs where trace_id is not null",
    "SELECT Body, SEVERITY FROM logs",
    "select l.body from logs l join logs r on l.id = r.id where r.severity_number > 8",
    "select body from logs join (select id, flags from logs) as f using (id)",
    "select body from (select body, flags from logs where severity_number > 0)",
    "with e as (select id, severity as s from logs) select s, count(*) from e group by 1",
    "with e(x, y) as (select id, severity from logs) select y, count(*) from e group by 1",
    "select body from logs where id in (select id from logs where severity = 'error')",
    "select body from logs union all select severity from logs",
    "select (select max(time) from logs) as t",
    "select severity, count(*) over (partition by severity) from logs",
    "select count(*) filter (where severity = 'error') from logs",
    "values ('body')",
];

const MAY_BE_ABOUT_OTHERS: &[&str] = &[
    "select * from logs",
    "select l.* from logs l",
    "select count(*) from (select * from logs)",
    "select body from logs l natural join logs r",
    "select a from logs as l(a)",
    "select column_name from information_schema.columns where table_name = 'logs'",
    "from logs",
    "select count(*) from (from logs)",
    "select body from logs union all (select * from logs)",
    "select body from logs where exists (select * from logs)",
    "with e as (select * from logs) select body from e",
    "show columns from logs",
    "describe logs",
    "explain select body from logs",
    "select body from logs |> select severity",
];

fn room() -> SqlRoom {
    SqlRoom::new(SqlOptions { memory_bytes: 64 << 20, rows: 1_000, threads: 2 }).unwrap()
}

fn names_all(room: &SqlRoom, text: &str) -> Option<bool> {
    let state = room.lend();
    let statement = state.sql_to_statement(text, &state.config_options().sql_parser.dialect).ok()?;
    Some(Named::by(&statement, text).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_as_with_all_columns() {
    let (data, room) = (data().await, room());
    let snapshot = data.ingest.snapshot();
    for text in NAME_WHAT_THEY_ARE_ABOUT {
        assert_eq!(names_all(&room, text), Some(true), "{text}");
        let whole = format!("select * from ({text}) as whole");
        assert_eq!(names_all(&room, &whole), Some(false), "{whole}");
        let sorted = async |text: &str| {
            let mut all: Vec<String> = run_sql(&snapshot, text).await.unwrap().iter().flat_map(lines).collect();
            all.sort();
            all
        };
        let answer = sorted(text).await;
        assert!(!answer.is_empty(), "{text}");
        assert_eq!(answer, sorted(&whole).await, "{text}");
    }
}

#[test]
fn what_does_not_name_its_columns_sees_all() {
    let room = room();
    for text in MAY_BE_ABOUT_OTHERS {
        assert_ne!(names_all(&room, text), Some(true), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_speak_of_all_columns() {
    let data = data().await;
    let error = run_sql(&data.ingest.snapshot(), "select severty_number from logs").await.unwrap_err();
    let QueryError::Sql { suggestion, .. } = &error else { panic!("{error}") };
    assert_eq!(suggestion.as_deref(), Some("\"severity_number\""));
}

#[test]
fn names_are_found_however_they_are_written() {
    let room = room();
    let state = room.lend();
    let text = "select \"a\"\"b\", Body, 'x' from logs";
    let statement = state.sql_to_statement(text, &state.config_options().sql_parser.dialect).unwrap();
    let named = Named::by(&statement, text).unwrap();
    for (column, may_be) in [("a\"b", true), ("body", true), ("severity", false), ("c`d", true)] {
        assert_eq!(named.may_be(column), may_be, "{column}");
    }
}

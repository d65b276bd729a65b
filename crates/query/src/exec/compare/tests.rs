use super::*;
use crate::exec::chunk_values::Take;

fn asked(fields: usize, values: usize) -> Comparison {
    Comparison {
        with: With::Before,
        range: TimeRange::ALL,
        other: TimeRange::ALL,
        named: BTreeSet::new(),
        fields,
        values,
    }
}

/// Adds each value to both sides as often as it says there.
fn counting(totals: Both, of: &[(&str, &str, Both)]) -> Counting {
    let mut counting = Counting { totals, ..Counting::default() };
    for side in 0..2 {
        for (name, value, counts) in of.iter().filter(|(_, _, counts)| counts[side] > 0) {
            add(&mut counting, side, name, &Value::str(value), counts[side]);
        }
    }
    counting
}

fn told(differences: &Differences) -> Vec<String> {
    let field = |field: &FieldDifference| {
        let value = |one: &ValueDifference| format!("{}={:?}", one.value.as_deref().unwrap_or("none"), one.counts);
        let values: Vec<String> = field.values.iter().map(value).collect();
        format!("{} {} +{} others {:?}", field.name, values.join(" "), field.more, field.others)
    };
    differences.fields.iter().map(field).collect()
}

fn add(counting: &mut Counting, side: usize, name: &str, value: &Value<'_>, times: u64) {
    let give = |take: Take<'_>| {
        take(value, times);
        Ok(())
    };
    counting.add(side, name, &give).unwrap();
}

#[test]
fn what_differs_most_comes_first_and_what_may_be_chance_not_at_all() {
    let found = counting(
        [1_000, 2_000],
        &[
            ("version", "v1", [100, 1_980]),
            ("version", "v2", [900, 20]),
            ("zone", "a", [500, 1_010]),
            ("zone", "b", [500, 990]),
            ("error.type", "timeout", [300, 10]),
            ("status", "200", [600, 1_900]),
            ("status", "503", [400, 100]),
        ],
    );
    let differences = found.differences(&asked(9, 9));
    assert_eq!(
        told(&differences),
        [
            "version v2=[900, 20] v1=[100, 1980] +0 others [0, 0]",
            "status 503=[400, 100] 200=[600, 1900] +0 others [0, 0]",
            "error.type timeout=[300, 10] none=[700, 1990] +0 others [0, 0]",
        ]
    );
    assert_eq!((differences.compared, differences.more, differences.left_out), (4, 0, 0));
}

#[test]
fn an_answer_is_as_long_as_was_asked_and_says_what_is_behind_it() {
    let all = [("a", "x", [900, 0]), ("a", "y", [0, 900]), ("b", "x", [400, 0]), ("c", "x", [200, 0])];
    let differences = counting([1_000, 1_000], &all).differences(&asked(2, 1));
    assert_eq!(told(&differences), ["a x=[900, 0] +1 others [0, 0]", "b x=[400, 0] +1 others [0, 0]"]);
    assert_eq!(differences.more, 1);
}

#[test]
fn what_is_left_of_all_are_the_others() {
    let mut found = counting([100, 400], &[("a", "x", [90, 100]), ("a", "y", [10, 300])]);
    found.leave_the_rest();
    let differences = found.differences(&asked(9, 9));
    assert_eq!(differences.totals, [100, 300]);
    assert_eq!(told(&differences), ["a x=[90, 10] y=[10, 290] +0 others [0, 0]"]);
}

#[test]
fn what_was_searched_for_is_left_out_wherever_it_is() {
    let all = [("resource.service", "x", [90, 0]), ("service.name", "x", [90, 0]), ("pod", "x", [90, 0])];
    let named = named_fields(&crate::kql::parse("service:x").unwrap());
    let differences = counting([100, 400], &all).differences(&Comparison { named, ..asked(9, 1) });
    assert_eq!(told(&differences), ["pod x=[90, 0] +1 others [0, 0]"]);
}

#[test]
fn no_field_and_no_value_takes_more_memory_than_it_may() {
    let mut counting = Counting { totals: [5_000, 5_000], ..Counting::default() };
    let long = "x".repeat(LONGEST + 1);
    for number in 0..5_000 {
        add(&mut counting, 0, "id", &Value::from(format!("id-{number}")), 1);
        add(&mut counting, 0, "long", &Value::str(&long), 1);
        add(&mut counting, 0, "parts", &Value::Array(vec![Value::Int(1)]), 1);
        add(&mut counting, 0, "hidden", &Value::str(MARKER), 1);
    }
    add(&mut counting, 1, "id", &Value::str("id-0"), 7);
    add(&mut counting, 1, "id", &Value::str("id-4999"), 9);
    let id = &counting.fields["id"];
    assert_eq!((id.values.len(), id.has), (MOST_VALUES, [5_000, 16]));
    for name in ["long", "parts", "hidden"] {
        assert_eq!((counting.fields[name].values.len(), counting.fields[name].has), (0, [5_000, 0]), "{name}");
    }
    let differences = counting.differences(&asked(9, 9));
    let id = differences.fields.iter().find(|field| field.name == "id").unwrap();
    assert_eq!(id.others, [3_000, 9], "`id-0` is exact, and `id-4999` is not there");

    let mut counting = Counting::default();
    for number in 0..MOST_FIELDS + MOST_LEFT_OUT + 9 {
        (0..3).for_each(|_| add(&mut counting, 0, &format!("f{number}"), &Value::Bool(true), 1));
    }
    assert_eq!((counting.fields.len(), counting.left_out.len()), (MOST_FIELDS, MOST_LEFT_OUT));
    for field in 0..60 {
        (0..MOST_VALUES).for_each(|value| add(&mut counting, 0, &format!("f{field}"), &Value::Int(value as i64), 1));
    }
    assert_eq!(counting.values, ALL_VALUES);
}

#[test]
fn fields_of_the_filter_are_those_that_it_finds() {
    let check = |query: &str, expected: &[&str]| {
        let named = named_fields(&crate::kql::parse(query).unwrap());
        let of_interest: Vec<&str> = named.iter().map(String::as_str).filter(|name| expected.contains(name)).collect();
        assert_eq!(of_interest, expected, "{query}: {named:?}");
    };
    check("level:error and not service:x", &["service", "service.name", "severity"]);
    check("resource.a:1 or (b:2 and word)", &["a", "b", "resource.a"]);
    assert!(named_fields(&crate::kql::parse("body:word and /x/").unwrap()).is_empty());
}

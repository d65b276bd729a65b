//! What holds of any lines: nothing is lost, nothing grows without bounds, ids stay.

use std::collections::HashMap;

use logkeep_meshsim::{Rng, families};
use proptest::prelude::*;

use crate::{Found, Limits, Listed, Merged, Miner, Reader, Run, StreamKey, Template, TemplateId};

const STREAM: StreamKey = StreamKey(7);

fn mine(miner: &mut Miner, lines: &[String]) -> (Found, Vec<TemplateId>) {
    let mut run = miner.begin();
    let numbers: Vec<u32> = lines.iter().map(|line| run.add(STREAM, line)).collect();
    let found = run.finish();
    let ids = numbers.iter().map(|number| found.list[found.places[*number as usize] as usize].id).collect();
    (found, ids)
}

fn small() -> Limits {
    Limits { streams: 3, templates: 8, alike: 4, siblings: [3, 3, 3], values: 2, known: 16, listed: 12, bytes: 60_000 }
}

/// Words of which lines that are alike come about, and what is hard to read.
fn word() -> impl Strategy<Value = String> {
    let fixed = proptest::sample::select(vec![
        "user",
        "connection",
        "closed",
        "INFO",
        "level=WARN",
        "key=",
        "[main]",
        "<*>",
        "<num>",
        "<...>",
        r"\<ip>",
        r"\",
        "-",
        "10.0.0.1:80",
        "01234567-89ab-cdef-0123-456789abcdef",
        "\"a b\"",
        "'x'",
        "\"",
        "{\"msg\":\"a\",",
        "C:\\x",
        "/a/b",
        "a@b.cd",
        "2026-11-22T10:00:00Z",
        "12:34:56:78:90:12",
        "Nov",
        "1,",
        "2,",
        "ä",
        "\u{1}",
        "\n",
        "\t",
        "x-2-y",
        "GET",
        "[1,",
        "]",
    ]);
    prop_oneof![
        4 => fixed.prop_map(str::to_owned),
        2 => "[a-e]{1,2}",
        2 => "[0-9a-f:.,=-]{1,12}",
        1 => "\\PC{0,6}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let blank = || proptest::sample::select(vec![" ", "  ", "", "\t"]);
    let any = proptest::collection::vec((word(), blank()), 0..12)
        .prop_map(|parts| parts.into_iter().map(|(word, blank)| format!("{word}{blank}")).collect());
    prop_oneof![any, alike()]
}

/// Few sentences of few words, so that templates widen, become equal and are put together.
fn alike() -> impl Strategy<Value = String> {
    let sentence = proptest::sample::select(vec![
        "user X left Y",
        "X Y is Z",
        "INFO [X] host: open X as Y",
        "set k=X on Y",
        "X",
        "X Y",
        "7 8 9 X 1 2 Y 3",
        "X: job Y done Z",
    ]);
    (sentence, "[a-d]{1,2}|[0-9]{2}", "[a-c]|x-[a-c]-y|10.0.0.1", "up|down|[a-b]\\.[a-b]")
        .prop_map(|(sentence, x, y, z)| sentence.replace('X', &x).replace('Y', &y).replace('Z', &z))
}

fn lines(most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(line(), 0..most)
}

/// What is between the parameters of a line, with one blank for each run of blanks, and `#` for each parameter.
fn constants(template: &Template, text: &str) -> String {
    let parameters = template.parameters(&mut Reader::default(), text).unwrap();
    let mut shown = String::new();
    let mut at = 0;
    for parameter in parameters {
        assert!(parameter.place.start >= at, "in order and apart");
        shown.push_str(&text[at..parameter.place.start]);
        shown.push('#');
        at = parameter.place.end;
    }
    shown.push_str(&text[at..]);
    shown
        .split(|one: char| one.is_ascii_whitespace() || one == '\u{b}')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A template's text with `#` for each mark, as `constants` has it.
fn marked(template: &Template) -> String {
    template.constants_with("#")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_has_a_template(text in any::<String>()) {
        check_lines(&mut Miner::new(small()), &[text]);
    }

    #[test]
    fn any_lines_have_templates_that_match_them(lines in lines(60)) {
        check_lines(&mut Miner::new(Limits::default()), &lines);
        check_lines(&mut Miner::new(small()), &lines);
    }

    #[test]
    fn ids_are_the_same_after_a_restart(before in lines(40), after in lines(20)) {
        let mut one = Miner::new(Limits { values: 2, siblings: [3, 3, 3], ..Limits::default() });
        let (found, _) = mine(&mut one, &before);
        let mut other = Miner::new(*one.limits());
        for listed in &found.list {
            let text = listed.template.to_string();
            other.restore(&Listed { template: Template::parse(&text).unwrap(), ..listed.clone() });
        }
        prop_assert_eq!(mine(&mut one, &after), mine(&mut other, &after));
    }

    #[test]
    fn whatever_covers_comes_first(one in line(), other in line(), third in line()) {
        let template = |line: &String| mine(&mut Miner::new(Limits::default()), std::slice::from_ref(line)).0.list[0].template.clone();
        let all = [template(&one), template(&other), template(&third)];
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            let Some(joined) = all[a].join(&all[b]) else { continue };
            for special in [&all[a], &all[b]] {
                prop_assert!(joined.covers(special));
                prop_assert_eq!(joined.by_generality(special).is_lt(), joined != *special);
                prop_assert_eq!(special.covers(&joined), joined == *special);
            }
            prop_assert_eq!(all[b].join(&all[a]).map(|joined| joined.to_string()), Some(joined.to_string()));
        }
    }

    #[test]
    fn lists_become_one_in_any_order(a in lines(20), b in lines(20), c in lines(20)) {
        let lists: Vec<_> = [a, b, c].iter().map(|lines| mine(&mut Miner::new(small()), lines).0.list).collect();
        let merge = |order: [usize; 3]| {
            let mut merged = Merged::new();
            order.iter().for_each(|at| merged.add(lists[*at].clone()));
            merged.finish()
        };
        let (list, places) = merge([0, 1, 2]);
        for (own, places) in lists.iter().zip(&places) {
            for (listed, place) in own.iter().zip(places) {
                let all = &list[*place as usize];
                prop_assert!(all.id == listed.id || all.aliases.contains(&listed.id));
                prop_assert!(all.template.covers(&listed.template));
            }
        }
        let count = |list: &[Listed]| list.iter().map(|listed| listed.count).sum::<u64>();
        prop_assert_eq!(count(&list), lists.iter().map(|list| count(list)).sum::<u64>());
        let (again, _) = merge([2, 0, 1]);
        let ids = |list: &[Listed]| list.iter().map(|one| (one.id, one.aliases.clone(), one.count)).collect::<Vec<_>>();
        prop_assert_eq!(ids(&list), ids(&again));
    }
}

/// Every line has a template that matches it, is read back from its text, and with its parameters makes the line; counts
/// are exact; memory is bounded.
fn check_lines(miner: &mut Miner, lines: &[String]) {
    let limits = *miner.limits();
    let mut run = miner.begin();
    let numbers: Vec<u32> = lines.iter().map(|line| run.add(STREAM, line)).collect();
    let found = run.finish();
    let mut counts = vec![0; found.list.len()];
    let mut reader = Reader::default();
    for (line, number) in lines.iter().zip(numbers) {
        let place = found.places[number as usize] as usize;
        counts[place] += 1;
        let template = &found.list[place].template;
        assert!(template.matches(&mut reader, line), "{template}: {line:?}");
        assert_eq!(Template::parse(&template.to_string()).as_ref(), Ok(template));
        if !template.to_string().ends_with("<...>") {
            assert_eq!(constants(template, line), marked(template), "{template}: {line:?}");
        }
    }
    assert_eq!(counts, found.list.iter().map(|listed| listed.count).collect::<Vec<_>>());
    assert!(miner.templates() <= limits.templates && miner.streams() <= limits.streams);
    assert!(miner.bytes() <= limits.bytes, "{} bytes", miner.bytes());
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let limits = Limits { bytes: 200_000, ..Limits::default() };
    let mut miner = Miner::new(limits);
    let mut rng = Rng::new(3);
    for round in 0..20 {
        let mut run = miner.begin();
        for nth in 0..500 {
            let word = |rng: &mut Rng| -> String { (0..6).map(|_| char::from(b'a' + rng.below(26) as u8)).collect() };
            let length = rng.between(1, 200);
            let line: Vec<String> = (0..length).map(|_| word(&mut rng)).collect();
            run.add(StreamKey(nth % 40), &line.join(" "));
        }
        let found = run.finish();
        assert_eq!(found.list.iter().map(|listed| listed.count).sum::<u64>(), 500, "round {round}");
        assert!(miner.bytes() <= limits.bytes, "{} bytes", miner.bytes());
        assert!(miner.templates() > 20);
    }
}

#[test]
fn a_list_is_bounded() {
    let limits = Limits { listed: 3, streams: 2, ..Limits::default() };
    let mut miner = Miner::new(limits);
    let mut run = miner.begin();
    let words = ["alpha", "beta", "gamma", "delta", "omega"];
    let numbers: Vec<u32> = (0..20).map(|nth| run.add(StreamKey(nth % 4), words[nth as usize % 5])).collect();
    let found = run.finish();
    let shown: Vec<_> = found.list.iter().map(|one| (one.stream, one.template.to_string(), one.count)).collect();
    let others: u64 = shown.iter().filter(|(_, text, _)| text == "<...>").map(|(.., count)| count).sum();
    assert_eq!(shown.iter().map(|(.., count)| count).sum::<u64>(), 20);
    assert!(others >= 10 && shown.len() <= 3 + 2 + 1, "{shown:?}");
    assert!(shown.iter().any(|(stream, ..)| *stream == StreamKey::OTHERS));
    assert!(numbers.iter().all(|number| (found.places[*number as usize] as usize) < found.list.len()));
    let everything = Template::parse("<...>").unwrap();
    assert!(everything.matches(&mut Reader::default(), "any text\nof lines"));
    assert!(everything.covers(&Template::parse("").unwrap()) && !Template::parse("").unwrap().covers(&everything));
    assert!(everything.by_generality(&Template::parse("").unwrap()).is_lt());
    let before = miner.templates();
    found.list.iter().filter(|one| one.template == everything).for_each(|one| miner.restore(one));
    assert_eq!(miner.templates(), before);
}

#[test]
fn the_least_recent_make_way() {
    let mut miner = Miner::new(Limits { streams: 2, ..Limits::default() });
    let mut run: Run<'_> = miner.begin();
    let numbers: Vec<u32> = [1, 2, 1, 3, 1, 2].map(|key| run.add(StreamKey(key), "server started")).to_vec();
    let found = run.finish();
    let listed: Vec<_> = found.list.iter().map(|listed| (listed.stream.0, listed.count)).collect();
    assert_eq!(listed, [(1, 3), (2, 2), (3, 1)]);
    assert_eq!(
        found.places[numbers[1] as usize], found.places[numbers[5] as usize],
        "it was forgotten between, and is one"
    );
    assert_eq!(miner.streams(), 2);
}

#[test]
fn ids_do_not_depend_on_the_order_or_the_machine() {
    for family in families().filter(|family| family.tuned_on) {
        let lines: Vec<String> = family.lines(1, 2_000).into_iter().map(|line| line.text).collect();
        let mut others = lines.clone();
        others.reverse();
        let list = |lines: &[String]| -> HashMap<TemplateId, u64> {
            let (found, _) = mine(&mut Miner::new(Limits::default()), lines);
            found.list.into_iter().map(|listed| (listed.id, listed.count)).collect()
        };
        let (one, other) = (list(&lines), list(&others));
        let same: u64 = one.iter().filter(|(id, count)| other.get(id) == Some(count)).map(|(_, count)| count).sum();
        assert!(same >= 1_900, "{}: {same} of 2,000 lines", family.name);
    }
}

#[test]
fn a_restart_changes_nothing() {
    for family in families() {
        let lines: Vec<String> = family.lines(1, 2_000).into_iter().map(|line| line.text).collect();
        let (before, after) = lines.split_at(300);
        let mut one = Miner::new(Limits::default());
        let (found, _) = mine(&mut one, before);
        let mut other = Miner::new(Limits::default());
        found.list.iter().for_each(|listed| other.restore(listed));
        assert_eq!(mine(&mut one, after), mine(&mut other, after), "{}", family.name);
    }
}

#[test]
fn an_id_stays_while_its_template_widens() {
    let mut miner = Miner::new(Limits::default());
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let (first, _) = mine(&mut miner, &owned(&["session 7 opened for user root on tty 3"]));
    let wide = ["session 8 opened for user bob on tty 1", "session 9 opened for user eve on tty 2"];
    let (found, ids) = mine(&mut miner, &owned(&wide));
    assert_eq!(found.list[0].template.to_string(), "session <num> opened for user <*> on tty <num>");
    assert!(ids.iter().all(|id| *id == first.list[0].id || found.list[0].aliases.contains(&first.list[0].id)));
    let (_, again) = mine(&mut miner, &owned(&["session 1 opened for user root on tty 1"]));
    assert_eq!(again[0], ids[0]);
}

#[test]
fn two_states_are_two_templates() {
    let mut miner = Miner::new(Limits::default());
    let lines: Vec<String> =
        (0..100).map(|n| format!("node {n} is now {}", if n % 2 == 0 { "UP" } else { "DOWN" })).collect();
    let (found, _) = mine(&mut miner, &lines);
    let texts: Vec<String> = found.list.iter().map(|listed| listed.template.to_string()).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts.contains(&"node <num> is now UP".to_owned()) && texts.contains(&"node <num> is now DOWN".to_owned()));
}

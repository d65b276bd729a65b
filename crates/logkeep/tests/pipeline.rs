//! `logkeep pipeline test`, over the examples of its own guide.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const GUIDE: &str = include_str!("../../../docs/guide/pipelines.md");

fn blocks(kind: &str) -> Vec<String> {
    let fence = format!("```yaml {kind}\n");
    GUIDE.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn run(folder: &Path, config: &str, cases: &str) -> Output {
    fs::write(folder.join("logkeep.yaml"), config).unwrap();
    fs::write(folder.join("cases.yaml"), cases).unwrap();
    Command::new(env!("CARGO_BIN_EXE_logkeep"))
        .args(["pipeline", "test", "cases.yaml", "--config", "logkeep.yaml"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_owned()).unwrap()
}

#[test]
fn examples_of_the_guide_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (configs, cases) = (blocks("config"), blocks("cases"));
    assert_eq!((configs.len(), cases.len()), (7, 7));
    for (config, cases) in configs.iter().zip(&cases) {
        let output = run(folder.path(), config, cases);
        assert!(output.status.success(), "{config}\n{}{}", text(&output.stdout), text(&output.stderr));
    }
    let first = run(folder.path(), &configs[0], &cases[0]);
    assert!(GUIDE.contains(&text(&first.stdout)), "the guide shows\n{}", text(&first.stdout));
}

const CONFIG: &str =
    "pipelines: [{name: a, steps: [vrl: 'if .body == \"x\" { abort }']}, {name: b, steps: [route: {class: c}]}]";

/// What the program says of cases, and its exit code.
fn check(cases: &str, code: i32, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), CONFIG, &format!("cases:\n  {cases}"));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains(expected) && output.status.code() == Some(code), "{cases}: {said}");
}

#[test]
fn what_differs_is_shown() {
    check("- {name: n, input: x, expect: dropped}", 0, "1 passed, 0 failed");
    check("- {name: n, input: x, expect: {dropped: b}}", 1, "dropped: expected by b, was by a");
    check("- {name: n, input: yy, expect: dropped}", 1, "expected to be dropped, was kept");
    check("- {name: n, input: x, expect: {body: x}}", 1, "expected to be kept, was dropped by a");
    check("- {name: n, input: yy, expect: {body: z, class: c, tenant: null}}", 1, "body: expected \"z\", got \"yy\"");
    check("- {name: n, pipeline: b, input: x, expect: {body: x, class: c}}", 0, "1 passed");
    check("- {name: n, pipeline: c, input: x, expect: dropped}", 1, "there is no pipeline `c`");
    check("- {name: n, input: {bdy: x}, expect: dropped}", 1, "`bdy` is no part of a record");
    check("- {name: n, input: yy, expect: {bdy: x}}", 1, "`bdy` is no part of a record");
    check("- {name: n, input: yy, expect: 5}", 1, "`expect` is `dropped` or parts of the record");
    check("- {name: n, inptu: x}", 1, "inptu");
    check("- {name: n, input: [yy, x], expect: [{body: yy}, dropped]}", 0, "1 passed");
    check("- {name: n, input: [yy, zz], expect: [{body: yy}]}", 1, "expected 1 records, got 2: \"yy\", \"zz\"");
    check("- {name: n, input: [yy], expect: {body: yy}}", 1, "`expect` is a list where `input` is one");
    check("- {name: n, input: [], expect: []}", 1, "`input` has no record");
    check("- {name: n, input: [a, {signal: spans}], expect: [dropped, dropped]}", 1, "of one tenant and signal");
    check("[]", 1, "there are no cases in it");
    check("- {name: n, input: {time: soon}, expect: dropped}", 1, "case `n`");
}

//! The program as a user runs it, against a server of a few lines that gives fixed answers.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

/// Answers one connection after another, each with the next of `answers`, and keeps what was asked.
fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                if request.is_empty() {
                    request = line.trim().to_owned();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            asked.push(format!("{request} {}", String::from_utf8(body).unwrap()).trim().to_owned());
            // A client that has seen enough may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
        asked
    });
    (url, serving)
}

/// What was asked. The program has ended; a server that still waits for it is answered in its stead, so that a test fails
/// and does not hang.
fn finish(url: &str, serving: JoinHandle<Vec<String>>) -> Vec<String> {
    while !serving.is_finished() && TcpStream::connect(url.trim_start_matches("http://")).is_ok() {}
    serving.join().unwrap()
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn json(body: &str) -> String {
    answer("200 OK", "application/json", body)
}

fn events(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}")
}

fn logkeep(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logkeep"));
    command.args(arguments).env_remove("LOGKEEP_URL").stdin(Stdio::null());
    command.output().unwrap()
}

/// Exit code, standard output and standard error as one text; the server's address as `URL`.
fn shown(output: &Output, url: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let all = format!("{}{}exit {}", text(&output.stdout), text(&output.stderr), output.status.code().unwrap());
    if url.is_empty() { all } else { all.replace(url, "URL") }
}

/// Runs one command against fixed answers; returns what it showed and what it asked.
fn run(answers: Vec<String>, arguments: &[&str]) -> (String, Vec<String>) {
    let (url, serving) = server(answers);
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--url", &url]).collect();
    let output = logkeep(&arguments);
    (shown(&output, &url), finish(&url, serving))
}

const PAGE: &str = r#"{"records":[{"time":"2026-11-20T10:00:00.000000000Z","severity":"error","service":"pay","body":"refused",
"attributes":[["url.path","/pay"]],"resource":[]}],"next":null,"partial":null,"stats":{}}"#;

#[test]
fn query_prints_a_table() {
    let (shown, asked) =
        run(vec![json(PAGE)], &["query", "level:error", "a b", "--from", "-2h", "--columns", "time,url.path"]);
    assert_eq!(shown, "time                            url.path\n2026-11-20T10:00:00.000000000Z  /pay\nexit 0");
    assert_eq!(asked, ["GET /api/v1/logs?q=level%3Aerror%20a%20b&from=-2h&to=now&order=desc&limit=100 HTTP/1.1"]);
}

#[test]
fn query_follows_pages_to_the_limit() {
    let page = |body: &str, next: &str| {
        json(&format!(r#"{{"records":[{{"z":1e2,"body":"{body}","body":0}}],"next":{next},"partial":null}}"#))
    };
    let answers = vec![page("one", "\"k1\""), page("two", "\"k2\"")];
    let (shown, asked) = run(answers, &["query", "--limit", "2", "--format", "json", "--order", "asc"]);
    // As the server wrote it: order, repeated keys and the form of numbers.
    let line = |body: &str| format!("{{\"z\":1e2,\"body\":\"{body}\",\"body\":0}}\n");
    assert_eq!(shown, format!("{}{}exit 0", line("one"), line("two")));
    assert!(asked[1].contains("order=asc&limit=1&after=k1"), "{asked:?}");
}

#[test]
fn audit_prints_rows_page_after_page() {
    let page = |query: &str, next: &str| {
        json(&format!(
            r#"{{"rows":[{{"time":"10:00","user":"ann","address":"::1","action":"query","decision":"allow","object":"logs",
"outcome":"answered","rows":3,"query":"{query}","more":{{}}}}],"next":{next},"partial":null}}"#
        ))
    };
    let arguments = ["audit", "--user", "ann", "--decision", "allow", "--limit", "2"];
    let (shown, asked) = run(vec![page("one", "\"k1\""), page("\\u001b[2J", "null")], &arguments);
    let head = "time   user  address  action  decision  object  outcome   rows  query\n";
    let row = "10:00  ann   ::1      query   allow     logs    answered  3     ";
    assert_eq!(shown, format!("{head}{row}one\n{row}\\u{{1b}}[2J\nexit 0"));
    let first = "GET /api/v1/audit?q=&from=-1d&to=now&user=ann&decision=allow&limit=2 HTTP/1.1";
    assert_eq!(
        asked,
        [first, "GET /api/v1/audit?q=&from=-1d&to=now&user=ann&decision=allow&limit=1&after=k1 HTTP/1.1"]
    );
}

#[test]
fn partial_answers_say_so() {
    let page = r#"{"records":[],"next":null,"partial":{"reason":"time budget","missing":"2 segments"}}"#;
    let (shown, _) = run(vec![json(page)], &["query", "--format", "csv"]);
    let expected =
        "time,severity,service,body\r\nwarning: this answer is incomplete: time budget; missing: 2 segments\nexit 0";
    assert_eq!(shown, expected);
}

#[test]
fn wrong_queries_are_shown_in_place() {
    let body = r#"{"error":{"code":"bad_query","message":"expected a value","position":6,"length":1,"expected":["value"],
        "suggestion":"level:error"}}"#;
    let (shown, _) = run(vec![answer("400 Bad Request", "application/json", body)], &["query", "level:"]);
    let expected = "error: expected a value\n  level:\n        ^\nexpected: value\ntry: level:error\nexit 1";
    assert_eq!(shown, expected);
}

#[test]
fn failures_have_their_exit_codes() {
    let busy = r#"{"error":{"code":"busy","message":"too many queries"}}"#;
    let (shown, _) = run(vec![answer("503 Service Unavailable", "application/json", busy)], &["query"]);
    assert_eq!(shown, "error: too many queries\nexit 3");
    let (shown, _) = run(vec![answer("404 Not Found", "text/html", "<p>")], &["sql", "select 1"]);
    assert!(shown.contains("answered 404, not in the form") && shown.ends_with("exit 1"), "{shown}");
    let (shown, _) = run(vec![json("[]")], &["query"]);
    assert!(shown.contains("not one of a Logkeep server") && shown.ends_with("exit 3"), "{shown}");

    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = logkeep(&["query", "--url", &format!("http://{unused}")]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("hint: is `logkeep serve` running there?"), "{text}");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(logkeep(&["query", "--url", "ftp://x"]).status.code(), Some(1));
    assert_eq!(logkeep(&["query", "--limit", "0"]).status.code(), Some(2));
}

#[test]
fn sql_in_each_format() {
    let body = r#"{"columns":[{"name":"n","type":"Int64"},{"name":"n","type":"Utf8"}],"rows":[[1,"x"],[null,"y"]],"stats":{}}"#;
    let (shown, asked) = run(vec![json(body)], &["sql", "select \"a\""]);
    assert_eq!(shown, "n  n\n1  x\n   y\nexit 0");
    let (request, sent) = asked[0].split_once(" HTTP/1.1 ").unwrap();
    assert_eq!(request, "POST /api/v1/sql");
    assert_eq!(serde_json::from_str::<serde_json::Value>(sent).unwrap(), serde_json::json!({ "sql": "select \"a\"" }));
    let (shown, _) = run(vec![json(body)], &["sql", "select 1", "--format", "json"]);
    assert_eq!(shown, "{\"n\":1,\"n\":\"x\"}\n{\"n\":null,\"n\":\"y\"}\nexit 0");
    let (shown, _) = run(vec![answer("200 OK", "text/csv", "n\r\n1\r\n")], &["sql", "select 1", "--format", "csv"]);
    assert_eq!(shown, "n\r\n1\r\nexit 0");
}

#[test]
fn tail_reconnects_and_counts_honestly() {
    let record = |body: &str| format!("event: record\ndata: {{\"body\":\"{body}\"}}\n\n");
    let status = |dropped: u64| format!("event: status\ndata: {{\"matched\":9,\"sent\":1,\"dropped\":{dropped}}}\n\n");
    let first = events(&format!(": hello\n\n{}{}{}", record("one"), status(2), status(3)));
    let second = events(&format!("{}{}{}", status(4), record("two"), record("never")));
    let (shown, asked) = run(vec![first, second], &["tail", "x y", "--format", "json", "--limit", "2"]);
    let expected = "{\"body\":\"one\"}\n{\"body\":\"two\"}\nconnection lost; reconnecting\n2 shown, 7 dropped because this reader was \
                    too slow; the connection was lost once, what arrived meanwhile is not shown\nexit 0";
    assert_eq!(shown, expected);
    assert_eq!(asked, ["GET /api/v1/tail?q=x%20y HTTP/1.1"; 2]);
}

#[test]
fn tail_gives_up_in_the_end_and_shows_errors() {
    let (shown, _) = run(vec![events("")], &["tail", "--retries", "0"]);
    assert_eq!(
        shown,
        "0 shown, 0 dropped\nerror: the connection is lost, and 0 attempts did not bring it back\nexit 3"
    );
    let fault = events("event: error\ndata: {\"error\":{\"message\":\"over budget\"}}\n\n");
    let (shown, _) = run(vec![fault], &["tail"]);
    assert_eq!(shown, "0 shown, 0 dropped\nerror: over budget\nexit 1");
}

#[test]
fn an_interrupted_tail_still_says_what_it_did_not_show() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_logkeep"))
        .args(["tail", "--format", "json", "--url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let body = "event: status\ndata: {\"dropped\":5}\n\nevent: record\ndata: {\"body\":1}\n\n";
    stream.write_all(events(body).as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "{\"body\":1}\n");
    // How many are shown is left open: the count follows the line.
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.ends_with(" shown, 5 dropped because this reader was too slow\n"), "{said}");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let record = format!(r#"{{"body":"{}"}}"#, "x".repeat(10_000));
    let page = format!(r#"{{"records":[{}],"next":null,"partial":null}}"#, vec![record; 500].join(","));
    let (url, serving) = server(vec![json(&page)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_logkeep"))
        .args(["query", "--format", "json", "--url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    finish(&url, serving);
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn config_check_and_print() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logkeep.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, "listen:\n  lokki: off\nflush: {interval: 5}\n").unwrap();
    let expected = "PATH:2: unknown key `listen.lokki`\n  hint: did you mean `loki`?\nPATH:3: `flush.interval`: `5` is no duration\n  \
                    hint: a duration has a unit: 500ms, 30s, 5m, 1h\nexit 1";
    assert_eq!(shown(&logkeep(&["config", "check", path]), "").replace(path, "PATH"), expected);

    fs::write(&file, logkeep(&["config", "print"]).stdout).unwrap();
    assert_eq!(shown(&logkeep(&["config", "check", path]), "").replace(path, "PATH"), "PATH: no faults\nexit 0");
    let printed = logkeep(&["config", "print", "--config", path]).stdout;
    assert_eq!(printed, fs::read(&file).unwrap());

    let output = logkeep(&["config", "check", "/nowhere/at/all.yaml"]);
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("/nowhere/at/all.yaml: cannot be read: "));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn import_sends_chunks_with_keys_and_waits_for_a_busy_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.log");
    fs::write(&file, "one\ntwo\n").unwrap();
    let busy = r#"{"error":{"code":"unavailable","message":"full"}}"#;
    let busy = answer("503 Service Unavailable", "application/json\r\nRetry-After: 0", busy);
    let stored = json(r#"{"received":2,"stored":2,"deduplicated":0,"rejected":0,"errors":[]}"#);
    let known = json(r#"{"received":2,"stored":0,"deduplicated":2,"rejected":0,"errors":[]}"#);
    let (url, serving) = server(vec![busy, stored, known]);
    let import = || {
        let arguments = ["import", "--url", &url, "--source", "web", file.to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_logkeep")).args(arguments).output().unwrap()
    };
    let (first, second) = (import(), import());
    let asked = finish(&url, serving);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("stored 2 records of 1 file (8 B in "));
    assert!(String::from_utf8_lossy(&second.stdout).starts_with("stored 0 records of 1 file, 2 were stored before ("));
    let request = "POST /api/v1/ingest/lines?format=plain-text&source=web HTTP/1.1 one\ntwo";
    assert_eq!(asked, [request; 3]);
}

#[test]
fn import_says_what_is_wrong_with_a_file() {
    for (arguments, code, contains) in [
        (["import", "/nowhere/at/all", "--format=auto"], 1, "`/nowhere/at/all` cannot be opened"),
        (["import", "/", "--format=auto"], 1, "is a folder"),
        (["import", "x", "--format=odd"], 2, "is no line format"),
        (["import", "Cargo.toml", "--url=http://127.0.0.1:1"], 3, "no answer from"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_logkeep")).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(contains), "{arguments:?}: {text}");
    }
}

//! The drivers against a small server of our own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::truth::Truth;
use crate::{Ingest, Protocol, Query, ingest, query};

/// Answers requests on every connection until the process ends.
fn serve(answer: impl Fn(&str, &[u8]) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || connection(stream, &*answer));
        }
    });
    url
}

fn connection(stream: TcpStream, answer: &impl Fn(&str, &[u8]) -> (u16, String)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut path, mut length, mut line) = (String::new(), 0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let text = line.trim_end().to_ascii_lowercase();
            if path.is_empty() {
                path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            } else if let Some(value) = text.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            } else if text.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, text) = answer(&path, &body);
        let head = format!("HTTP/1.1 {status} X\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n", text.len());
        if stream.write_all(format!("{head}{text}").as_bytes()).is_err() {
            return;
        }
    }
}

fn options(url: String, file: &Path, protocol: Protocol, json: &Path) -> Ingest {
    Ingest {
        url,
        file: file.to_owned(),
        connections: 3,
        body_mb: 1,
        protocol,
        pid: Some(std::process::id()),
        data_dir: Some(file.parent().unwrap().to_owned()),
        settle: 0,
        idle: Some(0),
        json: Some(json.to_owned()),
    }
}

#[test]
fn every_line_is_sent_once_however_busy_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = (folder.path().join("lines"), folder.path().join("result"));
    crate::generate::run(&file, 6_000, 1).unwrap();
    let stored: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&stored);
    let requests = AtomicU64::new(0);
    let url = serve(move |path, body| {
        assert_eq!(path, "/es/logs/_bulk");
        if requests.fetch_add(1, Ordering::SeqCst) % 3 == 1 {
            return (503, String::new());
        }
        let lines: Vec<&str> = std::str::from_utf8(body).unwrap().lines().collect();
        let items = vec![json!({"create": {"status": 201}}); lines.len() / 2];
        kept.lock().unwrap().extend(lines.chunks(2).map(|pair| {
            assert_eq!(pair[0], "{\"create\":{}}");
            pair[1].to_owned()
        }));
        (200, json!({"took": 1, "errors": false, "items": items}).to_string())
    });
    ingest::run(&options(url, &file, Protocol::Bulk, &json)).unwrap();
    let mut stored = stored.lock().unwrap().clone();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    stored.sort();
    lines.sort_unstable();
    assert_eq!(stored, lines);
    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(result["ingest"]["lines"], 6_000);
    assert_eq!(result["ingest"]["raw_bytes"], text.len());
    assert!(result["ingest"]["busy_answers"].as_u64().unwrap() > 0, "{result}");
    assert!(result["ingest"]["disk_bytes"].as_u64().unwrap() >= text.len() as u64, "{result}");
}

#[test]
fn a_refused_line_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = (folder.path().join("lines"), folder.path().join("result"));
    crate::generate::run(&file, 20_000, 1).unwrap();
    for (status, answer) in [(200, r#"{"stored":1}"#), (400, "no"), (200, "nothing")] {
        let url = serve(move |_, _| (status, answer.to_owned()));
        assert!(ingest::run(&options(url, &file, Protocol::Ndjson, &json)).is_err(), "{status} {answer}");
    }
    assert!(!json.exists());
}

#[test]
fn true_answers_pass_and_a_wrong_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (file, ours, wrong) = (folder.path().join("lines"), folder.path().join("ours"), folder.path().join("wrong"));
    crate::generate::run(&file, 3_000, 1).unwrap();
    let truth = Truth::load(&file).unwrap();
    for (json, lie) in [(&ours, false), (&wrong, true)] {
        let order = query::questions().unwrap().into_iter().map(|question| question.id).collect::<Vec<_>>();
        let answers = truth.answers.clone();
        let asked = AtomicU64::new(0);
        let url = serve(move |path, body| {
            assert_eq!(path, "/api/v1/sql");
            let request: Value = serde_json::from_slice(body).unwrap();
            assert!(request["sql"].as_str().unwrap().starts_with("select "));
            let id = &order[asked.fetch_add(1, Ordering::SeqCst) as usize / 3];
            let mut rows = json!(answers[id]);
            if lie && id == "regex" {
                rows = json!([[123_456]]);
            }
            (200, json!({"columns": [], "rows": rows, "stats": {}}).to_string())
        });
        let options = Query {
            url,
            peer: None,
            file: file.clone(),
            repeats: 2,
            pid: None,
            json: Some(json.clone()),
            peer_json: None,
        };
        query::run(&options).unwrap();
    }
    let all = folder.path().join("all");
    crate::compare::run(&file, std::slice::from_ref(&ours), std::slice::from_ref(&ours), Some(&all)).unwrap();
    let all: Value = serde_json::from_slice(&std::fs::read(&all).unwrap()).unwrap();
    let figure =
        |title: &str| all["figures"].as_array().unwrap().iter().find(|figure| figure["title"] == title).unwrap();
    assert_eq!(figure("regex count on the message, ms")["ratio"], 1.0);
    assert_eq!(figure("regex count on the message, ms")["reached"], true);
    assert!(figure("geometric mean of the ten to the best peer of each")["ours"].as_f64().unwrap() > 1.0);
    assert!(crate::compare::run(&file, &[ours], &[wrong], None).is_err());
}

//! Time to give one line its template: `cargo bench -p logkeep-pattern`.

use divan::{Bencher, counter::ItemsCount};
use logkeep_meshsim::families;
use logkeep_pattern::{Limits, Miner, Reader, StreamKey};

fn main() {
    divan::main();
}

const STREAM: StreamKey = StreamKey(1);
/// Lines that a bench goes round.
const LINES: usize = 2_000;

/// 47 bytes.
const SHORT: &str = "user {} added 3 x lamp to basket 771 in 12.5 ms";
/// 166 bytes.
const MIDDLE: &str = "2026-11-22 10:00:00,123 INFO [http-nio-8080-exec-7] [4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] c.e.shop.OrderService - order {} placed by alice for 17.20 EUR";
/// 300 bytes.
const LONG: &str = r#"[2026-11-22T10:00:00.123Z] "GET /api/v1/orders/{}?full=1 HTTP/2" 200 - via_upstream - "-" 0 1234 56 55 "10.0.0.7" "Mozilla/5.0 (X11; Linux x86_64)" "5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11" "reviews:9080" "10.244.2.7:9080" outbound|9080||reviews.shop.svc.cluster.local 10.244.1.5:50000 10.96.12.9:9080 -"#;
/// 980 bytes.
const DOCUMENT: &str = r#"{"authority":"reviews:9080","bytes_received":0,"bytes_sent":379,"connection_termination_details":null,"downstream_local_address":"10.96.12.9:9080","downstream_remote_address":"10.244.1.5:41234","duration":17,"kubernetes.container_name":"istio-proxy","kubernetes.host":"node-3","kubernetes.labels.app":"productpage","kubernetes.namespace_name":"shop","kubernetes.pod_name":"productpage-v1-6d5f8c9b7d-x2x9z","method":"GET","path":"/reviews/{}?full=1","protocol":"HTTP/1.1","request_id":"5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11","requested_server_name":null,"response_code":200,"response_code_details":"via_upstream","response_flags":"-","route_name":"default","start_time":"2026-11-20T10:00:00.123Z","upstream_cluster":"outbound|9080||reviews.shop.svc.cluster.local","upstream_host":"10.244.2.7:9080","upstream_local_address":"10.244.1.5:50000","upstream_service_time":"12","upstream_transport_failure_reason":null,"user_agent":"Mozilla/5.0 (X11; Linux x86_64)","x_forwarded_for":null}"#;

/// Goes round lines whose templates are known.
fn run(bencher: Bencher<'_, '_>, lines: &[String]) {
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    for line in lines.iter().chain(lines) {
        run.add(STREAM, line);
    }
    bencher.counter(ItemsCount::new(lines.len())).bench_local(|| {
        lines.iter().for_each(|line| {
            divan::black_box(run.add(STREAM, line));
        });
    });
}

fn numbered(line: &str) -> Vec<String> {
    (0..LINES).map(|nth| line.replace("{}", &nth.to_string())).collect()
}

#[divan::bench]
fn known_short(bencher: Bencher<'_, '_>) {
    run(bencher, &numbered(SHORT));
}

#[divan::bench]
fn known_middle(bencher: Bencher<'_, '_>) {
    run(bencher, &numbered(MIDDLE));
}

#[divan::bench]
fn known_long(bencher: Bencher<'_, '_>) {
    run(bencher, &numbered(LONG));
}

#[divan::bench]
fn known_document(bencher: Bencher<'_, '_>) {
    run(bencher, &numbered(DOCUMENT));
}

/// All families, a stream for each: on average 120 bytes a line, names as variables, headers.
#[divan::bench]
fn known_mixed(bencher: Bencher<'_, '_>) {
    let lines: Vec<(StreamKey, String)> = families()
        .zip(0..)
        .flat_map(|(family, key)| family.lines(1, LINES).into_iter().map(move |line| (StreamKey(key), line.text)))
        .collect();
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    for (stream, line) in &lines {
        run.add(*stream, line);
    }
    bencher.counter(ItemsCount::new(lines.len())).bench_local(|| {
        lines.iter().for_each(|(stream, line)| {
            divan::black_box(run.add(*stream, line));
        });
    });
}

/// A word that is a name no line had before, in a place where names are known to be: found by its route.
#[divan::bench]
fn new_names(bencher: Bencher<'_, '_>) {
    let name =
        |nth: usize| -> String { (0..6).map(|at| char::from(b'a' + (nth / 26_usize.pow(at) % 26) as u8)).collect() };
    let lines: Vec<String> = (0..100_000).map(|nth| SHORT.replace("{}", &name(nth))).collect();
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    bencher.counter(ItemsCount::new(lines.len())).bench_local(|| {
        lines.iter().for_each(|line| {
            divan::black_box(run.add(STREAM, line));
        });
    });
}

/// Each line is like no other, and templates make way.
#[divan::bench]
fn new_templates(bencher: Bencher<'_, '_>) {
    unlike(bencher, "", 12);
}

/// The same of 60 words, all with the same beginning, so that each is compared with all that are kept: the worst there is.
#[divan::bench(sample_count = 10)]
fn new_templates_alike(bencher: Bencher<'_, '_>) {
    unlike(bencher, "host: open store ", 60);
}

fn unlike(bencher: Bencher<'_, '_>, beginning: &str, count: usize) {
    let word =
        |nth: usize| -> String { (0..5).map(|at| char::from(b'a' + (nth / 26_usize.pow(at) % 26) as u8)).collect() };
    let words = |nth: usize| (0..count).map(|at| word(nth * 7_919 + at * 104_729)).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = (0..2_000).map(|nth| format!("{beginning}{}", words(nth))).collect();
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    bencher.counter(ItemsCount::new(lines.len())).bench_local(|| {
        lines.iter().for_each(|line| {
            divan::black_box(run.add(STREAM, line));
        });
    });
}

/// What a query does for each row whose parameters are wanted.
#[divan::bench]
fn parameters(bencher: Bencher<'_, '_>) {
    let lines = numbered(MIDDLE);
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    lines.iter().for_each(|line| {
        run.add(STREAM, line);
    });
    let template = run.finish().list.swap_remove(0).template;
    let mut reader = Reader::default();
    bencher.counter(ItemsCount::new(lines.len())).bench_local(|| {
        lines.iter().for_each(|line| {
            divan::black_box(template.parameters(&mut reader, line));
        });
    });
}

//! What docs/receivers.md promises of every receiver, shown for each in turn.
//!
//! A receiver joins by one entry in [`CASES`].

use axum::Router;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Setup, options, port, send, wait_until};
use crate::sources::tests::{QUEUE, deliver};
use crate::{Demand, Intake, IntakeOptions, Peer, Protocol};

/// Texts to bytes.
pub(super) type Request = fn(&[&str]) -> Vec<u8>;

/// A receiver, and how its senders speak.
pub(super) struct Case {
    pub(super) protocol: Protocol,
    pub(super) over: Over,
    /// A request, or what one connection sends, with a record for each of these texts. The text is its body, or the name of a span.
    pub(super) request: Request,
    /// The same with an entry that can never be a record in the middle; `None` if the protocol has nothing that cannot.
    with_a_bad_one: Option<Request>,
}

pub(super) enum Over {
    /// Method, path and headers; the status of success, and of a request of which some records are bad.
    Http { router: fn(&Intake) -> Router, head: &'static str, good: u16, partly: u16 },
    /// What the server says once as many records are durable, after what it says to anyone.
    Tcp { port: &'static str, ack: fn(usize) -> Vec<u8> },
    /// As one message of a stream over gRPC, and never answered.
    Stream { router: fn(&Intake) -> Router, path: &'static str },
    /// Over TCP or UDP, and never answered.
    Unanswered { port: &'static str },
    /// Read from a queue, a message a line. It is "answered" by a position that moves, if it keeps anything.
    Queue { is_kept: bool },
}

pub(super) const CASES: &[Case] = &[
    Case {
        protocol: Protocol::Otlp,
        over: Over::Http {
            router: Intake::otlp_http_router,
            head: "POST /v1/logs\ncontent-type: application/json",
            good: 200,
            partly: 200,
        },
        request: |texts| otlp(texts.iter().map(|text| format!(r#"{{"body":{{"stringValue":"{text}"}}}}"#))),
        with_a_bad_one: Some(|texts| {
            let records = texts.iter().map(|text| format!(r#"{{"body":{{"stringValue":"{text}"}}}}"#));
            otlp(records.chain([r#"{"body":{"intValue":"x"}}"#.to_owned()]))
        }),
    },
    Case {
        protocol: Protocol::Elasticsearch,
        over: Over::Http { router: Intake::elasticsearch_router, head: "POST /web/_bulk", good: 200, partly: 200 },
        request: |texts| lines(texts, |text| format!("{{\"index\":{{}}}}\n{{\"message\":\"{text}\"}}")),
        with_a_bad_one: Some(|texts| {
            let bad = b"{\"index\":{}}\nnot json\n".to_vec();
            [bad, lines(texts, |text| format!("{{\"index\":{{}}}}\n{{\"message\":\"{text}\"}}"))].concat()
        }),
    },
    Case {
        protocol: Protocol::Loki,
        over: Over::Http {
            router: Intake::loki_router,
            head: "POST /loki/api/v1/push\ncontent-type: application/json",
            good: 204,
            partly: 400,
        },
        request: |texts| loki(texts.iter().map(|text| format!("[\"1795168800000000001\",\"{text}\"]"))),
        with_a_bad_one: Some(|texts| {
            let entries = texts.iter().map(|text| format!("[\"1795168800000000001\",\"{text}\"]"));
            loki(std::iter::once("[\"x\",\"bad\"]".to_owned()).chain(entries))
        }),
    },
    Case {
        protocol: Protocol::Ndjson,
        over: Over::Http { router: Intake::native_router, head: "POST /api/v1/ingest/ndjson", good: 200, partly: 200 },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Syslog,
        over: Over::Unanswered { port: "syslog-tcp" },
        request: |texts| lines(texts, |text| format!("<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Syslog,
        over: Over::Unanswered { port: "syslog-udp" },
        request: |texts| lines(texts, |text| format!("<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Forward,
        over: Over::Tcp { port: "forward-tcp", ack: |_| b"\x81\xa3ack\xa1c".to_vec() },
        request: |texts| forward(texts.len(), texts.iter().flat_map(|text| forward_event(text))),
        with_a_bad_one: Some(|texts| {
            let events = texts.iter().flat_map(|text| forward_event(text));
            forward(texts.len() + 1, [0x2a].into_iter().chain(events))
        }),
    },
    Case {
        protocol: Protocol::Forward,
        over: Over::Unanswered { port: "forward-tcp" },
        request: |texts| {
            let message = |text: &&str| [b"\x93\xa1t".as_slice(), &forward_event(text)[1..]].concat();
            texts.iter().flat_map(message).collect()
        },
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Beats,
        over: Over::Tcp { port: "beats", ack: |count| [b"2A".as_slice(), &(count as u32).to_be_bytes()].concat() },
        request: beats,
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Hec,
        over: Over::Http {
            router: Intake::hec_router,
            head: "POST /services/collector/event\nauthorization: Splunk t",
            good: 200,
            partly: 400,
        },
        request: |texts| texts.iter().map(|text| format!("{{\"event\":\"{text}\"}}")).collect::<String>().into_bytes(),
        with_a_bad_one: Some(|texts| {
            let events = texts.iter().map(|text| format!("{{\"event\":\"{text}\"}}")).collect::<String>();
            format!("{{\"message\":1}}{events}").into_bytes()
        }),
    },
    Case {
        protocol: Protocol::Gelf,
        over: Over::Http { router: Intake::gelf_router, head: "POST /gelf", good: 202, partly: 400 },
        request: |texts| lines(texts, gelf),
        with_a_bad_one: Some(|texts| [b"x\n".to_vec(), lines(texts, gelf)].concat()),
    },
    Case {
        protocol: Protocol::Gelf,
        over: Over::Unanswered { port: "gelf-udp" },
        request: |texts| lines(texts, gelf),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Gelf,
        over: Over::Unanswered { port: "gelf-tcp" },
        request: |texts| texts.iter().map(|text| gelf(text) + "\0").collect::<String>().into_bytes(),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Datadog,
        over: Over::Http {
            router: Intake::datadog_router,
            head: "POST /api/v2/logs\ndd-api-key: k",
            good: 202,
            partly: 202,
        },
        request: datadog,
        with_a_bad_one: Some(|texts| [datadog(texts), b"\n{broken".to_vec()].concat()),
    },
    Case {
        protocol: Protocol::Datadog,
        over: Over::Unanswered { port: "datadog-tcp" },
        request: |texts| lines(texts, |text| format!("0123456789abcdef0123456789abcdef {{\"message\":\"{text}\"}}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::EnvoyAls,
        over: Over::Stream {
            router: Intake::als_router,
            path: "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
        },
        request: |texts| als(texts.iter().map(|text| als_entry(text))),
        with_a_bad_one: Some(|texts| als(texts.iter().map(|text| als_entry(text)).chain([vec![0xff]]))),
    },
    Case {
        protocol: Protocol::DatadogTraces,
        over: Over::Http {
            router: Intake::datadog_traces_router,
            head: "PUT /v0.4/traces\nx-datadog-trace-count: 1",
            good: 200,
            partly: 200,
        },
        request: |texts| datadog_spans(texts.iter().map(|text| datadog_span(text))),
        with_a_bad_one: Some(|texts| datadog_spans(texts.iter().map(|text| datadog_span(text)).chain([vec![0xc0]]))),
    },
    Case {
        protocol: Protocol::Relp,
        over: Over::Tcp {
            port: "relp",
            ack: |count| {
                let answers = (0..count).map(|place| format!("{} rsp 6 200 OK\n", place + 2)).collect::<String>();
                let offers = "200 OK\nrelp_version=0\nrelp_software=logkeep\ncommands=syslog";
                format!("1 rsp {} {offers}\n{answers}", offers.len()).into_bytes()
            },
        },
        request: relp,
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Journal,
        over: Over::Http {
            router: Intake::journal_router,
            head: "POST /upload\ncontent-type: application/vnd.fdo.journal",
            good: 202,
            partly: 202,
        },
        request: |texts| {
            lines(texts, |text| format!("__CURSOR=c\n__REALTIME_TIMESTAMP=1795168800000000\nMESSAGE={text}\n"))
        },
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Firehose,
        over: Over::Http { router: Intake::firehose_router, head: "POST /firehose", good: 200, partly: 200 },
        request: |texts| firehose(texts, ""),
        with_a_bad_one: Some(|texts| firehose(texts, r#"{"data":"!"},"#)),
    },
    Case {
        protocol: Protocol::Json,
        over: Over::Http { router: Intake::json_router, head: "POST /api/v1/ingest/json", good: 200, partly: 400 },
        request: datadog,
        with_a_bad_one: Some(|texts| [datadog(texts), b"\n{broken".to_vec()].concat()),
    },
    Case {
        protocol: Protocol::Json,
        over: Over::Unanswered { port: "json-tcp" },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Json,
        over: Over::Unanswered { port: "json-udp" },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Otlp,
        over: Over::Http {
            router: Intake::otlp_http_router,
            head: "POST /v1/traces\ncontent-type: application/json",
            good: 200,
            partly: 200,
        },
        request: |texts| otlp_spans(texts.iter().map(|text| format!(r#"{{"name":"{text}"}}"#))),
        with_a_bad_one: Some(|texts| {
            otlp_spans(texts.iter().map(|text| format!(r#"{{"name":"{text}"}}"#)).chain([r#"{"name":1}"#.to_owned()]))
        }),
    },
    Case {
        protocol: Protocol::Zipkin,
        over: Over::Http { router: Intake::zipkin_router, head: "POST /api/v2/spans", good: 202, partly: 400 },
        request: |texts| zipkin(texts.iter().map(|text| format!(r#"{{"traceId":"1","name":"{text}"}}"#))),
        with_a_bad_one: Some(|texts| {
            let good = texts.iter().map(|text| format!(r#"{{"traceId":"1","name":"{text}"}}"#));
            zipkin(std::iter::once("{}".to_owned()).chain(good))
        }),
    },
    Case {
        protocol: Protocol::Jaeger,
        over: Over::Http { router: Intake::jaeger_http_router, head: "POST /api/traces", good: 202, partly: 400 },
        request: jaeger,
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Jaeger,
        over: Over::Unanswered { port: "jaeger-binary" },
        request: |texts| {
            let head = b"\x80\x01\x00\x04\x00\x00\x00\x09emitBatch\x00\x00\x00\x01\x0c\x00\x01".to_vec();
            [head, jaeger(texts), vec![0]].concat()
        },
        with_a_bad_one: None,
    },
    Case {
        protocol: Protocol::Kafka,
        over: Over::Queue { is_kept: true },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: Some(with_a_bad_message),
    },
    Case {
        protocol: Protocol::Nats,
        over: Over::Queue { is_kept: true },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: Some(with_a_bad_message),
    },
    Case {
        protocol: Protocol::Nats,
        over: Over::Queue { is_kept: false },
        request: |texts| lines(texts, |text| format!("{{\"message\":\"{text}\"}}")),
        with_a_bad_one: Some(with_a_bad_message),
    },
];

fn with_a_bad_message(texts: &[&str]) -> Vec<u8> {
    [b"no json\n".to_vec(), lines(texts, |text| format!("{{\"message\":\"{text}\"}}"))].concat()
}

fn gelf(text: &str) -> String {
    format!("{{\"version\":\"1.1\",\"host\":\"web-1\",\"short_message\":\"{text}\"}}")
}

/// An array of documents with a message.
fn datadog(texts: &[&str]) -> Vec<u8> {
    let documents: Vec<_> = texts.iter().map(|text| format!("{{\"message\":\"{text}\"}}")).collect();
    format!("[{}]", documents.join(",")).into_bytes()
}

/// A message of gRPC with HTTP entries.
fn als(entries: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let entries: Vec<u8> = entries.flat_map(|entry| field(1, &entry)).collect();
    let message = field(2, &entries);
    [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat()
}

/// Of a request for this path.
fn als_entry(text: &str) -> Vec<u8> {
    let path = [&[5 << 3 | 2, text.len() as u8], text.as_bytes()].concat();
    [&[3 << 3 | 2, path.len() as u8], &path[..]].concat()
}

/// One trace, in MessagePack.
fn datadog_spans(spans: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let spans: Vec<_> = spans.collect();
    [&[0x91, 0xdc][..], &(spans.len() as u16).to_be_bytes(), &spans.concat()].concat()
}

fn datadog_span(text: &str) -> Vec<u8> {
    [b"\x83\xa8trace_id\x01\xa7span_id\x02\xa4name\xd9".as_slice(), &[text.len() as u8], text.as_bytes()].concat()
}

fn relp(texts: &[&str]) -> Vec<u8> {
    let frame = |(place, text): (usize, &&str)| {
        let message = format!("<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}");
        format!("{} syslog {} {message}\n", place + 2, message.len())
    };
    let frames = texts.iter().enumerate().map(frame).collect::<String>();
    format!("1 open 14 relp_version=0\n{frames}").into_bytes()
}

fn firehose(texts: &[&str], before: &str) -> Vec<u8> {
    use base64::Engine as _;
    let encode = |text: &&str| base64::engine::general_purpose::STANDARD.encode(format!("{{\"message\":\"{text}\"}}"));
    let records: Vec<_> = texts.iter().map(|text| format!("{{\"data\":\"{}\"}}", encode(text))).collect();
    format!(r#"{{"requestId":"r1","timestamp":5,"records":[{before}{}]}}"#, records.join(",")).into_bytes()
}

fn beats(texts: &[&str]) -> Vec<u8> {
    let window = [b"2W".as_slice(), &(texts.len() as u32).to_be_bytes()].concat();
    let event = |(place, text): (usize, &&str)| {
        let json = format!("{{\"message\":\"{text}\"}}");
        let numbers = [(place as u32 + 1).to_be_bytes(), (json.len() as u32).to_be_bytes()].concat();
        [b"2J".as_slice(), &numbers, json.as_bytes()].concat()
    };
    window.into_iter().chain(texts.iter().enumerate().flat_map(event)).collect()
}

fn lines(texts: &[&str], line: impl Fn(&str) -> String) -> Vec<u8> {
    texts.iter().map(|text| line(text) + "\n").collect::<String>().into_bytes()
}

fn otlp(records: impl Iterator<Item = String>) -> Vec<u8> {
    let records = records.collect::<Vec<_>>().join(",");
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#).into_bytes()
}

fn otlp_spans(spans: impl Iterator<Item = String>) -> Vec<u8> {
    let spans = spans.collect::<Vec<_>>().join(",");
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#).into_bytes()
}

fn zipkin(spans: impl Iterator<Item = String>) -> Vec<u8> {
    format!("[{}]", spans.collect::<Vec<_>>().join(",")).into_bytes()
}

/// A batch in binary Thrift: an empty process, and spans that have only a name.
fn jaeger(texts: &[&str]) -> Vec<u8> {
    let count = (texts.len() as u32).to_be_bytes();
    let span = |text: &&str| [&[11, 0, 5][..], &(text.len() as u32).to_be_bytes(), text.as_bytes(), &[0]].concat();
    let spans: Vec<u8> = texts.iter().flat_map(span).collect();
    [&[12, 0, 1, 0, 15, 0, 2, 12][..], &count, &spans, &[0]].concat()
}

fn loki(entries: impl Iterator<Item = String>) -> Vec<u8> {
    let entries = entries.collect::<Vec<_>>().join(",");
    format!(r#"{{"streams":[{{"stream":{{"app":"web"}},"values":[{entries}]}}]}}"#).into_bytes()
}

fn forward_event(text: &str) -> Vec<u8> {
    [b"\x92\x01\x81\xa7message\xd9".as_slice(), &[text.len() as u8], text.as_bytes()].concat()
}

/// A message that wants to be acked as `c`.
fn forward(count: usize, events: impl Iterator<Item = u8>) -> Vec<u8> {
    let count = (count as u16).to_be_bytes();
    let head = [b"\x93\xa1t\xdc".as_slice(), &count].concat();
    head.into_iter().chain(events).chain(*b"\x81\xa5chunk\xa1c").collect()
}

/// A receiver under test.
struct Served {
    setup: Setup,
    case: &'static Case,
    stop: CancellationToken,
    address: Option<std::net::SocketAddr>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

/// How a request went.
#[derive(Debug, PartialEq)]
enum Outcome {
    Acked,
    /// The protocol's own "later": the sender will send it again.
    Later,
    /// The protocol's own "never".
    Never,
    /// Nobody is told anything.
    Silence,
}

impl Served {
    async fn new(case: &'static Case) -> Self {
        let limits = IntakeOptions { request_bytes: 64 << 10, request_decompressed_bytes: 1 << 20, ..options() };
        let setup = Setup::with(limits).await;
        let stop = CancellationToken::new();
        let (intake, stopping) = (setup.intake.clone(), stop.clone());
        let (Over::Tcp { port: name, .. } | Over::Unanswered { port: name }) = &case.over else {
            return Self { setup, case, stop, address: None, serving: None };
        };
        let port = port(name);
        let (address, serving) = if port.is_udp() {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = socket.local_addr().unwrap();
            (address, tokio::spawn(async move { intake.serve_udp(port, socket, stopping).await }))
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let door = intake.door(Some(port), listener, None, Demand::Open);
            (address, tokio::spawn(async move { intake.serve_tcp(door, stopping).await }))
        };
        Self { setup, case, stop, address: Some(address), serving: Some(serving) }
    }

    fn name(&self) -> String {
        match &self.case.over {
            Over::Http { head, .. } => format!("{} {head}", self.case.protocol.name()),
            Over::Stream { path, .. } => (*path).to_owned(),
            Over::Tcp { port, .. } | Over::Unanswered { port } => (*port).to_owned(),
            Over::Queue { is_kept } => format!("{}, kept: {is_kept}", self.case.protocol.name()),
        }
    }

    /// Sends the bytes as one request or connection, and says what the sender learns. `records` are in it.
    async fn send(&self, bytes: Vec<u8>, records: usize) -> Outcome {
        match &self.case.over {
            Over::Http { router, head, good, partly } => {
                let answer = send(&router(&self.setup.intake), head, bytes).await;
                match answer.status {
                    status if status == *good || status == *partly && records > 0 => Outcome::Acked,
                    429 | 503 => {
                        assert_ne!(answer.header("retry-after"), "", "{}", self.name());
                        Outcome::Later
                    }
                    _ => Outcome::Never,
                }
            }
            Over::Tcp { ack, .. } => {
                let expected = ack(records);
                let mut stream = TcpStream::connect(self.address.unwrap()).await.unwrap();
                // A server that refuses may close before it has read everything.
                let _ = stream.write_all(&bytes).await;
                let mut said = Vec::new();
                while !said.ends_with(&expected) {
                    let mut buffer = [0; 256];
                    match stream.read(&mut buffer).await {
                        Ok(count @ 1..) => said.extend_from_slice(&buffer[..count]),
                        _ => return Outcome::Later,
                    }
                }
                Outcome::Acked
            }
            Over::Stream { router, path } => {
                let request = http::Request::post(*path).header("content-type", "application/grpc");
                let request = request
                    .extension(crate::http::Stopping(self.stop.clone()))
                    .extension(axum::extract::ConnectInfo(Peer::at(std::net::SocketAddr::from(([127, 0, 0, 1], 1)))))
                    .body(axum::body::Body::from(bytes))
                    .unwrap();
                router(&self.setup.intake).oneshot(request).await.unwrap();
                Outcome::Silence
            }
            Over::Queue { is_kept } => {
                let messages = bytes.split(|byte| *byte == b'\n').filter(|message| !message.is_empty());
                let messages = messages.map(Bytes::copy_from_slice).collect();
                let queue = (self.case.protocol, *is_kept);
                match deliver(&self.setup.intake, queue, messages, &self.stop).await {
                    true => Outcome::Acked,
                    false if *is_kept => Outcome::Later,
                    false => Outcome::Silence,
                }
            }
            Over::Unanswered { port: name } => {
                if port(name).is_udp() {
                    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                        socket.send_to(line, self.address.unwrap()).await.unwrap();
                    }
                    return Outcome::Silence;
                }
                let mut stream = TcpStream::connect(self.address.unwrap()).await.unwrap();
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)), "{} was answered", self.name());
                Outcome::Silence
            }
        }
    }

    fn is_unanswered(&self) -> bool {
        matches!(self.case.over, Over::Unanswered { .. } | Over::Stream { .. } | Over::Queue { is_kept: false })
    }

    async fn stop(mut self) -> Setup {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.await.unwrap();
        }
        let peer = match self.case.over {
            Over::Http { .. } => "10.1.2.3",
            Over::Queue { .. } => QUEUE,
            _ => "127.0.0.1",
        };
        self.setup.check_ledger(self.case.protocol, peer).await;
        self.setup
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acked_is_stored_and_counted() {
    for case in CASES {
        let served = Served::new(case).await;
        let name = served.name();
        let outcome = served.send((case.request)(&["one", "two"]), 2).await;
        if served.is_unanswered() {
            wait_until("storing", || served.setup.texts().len() >= 2).await;
        } else {
            assert_eq!(outcome, Outcome::Acked, "{name}");
        }
        assert_eq!(served.setup.texts(), ["one", "two"], "{name}");
        let setup = served.stop().await;
        let counts = setup.counts(case.protocol);
        assert_eq!((counts.received, counts.stored, counts.connections), (2, 2, 0), "{name}");
        assert!(counts.bytes > 0, "{name}");
        let protocol = setup.logs_and_spans(|record| {
            record.resource.attribute("logkeep.protocol").and_then(|value| value.as_str()).unwrap_or("?").to_owned()
        });
        assert_eq!(protocol, [case.protocol.name(); 2], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acked_that_is_not_durable() {
    for case in CASES {
        let served = Served::new(case).await;
        let name = served.name();
        served.setup.ingest.close();
        let sending = served.send((case.request)(&["one", "two"]), 2);
        let tried = || served.setup.intake.counters().iter().any(|counts| counts.deferred + counts.waiting >= 2);
        // Some senders are told, some connections end, and some are held until the server stops.
        let stopping = async {
            wait_until(&name, tried).await;
            served.stop.cancel();
        };
        let (outcome, ()) = tokio::join!(sending, stopping);
        let expected = if served.is_unanswered() { Outcome::Silence } else { Outcome::Later };
        assert_eq!(outcome, expected, "{name}");
        let setup = served.stop().await;
        assert_eq!(setup.counts(case.protocol).stored, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_costs_only_itself() {
    for case in CASES {
        let Some(with_a_bad_one) = case.with_a_bad_one else { continue };
        let served = Served::new(case).await;
        let name = served.name();
        let outcome = served.send(with_a_bad_one(&["one", "two"]), 3).await;
        if served.is_unanswered() {
            wait_until("storing", || served.setup.texts().len() >= 2).await;
        } else {
            assert_eq!(outcome, Outcome::Acked, "{name}");
        }
        assert_eq!(served.setup.texts(), ["one", "two"], "{name}");
        let setup = served.stop().await;
        let counts = setup.counts(case.protocol);
        assert_eq!((counts.received, counts.stored, counts.rejected), (3, 2, 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_request_that_breaks_off_nothing_is_acked_and_no_record_is_half() {
    let is_tcp = |case: &&Case| match &case.over {
        Over::Http { .. } | Over::Stream { .. } | Over::Queue { .. } => false,
        Over::Tcp { port: name, .. } | Over::Unanswered { port: name } => !port(name).is_udp(),
    };
    for case in CASES.iter().filter(is_tcp) {
        let served = Served::new(case).await;
        let whole = (case.request)(&["one", "two"]);
        for length in 1..whole.len() {
            let mut stream = TcpStream::connect(served.address.unwrap()).await.unwrap();
            stream.write_all(&whole[..length]).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
            if let Over::Tcp { ack, .. } = &case.over {
                assert!(!said.ends_with(&ack(2)), "{} after {length} bytes: {said:02x?}", served.name());
            } else {
                assert!(said.is_empty(), "{} after {length} bytes: {said:02x?}", served.name());
            }
        }
        let (name, unanswered) = (served.name(), served.is_unanswered());
        let setup = served.stop().await;
        setup.counts(case.protocol);
        // RELP answers each message for itself, so the first may be there.
        let whole = |body: &String| matches!(body.as_str(), "one");
        if !unanswered {
            assert!(setup.texts().iter().all(whole), "{name}: {:?}", setup.texts());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_the_next_is_not() {
    // How large a message may be is up to the queue; of a stream and of those never answered nothing is refused.
    for case in CASES.iter().filter(|case| matches!(case.over, Over::Http { .. } | Over::Tcp { .. })) {
        let served = Served::new(case).await;
        let name = served.name();
        let text = "x".repeat(200);
        // Where a request is read piece by piece, the largest piece counts.
        let long = "x".repeat(70 << 10);
        let bytes = match case.protocol {
            Protocol::Beats => beats(&[&long]),
            // Messages of megabytes are cut and not refused.
            Protocol::Relp => b"1 open 14 relp_version=0\n2 syslog 99999999 x".to_vec(),
            // Its request never ends; an entry that large is what is refused.
            Protocol::Journal => b"A=".iter().chain(&vec![b'x'; 9 << 20]).copied().collect(),
            _ => (case.request)(&vec![text.as_str(); 1_000]),
        };
        let claimed = usize::from(matches!(case.over, Over::Tcp { .. }));
        assert_ne!(served.send(bytes, claimed).await, Outcome::Acked, "{name}");
        assert_eq!(served.send((case.request)(&["one"]), 1).await, Outcome::Acked, "{name}");
        assert_eq!(served.setup.texts(), ["one"], "{name}");
        let setup = served.stop().await;
        assert_eq!(setup.counts(case.protocol).refused, 1, "{name}");
    }
}

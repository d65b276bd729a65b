//! What senders do that no test can install: requests in the bytes that they write, made by ourselves after what they were
//! seen to do. docs/receivers-quirks.md lists them, a test each.

mod datadog_agent;
mod elastic;
mod fluent_bit;
mod promtail;
mod retries;

use logkeep_record::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Setup, listen, port};
use crate::Demand;

/// A connection to a listener.
struct Wire {
    stream: TcpStream,
    _stop: DropGuard,
}

/// What a request of HTTP is answered.
struct Heard {
    status: u16,
    /// With names in small letters.
    head: String,
    body: String,
}

impl Wire {
    async fn to(setup: &Setup, name: &'static str) -> Self {
        let (address, stop) = match setup.intake.port_router(port(name)) {
            None => listen(setup, name).await,
            Some(router) => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
                let door = setup.intake.door(Some(port(name)), listener, None, Demand::Open);
                tokio::spawn(crate::serve_http(door, router, stop.clone()));
                (address, stop)
            }
        };
        Self { stream: TcpStream::connect(address).await.unwrap(), _stop: stop.drop_guard() }
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next bytes of a protocol that is not HTTP.
    async fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut heard = vec![0; count];
        self.stream.read_exact(&mut heard).await.unwrap();
        heard
    }

    /// Ends our half, and gives what is said until the other ends.
    async fn end(mut self) -> Vec<u8> {
        self.stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        self.stream.read_to_end(&mut heard).await.unwrap();
        heard
    }

    /// Sends a request of HTTP and reads its answer off the connection, which stays for the next one. `head` is its first line and
    /// its headers, in which `LENGTH` stands for the body's.
    async fn ask(&mut self, head: &str, body: &[u8]) -> Heard {
        let lines: String = head.trim().lines().map(|line| format!("{}\r\n", line.trim())).collect();
        let lines = lines.replace("LENGTH", &body.len().to_string());
        self.say(&[lines.as_bytes(), b"\r\n", body].concat()).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.extend(self.hear(1).await);
        }
        let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let body = if lines.starts_with("HEAD ") { Vec::new() } else { self.hear(length).await };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Heard { status, head, body: String::from_utf8(body).unwrap() }
    }
}

/// Serves a UDP port and sends these datagrams there, until as many records are stored.
async fn datagrams(setup: &Setup, name: &'static str, datagrams: &[&[u8]]) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (setup.intake.clone(), stop.clone());
    let serving = tokio::spawn(async move { intake.serve_udp(port(name), socket, stopping).await });
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for datagram in datagrams {
        sender.send_to(datagram, address).await.unwrap();
    }
    super::wait_until("storing", || setup.bodies().len() == datagrams.len()).await;
    stop.cancel();
    serving.await.unwrap();
}

/// Of each record its time in nanoseconds, its body, and these attributes of it or of its resource, `-` where there is none.
fn facts(setup: &Setup, names: &[&str]) -> Vec<String> {
    setup.stored("default", |record| {
        let mut out = format!("{} {}", record.time_ns.unwrap_or(0), record.body.as_str().unwrap_or("?"));
        for name in names {
            out.push(' ');
            match record.attribute(name).or_else(|| record.resource.attribute(name)) {
                Some(value) => json::write(value, &mut out),
                None => out.push('-'),
            }
        }
        out
    })
}

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::{Setup, port, wait_until};
use crate::{Demand, Protocol};

/// Sends `bytes` in pieces over one connection, and checks what is stored of it.
async fn check_tcp(bytes: &[u8], piece: usize, expected: &[&str]) {
    let setup = Setup::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (intake, shutdown) = (setup.intake.clone(), CancellationToken::new());
    let stopping = shutdown.clone();
    let door = intake.door(Some(port("syslog-tcp")), listener, None, Demand::Open);
    let serving = tokio::spawn(async move { intake.serve_tcp(door, stopping).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in bytes.chunks(piece) {
        // The server may have closed a connection it cannot read.
        let _ = stream.write_all(part).await;
    }
    let _ = stream.shutdown().await;
    let _ = stream.read(&mut [0; 1]).await;
    wait_until("storing", || setup.bodies().len() >= expected.len()).await;
    shutdown.cancel();
    serving.await.unwrap();
    assert_eq!(setup.bodies(), expected);
    let counts = setup.counts(Protocol::Syslog);
    assert_eq!((counts.stored, counts.connections), (expected.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_in_both_framings() {
    let lines = b"<34>1 2026-11-20T10:00:00Z host app 7 - - one\n<13>Nov 20 10:00:00 host app[1]: two\nno header\n";
    check_tcp(lines, 1_000, &["one", "two", "no header"]).await;
    check_tcp(lines, 7, &["one", "two", "no header"]).await;
    let one = "<34>1 2026-11-20T10:00:00Z host app 7 - - one\n";
    let counted = format!("{} {one}{} {one}", one.len(), one.len());
    check_tcp(counted.as_bytes(), 5, &["one", "one"]).await;
    check_tcp(b"<13>cut off", 100, &["cut off"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_read_is_closed_and_what_was_read_is_stored() {
    check_tcp(b"9 <13>hello x <13>bad", 100, &["hello"]).await;
    check_tcp(b"\x16\x03\x01\x02\x00", 100, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn udp() {
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (intake, shutdown) = (setup.intake.clone(), CancellationToken::new());
    let stopping = shutdown.clone();
    let serving = tokio::spawn(async move { intake.serve_udp(port("syslog-udp"), socket, stopping).await });
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for text in ["<34>1 2026-11-20T10:00:00Z host app 7 - - one", "<13>two\n", "", "\u{feff}three"] {
        sender.send_to(text.as_bytes(), address).await.unwrap();
    }
    sender.send_to(b"fo\xffur", address).await.unwrap();
    wait_until("storing", || setup.bodies().len() == 4).await;
    shutdown.cancel();
    serving.await.unwrap();
    assert_eq!(setup.bodies()[..2], ["one", "two"]);
    assert_eq!(setup.bodies()[3], "fo\u{fffd}ur");
    let counts = setup.counts(Protocol::Syslog);
    assert_eq!((counts.stored, counts.dropped), (4, 0));
    let source = |record: &logkeep_record::Record<'_>| {
        record.resource.attribute("logkeep.source").and_then(|value| value.as_str()).unwrap_or("?").to_owned()
    };
    assert_eq!(setup.stored("default", source), ["127.0.0.1"; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_while_stopping_is_counted() {
    let setup = Setup::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    setup.ingest.close();
    let (intake, shutdown) = (setup.intake.clone(), CancellationToken::new());
    let stopping = shutdown.clone();
    let door = intake.door(Some(port("syslog-tcp")), listener, None, Demand::Open);
    let serving = tokio::spawn(async move { intake.serve_tcp(door, stopping).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"<13>kept\n").await.unwrap();
    // The ledger balances only once nothing is under way, so it is not checked here.
    let tried = || setup.intake.counters().iter().any(|counts| counts.waiting > 0);
    wait_until("an attempt", tried).await;
    assert!(!serving.is_finished());
    shutdown.cancel();
    serving.await.unwrap();
    assert_eq!(setup.counts(Protocol::Syslog).dropped, 1);
}

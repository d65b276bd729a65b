//! Bounds on connections that are not HTTP.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Setup, listen, options};
use crate::{IntakeOptions, Protocol};

/// One message of RELP, and what it is answered.
async fn is_served(stream: &mut TcpStream) {
    is_served_before(stream, "").await;
}

/// The same, with `more` sent along, which has arrived with what is answered.
async fn is_served_before(stream: &mut TcpStream, more: &str) {
    stream.write_all(format!("1 open 0\n2 syslog 4 text\n{more}").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"2 rsp 6 200 OK\n") {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "{}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_silent_for_longest_gives_way() {
    let idle_connection = Duration::from_millis(1);
    let setup = Setup::with(IntakeOptions { max_connections: 2, idle_connection, ..options() }).await;
    let (address, _stop) = listen(&setup, "relp").await;
    let mut first = TcpStream::connect(address).await.unwrap();
    is_served(&mut first).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    is_served(&mut second).await;
    // Many come and say nothing; whoever has something to say is served all the same.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut last = TcpStream::connect(address).await.unwrap();
    is_served(&mut last).await;
    assert_eq!(first.read(&mut [0; 8]).await.unwrap_or(0), 0, "the first was closed");
    let connections = || setup.intake.counters().iter().map(|counts| counts.connections).sum::<u64>();
    assert!(connections() <= 2);
    assert_eq!(setup.counts(Protocol::Relp).stored, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_the_middle_of_a_message_keeps_its_place() {
    let idle_connection = Duration::from_millis(1);
    let setup = Setup::with(IntakeOptions { max_connections: 1, idle_connection, ..options() }).await;
    let (address, _stop) = listen(&setup, "relp").await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    is_served_before(&mut busy, "3 syslog 4 te").await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"xt\n").await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"3 rsp 6 200 OK\n") {
        assert_ne!(busy.read_buf(&mut said).await.unwrap(), 0);
    }
    is_served(&mut waiting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_connections_hold_is_bounded_together() {
    let max_wait = Duration::from_millis(200);
    let setup = Setup::with(IntakeOptions { connections_bytes: 64 << 10, max_wait, ..options() }).await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    // Binary of 4 MiB is announced, which costs nothing, and a part of it sent, which there is no room for.
    let announced = b"\x92\xa1t\xc6\x00\x40\x00\x00";
    let mut greedy = TcpStream::connect(address).await.unwrap();
    greedy.write_all(announced).await.unwrap();
    let part = vec![0; 1 << 20];
    let _ = greedy.write_all(&part).await;
    assert_eq!(greedy.read(&mut [0; 8]).await.unwrap_or(0), 0, "it is closed");
    let mut modest = TcpStream::connect(address).await.unwrap();
    modest.write_all(b"\x93\xa1t\x91\x92\x01\x81\xa1m\x01\x81\xa5chunk\xa1c").await.unwrap();
    let mut said = [0; 7];
    modest.read_exact(&mut said).await.unwrap();
    assert_eq!(said, *b"\x81\xa3ack\xa1c");
}

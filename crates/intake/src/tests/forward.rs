use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::{Setup, listen, options, port, wait_until};
use crate::{ForwardSecurity, IntakeOptions, Protocol, Secret};

/// One event with this text, to be acked as this chunk.
fn message(text: u8, chunk: u8) -> Vec<u8> {
    [b"\x93\xa1t\x91\x92\x01\x81\xa1m\xa1".as_slice(), &[text], b"\x81\xa5chunk\xa1", &[chunk]].concat()
}

async fn acked(stream: &mut TcpStream, chunk: u8) {
    let mut said = [0; 7];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [b"\x81\xa3ack\xa1".as_slice(), &[chunk]].concat()[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_sent_again_is_known_by_its_id_and_content() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    for (text, chunk) in [(b'a', b'1'), (b'a', b'1'), (b'b', b'1'), (b'a', b'2')] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A heartbeat may come between messages.
        stream.write_all(&[b"\xc0".to_vec(), message(text, chunk)].concat()).await.unwrap();
        acked(&mut stream, chunk).await;
    }
    assert_eq!(setup.bodies(), [r#"{"m":"a"}"#, r#"{"m":"b"}"#, r#"{"m":"a"}"#]);
    let counts = setup.counts(Protocol::Forward);
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (4, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_of_one_connection_are_acked_in_their_order() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let all: Vec<u8> = (b'!'..=b'~').flat_map(|chunk| message(chunk, chunk)).collect();
    for part in all.chunks(7) {
        stream.write_all(part).await.unwrap();
    }
    for chunk in b'!'..=b'~' {
        acked(&mut stream, chunk).await;
    }
    assert_eq!(setup.bodies().len(), 94);
}

/// What a client with this key and password hears after its PING, and whether its event is acked.
async fn as_client(key: &[u8], user: &[u8], password: &[u8]) -> (bool, String) {
    use sha2::{Digest as _, Sha512};
    let users = vec![("ann".to_owned(), Secret::new("pass"))];
    let security = ForwardSecurity { shared_key: Secret::new("key"), users };
    let setup = Setup::with(IntakeOptions { forward: Some(security), ..options() }).await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut helo = [0; 65];
    stream.read_exact(&mut helo).await.unwrap();
    let (nonce, auth) = (&helo[15..31], &helo[38..54]);
    let digest = |parts: &[&[u8]]| hex::encode(Sha512::digest(parts.concat()));
    let key = digest(&[b"salt", b"host", nonce, key]);
    let password = digest(&[auth, user, password]);
    let mut ping = vec![0x96];
    for part in [b"PING".as_slice(), b"host", b"salt", key.as_bytes(), user, password.as_bytes()] {
        ping.extend([0xd9, part.len() as u8]);
        ping.extend_from_slice(part);
    }
    stream.write_all(&[ping, message(b'a', b'1')].concat()).await.unwrap();
    let mut pong = vec![0; 7];
    stream.read_exact(&mut pong).await.unwrap();
    if pong[6] == 0xc3 {
        stream.read_exact(&mut [0; 139]).await.unwrap();
        acked(&mut stream, b'1').await;
        return (true, String::new());
    }
    let mut reason = Vec::new();
    stream.read_to_end(&mut reason).await.unwrap();
    assert!(setup.bodies().is_empty());
    (false, String::from_utf8_lossy(&reason[1..]).trim_end_matches('\u{fffd}').to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_key_and_password_may_send() {
    assert_eq!(as_client(b"key", b"ann", b"pass").await, (true, String::new()));
    let mismatch = "username/password mismatch";
    for (key, user, password, reason) in [
        (b"other".as_slice(), b"ann".as_slice(), b"pass".as_slice(), "shared key mismatch"),
        (b"key", b"ann", b"other", mismatch),
        (b"key", b"bob", b"pass", mismatch),
    ] {
        let (accepted, said) = as_client(key, user, password).await;
        assert!(!accepted && said.starts_with(reason), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_a_message_may_be_is_refused_by_that_name() {
    let setup = Setup::with(IntakeOptions { request_bytes: 1 << 10, ..options() }).await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    // With an ack and without; it is enough that it says how long it is.
    for huge in [b"\x92\xa1t\xdb\x00\x10\x00\x00".as_slice(), b"\x93\xa1t\xc6\x01\x00\x00\x00"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[&message(b'a', b'1'), huge].concat()).await.unwrap();
        acked(&mut stream, b'1').await;
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "it ends without an ack");
    }
    let expected: logkeep_ingest::Reasons = [("too_large".to_owned(), 2)].into();
    wait_until("counting", || setup.counts(Protocol::Forward).refused == 2).await;
    assert_eq!(setup.ledger().await[0].1.refused, expected);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&message(b'b', b'2')).await.unwrap();
    acked(&mut stream, b'2').await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_are_answered() {
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (setup.intake.clone(), stop.clone());
    let serving = tokio::spawn(async move { intake.serve_udp(port("forward-udp"), socket, stopping).await });
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.send_to(b"\0", address).await.unwrap();
    assert_eq!(sender.recv_from(&mut [0; 8]).await.unwrap(), (1, address));
    stop.cancel();
    serving.await.unwrap();
}

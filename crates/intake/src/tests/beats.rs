use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Setup, listen};
use crate::Protocol;

fn event(sequence: u32, text: &str) -> Vec<u8> {
    let json = format!("{{\"@metadata\":{{\"beat\":\"b\"}},\"message\":\"{text}\"}}");
    [b"2J".as_slice(), &sequence.to_be_bytes(), &(json.len() as u32).to_be_bytes(), json.as_bytes()].concat()
}

fn window(count: u32) -> Vec<u8> {
    [b"2W".as_slice(), &count.to_be_bytes()].concat()
}

fn compressed(frames: &[u8]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(frames).unwrap();
    let content = zlib.finish().unwrap();
    [b"2C".as_slice(), &(content.len() as u32).to_be_bytes(), &content].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_acked_one_after_the_other_also_if_they_come_at_once() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "beats").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Several compressed frames with one that is not between them, numbers that begin anew, and a window of nothing.
    let first =
        [window(4), compressed(&[event(1, "a"), event(2, "b")].concat()), event(3, "c"), compressed(&event(4, "d"))];
    let all = [first.concat(), window(0), window(1), event(1, "e")].concat();
    for part in all.chunks(11) {
        stream.write_all(part).await.unwrap();
    }
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, *b"2A\0\0\0\x042A\0\0\0\x01");
    assert_eq!(setup.bodies(), ["a", "b", "c", "d", "e"]);
    let original = setup.stored("default", |record| record.original.clone().unwrap_or_default().into_owned());
    assert!(original[0].contains("@metadata"));
    assert!(
        setup.stored("default", |record| format!("{:?}", record.attributes)).iter().all(|a| !a.contains("metadata"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_the_connection_and_stores_nothing() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "beats").await;
    let bomb = compressed(&vec![b' '; 8 << 20]);
    for bytes in [
        event(1, "outside of a window"),
        [window(2), event(1, "a"), window(2)].concat(),
        [window(1), compressed(&[event(1, "a"), event(2, "b")].concat())].concat(),
        [window(1), compressed(&window(1))].concat(),
        [window(1), bomb].concat(),
        window(u32::MAX),
        b"1W\0\0\0\x01".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.is_empty());
    }
    assert!(setup.bodies().is_empty());
    assert_eq!(setup.counts(Protocol::Beats).refused, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_waits_hears_that_we_are_at_work() {
    let setup = Setup::new().await;
    let (address, stop) = listen(&setup, "beats").await;
    setup.ingest.close();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[window(1), event(1, "a")].concat()).await.unwrap();
    let mut said = [0; 6];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, *b"2A\0\0\0\0");
    stop.cancel();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.chunks(6).all(|ack| ack == b"2A\0\0\0\0"));
}

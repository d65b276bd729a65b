use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::{Setup, gzip, port, send, wait_until};
use crate::{Demand, Protocol};

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_compressed_and_in_pieces() {
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (setup.intake.clone(), stop.clone());
    let serving = tokio::spawn(async move { intake.serve_udp(port("gelf-udp"), socket, stopping).await });
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let packed = gzip(br#"{"version":"1.1","host":"web-1","short_message":"in pieces","level":3,"_service":"pay"}"#);
    let pieces: Vec<_> = packed.chunks(packed.len().div_ceil(3)).collect();
    for (place, piece) in pieces.iter().enumerate().rev() {
        let head = [0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, place as u8, pieces.len() as u8];
        sender.send_to(&[&head, *piece].concat(), address).await.unwrap();
    }
    sender.send_to(&gzip(br#"{"host":"web-1","short_message":"whole"}"#), address).await.unwrap();
    // Neither of these can be read: a piece of nothing, and a stream that is cut off.
    sender.send_to(&[0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0], address).await.unwrap();
    sender.send_to(&packed[..20], address).await.unwrap();
    wait_until("storing", || {
        let counts = setup.intake.counters();
        counts.iter().any(|counts| counts.protocol == "gelf" && counts.stored == 2 && counts.dropped == 2)
    })
    .await;
    stop.cancel();
    serving.await.unwrap();
    assert_eq!(setup.bodies(), ["in pieces", "whole"]);
    let facts = setup.stored("default", |record| {
        let text = |name| record.resource.attribute(name).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
        format!("{} {} {}", text("host.name"), text("service.name"), record.severity.number())
    });
    assert_eq!(facts[0], "web-1 pay 17");
    assert_eq!(setup.counts(Protocol::Gelf).received, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http() {
    let setup = Setup::new().await;
    let router = setup.intake.gelf_router();
    let good = r#"{"version":"1.1","host":"h","short_message":"a"}"#;
    for (body, status) in [(good.to_owned(), 202), (format!("{good}\n{good}"), 202), (format!("x\n{good}"), 400)] {
        assert_eq!(send(&router, "POST /gelf", body).await.status, status);
    }
    // graypy announces two encodings and uses one.
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zlib, good.as_bytes()).unwrap();
    let packed = zlib.finish().unwrap();
    assert_eq!(send(&router, "POST /gelf\ncontent-encoding: gzip,deflate", packed).await.status, 202);
    assert_eq!(setup.bodies(), ["a"; 5]);
}

/// graypy does so.
#[tokio::test(flavor = "multi_thread")]
async fn senders_that_hang_up_without_reading_the_answer() {
    let setup = Setup::new().await;
    let router = setup.intake.port_router(port("gelf-http")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(crate::serve_http(
        setup.intake.door(Some(port("gelf-http")), listener, None, Demand::Open),
        router,
        stop.clone(),
    ));
    let body = r#"{"version":"1.1","host":"h","short_message":"a"}"#;
    let request = format!("POST /gelf HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for _ in 0..200 {
        TcpStream::connect(address).await.unwrap().write_all(request.as_bytes()).await.unwrap();
    }
    wait_until("storing", || setup.bodies().len() == 200).await;
    stop.cancel();
    serving.await.unwrap();
}

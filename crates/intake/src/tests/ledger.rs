//! What the ledger is told, beyond what every receiver keeps (`conformance.rs`).

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use logkeep_record::{Record, Resource, TenantId, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::{Setup, listen, port, send, wait_until};
use crate::account::reason;
use crate::datagrams::Inlet;
use crate::joining::{Held, Normalizers};
use crate::origin::Origin;
use crate::prepare::Preparing;
use crate::{Intake, Protocol, Serve};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_leaves_out_is_counted_for_the_source_and_the_rest_is_stored() {
    let setup = Setup::new().await;
    let peers: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
    let (policies, normalizers) = (setup.intake.policies(&TenantId::default()), Normalizers::of_each("syslog"));
    let mut preparing = Preparing::resume(&policies, normalizers, Held::default()).unwrap();
    for number in 0..10 {
        let peer = peers[usize::from(number % 3 == 0)];
        preparing.from(peer, 100);
        if number % 2 == 0 {
            preparing.leave_out("sampling");
            continue;
        }
        let record = Record::new(setup.intake.now_ns(), Value::from(number), Resource::from_attributes(vec![]));
        preparing.push(record).unwrap();
    }
    let prepared = preparing.finish().unwrap();
    let stored = setup.intake.commit(&Origin::of_many(Protocol::Syslog), prepared, None).await.unwrap();
    assert_eq!(stored.stored(), 5);
    let told: Vec<_> = setup
        .ledger()
        .await
        .into_iter()
        .map(|(source, counts)| {
            assert!(counts.is_balanced(), "{counts:?}");
            (source.peer.unwrap(), counts.received, counts.stored, counts.dropped["sampling"], counts.bytes)
        })
        .collect();
    assert_eq!(told, [("10.0.0.1".to_owned(), 6, 3, 3, 600), ("10.0.0.2".to_owned(), 4, 2, 2, 400)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_of_one_port_are_told_apart() {
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let Serve::Udp(serve) = port("syslog-udp").serve else { panic!("it is UDP") };
    let serving = tokio::spawn(serve(setup.intake.clone(), socket, stop.clone()));
    for (sender, messages) in [("127.0.0.2:0", 3), ("127.0.0.3:0", 2)] {
        let sender = UdpSocket::bind(sender).await.unwrap();
        for number in 0..messages {
            sender.send_to(format!("<13>Nov 20 10:00:00 web app: {number}").as_bytes(), address).await.unwrap();
        }
    }
    wait_until("storing", || setup.bodies().len() == 5).await;
    stop.cancel();
    serving.await.unwrap();
    let told: Vec<_> =
        setup.ledger().await.into_iter().map(|(source, counts)| (source.peer.unwrap(), counts.stored)).collect();
    assert_eq!(told, [("127.0.0.2".to_owned(), 3), ("127.0.0.3".to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_over_http_is_known_by_what_it_calls_itself_and_a_retry_as_one() {
    let setup = Setup::new().await;
    let router = Intake::native_router(&setup.intake);
    let head = "POST /api/v1/ingest/ndjson\nuser-agent: shipper/2\nx-logkeep-batch: k";
    for _ in 0..2 {
        assert_eq!(send(&router, head, "{\"message\":\"a\"}\n{\"message\":\"b\"}\n").await.status, 200);
    }
    let other = "POST /api/v1/ingest/ndjson\nx-logkeep-tenant: nobody\nuser-agent: lost";
    assert_eq!(send(&router, other, "{}").await.status, 403);
    setup.check_ledger(Protocol::Ndjson, "10.1.2.3").await;
    let told: Vec<_> = setup
        .ledger()
        .await
        .into_iter()
        .map(|(source, counts)| (source.sender.unwrap(), counts.stored, counts.deduplicated, counts.refused))
        .collect();
    let refused = [("unknown_tenant".to_owned(), 1)].into();
    assert_eq!(told, [("lost".to_owned(), 0, 0, refused), ("shipper/2".to_owned(), 2, 2, Default::default())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_beats_is_of_its_agent_unless_it_has_several() {
    let setup = Setup::new().await;
    for (number, agents) in [["a", "a"], ["a", "b"]].into_iter().enumerate() {
        let (address, stop) = listen(&setup, "beats").await;
        let event = |(place, agent): (usize, &str)| {
            let json = format!("{{\"message\":\"x\",\"agent\":{{\"name\":\"{agent}\"}}}}");
            let head = [b"2J\0\0\0".as_slice(), &[place as u8 + 1, 0, 0, 0, json.len() as u8]].concat();
            [head, json.into_bytes()].concat()
        };
        let events: Vec<u8> = agents.into_iter().enumerate().flat_map(event).collect();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(&[b"2W\0\0\0\x02".as_slice(), &events].concat()).await.unwrap();
        let mut ack = [0; 6];
        stream.read_exact(&mut ack).await.unwrap();
        assert_eq!(&ack, b"2A\0\0\0\x02", "{number}");
        stop.cancel();
    }
    let told: Vec<_> =
        setup.ledger().await.into_iter().map(|(source, counts)| (source.sender, counts.stored)).collect();
    assert_eq!(told, [(None, 2), (Some("a".to_owned()), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_named() {
    let setup = Setup::new().await;
    let router = setup.intake.elasticsearch_router();
    let bulk = "{\"create\":{\"_id\":\"1\"}}\n{\"message\":\"a\"}\n{\"create\":{\"_id\":\"1\"}}\n{\"message\":\"b\"}\n{\"index\":{}}\nbad\n";
    assert_eq!(send(&router, "POST /web/_bulk", bulk).await.status, 200);
    let [(_, counts)] = &setup.ledger().await[..] else { panic!("one source") };
    assert_eq!((counts.received, counts.stored), (3, 1));
    assert_eq!(counts.rejected, [(reason::CONFLICT.to_owned(), 1), (reason::MALFORMED.to_owned(), 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_in_a_queue_is_counted_for_its_sender() {
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let inlet = Inlet { protocol: Protocol::Syslog, queue: 3, wanted: |_| true };
    let (intake, origin) = (setup.intake.clone(), Origin::of_many(Protocol::Syslog));
    let (until, stopping) = (stop.clone(), stop.clone());
    let serving = tokio::spawn(async move {
        let counting = intake.clone();
        let lost = |_: &[u8], peer| counting.count_dropped(&origin, Some(peer), reason::QUEUE_FULL, 1);
        let store = async move |waiting| {
            until.cancelled().await;
            drop(waiting);
        };
        inlet.serve(&intake, socket, stopping, lost, store).await;
    });
    let sender = UdpSocket::bind("127.0.0.7:0").await.unwrap();
    for number in 0..10 {
        sender.send_to(format!("{number}").as_bytes(), address).await.unwrap();
    }
    // Counters are added to one after the other: they add up at rest.
    let dropped = &setup.intake.inner.counters.of(Protocol::Syslog).dropped;
    wait_until("dropping", || dropped.load(Ordering::Relaxed) >= 7).await;
    stop.cancel();
    serving.await.unwrap();
    assert_eq!(setup.counts(Protocol::Syslog).dropped, 7);
    let [(source, counts)] = &setup.ledger().await[..] else { panic!("one source") };
    assert_eq!((source.peer.as_deref(), counts.received), (Some("127.0.0.7"), 7));
    assert_eq!(counts.dropped, [(reason::QUEUE_FULL.to_owned(), 7)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kernel_drops_is_counted() {
    const SENT: u64 = 300;
    let setup = Setup::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 10).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // Nobody receives yet, and there is no room for all.
    for number in 0..SENT {
        let message = format!("<13>Nov 20 10:00:00 web app: {number} {}", "x".repeat(500));
        sender.send_to(message.as_bytes(), socket.local_addr().unwrap()).await.unwrap();
    }
    let stop = CancellationToken::new();
    let Serve::Udp(serve) = port("syslog-udp").serve else { panic!("it is UDP") };
    let serving = tokio::spawn(serve(setup.intake.clone(), socket, stop.clone()));
    let counters = setup.intake.inner.counters.of(Protocol::Syslog);
    let counted = || counters.stored.load(Ordering::Relaxed) + counters.dropped.load(Ordering::Relaxed);
    wait_until("counting", || counted() >= SENT).await;
    stop.cancel();
    serving.await.unwrap();
    let (mut stored, mut dropped) = (0, 0);
    for (source, counts) in setup.ledger().await {
        assert!(counts.is_balanced(), "{counts:?}");
        match source.peer {
            Some(_) => stored += counts.stored,
            None => dropped += counts.dropped[reason::KERNEL_FULL],
        }
    }
    assert!(stored > 0 && dropped > 0, "{stored} {dropped}");
    assert_eq!(stored + dropped, SENT);
}

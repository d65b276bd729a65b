//! Every receiver over TLS, and who is not let in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::conformance::{CASES, Over};
use super::{Setup, options, port, wait_until};
use crate::tls::Seen;
use crate::{Clients, Demand, IntakeOptions, Port, Protocol, Serve, Tls, TlsError, TlsOptions};

/// An authority, and pairs that it has issued, as files.
pub(super) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Whom a certificate is for, and until when.
#[derive(Clone)]
struct Subject {
    name: &'static str,
    uri: Option<&'static str>,
    usage: ExtendedKeyUsagePurpose,
    days: i64,
}

const HOST: Subject = Subject { name: "host", uri: None, usage: ExtendedKeyUsagePurpose::ServerAuth, days: 30 };
const SENDER: Subject = Subject { name: "sender", uri: None, usage: ExtendedKeyUsagePurpose::ClientAuth, days: 30 };

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { folder: tempfile::tempdir().unwrap(), issuer };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files of a new pair, in the place of those before.
    fn issue(&self, subject: Subject) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, subject.name);
        params.subject_alt_names.extend(subject.uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
        params.extended_key_usages.push(subject.usage);
        params.not_before = OffsetDateTime::now_utc() - time::Duration::days(60);
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(subject.days);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.file(&format!("{}.pem", subject.name)), self.file(&format!("{}.key", subject.name)));
        write_secret(&files.1, &key.serialize_pem());
        std::fs::write(&files.0, certificate.pem()).unwrap();
        files
    }

    /// What a listener has.
    fn listener(&self, clients: Clients) -> TlsOptions {
        let (certificate, key) = self.issue(HOST);
        TlsOptions { certificate, key, clients }
    }

    fn requiring(&self) -> TlsOptions {
        self.listener(Clients::Required(self.file("ca.pem").into()))
    }

    /// A client that trusts this authority and shows this pair.
    fn client(&self, shown: Option<(PathBuf, PathBuf)>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(crate::tls::provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Arc::new(match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        })
    }
}

fn write_secret(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
}

/// A listener that is served until this is dropped.
struct Listening {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Listening {
    async fn on(setup: &Setup, port: &'static Port, tls: Option<Arc<Tls>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (intake, stopping) = (setup.intake.clone(), stop.clone());
        let door = intake.door(Some(port), listener, tls, Demand::Open);
        let serving = tokio::spawn(async move {
            match intake.port_router(port) {
                Some(router) => crate::serve_http(door, router, stopping).await,
                None => intake.serve_tcp(door, stopping).await,
            }
        });
        Self { address, stop, serving }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

async fn connect(address: std::net::SocketAddr, client: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(client).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The port of HTTP that a protocol has, other than that of gRPC.
fn port_of(protocol: Protocol) -> Option<&'static Port> {
    let is_http = |port: &&Port| matches!(port.serve, Serve::Http(_)) && !port.name.ends_with("-grpc");
    crate::PORTS.iter().filter(|port| port.protocol == protocol).find(is_http)
}

/// One request in HTTP/1.1, and the status of its answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), head: &str, body: &[u8]) -> u16 {
    let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
    let headers: String = headers.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    let head = format!("{first} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    stream.flush().await.unwrap();
    let mut said = Vec::new();
    while !said.contains(&b'\n') {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "no answer to {head}");
    }
    String::from_utf8_lossy(&said).split(' ').nth(1).unwrap().parse().unwrap()
}

/// Sends what a case sends, and waits for what its sender is told.
async fn send(mut stream: TlsStream<TcpStream>, over: &Over, bytes: Vec<u8>, name: &str) {
    match over {
        Over::Http { head, good, .. } => assert_eq!(ask(&mut stream, head, &bytes).await, *good, "{name}"),
        Over::Tcp { ack, .. } => {
            stream.write_all(&bytes).await.unwrap();
            stream.flush().await.unwrap();
            let (expected, mut said) = (ack(2), Vec::new());
            while !said.ends_with(&expected) {
                assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "{name}: {said:02x?}");
            }
        }
        Over::Unanswered { .. } => {
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            // The end is told, or a connection that was cut could pass for one.
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "{name} was answered");
        }
        Over::Stream { .. } => unreachable!("streams of gRPC are tested with a client of their own"),
        Over::Queue { .. } => unreachable!("a queue is no listener"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_receiver_of_tcp_takes_tls_and_knows_who_sends() {
    let authority = Authority::new();
    let tls = Tls::open(authority.requiring()).unwrap();
    let sender = authority.client(Some(authority.issue(SENDER)));
    for case in CASES.iter().filter(|case| !matches!(case.over, Over::Stream { .. } | Over::Queue { .. })) {
        let port = match &case.over {
            Over::Tcp { port: name, .. } | Over::Unanswered { port: name } => Some(port(name)),
            _ => port_of(case.protocol),
        };
        let Some(port) = port.filter(|port| !port.is_udp()) else { continue };
        let setup = Setup::new().await;
        let listening = Listening::on(&setup, port, Some(tls.clone())).await;
        let stream = connect(listening.address, sender.clone()).await.unwrap();
        send(stream, &case.over, (case.request)(&["one", "two"]), port.name).await;
        wait_until("storing", || setup.texts().len() >= 2).await;
        listening.stop().await;
        assert_eq!(setup.texts(), ["one", "two"], "{}", port.name);
        let ledger = setup.ledger().await;
        assert!(!ledger.is_empty());
        for (source, counts) in ledger {
            let known = (source.peer.as_deref(), source.identity.as_deref());
            assert_eq!((known, counts.stored), ((Some("127.0.0.1"), Some("CN=sender")), 2), "{}", port.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_over_tls_is_http_2_by_agreement() {
    let authority = Authority::new();
    let setup = Setup::new().await;
    let tls = Tls::open(authority.listener(Clients::Unasked)).unwrap();
    let listening = Listening::on(&setup, port("otlp-grpc"), Some(tls)).await;
    let agreed = async |offered: &[&[u8]]| {
        let mut client = (*authority.client(None)).clone();
        client.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let stream = connect(listening.address, Arc::new(client)).await.ok()?;
        Some(stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()))
    };
    assert_eq!(agreed(&[b"http/1.1", b"h2"]).await, Some(Some("h2".into())));
    assert_eq!(agreed(&[b"http/1.1"]).await, Some(Some("http/1.1".into())));
    assert_eq!(agreed(&[]).await, Some(None));
    assert_eq!(agreed(&[b"spdy/1"]).await, None, "nothing in common");
    listening.stop().await;
}

/// What a listener makes of someone: `Ok` is a handshake that held, after which a message was stored.
async fn outcome(options: TlsOptions, client: Arc<ClientConfig>, reason: Option<&'static str>) {
    let setup = Setup::new().await;
    let listening = Listening::on(&setup, port("syslog-tls"), Some(Tls::open(options).unwrap())).await;
    // A client learns with TLS 1.3 only when it reads that it was refused.
    if let Ok(mut stream) = connect(listening.address, client).await {
        let _ = stream.write_all(b"<13>here").await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 8]).await;
    }
    let refused = || setup.intake.doors().remove(0).refused;
    wait_until("an outcome", || !refused().is_empty() || !setup.bodies().is_empty()).await;
    assert_eq!(refused().into_keys().next(), reason);
    listening.stop().await;
    assert_eq!(setup.bodies().len(), usize::from(reason.is_none()));
    let told = setup.ledger().await.into_iter().flat_map(|(_, counts)| counts.refused).next();
    assert_eq!(told, reason.map(|reason| (reason.to_owned(), 1)), "in the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let required = || ours.requiring();
    let asked = || ours.listener(Clients::Asked(ours.file("ca.pem").into()));
    let showing = |shown| ours.client(shown);
    let refused = Some("client_certificate");
    outcome(required(), showing(Some(ours.issue(SENDER))), None).await;
    outcome(required(), showing(None), refused).await;
    outcome(required(), showing(Some(theirs.issue(SENDER))), refused).await;
    outcome(required(), showing(Some(ours.issue(Subject { days: -1, ..SENDER }))), refused).await;
    // A certificate for listeners is none for clients.
    outcome(required(), showing(Some(ours.issue(Subject { name: "other", ..HOST }))), refused).await;
    outcome(asked(), showing(None), None).await;
    outcome(asked(), showing(Some(theirs.issue(SENDER))), refused).await;
    outcome(ours.listener(Clients::Unasked), showing(Some(theirs.issue(SENDER))), None).await;
    // Someone who does not trust us.
    outcome(required(), theirs.client(None), Some("handshake")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spiffe_id_is_who_sends() {
    let authority = Authority::new();
    let setup = Setup::new().await;
    let listening = Listening::on(&setup, port("relp"), Some(Tls::open(authority.requiring()).unwrap())).await;
    let id = "spiffe://mesh.example/ns/shop/sa/web";
    let client = authority.client(Some(authority.issue(Subject { uri: Some(id), ..SENDER })));
    let mut stream = connect(listening.address, client).await.unwrap();
    stream.write_all(b"1 open 0\n2 syslog 4 text\n3 nonsense\n").await.unwrap();
    wait_until("storing", || !setup.bodies().is_empty()).await;
    while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
    listening.stop().await;
    let ledger = setup.ledger().await;
    assert!(ledger.iter().all(|(source, _)| source.identity.as_deref() == Some(id)), "{ledger:?}");
    assert!(ledger.iter().any(|(_, counts)| counts.refused() == 1), "also of what is refused: {ledger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_domain_is_spoken_for_by_its_own_authorities() {
    let (plain, ours, theirs) = (Authority::new(), Authority::new(), Authority::new());
    let bundles = [("mesh.ours", ours.file("ca.pem")), ("mesh.theirs", theirs.file("ca.pem"))];
    let trust_domains = bundles.map(|(domain, file)| (domain.to_owned(), file)).into();
    let authorities = crate::Authorities { file: Some(plain.file("ca.pem")), trust_domains };
    let listener = || plain.listener(Clients::Required(authorities.clone()));
    let showing = |issuer: &Authority, uri| plain.client(Some(issuer.issue(Subject { uri, ..SENDER })));
    let refused = Some("client_certificate");
    outcome(listener(), showing(&ours, Some("spiffe://mesh.ours/a")), None).await;
    outcome(listener(), showing(&theirs, Some("spiffe://mesh.theirs/a")), None).await;
    outcome(listener(), showing(&plain, None), None).await;
    outcome(listener(), showing(&theirs, Some("spiffe://mesh.ours/a")), refused).await;
    outcome(listener(), showing(&plain, Some("spiffe://mesh.ours/a")), refused).await;
    outcome(listener(), showing(&ours, Some("spiffe://mesh.unknown/a")), refused).await;
    outcome(listener(), showing(&ours, Some("spiffe://mesh.ours/a/../b")), refused).await;
    outcome(listener(), showing(&ours, None), refused).await;
    // Without any bundle the listener's authorities speak for every domain.
    let all = || plain.listener(Clients::Required(plain.file("ca.pem").into()));
    outcome(all(), showing(&plain, Some("spiffe://mesh.ours/a")), None).await;
    outcome(all(), showing(&plain, Some("spiffe://mesh.ours/")), refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_bundle_is_taken_up() {
    let (host, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let bundle = host.file("bundle.pem");
    std::fs::copy(before.file("ca.pem"), &bundle).unwrap();
    let trust_domains = [("mesh.ours".to_owned(), bundle.clone())].into();
    let clients = Clients::Required(crate::Authorities { file: None, trust_domains });
    let tls = Tls::open(host.listener(clients)).unwrap();
    let setup = Setup::new().await;
    let listening = Listening::on(&setup, port("otlp-http"), Some(tls.clone())).await;
    let status = async |issuer: &Authority| {
        let shown = issuer.issue(Subject { uri: Some("spiffe://mesh.ours/a"), ..SENDER });
        let mut stream = connect(listening.address, host.client(Some(shown))).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.ok()?;
        (!said.is_empty()).then_some(())
    };
    assert_eq!((status(&before).await, status(&after).await), (Some(()), None));
    std::fs::copy(after.file("ca.pem"), &bundle).unwrap();
    assert!(matches!(tls.look(), Seen::Taken));
    assert_eq!((status(&before).await, status(&after).await), (None, Some(())));
    listening.stop().await;
}

/// A sender that never reads, and closes while there is something to read, has its connection reset, and loses what it had
/// not sent yet.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_sent_nothing_to_read() {
    let authority = Authority::new();
    let setup = Setup::new().await;
    let tls = Tls::open(authority.listener(Clients::Unasked)).unwrap();
    let listening = Listening::on(&setup, port("syslog-tls"), Some(tls)).await;
    let mut stream = connect(listening.address, authority.client(None)).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    stream.write_all(b"<13>1 - - - - - - one\n").await.unwrap();
    wait_until("storing", || setup.texts() == ["one"]).await;
    let unread = stream.get_ref().0.try_read(&mut [0; 64]).unwrap_err();
    assert_eq!(unread.kind(), std::io::ErrorKind::WouldBlock);
    listening.stop().await;
}

/// Sends bytes without TLS, and gives what is said before the connection ends.
async fn in_the_clear(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    said
}

async fn refusal(port: &'static Port, tls: Option<Arc<Tls>>, bytes: &[u8], reason: &str) -> Vec<u8> {
    let setup = Setup::new().await;
    let listening = Listening::on(&setup, port, tls).await;
    let said = in_the_clear(listening.address, bytes).await;
    listening.stop().await;
    let doors = setup.intake.doors();
    assert_eq!(doors[0].refused.iter().map(|(reason, count)| (*reason, *count)).collect::<Vec<_>>(), [(reason, 1)]);
    assert_eq!((setup.counts(port.protocol).refused, setup.texts().len()), (1, 0), "{}", port.name);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_the_wrong_one_gets_a_clear_end() {
    let authority = Authority::new();
    let tls = Tls::open(authority.listener(Clients::Unasked)).unwrap();
    let (raw, http) = (port("syslog-tcp"), port("loki"));
    let said = refusal(http, Some(tls.clone()), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "not_tls").await;
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with("call it by https://\n"), "{said}");
    assert_eq!(refusal(raw, Some(tls.clone()), b"<13>in the clear\n", "not_tls").await, b"");
    // A record of a handshake in which nothing is right: an alert.
    let nonsense = refusal(raw, Some(tls), b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "handshake").await;
    assert_eq!(nonsense.first(), Some(&21), "{nonsense:02x?}");
    let hello = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03";
    for port in [raw, http, port("forward-tcp"), port("beats"), port("gelf-tcp")] {
        assert_eq!(
            refusal(port, None, hello, "unexpected_tls").await,
            b"\x15\x03\x01\x00\x02\x02\x28",
            "{}",
            port.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_end_cost_nobody_else() {
    let authority = Authority::new();
    let tls = Tls::open(authority.listener(Clients::Unasked)).unwrap();
    for name in ["relp", "loki"] {
        let setup = Setup::with(IntakeOptions { max_connections: 4, ..options() }).await;
        let listening = Listening::on(&setup, port(name), Some(tls.clone())).await;
        let mut open = Vec::new();
        for place in 0..40 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let mut stream = socket.connect(listening.address).await.unwrap();
            // Some say nothing, and some a part of it.
            stream.write_all(&b"\x16\x03\x01"[..place % 4]).await.unwrap();
            open.push(stream);
        }
        let mut stream = connect(listening.address, authority.client(None)).await.unwrap();
        if name == "loki" {
            assert_eq!(ask(&mut stream, "GET /ready", b"").await, 200);
        } else {
            stream.write_all(b"1 open 0\n2 syslog 4 text\n").await.unwrap();
            wait_until("storing", || setup.bodies().len() == 1).await;
        }
        let door = setup.intake.doors().remove(0);
        assert!(door.refused["handshake"] >= 36 && door.let_in == 1, "{door:?}");
        drop(open);
        listening.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_its_time() {
    let authority = Authority::new();
    let tls = Tls::open(authority.listener(Clients::Unasked)).unwrap();
    let setup = Setup::with(IntakeOptions { handshake: Duration::from_millis(20), ..options() }).await;
    let listening = Listening::on(&setup, port("beats"), Some(tls)).await;
    let mut silent = TcpStream::connect(listening.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0, "it is closed");
    wait_until("counting", || setup.intake.doors()[0].refused.get("handshake") == Some(&1)).await;
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_taken_up_while_connections_are_open() {
    let (first, second) = (Authority::new(), Authority::new());
    let options = first.listener(Clients::Unasked);
    let tls = Tls::open(options.clone()).unwrap();
    let setup = Setup::new().await;
    let listening = Listening::on(&setup, port("relp"), Some(tls.clone())).await;
    let mut open = connect(listening.address, first.client(None)).await.unwrap();
    open.write_all(b"1 open 0\n2 syslog 3 one\n").await.unwrap();
    wait_until("storing", || setup.bodies().len() == 1).await;
    assert!(matches!(tls.look(), Seen::Same));

    // Half of it is there: the certificate, and the key that was.
    let (certificate, key) = second.issue(HOST);
    std::fs::copy(&certificate, &options.certificate).unwrap();
    assert!(matches!(tls.look(), Seen::Unfinished));
    assert!(matches!(tls.look(), Seen::Refused(TlsError::Apart { .. })));
    assert!(matches!(tls.look(), Seen::Same), "it is said once");
    assert!((tls.status().failures, tls.status().failing) == (1, true));
    connect(listening.address, first.client(None)).await.unwrap();

    write_secret(&options.key, &std::fs::read_to_string(key).unwrap());
    assert!(matches!(tls.look(), Seen::Taken));
    assert!((tls.status().changes, tls.status().failing) == (1, false));
    connect(listening.address, second.client(None)).await.unwrap();
    assert!(connect(listening.address, first.client(None)).await.is_err());

    std::fs::remove_file(&options.certificate).unwrap();
    assert!(matches!(tls.look(), Seen::Unfinished));
    assert!(matches!(tls.look(), Seen::Refused(TlsError::Unreadable { .. })));
    connect(listening.address, second.client(None)).await.unwrap();
    open.write_all(b"3 syslog 3 two\n").await.unwrap();
    wait_until("storing over the connection that was open", || setup.bodies() == ["one", "two"]).await;
    listening.stop().await;
}

#[test]
fn files_that_cannot_be_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let authority = Authority::new();
    let good = authority.requiring();
    let other = authority.issue(SENDER);
    let secret = std::fs::read_to_string(&good.key).unwrap();
    let cut = authority.file("cut.key");
    write_secret(&cut, &secret[..secret.len() / 2]);
    let garbled = authority.file("garbled.pem");
    std::fs::write(&garbled, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let open = authority.file("open.key");
    write_secret(&open, &secret);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o604)).unwrap();
    let check = |options: TlsOptions, expected: &str| {
        let said = Tls::open(options).map(drop).unwrap_err().to_string();
        let shown = said.replace(authority.folder.path().to_str().unwrap(), "");
        assert_eq!(shown, expected);
        assert!(secret.lines().all(|line| !said.contains(line)), "it shows the key: {said}");
    };
    let with = |certificate: &PathBuf, key: &PathBuf| TlsOptions {
        certificate: certificate.clone(),
        key: key.clone(),
        clients: Clients::Unasked,
    };
    check(with(&authority.file("none"), &good.key), "`/none` cannot be read: No such file or directory (os error 2)");
    check(with(&good.key, &good.key), "`/host.key` holds no certificate in PEM");
    check(with(&garbled, &good.key), "certificate 1 in `/garbled.pem` cannot be read: it is no X.509 certificate");
    let no_key = "holds no private key in PEM, or one that is cut or protected by a password";
    check(with(&good.certificate, &cut), &format!("`/cut.key` {no_key}"));
    let certificate = authority.file("private.pem");
    write_secret(&certificate, "");
    check(with(&good.certificate, &certificate), &format!("`/private.pem` {no_key}"));
    check(
        with(&good.certificate, &other.1),
        "the private key in `/sender.key` does not belong to the certificate in `/host.pem`",
    );
    check(
        with(&good.certificate, &open),
        "key file `/open.key` is open to others (mode 604); run `chmod 600 /open.key`, or 640 for a group that may read it",
    );
    let clients = Clients::Required(garbled.into());
    check(TlsOptions { clients, ..good }, "certificate 1 in `/garbled.pem` cannot be read: it is no X.509 certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_grpc_over_tls() {
    let authority = Authority::new();
    let setup = Setup::new().await;
    let tls = Tls::open(authority.requiring()).unwrap();
    let listening = Listening::on(&setup, port("envoy-als"), Some(tls)).await;
    let mut client = (*authority.client(Some(authority.issue(SENDER)))).clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(listening.address, Arc::new(client)).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let case = CASES.iter().find(|case| case.protocol == Protocol::EnvoyAls).unwrap();
    let Over::Stream { path, .. } = &case.over else { unreachable!() };
    let body = http_body_util::Full::new(bytes::Bytes::from((case.request)(&["one", "two"])));
    let request = http::Request::post(format!("https://localhost{path}")).header("content-type", "application/grpc");
    let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    wait_until("storing", || setup.texts() == ["one", "two"]).await;
    drop(sender);
    listening.stop().await;
    let ledger = setup.ledger().await;
    assert!(ledger.iter().all(|(source, _)| source.identity.as_deref() == Some("CN=sender")), "{ledger:?}");
}

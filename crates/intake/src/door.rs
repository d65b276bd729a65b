//! Doors: where connections come in, and how it is known who they are.
//!
//! All listeners of TCP have one, so that what is asked of those who come is asked in one place: TLS where the listener has a
//! certificate, and its absence where it has none. A handshake is held in the task of its connection, has its seat and its
//! time, and gives way when others need them (`seats`): one that never ends costs nobody else.
//!
//! Who speaks the wrong one of the two gets an end that can be understood, and is counted. Raw protocols without TLS are
//! the exception: there the server may have to speak first, so what comes is looked at when it comes (`connection`).

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::reason;
use crate::counters::add;
use crate::origin::{Origin, Peer};
use crate::receivers::{Port, Protocol, Serve};
use crate::seats::{Seats, Taken};
use crate::senders::Demand;
use crate::tls::{Tls, identity};

/// Before accepting again when that failed, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// Who says nothing at all for so long where no handshake is held is not sending.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// How long the rest of what someone sends is read, so that he gets to read our last word.
const LEFT: Duration = Duration::from_secs(1);
/// The first byte of TLS: a record of a handshake (RFC 8446, 5.1). No protocol here begins with it.
pub(crate) const HANDSHAKE: u8 = 22;
/// A fatal alert, "handshake failure" (RFC 8446, 6.2), in the clear: what an end without TLS can say to one with it.
pub(crate) const ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 40];
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 51\r\n\
connection: close\r\n\r\nthis listener speaks TLS only; call it by https://\n";

/// The bytes of a connection, in the clear.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A listener of TCP, and what is asked of those who come.
pub struct Door {
    listener: TcpListener,
    pub(crate) keeper: Arc<Keeper>,
}

/// Who stands at a door.
pub(crate) struct Keeper {
    pub(crate) intake: Intake,
    /// `None` for the main one, which no protocol has to itself.
    pub(crate) port: Option<&'static Port>,
    demanded: Demand,
    seats: Arc<Seats>,
    counts: Arc<DoorCounts>,
}

/// What became of those who came.
#[derive(Debug)]
pub(crate) struct DoorCounts {
    name: &'static str,
    tls: Option<Arc<Tls>>,
    let_in: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// How a listener does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorStatus {
    /// Its name, such as `syslog-tcp`; `http` for the main one.
    pub name: &'static str,
    /// Whether it speaks TLS.
    pub is_encrypted: bool,
    /// Connections that were let in.
    pub let_in: u64,
    /// Connections that were not, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// Someone at the door.
pub(crate) struct Caller {
    stream: TcpStream,
    address: SocketAddr,
    seat: Taken,
}

/// Someone who was let in.
pub(crate) struct Guest {
    pub(crate) io: Box<dyn Stream>,
    pub(crate) peer: Peer,
    pub(crate) seat: Taken,
}

/// Someone who was not.
enum Unwelcome {
    /// He has gone without a word, as those do who look whether a port is open.
    Gone,
    Refused(&'static str, String, Option<Goodbye>),
}

/// Whom to say a last word, and which.
struct Goodbye(TcpStream, &'static [u8]);

impl Intake {
    /// The door of a port (`None` is the main one), with TLS if there is a certificate, and with what is demanded of those
    /// who send.
    pub fn door(
        &self,
        port: Option<&'static Port>,
        listener: TcpListener,
        tls: Option<Arc<Tls>>,
        demanded: Demand,
    ) -> Door {
        let options = &self.inner.options;
        let counts = Arc::new(DoorCounts {
            name: port.map_or("http", |port| port.name),
            tls,
            let_in: AtomicU64::new(0),
            refused: Mutex::default(),
        });
        self.inner.doors.lock().push(counts.clone());
        let seats = Seats::new(options.max_connections, options.idle_connection);
        let keeper = Keeper { intake: self.clone(), port, demanded, seats, counts };
        Door { listener, keeper: Arc::new(keeper) }
    }

    /// How each listener of TCP does, in the order in which they were opened.
    pub fn doors(&self) -> Vec<DoorStatus> {
        let read = |counts: &Arc<DoorCounts>| DoorStatus {
            name: counts.name,
            is_encrypted: counts.tls.is_some(),
            let_in: counts.let_in.load(Ordering::Relaxed),
            refused: counts.refused.lock().clone(),
        };
        self.inner.doors.lock().iter().map(read).collect()
    }
}

impl Door {
    /// Whoever comes next; `None` when it is time to stop.
    pub(crate) async fn next(&self, stop: &CancellationToken) -> Option<Caller> {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => return None,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(listener = self.keeper.counts.name, %error, "a connection could not be accepted");
                    self.keeper.seats.free_one();
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Answers are small, and senders wait for them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%address, %error, "answers may be late");
            }
            let seat = tokio::select! {
                seat = self.keeper.seats.take(address.ip()) => seat?,
                () = stop.cancelled() => return None,
            };
            return Some(Caller { stream, address, seat });
        }
    }
}

impl Keeper {
    fn is_http(&self) -> bool {
        self.port.is_none_or(|port| matches!(port.serve, Serve::Http(_)))
    }

    /// Learns who has come; `None` if he is not let in.
    pub(crate) async fn greet(&self, caller: Caller, stop: &CancellationToken) -> Option<Guest> {
        let Caller { stream, address, seat } = caller;
        let time = if self.counts.tls.is_some() { self.intake.inner.options.handshake } else { FIRST_BYTE };
        let greeted = tokio::select! {
            greeted = tokio::time::timeout(time, self.introduced(stream)) => greeted.unwrap_or_else(|_| self.in_vain("in time")),
            () = seat.seat.closing().cancelled() => self.in_vain("before others needed the room"),
            () = stop.cancelled() => return None,
        };
        match greeted {
            Ok((io, identity)) => {
                add(&self.counts.let_in, 1);
                Some(Guest { io, peer: Peer { address, identity, demanded: self.demanded }, seat })
            }
            Err(Unwelcome::Gone) => None,
            Err(Unwelcome::Refused(reason, why, goodbye)) => {
                self.refuse(&Peer::at(address), reason, &why);
                if let Some(goodbye) = goodbye {
                    tokio::select! {
                        () = goodbye.say() => {}
                        () = seat.seat.closing().cancelled() => {}
                        () = stop.cancelled() => {}
                    }
                }
                None
            }
        }
    }

    /// Counts one who is not let in.
    pub(crate) fn refuse(&self, peer: &Peer, reason: &'static str, why: &str) {
        *self.counts.refused.lock().entry(reason).or_default() += 1;
        if let Some(protocol) = self.protocol() {
            self.intake.count_refused(&Origin::of(protocol, peer), reason);
        }
        let (listener, peer) = (self.counts.name, peer.address);
        tracing::warn!(listener, %peer, reason, why, "a connection was not let in");
    }

    fn protocol(&self) -> Option<Protocol> {
        self.port.map(|port| port.protocol)
    }

    fn in_vain<T>(&self, until: &str) -> Result<T, Unwelcome> {
        match self.counts.tls {
            Some(_) => Err(Unwelcome::Refused(reason::HANDSHAKE, format!("its handshake did not end {until}"), None)),
            None => Err(Unwelcome::Gone),
        }
    }

    async fn introduced(&self, stream: TcpStream) -> Result<(Box<dyn Stream>, Option<Arc<str>>), Unwelcome> {
        let Some(tls) = &self.counts.tls else {
            if self.is_http() && first_byte(&stream).await? == HANDSHAKE {
                let why = "it speaks TLS, this listener does not".to_owned();
                return Err(Unwelcome::Refused(reason::UNEXPECTED_TLS, why, Some(Goodbye(stream, &ALERT))));
            }
            return Ok((Box::new(stream), None));
        };
        if first_byte(&stream).await? != HANDSHAKE {
            let (why, word) = ("it does not speak TLS, this listener does", if self.is_http() { NOT_TLS } else { b"" });
            return Err(Unwelcome::Refused(reason::NOT_TLS, why.to_owned(), Some(Goodbye(stream, word))));
        }
        let acceptor = TlsAcceptor::from(tls.config(self.is_http()));
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => {
                let identity = who(&stream);
                Ok((Box::new(stream), identity))
            }
            Err((error, stream)) => {
                // rustls has said why.
                Err(Unwelcome::Refused(what_failed(&error), error.to_string(), Some(Goodbye(stream, b""))))
            }
        }
    }
}

/// Who the other end has proven to be.
fn who(stream: &TlsStream<TcpStream>) -> Option<Arc<str>> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    identity(certificate).map(Arc::from)
}

fn what_failed(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)) => {
            reason::CLIENT_CERTIFICATE
        }
        _ => reason::HANDSHAKE,
    }
}

async fn first_byte(stream: &TcpStream) -> Result<u8, Unwelcome> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) => Ok(first[0]),
        Ok(0) | Err(_) => Err(Unwelcome::Gone),
    }
}

impl Goodbye {
    /// Says it, and reads what the other end has under way: a socket that is closed with bytes unread takes our word with it.
    async fn say(self) {
        let Self(mut stream, word) = self;
        // Who is gone needs no goodbye.
        let said = async {
            stream.write_all(word).await?;
            stream.shutdown().await?;
            let mut unread = [0; 4096];
            while stream.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(LEFT, said).await;
    }
}

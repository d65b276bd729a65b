//! Connections of protocols that are not HTTP: accepted within a bound.
//!
//! A sender may keep a connection open for days, so their number is what must be bounded. At the bound the connection that
//! has been silent for longest is closed for the new one: its sender opens another when it has something to say, whereas
//! one that is kept waiting at the door may be the only one with something to say.
//!
//! Not here: TLS; its handshake belongs between `accept` and [`Connection::new`], in the task of the connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Seat};
use crate::counters::{Protocol, add};
use crate::receivers::{Port, Serve, Task};
use crate::{Inner, Intake};

/// Before accepting again when that failed, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections of one port.
#[derive(Default)]
struct Seats {
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
    next: AtomicU64,
}

impl Seats {
    fn take(&self, seat: &Arc<Seat>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.taken.lock().insert(number, Arc::clone(seat));
        number
    }

    fn leave(&self, number: u64) {
        self.taken.lock().remove(&number);
    }

    /// Asks the connection that is silent for longest to end, if any is silent for long.
    fn free_one(&self, silent_for: Duration) {
        let now = Instant::now();
        let mut taken = self.taken.lock();
        let idle = taken.iter().filter_map(|(number, seat)| Some((seat.idle_for(now)?, *number)));
        let longest = idle.filter(|(silent, _)| *silent >= silent_for).max();
        if let Some(seat) = longest.and_then(|(_, number)| taken.remove(&number)) {
            seat.close();
        }
    }
}

/// Counts a connection for as long as it lives.
struct Counted {
    inner: Arc<Inner>,
    protocol: Protocol,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.inner.counters.of(self.protocol).connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    /// Accepts connections of a port until `shutdown`, and returns when the last of them has ended.
    pub async fn serve_tcp(&self, port: &'static Port, listener: TcpListener, shutdown: CancellationToken) {
        let Serve::Tcp(serve) = port.serve else { return };
        let places = Arc::new(Semaphore::new(self.inner.options.max_connections.max(1)));
        let seats = Arc::new(Seats::default());
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(port = port.name, %error, "a connection could not be accepted");
                    seats.free_one(self.inner.options.idle_connection);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let place = loop {
                if let Ok(place) = places.clone().try_acquire_owned() {
                    break Some(place);
                }
                seats.free_one(self.inner.options.idle_connection);
                tokio::select! {
                    place = places.clone().acquire_owned() => break place.ok(),
                    () = shutdown.cancelled() => break None,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            };
            let Some(place) = place else { break };
            let (intake, seats, shutdown) = (self.clone(), seats.clone(), shutdown.clone());
            connections.spawn(async move {
                intake.connection(port.protocol, stream, peer, serve, &seats, shutdown).await;
                drop(place);
            });
        }
        while connections.join_next().await.is_some() {}
    }

    async fn connection(
        &self,
        protocol: Protocol,
        stream: TcpStream,
        peer: std::net::SocketAddr,
        serve: fn(Intake, Connection) -> Task,
        seats: &Seats,
        shutdown: CancellationToken,
    ) {
        add(&self.inner.counters.of(protocol).connections, 1);
        let _counted = Counted { inner: self.inner.clone(), protocol };
        let seat = Arc::new(Seat::new());
        let number = seats.take(&seat);
        // Answers are small, and senders wait for them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "answers may be late");
        }
        let connection = Connection::new(Box::new(stream), peer, self.inner.clone(), seat, shutdown);
        serve(self.clone(), connection).await;
        seats.leave(number);
    }

    /// Serves a UDP port until `shutdown`.
    pub async fn serve_udp(&self, port: &'static Port, socket: tokio::net::UdpSocket, shutdown: CancellationToken) {
        if let Serve::Udp(serve) = port.serve {
            serve(self.clone(), socket, shutdown).await;
        }
    }
}

//! One task per connection; reading stops while a batch is being stored.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use logkeep_wire::syslog::{FrameError, Framer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::burst::{Burst, Readers};
use crate::Intake;
use crate::counters::{Protocol, add};

/// Read at once.
const READ_BYTES: usize = 64 << 10;

impl Intake {
    /// Accepts syslog over TCP until `shutdown`, then stores what was read and returns.
    pub async fn serve_syslog_tcp(&self, listener: TcpListener, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let permit = tokio::select! {
                permit = self.inner.syslog_connections.clone().acquire_owned() => permit,
                () = shutdown.cancelled() => break,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (intake, shutdown) = (self.clone(), shutdown.clone());
                    connections.spawn(async move {
                        intake.syslog_connection(stream, peer.ip(), shutdown).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must be closed first.
                    tracing::warn!(%error, "a syslog connection could not be accepted");
                    tokio::time::sleep(super::FIRST_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        while connections.join_next().await.is_some() {}
    }

    async fn syslog_connection(&self, stream: TcpStream, peer: IpAddr, shutdown: CancellationToken) {
        let counts = self.inner.counters.of(Protocol::Syslog);
        add(&counts.connections, 1);
        let mut connection = Connection {
            intake: self,
            stream,
            peer,
            shutdown,
            framer: Framer::default(),
            burst: Burst::default(),
            readers: Readers::default(),
        };
        if let Err(error) = connection.run().await {
            add(&counts.refused, 1);
            tracing::warn!(%peer, %error, "a syslog connection was closed");
        }
        counts.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection<'i> {
    intake: &'i Intake,
    stream: TcpStream,
    peer: IpAddr,
    shutdown: CancellationToken,
    framer: Framer,
    burst: Burst,
    readers: Readers,
}

impl Connection<'_> {
    /// Reads to the end of the stream. What was read whole is stored in any case.
    async fn run(&mut self) -> Result<(), FrameError> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = self.read(&mut buffer).await;
            let faulty = match read {
                Read::Bytes(count) => self.cut(&buffer[..count]).await,
                Read::Lull => Ok(()),
                Read::End => {
                    if let Some(frame) = self.framer.finish() {
                        self.burst.push(&frame, self.peer);
                    }
                    self.store().await;
                    return Ok(());
                }
            };
            if faulty.is_err() || matches!(read, Read::Lull) {
                self.store().await;
            }
            faulty?;
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Read {
        let deadline = self.burst.deadline();
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Read::Lull;
        }
        tokio::select! {
            read = self.stream.read(buffer) => match read {
                Ok(0) | Err(_) => Read::End,
                Ok(count) => Read::Bytes(count),
            },
            () = self.shutdown.cancelled() => Read::End,
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Read::Lull,
        }
    }

    async fn cut(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next_frame()? {
            self.burst.push(&frame, self.peer);
            if self.burst.is_full() {
                self.store().await;
            }
        }
        Ok(())
    }

    async fn store(&mut self) {
        if self.burst.is_empty() {
            return;
        }
        let (burst, readers) = (std::mem::take(&mut self.burst), std::mem::take(&mut self.readers));
        (self.burst, self.readers) = self.intake.store_burst(burst, readers, &self.shutdown).await;
    }
}

#[derive(Clone, Copy)]
enum Read {
    Bytes(usize),
    /// Nothing more for a while.
    Lull,
    End,
}

//! One task that only receives, so that the kernel's buffer is emptied while another stores.

use std::net::IpAddr;

use logkeep_wire::syslog::Frame;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::burst::{Burst, Readers};
use crate::Intake;
use crate::counters::{Protocol, add};

/// Messages that wait to be stored; those beyond it are dropped and counted.
const QUEUE: usize = 16_384;
/// … and their bytes: a message may have 64 KiB.
const QUEUE_BYTES: usize = 64 << 20;
/// The largest datagram there is.
const DATAGRAM_BYTES: usize = 64 << 10;
/// Asked of the kernel, which may give less (`net.core.rmem_max`).
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

struct Datagram {
    bytes: Box<[u8]>,
    source: IpAddr,
    /// Its share of [`QUEUE_BYTES`].
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl Intake {
    /// Receives syslog over UDP until `shutdown`, then stores what was received and returns.
    pub async fn serve_syslog_udp(&self, socket: UdpSocket, shutdown: CancellationToken) {
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
            tracing::warn!(%error, "the receive buffer for syslog over UDP stays small");
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let storing = tokio::spawn(self.clone().store_datagrams(waiting, shutdown.clone()));
        tokio::select! {
            () = self.receive(&socket, queue) => {}
            () = shutdown.cancelled() => {}
        }
        if storing.await.is_err() {
            tracing::error!("the task that stores syslog messages ended by a panic");
        }
    }

    async fn receive(&self, socket: &UdpSocket, queue: mpsc::Sender<Datagram>) {
        let counts = self.inner.counters.of(Protocol::Syslog);
        let room = std::sync::Arc::new(tokio::sync::Semaphore::new(QUEUE_BYTES));
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let (length, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(%error, "a syslog message could not be received");
                    tokio::time::sleep(super::FIRST_PAUSE).await;
                    continue;
                }
            };
            let bytes = buffer[..length].trim_ascii_end();
            if bytes.is_empty() {
                continue;
            }
            let queued = room.clone().try_acquire_many_owned(bytes.len() as u32).ok().is_some_and(|room| {
                let datagram = Datagram { bytes: bytes.into(), source: peer.ip(), _room: room };
                queue.try_send(datagram).is_ok()
            });
            if !queued {
                add(&counts.received, 1);
                add(&counts.dropped, 1);
            }
        }
    }

    async fn store_datagrams(self, mut queue: mpsc::Receiver<Datagram>, shutdown: CancellationToken) {
        let (mut burst, mut readers) = (Burst::default(), Readers::default());
        while let Some(first) = queue.recv().await {
            burst.push(&Frame::new(&first.bytes), first.source);
            drop(first);
            while !burst.is_full()
                && let Some(deadline) = burst.deadline()
                && let Ok(Some(next)) = tokio::time::timeout_at(deadline, queue.recv()).await
            {
                burst.push(&Frame::new(&next.bytes), next.source);
            }
            (burst, readers) = self.store_burst(burst, readers, &shutdown).await;
        }
    }
}

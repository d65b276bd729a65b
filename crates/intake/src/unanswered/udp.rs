//! One task that only receives, so that the kernel's buffer is emptied while another stores.

use std::net::IpAddr;

use logkeep_wire::frame::Frame;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::burst::{Burst, Readers};
use super::{Assembler as _, Dialect};
use crate::Intake;
use crate::counters::add;
use crate::receivers::Task;

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

/// Receives until `shutdown`, then stores what was received and returns.
pub(crate) fn udp<D: Dialect>(intake: Intake, socket: UdpSocket, shutdown: CancellationToken) -> Task {
    Box::pin(async move {
        let protocol = D::PROTOCOL.name();
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
            tracing::warn!(protocol, %error, "the receive buffer stays small");
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let storing = tokio::spawn(intake.clone().store_datagrams::<D>(waiting, shutdown.clone()));
        tokio::select! {
            () = intake.receive::<D>(&socket, queue) => {}
            () = shutdown.cancelled() => {}
        }
        if storing.await.is_err() {
            tracing::error!(protocol, "the task that stores messages ended by a panic");
        }
    })
}

impl Intake {
    async fn receive<D: Dialect>(&self, socket: &UdpSocket, queue: mpsc::Sender<Datagram>) {
        let counts = self.inner.counters.of(D::PROTOCOL);
        let room = std::sync::Arc::new(tokio::sync::Semaphore::new(QUEUE_BYTES));
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let (length, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(protocol = D::PROTOCOL.name(), %error, "a message could not be received");
                    tokio::time::sleep(crate::store::FIRST_PAUSE).await;
                    continue;
                }
            };
            let bytes = &buffer[..length];
            if bytes.trim_ascii().is_empty() {
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

    async fn store_datagrams<D: Dialect>(self, mut queue: mpsc::Receiver<Datagram>, shutdown: CancellationToken) {
        let (mut burst, mut readers) = (Burst::default(), Readers::<D>::default());
        let mut assembler = D::Assembler::default();
        while let Some(first) = queue.recv().await {
            self.assemble::<D>(&mut assembler, &first, &mut burst);
            drop(first);
            while !burst.is_full()
                && let Some(deadline) = burst.deadline()
                && let Ok(Some(next)) = tokio::time::timeout_at(deadline, queue.recv()).await
            {
                self.assemble::<D>(&mut assembler, &next, &mut burst);
            }
            if !burst.is_empty() {
                (burst, readers) = self.store_burst(burst, readers, &shutdown).await;
            }
        }
    }

    fn assemble<D: Dialect>(&self, assembler: &mut D::Assembler, datagram: &Datagram, burst: &mut Burst) {
        let assembled = assembler.take(&datagram.bytes, datagram.source, self.now_ns());
        if let Some(message) = assembled.message.filter(|message| !message.trim_ascii().is_empty()) {
            burst.push(&Frame::new(message.trim_ascii_end()), datagram.source);
        }
        let counts = self.inner.counters.of(D::PROTOCOL);
        add(&counts.received, assembled.lost);
        add(&counts.dropped, assembled.lost);
    }
}

//! A socket whose senders are never answered. One task only receives, so that the kernel's buffer is emptied while another
//! stores; a queue of bounded size takes what the disk cannot yet. What does not fit there, or did not fit into the kernel's
//! buffer, is counted.

mod kernel;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::origin::Origin;
use crate::store::FIRST_PAUSE;
use kernel::KernelDrops;

/// Bytes of the datagrams that wait; one may have 64 KiB.
const QUEUE_BYTES: usize = 64 << 20;
/// The largest datagram there is.
const DATAGRAM_BYTES: usize = 64 << 10;
/// Asked of the kernel, which may give less (`net.core.rmem_max`).
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// Between two looks at what the kernel has dropped.
const LOOK: Duration = Duration::from_secs(1);

/// What waits to be stored.
pub(crate) struct Datagram {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) source: IpAddr,
    /// Its share of [`QUEUE_BYTES`].
    _room: OwnedSemaphorePermit,
}

/// What is received, and how much of it may wait.
pub(crate) struct Inlet {
    pub(crate) protocol: Protocol,
    /// Datagrams that wait to be stored; those beyond it are lost.
    pub(crate) queue: usize,
    /// False for a datagram that says nothing.
    pub(crate) wanted: fn(&[u8]) -> bool,
}

impl Inlet {
    /// Receives until `shutdown`, then lets `store` end and returns. `lost` counts what found no room.
    pub(crate) async fn serve<S: Future<Output = ()> + Send + 'static>(
        self,
        intake: &Intake,
        socket: UdpSocket,
        shutdown: CancellationToken,
        lost: impl Fn(&[u8], IpAddr),
        store: impl FnOnce(mpsc::Receiver<Datagram>) -> S,
    ) {
        let protocol = self.protocol.name();
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
            tracing::warn!(protocol, %error, "the receive buffer stays small");
        }
        let mut drops = KernelDrops::of(&socket);
        if drops.is_none() {
            tracing::warn!(protocol, "the system does not say what it drops of this socket: that is not counted");
        }
        let (queue, waiting) = mpsc::channel(self.queue);
        let storing = tokio::spawn(store(waiting));
        tokio::select! {
            () = self.receive(&socket, queue, lost) => {}
            () = self.watch(intake, &mut drops) => {}
            () = shutdown.cancelled() => {}
        }
        self.count_drops(intake, &mut drops);
        if storing.await.is_err() {
            tracing::error!(protocol, "the task that stores datagrams ended by a panic");
        }
    }

    /// Counts what the kernel drops, for as long as it is polled.
    async fn watch(&self, intake: &Intake, drops: &mut Option<KernelDrops>) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.count_drops(intake, drops);
        }
    }

    fn count_drops(&self, intake: &Intake, drops: &mut Option<KernelDrops>) {
        let count = drops.as_mut().map_or(0, KernelDrops::more);
        if count > 0 {
            let protocol = self.protocol.name();
            tracing::warn!(protocol, count, "the kernel dropped datagrams: its buffer was full (`net.core.rmem_max`)");
            intake.count_dropped(&Origin::of_many(self.protocol), None, reason::KERNEL_FULL, count);
        }
    }

    async fn receive(&self, socket: &UdpSocket, queue: mpsc::Sender<Datagram>, lost: impl Fn(&[u8], IpAddr)) {
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let (length, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(protocol = self.protocol.name(), %error, "a datagram could not be received");
                    tokio::time::sleep(FIRST_PAUSE).await;
                    continue;
                }
            };
            let bytes = &buffer[..length];
            if !(self.wanted)(bytes) {
                continue;
            }
            let queued = room.clone().try_acquire_many_owned(bytes.len() as u32).ok().is_some_and(|room| {
                let datagram = Datagram { bytes: bytes.into(), source: peer.ip(), _room: room };
                queue.try_send(datagram).is_ok()
            });
            if !queued {
                lost(bytes, peer.ip());
            }
        }
    }
}

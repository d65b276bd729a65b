//! Messages that arrive one in a datagram, or in several.

use logkeep_wire::frame::Frame;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::burst::{Burst, Readers};
use super::{Assembler as _, Dialect};
use crate::Intake;
use crate::account::reason;
use crate::datagrams::{Datagram, Inlet};
use crate::origin::Origin;
use crate::receivers::Task;

/// Messages that wait to be stored; those beyond it are dropped and counted.
const QUEUE: usize = 16_384;

/// Receives until `shutdown`, then stores what was received and returns.
pub(crate) fn udp<D: Dialect>(intake: Intake, socket: UdpSocket, shutdown: CancellationToken) -> Task {
    let inlet = Inlet { protocol: D::PROTOCOL, queue: QUEUE, wanted: |bytes| !bytes.trim_ascii().is_empty() };
    Box::pin(async move {
        let (storing, origin) = (intake.clone(), Origin::of_many(D::PROTOCOL));
        let until = shutdown.clone();
        let store = |waiting| storing.store_datagrams::<D>(waiting, until);
        inlet
            .serve(
                &intake,
                socket,
                shutdown,
                |_, peer| intake.count_dropped(&origin, Some(peer), reason::QUEUE_FULL, 1),
                store,
            )
            .await;
    })
}

impl Intake {
    async fn store_datagrams<D: Dialect>(self, mut queue: mpsc::Receiver<Datagram>, shutdown: CancellationToken) {
        let (mut burst, mut readers) = (Burst::default(), Readers::<D>::default());
        let (mut assembler, origin) = (D::Assembler::default(), Origin::of_many(D::PROTOCOL));
        let mut is_open = true;
        while is_open {
            match next(&mut queue, readers.held().until()).await {
                Next::Datagram(first) => self.assemble::<D>(&mut assembler, &first, &mut burst),
                Next::Due => {}
                Next::End => is_open = false,
            }
            while !burst.is_full()
                && let Some(deadline) = burst.deadline()
                && let Ok(Some(next)) = tokio::time::timeout_at(deadline, queue.recv()).await
            {
                self.assemble::<D>(&mut assembler, &next, &mut burst);
            }
            if !burst.is_empty() || readers.held().is_due(!is_open) {
                (burst, readers) = self.store_burst(&origin, burst, readers, !is_open, &shutdown).await;
            }
        }
    }

    fn assemble<D: Dialect>(&self, assembler: &mut D::Assembler, datagram: &Datagram, burst: &mut Burst) {
        let assembled = assembler.take(&datagram.bytes, datagram.source, self.now_ns());
        if let Some(message) = assembled.message.filter(|message| !message.trim_ascii().is_empty()) {
            burst.push(&Frame::new(message.trim_ascii_end()), datagram.source);
        }
        if assembled.lost > 0 {
            // Whose pieces they were is not known any more.
            self.count_dropped(&Origin::of_many(D::PROTOCOL), None, reason::INCOMPLETE, assembled.lost);
        }
    }
}

/// What a queue gives.
enum Next {
    Datagram(Datagram),
    /// Nothing by then.
    Due,
    End,
}

async fn next(queue: &mut mpsc::Receiver<Datagram>, until: Option<Instant>) -> Next {
    let received = match until {
        Some(until) => match tokio::time::timeout_at(until, queue.recv()).await {
            Ok(received) => received,
            Err(_) => return Next::Due,
        },
        None => queue.recv().await,
    };
    received.map_or(Next::End, Next::Datagram)
}

//! Datagrams that clients send to an agent: each is a batch of one process and holds several spans; those that arrive together
//! are stored together.

use std::sync::Arc;

use logkeep_normalize::{Arrival, Normalizer};
use logkeep_record::{Class, TenantId};
use logkeep_wire::jaeger::decode_datagram;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::datagrams::{Datagram, Inlet};
use crate::prepare::{Prepared, Preparing};
use crate::receivers::Task;
use crate::refusal::Refusal;
use crate::store::{FIRST_PAUSE, LONGEST_PAUSE};

/// Datagrams that wait to be stored; those beyond it are dropped and counted.
const QUEUE: usize = 4_096;
/// Datagrams stored together.
const TOGETHER: usize = 64;

/// Receives until `shutdown`, then stores what was received and returns.
pub(crate) fn udp(intake: Intake, socket: UdpSocket, shutdown: CancellationToken) -> Task {
    let inlet = Inlet { protocol: Protocol::Jaeger, queue: QUEUE, wanted: |_| true };
    Box::pin(async move {
        let storing = intake.clone();
        let until = shutdown.clone();
        let store = |waiting| storing.store_datagrams_of_spans(waiting, until);
        inlet.serve(socket, shutdown, |bytes| intake.count_lost_datagram(bytes), store).await;
    })
}

impl Intake {
    /// What is lost is counted in spans, as everything else is; a datagram that cannot be read is one.
    fn count_lost_datagram(&self, bytes: &[u8]) {
        let spans = decode_datagram(bytes, 0).map_or(1, |decoded| decoded.records.len());
        self.count_dropped_spans(spans);
    }

    fn count_dropped_spans(&self, spans: usize) {
        let counts = self.inner.counters.of(Protocol::Jaeger);
        add(&counts.received, spans);
        add(&counts.dropped, spans);
    }

    async fn store_datagrams_of_spans(self, mut queue: mpsc::Receiver<Datagram>, shutdown: CancellationToken) {
        let mut datagrams = Vec::with_capacity(TOGETHER);
        while queue.recv_many(&mut datagrams, TOGETHER).await > 0 {
            let batch = std::mem::take(&mut datagrams);
            let counts = self.inner.counters.of(Protocol::Jaeger);
            add(&counts.requests, batch.len());
            add(&counts.bytes, batch.iter().map(|datagram| datagram.bytes.len()).sum());
            self.store_spans(Arc::new(batch), &shutdown).await;
        }
    }

    /// Tries until the spans are stored or, while stopping, one attempt has failed.
    async fn store_spans(&self, batch: Arc<Vec<Datagram>>, shutdown: &CancellationToken) {
        let received_ns = self.now_ns();
        let (mut pause, mut rejected_counted) = (FIRST_PAUSE, false);
        loop {
            let datagrams = batch.clone();
            let Ok(mut prepared) = self.process(move || prepare(&datagrams, received_ns)).await else {
                // A datagram that makes us panic would do so again.
                return self.count_dropped_spans(batch.len());
            };
            if let Ok(prepared) = &mut prepared
                && std::mem::replace(&mut rejected_counted, true)
            {
                prepared.rejected = 0;
            }
            let spans =
                prepared.as_ref().map_or(batch.len(), |prepared| prepared.parts.iter().map(|p| p.records()).sum());
            let stored = match prepared {
                Ok(prepared) => {
                    self.commit(Protocol::Jaeger, &TenantId::default(), prepared, None).await.whole().map(drop)
                }
                Err(refusal) => Err(refusal),
            };
            let Err(failure) = stored else { return };
            if shutdown.is_cancelled() {
                tracing::error!(spans, error = %failure, "stopping with spans that could not be stored");
                return self.count_dropped_spans(spans);
            }
            tracing::warn!(spans, error = %failure, "spans wait to be stored");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The spans of datagrams from several senders, each with its own identity. What cannot be read is rejected.
fn prepare(datagrams: &[Datagram], received_ns: i64) -> Result<Prepared, Refusal> {
    let mut preparing = Preparing::normalized();
    let mut unreadable = 0;
    for datagram in datagrams {
        let decoded = match decode_datagram(&datagram.bytes, received_ns) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::debug!(source = %datagram.source, %error, "a datagram of Jaeger's cannot be read");
                unreadable += 1;
                continue;
            }
        };
        let source = datagram.source.to_canonical().to_string();
        let mut normalizer = Normalizer::new(Arrival { protocol: Protocol::Jaeger.name(), source });
        for span in decoded.records {
            preparing.push_normalized(&normalizer.normalize_span(span))?;
        }
    }
    let body: Vec<u8> = datagrams.iter().flat_map(|datagram| datagram.bytes.iter().copied()).collect();
    Ok(Prepared { class: Class::spans(), rejected: unreadable, ..preparing.finish(&body)? })
}

//! Datagrams that clients send to an agent: each is a batch of one process and holds several spans; those that arrive together
//! are stored together.

use std::net::IpAddr;
use std::sync::Arc;

use logkeep_normalize::{Arrival, Normalizer};
use logkeep_record::Class;
use logkeep_wire::jaeger::decode_datagram;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::{Fate, reason};
use crate::counters::{Protocol, add};
use crate::datagrams::{Datagram, Inlet};
use crate::entry::Policies;
use crate::origin::Origin;
use crate::prepare::{Prepared, Preparing};
use crate::receivers::Task;
use crate::refusal::Refusal;
use crate::store::Unstored;

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
        inlet
            .serve(
                &intake,
                socket,
                shutdown,
                |bytes, peer| intake.count_lost_datagram(bytes, peer, reason::QUEUE_FULL),
                store,
            )
            .await;
    })
}

impl Intake {
    /// What is lost is counted in spans, as everything else is; a datagram that cannot be read is one.
    fn count_lost_datagram(&self, bytes: &[u8], peer: IpAddr, reason: &str) {
        let spans = decode_datagram(bytes, 0).map_or(1, |decoded| decoded.records.len());
        self.count_dropped(&Origin::of_many(Protocol::Jaeger), Some(peer), reason, spans);
    }

    async fn store_datagrams_of_spans(self, mut queue: mpsc::Receiver<Datagram>, shutdown: CancellationToken) {
        let origin = Origin::of_many(Protocol::Jaeger);
        let mut datagrams = Vec::with_capacity(TOGETHER);
        while queue.recv_many(&mut datagrams, TOGETHER).await > 0 {
            let batch = Arc::new(std::mem::take(&mut datagrams));
            let counts = self.inner.counters.of(Protocol::Jaeger);
            add(&counts.requests, batch.len());
            add(&counts.bytes, batch.iter().map(|datagram| datagram.bytes.len()).sum());
            let (kept, received_ns) = (batch.clone(), self.now_ns());
            let policies = self.policies(&origin.tenant);
            let prepare = move || prepare(&kept, &policies, received_ns);
            let stored = self.persist(&origin, prepare, Fate::Dropped(reason::STOPPING), &shutdown).await;
            let Err(Unstored { records, refusal }) = stored else { continue };
            tracing::error!(spans = records, error = %refusal, "spans could not be stored");
            if records == 0 {
                // By a defect of ours, which would strike again.
                for lost in batch.iter() {
                    self.count_dropped(&origin, Some(lost.source), reason::FAILED, 1);
                }
            }
        }
    }
}

/// The spans of datagrams from several senders, each with its own identity. What cannot be read is rejected.
fn prepare(datagrams: &[Datagram], policies: &Policies, received_ns: i64) -> Result<Prepared, Refusal> {
    let mut preparing = Preparing::spans(policies);
    for datagram in datagrams {
        preparing.from(datagram.source, datagram.bytes.len());
        let decoded = match decode_datagram(&datagram.bytes, received_ns) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::debug!(source = %datagram.source, %error, "a datagram of Jaeger's cannot be read");
                preparing.reject_quietly(reason::MALFORMED);
                continue;
            }
        };
        let source = datagram.source.to_canonical().to_string();
        let mut normalizer = Normalizer::new(Arrival { protocol: Protocol::Jaeger.name(), source });
        for span in decoded.records {
            preparing.push_normalized(normalizer.normalize_span(span))?;
        }
        decoded.rejected.iter().for_each(|_| preparing.reject_quietly(reason::MALFORMED));
    }
    Ok(Prepared { class: Class::spans(), ..preparing.finish()? })
}

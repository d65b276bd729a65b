//! Protocols whose senders are never answered: syslog, GELF, lines of JSON.
//!
//! What such a sender sends is either stored or lost. Over TCP it can be slowed down: while a batch waits for the disk
//! nothing is read, the sender's window fills, and a batch that cannot be stored is kept and tried again for as long as we
//! run. Over UDP messages queue up to a bound, and those beyond it are counted.
//!
//! What a protocol has of its own is its [`Dialect`]. Not here: framing and parsing (`wire`).

mod burst;
mod tcp;
mod udp;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use logkeep_record::Record;
use logkeep_wire::frame::{Frame, Framer};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::{Fate, reason};
use crate::counters::{Protocol, add};
use crate::origin::Origin;
use crate::store::Unstored;
use burst::{Burst, Readers};

pub(crate) use tcp::tcp;
pub(crate) use udp::udp;

/// Bytes of messages that are stored together.
const BURST_BYTES: usize = 1 << 20;
/// How long to wait for more before what is there is stored.
const LULL: Duration = Duration::from_millis(5);
/// … though never longer than this, however steadily messages come.
const LONGEST_LULL: Duration = Duration::from_millis(50);

/// What one of these protocols has of its own.
pub(crate) trait Dialect: Default + Send + 'static {
    /// Whose counters and name.
    const PROTOCOL: Protocol;
    /// What puts datagrams together.
    type Assembler: Assembler;

    /// What cuts a stream into messages.
    fn framer() -> Framer;

    /// The record of a message; none is refused.
    fn record<'a>(&mut self, message: &Frame<'a>, received_ns: i64) -> Record<'a>;
}

/// What puts datagrams together to messages.
pub(crate) trait Assembler: Default + Send + 'static {
    /// Takes a datagram.
    fn take<'a>(&mut self, datagram: &'a [u8], source: IpAddr, now_ns: i64) -> Assembled<'a>;
}

/// What became of a datagram.
#[derive(Debug, Default)]
pub(crate) struct Assembled<'a> {
    /// The message that it is, or completes.
    pub(crate) message: Option<Cow<'a, [u8]>>,
    /// Messages that can no longer be completed, or not be read.
    pub(crate) lost: usize,
}

/// For protocols where a datagram is a message.
impl Assembler for () {
    fn take<'a>(&mut self, datagram: &'a [u8], _: IpAddr, _: i64) -> Assembled<'a> {
        Assembled { message: Some(Cow::Borrowed(datagram)), lost: 0 }
    }
}

impl Intake {
    /// Stores a burst, trying again until it is stored or, while `stopping`, one attempt has failed. With what waits, if it is the end.
    async fn store_burst<D: Dialect>(
        &self,
        origin: &Origin,
        burst: Burst,
        readers: Readers<D>,
        is_end: bool,
        shutdown: &CancellationToken,
    ) -> (Burst, Readers<D>) {
        let counts = self.inner.counters.of(D::PROTOCOL);
        add(&counts.requests, 1);
        add(&counts.bytes, burst.bytes());
        let received_ns = self.now_ns();
        let kept = Arc::new(Mutex::new((burst, readers)));
        let policies = self.policies(&origin.tenant);
        let prepare = {
            let kept = kept.clone();
            move || {
                let (burst, readers) = &mut *kept.lock();
                readers.prepare(burst, &policies, received_ns, is_end)
            }
        };
        let stored = self.persist(origin, prepare, Fate::Dropped(reason::STOPPING), shutdown).await;
        let Some((mut burst, mut readers)) = Arc::into_inner(kept).map(Mutex::into_inner) else {
            return Default::default();
        };
        if let Err(Unstored { records, refusal }) = stored {
            tracing::error!(protocol = D::PROTOCOL.name(), records, error = %refusal, "messages could not be stored");
            if records == 0 {
                // By a defect of ours, which would strike again.
                let senders = burst.senders().map(Some).chain(readers.held().peers());
                senders.for_each(|peer| self.count_dropped(origin, peer, reason::FAILED, 1));
                return Default::default();
            }
        }
        burst.clear();
        readers.stored();
        (burst, readers)
    }
}

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
use std::time::Duration;

use logkeep_record::{Record, TenantId};
use logkeep_wire::frame::{Frame, Framer};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::prepare::Prepared;
use crate::refusal::Refusal;
use crate::store::{FIRST_PAUSE, LONGEST_PAUSE};
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
    /// Stores a burst, trying again until it is stored or, while `stopping`, one attempt has failed.
    async fn store_burst<D: Dialect>(
        &self,
        mut burst: Burst,
        mut readers: Readers<D>,
        shutdown: &CancellationToken,
    ) -> (Burst, Readers<D>) {
        let counts = self.inner.counters.of(D::PROTOCOL);
        add(&counts.requests, 1);
        add(&counts.bytes, burst.bytes());
        let received_ns = self.now_ns();
        let mut pause = FIRST_PAUSE;
        loop {
            let records = burst.len();
            let work = move || {
                let prepared = readers.prepare(&burst, received_ns);
                (burst, readers, prepared)
            };
            let prepared = match self.process(work).await {
                Ok((kept, used, prepared)) => {
                    (burst, readers) = (kept, used);
                    prepared
                }
                // The burst is gone with the thread that panicked over it.
                Err(_) => {
                    add(&counts.received, records);
                    add(&counts.dropped, records);
                    return (Burst::default(), Readers::default());
                }
            };
            let failure: Refusal = match prepared {
                Ok(prepared) => match self.commit_burst(D::PROTOCOL, prepared).await {
                    Ok(()) => break,
                    Err(refusal) => refusal,
                },
                Err(refusal) => refusal,
            };
            let protocol = D::PROTOCOL.name();
            if shutdown.is_cancelled() {
                tracing::error!(protocol, records, error = %failure, "stopping with messages that could not be stored");
                add(&counts.received, records);
                add(&counts.dropped, records);
                break;
            }
            tracing::warn!(protocol, records, error = %failure, "messages wait to be stored");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        burst.clear();
        (burst, readers)
    }

    /// A burst is one batch, or nearly always: no part of it is stored twice, as the parts stored are remembered.
    async fn commit_burst(&self, protocol: Protocol, prepared: Prepared) -> Result<(), Refusal> {
        let stored = self.commit(protocol, &TenantId::default(), prepared, None).await;
        stored.whole().map(drop)
    }
}

//! One task per connection; reading stops while a batch is being stored.

use logkeep_wire::frame::{FrameError, Framer};

use super::Dialect;
use super::burst::{Burst, Readers, earliest};
use crate::Intake;
use crate::account::reason;
use crate::connection::{Connection, Read};
use crate::receivers::Task;

/// Serves a connection to its end.
pub(crate) fn tcp<D: Dialect>(intake: Intake, connection: Connection) -> Task {
    Box::pin(async move {
        let (peer, origin) = (connection.peer(), connection.origin());
        let readers = Readers::<D>::default();
        let mut serving =
            Serving { intake: &intake, connection, framer: D::framer(), burst: Burst::default(), readers };
        if let Err(error) = serving.run().await {
            intake.count_refused(&origin, reason::MALFORMED);
            tracing::warn!(protocol = D::PROTOCOL.name(), %peer, %error, "a connection was closed");
        }
    })
}

struct Serving<'i, D> {
    intake: &'i Intake,
    connection: Connection,
    framer: Framer,
    burst: Burst,
    readers: Readers<D>,
}

impl<D: Dialect> Serving<'_, D> {
    /// Reads to the end of the stream. What was read whole is stored in any case.
    async fn run(&mut self) -> Result<(), FrameError> {
        loop {
            let until = earliest(self.burst.deadline(), self.readers.held());
            let read = self.connection.read(self.framer.is_unfinished(), until).await;
            let faulty = self.cut().await;
            if faulty.is_err() || read != Read::Bytes {
                if read == Read::End
                    && let Some(frame) = self.framer.finish()
                {
                    self.burst.push(&frame, self.connection.peer());
                }
                self.store(faulty.is_err() || read == Read::End).await;
            }
            faulty?;
            if read == Read::End {
                return Ok(());
            }
        }
    }

    async fn cut(&mut self) -> Result<(), FrameError> {
        let bytes = self.connection.buffer.split();
        if bytes.is_empty() {
            return Ok(());
        }
        self.framer.push(&bytes);
        while let Some(frame) = self.framer.next_frame()? {
            self.connection.message_taken();
            self.burst.push(&frame, self.connection.peer());
            if self.burst.is_full() {
                self.store(false).await;
            }
        }
        Ok(())
    }

    /// Stores what has come and need not wait.
    async fn store(&mut self, is_end: bool) {
        if self.burst.is_empty() && !self.readers.held().is_due(is_end) {
            return;
        }
        let (burst, readers) = (std::mem::take(&mut self.burst), std::mem::take(&mut self.readers));
        let (origin, shutdown) = (self.connection.origin(), self.connection.shutdown());
        (self.burst, self.readers) = self.intake.store_burst(&origin, burst, readers, is_end, shutdown).await;
        self.connection.holds(self.readers.held().bytes());
    }
}

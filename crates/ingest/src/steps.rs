//! The work of the engine's threads, a step at a time.
//!
//! In production each part is the loop of a thread. A simulation does the steps itself, in one thread and in an order
//! that it can repeat.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::compact;
use crate::engine::Shared;
use crate::flush::{FlushError, Flusher};
use crate::retention;
use crate::writer::{Message, Writer};

/// What the threads of an engine do, a step at a time. They share what they stand on, so one may be done while another
/// waits for the disk.
pub struct Steps {
    pub(crate) writer: Writer,
    pub(crate) requests: mpsc::Receiver<Message>,
    pub(crate) flusher: Flusher,
    pub(crate) shared: Arc<Shared>,
}

/// The writer's steps.
pub struct WriterStep(Writer, mpsc::Receiver<Message>);

/// The flusher's steps.
pub struct FlusherStep(Flusher);

/// The compactor's steps.
pub struct CompactorStep(Arc<Shared>);

impl Steps {
    /// A part for each thread.
    pub fn split(self) -> (WriterStep, FlusherStep, CompactorStep) {
        (WriterStep(self.writer, self.requests), FlusherStep(self.flusher), CompactorStep(self.shared))
    }
}

impl WriterStep {
    /// Commits one group; false if no request waits.
    pub fn step(&mut self) -> bool {
        let Ok(first) = self.1.try_recv() else { return false };
        self.0.group(first, &mut self.1);
        true
    }
}

impl FlusherStep {
    /// Looks around once; with `all` as when the engine stops.
    ///
    /// # Errors
    /// What stood in the way; the log keeps the rows.
    pub fn step(&mut self, all: bool) -> Result<(), FlushError> {
        self.0.round(all)
    }
}

impl CompactorStep {
    /// Destroys what was kept for long enough, then does one merge; false if none is due.
    ///
    /// # Errors
    /// What stood in the way; the segments stay as they are.
    pub fn step(&self) -> Result<bool, FlushError> {
        retention::look(&self.0)?;
        compact::merge_due(&self.0)
    }
}

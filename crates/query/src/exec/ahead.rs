//! Reading several sources at once, and taking what they have in the order of one after the other.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use logkeep_segment::Rows;

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::scan::{Conditions, Scan, Sink};

/// Blocks of matching rows of one source that may wait to be taken.
const WAITING: usize = 8;

/// Rows of a source, and which they are.
type Found = Result<(Rows, Vec<u32>), QueryError>;

impl Scan {
    /// As [`Scan::each`], of all sources in turn. The next ones are read while one is taken, by a thread each.
    pub(super) fn each_source(
        &self,
        wanted: &(dyn Fn(&Source) -> Result<Wanted, QueryError> + Sync),
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let at_once = self.threads.min(self.sources.len());
        if at_once < 2 {
            for source in &self.sources {
                if self.each(source, &wanted(source)?, Conditions::default(), sink)?.is_break() {
                    break;
                }
            }
            return Ok(());
        }
        thread::scope(|scope| {
            let mut sources = self.sources.iter();
            let mut readers: VecDeque<(&Source, Receiver<Found>)> = VecDeque::new();
            loop {
                while readers.len() < at_once
                    && let Some(source) = sources.next()
                {
                    let (give, take) = sync_channel(WAITING);
                    scope.spawn(move || self.send(source, wanted, &give));
                    readers.push_back((source, take));
                }
                let Some((source, taken)) = readers.pop_front() else { return Ok(()) };
                for found in taken {
                    let (rows, numbers) = found?;
                    if sink(Chunk { class: &source.class, rows, numbers, names: None })?.is_break() {
                        return Ok(());
                    }
                }
            }
        })
    }

    /// Sends all that matches in a source, until nobody takes it any more.
    fn send(
        &self,
        source: &Source,
        wanted: &(dyn Fn(&Source) -> Result<Wanted, QueryError> + Sync),
        give: &SyncSender<Found>,
    ) {
        let read = wanted(source).and_then(|wanted| {
            self.each(source, &wanted, Conditions::default(), &mut |chunk| {
                let is_taken = give.send(Ok((chunk.rows, chunk.numbers))).is_ok();
                Ok(if is_taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })
        });
        if let Err(error) = read {
            let _ = give.send(Err(error));
        }
    }
}

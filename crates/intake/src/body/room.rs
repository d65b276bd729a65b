//! Room for bodies that are arriving.
//!
//! A body takes a place among requests only when it is here, so that one that never ends keeps nobody out. What it holds
//! until then comes out of room that all share, as it arrives. Who is out of room waits, and after a while the body that has
//! taken longest gives way: its sender sends again, or was never going to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// What every body may hold without asking.
const FREE_BYTES: usize = 16 << 10;
/// The room is counted in these.
const UNIT: usize = 1 << 10;
/// A body is not asked to give way before it has had so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for room before one is asked.
const PAUSE: Duration = Duration::from_millis(100);

/// Room that all bodies share.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    /// Bodies that hold some of it and are not here in full, by number, which is the order of their beginning.
    arriving: Mutex<BTreeMap<u64, Arriving>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Arriving {
    since: Instant,
    gives_way: CancellationToken,
}

/// What one body holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Arc<Room>,
    number: u64,
    since: Instant,
    gives_way: CancellationToken,
    units: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Of so many bytes.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let units = Arc::new(Semaphore::new(bytes / UNIT));
        Arc::new(Self { units, arriving: Mutex::default(), next: AtomicU64::new(0) })
    }

    /// For a body that begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Held {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (since, gives_way) = (Instant::now(), CancellationToken::new());
        Held { room: self.clone(), number, since, gives_way, units: None }
    }

    fn free_one(&self) {
        let mut arriving = self.arriving.lock();
        if arriving.first_key_value().is_some_and(|(_, oldest)| oldest.since.elapsed() >= PATIENCE)
            && let Some((_, oldest)) = arriving.pop_first()
        {
            oldest.gives_way.cancel();
        }
    }
}

impl Held {
    /// Cancelled when others need the room.
    pub(crate) fn gives_way(&self) -> &CancellationToken {
        &self.gives_way
    }

    /// Takes room for a body of so many bytes by now. False if there is none in so long, or it has to give way itself.
    pub(crate) async fn grow(&mut self, bytes: usize, max_wait: Duration) -> bool {
        let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT);
        let held = self.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            return true;
        }
        let more = (wanted - held) as u32;
        let Some(permit) = self.wait(more, max_wait).await else { return false };
        match &mut self.units {
            Some(units) => units.merge(permit),
            None => {
                self.units = Some(permit);
                let arriving = Arriving { since: self.since, gives_way: self.gives_way.clone() };
                self.room.arriving.lock().insert(self.number, arriving);
            }
        }
        true
    }

    async fn wait(&self, units: u32, max_wait: Duration) -> Option<OwnedSemaphorePermit> {
        let taking = self.room.units.clone().acquire_many_owned(units);
        tokio::pin!(taking);
        let until = Instant::now() + max_wait;
        while Instant::now() < until {
            tokio::select! {
                permit = &mut taking => return permit.ok(),
                () = self.gives_way.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => self.room.free_one(),
            }
        }
        None
    }

    /// The body is here: what it holds is for what is done with it.
    pub(crate) fn is_whole(&mut self) {
        self.room.arriving.lock().remove(&self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.is_whole();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn who_takes_longest_gives_way_and_small_ones_never_ask() {
        let room = Room::new(64 << 10);
        let (mut slow, mut other) = (room.begin(), room.begin());
        assert!(slow.grow(FREE_BYTES + (40 << 10), LONG).await);
        let mut small = room.begin();
        assert!(small.grow(FREE_BYTES, Duration::ZERO).await);
        assert!(!small.grow(FREE_BYTES + (40 << 10), Duration::ZERO).await, "there is no room");
        let ends = tokio::spawn(async move {
            slow.gives_way().cancelled().await;
            slow.since.elapsed()
        });
        assert!(other.grow(FREE_BYTES + (40 << 10), LONG).await);
        assert!(ends.await.unwrap() >= PATIENCE);
        other.is_whole();
        assert!(room.arriving.lock().is_empty());
        drop(other);
        assert_eq!(room.units.available_permits(), 64);
    }
}

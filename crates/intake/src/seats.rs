//! Seats: how many connections a listener has at once, and who gives way.
//!
//! A sender may keep a connection open for days, so their number is what must be bounded. At the bound one gives way to
//! the new one, which may be the only one with something to say. First goes one that has not introduced itself yet, of
//! the address that has most of these: whoever opens many and says nothing shuts out nobody else. Then the one that has
//! been silent for longest: its sender opens another when it has something to say.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Before looking again who could give way.
const PAUSE: Duration = Duration::from_millis(50);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It has not introduced itself: no handshake, no first byte.
    Greeting,
    /// Something is under way.
    Work,
    /// Nothing, since then.
    Nothing(Instant),
}

/// What others may ask of a connection.
#[derive(Debug)]
pub(crate) struct Seat {
    address: IpAddr,
    doing: Mutex<Doing>,
    closing: CancellationToken,
}

impl Seat {
    fn new(address: IpAddr) -> Self {
        Self { address, doing: Mutex::new(Doing::Greeting), closing: CancellationToken::new() }
    }

    pub(crate) fn set_idle(&self, idle: bool) {
        let mut doing = self.doing.lock();
        match (*doing, idle) {
            (Doing::Nothing(_), true) => {}
            (_, true) => *doing = Doing::Nothing(Instant::now()),
            (_, false) => *doing = Doing::Work,
        }
    }

    /// Cancelled when the connection has to give way.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}

/// The seats of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    /// By number, which is the order of arrival.
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
    next: AtomicU64,
    places: Arc<Semaphore>,
    silent_for: Duration,
}

/// A seat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) seat: Arc<Seat>,
    seats: Arc<Seats>,
    number: u64,
    _place: OwnedSemaphorePermit,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.taken.lock().remove(&self.number);
    }
}

impl Seats {
    /// So many; whoever has been silent for so long may be asked to give way.
    pub(crate) fn new(count: usize, silent_for: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(count.max(1)));
        Arc::new(Self { taken: Mutex::default(), next: AtomicU64::new(0), places, silent_for })
    }

    /// A seat for a connection from here, as soon as there is one.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Taken> {
        let place = loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                break place;
            }
            self.free_one();
            tokio::select! {
                place = self.places.clone().acquire_owned() => break place.ok()?,
                () = tokio::time::sleep(PAUSE) => {}
            }
        };
        let seat = Arc::new(Seat::new(address.to_canonical()));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.taken.lock().insert(number, seat.clone());
        Some(Taken { seat, seats: self.clone(), number, _place: place })
    }

    /// Asks one connection to end, if there is one that may be asked.
    pub(crate) fn free_one(&self) {
        let mut taken = self.taken.lock();
        let chosen = greeting(&taken).or_else(|| silent(&taken, self.silent_for));
        if let Some(seat) = chosen.and_then(|number| taken.remove(&number)) {
            seat.closing.cancel();
        }
    }
}

/// The oldest that has not introduced itself, of the address that has most of these.
fn greeting(taken: &BTreeMap<u64, Arc<Seat>>) -> Option<u64> {
    let mut by_address: HashMap<IpAddr, (usize, u64)> = HashMap::new();
    for (number, seat) in taken.iter().filter(|(_, seat)| *seat.doing.lock() == Doing::Greeting) {
        by_address.entry(seat.address).or_insert((0, *number)).0 += 1;
    }
    let most = by_address.into_values().max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest)));
    most.map(|(_, oldest)| oldest)
}

/// The one silent for longest, if that is long.
fn silent(taken: &BTreeMap<u64, Arc<Seat>>, silent_for: Duration) -> Option<u64> {
    let now = Instant::now();
    let idle = taken.iter().filter_map(|(number, seat)| match *seat.doing.lock() {
        Doing::Nothing(since) => Some((now.saturating_duration_since(since), *number)),
        Doing::Greeting | Doing::Work => None,
    });
    idle.filter(|(silent, _)| *silent >= silent_for).max().map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[tokio::test]
    async fn who_opens_many_shuts_out_only_himself() {
        let seats = Seats::new(4, Duration::ZERO);
        let modest = seats.take(address(1)).await.unwrap();
        let idle = seats.take(address(3)).await.unwrap();
        idle.seat.set_idle(true);
        let greedy = [seats.take(address(2)).await.unwrap(), seats.take(address(2)).await.unwrap()];
        seats.free_one();
        assert!(greedy[0].seat.closing.is_cancelled() && !greedy[1].seat.closing.is_cancelled());
        seats.free_one();
        assert!(modest.seat.closing.is_cancelled(), "of as many, the oldest");
        seats.free_one();
        assert!(greedy[1].seat.closing.is_cancelled() && !idle.seat.closing.is_cancelled());
        seats.free_one();
        assert!(idle.seat.closing.is_cancelled());
    }

    #[tokio::test]
    async fn who_works_keeps_his_seat() {
        let seats = Seats::new(1, Duration::ZERO);
        let busy = seats.take(address(1)).await.unwrap();
        busy.seat.set_idle(false);
        seats.free_one();
        assert!(!busy.seat.closing.is_cancelled());
        let waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take(address(2)).await.is_some() }
        });
        drop(busy);
        assert!(waiting.await.unwrap());
        assert!(seats.taken.lock().is_empty());
    }
}

//! Giving memory back.
//!
//! The allocator returns free pages as a by-product of allocating. A server that has just taken in a burst and is now
//! idle does not allocate, and would hold the memory of the burst for as long as it stays idle.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;

/// The default allocator of the C library gives memory back late and contends under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a thread that has nothing to do stays: it keeps buffers, and a task every other second, to whichever thread it
/// goes, would keep all of them.
pub(crate) const KEEP_THREADS: Duration = Duration::from_millis(500);

/// How often to look.
const TICK: Duration = Duration::from_secs(5);
/// Processor time in a tick below which the process counts as idle.
const IDLE: Duration = Duration::from_millis(250);

/// `mi_option_purge_delay` in mimalloc.h; the crate does not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// How long free pages wait for another use, in milliseconds. The allocator's own second lets the pages that one step of
/// ingest has freed pile up beside those of the next, a tenth more memory at the peak; a tenth of a second has questions that come one
/// after the other take their pages anew each time, a quarter more time for those that hold much.
const PURGE_DELAY_MS: core::ffi::c_long = 500;

/// Sets up the allocator; its environment variables (`MIMALLOC_PURGE_DELAY`) still win.
#[allow(unsafe_code, reason = "calls of the allocator and of the system that have no conditions")]
pub(crate) fn prepare() {
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
    // The allocator asks for huge pages. What is given back in part is filled up again by the kernel then: a fifth more memory
    // at the peak of ingest, twice as much when idle, and a cold question four times as slow where the kernel has to
    // look for two free megabytes (docs/benchmarks.md). A failure costs only that.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

/// How often the process was found idle.
static IDLE_TICKS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The tick in which this thread last gave its memory back.
    static COLLECTED: Cell<u64> = const { Cell::new(0) };
}

/// Starts a thread that has free memory returned to the system while the process is idle, that of each thread of
/// `runtime` too: a thread can return only its own.
pub(crate) fn return_when_idle(runtime: &Runtime) -> std::io::Result<()> {
    let (threads, wake) = (runtime.metrics().num_workers(), runtime.handle().clone());
    let watch = move || {
        let mut last = cpu_time();
        loop {
            std::thread::sleep(TICK);
            let now = cpu_time();
            if now.saturating_sub(last) < IDLE {
                IDLE_TICKS.fetch_add(1, Ordering::Relaxed);
                collect();
                // A thread that is woken for one of these looks at the tick before it sleeps again.
                (0..threads * 2).for_each(|_| drop(wake.spawn(std::future::ready(()))));
            }
            last = now;
        }
    };
    std::thread::Builder::new().name("memory".into()).spawn(watch).map(drop)
}

/// Gives back the memory of this thread, which is about to sleep, once in each idle tick; also what it keeps for the next
/// request.
pub(crate) fn collect_before_sleep() {
    let tick = IDLE_TICKS.load(Ordering::Relaxed);
    if COLLECTED.replace(tick) != tick {
        logkeep_ingest::forget_buffers();
        collect();
    }
}

#[allow(unsafe_code, reason = "the allocator's own call; it has no conditions")]
fn collect() {
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Processor time of the process so far; zero where the system does not say, and then it always counts as idle.
fn cpu_time() -> Duration {
    let ticks = || {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program is in parentheses and may hold anything; user and system time are the 12th and 13th
        // field after it, in hundredths of a second (proc_pid_stat(5), with the kernel's USER_HZ of 100).
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    Duration::from_millis(ticks().unwrap_or_default() * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_counted() {
        let before = cpu_time();
        let started = std::time::Instant::now();
        let mut sum = 0u64;
        while cpu_time() == before && started.elapsed() < Duration::from_secs(60) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu_time() > before);
    }
}

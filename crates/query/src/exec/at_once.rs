//! Doing the same for several things at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::QueryError;

/// What `work` makes of each item, in their order. The caller's thread is one of `threads`.
pub(super) fn at_once<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, QueryError> + Sync,
) -> Result<Vec<R>, QueryError> {
    let next = AtomicUsize::new(0);
    let do_some = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return Ok(done) };
            done.push((at, work(item)?));
        }
    };
    let panicked = |_| Err(QueryError::Internal("a thread panicked".into()));
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(do_some)).collect();
        let own = do_some();
        others.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).fold(own, |all, more| {
            let mut all = all?;
            all.extend(more?);
            Ok(all)
        })
    })?;
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_what_they_are_of() {
        let items: Vec<u64> = (0..1_000).collect();
        for threads in [0, 1, 3, 64] {
            let squares = at_once(threads, &items, |item| Ok(item * item)).unwrap();
            assert!(squares.iter().zip(&items).all(|(square, item)| *square == item * item));
            assert_eq!(squares.len(), items.len());
        }
        assert!(at_once(4, &Vec::<u64>::new(), |item| Ok(*item)).unwrap().is_empty());
    }

    #[test]
    fn an_error_and_a_panic_are_told() {
        let fails = |item: &u64| if *item == 70 { Err(QueryError::Internal("seventy".into())) } else { Ok(*item) };
        let error = at_once(3, &(0..100).collect::<Vec<u64>>(), fails).unwrap_err();
        assert!(error.to_string().contains("seventy"), "{error}");
        let own = thread::current().id();
        let panics = |item: &u64| if thread::current().id() == own { Ok(*item) } else { panic!("of a test") };
        // The other thread may come too late for any of them.
        let result = at_once(2, &(0..100_000).collect::<Vec<u64>>(), panics);
        assert!(result.is_ok() || result.is_err_and(|error| error.to_string().contains("panicked")));
    }
}

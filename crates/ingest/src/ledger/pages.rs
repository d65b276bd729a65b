//! Lines on their way to pages, and pages into fewer ones.
//!
//! Only the flusher does any of it. A page stands for batches of a class, without a gap; what was counted beside any batch
//! is given numbers of its own, in a class that has no tree.

use std::collections::BTreeMap;

use logkeep_catalog::{Change, Head, Page, PageRow, Pages};
use logkeep_record::{Class, TenantId};

use super::{Ledger, PAGE_LINES, minute};
use crate::engine::Shared;
use crate::flush::FlushError;
use crate::state::{ClassKey, State};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// Minutes for which every minute has lines of its own; older lines stand for an hour.
const FINE: i64 = 7 * DAY;
/// How long what was counted beside any batch may wait for its page.
const WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// What was counted beside any batch and is on no page yet.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) lines: BTreeMap<TenantId, Ledger>,
    /// By [`logkeep_store::Clock::elapsed_ns`].
    since: Option<u64>,
}

impl Waiting {
    pub(crate) fn add(&mut self, tenant: &TenantId, lines: &Ledger, elapsed_ns: u64) {
        if !lines.is_empty() {
            self.lines.entry(tenant.clone()).or_default().merge(lines);
            self.since.get_or_insert(elapsed_ns);
        }
    }
}

impl State {
    /// Takes over what the catalog was told.
    pub(crate) fn change_pages(&mut self, class: &ClassKey, change: &Pages) {
        let pages = self.pages.entry(class.clone()).or_default();
        pages.retain(|page| !change.remove.contains(page));
        if let Some(page) = &change.add {
            let place = pages.partition_point(|other| other.first < page.row.first);
            pages.insert(place, page.row.clone());
        }
    }
}

/// The page of the batches `first` to `last`; it takes the one before it in if both are about the same minute.
pub(crate) fn next_page(
    shared: &Shared,
    class: &ClassKey,
    (first, last): (u64, u64),
    lines: &Ledger,
) -> Result<Pages, FlushError> {
    let Some((from_minute, to_minute)) = span(lines) else { return Err("batches without a line in the ledger".into()) };
    let before = shared.state.lock().pages.get(class).and_then(|pages| pages.last().cloned());
    let is_one = |page: &PageRow| page.from_minute == from_minute && page.to_minute == to_minute;
    let joined = before.filter(|page| from_minute == to_minute && is_one(page));
    let Some(before) = joined else {
        let row = PageRow { first, last, from_minute, to_minute };
        return Ok(Pages { add: Some(Page { row, body: lines.to_page()? }), remove: vec![] });
    };
    let mut whole = read_page(shared, class, &before)?;
    whole.merge(lines);
    let row = PageRow { first: before.first, last, from_minute, to_minute };
    Ok(Pages { add: Some(Page { row, body: whole.to_page()? }), remove: vec![before] })
}

fn span(lines: &Ledger) -> Option<(i64, i64)> {
    let mut minutes = lines.lines().map(|(minute, ..)| minute);
    let first = minutes.next()?;
    Some((first, minutes.next_back().unwrap_or(first)))
}

fn read_page(shared: &Shared, class: &ClassKey, page: &PageRow) -> Result<Ledger, FlushError> {
    let body = shared.runtime.block_on(shared.catalog.page(&class.0, &class.1, page))?;
    let mut lines = Ledger::bounded(PAGE_LINES);
    lines.merge(&Ledger::from_page(&body.ok_or("a page of the ledger is missing")?)?);
    Ok(lines)
}

/// Makes durable what was counted beside any batch, once it has waited long enough or `all` of it is asked for.
pub(crate) fn store_waiting(shared: &Shared, all: bool) -> Result<(), FlushError> {
    let waiting: Vec<(TenantId, Ledger)> = {
        let waiting = shared.waiting.lock();
        if !waiting.since.is_some_and(|since| all || shared.waited(since) >= WAIT) {
            return Ok(());
        }
        waiting.lines.iter().map(|(tenant, lines)| (tenant.clone(), lines.clone())).collect()
    };
    for (tenant, lines) in waiting {
        let class = (tenant, Class::ledger());
        let _turn = shared.catalog_turn.lock();
        let number =
            shared.state.lock().pages.get(&class).and_then(|pages| pages.last()).map_or(0, |page| page.last + 1);
        let pages = next_page(shared, &class, (number, number), &lines)?;
        commit(shared, &class, pages.clone(), Head { flushed: number + 1, ..Head::default() })?;
        let mut state = shared.state.lock();
        let mut waiting = shared.waiting.lock();
        state.change_pages(&class, &pages);
        if let Some(own) = waiting.lines.get_mut(&class.0) {
            own.subtract(&lines);
        }
        waiting.lines.retain(|_, lines| !lines.is_empty());
        waiting.since = (!waiting.lines.is_empty()).then(|| shared.clock.elapsed_ns());
    }
    Ok(())
}

fn commit(shared: &Shared, (tenant, class): &ClassKey, pages: Pages, head: Head) -> Result<(), FlushError> {
    let (tenant, class) = (tenant.clone(), class.clone());
    let change = Change {
        tenant,
        class,
        add: vec![],
        remove: vec![],
        head,
        keys: vec![],
        documents: None,
        pages,
        secrets: vec![],
    };
    Ok(shared.runtime.block_on(shared.catalog.commit(change))?)
}

/// Joins a run of pages of an hour that is over, or of a day that is long over, if there is one.
pub(crate) fn join_pages(shared: &Shared) -> Result<bool, FlushError> {
    let now = minute(shared.clock.now_ns());
    let _turn = shared.catalog_turn.lock();
    let due = {
        let state = shared.state.lock();
        state.pages.iter().find_map(|(class, pages)| {
            let (run, step) = due_run(pages, now)?;
            let head = state.partitions.get(class).map(|partition| partition.head.clone());
            let flushed = pages.last().map_or(0, |page| page.last + 1);
            Some((class.clone(), run.to_vec(), step, head.unwrap_or(Head { flushed, ..Head::default() })))
        })
    };
    let Some((class, run, step, head)) = due else { return Ok(false) };
    let mut whole = Ledger::bounded(PAGE_LINES);
    for page in &run {
        whole.merge(&read_page(shared, &class, page)?.coarser(step, PAGE_LINES));
    }
    let (Some(first), Some(last), Some((from_minute, to_minute))) = (run.first(), run.last(), span(&whole)) else {
        return Ok(false);
    };
    // A line for an hour is named by its first minute and reaches to its last.
    let row = PageRow { first: first.first, last: last.last, from_minute, to_minute: to_minute + step - 1 };
    let pages = Pages { add: Some(Page { row, body: whole.to_page()? }), remove: run };
    commit(shared, &class, pages.clone(), head)?;
    shared.state.lock().change_pages(&class, &pages);
    Ok(true)
}

/// Neighbours of one hour that is over, or of one day that is long over, and the minutes of a line.
fn due_run(pages: &[PageRow], now: i64) -> Option<(&[PageRow], i64)> {
    let belongs = |page: &PageRow| {
        let (length, step) = if now - page.to_minute > FINE { (DAY, HOUR) } else { (HOUR, 1) };
        (page.to_minute.div_euclid(length) < now.div_euclid(length))
            .then(|| (length, page.from_minute.div_euclid(length), step))
    };
    let run =
        pages.chunk_by(|a, b| belongs(a) == belongs(b)).find(|run| run.len() > 1 && belongs(&run[0]).is_some())?;
    Some((run, belongs(&run[0])?.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(first: u64, from_minute: i64, to_minute: i64) -> PageRow {
        PageRow { first, last: first, from_minute, to_minute }
    }

    #[test]
    fn pages_of_an_hour_that_is_over_are_joined_and_those_of_a_day_later() {
        let pages = [page(0, 0, 59), page(1, 60, 60), page(2, 61, 62), page(3, 119, 120), page(4, 120, 121)];
        let due = |now| due_run(&pages, now).map(|(run, step)| (run[0].first, run.len(), step));
        assert_eq!(due(119), None);
        assert_eq!(due(120), Some((1, 2, 1)), "one that reaches into the next hour is not over");
        assert_eq!(due(180), Some((1, 3, 1)));
        assert_eq!(due(FINE + 62), Some((0, 2, HOUR)), "those that are older than the others come first");
        assert_eq!(due(FINE + 200), Some((0, 5, HOUR)));
    }
}

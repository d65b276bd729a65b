//! Which message templates the matching records have, and how many records each: exactly, over all of them.
//!
//! Each source counts by its own list, and what is the same template in several is put together in the end. Rows without a number
//! (live ones, and all rows of a reader who may not see everything) are given templates here, by a miner that knows the lists, or
//! nothing where they may not be used.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Int64Type, UInt8Type, UInt32Type, UInt64Type};
use logkeep_ingest::SegmentHandle;
use logkeep_pattern::{Limits, Listed, Miner, Run, StreamKey, Template, TemplateId};
use logkeep_record::{Class, RecordId, Resource, TimeRange, Value};
use logkeep_segment::{Templates, fixed, stream_key};

use super::QueryError;
use super::chunk::{self, Chunk, Source, Wanted};
use super::histogram::{Histogram, empty};
use super::scan::{Conditions, Scan};
use super::search::PageKey;
use super::templates::{lists, names};

/// Templates that are counted one by one; rows of further ones are counted together.
pub(super) const MOST: usize = 20_000;
/// Lists, the newest, of which the templates are known to rows without a number.
pub(super) const RESTORED: usize = 64;

/// A template and the records that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What it is called for good; `None` as long as no segment lists it, or where the reader may not know.
    pub id: Option<TemplateId>,
    /// Its text.
    pub template: Template,
    /// Records in the range.
    pub count: u64,
    /// Records in the time of the same length before, if that was asked for.
    pub before: u64,
    /// Records in the range by severity number.
    pub severity: [u64; 25],
    /// Records in the range by service, most first.
    pub services: Vec<(String, u64)>,
    /// Earliest and latest time of a record, nanoseconds, in the range and the time before.
    pub times_ns: (i64, i64),
    /// The earliest time of any record with this template, ever; `None` where the reader may not know.
    pub first_seen_ns: Option<i64>,
    /// Records in each bucket of the range.
    pub series: Vec<u64>,
    /// Its newest record there, and the message of it.
    pub example: Option<(RecordId, String)>,
}

/// The templates of the matching records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    /// Matching records in the range.
    pub total: u64,
    /// Those whose message is no text.
    pub without: u64,
    /// Those of templates beyond the number that is counted one by one.
    pub others: u64,
    /// Where the first bucket begins, and how wide each is, nanoseconds.
    pub grid_ns: (i64, i64),
    /// All of them, the most frequent first.
    pub patterns: Vec<Pattern>,
}

/// What is asked of templates.
#[derive(Clone, Copy, Debug)]
pub struct PatternSearch {
    /// The range; the scan goes further back where the time before counts as well.
    pub range: TimeRange,
    /// Buckets over the range, about.
    pub buckets: usize,
    /// Templates of which an example is read, the most frequent.
    pub examples: usize,
}

/// A source, and the number of a row in it.
type Place = (usize, u32);
/// A record in the order of its dataset, whatever rows it lies between, and where it lies.
type Newest = (PageKey, Place);

/// The rows of one template in one source.
struct Tally {
    service: Arc<Resource>,
    count: u64,
    before: u64,
    severity: [u64; 25],
    times_ns: (i64, i64),
    series: Vec<u32>,
    newest: Option<Newest>,
}

impl Tally {
    fn service(&self) -> &str {
        self.service.attribute("service.name").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Where counts go while sources are read.
struct Counting {
    grid: Histogram,
    range: TimeRange,
    tallies: Vec<Tally>,
    result: Patterns,
}

impl Counting {
    fn new(search: &PatternSearch) -> Self {
        let grid = empty(&search.range, search.buckets);
        let first = grid.buckets.first().map_or(search.range.start_ns(), |bucket| bucket.start_ns);
        let result = Patterns { grid_ns: (first, grid.bucket_ns), ..Patterns::default() };
        Self { grid, range: search.range, tallies: Vec::new(), result }
    }

    /// Where to count a template: [`MOST`], which is no place, if there is no room left.
    fn tally(&mut self, stream: &Arc<Resource>) -> usize {
        if self.tallies.len() >= MOST {
            return MOST;
        }
        self.tallies.push(Tally {
            service: stream.clone(),
            count: 0,
            before: 0,
            severity: [0; 25],
            times_ns: (i64::MAX, i64::MIN),
            series: vec![0; self.grid.buckets.len()],
            newest: None,
        });
        self.tallies.len() - 1
    }

    fn add(&mut self, tally: usize, row: &Row) {
        let is_now = row.time_ns >= self.range.start_ns();
        let Some(tally) = self.tallies.get_mut(tally) else {
            self.result.others += u64::from(is_now);
            return;
        };
        tally.times_ns = (tally.times_ns.0.min(row.time_ns), tally.times_ns.1.max(row.time_ns));
        // Most rows lose by their time alone.
        if tally.newest.as_ref().is_none_or(|(newest, _)| newest.time_ns <= row.time_ns) {
            tally.newest = tally.newest.take().max(Some((row.key(), row.place)));
        }
        if !is_now {
            tally.before += 1;
            return;
        }
        tally.count += 1;
        tally.severity[usize::from(row.severity).min(24)] += 1;
        let bucket = (row.time_ns.saturating_sub(self.result.grid_ns.0) / self.grid.bucket_ns) as usize;
        if let Some(count) = tally.series.get_mut(bucket) {
            *count += 1;
        }
    }
}

/// A row that counts.
struct Row<'c> {
    class: &'c Class,
    time_ns: i64,
    batch: u64,
    index: u32,
    severity: u8,
    place: Place,
}

impl Row<'_> {
    fn key(&self) -> PageKey {
        PageKey { time_ns: self.time_ns, class: self.class.clone(), batch: self.batch, index: self.index }
    }
}

/// The columns that [`Rows`] looks at.
const COLUMNS: [&str; 5] = [fixed::TIME, fixed::SEVERITY, fixed::STREAM, fixed::BATCH, fixed::INDEX];

/// The columns of a chunk that are looked at for every row.
struct Rows<'c> {
    times: &'c [i64],
    severities: &'c [u8],
    streams: &'c [u32],
    batches: &'c [u64],
    indexes: &'c [u32],
}

impl<'c> Rows<'c> {
    fn of(chunk: &'c Chunk<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            times: chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values(),
            severities: chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>().values(),
            streams: chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values(),
            batches: chunk.column(fixed::BATCH)?.as_primitive::<UInt64Type>().values(),
            indexes: chunk.column(fixed::INDEX)?.as_primitive::<UInt32Type>().values(),
        })
    }

    fn row(&self, chunk: &Chunk<'c>, source: usize, at: usize) -> Row<'c> {
        Row {
            class: chunk.class,
            time_ns: self.times[at],
            batch: self.batches[at],
            index: self.indexes[at],
            severity: self.severities[at],
            place: (source, chunk.numbers[at]),
        }
    }
}

/// The rows that are given templates now.
struct Mined<'a> {
    run: Run<'a>,
    /// For each number of the run, where it is counted.
    tallies: Vec<Option<usize>>,
}

impl Scan {
    /// The templates of the matching records. `all` are the tenant's segments, the newest last, in the range or not: their lists
    /// say what templates are called, and since when there are any.
    pub(crate) fn patterns(&self, search: &PatternSearch, all: &[Arc<SegmentHandle>]) -> Result<Patterns, QueryError> {
        let mut counting = Counting::new(search);
        let known = if self.view.is_limited() { Vec::new() } else { lists(all, &self.cache, &self.budget)? };
        let mut miner = Miner::new(Limits::default());
        let newest = known.iter().rev().take(RESTORED).flat_map(|list| list.list());
        newest.for_each(|known| miner.restore(&known.listed));
        let mut mined = Mined { run: miner.begin(), tallies: Vec::new() };
        let mut groups = Groups::default();
        for (place, source) in self.sources.iter().enumerate() {
            let Some(templates) = self.numbered(source)? else {
                self.count_mined((place, source), &mut mined, &mut counting)?;
                continue;
            };
            let tallies = self.count_numbered((place, source), &templates, &mut counting)?;
            for (known, tally) in templates.list().iter().zip(tallies) {
                groups.add(&known.listed, true, tally);
            }
        }
        let first = First::of(&known);
        let Mined { run, tallies } = mined;
        let found = run.finish();
        for (place, tally) in found.places.iter().zip(tallies) {
            let listed = &found.list[*place as usize];
            groups.add(listed, names(listed).any(|id| first.seen.contains_key(&id)), tally);
        }
        let Counting { tallies, mut result, .. } = counting;
        let mut patterns: Vec<(Pattern, Option<Newest>)> =
            groups.finish().map(|group| group.pattern(&tallies, &first)).collect();
        patterns.sort_by_cached_key(|(one, _)| (Reverse((one.count, one.before)), one.template.to_string()));
        self.examples(&mut patterns, search.examples)?;
        result.patterns = patterns.into_iter().map(|(pattern, _)| pattern).collect();
        Ok(result)
    }

    /// The list of a source whose rows have numbers, if the reader may know them.
    pub(super) fn numbered(&self, source: &Source) -> Result<Option<Arc<Templates>>, QueryError> {
        match &source.place {
            chunk::Place::Segment(handle) if !self.view.is_limited() => self.cache.templates(&*handle.segment()?),
            _ => Ok(None),
        }
    }

    /// Counts by the numbers that rows have. Gives, for each template of the list, where it is counted, if it is.
    fn count_numbered(
        &self,
        (place, source): (usize, &Source),
        templates: &Templates,
        counting: &mut Counting,
    ) -> Result<Vec<Option<usize>>, QueryError> {
        let wanted: Wanted = COLUMNS.into_iter().chain([fixed::TEMPLATE]).map(str::to_owned).collect();
        let mut tallies: Vec<Option<usize>> = vec![None; templates.list().len()];
        let places: Vec<Option<usize>> =
            (0..templates.numbers() as u32).map(|number| templates.place(number)).collect();
        let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
            let rows = Rows::of(&chunk)?;
            let numbers = chunk.column(fixed::TEMPLATE)?.as_primitive::<UInt32Type>();
            for at in 0..chunk.len() {
                let row = rows.row(&chunk, place, at);
                counting.result.total += u64::from(row.time_ns >= counting.range.start_ns());
                let known = numbers.is_valid(at).then(|| places.get(numbers.value(at) as usize).copied().flatten());
                let Some(Some(known)) = known else {
                    counting.result.without += u64::from(row.time_ns >= counting.range.start_ns());
                    continue;
                };
                let tally = match tallies[known] {
                    Some(tally) => tally,
                    None => *tallies[known].insert(counting.tally(&chunk.rows.streams()[rows.streams[at] as usize])),
                };
                counting.add(tally, &row);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(tallies)
    }

    /// Counts rows that have no number, by giving them one of the run.
    fn count_mined(
        &self,
        (place, source): (usize, &Source),
        mined: &mut Mined<'_>,
        counting: &mut Counting,
    ) -> Result<(), QueryError> {
        let wanted: Wanted = COLUMNS.into_iter().chain([fixed::BODY]).map(str::to_owned).collect();
        let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
            let rows = Rows::of(&chunk)?;
            let bodies = chunk.column(fixed::BODY)?.as_string::<i32>();
            let keys: Vec<StreamKey> = chunk.rows.streams().iter().map(|stream| stream_key(stream)).collect();
            for at in 0..chunk.len() {
                let row = rows.row(&chunk, place, at);
                counting.result.total += u64::from(row.time_ns >= counting.range.start_ns());
                if bodies.is_null(at) {
                    counting.result.without += u64::from(row.time_ns >= counting.range.start_ns());
                    continue;
                }
                let stream = rows.streams[at] as usize;
                let number = mined.run.add(keys[stream], bodies.value(at)) as usize;
                if number >= mined.tallies.len() {
                    mined.tallies.resize(number + 1, None);
                }
                let tally = match mined.tallies[number] {
                    Some(tally) => tally,
                    None => *mined.tallies[number].insert(counting.tally(&chunk.rows.streams()[stream])),
                };
                counting.add(tally, &row);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    /// Reads the message of each template's newest record, as the reader may see it.
    fn examples(&self, patterns: &mut [(Pattern, Option<Newest>)], most: usize) -> Result<(), QueryError> {
        let mut by_source: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        for (at, (_, newest)) in patterns.iter().enumerate().take(most) {
            if let Some((_, (source, row))) = newest {
                by_source.entry(*source).or_default().push((at, *row));
            }
        }
        for (source, wanted) in by_source {
            self.budget.check()?;
            let numbers: Vec<u32> = wanted.iter().map(|(_, row)| *row).collect();
            let bodies = self.bodies(&self.sources[source], &numbers)?;
            for ((at, _), body) in wanted.into_iter().zip(bodies) {
                let (pattern, newest) = &mut patterns[at];
                pattern.example = newest.take().and_then(|(key, _)| Some((key.id(), body?)));
            }
        }
        Ok(())
    }

    fn bodies(&self, source: &Source, numbers: &[u32]) -> Result<Vec<Option<String>>, QueryError> {
        if self.view.mask.is_none() {
            return super::scan::texts(source, fixed::BODY, numbers);
        }
        let rows = self.fetch(source, numbers)?;
        let body = |row| Ok(rows.record(row)?.body.as_str().map(str::to_owned));
        (0..rows.len()).map(body).collect()
    }
}

/// When templates were first seen, by the lists.
pub(super) struct First {
    pub(super) seen: HashMap<TemplateId, i64>,
}

impl First {
    pub(super) fn of(lists: &[Arc<Templates>]) -> Self {
        let mut seen: HashMap<TemplateId, i64> = HashMap::new();
        for known in lists.iter().flat_map(|list| list.list()) {
            for id in names(&known.listed) {
                let first = seen.entry(id).or_insert(known.first_ns);
                *first = known.first_ns.min(*first);
            }
        }
        Self { seen }
    }
}

/// What is the same template, by an id or by its text.
#[derive(Default)]
pub(super) struct Groups {
    parts: Vec<Group>,
    /// Of each part another one that is the same, or itself.
    same: Vec<usize>,
    by_id: HashMap<TemplateId, usize>,
    by_text: HashMap<String, usize>,
}

pub(super) struct Group {
    pub(super) ids: Vec<TemplateId>,
    pub(super) template: Template,
    /// Where its rows were counted.
    pub(super) tallies: Vec<usize>,
}

impl Groups {
    /// `is_known`: its ids are those of a list, and last.
    pub(super) fn add(&mut self, listed: &Listed, is_known: bool, tally: Option<usize>) {
        let Some(tally) = tally.filter(|tally| *tally < MOST) else { return };
        let at = self.parts.len();
        let ids: Vec<TemplateId> = if is_known { names(listed).collect() } else { Vec::new() };
        self.same.push(at);
        for id in &ids {
            let other = *self.by_id.entry(*id).or_insert(at);
            self.join(at, other);
        }
        let other = *self.by_text.entry(listed.template.to_string()).or_insert(at);
        self.join(at, other);
        self.parts.push(Group { ids, template: listed.template.clone(), tallies: vec![tally] });
    }

    /// The one that stands for all that are the same.
    fn root(&mut self, mut at: usize) -> usize {
        while self.same[at] != at {
            self.same[at] = self.same[self.same[at]];
            at = self.same[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.same[one.max(other)] = one.min(other);
    }

    pub(super) fn finish(mut self) -> impl Iterator<Item = Group> {
        let mut whole: BTreeMap<usize, Group> = BTreeMap::new();
        for (at, part) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            match whole.entry(self.root(at)) {
                Entry::Vacant(entry) => drop(entry.insert(part)),
                Entry::Occupied(mut entry) => entry.get_mut().take_in(part),
            }
        }
        whole.into_values()
    }
}

impl Group {
    fn take_in(&mut self, part: Self) {
        self.ids.extend(part.ids);
        self.tallies.extend(part.tallies);
        if part.template.by_generality(&self.template).is_lt() {
            self.template = part.template;
        }
    }

    /// What was counted of it, and where its newest row is.
    fn pattern(self, all: &[Tally], first: &First) -> (Pattern, Option<Newest>) {
        let mut services: BTreeMap<&str, u64> = BTreeMap::new();
        let mut pattern = Pattern {
            id: self.ids.iter().min().copied(),
            template: self.template,
            count: 0,
            before: 0,
            severity: [0; 25],
            services: Vec::new(),
            times_ns: (i64::MAX, i64::MIN),
            first_seen_ns: None,
            series: Vec::new(),
            example: None,
        };
        let mut newest: Option<Newest> = None;
        for tally in self.tallies.iter().map(|at| &all[*at]) {
            pattern.count += tally.count;
            pattern.before += tally.before;
            pattern.severity.iter_mut().zip(tally.severity).for_each(|(sum, count)| *sum += count);
            pattern.times_ns = (pattern.times_ns.0.min(tally.times_ns.0), pattern.times_ns.1.max(tally.times_ns.1));
            pattern.series.resize(tally.series.len(), 0);
            pattern.series.iter_mut().zip(&tally.series).for_each(|(sum, count)| *sum += u64::from(*count));
            newest = newest.max(tally.newest.clone());
            *services.entry(tally.service()).or_default() += tally.count;
        }
        let listed_ns = self.ids.iter().filter_map(|id| first.seen.get(id)).min();
        pattern.first_seen_ns = listed_ns.map(|listed| *listed.min(&pattern.times_ns.0));
        pattern.services = services.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        pattern.services.sort_by_key(|(_, count)| Reverse(*count));
        (pattern, newest)
    }
}

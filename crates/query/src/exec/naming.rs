//! The message template of every row, as a column of SQL.
//!
//! What is the same template in several sources is known only when all of them were looked at, so the first who asks reads the
//! numbers of templates of the whole range, as [`super::patterns`] does, and every row is called what is counted there. It is done
//! before any condition is asked: `template` may be what a condition is about.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::UInt32Type;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use logkeep_ingest::SegmentHandle;
use logkeep_pattern::{Limits, Miner, Run, StreamKey};
use logkeep_segment::{Templates, fixed, stream_key};
use parking_lot::Mutex;

use super::QueryError;
use super::chunk::{Chunk, Place, Source, Wanted};
use super::patterns::{First, Groups, MOST, RESTORED};
use super::scan::{Conditions, Scan, arrow_error};
use super::templates::{lists, names};

/// What a row without a template is called by.
const NONE: u32 = u32::MAX;

/// Names for the rows of a scan, found when they are first asked for.
pub(crate) struct Naming {
    scan: Scan,
    /// All segments of the tenant, whose lists say what templates are called.
    segments: Vec<Arc<SegmentHandle>>,
    found: Mutex<Option<Found>>,
}

/// Those of all sources, and the memory that they take.
struct Found {
    names: HashMap<Key, Arc<Names>>,
    _held: MemoryReservation,
}

/// What tells a source of one scan from another.
type Key = usize;

/// What the rows of one source are called.
pub(crate) struct Names {
    labels: Arc<Labels>,
    of: Of,
}

/// Where the label of a row stands.
enum Of {
    /// For each number of the source's own list.
    Numbers(Vec<u32>),
    /// For each row.
    Rows(Vec<u32>),
}

/// All templates of the scan.
struct Labels {
    ids: StringArray,
    texts: StringArray,
}

/// Which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Id,
    Text,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Names({} templates)", self.labels.texts.len())
    }
}

fn key(source: &Source) -> Key {
    match &source.place {
        Place::Live(rows) => Arc::as_ptr(rows).addr(),
        Place::Segment(handle) => Arc::as_ptr(handle).addr(),
    }
}

impl Naming {
    /// For the rows that `scan` reads in its range; it must have all sources of the tenant.
    pub(crate) fn new(scan: &Scan) -> Self {
        let segment = |source: &Source| match &source.place {
            Place::Segment(handle) => Some(handle.clone()),
            Place::Live(_) => None,
        };
        let segments = scan.sources.iter().filter_map(segment).collect();
        let mut scan = scan.clone();
        let range = scan.range;
        scan.sources.retain(|source| {
            let (min, max) = source.time_bounds_ns();
            range.overlaps(min, max)
        });
        Self { scan, segments, found: Mutex::default() }
    }

    /// Those of one source; `None` if none of its rows is in the range. Reads, blocking, the first time. Rows without numbers are
    /// remembered one by one, in memory of the pool.
    pub(crate) fn of(&self, source: &Source, pool: &Arc<dyn MemoryPool>) -> Result<Option<Arc<Names>>, QueryError> {
        let mut found = self.found.lock();
        let all = match &mut *found {
            Some(all) => all,
            none => none.insert(self.find(pool)?),
        };
        Ok(all.names.get(&key(source)).cloned())
    }

    fn find(&self, pool: &Arc<dyn MemoryPool>) -> Result<Found, QueryError> {
        let scan = &self.scan;
        let mut lists_of = Vec::with_capacity(scan.sources.len());
        for source in &scan.sources {
            scan.budget.check()?;
            lists_of.push(scan.numbered(source)?);
        }
        let unnumbered = scan.sources.iter().zip(&lists_of).filter(|(_, list)| list.is_none());
        let unnumbered: u64 = unnumbered.map(|(source, _)| source.rows()).sum();
        let held = MemoryConsumer::new("templates").register(pool);
        held.try_grow(unnumbered as usize * size_of::<u32>()).map_err(|_| QueryError::OverMemory)?;
        let uses_lists = unnumbered > 0 && !scan.view.is_limited();
        let known = if uses_lists { lists(&self.segments, &scan.cache, &scan.budget)? } else { Vec::new() };
        let mut miner = Miner::new(Limits::default());
        known.iter().rev().take(RESTORED).flat_map(|list| list.list()).for_each(|one| miner.restore(&one.listed));
        let mut seen = Seen { run: miner.begin(), mined: Vec::new(), parts: 0 };
        let mut groups = Groups::default();
        let mut places = Vec::with_capacity(lists_of.len());
        for (source, list) in scan.sources.iter().zip(lists_of) {
            let Some(list) = list else {
                places.push(Places::Rows(scan.mine(source, &mut seen)?));
                continue;
            };
            let parts = scan.listed(source, &list, &mut seen)?;
            list.list().iter().zip(&parts).for_each(|(one, part)| groups.add(&one.listed, true, *part));
            let part_of = |number| list.place(number).and_then(|place| parts[place]);
            places.push(Places::Numbers((0..list.numbers() as u32).map(part_of).collect()));
        }
        let Seen { run, mined, parts } = seen;
        let (first, found) = (First::of(&known), run.finish());
        for (place, part) in found.places.iter().zip(&mined) {
            let listed = &found.list[*place as usize];
            groups.add(listed, names(listed).any(|id| first.seen.contains_key(&id)), *part);
        }
        let (labels, label_of) = label(groups, parts);
        let keys = scan.sources.iter().map(key);
        let named = places.into_iter().map(|places| Names::new(&labels, places, &mined, &label_of));
        Ok(Found { names: keys.zip(named.map(Arc::new)).collect(), _held: held })
    }
}

/// What was seen while sources are read. A part is a template in one source, or in all that have no numbers.
struct Seen<'a> {
    run: Run<'a>,
    /// For each number of the run, its part.
    mined: Vec<Option<usize>>,
    parts: usize,
}

impl Seen<'_> {
    /// A further part: [`MOST`], which is none, if there is no room left.
    fn part(&mut self) -> usize {
        if self.parts >= MOST {
            return MOST;
        }
        self.parts += 1;
        self.parts - 1
    }
}

/// Of one source, before all of them were seen.
enum Places {
    /// The part of each number of its list.
    Numbers(Vec<Option<usize>>),
    /// The number of each row in the run.
    Rows(Vec<u32>),
}

/// All names, and which of them each part has.
fn label(groups: Groups, parts: usize) -> (Arc<Labels>, Vec<u32>) {
    let mut label_of = vec![NONE; parts];
    let (mut ids, mut texts) = (Vec::new(), Vec::new());
    for (label, group) in groups.finish().enumerate() {
        group.tallies.iter().for_each(|part| label_of[*part] = label as u32);
        ids.push(group.ids.iter().min().map(ToString::to_string));
        texts.push(group.template.to_string());
    }
    let labels = Labels { ids: StringArray::from(ids), texts: StringArray::from(texts) };
    (Arc::new(labels), label_of)
}

impl Names {
    fn new(labels: &Arc<Labels>, places: Places, mined: &[Option<usize>], label_of: &[u32]) -> Self {
        let label = |part: Option<usize>| part.and_then(|part| label_of.get(part)).copied().unwrap_or(NONE);
        let of = match places {
            Places::Numbers(parts) => Of::Numbers(parts.into_iter().map(label).collect()),
            Places::Rows(mut rows) => {
                rows.iter_mut().for_each(|row| *row = label(mined.get(*row as usize).copied().flatten()));
                Of::Rows(rows)
            }
        };
        Self { labels: labels.clone(), of }
    }

    /// The stored column that says which a row has, where one does.
    pub(crate) fn column(&self) -> Option<&'static str> {
        matches!(self.of, Of::Numbers(_)).then_some(fixed::TEMPLATE)
    }

    /// Those of the rows of a chunk; null where there is none.
    pub(crate) fn of_rows(&self, part: Part, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
        let label = |all: &[u32], at: u32| all.get(at as usize).copied().filter(|label| *label != NONE);
        let places: UInt32Array = match &self.of {
            Of::Numbers(all) => {
                let numbers = chunk.column(fixed::TEMPLATE)?.as_primitive::<UInt32Type>();
                numbers.iter().map(|number| label(all, number?)).collect()
            }
            Of::Rows(all) => chunk.numbers.iter().map(|row| label(all, *row)).collect(),
        };
        let values = match part {
            Part::Id => &self.labels.ids,
            Part::Text => &self.labels.texts,
        };
        take(values, &places, None).map_err(arrow_error)
    }
}

impl Scan {
    /// The part of each template of the list that some row has.
    fn listed(&self, source: &Source, list: &Templates, seen: &mut Seen<'_>) -> Result<Vec<Option<usize>>, QueryError> {
        let mut parts: Vec<Option<usize>> = vec![None; list.list().len()];
        let places: Vec<Option<usize>> = (0..list.numbers() as u32).map(|number| list.place(number)).collect();
        let wanted = Wanted::from([fixed::TEMPLATE.to_owned()]);
        let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
            let numbers = chunk.column(fixed::TEMPLATE)?.as_primitive::<UInt32Type>();
            for number in numbers.iter().flatten() {
                if let Some(place) = places.get(number as usize).copied().flatten() {
                    parts[place].get_or_insert_with(|| seen.part());
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(parts)
    }

    /// The number that each row has in the run.
    fn mine(&self, source: &Source, seen: &mut Seen<'_>) -> Result<Vec<u32>, QueryError> {
        let mut rows = vec![NONE; source.rows() as usize];
        let wanted: Wanted = [fixed::STREAM, fixed::BODY].map(str::to_owned).into();
        let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
            let bodies = chunk.column(fixed::BODY)?.as_string::<i32>();
            let keys: Vec<StreamKey> = chunk.rows.streams().iter().map(|stream| stream_key(stream)).collect();
            let streams = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
            for at in (0..chunk.len()).filter(|at| bodies.is_valid(*at)) {
                let number = seen.run.add(keys[streams[at] as usize], bodies.value(at));
                if number as usize >= seen.mined.len() {
                    seen.mined.resize(number as usize + 1, None);
                }
                if seen.mined[number as usize].is_none() {
                    seen.mined[number as usize] = Some(seen.part());
                }
                rows[chunk.numbers[at] as usize] = number;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }
}

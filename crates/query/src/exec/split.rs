//! Counts over time, by the values of a field.
//!
//! Every record is counted in one pass: a value is followed from its first record on, so its counts are exact; what comes when there
//! are too many values to follow is counted together.

use std::collections::HashMap;
use std::ops::ControlFlow;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{DataType, Int64Type, UInt8Type};
use logkeep_segment::fixed;

use super::QueryError;
use super::chunk::Source;
use super::fields::{DISTINCT, VALUES_BYTES, text_column};
use super::histogram::{Histogram, MOST_BUCKETS, empty};
use super::project::want;
use super::scan::Scan;
use super::schema::TableSchema;

/// Records of each bucket.
type Counts = Vec<u64>;

/// Records over time that have one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The value as text.
    pub value: String,
    /// Records of each bucket.
    pub counts: Counts,
}

impl Group {
    /// Records in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A histogram, and the same records by the values of a field: the groups, the others and those without it add up to each bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The records as they are without a field.
    pub histogram: Histogram,
    /// The most frequent values, the most frequent first.
    pub groups: Vec<Group>,
    /// Records with other values.
    pub other: Counts,
    /// Records without the field.
    pub missing: Counts,
    /// Whether a value that came late may be among the others though it is frequent: there are too many.
    pub many: bool,
}

/// The values that are followed so far. Places are in the order in which they came.
struct Followed {
    places: HashMap<String, usize, foldhash::fast::RandomState>,
    counts: Vec<Counts>,
    buckets: usize,
    bytes: usize,
}

impl Followed {
    fn place(&mut self, text: &str) -> Option<usize> {
        if let Some(place) = self.places.get(text) {
            return Some(*place);
        }
        let bytes = self.bytes + text.len() + self.buckets * size_of::<u64>();
        if self.counts.len() >= DISTINCT || bytes > VALUES_BYTES {
            return None;
        }
        self.bytes = bytes;
        self.counts.push(vec![0; self.buckets]);
        self.places.insert(text.to_owned(), self.counts.len() - 1);
        Some(self.counts.len() - 1)
    }
}

impl Scan {
    /// As [`Scan::histogram`], with the `most` most frequent values of the field `name`.
    pub(crate) fn split(&self, name: &str, wanted: usize, most: usize) -> Result<Split, QueryError> {
        let mut histogram = empty(&self.range, wanted.clamp(1, MOST_BUCKETS / 2));
        let buckets = histogram.buckets.len();
        let table = TableSchema::of(self.dataset, &self.sources, self.view.mask.as_deref())?;
        let column = table.arrow.index_of(name).ok().map(|place| &table.columns[place]);
        let wanted = |source: &Source| {
            let mut wanted = [fixed::TIME, fixed::SEVERITY].map(str::to_owned).into();
            if let Some(column) = column {
                want(column, source, &source.schema()?, &mut wanted)?;
            }
            Ok(wanted)
        };
        let mut followed = Followed { places: HashMap::default(), counts: Vec::new(), buckets, bytes: 0 };
        let (mut other, mut missing) = (vec![0; buckets], vec![0; buckets]);
        self.each_source(&wanted, &mut |chunk| {
            let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values();
            let severities = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>().values();
            let texts = match column {
                Some(column) => text_column(column, &chunk)?,
                None => arrow::array::new_null_array(&DataType::Utf8, chunk.len()),
            };
            let texts = texts.as_string::<i32>();
            let mut last: Option<(&str, Option<usize>)> = None;
            for row in 0..chunk.len() {
                let Some(bucket) = histogram.bucket_of(times[row]) else { continue };
                histogram.buckets[bucket].add(severities[row]);
                if texts.is_null(row) {
                    missing[bucket] += 1;
                    continue;
                }
                let text = texts.value(row);
                let place = match last {
                    // Neighbours are often equal, as rows are in the order of their streams.
                    Some((same, place)) if same == text => place,
                    _ => followed.place(text),
                };
                last = Some((text, place));
                place.map_or(&mut other, |place| &mut followed.counts[place])[bucket] += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let many = other.iter().any(|count| *count > 0);
        let groups = followed.most_frequent(most, &mut other);
        Ok(Split { histogram, groups, other, missing, many })
    }
}

impl Followed {
    /// The rest is added to `other`.
    fn most_frequent(mut self, most: usize, other: &mut Counts) -> Vec<Group> {
        let groups = self.places.into_iter().map(|(value, place)| {
            let counts = std::mem::take(&mut self.counts[place]);
            (counts.iter().sum::<u64>(), Group { value, counts })
        });
        let mut groups: Vec<(u64, Group)> = groups.collect();
        groups.sort_by(|(a, one), (b, two)| b.cmp(a).then_with(|| one.value.cmp(&two.value)));
        for (_, group) in groups.drain(groups.len().min(most)..) {
            other.iter_mut().zip(group.counts).for_each(|(sum, count)| *sum += count);
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

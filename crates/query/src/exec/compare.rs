//! In which fields and values two parts of the records differ by more than chance.
//!
//! Every record of both is counted, none is a sample. The first part is read before the second: a value that it has is followed
//! from its first record on, so its counts are exact however many values a field has. Values beyond the bounds are counted
//! together. Fields are flat: a name is what a filter finds under it, the record's own first, then those of its resource and scope.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use logkeep_record::{TimeRange, Value};
use logkeep_segment::fixed;

use super::chunk::Source;
use super::chunk_values::{Values, each_value};
use super::distinct::{Added, Distinct};
use super::fields::all_attributes;
use super::scan::Scan;
use super::{Needs, QueryError};
use crate::chance::sure_difference;
use crate::kql::Expr;
use crate::kql::fields::{Builtin, Target, resolve};
use crate::mask::MARKER;

/// Fields that are followed.
const MOST_FIELDS: usize = 500;
/// Fields beyond these that are told apart, so that their number can be said.
const MOST_LEFT_OUT: usize = 1_000;
/// Distinct values that are followed of one field, and of all.
const MOST_VALUES: usize = 2_000;
const ALL_VALUES: usize = 100_000;
/// Bytes of a value that is followed.
const LONGEST: usize = 256;

/// With what the records of a selection are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// With those of the time of the same length before that match the same filter.
    Before,
    /// With all other records of the same time.
    Rest,
}

/// What is to be compared, and how much of it is told.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// With what.
    pub with: With,
    /// The time of the selection.
    pub range: TimeRange,
    /// The time that it is compared with.
    pub other: TimeRange,
    /// Fields that differ by themselves, as the selection is made by them.
    pub named: BTreeSet<String>,
    /// Fields of the answer.
    pub fields: usize,
    /// Values of each.
    pub values: usize,
}

/// How often something is in the selection, and in what it is compared with.
pub type Both = [u64; 2];

/// A value of which one part has more than the other.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueDifference {
    /// As text; `None` for records that have no such field.
    pub value: Option<String>,
    /// Records that have it.
    pub counts: Both,
    /// By how much the shares differ at least.
    pub surely: f64,
}

impl ValueDifference {
    /// Smaller comes first: the larger difference, and of two that complement each other what the selection has more of, as a value
    /// rather than as the lack of one.
    fn rank(&self, totals: Both) -> (i64, bool, bool) {
        let [one, other] = self.counts.map(u128::from);
        let is_less = one * u128::from(totals[1]) < other * u128::from(totals[0]);
        (-(self.surely * 1e9).round() as i64, is_less, self.value.is_none())
    }
}

/// A field that has such values.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDifference {
    /// As a filter finds it.
    pub name: String,
    /// Records that have it.
    pub has: Both,
    /// Records whose value was not followed: there are too many of them, it is too long, or of several parts.
    pub others: Both,
    /// The largest difference first.
    pub values: Vec<ValueDifference>,
    /// Values that differ and are not among these.
    pub more: usize,
}

/// How two parts of the records differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// Records of each.
    pub totals: Both,
    /// The largest difference first.
    pub fields: Vec<FieldDifference>,
    /// Fields that differ and are not among these.
    pub more: usize,
    /// Fields that were looked at.
    pub compared: usize,
    /// Fields that were not: there are too many.
    pub left_out: usize,
    /// Records with fields that have no column of their own, which were not looked at.
    pub with_more_fields: u64,
}

#[derive(Default)]
struct Field {
    has: Both,
    values: Distinct<Both>,
}

/// What is known of both parts so far.
#[derive(Default)]
struct Counting {
    totals: Both,
    fields: BTreeMap<String, Field>,
    values: usize,
    left_out: BTreeSet<String>,
    with_more_fields: Both,
}

impl Counting {
    fn add(&mut self, side: usize, name: &str, values: Values<'_>) -> Result<(), QueryError> {
        if !self.fields.contains_key(name) {
            if self.fields.len() >= MOST_FIELDS {
                if self.left_out.len() < MOST_LEFT_OUT {
                    self.left_out.insert(name.to_owned());
                }
                return Ok(());
            }
            self.fields.insert(name.to_owned(), Field::default());
        }
        let Some(field) = self.fields.get_mut(name) else { return Ok(()) };
        let followed = &mut self.values;
        values(&mut |value, times| *followed += usize::from(field.add(side, value, times, *followed < ALL_VALUES)))
    }

    /// Turns counts of all records into those of the rest.
    fn leave_the_rest(&mut self) {
        let all = [&mut self.totals, &mut self.with_more_fields].into_iter().chain(
            self.fields.values_mut().flat_map(|field| std::iter::once(&mut field.has).chain(field.values.counts_mut())),
        );
        all.for_each(|counts| counts[1] = counts[1].saturating_sub(counts[0]));
    }

    fn differences(self, asked: &Comparison) -> Differences {
        let totals = self.totals;
        let compared = self.fields.len();
        let mut fields: Vec<FieldDifference> = self
            .fields
            .into_iter()
            .filter(|(name, _)| !asked.named.contains(name) && !asked.named.contains(unqualified(name)))
            .filter_map(|(name, field)| field.difference(name, totals, asked.values))
            .collect();
        fields.sort_by(|a, b| b.values[0].surely.total_cmp(&a.values[0].surely).then_with(|| a.name.cmp(&b.name)));
        let more = fields.len().saturating_sub(asked.fields);
        fields.truncate(asked.fields);
        let (left_out, with_more_fields) = (self.left_out.len(), self.with_more_fields.iter().sum());
        Differences { totals, fields, more, compared, left_out, with_more_fields }
    }
}

impl Field {
    /// Whether the value is followed from now on; only if there is room for more of them at all.
    fn add(&mut self, side: usize, value: &Value<'_>, times: u64, has_room: bool) -> bool {
        self.has[side] += times;
        if matches!(value, Value::Array(_) | Value::Map(_) | Value::Bytes(_)) {
            return false;
        }
        let has_room = has_room && self.values.len() < MOST_VALUES && value.as_str() != Some(MARKER);
        let added = self.values.add(value, |bytes| has_room && bytes <= LONGEST, |counts| counts[side] += times);
        added == Added::AsNew
    }

    fn difference(self, name: String, totals: Both, most: usize) -> Option<FieldDifference> {
        let has = self.has;
        let values = self.values.into_texts(|counts, more| (0..2).for_each(|side| counts[side] += more[side]));
        let mut others = has;
        values.values().for_each(|counts| (0..2).for_each(|side| others[side] -= counts[side]));
        let missing = (None, [totals[0].saturating_sub(has[0]), totals[1].saturating_sub(has[1])]);
        let known = values.into_iter().map(|(value, counts)| (Some(value), counts)).chain([missing]);
        let differs = |(value, counts): (Option<String>, Both)| {
            let surely = sure_difference((counts[0], totals[0]), (counts[1], totals[1]))?;
            Some(ValueDifference { value, counts, surely })
        };
        let mut values: Vec<ValueDifference> = known.filter_map(differs).collect();
        values.sort_by(|a, b| a.rank(totals).cmp(&b.rank(totals)).then_with(|| a.value.cmp(&b.value)));
        let more = values.len().saturating_sub(most);
        values.truncate(most);
        (!values.is_empty()).then_some(FieldDifference { name, has, others, values, more })
    }
}

/// The name of an attribute, wherever it is.
fn unqualified(name: &str) -> &str {
    let mut places = ["attributes.", "resource.", "scope."].into_iter();
    places.find_map(|place| name.strip_prefix(place)).unwrap_or(name)
}

/// The fields that a filter names, as they are counted.
pub(crate) fn named_fields(filter: &Expr) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    filter.for_each_field(&mut |name, _| match resolve(name) {
        Target::Builtin(Builtin::Severity | Builtin::SeverityNumber | Builtin::SeverityText) => {
            named.insert("severity".to_owned());
        }
        Target::Builtin(_) => {}
        Target::Attribute(sources) => {
            named.extend(sources.into_iter().map(|source| source.name).chain([name.to_owned()]))
        }
    });
    named
}

impl Scan {
    /// How the records of the scan differ from others. The scan is of the time of both.
    pub(crate) fn compare(&self, asked: &Comparison) -> Result<Differences, QueryError> {
        let mut counting = Counting::default();
        self.within(asked.range).count_values(0, &mut counting)?;
        match asked.with {
            With::Before => self.within(asked.other).count_values(1, &mut counting)?,
            With::Rest => {
                self.within(asked.other).of_everything().count_values(1, &mut counting)?;
                counting.leave_the_rest();
            }
        }
        Ok(counting.differences(asked))
    }

    /// The same of a part of the time.
    fn within(&self, range: TimeRange) -> Self {
        let mut part = Self { range, as_keys: true, ..self.clone() };
        part.sources.retain(|source| {
            let (min, max) = source.time_bounds_ns();
            range.overlaps(min, max)
        });
        part
    }

    /// The same without a filter.
    fn of_everything(self) -> Self {
        Self { filter: None, template: None, needs: Needs::of(&Expr::All).into(), ..self }
    }

    fn count_values(&self, side: usize, counting: &mut Counting) -> Result<(), QueryError> {
        let mask = self.view.mask.as_deref();
        let is_masked = |name: &str| mask.is_some_and(|mask| mask.covers(name));
        let wanted = |source: &Source| {
            let mut wanted = all_attributes(source)?;
            if !source.overflow_keys()?.is_empty() {
                wanted.insert(fixed::OVERFLOW.to_owned());
            }
            Ok(wanted)
        };
        self.each_source(&wanted, &mut |chunk| {
            counting.totals[side] += chunk.len() as u64;
            let overflow = chunk.rows.column(fixed::OVERFLOW);
            counting.with_more_fields[side] += overflow.map_or(0, |column| (column.len() - column.null_count()) as u64);
            each_value(&chunk, &mut |name, values| {
                if is_masked(name) { Ok(()) } else { counting.add(side, name, values) }
            })?;
            Ok(ControlFlow::Continue(()))
        })
    }
}

#[cfg(test)]
mod tests;

//! Reading for those who may not see every field.
//!
//! Rows that hold something masked are put together, masked, and made columns again, so that whatever is asked is asked of
//! what may be seen. Where nothing masked can be told, by the columns that are looked at or because the source has none of
//! the fields, rows are read as they are stored.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::Array as _;
use logkeep_segment::{Rows, RowsBuilder, ValueType, fixed};

use super::QueryError;
use super::chunk::{Place, Source, Wanted};
use super::filter::Filter;
use super::scan::{Conditions, Scan, Sink, fetch};
use crate::mask::{Mask, Masker};

/// Columns that never hold a value of a field that can be masked.
const PLAIN: &[&str] = &[
    fixed::TIME,
    fixed::OBSERVED,
    fixed::RECEIVED,
    fixed::SEVERITY,
    fixed::TRACE_ID,
    fixed::SPAN_ID,
    fixed::FLAGS,
    fixed::BATCH,
    fixed::INDEX,
];

/// The same rows, masked. All columns must be present.
fn masked_rows(masker: &mut Masker<'_>, rows: &Rows) -> Result<Rows, QueryError> {
    let mut builder = RowsBuilder::new();
    let mut places = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let mut record = rows.record(row)?;
        masker.apply(&mut record);
        builder.push(&record);
        places.push(rows.place(row)?);
    }
    match builder.finish() {
        Some(built) => Ok(built.with_places(&places, rows.batches().to_vec())),
        None => Ok(rows.with_table(rows.table().slice(0, 0))),
    }
}

impl Scan {
    /// Whether what is asked of a source could tell something masked.
    pub(super) fn tells_masked(
        &self,
        mask: &Mask,
        source: &Source,
        wanted: &Wanted,
        conditions: &Conditions<'_>,
    ) -> Result<bool, QueryError> {
        let mut columns: Wanted = wanted.union(&conditions.columns).cloned().collect();
        if let Some(filter) = &self.filter {
            Filter::prepare(filter, source, &mut columns)?;
        }
        if let Some(template) = &self.template {
            columns.extend(template.columns(source)?);
        }
        if columns.iter().all(|column| PLAIN.contains(&column.as_str())) {
            return Ok(false);
        }
        let may_hold = |(key, types): (&String, &logkeep_segment::ValueTypes)| {
            mask.covers(key) || types.iter().any(|kind| kind == ValueType::Nested)
        };
        Ok(mask.is_of_every_record()
            || source.attribute_types()?.iter().any(may_hold)
            || !source.overflow_keys()?.is_empty()
            || self.has_body_values(source)?)
    }

    /// Whether some body is more than a text, and so may have fields within.
    fn has_body_values(&self, source: &Source) -> Result<bool, QueryError> {
        match &source.place {
            Place::Live(rows) => {
                Ok(rows.column(fixed::BODY_VALUE).is_some_and(|column| column.null_count() < column.len()))
            }
            Place::Segment(handle) => {
                let segment = handle.segment()?;
                let blocks: Vec<usize> = (0..segment.index().blocks()).collect();
                let column = Wanted::from([fixed::BODY_VALUE.to_owned()]);
                for block in self.cache.read(&segment, &column, &blocks)? {
                    let block = block?;
                    if block.columns().iter().any(|column| column.null_count() < column.len()) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Hands the matching rows of a source to `sink` as the reader may see them.
    pub(super) fn each_masked(
        &self,
        mask: &Mask,
        source: &Source,
        conditions: &Conditions<'_>,
        whole: bool,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let mut masker = mask.masker();
        self.each_admitted(source, whole, &mut |stored| {
            let rows = masked_rows(&mut masker, &stored.rows)?;
            let seen: Wanted = rows.table().schema_ref().fields().iter().map(|field| field.name().clone()).collect();
            let tested = Conditions {
                columns: seen.clone(),
                all: conditions.all.clone(),
                names: conditions.names.clone(),
                numbers: Some(&stored.numbers),
            };
            let block = Source { class: source.class.clone(), place: Place::Live(Arc::new(rows)) };
            self.each_stored(&block, &seen, &tested, true, None, sink)
        })
    }

    /// All columns of some rows of a source, in the order given, as the reader may see them.
    pub(super) fn fetch(&self, source: &Source, numbers: &[u32]) -> Result<Rows, QueryError> {
        let rows = fetch(source, numbers)?;
        match &self.view.mask {
            Some(mask) => masked_rows(&mut mask.masker(), &rows),
            None => Ok(rows),
        }
    }
}

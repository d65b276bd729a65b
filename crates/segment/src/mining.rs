//! Giving rows their templates, while a segment is written.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, UInt32Array};
use arrow::datatypes::{Int64Type, UInt32Type};
use logkeep_pattern::{Miner, Run, StreamKey};
use logkeep_record::Resource;

use crate::columns::fixed;
use crate::rows::{RowError, Rows};
use crate::templates::{Known, Templates, earliest, stream_key};

/// The rows of one segment. Those that were given a template before keep it.
pub(crate) struct Mining<'a> {
    run: Run<'a>,
    streams: Vec<StreamKey>,
    carried: Arc<Templates>,
    /// For each number of the run, the earliest time of a row that has it.
    first_ns: Vec<i64>,
}

impl<'a> Mining<'a> {
    /// For rows of these streams, some of which may have templates that were found before.
    pub(crate) fn new(miner: &'a mut Miner, streams: &[Arc<Resource>], carried: Option<&Arc<Templates>>) -> Self {
        let streams = streams.iter().map(|stream| stream_key(stream)).collect();
        Self { run: miner.begin(), streams, carried: carried.cloned().unwrap_or_default(), first_ns: Vec::new() }
    }

    /// The same rows with their numbers. A row whose body is no text has none.
    pub(crate) fn add(&mut self, rows: &Rows) -> Result<Rows, RowError> {
        let lacks = |what| Rows::fault(0, what);
        let streams = rows.column(fixed::STREAM).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let times = rows.column(fixed::TIME).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let bodies = rows.column(fixed::BODY).and_then(|column| column.as_string_opt::<i32>());
        let streams = streams.ok_or_else(|| lacks("has no stream"))?.values();
        let times = times.ok_or_else(|| lacks("has no time"))?.values();
        let bodies = bodies.ok_or_else(|| lacks("lacks the column of bodies"))?;
        let carried = rows.column(fixed::TEMPLATE).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let mut numbers = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let known = carried.filter(|carried| carried.is_valid(row)).map(|carried| carried.value(row));
            numbers.push(match known {
                Some(number) => Some(number),
                None if bodies.is_valid(row) => {
                    let stream = self.streams.get(streams[row] as usize).copied();
                    let stream = stream.ok_or_else(|| Rows::fault(row, "points to an unknown stream"))?;
                    Some(self.add_one(stream, bodies.value(row), times[row]))
                }
                None => None,
            });
        }
        let numbers: ArrayRef = Arc::new(UInt32Array::from(numbers));
        Ok(rows.with_column(fixed::TEMPLATE, numbers))
    }

    fn add_one(&mut self, stream: StreamKey, body: &str, time_ns: i64) -> u32 {
        let number = self.run.add(stream, body);
        if number as usize >= self.first_ns.len() {
            self.first_ns.resize(number as usize + 1, i64::MAX);
        }
        let first = &mut self.first_ns[number as usize];
        *first = time_ns.min(*first);
        self.carried.numbers() as u32 + number
    }

    /// What all numbers stand for. From here on new templates keep their ids.
    pub(crate) fn finish(self) -> Templates {
        let found = self.run.finish();
        let first_ns = earliest(&found.places, &self.first_ns, found.list.len());
        let list = found.list.into_iter().zip(first_ns).map(|(listed, first_ns)| Known { listed, first_ns }).collect();
        let found = Templates::new(list, found.places);
        let (merged, numbers) = Templates::merged(&[&self.carried, &found]);
        Templates::new(merged.list().to_vec(), numbers.concat())
    }
}

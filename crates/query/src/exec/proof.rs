//! One record's way to the root of its batch.
//!
//! Hashes of records are not stored, so the whole batch is read and hashed anew. A proof has the record as it is stored and
//! the batch's entry with its count and times: who may not see all of that gets none of it.

use std::ops::ControlFlow;

use arrow::array::AsArray as _;
use arrow::datatypes::{UInt32Type, UInt64Type};
use logkeep_ingest::Sealed;
use logkeep_proof::{Parts, ProofFault};
use logkeep_record::{BatchSeed, Group, Record, RecordHasher, RecordId, Salt, TenantId, encode_group};
use logkeep_segment::{Rows, fixed};
use logkeep_tlog::{Hash, batch_inclusion};

use super::QueryError;
use super::chunk::{Source, Wanted};
use super::scan::{Conditions, Scan, fetch};
use super::view::View;

/// Records that are hashed between two looks at the budget.
const STRIDE: usize = 1_024;

/// What of a proof is computed from the records.
pub(crate) struct InBatch {
    salts: [Salt; 4],
    groups: [Vec<u8>; 4],
    path: Vec<Hash>,
}

impl InBatch {
    /// The file of the proof.
    pub(crate) fn prove(self, tenant: &TenantId, id: &RecordId, sealed: Sealed) -> Result<String, ProofFault> {
        logkeep_proof::prove(Parts {
            tenant: tenant.to_string(),
            id: id.clone(),
            salts: self.salts,
            groups: self.groups,
            batch_path: self.path,
            entry: sealed.entry,
            log_path: sealed.path,
            checkpoint: sealed.checkpoint,
            key: sealed.key,
        })
    }
}

impl Scan {
    /// The record of this id in its batch; `None` if there is none that the reader may see.
    pub(crate) fn in_batch(&self, id: &RecordId) -> Result<Option<InBatch>, QueryError> {
        if self.by_id(id)?.is_none() {
            return Ok(None);
        }
        let stored = Self { view: std::sync::Arc::default(), ..self.clone() };
        for source in &self.sources {
            if source.class == id.class && source.has_batch(id.batch)? {
                let places = stored.places(source, id)?;
                let numbers: Vec<u32> = places.iter().map(|(_, number)| *number).collect();
                let rows = fetch(source, &numbers)?;
                return self.hashed(&rows, &places, id).map(Some);
            }
        }
        Ok(None)
    }

    /// Where the records of a batch are in a source, as (index in the batch, row), in order of index.
    fn places(&self, source: &Source, id: &RecordId) -> Result<Vec<(u32, u32)>, QueryError> {
        let wanted: Wanted = [fixed::BATCH, fixed::INDEX].map(str::to_owned).into();
        let mut places = Vec::new();
        let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
            let batches = chunk.column(fixed::BATCH)?.as_primitive::<UInt64Type>().values();
            let indexes = chunk.column(fixed::INDEX)?.as_primitive::<UInt32Type>().values();
            let of_batch = (0..chunk.len()).filter(|row| batches[*row] == id.batch);
            places.extend(of_batch.map(|row| (indexes[row], chunk.numbers[row])));
            Ok(ControlFlow::Continue(()))
        })?;
        places.sort_unstable();
        Ok(places)
    }

    fn hashed(&self, rows: &Rows, places: &[(u32, u32)], id: &RecordId) -> Result<InBatch, QueryError> {
        let incomplete = |what: &str| QueryError::Damaged(format!("batch {} of `{}`: {what}", id.batch, id.class));
        let info = rows.batches().iter().find(|batch| batch.number == id.batch);
        let info = info.ok_or_else(|| incomplete("its seed is not there"))?;
        let is_whole = places.iter().zip(0..).all(|((index, _), expected)| *index == expected);
        if !is_whole || places.len() != info.records as usize || rows.len() != places.len() {
            return Err(incomplete("not all of its records are there"));
        }
        let hashes = self.hashes(rows, &info.seed, id)?;
        let place = id.index as usize;
        let path = batch_inclusion(&hashes, place).ok_or_else(|| incomplete("it has no such record"))?;
        let groups = groups(&self.unmasked(rows.record(place)?)?);
        Ok(InBatch { salts: info.seed.salts(id.index), groups, path })
    }

    /// The hashes of all records of a batch, every one of which the reader may see.
    fn hashes(&self, rows: &Rows, seed: &BatchSeed, id: &RecordId) -> Result<Vec<[u8; 32]>, QueryError> {
        let mut hasher = RecordHasher::default();
        let mut hashes = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            if row % STRIDE == 0 {
                self.budget.check()?;
            }
            let record = rows.record(row)?;
            if !self.view.admits(&id.class, &record.resource) {
                return Err(QueryError::Withheld(OTHERS));
            }
            hashes.push(hasher.record_hash(&record, seed, row as u32));
        }
        Ok(hashes)
    }

    /// The record, if nothing of it is masked for the reader.
    fn unmasked<'r>(&self, record: Record<'r>) -> Result<Record<'r>, QueryError> {
        let View { mask: Some(mask), .. } = &*self.view else { return Ok(record) };
        let mut seen = record.clone();
        mask.masker().apply(&mut seen);
        match groups(&seen) == groups(&record) {
            true => Ok(record),
            false => Err(QueryError::Withheld(MASKED)),
        }
    }
}

const OTHERS: &str = "the proof of this record tells how many records came with it and when, and some of them are of services or \
    classes that you may not see; ask somebody who may see them for it";
const MASKED: &str = "a proof has the record as it is stored, and fields of this one are masked for you; ask somebody who may see \
    them for it";

fn groups(record: &Record<'_>) -> [Vec<u8>; 4] {
    Group::ALL.map(|group| {
        let mut bytes = Vec::new();
        encode_group(record, group, &mut bytes);
        bytes
    })
}

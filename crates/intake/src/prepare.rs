//! Records to batches: normalised, hashed, compressed, ready for the log.
//!
//! This is most of the work of a request, and it runs beside the connections ([`Intake::process`](crate::Intake::process)).

use logkeep_ingest::{Batch, BatchBuilder};
use logkeep_normalize::{Arrival, Normalizer};
use logkeep_record::{Class, Record};
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

/// Batches under construction. The same records in the same order are always cut in the same places, so that a retry can
/// be told part by part.
pub(crate) struct Preparing<'n> {
    /// `None` where records come normalised.
    normalizer: Option<&'n mut Normalizer>,
    builder: BatchBuilder,
    parts: Vec<Batch>,
    rejected: usize,
}

/// The batches of one request, in order.
pub(crate) struct Prepared {
    /// Of which class they are.
    pub(crate) class: Class,
    pub(crate) parts: Vec<Batch>,
    /// Records that can never be stored, to be counted with the others.
    pub(crate) rejected: usize,
    /// SHA-256 of the body; only where there are several parts.
    pub(crate) fingerprint: Option<[u8; 32]>,
}

impl<'n> Preparing<'n> {
    pub(crate) fn new(normalizer: &'n mut Normalizer) -> Self {
        Self { normalizer: Some(normalizer), builder: BatchBuilder::default(), parts: Vec::new(), rejected: 0 }
    }

    /// For records of several sources, each with its own normalizer.
    pub(crate) fn normalized() -> Self {
        Self { normalizer: None, builder: BatchBuilder::default(), parts: Vec::new(), rejected: 0 }
    }

    pub(crate) fn push(&mut self, record: Record<'_>) -> Result<(), Refusal> {
        match &mut self.normalizer {
            Some(normalizer) => {
                let record = normalizer.normalize(record);
                self.push_normalized(&record)
            }
            None => self.push_normalized(&record),
        }
    }

    pub(crate) fn push_normalized(&mut self, record: &Record<'_>) -> Result<(), Refusal> {
        self.builder.push(record);
        if self.builder.is_full() {
            self.close()?;
        }
        Ok(())
    }

    /// Counts a record that can never be stored, where its sender cannot be told why.
    pub(crate) fn reject(&mut self, reason: &str) {
        if self.rejected == 0 {
            tracing::warn!(reason, "a record cannot be stored; those that follow in the same request are only counted");
        }
        self.rejected += 1;
    }

    /// Counts a record that can never be stored, as its sender is told.
    pub(crate) fn reject_quietly(&mut self) {
        self.rejected += 1;
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let builder = std::mem::take(&mut self.builder);
        self.parts.extend(builder.finish().map_err(Refusal::defect)?);
        Ok(())
    }

    /// `body` is what a retry would repeat.
    pub(crate) fn finish(mut self, body: &[u8]) -> Result<Prepared, Refusal> {
        self.close()?;
        let fingerprint = (self.parts.len() > 1).then(|| Sha256::digest(body).into());
        Ok(Prepared { class: Class::default(), parts: self.parts, rejected: self.rejected, fingerprint })
    }
}

/// Prepares the records of one request.
pub(crate) fn prepare<'a>(
    arrival: Arrival,
    records: impl IntoIterator<Item = Record<'a>>,
    body: &[u8],
) -> Result<Prepared, Refusal> {
    let mut normalizer = Normalizer::new(arrival);
    let mut preparing = Preparing::new(&mut normalizer);
    for record in records {
        preparing.push(record)?;
    }
    preparing.finish(body)
}

/// Prepares the spans of one request, as records.
pub(crate) fn prepare_spans<'a>(
    arrival: Arrival,
    spans: impl IntoIterator<Item = Record<'a>>,
    body: &[u8],
) -> Result<Prepared, Refusal> {
    let mut normalizer = Normalizer::new(arrival);
    let mut preparing = Preparing::normalized();
    for span in spans {
        preparing.push_normalized(&normalizer.normalize_span(span))?;
    }
    Ok(Prepared { class: Class::spans(), ..preparing.finish(body)? })
}

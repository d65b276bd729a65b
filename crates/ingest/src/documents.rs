//! Documents that senders name, such as Elasticsearch's by their `_id`, so that one that comes again is known.
//!
//! What is known of them is the receiver's business. Here it is made durable: the documents of a request ride in its frame of
//! the log, then in the catalog, and are given back when the folder is opened.

use std::collections::HashMap;

use logkeep_catalog::DocumentsRow;

use crate::batch_keys::Dedupe;
use crate::state::ClassKey;

/// A document as it was stored last. Digests are of whatever the receiver takes for a name and for a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// Digest of its name, tenant included.
    pub name: [u8; 16],
    /// Digest of its content.
    pub content: [u8; 16],
    /// How many contents of that name were stored up to this one.
    pub version: u32,
}

/// Of one document.
const BYTES: usize = 36;
/// Before the documents of a run: when they came, and how many they are.
const HEAD_BYTES: usize = 12;

/// Documents that came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) received_ns: i64,
    pub(crate) documents: Vec<Document>,
}

impl Run {
    /// Appends: arrival (i64 LE), number of documents (u32 LE), and of each name (16), content (16), version (u32 LE).
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(HEAD_BYTES + BYTES * self.documents.len());
        out.extend_from_slice(&self.received_ns.to_le_bytes());
        out.extend_from_slice(&(self.documents.len() as u32).to_le_bytes());
        for document in &self.documents {
            out.extend_from_slice(&document.name);
            out.extend_from_slice(&document.content);
            out.extend_from_slice(&document.version.to_le_bytes());
        }
    }

    /// The first run, and what follows it.
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (received_ns, rest) = bytes.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (own, rest) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(BYTES)?)?;
        let document = |bytes: &[u8]| {
            let (name, rest) = bytes.split_first_chunk::<16>()?;
            let (content, version) = rest.split_first_chunk::<16>()?;
            let version = u32::from_le_bytes(*version.first_chunk::<4>()?);
            Some(Document { name: *name, content: *content, version })
        };
        let documents = own.chunks_exact(BYTES).filter_map(document).collect();
        Some((Self { received_ns: i64::from_le_bytes(*received_ns), documents }, rest))
    }

    /// Runs, one behind the other; `None` if they are in another form.
    pub(crate) fn decode_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut runs = Vec::new();
        while !bytes.is_empty() {
            let (run, rest) = Self::split(bytes)?;
            runs.push(run);
            bytes = rest;
        }
        Some(runs)
    }
}

/// The documents between the log and the catalog.
#[derive(Default)]
pub(crate) struct Documents {
    /// Those that are only in the log so far, with the number of their batch.
    live: HashMap<ClassKey, Vec<(u64, Run)>>,
    /// How many the catalog has.
    kept: usize,
    /// From when on it has them.
    kept_since_ns: i64,
    /// Found when the folder was opened, until somebody takes them.
    found: Vec<Run>,
}

impl Documents {
    /// Those of the catalog.
    pub(crate) fn since(since_ns: i64, found: Vec<Run>) -> Self {
        let kept = found.iter().map(|run| run.documents.len()).sum();
        Self { kept, kept_since_ns: since_ns, found, ..Self::default() }
    }

    /// Of a batch in the log.
    pub(crate) fn add(&mut self, class: &ClassKey, number: u64, run: Run) {
        self.live.entry(class.clone()).or_default().push((number, run));
    }

    /// As [`Documents::add`], of a batch that was found in the log.
    pub(crate) fn found(&mut self, class: &ClassKey, number: u64, run: Run) {
        self.found.push(run.clone());
        self.add(class, number, run);
    }

    /// What was found, oldest first. The second time there is nothing.
    pub(crate) fn take_found(&mut self) -> Vec<Run> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|run| run.received_ns);
        found
    }

    /// Those of the batches up to `last`, for the transaction that takes them out of the log.
    pub(crate) fn up_to(&self, class: &ClassKey, last: u64) -> Option<DocumentsRow> {
        let live = self.live.get(class).into_iter().flatten();
        let runs: Vec<&Run> = live.filter(|(number, _)| *number <= last).map(|(_, run)| run).collect();
        let received_ns = runs.iter().map(|run| run.received_ns).max()?;
        let documents = runs.iter().map(|run| run.documents.len() as u64).sum();
        let mut body = Vec::new();
        runs.iter().for_each(|run| run.encode(&mut body));
        Some(DocumentsRow { last, received_ns, documents, body })
    }

    /// After that transaction.
    pub(crate) fn flushed(&mut self, class: &ClassKey, last: u64) {
        let Some(live) = self.live.get_mut(class) else { return };
        let gone = live.iter().filter(|(number, _)| *number <= last).map(|(_, run)| run.documents.len());
        self.kept += gone.sum::<usize>();
        live.retain(|(number, _)| *number > last);
    }

    /// From when on the catalog is to keep documents; `None` while there is too little to forget for looking at all of them.
    pub(crate) fn forget(&mut self, dedupe: Dedupe, now_ns: i64) -> Option<i64> {
        let since_ns = dedupe.since_ns(now_ns);
        let step_ns = i64::try_from(dedupe.window.as_nanos() / 24).unwrap_or(i64::MAX);
        let is_old = self.kept > 0 && since_ns.saturating_sub(self.kept_since_ns) >= step_ns;
        (is_old || self.kept > dedupe.documents + dedupe.documents / 8).then_some(since_ns)
    }

    /// After the catalog has forgotten those before `since_ns` and has so many left.
    pub(crate) fn forgotten(&mut self, since_ns: i64, left: usize) {
        (self.kept_since_ns, self.kept) = (since_ns, left);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use logkeep_record::{Class, TenantId};

    use super::*;

    fn run(received_ns: i64, names: &[u8]) -> Run {
        let document = |name: &u8| Document { name: [*name; 16], content: [7; 16], version: 2 };
        Run { received_ns, documents: names.iter().map(document).collect() }
    }

    #[test]
    fn runs_survive_their_bytes_and_nothing_else_does() {
        let runs = [run(5, &[1, 2]), run(-6, &[]), run(i64::MAX, &[3])];
        let mut bytes = Vec::new();
        runs.iter().for_each(|run| run.encode(&mut bytes));
        let ends: Vec<usize> = [0, 12 + 72, 12 + 72 + 12, bytes.len()].into();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().position(|end| *end == cut);
            assert_eq!(Run::decode_all(&bytes[..cut]), whole.map(|whole| runs[..whole].to_vec()), "{cut}");
        }
        let mut hostile = 0i64.to_le_bytes().to_vec();
        hostile.extend_from_slice(&[255; 4]);
        assert_eq!(Run::decode_all(&hostile), None);
    }

    #[test]
    fn they_go_to_the_catalog_with_their_batches_and_leave_it_by_age_and_number() {
        let class = (TenantId::default(), Class::default());
        let mut documents = Documents::since(0, vec![run(1, &[9])]);
        documents.add(&class, 0, run(10, &[1, 2]));
        documents.add(&class, 1, run(20, &[3]));
        documents.found(&class, 2, run(5, &[4]));
        assert_eq!(documents.take_found(), [run(1, &[9]), run(5, &[4])], "oldest first");
        assert_eq!(documents.take_found(), []);
        let row = documents.up_to(&class, 1).unwrap();
        assert_eq!((row.last, row.received_ns, row.documents), (1, 20, 3));
        assert_eq!(Run::decode_all(&row.body).unwrap(), [run(10, &[1, 2]), run(20, &[3])]);
        let dedupe = Dedupe { window: Duration::from_nanos(240), batches: 8, documents: 8 };
        documents.flushed(&class, 1);
        assert_eq!(documents.up_to(&class, 1), None);
        assert_eq!(documents.forget(dedupe, 249), None, "too little to look at all of them");
        assert_eq!(documents.forget(dedupe, 250), Some(10));
        documents.forgotten(10, 3);
        assert_eq!(documents.forget(dedupe, 250), None);
        documents.add(&class, 3, run(30, &[1, 2, 3, 4, 5, 6, 7]));
        documents.flushed(&class, 3);
        assert_eq!(documents.forget(dedupe, 250), Some(10), "more than are remembered");
    }
}

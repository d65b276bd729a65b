//! What was sent, what was answered, and so what must be there.

use std::collections::{BTreeMap, BTreeSet};

use logkeep_ingest::{Batch, BatchBuilder, Ingest};
use logkeep_record::{Class, Record, RecordId, Resource, TenantId, Value};

use crate::ledger::{self, Arrived, hour};
use crate::rng::Rng;

/// In every record, and nowhere else.
pub(crate) const CANARY: &str = "canary-in-the-clear";

/// Those whose classes a model has.
pub(crate) const TENANTS: [&str; 2] = ["default", "acme"];

/// What the sender of a batch may believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No answer yet, or none any more: all of it is there, or nothing.
    Unknown,
    /// All of it is there, once.
    Acked,
    /// Nothing of it is there.
    Refused,
}

/// A batch.
pub(crate) struct Sent {
    pub(crate) class: (TenantId, Class),
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) records: usize,
    pub(crate) fate: Fate,
    pub(crate) place: Option<RecordId>,
    /// It was sent at least once without a certain answer.
    pub(crate) uncertain: bool,
    /// When, each time: a batch that is sent again has the time of that.
    pub(crate) times_ns: Vec<i64>,
}

/// All batches; a batch's number is its place.
pub(crate) struct Model {
    pub(crate) sent: Vec<Sent>,
    classes: Vec<(TenantId, Class)>,
    /// Records that were rejected beside any batch.
    pub(crate) rejected: u64,
}

/// A record as it was found.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) class: (TenantId, Class),
    pub(crate) place: (u64, u32),
    pub(crate) time_ns: i64,
}

/// By batch and index, as they were sent.
pub(crate) type Records = BTreeMap<(usize, usize), Vec<Found>>;

pub(crate) fn service_of(batch: usize) -> String {
    format!("service-{}", batch % 3)
}

pub(crate) fn note_of(batch: usize) -> String {
    format!("{CANARY} {}", batch % 5)
}

fn time_of(sent_ns: i64, index: usize) -> i64 {
    sent_ns - index as i64 * 1_000
}

fn text(batch: usize, index: usize) -> String {
    let fill = "and more of the same ".repeat((batch * 7 + index * 3) % 12);
    format!("{CANARY} {batch} {index} {fill}")
}

impl Model {
    pub(crate) fn new(classes: usize) -> Self {
        let [one, other] = TENANTS;
        let all = [(one, "default"), (one, "audit"), (other, "default"), (other, "pii")];
        let names = all.iter().take(classes);
        let classes = names.filter_map(|(tenant, class)| Some((TenantId::new(tenant).ok()?, Class::new(class).ok()?)));
        Self { sent: Vec::new(), classes: classes.collect(), rejected: 0 }
    }

    /// A new batch, or one that was sent before under a key.
    pub(crate) fn choose(&mut self, rng: &mut Rng) -> usize {
        let keyed: Vec<usize> = (0..self.sent.len()).filter(|batch| self.sent[*batch].key.is_some()).collect();
        if rng.chance(25)
            && let Some(again) = rng.pick(&keyed)
        {
            return *again;
        }
        let batch = self.sent.len();
        let class = self.classes[rng.below(self.classes.len() as u64) as usize].clone();
        let key = rng.chance(70).then(|| format!("{CANARY} key {batch}").into_bytes());
        let records = rng.between(1, 6) as usize;
        let (fate, place, times_ns) = (Fate::Unknown, None, Vec::new());
        self.sent.push(Sent { class, key, records, fate, place, uncertain: false, times_ns });
        batch
    }

    /// The same each time it is sent, but for its time.
    pub(crate) fn build(&mut self, batch: usize, now_ns: i64, seed: [u8; 32]) -> Result<Batch, String> {
        self.sent[batch].times_ns.push(now_ns);
        let resource = Resource::from_attributes(vec![("service.name".into(), Value::from(service_of(batch)))]);
        let mut builder = BatchBuilder::with_seed(seed);
        for index in 0..self.sent[batch].records {
            let mut record = Record::new(now_ns, Value::from(text(batch, index)), resource.clone());
            record.time_ns = Some(time_of(now_ns, index));
            record.attributes.push(("batch".into(), Value::Int(batch as i64)));
            record.attributes.push(("note".into(), Value::from(note_of(batch))));
            builder.push(&record);
        }
        builder.finish().map_err(|error| error.to_string())?.ok_or_else(|| "a batch has no records".to_owned())
    }

    pub(crate) fn acked_records(&self) -> usize {
        self.sent.iter().filter(|sent| sent.fate == Fate::Acked).map(|sent| sent.records).sum()
    }

    /// Everything a query could see, live or in segments. An error of a segment is the second part of the answer.
    fn read(&self, ingest: &Ingest) -> Result<(Records, Arrived, Option<String>), String> {
        let (mut found, mut arrived) = (Records::new(), Arrived::new());
        let mut unreadable = None;
        let snapshot = ingest.snapshot();
        for class in &self.classes {
            let Some(view) = snapshot.class(&class.0, &class.1) else { continue };
            let mut all: Vec<logkeep_segment::Rows> = view.live.iter().map(|rows| (**rows).clone()).collect();
            for handle in view.segments.iter() {
                match handle.segment().and_then(|segment| segment.rows_where(None)) {
                    Ok(rows) => all.push(rows),
                    Err(error) => unreadable = Some(format!("{}: {error}", handle.row().id)),
                }
            }
            for rows in &all {
                for row in 0..rows.len() {
                    let record = rows.record(row).map_err(|error| error.to_string())?;
                    let key = identify(&record)?;
                    let place = rows.place(row).map_err(|error| error.to_string())?;
                    let found_here = Found { class: class.clone(), place, time_ns: record.effective_time_ns() };
                    found.entry(key).or_default().push(found_here);
                    // The audit trail has no senders.
                    if class.1 != Class::audit() {
                        *arrived.entry((class.0.clone(), hour(record.received_ns))).or_default() += 1;
                    }
                }
            }
        }
        Ok((found, arrived, unreadable))
    }

    /// Holds what is there against what must be. With `damaged` records may be missing, and the answer is whether any
    /// is; none may be wrong.
    pub(crate) fn check(&self, ingest: &Ingest, damaged: bool) -> Result<Checked, String> {
        let (found, arrived, unreadable) = self.read(ingest)?;
        if let Some(error) = unreadable.as_ref().filter(|_| !damaged) {
            return Err(format!("a segment cannot be read: {error}"));
        }
        if let Some((batch, index)) = found.keys().find(|(batch, _)| *batch >= self.sent.len()) {
            return Err(format!("record {batch}/{index} was never sent"));
        }
        if !damaged {
            let tenants: BTreeSet<TenantId> = self.classes.iter().map(|(tenant, _)| tenant.clone()).collect();
            ledger::check(ingest, &Vec::from_iter(tenants), &arrived, self.rejected)?;
        }
        let mut missing = false;
        for (batch, sent) in self.sent.iter().enumerate() {
            missing |= check_batch(batch, sent, &found, damaged)?;
        }
        Ok(Checked { found, missing, reported: unreadable.is_some() })
    }
}

/// What is there.
pub(crate) struct Checked {
    /// Each record once.
    pub(crate) found: Records,
    /// Whether acknowledged records are not there.
    pub(crate) missing: bool,
    /// Whether reading said so.
    pub(crate) reported: bool,
}

/// Which record it is, having compared all of it.
pub(crate) fn identify(record: &Record<'_>) -> Result<(usize, usize), String> {
    let body = record.body.as_str().ok_or("a record's body is no text")?;
    let mut words = body.strip_prefix(CANARY).unwrap_or_default().split_whitespace();
    let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
    let (Some(batch), Some(index)) = (number(), number()) else { return Err(format!("a record says `{body}`")) };
    let batch_attribute = record.attribute("batch") == Some(&Value::Int(batch as i64));
    let note = record.attribute("note").and_then(Value::as_str) == Some(note_of(batch).as_str());
    let service = record.resource.attribute("service.name").and_then(Value::as_str) == Some(service_of(batch).as_str());
    let time = record.time_ns == Some(time_of(record.received_ns, index));
    if body != text(batch, index) || !batch_attribute || !note || !service || !time {
        return Err(format!("record {batch}/{index} is not what was sent"));
    }
    Ok((batch, index))
}

/// Whether acknowledged records of it are missing.
fn check_batch(batch: usize, sent: &Sent, found: &Records, damaged: bool) -> Result<bool, String> {
    let mut there = 0;
    for index in 0..sent.records {
        let copies = found.get(&(batch, index)).map_or(&[][..], Vec::as_slice);
        if copies.len() > 1 {
            return Err(format!("record {batch}/{index} is there {} times", copies.len()));
        }
        let Some(copy) = copies.first() else { continue };
        there += 1;
        if copy.class != sent.class {
            return Err(format!("record {batch}/{index} is in the class {}/{}", copy.class.0, copy.class.1));
        }
        if !sent.times_ns.iter().any(|sent_ns| time_of(*sent_ns, index) == copy.time_ns) {
            return Err(format!("record {batch}/{index} has a time at which it was not sent"));
        }
        let expected = sent.place.as_ref().map(|first| (first.batch, first.index + index as u32));
        if expected.is_some_and(|expected| expected != copy.place) {
            return Err(format!("record {batch}/{index} has moved from {expected:?} to {:?}", copy.place));
        }
    }
    match sent.fate {
        Fate::Acked if there < sent.records && !damaged => {
            Err(format!("batch {batch} was acknowledged, and {there} of its {} records are there", sent.records))
        }
        Fate::Acked => Ok(there < sent.records),
        Fate::Refused if there > 0 => {
            Err(format!("batch {batch} was refused as not stored, and {there} of its records are there"))
        }
        Fate::Unknown if there != 0 && there != sent.records && !damaged => {
            Err(format!("batch {batch} is there in part: {there} of {} records", sent.records))
        }
        _ => Ok(false),
    }
}

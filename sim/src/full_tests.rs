//! A disk that fills up and empties again, step by step.

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use logkeep_ingest::{BatchBuilder, CommitError, CompactorStep, FlusherStep, Ingest, IngestConfig, Parts, WriterStep};
use logkeep_record::{Class, Record, Resource, TenantId, Value};
use logkeep_store::{Disk, ManualClock, SealedObjects};
use tokio::runtime::Runtime;

use crate::catalog::ModelCatalog;
use crate::disk::SimDisk;
use crate::keys::{Safe, SimKeys};
use crate::rng::{Rng, SimRandom};

const DATA: &str = "/data";

struct Engine {
    ingest: Ingest,
    writer: WriterStep,
    flusher: FlusherStep,
    compactor: CompactorStep,
}

struct Machine {
    runtime: Runtime,
    disk: SimDisk,
    catalog: ModelCatalog,
    reserve_bytes: u64,
}

impl Machine {
    fn new(reserve_bytes: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let disk = SimDisk::new(Path::new(DATA), Rng::new(1));
        Self { runtime, disk, catalog: ModelCatalog::new(Arc::new(|| Ok(()))), reserve_bytes }
    }

    fn capacity(&self, bytes: Option<u64>) {
        self.disk.with(|state| state.plan.capacity = bytes);
    }

    fn open(&self) -> Engine {
        let mut config = IngestConfig::new(Path::new(DATA));
        config.reserve_bytes = self.reserve_bytes;
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let parts = Parts {
            catalog: Arc::new(self.catalog.clone()),
            objects: SealedObjects::on(disk, Path::new(DATA), &Path::new(DATA).join("objects")).unwrap(),
            keys: Arc::new(SimKeys::of(&Arc::new(Safe::default()))),
            clock: Arc::new(ManualClock::at(1_800_000_000_000_000_000)),
            random: Arc::new(SimRandom::new(Rng::new(2))),
        };
        let (ingest, steps) = self.runtime.block_on(Ingest::open_stepped(config, parts)).unwrap();
        let (writer, flusher, compactor) = steps.split();
        Engine { ingest, writer, flusher, compactor }
    }

    fn log_files(&self) -> Vec<String> {
        self.disk.list(&Path::new(DATA).join("wal")).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    fn has_reserve(&self) -> bool {
        self.disk.open(&Path::new(DATA).join("reserve")).is_ok()
    }
}

impl Engine {
    fn commit(&mut self, class: &Class, text: &str) -> Result<(), CommitError> {
        let mut batch = BatchBuilder::default();
        let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
        batch.push(&Record::new(self.ingest.clock().now_ns(), Value::str(text), resource));
        let batch = batch.finish().unwrap().unwrap();
        let (ingest, class) = (self.ingest.clone(), class.clone());
        let mut commit = Box::pin(async move { ingest.commit(&TenantId::default(), &class, batch, None).await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(commit.as_mut().poll(&mut context).is_pending());
        self.writer.step();
        match commit.as_mut().poll(&mut context) {
            Poll::Ready(answer) => answer.map(drop),
            Poll::Pending => panic!("the writer left a request without an answer"),
        }
    }

    /// Commits until the disk is full; how many were stored.
    fn fill(&mut self, class: &Class, name: &str) -> usize {
        for stored in 0..1_000 {
            match self.commit(class, &format!("{name} {stored}")) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, CommitError::Full);
                    return stored;
                }
            }
        }
        panic!("a thousand batches fit a disk that is full");
    }

    fn bodies(&self, class: &Class) -> Vec<String> {
        let snapshot = self.ingest.snapshot();
        let Some(view) = snapshot.class(&TenantId::default(), class) else { return Vec::new() };
        let mut all: Vec<logkeep_segment::Rows> = view.live.iter().map(|rows| (**rows).clone()).collect();
        all.extend(view.segments.iter().map(|handle| handle.segment().unwrap().rows_where(None).unwrap()));
        let mut found = Vec::new();
        for rows in &all {
            found.extend((0..rows.len()).map(|row| rows.record(row).unwrap().body.as_str().unwrap().to_owned()));
        }
        found.sort_unstable();
        found
    }
}

fn named(name: &str, count: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|number| format!("{name} {number}")).collect();
    names.sort_unstable();
    names
}

#[test]
fn after_a_full_disk_the_log_goes_on_in_a_new_file() {
    let machine = Machine::new(0);
    let data = Class::default();
    machine.capacity(Some(20_000));
    let mut engine = machine.open();
    let stored = engine.fill(&data, "a");
    assert!(stored > 3, "{stored}");
    assert_eq!(machine.log_files(), ["000000000001.wal"]);
    assert_eq!(engine.bodies(&data), named("a", stored), "what was refused is not seen");

    machine.capacity(None);
    engine.commit(&data, "z").unwrap();
    assert_eq!(machine.log_files(), ["000000000001.wal", "000000000002.wal"]);

    let mut expected = named("a", stored);
    expected.push("z".into());
    assert_eq!(engine.bodies(&data), expected);
    drop(engine);
    machine.disk.crash();
    assert_eq!(machine.open().bodies(&data), expected, "also after a power cut");
}

#[test]
fn the_reserve_is_for_the_audit_trail_and_comes_back_with_the_space() {
    let machine = Machine::new(20_000);
    let (data, audit) = (Class::default(), Class::audit());
    machine.capacity(Some(60_000));
    let mut engine = machine.open();
    assert!(machine.has_reserve());
    let stored = engine.fill(&data, "a");
    assert!(stored > 3, "{stored}");
    assert!(!machine.has_reserve());

    assert_eq!(engine.commit(&data, "refused"), Err(CommitError::Full), "senders come back later");
    for number in 0..5 {
        assert_eq!(engine.commit(&audit, &format!("b {number}")), Ok(()), "reading goes on");
    }
    assert_eq!(engine.bodies(&data), named("a", stored));
    assert!(!engine.compactor.step().unwrap());
    let more = engine.fill(&audit, "c");
    assert!(more > 3, "{more} more reads before they fail closed");

    // With nothing left even the flush fails, which is no news.
    assert!(engine.flusher.step(false).is_err());
    machine.capacity(Some(65_000));
    drop(engine.flusher.step(false));
    assert_eq!(engine.commit(&data, "refused"), Err(CommitError::Full), "the reserve comes first");

    machine.capacity(None);
    engine.flusher.step(false).unwrap();
    assert!(machine.has_reserve());
    engine.commit(&data, "z").unwrap();
    let mut expected = named("a", stored);
    expected.push("z".into());
    assert_eq!(engine.bodies(&data), expected);
    drop(engine);
    machine.disk.crash();
    let again = machine.open();
    assert_eq!(again.bodies(&data), expected);
    assert_eq!(again.bodies(&audit).len(), 5 + more);
}

#[test]
fn a_flush_that_finds_no_space_spends_the_reserve() {
    let machine = Machine::new(40_000);
    let data = Class::default();
    let mut engine = machine.open();
    engine.commit(&data, "a 0").unwrap();
    machine.capacity(Some(41_500));
    assert!(engine.flusher.step(true).is_err());
    assert!(!machine.has_reserve());
    engine.flusher.step(true).unwrap();
    assert_eq!(engine.bodies(&data), named("a", 1));
}

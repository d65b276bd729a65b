//! One seed: an engine lives, dies and lives again, and what it promised is held against what is there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::Catalog;
use logkeep_ingest::{
    CompactorStep, FlushError, FlusherStep, Ingest, IngestConfig, OpenError, Parts, Report, Verification, verify,
};
use logkeep_store::{ManualClock, SealedObjects};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::catalog::ModelCatalog;
use crate::disk::SimDisk;
use crate::faults::{Plan, Tally};
use crate::keys::{Safe, SimKeys};
use crate::model::{CANARY, Model, TENANTS};
use crate::questions::Asker;
use crate::rng::{Rng, SimRandom};
use crate::senders::{Counts, Senders};
use crate::trail::Grants;

const DATA: &str = "/data";
const START_NS: i64 = 1_800_000_000_000_000_000;
/// Questions to an engine that has just been opened, and to one at the end.
const AFTER_RECOVERY: u64 = 4;
/// Of those so many are asked in SQL too, whose plans take longer than their answers.
const SQL_PERCENT: u64 = 25;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// The power goes at this operation of the disk, and at no other of the first life.
    pub crash_at: Option<u64>,
    /// The disk answers syncs without doing them, which no engine can survive.
    pub lying_disk: bool,
}

impl Scenario {
    /// What a seed stands for.
    pub fn of(seed: u64) -> Self {
        Self { seed, crash_at: None, lying_disk: false }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Steps of the engine and of its senders.
    pub steps: u64,
    /// Times the engine was opened.
    pub lives: u64,
    /// Times everything was held against what must be there.
    pub checks: u64,
    /// Questions whose answers were held against it too.
    pub questions: u64,
    /// Keys that were destroyed once nothing was under them.
    pub rotations: u64,
    /// What was answered.
    pub counts: Counts,
    /// What the disk did.
    pub tally: Tally,
    /// The same in every run of a seed.
    pub trace: u64,
}

pub(crate) struct World<'a> {
    runtime: &'a Runtime,
    grants: &'a Grants,
    rng: Rng,
    /// What is asked changes nothing, so it takes no part in what happens.
    curiosity: Rng,
    disk: SimDisk,
    catalog: ModelCatalog,
    clock: Arc<ManualClock>,
    random: Arc<SimRandom>,
    safe: Arc<Safe>,
    config: IngestConfig,
    model: Option<Model>,
    counts: Counts,
    steps: u64,
    lives: u64,
    checks: u64,
    questions: u64,
    rotations: u64,
    crash_at: Option<u64>,
}

/// A running engine.
struct Life<'a> {
    senders: Arc<Mutex<Senders>>,
    asker: Asker<'a>,
    flusher: FlusherStep,
    compactor: CompactorStep,
}

impl<'a> World<'a> {
    pub(crate) fn new(runtime: &'a Runtime, grants: &'a Grants, scenario: Scenario) -> Self {
        let mut rng = Rng::new(scenario.seed);
        let root = PathBuf::from(DATA);
        let disk = SimDisk::new(&root, rng.fork());
        disk.with(|state| state.lies = scenario.lying_disk);
        let gate = disk.clone();
        let mut config = IngestConfig::new(&root);
        config.flush_bytes = [1, 30_000, usize::MAX][rng.below(3) as usize];
        config.flush_interval = Duration::from_secs(rng.between(1, 120));
        config.wal_file_bytes = [1_500, 12_000, 1 << 20][rng.below(3) as usize];
        config.segment_records = [16, 100, 10_000][rng.below(3) as usize];
        config.reserve_bytes = [0, 3_000][rng.below(2) as usize];
        let classes = rng.between(1, 4) as usize;
        Self {
            runtime,
            grants,
            curiosity: Rng::new(!scenario.seed),
            catalog: ModelCatalog::new(Arc::new(move || gate.gate())),
            clock: Arc::new(ManualClock::at(START_NS)),
            random: Arc::new(SimRandom::new(rng.fork())),
            safe: Arc::default(),
            model: Some(Model::new(classes)),
            disk,
            rng,
            config,
            counts: Counts::default(),
            steps: 0,
            lives: 0,
            checks: 0,
            questions: 0,
            rotations: 0,
            crash_at: scenario.crash_at,
        }
    }

    pub(crate) fn run(&mut self) -> Result<Outcome, String> {
        for life in 0..self.rng.between(1, 4) {
            self.plan(life == 0);
            self.live()?;
        }
        self.calm();
        let ingest = self.last_check()?;
        self.rot(ingest)?;
        Ok(Outcome {
            steps: self.steps,
            lives: self.lives,
            checks: self.checks,
            questions: self.questions,
            rotations: self.rotations,
            counts: self.counts,
            tally: self.disk.tally(),
            trace: self.disk.trace(),
        })
    }

    /// What will go wrong in the next life.
    fn plan(&mut self, first: bool) {
        let now = self.disk.tally().operations;
        let crash = self.rng.chance(70).then(|| now + self.rng.between(1, 250));
        let crash = if first { self.crash_at.or(crash) } else { crash };
        let in_log = (self.crash_at.is_none() && self.rng.chance(50)).then(|| self.rng.between(1, 60));
        let fail_percent = if self.rng.chance(30) { self.rng.between(1, 10) } else { 0 };
        let capacity = self.rng.chance(25).then(|| self.rng.between(4_000, 60_000));
        self.disk.with(|state| {
            state.plan.crash_at = crash;
            state.plan.crash_in_log = in_log;
            state.plan.fail_percent = fail_percent;
            state.plan.capacity = capacity;
        });
    }

    fn calm(&mut self) {
        self.disk.with(|state| state.plan = Plan::default());
    }

    /// Whether something may fail now without anybody being to blame.
    fn troubled(&self) -> bool {
        self.disk.with(|state| state.dead || state.plan.fail_percent > 0 || state.plan.capacity.is_some())
    }

    fn parts(&self) -> Result<Parts, OpenError> {
        let root = &self.config.data_dir;
        let objects = SealedObjects::on(Arc::new(self.disk.clone()), root, &root.join("objects"))?;
        Ok(Parts {
            catalog: Arc::new(self.catalog.clone()),
            objects,
            keys: Arc::new(SimKeys::of(&self.safe)),
            clock: self.clock.clone(),
            random: self.random.clone(),
        })
    }

    fn open(&mut self) -> Result<Life<'a>, OpenError> {
        self.lives += 1;
        let parts = self.parts()?;
        let opened = self.runtime.block_on(Ingest::open_stepped(self.config.clone(), parts));
        let (ingest, steps) = opened?;
        let (writer, flusher, compactor) = steps.split();
        let model = self.model.take().unwrap_or_else(|| Model::new(1));
        let asker = Asker::new(self.runtime, ingest.clone(), &mut self.curiosity);
        let no_asker = |error| OpenError::Io { path: "queries".into(), cause: std::io::Error::other(error) };
        let asker = asker.map_err(no_asker)?;
        let place = (self.clock.clone(), self.disk.clone());
        let senders = Senders::new((ingest, writer), place, self.rng.fork(), model, self.counts);
        Ok(Life { senders: Arc::new(Mutex::new(senders)), asker, flusher, compactor })
    }

    fn live(&mut self) -> Result<(), String> {
        let mut life = match self.open() {
            Ok(life) => life,
            Err(error) if self.troubled() => {
                drop(error);
                self.end();
                return Ok(());
            }
            Err(error) => return Err(format!("the data folder does not open: {error}")),
        };
        let mut lived = self.check(&life, AFTER_RECOVERY);
        for _ in 0..self.rng.between(10, 60) {
            if lived.is_err() || self.disk.is_dead() {
                break;
            }
            lived = self.step(&mut life);
        }
        let mut senders = life.senders.lock();
        senders.give_up();
        self.model = Some(std::mem::replace(&mut senders.model, Model::new(1)));
        self.counts = senders.counts;
        lived?;
        if let Some(broken) = senders.broken.take() {
            return Err(broken);
        }
        drop(senders);
        drop(life);
        self.end();
        let readable = self.disk.files_with(CANARY.as_bytes());
        if let Some(file) = readable.first() {
            return Err(format!("plaintext lies in {}", file.display()));
        }
        Ok(())
    }

    /// The process is gone; with it the power, or not.
    fn end(&mut self) {
        if self.disk.is_dead() || self.rng.chance(40) {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
    }

    fn step(&mut self, life: &mut Life<'_>) -> Result<(), String> {
        self.steps += 1;
        let mut senders = life.senders.lock();
        match self.rng.below(100) {
            0..40 => {
                let burst = if self.rng.chance(30) { self.rng.between(2, 6) } else { 1 };
                (0..burst).try_for_each(|_| senders.send())
            }
            40..65 => {
                senders.write()?;
                drop(senders);
                if self.rng.chance(50) { self.check(life, 1) } else { Ok(()) }
            }
            65..80 => {
                drop(senders);
                let all = self.rng.chance(15);
                let flusher = &mut life.flusher;
                let between = between(&life.senders, self.rng.fork());
                let done = self.disk.interleaved(between, || flusher.step(all));
                self.blame("flushing", done.map(drop))
            }
            80..90 => {
                drop(senders);
                let compactor = &life.compactor;
                let between = between(&life.senders, self.rng.fork());
                let done = self.disk.interleaved(between, || compactor.step());
                self.blame("merging", done.map(drop))
            }
            90..96 => {
                self.clock.advance_ns(self.rng.between(1, 30) as i64 * 1_000_000_000);
                Ok(())
            }
            96..98 => {
                let capacity = self.rng.chance(40).then(|| self.rng.between(4_000, 60_000));
                self.disk.with(|state| state.plan.capacity = capacity);
                Ok(())
            }
            98 => {
                drop(senders);
                self.rotate(life)
            }
            _ => {
                drop(senders);
                self.check(life, 1)
            }
        }
    }

    /// Another key-encryption key. Once everything is under it the old one is destroyed, so whatever still needs that cannot
    /// be read from then on. What is cut short is gone on with the next time.
    fn rotate(&mut self, life: &mut Life<'_>) -> Result<(), String> {
        self.safe.renew();
        let rotation = life.senders.lock().ingest.rotation();
        let reloaded = rotation.reload();
        self.blame("looking for a new key", reloaded)?;
        let begun = life.senders.lock().begin_log_file(&rotation)?;
        let Some(file) = begun else {
            return if self.troubled() { Ok(()) } else { Err("no new file of the log without a cause".to_owned()) };
        };
        let flusher = &mut life.flusher;
        let flushed = self.disk.interleaved(between(&life.senders, self.rng.fork()), || flusher.step(true));
        self.blame("flushing for another key", flushed)?;
        let is_rid = rotation.is_rid_of_files_before(file).map_err(|error| error.into());
        if !matches!(is_rid, Ok(true)) {
            return self
                .blame("getting rid of files under the old key", is_rid.and(Err("they are still there".into())));
        }
        let wrapped = self.disk.interleaved(between(&life.senders, self.rng.fork()), || rotation.rewrap());
        let done = wrapped.is_ok();
        self.blame("wrapping keys anew", wrapped.map(drop))?;
        if done {
            self.safe.destroy_old();
            self.rotations += 1;
        }
        self.check(life, 1)
    }

    fn blame(&self, what: &str, done: Result<(), FlushError>) -> Result<(), String> {
        match done {
            Err(error) if !self.troubled() => Err(format!("{what} failed without a cause: {error}")),
            _ => Ok(()),
        }
    }

    /// Searchable when acknowledged, exactly once, where it was; and found by whoever asks, so many times.
    fn check(&mut self, life: &Life<'_>, questions: u64) -> Result<(), String> {
        if self.disk.is_dead() {
            return Ok(());
        }
        self.checks += 1;
        let senders = life.senders.lock();
        let there = senders.model.check(&senders.ingest, false)?.found;
        let batches = senders.model.sent.len();
        for _ in 0..questions {
            let tenant = self.curiosity.pick(&TENANTS).and_then(|tenant| self.grants.of(tenant));
            let Some(grant) = tenant else { break };
            self.questions += 1;
            life.asker.ask(&mut self.curiosity, grant, &there, batches)?;
            if questions == AFTER_RECOVERY && self.curiosity.chance(SQL_PERCENT) {
                self.questions += 1;
                life.asker.ask_sql(&mut self.curiosity, grant, &there, batches)?;
            }
        }
        Ok(())
    }

    fn verify(&self) -> Result<Report, String> {
        let parts = self.parts().map_err(|error| error.to_string())?;
        let verification = Verification {
            data_dir: self.config.data_dir.clone(),
            catalog: parts.catalog,
            objects: parts.objects,
            keys: parts.keys,
            since: vec![],
        };
        Ok(self.runtime.block_on(verify(&verification)))
    }

    /// Without any fault: everything is there, and a third party can prove it.
    fn last_check(&mut self) -> Result<Ingest, String> {
        let mut life = self.open().map_err(|error| format!("the data folder does not open in the end: {error}"))?;
        let mut done = self.check(&life, AFTER_RECOVERY);
        let all = self.rng.chance(50);
        done = done.and_then(|()| life.flusher.step(all).map_err(|error| format!("the last flush failed: {error}")));
        done = done.and_then(|()| self.check(&life, AFTER_RECOVERY));
        let mut senders = life.senders.lock();
        self.model = Some(std::mem::replace(&mut senders.model, Model::new(1)));
        let ingest = senders.ingest.clone();
        drop(senders);
        done?;
        let report = self.verify()?;
        if let Some(finding) = report.findings.first() {
            return Err(format!("verify finds {}: {}", finding.object, finding.what));
        }
        let verified: u64 = report.classes.iter().map(|class| class.records).sum();
        let acked = self.model.as_ref().map_or(0, Model::acked_records);
        if (verified as usize) < acked {
            return Err(format!("{acked} records were acknowledged, and verify counts {verified}"));
        }
        Ok(ingest)
    }

    /// A bit rots in the closed folder: it may cost records, and then it says so; it never changes one.
    fn rot(&mut self, ingest: Ingest) -> Result<(), String> {
        drop(ingest);
        if !self.rng.chance(50) {
            return Ok(());
        }
        self.disk.kill();
        let before = self.verify()?.findings.len();
        let Some(path) = self.disk.rot() else { return Ok(()) };
        let told = self.verify()?.findings.len() > before;
        let states = self.runtime.block_on(self.catalog.load()).map_err(|error| error.to_string())?;
        let named =
            |file: &str| states.iter().flat_map(|state| &state.segments).any(|row| file.contains(row.id.as_str()));
        if named(&path.to_string_lossy()) && !told {
            return Err(format!("a bit of {} rotted, and verify finds nothing", path.display()));
        }
        let Ok(life) = self.open() else { return Ok(()) };
        let senders = life.senders.lock();
        let checked = senders.model.check(&senders.ingest, true)?;
        let reported = told || checked.reported || !senders.ingest.faults().is_empty();
        if checked.missing && !reported {
            return Err(format!("a bit of {} rotted, records are missing, and nobody says so", path.display()));
        }
        Ok(())
    }
}

/// Now and then a batch is sent and committed while another thread waits for the disk.
fn between(senders: &Arc<Mutex<Senders>>, mut rng: Rng) -> Box<dyn FnMut() + Send> {
    let senders = senders.clone();
    Box::new(move || {
        if !rng.chance(8) {
            return;
        }
        let mut senders = senders.lock();
        let done = senders.send().and_then(|()| senders.write());
        if let (Err(broken), None) = (done, &senders.broken) {
            senders.broken = Some(broken);
        }
    })
}

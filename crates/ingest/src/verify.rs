//! Whether the data folder holds exactly what was acknowledged: offline, on files alone.
//!
//! Everything is computed anew, from the bytes up: each object's digest, each record's hash, each batch's root, each
//! tile of the tree, and the signed checkpoint over it. A server may be running on the folder meanwhile.

mod expired;
mod held;
mod links;
mod roots;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_catalog::{Catalog, ClassState, Head};
use logkeep_record::{Class, TenantId};
use logkeep_store::{Disk, KeyProvider, ObjectKind, ObjectPath, SealedObjects};
use logkeep_tlog::{Checkpoint, Entry, Hash, PublicKey, TileSource, TileWrite, Tree, read_entries};

use self::roots::{Checked, CheckedFrame, Checker, Expected};
use crate::destroy::orders;
use crate::engine::OpenError;
use crate::ledger::stored_by_page;
use crate::order::{Approval, table};
use crate::recovery::read_log;
use crate::retention::{HOLDS, HoldRow, Rules};
use crate::signing::existing_signer;
use crate::state::ClassKey;
use crate::succession;
use crate::tiles::TileFolder;
use crate::wal::{self, BatchFrame};

/// What to verify, and with what.
pub struct Verification {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Its catalog.
    pub catalog: Arc<dyn Catalog>,
    /// Its objects.
    pub objects: SealedObjects,
    /// Its keys.
    pub keys: Arc<dyn KeyProvider>,
    /// Signed checkpoints of the same installation that were kept elsewhere, as texts.
    pub since: Vec<String>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or row.
    pub object: String,
    /// The batch at fault, where it can be told.
    pub batch: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was verified of one tenant and class.
#[derive(Clone, Debug)]
pub struct ClassReport {
    /// Whose.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// Segments read.
    pub segments: u64,
    /// Batches whose root was computed anew.
    pub batches: u64,
    /// Records hashed.
    pub records: u64,
    /// What of it was destroyed, if that was.
    pub destroyed: Option<DestroyedReport>,
    /// Size and root of the tree.
    pub root: Hash,
}

/// Batches of which nothing but their entries is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestroyedReport {
    /// How many.
    pub batches: u64,
    /// Records in them, as their entries say.
    pub records: u64,
    /// Why.
    pub by: DestroyedBy,
}

/// Why batches are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestroyedBy {
    /// All that the tenant had was destroyed, by this word of two people.
    Order(Arc<Approval>),
    /// They were kept for long enough: for so many days, those that went last.
    Retention(u32),
}

/// The outcome.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One for each tenant and class.
    pub classes: Vec<ClassReport>,
    /// Damage, first found first. Empty: all is as it was acknowledged.
    pub findings: Vec<Finding>,
    /// Tenants that are ordered to be destroyed, and still have something. A server does that by itself.
    pub to_destroy: Vec<TenantId>,
    /// Holds that audit trails tell of.
    holds_told: BTreeSet<String>,
}

impl Report {
    fn find(&mut self, object: impl ToString, batch: Option<u64>, what: impl ToString) {
        self.findings.push(Finding { object: object.to_string(), batch, what: what.to_string() });
    }
}

/// Verifies a data folder. Blocks on files; run it in a multi-threaded runtime.
pub async fn verify(verification: &Verification) -> Report {
    let mut report = Report::default();
    let v = verification;
    // Checkpoints first: what they commit to must be there, while later batches may come and go as we read.
    let checkpoints = read_checkpoints(&*v.objects.disk(), &v.data_dir.join("tlog"), &mut report);
    let public_key = match public_key(v, &mut report).await {
        Some(key) => key,
        None => return report,
    };
    if let Err(error) = v.catalog.check().await {
        report.find("catalog", None, error);
        return report;
    }
    let states = match v.catalog.load().await {
        Ok(states) => states,
        Err(error) => {
            report.find("catalog", None, error);
            return report;
        }
    };
    let successions = match succession::load(&*v.catalog).await {
        Ok(successions) => successions,
        Err(error) => {
            report.find("catalog", None, error);
            return report;
        }
    };
    let orders = match orders(&*v.catalog).await {
        Ok(orders) => orders,
        Err(error) => {
            report.find("catalog", None, error);
            return report;
        }
    };
    let rules = match Rules::read(&*v.catalog).await {
        Ok(rules) => rules,
        Err(error) => {
            report.find("catalog", None, error);
            return report;
        }
    };
    rules.faults.iter().for_each(|(object, what)| report.find(object, None, what));
    let mut classes: BTreeMap<ClassKey, ClassState> = BTreeMap::new();
    for state in states {
        classes.insert((state.tenant.clone(), state.class.clone()), state);
    }
    let mut frames = read_wal(v, &mut report);
    for key in frames.keys().chain(checkpoints.keys()) {
        classes.entry(key.clone()).or_insert_with(|| ClassState {
            tenant: key.0.clone(),
            class: key.1.clone(),
            head: Head::default(),
            segments: Vec::new(),
        });
    }
    let checker = Checker::new(v.objects.clone(), v.keys.clone());
    for (key, state) in classes {
        let mut class = ClassVerifier {
            v,
            checker: &checker,
            succeeds: successions.get(&key).map(String::as_str),
            order: orders.get(&key.0),
            rules: &rules,
            signers: Vec::new(),
            restored: HashMap::new(),
            folder: TileFolder::new(v.objects.disk(), &v.data_dir.join("tlog"), &key.0, &key.1),
            report: &mut report,
            tree: Tree::new(),
            roots: HashMap::new(),
            done: ClassReport {
                tenant: key.0.clone(),
                class: key.1.clone(),
                segments: 0,
                batches: 0,
                records: 0,
                destroyed: None,
                root: Hash([0; 32]),
            },
        };
        let own = checkpoints.get(&key).cloned();
        class.run(&state, frames.remove(&key).unwrap_or_default(), own, &public_key).await;
        let mut done = class.done.clone();
        done.root = class.tree.root();
        report.classes.push(done);
    }
    check_holds(v, &mut report).await;
    let is_left = |tenant: &&TenantId| {
        let is_own = |class: &ClassReport| class.tenant == **tenant && class.class != Class::audit();
        report.classes.iter().any(|class| is_own(class) && class.records > 0)
    };
    report.to_destroy = orders.keys().filter(is_left).cloned().collect();
    report
}

/// Each hold that was told is still there, released or not. A running server has it in the catalog before it is told, so they are read
/// last.
async fn check_holds(v: &Verification, report: &mut Report) {
    let known = match table::<HoldRow>(&*v.catalog, HOLDS).await {
        Ok(known) => known,
        Err(error) => return report.find("catalog", None, error),
    };
    for id in std::mem::take(&mut report.holds_told) {
        if !known.contains_key(&id) {
            report.find(
                format!("hold {id}"),
                None,
                "it is in the audit trail, and not in the catalog: somebody has removed it",
            );
        }
    }
}

async fn public_key(v: &Verification, report: &mut Report) -> Option<PublicKey> {
    let key = match existing_signer(&*v.catalog).await {
        Ok((signer, _)) => signer.public_key(),
        Err(what) => {
            report.find("catalog", None, what);
            return None;
        }
    };
    let path = v.data_dir.join("tlog/public-key");
    match read_text(&*v.objects.disk(), &path) {
        Ok(text) if text.trim() == key.to_string() => {}
        Ok(_) => report.find(path.display(), None, "it is not the key that signs the checkpoints"),
        Err(error) => report.find(path.display(), None, error),
    }
    Some(key)
}

/// A file as text.
fn read_text(disk: &(dyn Disk + 'static), path: &Path) -> io::Result<String> {
    String::from_utf8(disk.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The checkpoint file of every tree there is a folder for.
pub(crate) fn read_checkpoints(
    disk: &(dyn Disk + 'static),
    tlog: &Path,
    report: &mut Report,
) -> BTreeMap<ClassKey, String> {
    let mut found = BTreeMap::new();
    let folders = |path: &Path| {
        let entries = disk.list(path).unwrap_or_default().into_iter().filter(|entry| entry.is_folder);
        entries.map(|entry| path.join(entry.name)).collect::<Vec<_>>()
    };
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    for tenant_folder in folders(tlog) {
        for class_folder in folders(&tenant_folder) {
            let tenant = name(&tenant_folder).and_then(|name| TenantId::new(&name).ok());
            let class = name(&class_folder).and_then(|name| Class::new(&name).ok());
            let (Some(tenant), Some(class)) = (tenant, class) else {
                report.find(class_folder.display(), None, "this folder belongs to no tenant and class");
                continue;
            };
            match read_text(disk, &class_folder.join("checkpoint")) {
                Ok(text) => drop(found.insert((tenant, class), text)),
                // A crash may lie between the tiles and the first checkpoint. Where one must be, it is missed later.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => report.find(class_folder.join("checkpoint").display(), None, error),
            }
        }
    }
    found
}

/// The batches in the log, by class, in order of file and place.
fn read_wal(v: &Verification, report: &mut Report) -> HashMap<ClassKey, Vec<(PathBuf, BatchFrame)>> {
    let mut frames: HashMap<ClassKey, Vec<(PathBuf, BatchFrame)>> = HashMap::new();
    let folder = v.data_dir.join("wal");
    let files = match wal::list(&*v.objects.disk(), &folder) {
        Ok(files) => files,
        Err(error) => {
            report.find(folder.display(), None, error);
            return frames;
        }
    };
    for (number, path) in files {
        match read_log(&*v.objects.disk(), &v.keys, number, &path) {
            Ok(found) => {
                found
                    .faults
                    .iter()
                    .for_each(|fault| report.find(path.display(), None, format!("byte {}: {}", fault.at, fault.what)));
                for frame in found.batches {
                    let names = (TenantId::new(&frame.entry.tenant), Class::new(&frame.entry.class));
                    if let (Ok(tenant), Ok(class)) = names {
                        frames.entry((tenant, class)).or_default().push((path.clone(), frame));
                    }
                }
            }
            // A file that the running server has just flushed and removed.
            Err(OpenError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(OpenError::Io { cause, .. }) => report.find(path.display(), None, cause),
            Err(error) => report.find(path.display(), None, error),
        }
    }
    frames.values_mut().for_each(|frames| wal::keep_latest(frames, |(_, frame)| &frame.entry));
    frames
}

struct ClassVerifier<'a> {
    v: &'a Verification,
    checker: &'a Checker,
    /// The line of its checkpoints, if it was restored from a backup.
    succeeds: Option<&'a str>,
    /// By whose word it was destroyed, or is to be.
    order: Option<&'a Arc<Approval>>,
    /// For how long it is kept, and what is held.
    rules: &'a Rules,
    /// Who signs its checkpoints, and signed them before a restore.
    signers: Vec<PublicKey>,
    /// By the origin of a log it was restored from, how many batches were taken over.
    restored: HashMap<String, u64>,
    folder: TileFolder,
    report: &'a mut Report,
    /// Grown from the entries alone, and compared with what is on the disk.
    tree: Tree,
    /// Roots at the sizes that checkpoints speak of.
    roots: HashMap<u64, Hash>,
    done: ClassReport,
}

impl ClassVerifier<'_> {
    async fn run(
        &mut self,
        state: &ClassState,
        frames: Vec<(PathBuf, BatchFrame)>,
        own: Option<String>,
        public_key: &PublicKey,
    ) {
        let checkpoints = self.checkpoints(own, public_key, state.head.flushed);
        let expired = self.expired().await;
        let sizes: Vec<u64> = checkpoints.iter().map(|(_, checkpoint)| checkpoint.size()).collect();
        let sizes: Vec<u64> = sizes.into_iter().chain(expired.as_ref().map(|record| record.tree.0)).collect();
        self.roots.insert(0, self.tree.root());
        let Some(expected) = self.flushed_entries(state, &sizes) else { return };
        // Until its first flush a class has no row in the catalog, and so no root there.
        if state.head.flushed > 0 && self.tree.root().0 != state.head.root {
            self.report.find(self.name(), None, "the entries of its tree do not add up to the root in the catalog");
        }
        self.ledger(&expected).await;
        self.destroyed(state.head.destroyed, expired, &expected);
        self.segments(state, expected).await;
        self.wal_batches(state.head.flushed, frames, &sizes).await;
        self.tiles(&checkpoints, state.head.flushed);
        for (object, checkpoint) in checkpoints {
            self.against(&object, &checkpoint);
        }
    }

    fn name(&self) -> String {
        format!("tree of {}/{}", self.done.tenant, self.done.class)
    }

    fn checkpoints(&mut self, own: Option<String>, key: &PublicKey, flushed: u64) -> Vec<(String, Checkpoint)> {
        let (mut checkpoints, mut keys) = (Vec::new(), vec![key.clone()]);
        let path = self.folder.checkpoint_path().display().to_string();
        match own.map(|text| Checkpoint::open(&text, &keys)) {
            Some(Ok(checkpoint)) => checkpoints.push((path, checkpoint)),
            Some(Err(error)) => self.report.find(path, None, error),
            None if flushed > 0 => self.report.find(path, None, "the checkpoint is missing"),
            None => {}
        }
        let class = (self.done.tenant.clone(), self.done.class.clone());
        let own = checkpoints.first().map(|(_, own)| own);
        match links::follow(&self.v.data_dir.join("tlog"), &class, own, key, self.succeeds) {
            Ok(links) => {
                checkpoints.extend(links.commitments);
                keys.extend(links.keys);
                self.restored = links.restored;
            }
            Err(finding) => self.report.findings.push(finding),
        }
        let origin_end = format!("/{}/{}", self.done.tenant, self.done.class);
        for text in &self.v.since {
            match Checkpoint::open(text, &keys) {
                Ok(checkpoint) if checkpoint.origin().ends_with(&origin_end) => {
                    checkpoints.push(("checkpoint kept elsewhere".into(), checkpoint));
                }
                Ok(_) => {}
                Err(error) => self.report.find("checkpoint kept elsewhere", None, error),
            }
        }
        self.signers = keys;
        checkpoints
    }

    fn append(&mut self, entry: &[u8], sizes: &[u64]) {
        if let Err(error) = self.tree.append(entry) {
            self.report.find(self.name(), None, error);
        } else if sizes.contains(&self.tree.size()) {
            self.roots.insert(self.tree.size(), self.tree.root());
        }
    }

    /// What the entries of all batches in segments say, from the tiles.
    fn flushed_entries(&mut self, state: &ClassState, sizes: &[u64]) -> Option<Vec<Expected>> {
        let mut expected = Vec::new();
        let flushed = state.head.flushed;
        while (expected.len() as u64) < flushed {
            let index = expected.len() as u64;
            let found = match read_entries(&self.folder, index, flushed) {
                Ok(found) => found,
                Err(error) => {
                    self.report.find(self.name(), Some(index), error);
                    return None;
                }
            };
            for bytes in found {
                match Entry::decode(&bytes) {
                    Ok(entry) => {
                        self.append(&bytes, sizes);
                        expected.push(Expected::from(&entry));
                    }
                    Err(what) => {
                        self.report.find(self.name(), Some(expected.len() as u64), what);
                        return None;
                    }
                }
            }
        }
        Some(expected)
    }

    async fn segments(&mut self, state: &ClassState, expected: Vec<Expected>) {
        let expected = Arc::new(expected);
        let mut under_way = self.checker.segments();
        for row in &state.segments {
            match ObjectPath::new(&self.done.tenant, &self.done.class, ObjectKind::Segment, row.id.as_str()) {
                Ok(path) => {
                    let check = self.checker.clone().segment(path, row.clone(), expected.clone());
                    let done = under_way.begin(check).await;
                    done.into_iter().for_each(|checked| self.add(checked));
                }
                Err(error) => self.report.find(&row.id, None, error),
            }
        }
        while let Some(checked) = under_way.next().await {
            self.add(checked);
        }
    }

    /// What the ledger says was stored is what the entries say.
    async fn ledger(&mut self, expected: &[Expected]) {
        let class = (self.done.tenant.clone(), self.done.class.clone());
        let pages = match stored_by_page(&*self.v.catalog, &class).await {
            Ok(pages) => pages,
            Err(error) => return self.report.find("catalog", None, error),
        };
        for (page, stored) in pages {
            // A running server may have flushed more since.
            let Some(batches) = expected.get(page.first as usize..=page.last as usize) else { continue };
            let records: u64 = batches.iter().map(|batch| u64::from(batch.records)).sum();
            if stored != records {
                let what = format!("it counts {stored} records as stored in batches that have {records}");
                self.report.find(format!("ledger of {}/{}", class.0, class.1), Some(page.first), what);
            }
        }
    }

    fn add(&mut self, checked: Checked) {
        self.done.segments += checked.segments;
        self.done.batches += checked.batches;
        self.done.records += checked.records;
        self.report.findings.extend(checked.findings);
        self.report.holds_told.extend(checked.holds);
    }

    async fn wal_batches(&mut self, flushed: u64, frames: Vec<(PathBuf, BatchFrame)>, sizes: &[u64]) {
        let mut under_way = self.checker.frames();
        for (file, frame) in frames.into_iter().filter(|(_, frame)| frame.entry.batch >= flushed) {
            let done = under_way.begin(self.checker.clone().frame(file, frame)).await;
            if done.is_some_and(|done| !self.wal_batch(done, sizes)) {
                return;
            }
        }
        while let Some(done) = under_way.next().await {
            if !self.wal_batch(done, sizes) {
                return;
            }
        }
    }

    /// Takes a batch of the log into account; false if those before it are missing.
    fn wal_batch(&mut self, frame: CheckedFrame, sizes: &[u64]) -> bool {
        let (number, next) = (frame.entry.batch, self.tree.size());
        let object = frame.file.display().to_string();
        if number < next {
            return true;
        }
        if number > next {
            let last = number - 1;
            let what = format!("batches {next} to {last} are missing: no segment the catalog knows has them either");
            self.report.find(object, Some(next), what);
            return false;
        }
        match (frame.entry.encode(), frame.checked) {
            (Ok(entry), Ok(checked)) => {
                self.append(&entry, sizes);
                self.add(checked);
            }
            (Err(error), _) => self.report.find(object, Some(number), error),
            (_, Err(error)) => self.report.find(object, Some(number), error),
        }
        true
    }

    /// Every tile of the published tree, byte for byte, and of the flushed one: a server reads that when it starts, and a
    /// crash may leave its narrower tiles beside the published ones.
    fn tiles(&mut self, checkpoints: &[(String, Checkpoint)], flushed: u64) {
        let own = self.folder.checkpoint_path().display().to_string();
        let published =
            checkpoints.iter().find(|(object, _)| *object == own).map_or(0, |(_, checkpoint)| checkpoint.size());
        let sizes = BTreeSet::from([published, flushed].map(|size| size.min(self.tree.size())));
        let tiles = sizes.into_iter().filter_map(|size| self.tree.tiles(0, size).ok()).flatten();
        let tiles: BTreeMap<String, TileWrite> = tiles.map(|tile| (tile.path.to_string(), tile)).collect();
        for tile in tiles.into_values() {
            match self.folder.read(&tile.path) {
                Ok(Some(bytes)) if bytes.starts_with(&tile.bytes) => {}
                Ok(Some(_)) => {
                    self.report.find(format!("{}: {}", self.name(), tile.path), None, "the tile was altered")
                }
                Ok(None) if tile.path.is_partial() && self.outgrown(&tile.path) => {}
                Ok(None) => self.report.find(format!("{}: {}", self.name(), tile.path), None, "the tile is missing"),
                Err(error) => self.report.find(format!("{}: {}", self.name(), tile.path), None, error),
            }
        }
    }

    /// A running server replaces partial tiles by the full one.
    fn outgrown(&self, path: &logkeep_tlog::TilePath) -> bool {
        matches!(self.folder.read(&path.full()), Ok(Some(_)))
    }

    fn against(&mut self, object: &str, checkpoint: &Checkpoint) {
        let (size, have) = (checkpoint.size(), self.tree.size());
        if let Some(restored) = self.restored.get(checkpoint.origin()).filter(|restored| size > **restored) {
            let what = format!(
                "it commits to {size} batches of the log that this one was restored from, of which {restored} were taken over: that log went on after the backup, and the rest is not here"
            );
            return self.report.find(object, Some(*restored), what);
        }
        match self.roots.get(&size) {
            Some(root) if *root == checkpoint.root() => {}
            Some(_) => self.report.find(object, None, format!("the first {size} batches are not those it commits to")),
            None => {
                let what = format!(
                    "it commits to {size} batches, and only {have} are here: the folder, or its catalog alone, was rolled back or cut"
                );
                self.report.find(object, Some(have), what);
            }
        }
    }
}

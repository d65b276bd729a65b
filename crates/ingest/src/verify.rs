//! Whether the data folder holds exactly what was acknowledged: offline, on files alone.
//!
//! Everything is computed anew, from the bytes up: each object's digest, each record's hash, each batch's root, each
//! tile of the tree, and the signed checkpoint over it. A server may be running on the folder meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_catalog::{Catalog, ClassState, Head, SegmentRow};
use logkeep_cipher::WrappedKey;
use logkeep_record::{BatchSeed, Class, TenantId};
use logkeep_segment::{Rows, Segment};
use logkeep_store::{Disk, KeyProvider, ObjectKind, ObjectPath, SealedObjects};
use logkeep_tlog::{Checkpoint, Entry, Hash, PublicKey, Signer, TileSource, TileWrite, Tree, read_entry};

use crate::batch::recompute_root;
use crate::compact::batch_places;
use crate::state::{ClassKey, ObjectReader};
use crate::tiles::TileFolder;
use crate::wal::{self, BatchFrame};
use crate::writer::key_context;

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
    /// Size and root of the tree.
    pub root: Hash,
}

/// The outcome.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One for each tenant and class.
    pub classes: Vec<ClassReport>,
    /// Damage, first found first. Empty: all is as it was acknowledged.
    pub findings: Vec<Finding>,
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
    let states = match v.catalog.load().await {
        Ok(states) => states,
        Err(error) => {
            report.find("catalog", None, error);
            return report;
        }
    };
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
    for (key, state) in classes {
        let mut class = ClassVerifier {
            v,
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
                root: Hash([0; 32]),
            },
        };
        let own = checkpoints.get(&key).cloned();
        class.run(&state, frames.remove(&key).unwrap_or_default(), own, &public_key).await;
        let mut done = class.done.clone();
        done.root = class.tree.root();
        report.classes.push(done);
    }
    report
}

async fn public_key(v: &Verification, report: &mut Report) -> Option<PublicKey> {
    let (seed, installation) =
        match (v.catalog.secret("checkpoint-signer").await, v.catalog.secret("installation").await) {
            (Ok(Some(seed)), Ok(Some(installation))) => (seed, installation),
            (Err(error), _) | (_, Err(error)) => {
                report.find("catalog", None, error);
                return None;
            }
            _ => {
                report.find(
                    "catalog",
                    None,
                    "it has no signing key: this is no data folder, or the catalog was replaced",
                );
                return None;
            }
        };
    let installation: String = installation.iter().map(|byte| format!("{byte:02x}")).collect();
    let signer = seed.try_into().ok().and_then(|seed| Signer::from_seed(&format!("logkeep-{installation}"), seed).ok());
    let key = signer.map(|signer| signer.public_key());
    let path = v.data_dir.join("tlog/public-key");
    match (&key, read_text(&*v.objects.disk(), &path)) {
        (Some(key), Ok(text)) if text.trim() == key.to_string() => {}
        (Some(_), Ok(_)) => report.find(path.display(), None, "it is not the key that signs the checkpoints"),
        (Some(_), Err(error)) => report.find(path.display(), None, error),
        (None, _) => report.find("catalog", None, "the signing key is damaged"),
    }
    key
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
    let runtime = tokio::runtime::Handle::current();
    for (number, path) in files {
        let mut unwrap = |tenant: &TenantId, wrapped: &[u8]| {
            let wrapped = WrappedKey(wrapped.to_vec());
            let context = key_context(number, tenant);
            tokio::task::block_in_place(|| runtime.block_on(v.keys.unwrap(&wrapped, &context)))
                .map_err(|e| e.to_string())
        };
        match wal::recover(&*v.objects.disk(), &path, number, &mut unwrap) {
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.find(path.display(), None, error),
        }
    }
    frames.values_mut().for_each(|frames| wal::keep_latest(frames, |(_, frame)| frame));
    frames
}

struct ClassVerifier<'a> {
    v: &'a Verification,
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
        let sizes: Vec<u64> = checkpoints.iter().map(|(_, checkpoint)| checkpoint.size()).collect();
        self.roots.insert(0, self.tree.root());
        let Some(entries) = self.flushed_entries(state, &sizes) else { return };
        // Until its first flush a class has no row in the catalog, and so no root there.
        if state.head.flushed > 0 && self.tree.root().0 != state.head.root {
            self.report.find(self.name(), None, "the entries of its tree do not add up to the root in the catalog");
        }
        for segment in &state.segments {
            self.segment(segment, &entries).await;
        }
        self.wal_batches(state.head.flushed, frames, &sizes);
        self.tiles(&checkpoints, state.head.flushed);
        for (object, checkpoint) in checkpoints {
            self.against(&object, &checkpoint);
        }
    }

    fn name(&self) -> String {
        format!("tree of {}/{}", self.done.tenant, self.done.class)
    }

    fn checkpoints(&mut self, own: Option<String>, key: &PublicKey, flushed: u64) -> Vec<(String, Checkpoint)> {
        let mut checkpoints = Vec::new();
        let path = self.folder.checkpoint_path().display().to_string();
        match own.map(|text| Checkpoint::open(&text, std::slice::from_ref(key))) {
            Some(Ok(checkpoint)) => checkpoints.push((path, checkpoint)),
            Some(Err(error)) => self.report.find(path, None, error),
            None if flushed > 0 => self.report.find(path, None, "the checkpoint is missing"),
            None => {}
        }
        let origin_end = format!("/{}/{}", self.done.tenant, self.done.class);
        for text in &self.v.since {
            match Checkpoint::open(text, std::slice::from_ref(key)) {
                Ok(checkpoint) if checkpoint.origin().ends_with(&origin_end) => {
                    checkpoints.push(("checkpoint kept elsewhere".into(), checkpoint));
                }
                Ok(_) => {}
                Err(error) => self.report.find("checkpoint kept elsewhere", None, error),
            }
        }
        checkpoints
    }

    fn append(&mut self, entry: &[u8], sizes: &[u64]) {
        if let Err(error) = self.tree.append(entry) {
            self.report.find(self.name(), None, error);
        } else if sizes.contains(&self.tree.size()) {
            self.roots.insert(self.tree.size(), self.tree.root());
        }
    }

    /// The entries of all batches in segments, from the tiles.
    fn flushed_entries(&mut self, state: &ClassState, sizes: &[u64]) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        for index in 0..state.head.flushed {
            let found = read_entry(&self.folder, index, state.head.flushed);
            let entry = match found {
                Ok(Some(bytes)) => Entry::decode(&bytes).map(|entry| (bytes, entry)).map_err(|error| error.to_string()),
                Ok(None) => Err("the entry is missing".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match entry {
                Ok((bytes, entry)) => {
                    self.append(&bytes, sizes);
                    entries.push(entry);
                }
                Err(what) => {
                    self.report.find(self.name(), Some(index), what);
                    return None;
                }
            }
        }
        Some(entries)
    }

    async fn segment(&mut self, row: &SegmentRow, entries: &[Entry]) {
        let path = match ObjectPath::new(&self.done.tenant, &self.done.class, ObjectKind::Segment, row.id.as_str()) {
            Ok(path) => path,
            Err(error) => return self.report.find(&row.id, None, error),
        };
        match self.v.objects.digest(&path).await {
            Ok(digest) if digest == row.sha256 => {}
            Ok(_) => self.report.find(&path, Some(row.first_batch), "its bytes are not those that were written"),
            Err(error) => return self.report.find(&path, Some(row.first_batch), error),
        }
        let rows = match self.read(&path, row).await {
            Ok(rows) => rows,
            Err(error) => return self.report.find(&path, Some(row.first_batch), error),
        };
        if rows.batches().iter().map(|batch| batch.number).ne_sorted(row.first_batch..=row.last_batch) {
            self.report.find(&path, Some(row.first_batch), "it does not hold the batches that the catalog says");
        }
        let places = match batch_places(&rows) {
            Ok(places) => places,
            Err(error) => return self.report.find(&path, None, error),
        };
        for batch in rows.batches() {
            let (Some(entry), Some(places)) = (entries.get(batch.number as usize), places.get(&batch.number)) else {
                self.report.find(&path, Some(batch.number), "a batch without an entry in the tree, or without records");
                continue;
            };
            self.batch(&path.to_string(), &rows, places, &batch.seed, entry);
        }
        self.done.segments += 1;
    }

    async fn read(&self, path: &ObjectPath, row: &SegmentRow) -> Result<Rows, String> {
        let key = self.v.keys.unwrap(&WrappedKey(row.wrapped_key.clone()), path.as_str()).await;
        let key = key.map_err(|error| error.to_string())?;
        let object = self.v.objects.open(path, &key, row.plain_bytes).map_err(|error| error.to_string())?;
        let segment = Segment::open(Arc::new(ObjectReader(object))).map_err(|error| error.to_string())?;
        segment.rows_where(None).map_err(|error| error.to_string())
    }

    fn batch(&mut self, object: &str, rows: &Rows, places: &[(u32, usize)], seed: &BatchSeed, entry: &Entry) {
        self.done.batches += 1;
        self.done.records += places.len() as u64;
        let whole = places.iter().zip(0..).all(|((index, _), expected)| *index == expected);
        match recompute_root(rows, places, seed) {
            Ok(root) if root == entry.root && whole && places.len() == entry.records as usize => {}
            Ok(_) => {
                self.report.find(object, Some(entry.batch), "its records do not have the root that was acknowledged")
            }
            Err(error) => self.report.find(object, Some(entry.batch), error),
        }
    }

    fn wal_batches(&mut self, flushed: u64, frames: Vec<(PathBuf, BatchFrame)>, sizes: &[u64]) {
        for (path, frame) in frames {
            let number = frame.entry.batch;
            if number < flushed.max(self.tree.size()) {
                continue;
            }
            let object = path.display().to_string();
            if number > self.tree.size() {
                let from = self.tree.size();
                let last = number - 1;
                let what =
                    format!("batches {from} to {last} are missing: no segment the catalog knows has them either");
                return self.report.find(object, Some(from), what);
            }
            match (frame.entry.encode(), Rows::from_payload(&frame.payload, number, frame.seed.clone())) {
                (Ok(entry), Ok(rows)) => {
                    self.append(&entry, sizes);
                    let places: Vec<(u32, usize)> = (0..rows.len()).map(|row| (row as u32, row)).collect();
                    self.batch(&object, &rows, &places, &frame.seed, &frame.entry);
                }
                (Err(error), _) => self.report.find(object, Some(number), error),
                (_, Err(error)) => self.report.find(object, Some(number), error),
            }
        }
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

trait NeSorted: Iterator<Item = u64> + Sized {
    /// Whether the numbers, sorted, differ from `expected`.
    fn ne_sorted(self, expected: impl Iterator<Item = u64>) -> bool {
        let mut numbers: Vec<u64> = self.collect();
        numbers.sort_unstable();
        numbers.into_iter().ne(expected)
    }
}

impl<I: Iterator<Item = u64>> NeSorted for I {}

//! Taking a backup, also while a server runs on the folder.
//!
//! Nothing is locked. What makes the copies fit together is their order: checkpoints, then the log, then the catalog, then
//! tiles and segments. The catalog is younger than the log, so what was flushed from the log meanwhile is in a segment that
//! the catalog names; and everything the checkpoints commit to is in one or the other. A segment that is merged away
//! before it was copied is named by the catalog no longer: the round is begun anew, and copies only what is new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use logkeep_catalog::{Catalog as _, ClassState, SqliteCatalog};
use logkeep_record::{Class, TenantId};
use logkeep_store::{Clock, KeyProvider, ObjectKind, ObjectPath, system_disk};
use logkeep_tlog::{Checkpoint, Entry, Signer};
use tracing::info;

use super::copy::Digest;
use super::manifest::{ClassLine, Contents, Manifest};
use super::place::Place;
use super::target::Target;
use super::tree::CopiedTree;
use super::{BackupError, damaged, io_error};
use crate::engine::OpenError;
use crate::recovery::read_log;
use crate::signing::existing_signer;
use crate::state::ClassKey;
use crate::tiles::TileFolder;
use crate::verify::{Report, read_checkpoints};
use crate::wal;

/// Rounds in which every segment to copy was merged away first. Each round copies what is left to copy, so the first one
/// may take hours and the later ones seconds.
const ROUNDS: usize = 20;

/// What is backed up.
pub struct BackupSource {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Its catalog.
    pub catalog: Arc<SqliteCatalog>,
    /// What unwraps its keys.
    pub keys: Arc<dyn KeyProvider>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether to read what the target has already, and to copy anew what is not as it was.
    pub recheck: bool,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct BackupReport {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Where its own files are, a path or an address.
    pub place: String,
    /// Bytes that were copied.
    pub copied_bytes: u64,
    /// Bytes of shared files that were there already.
    pub kept_bytes: u64,
}

/// Takes a backup into a place that may hold earlier ones of the same data folder. Blocks on files; run it in a
/// multi-threaded runtime.
///
/// # Errors
/// [`BackupError`]: the earlier ones are as they were, and nothing of this one counts.
pub async fn backup(source: &BackupSource, place: &Place) -> Result<BackupReport, BackupError> {
    let (signer, installation) = existing_signer(&*source.catalog).await.map_err(|what| damaged("catalog", what))?;
    let mut target = Target::open(place, &installation, source.recheck).await?;
    let round = Round { source, signer: &signer };
    let mut left = ROUNDS;
    let contents = loop {
        left -= 1;
        match round.copy(&mut target).await {
            Err(BackupError::Vanished(path)) if left > 0 => {
                info!(path, "merged away while it was copied; taking the rest again");
                target.restart().await?;
            }
            done => break done?,
        }
    };
    let manifest = Manifest {
        installation,
        number: target.number(),
        taken_ns: source.clock.now_ns(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        key_id: source.keys.key_id(),
        files: contents.files.len() as u64,
        bytes: contents.files.iter().map(|file| file.digest.bytes).sum(),
        records: contents.classes.iter().map(|class| class.records).sum(),
        contents: contents.digest(),
    };
    let note = manifest.sign(&signer).map_err(|what| damaged("manifest", what))?;
    let (copied_bytes, kept_bytes) = (target.copied_bytes, target.kept_bytes);
    let place = target.finish(&contents, &note).await?;
    Ok(BackupReport { manifest, place, copied_bytes, kept_bytes })
}

struct Round<'a> {
    source: &'a BackupSource,
    signer: &'a Signer,
}

impl Round<'_> {
    async fn copy(&self, target: &mut Target) -> Result<Contents, BackupError> {
        let checkpoints = self.checkpoints(target).await?;
        let live = self.log(target).await?;
        let states = self.catalog(target).await?;
        let states: BTreeMap<ClassKey, ClassState> =
            states.into_iter().map(|state| ((state.tenant.clone(), state.class.clone()), state)).collect();
        let classes: BTreeSet<&ClassKey> = states.keys().chain(checkpoints.keys()).chain(live.keys()).collect();
        let mut lines = Vec::new();
        for class in classes {
            let live = live.get(class).map(Vec::as_slice).unwrap_or_default();
            lines.push(self.tree(target, class, states.get(class), checkpoints.get(class), live).await?);
        }
        for state in states.values() {
            self.segments(target, state).await?;
        }
        Ok(Contents { classes: lines, files: target.take_files() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.source.data_dir.join(name)
    }

    /// A file of the data folder; `None` if there is none.
    fn file(&self, name: &str) -> Result<Option<File>, BackupError> {
        let path = self.path(name);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some).map_err(io_error(&path)),
        }
    }

    /// Copies a file of this backup's own, and says whether there is one.
    async fn copy_file(&self, target: &mut Target, name: &str) -> Result<bool, BackupError> {
        let Some(mut file) = self.file(name)? else { return Ok(false) };
        target.put(name, &mut file).await?;
        Ok(true)
    }

    /// Checkpoints first: what they commit to must be in what is copied after them.
    async fn checkpoints(&self, target: &mut Target) -> Result<HashMap<ClassKey, Checkpoint>, BackupError> {
        let mut unfit = Report::default();
        let texts = read_checkpoints(&*system_disk(), &self.path("tlog"), &mut unfit);
        if let Some(finding) = unfit.findings.into_iter().next() {
            return Err(damaged(finding.object, finding.what));
        }
        let key = self.signer.public_key();
        target.put("tlog/public-key", &mut format!("{key}\n").as_bytes()).await?;
        let mut checkpoints = HashMap::new();
        for (class, text) in texts {
            let name = format!("tlog/{}/{}/checkpoint", class.0, class.1);
            let checkpoint = Checkpoint::open(&text, std::slice::from_ref(&key))
                .map_err(|error| damaged(self.path(&name).display(), error))?;
            target.put(&name, &mut text.as_bytes()).await?;
            for link in crate::succession::files(&self.path("tlog"), &class).map_err(io_error(&self.path("tlog")))? {
                self.copy_file(target, &format!("tlog/{}/{}/{link}", class.0, class.1)).await?;
            }
            checkpoints.insert(class, checkpoint);
        }
        Ok(checkpoints)
    }

    /// Copies the log and gives the entries of the batches in it. The server may be writing: the copy then ends within
    /// a frame, as after a stop.
    async fn log(&self, target: &mut Target) -> Result<HashMap<ClassKey, Vec<Entry>>, BackupError> {
        let folder = self.path("wal");
        let mut found_entries: Vec<(ClassKey, Entry)> = Vec::new();
        for (number, path) in wal::list(&*system_disk(), &folder).map_err(io_error(&folder))? {
            let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let name = format!("wal/{file}");
            // One that is gone was flushed since it was listed.
            let Some(mut file) = self.file(&name)? else { continue };
            let copy = target.put_readable(&name, &mut file).await?;
            let found =
                read_log(&*system_disk(), &self.source.keys, number, copy.path()).map_err(|error| match error {
                    OpenError::Io { path, cause } => BackupError::Io { path, cause },
                    OpenError::Key(error) => error.into(),
                    other => damaged(path.display(), other),
                })?;
            if let Some(fault) = found.faults.first() {
                let what = format!(
                    "byte {}: {}; run `logkeep verify`, and restart the server to recover it",
                    fault.at, fault.what
                );
                return Err(damaged(path.display(), what));
            }
            for frame in found.batches {
                let class = class_of(&frame.entry).map_err(|what| damaged(path.display(), what))?;
                found_entries.push((class, frame.entry));
            }
        }
        wal::keep_latest(&mut found_entries, |(_, entry)| entry);
        let mut entries: HashMap<ClassKey, Vec<Entry>> = HashMap::new();
        for (class, entry) in found_entries {
            entries.entry(class).or_default().push(entry);
        }
        Ok(entries)
    }

    async fn catalog(&self, target: &mut Target) -> Result<Vec<ClassState>, BackupError> {
        const FILE: &str = "catalog.sqlite";
        let place = target.workplace(FILE);
        let copy = self.source.catalog.copy_to(&place).await?;
        let states = match copy.check().await {
            Ok(()) => copy.load().await,
            Err(error) => Err(error),
        };
        copy.close().await;
        target.adopt(FILE).await?;
        if !self.copy_file(target, "catalog.key").await? {
            return Err(damaged(self.path("catalog.key").display(), "the key of the catalog is missing"));
        }
        Ok(states?)
    }

    async fn tree(
        &self,
        target: &mut Target,
        class: &ClassKey,
        state: Option<&ClassState>,
        checkpoint: Option<&Checkpoint>,
        live: &[Entry],
    ) -> Result<ClassLine, BackupError> {
        let folder = TileFolder::new(system_disk(), &self.path("tlog"), &class.0, &class.1);
        let flushed = state.map_or(0, |state| state.head.flushed);
        if flushed > 0 && checkpoint.is_none() {
            // A flush publishes before it commits: this one did both after the checkpoints were read.
            return Err(BackupError::Vanished(folder.checkpoint_path().display().to_string()));
        }
        let published = checkpoint.map_or(0, Checkpoint::size);
        let told = [flushed, published];
        let mut tree = CopiedTree::of_tiles(target, &folder, class, flushed.max(published), &told).await?;
        live.iter().try_for_each(|entry| tree.append_live(entry, &told))?;
        tree.check(state.map(|state| &state.head), checkpoint)?;
        Ok(tree.line())
    }

    async fn segments(&self, target: &mut Target, state: &ClassState) -> Result<(), BackupError> {
        for row in &state.segments {
            let path = ObjectPath::new(&state.tenant, &state.class, ObjectKind::Segment, row.id.as_str())
                .map_err(|error| damaged(&row.id, error))?;
            let name = format!("objects/{path}");
            let digest = Digest { bytes: row.sealed_bytes, sha256: row.sha256 };
            if target.keep(&name, digest).await? {
                continue;
            }
            let Some(mut file) = self.file(&name)? else { return Err(BackupError::Vanished(path.to_string())) };
            if !target.put_expected(&name, &mut file, digest).await? {
                let what = "its bytes are not those that were written; run `logkeep verify`";
                return Err(damaged(self.path(&name).display(), what));
            }
        }
        Ok(())
    }
}

fn class_of(entry: &Entry) -> Result<ClassKey, String> {
    let tenant = TenantId::new(&entry.tenant).map_err(|error| error.to_string())?;
    let class = Class::new(&entry.class).map_err(|error| error.to_string())?;
    Ok((tenant, class))
}

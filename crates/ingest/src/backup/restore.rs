//! A data folder made of a backup: unpacked, proven, and only then another log with a name.
//!
//! Everything happens beside the place where the folder will be. A folder of that name is a restored one, in full.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use logkeep_catalog::{Catalog as _, SqliteCatalog};
use logkeep_cipher::random_bytes;
use logkeep_store::Clock;
use logkeep_tlog::{Checkpoint, Signer, Succession};

use super::copy::{Folder, with_suffix};
use super::manifest::{Contents, Manifest};
use super::place::{CONTENTS, Place, own};
use super::{BackupError, damaged, io_error, refused};
use crate::signing::existing_signer;
use crate::state::ClassKey;
use crate::succession::{CHECKPOINT, FOLDER, Lines, STATEMENT, links, save};
use crate::verify::Report;

const STAGING: &str = ".restoring";
/// What tells a folder that a restore left from one that only has such a name.
const MARK: &str = "logkeep-restore-not-finished";

/// A backup that is unpacked beside the place where it will be.
pub struct Staged {
    data_dir: PathBuf,
    folder: PathBuf,
    /// Which backup it was.
    from: String,
    manifest: Manifest,
    note: String,
    contents: Contents,
}

/// Unpacks the latest backup in `from`, holding every file against its digest. `data_dir` must be empty or not there.
///
/// # Errors
/// [`BackupError::Damaged`] names the first file that is not what was written.
pub async fn unpack(from: &Place, data_dir: &Path) -> Result<Staged, BackupError> {
    refuse_used(data_dir)?;
    let number = from.latest().await?;
    let (manifest, note) = from.manifest(number).await?;
    let own = from.name(&own(number));
    let text = from.contents(number).await?;
    let unfit = |what: &str| damaged(format!("{own}/{CONTENTS}"), what);
    if logkeep_cipher::sha256(text.as_bytes()) != manifest.contents {
        return Err(unfit("it is not the list that the manifest commits to; use another copy"));
    }
    let contents = Contents::parse(&text).map_err(|what| unfit(&what))?;
    let mut folder = staging(data_dir)?;
    from.fetch(number, &contents.files, &mut folder).await?;
    folder.sync().map_err(io_error(&folder.path("")))?;
    let folder = folder.path("");
    Ok(Staged { data_dir: data_dir.to_owned(), folder, from: own, manifest, note, contents })
}

fn refuse_used(data_dir: &Path) -> Result<(), BackupError> {
    let used = match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        entries => entries.map_err(io_error(data_dir))?.next().is_some(),
    };
    if used {
        return Err(refused(
            data_dir.display(),
            "is not empty; restore into a new folder, and keep this one until that is proven",
        ));
    }
    Ok(())
}

/// An empty folder beside `data_dir`. What an interrupted restore left there goes, and nothing else does.
fn staging(data_dir: &Path) -> Result<Folder, BackupError> {
    let path = with_suffix(&data_dir.components().collect::<PathBuf>(), STAGING);
    if path.exists() {
        clear(&path)?;
    }
    let mut folder = Folder::open(&path).map_err(io_error(&path))?;
    folder.put(MARK, &mut io::empty()).map_err(io_error(&path))?;
    Ok(folder)
}

/// Takes away what a restore left that was interrupted, maybe before it had put its mark there. The mark goes last: this may
/// be interrupted as well.
fn clear(path: &Path) -> Result<(), BackupError> {
    let entries: io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
    let entries = entries.map_err(io_error(path))?;
    let is_mark = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(MARK);
    let (marks, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_mark);
    if !rest.is_empty() && !path.join(MARK).exists() {
        return Err(refused(path.display(), "is in the way, and no restore left it; move it elsewhere"));
    }
    for entry in rest.iter().chain(&marks) {
        let is_folder = entry.file_type().map_err(io_error(&entry.path()))?.is_dir();
        let gone = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        gone.map_err(io_error(&entry.path()))?;
    }
    Ok(())
}

impl Staged {
    /// Where it lies until it is published.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the backup says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Holds what verification computed from the unpacked files against what the backup says, and the backup against the
    /// key in its own catalog, which only the key file opens.
    ///
    /// # Errors
    /// [`BackupError::Damaged`]: the first thing that differs.
    pub async fn prove(&self, catalog: &SqliteCatalog, report: &Report) -> Result<(), BackupError> {
        let (signer, _) = existing_signer(catalog).await.map_err(|what| damaged(&self.from, what))?;
        Manifest::open(&self.note, &signer.public_key()).map_err(|what| damaged(&self.from, what))?;
        if let Some(finding) = report.findings.first() {
            return Err(damaged(&finding.object, &finding.what));
        }
        let expected = &self.contents.classes;
        if report.classes.len() != expected.len() {
            return Err(damaged(&self.from, "it holds other classes than it says"));
        }
        for (line, found) in expected.iter().zip(&report.classes) {
            let ((tenant, class), what) = (&line.class, "does not hold the batches, records and root that it says");
            let (batches, records) = found.destroyed.as_ref().map_or((0, 0), |gone| (gone.batches, gone.records));
            let there = (found.batches + batches, found.records + records);
            if (tenant, class, line.batches, line.records, line.root)
                != (&found.tenant, &found.class, there.0, there.1, found.root)
            {
                return Err(damaged(format!("{}: tree of {tenant}/{class}", self.from), what));
            }
        }
        Ok(())
    }

    /// Makes the copy a log of its own: a new installation and key, and for each class a statement of which log it was and
    /// what that had committed to. Returns the name of the new installation.
    ///
    /// # Errors
    /// [`BackupError`]; the staged copy is then of no use.
    pub async fn open_new_log(&self, catalog: &SqliteCatalog, clock: &dyn Clock) -> Result<String, BackupError> {
        let (old, old_name) = existing_signer(catalog).await.map_err(|what| damaged(&self.from, what))?;
        let (name, seed) = (random_bytes::<8>(), random_bytes::<32>());
        let installation = hex::encode(name);
        let new =
            Signer::from_seed(&format!("logkeep-{installation}"), seed).map_err(|error| damaged("signer", error))?;
        let logs = Logs { old: &old, new: &new, old_name: &old_name, new_name: &installation, time_ns: clock.now_ns() };
        let mut folder = Folder::open(&self.folder).map_err(io_error(&self.folder))?;
        let mut lines = Lines::new();
        for line in &self.contents.classes {
            let restored = (line.batches, line.root);
            if let Some(link) = logs.link(&mut folder, &line.class, restored)? {
                lines.insert(line.class.clone(), link);
            }
        }
        folder
            .put("tlog/public-key", &mut format!("{}\n", new.public_key()).as_bytes())
            .map_err(io_error(&self.folder))?;
        catalog.set_secret("installation", &name).await?;
        catalog.set_secret("checkpoint-signer", &seed).await?;
        save(catalog, &lines).await?;
        folder.sync().map_err(io_error(&self.folder))?;
        Ok(installation)
    }

    /// Gives the folder its name. Its catalog must be closed.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn publish(self) -> Result<(), BackupError> {
        let mark = self.data_dir.join(MARK);
        let mut folder = Folder::open(&self.folder).map_err(io_error(&self.folder))?;
        folder.adopt("catalog.sqlite").map_err(io_error(&self.folder))?;
        folder.sync().map_err(io_error(&self.folder))?;
        refuse_used(&self.data_dir)?;
        fs::rename(&self.folder, &self.data_dir).map_err(io_error(&self.data_dir))?;
        fs::remove_file(&mark).map_err(io_error(&mark))?;
        let parent = self.data_dir.canonicalize().map_err(io_error(&self.data_dir))?;
        let parent = parent.parent().unwrap_or(Path::new("/"));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error(parent))
    }
}

/// The log that was, and the one that begins.
struct Logs<'a> {
    old: &'a Signer,
    new: &'a Signer,
    old_name: &'a str,
    new_name: &'a str,
    time_ns: i64,
}

impl Logs<'_> {
    /// Links one class and signs its first checkpoint: of the same tree, under the new name. A class that had published
    /// nothing yet has nothing to be linked to.
    fn link(
        &self,
        folder: &mut Folder,
        class: &ClassKey,
        (restored_size, restored_root): (u64, logkeep_tlog::Hash),
    ) -> Result<Option<String>, BackupError> {
        let at = format!("tlog/{}/{}", class.0, class.1);
        let path = folder.path(&format!("{at}/checkpoint"));
        let note = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            note => note.map_err(io_error(&path))?,
        };
        let fault = |what: String| damaged(path.display(), what);
        let predecessor = Checkpoint::open(&note, std::slice::from_ref(&self.old.public_key()));
        let predecessor = predecessor.map_err(|error| fault(error.to_string()))?;
        let origin = |name: &str| format!("logkeep/{name}/{}/{}", class.0, class.1);
        if predecessor.origin() != origin(self.old_name) {
            return Err(fault(format!("it is of `{}`", predecessor.origin())));
        }
        let (size, root) = (predecessor.size(), predecessor.root());
        let succession = Succession {
            origin: origin(self.new_name),
            predecessor,
            predecessor_key: self.old.public_key(),
            restored_size,
            restored_root,
            time_ns: self.time_ns,
        };
        let line = succession.line();
        let statement = succession.sign(self.new, self.old).map_err(|error| fault(error.to_string()))?;
        let own = Checkpoint::new(&succession.origin, size, root, vec![line.clone()])
            .and_then(|own| own.sign(self.new))
            .map_err(|error| fault(error.to_string()))?;
        let number = links(&folder.path("tlog"), class).map_err(io_error(&path))?.len() + 1;
        let link = format!("{at}/{FOLDER}/{number:03}");
        for (name, text) in [
            (format!("{link}/{STATEMENT}"), &statement),
            (format!("{link}/{CHECKPOINT}"), &note),
            (format!("{at}/checkpoint"), &own),
        ] {
            folder.put(&name, &mut text.as_bytes()).map_err(io_error(&folder.path(&name)))?;
        }
        Ok(Some(line))
    }
}

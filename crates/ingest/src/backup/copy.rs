//! Files that are durable and whose bytes are known when they are there.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use logkeep_cipher::Sha256;

/// Length and SHA-256 of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

const BUFFER_BYTES: usize = 1 << 20;

/// A folder into which files are put. A name is durable only after [`Folder::sync`], once for all of them.
pub(super) struct Folder {
    root: PathBuf,
    changed: BTreeSet<PathBuf>,
}

impl Folder {
    /// The folder, made for its owner only if it is missing.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let parent = root.canonicalize()?.parent().map(Path::to_owned);
        Ok(Self { root: root.to_owned(), changed: parent.into_iter().collect() })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads a source to its end into a new file, which has its name only when it is there in full.
    pub(super) fn put(&mut self, name: &str, source: &mut dyn Read) -> io::Result<Digest> {
        let path = self.path(name);
        self.make_folders(&path)?;
        let temporary = with_suffix(&path, ".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let digest = copy(source, &mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        Ok(digest)
    }

    /// What a file in it is now.
    pub(super) fn digest(&self, name: &str) -> io::Result<Digest> {
        copy(&mut File::open(self.path(name))?, &mut io::sink())
    }

    /// Takes a file into account that another one wrote here.
    pub(super) fn adopt(&mut self, name: &str) -> io::Result<Digest> {
        let path = self.path(name);
        self.make_folders(&path)?;
        let mut file = File::open(&path)?;
        let digest = copy(&mut file, &mut io::sink())?;
        file.sync_all()?;
        Ok(digest)
    }

    /// Makes every name in it durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        for folder in std::mem::take(&mut self.changed) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn make_folders(&mut self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        }
        // Who made a folder that is there already may have been stopped before its name was durable.
        self.changed.extend(folder.ancestors().take_while(|at| at.starts_with(&self.root)).map(Path::to_owned));
        Ok(())
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn copy(source: &mut dyn Read, target: &mut dyn Write) -> io::Result<Digest> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(Digest { bytes, sha256: hasher.finish() }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}

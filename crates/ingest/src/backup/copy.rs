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
        self.put_if(name, source, |_| true)
    }

    /// As [`Folder::put`], but the file has its name only if it is what it should be.
    pub(super) fn put_if(
        &mut self,
        name: &str,
        source: &mut dyn Read,
        fits: impl FnOnce(Digest) -> bool,
    ) -> io::Result<Digest> {
        let mut incoming = self.begin(name)?;
        copy(source, &mut incoming)?;
        incoming.finish(fits)
    }

    /// A new file, which has its name only when it is finished.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<Incoming> {
        let path = self.path(name);
        self.make_folders(&path)?;
        let temporary = with_suffix(&path, ".new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        Ok(Incoming { file: Hashing::new(file), temporary, path })
    }

    /// What a file in it is now.
    pub(super) fn digest(&self, name: &str) -> io::Result<Digest> {
        digest_of(&mut File::open(self.path(name))?)
    }

    /// Takes a file into account that another one wrote here.
    pub(super) fn adopt(&mut self, name: &str) -> io::Result<Digest> {
        let path = self.path(name);
        self.make_folders(&path)?;
        let mut file = File::open(&path)?;
        let digest = digest_of(&mut file)?;
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

/// A file that is written piece by piece.
pub(super) struct Incoming {
    file: Hashing<File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl Incoming {
    /// Gives it its name if it is what it should be, durable but for the name itself.
    pub(super) fn finish(self, fits: impl FnOnce(Digest) -> bool) -> io::Result<Digest> {
        let digest = self.file.digest();
        if fits(digest) {
            self.file.inner.sync_all()?;
            fs::rename(&self.temporary, &self.path)?;
        } else {
            fs::remove_file(&self.temporary)?;
        }
        Ok(digest)
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What passes through, and its digest.
pub(super) struct Hashing<T> {
    inner: T,
    hasher: Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(super) fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, sha256: self.hasher.clone().finish() }
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.take(&buffer[..read]);
        Ok(read)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn digest_of(source: &mut dyn Read) -> io::Result<Digest> {
    let mut hashing = Hashing::new(io::sink());
    copy(source, &mut hashing)?;
    Ok(hashing.digest())
}

fn copy(source: &mut dyn Read, target: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => target.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

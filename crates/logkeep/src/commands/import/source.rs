//! Where lines are read from: a file or standard input, compressed or not.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::Result;
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;

use crate::failure::{Failure, REFUSED};

/// An open file.
pub(super) struct Source {
    /// Its absolute path, or `stdin`.
    pub(super) name: String,
    /// Its size, if it has one.
    pub(super) bytes: Option<u64>,
    path: String,
    input: Box<dyn Read>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        if path == Path::new("-") {
            return Ok(Self { name: "stdin".into(), bytes: None, path: shown, input: Box::new(io::stdin()) });
        }
        let refused = |what: String| Failure { code: REFUSED, text: format!("`{shown}` {what}") };
        let file = File::open(path).map_err(|error| refused(format!("cannot be opened: {error}")))?;
        let metadata = file.metadata().map_err(|error| refused(format!("cannot be read: {error}")))?;
        if metadata.is_dir() {
            return Err(refused("is a folder; name the files in it".into()).into());
        }
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { name, bytes, path: shown, input: Box::new(file) })
    }

    /// The text of it. `bar` moves with the bytes of the file itself.
    pub(super) fn reader(self, bar: &ProgressBar) -> Result<Box<dyn Read>> {
        let failed =
            |error: io::Error| Failure { code: REFUSED, text: format!("`{}` cannot be read: {error}", self.path) };
        let mut input = bar.wrap_read(self.input);
        let mut start = Vec::with_capacity(4);
        (&mut input).take(4).read_to_end(&mut start).map_err(failed)?;
        let magic: [u8; 4] = start.get(..4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let whole = Cursor::new(start).chain(input);
        Ok(match magic {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole).map_err(failed)?),
            _ => Box::new(whole),
        })
    }
}

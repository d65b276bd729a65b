//! Changing the key-encryption key.
//!
//! A retired key lies beside the current one, under its name and the id of the key, and still unwraps. So there is no
//! moment at which data cannot be read, whenever a rotation is cut short; and what nothing needs any longer is taken away
//! by whoever keeps keys, not by us, because backups may need it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use logkeep_cipher::KeyEncryptionKey;
use zeroize::Zeroizing;

use super::{FIRST_LINE, KeyProvider as _, KeyProviderError, LocalKeyFile, id_of, read_key};
use crate::disk::{folder_of, system_disk};
use crate::local::write_new;

const NEXT: &str = "next";
/// Hexadecimal digits of a key's id.
const ID_DIGITS: usize = 16;

impl LocalKeyFile {
    /// Puts a new key in the place of the current one, which is retired. The data must be wrapped anew then.
    ///
    /// # Errors
    /// [`KeyProviderError`]; either key file is in place, and both can be read.
    pub fn replace(path: &Path) -> Result<Self, KeyProviderError> {
        let failed = |cause| KeyProviderError::Unavailable { path: path.to_owned(), what: "replaced", cause };
        let current = Self::open(path)?;
        let (next, retired) = (beside(path, NEXT), beside(path, &current.key_id()));
        let temporary = beside(path, &format!("{NEXT}-{}", std::process::id()));
        for left in [&next, &temporary] {
            remove(left).map_err(failed)?;
        }
        let disk = system_disk();
        let written = write_new(&*disk, &temporary, &next, text_of(&KeyEncryptionKey::generate()).as_bytes());
        let removed = remove(&temporary);
        written.and(removed).map_err(failed)?;
        match fs::hard_link(path, &retired) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        disk.sync_folder(folder_of(path)).map_err(failed)?;
        fs::rename(&next, path).map_err(failed)?;
        disk.sync_folder(folder_of(path)).map_err(failed)?;
        Self::open(path)
    }

    /// The files of retired keys, by id.
    pub fn retired(path: &Path) -> Result<Vec<(String, PathBuf)>, KeyProviderError> {
        let failed = |cause| KeyProviderError::Unavailable { path: path.to_owned(), what: "looked for", cause };
        let folder = folder_of(path);
        let prefix = path.file_name().map(|name| format!("{}.", name.to_string_lossy())).unwrap_or_default();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let id = name.strip_prefix(&prefix).filter(|id| id.len() == ID_DIGITS && is_hex(id));
            found.extend(id.map(|id| (id.to_owned(), entry.path())));
        }
        found.sort();
        Ok(found)
    }

    /// The retired keys themselves.
    pub(super) fn retired_keys(path: &Path) -> Result<Vec<KeyEncryptionKey>, KeyProviderError> {
        let key = |(id, path): (String, PathBuf)| {
            let (found, key) = read_key(&path)?;
            if found == id {
                return Ok(key);
            }
            Err(KeyProviderError::Damaged { path, reason: "its name has another id than its key" })
        };
        Self::retired(path)?.into_iter().map(key).collect()
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A key file's content.
pub(super) fn text_of(key: &KeyEncryptionKey) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(key.expose()));
    Zeroizing::new(format!("{FIRST_LINE}\nid {}\nkey {}\n", id_of(key), encoded.as_str()))
}

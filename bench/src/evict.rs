//! Makes the kernel forget what it has read of a folder, so that the next query has to go to the disk.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use rustix::fs::{Advice, fadvise};

/// Drops every file below `folder` from the page cache. What is not on the disk yet cannot be dropped, so it is written
/// first. The cache of a host below a virtual disk is out of reach: cold figures are a lower bound.
pub(crate) fn evict(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            evict(&entry.path())?;
            continue;
        }
        // A file may be compacted away between the listing and the look.
        let Ok(file) = File::open(entry.path()) else { continue };
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed).with_context(|| entry.path().display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), "text").unwrap();
        evict(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b")).unwrap(), "text");
        assert!(evict(&folder.path().join("none")).is_err());
    }
}

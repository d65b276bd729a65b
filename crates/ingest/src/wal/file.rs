//! Writing one file of the log.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use logkeep_cipher::{DataKey, FrameSealer};
use logkeep_record::TenantId;
use logkeep_store::{Disk, DiskFile};

use super::frame::{BatchParts, FILE_HEAD_BYTES, FILE_VERSION, FRAME_HEAD_BYTES, FileHead, FrameHead, Kind};

/// An open file, and the frames of the next group.
pub(crate) struct WalFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    number: u64,
    written: u64,
    seq: u32,
    /// The first frame of the group that is being put together.
    group_start: u32,
    tenants: HashMap<TenantId, (u16, FrameSealer)>,
    group: Vec<u8>,
}

pub(crate) fn file_name(number: u64) -> String {
    format!("{number:012}.wal")
}

/// Writes the head of a new file and makes it and its name durable.
fn begin(disk: &dyn Disk, file: &mut dyn DiskFile, folder: &Path, number: u64) -> io::Result<()> {
    file.append(&FileHead { version: FILE_VERSION, number }.encode())?;
    file.sync_all()?;
    disk.sync_folder(folder)
}

impl WalFile {
    /// Creates file `number`; its name is durable on return.
    pub(crate) fn create(disk: &dyn Disk, folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(file_name(number));
        let mut file = disk.create(&path)?;
        if let Err(error) = begin(disk, &mut *file, folder, number) {
            // Half a head would only stand in the way of the next attempt.
            let _ = disk.remove(&path);
            return Err(error);
        }
        let written = FILE_HEAD_BYTES as u64;
        Ok(Self { file, path, number, written, seq: 0, group_start: 0, tenants: HashMap::new(), group: Vec::new() })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes durable so far.
    pub(crate) fn len(&self) -> u64 {
        self.written
    }

    pub(crate) fn knows(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// Adds the frame that introduces a tenant's key for this file. `wrapped` is `key` under the key-encryption key.
    pub(crate) fn add_key(&mut self, tenant: &TenantId, key: &DataKey, wrapped: &[u8]) {
        let slot = self.tenants.len() as u16;
        let mut body = vec![tenant.as_str().len() as u8];
        body.extend_from_slice(tenant.as_str().as_bytes());
        body.extend_from_slice(wrapped);
        let start = self.group.len();
        self.group.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        self.group.extend_from_slice(&body);
        self.end_frame(start, Kind::Key, slot);
        self.tenants.insert(tenant.clone(), (slot, FrameSealer::new(key, &self.number.to_le_bytes())));
    }

    /// Adds the frame of one batch, as the last of its request or as one that is there with the next only. The tenant's key
    /// must have been added.
    ///
    /// # Errors
    /// A defect: the group must not be committed.
    pub(crate) fn add_batch(&mut self, tenant: &TenantId, batch: &BatchParts<'_>, is_last: bool) -> io::Result<()> {
        let kind = if is_last { Kind::Batch } else { Kind::Part };
        let (slot, sealer) = self.tenants.get_mut(tenant).ok_or_else(|| io::Error::other("tenant without a key"))?;
        let slot = *slot;
        let start = self.group.len();
        self.group.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        batch.encode(&mut self.group);
        sealer
            .seal_tail(u64::from(self.seq), &[kind as u8], &mut self.group, start + FRAME_HEAD_BYTES)
            .map_err(io::Error::other)?;
        self.end_frame(start, kind, slot);
        Ok(())
    }

    fn end_frame(&mut self, start: usize, kind: Kind, slot: u16) {
        let body = &self.group[start + FRAME_HEAD_BYTES..];
        let mut head = FrameHead { len: body.len() as u32, crc: 0, kind, slot, seq: self.seq, group: self.group_start };
        head.crc = head.checksum(body);
        self.group[start..start + FRAME_HEAD_BYTES].copy_from_slice(&head.encode());
        self.seq += 1;
    }

    /// Makes the group durable. After an error the file is cut back and not used again: the kernel may have dropped what
    /// it could not write, so a failed sync is never tried again.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        let result = self.file.append(&self.group).and_then(|()| self.file.sync_data());
        if result.is_ok() {
            self.written += self.group.len() as u64;
        }
        self.group.clear();
        self.group_start = self.seq;
        result
    }

    /// Leaves out what was added since the last commit. As after a failed one, nothing may be added any more.
    pub(crate) fn forget_group(&mut self) {
        self.group.clear();
    }

    /// After a failed commit: takes the file back to its last durable end. Nothing may be added to it any more: the next
    /// write would leave a gap, and the keys and sequence numbers of the lost group are not in the file.
    pub(crate) fn cut_back(&mut self) -> io::Result<()> {
        self.file.cut(self.written)?;
        self.file.sync_all()
    }
}

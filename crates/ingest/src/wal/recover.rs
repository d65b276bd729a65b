//! Reading the log after a stop, clean or not.
//!
//! A frame that runs past the end of its file was never acknowledged: it is forgotten. Any other frame that does not
//! check out is reported. If a later group follows it, it had been synced and was damaged since: the rest is read. If
//! not, the power may have gone while its group was being written, in any order, and nobody was promised any of it: the
//! file ends there. What it has then of a request of which more was to follow is forgotten with it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use logkeep_cipher::{DataKey, FrameOpener};
use logkeep_record::TenantId;
use logkeep_store::Disk;
use logkeep_tlog::Entry;

use super::file::file_name;
use super::frame::{
    BatchFrame, FILE_HEAD_BYTES, FILE_VERSION, FILE_VERSIONS, FRAME_HEAD_BYTES, FRAME_MAGIC, FileHead, FrameHead, Kind,
};

/// Damage in a file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub at: u64,
    /// What is wrong there.
    pub what: String,
}

/// Gives back a tenant's key from its wrapped form.
pub(crate) type Unwrap<'a> = dyn FnMut(&TenantId, &[u8]) -> Result<DataKey, String> + 'a;

/// What one file held.
pub(crate) struct Recovered {
    pub(crate) batches: Vec<BatchFrame>,
    pub(crate) faults: Vec<Fault>,
    /// Bytes of a frame that was being written when the process stopped.
    pub(crate) torn_bytes: u64,
    /// Where the file must be cut off before anything is stored again: what follows is in no order that can be kept.
    pub(crate) cut_at: Option<u64>,
}

/// The files of a folder, by number.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in disk.list(folder)? {
        let path = folder.join(entry.name);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) =
            stem.filter(|number| path.file_name().is_some_and(|name| name == file_name(*number).as_str()))
        {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file. `unwrap` gives back a tenant's key from its wrapped form.
pub(crate) fn recover(
    disk: &(dyn Disk + 'static),
    path: &Path,
    number: u64,
    unwrap: &mut Unwrap<'_>,
) -> io::Result<Recovered> {
    let mut bytes = disk.read(path)?;
    let mut reader = Reader {
        path,
        keys: HashMap::new(),
        open: 0,
        found: Recovered { batches: vec![], faults: vec![], torn_bytes: 0, cut_at: None },
    };
    if bytes.len() < FILE_HEAD_BYTES {
        // A file whose head is not whole was never used: it is synced before the first frame.
        reader.found.torn_bytes = bytes.len() as u64;
        return Ok(reader.found);
    }
    match FileHead::decode(&bytes) {
        Some(head) if !FILE_VERSIONS.contains(&head.version) => return Err(other_version(head.version)),
        Some(head) if head.number == number => {}
        Some(head) => reader.fault(8, format!("it is file {} under another's name", head.number)),
        None => reader.fault(0, "the head of the file is damaged"),
    }
    reader.frames(&mut bytes, number, unwrap);
    let whole = reader.found.batches.len() - reader.open;
    reader.found.batches.truncate(whole);
    Ok(reader.found)
}

fn other_version(version: u8) -> io::Error {
    let what = format!(
        "it is a write-ahead log of version {version}, this program knows version {FILE_VERSION}: use the logkeep that wrote it"
    );
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Drops frames that were written and refused, and whose file could not be taken back: when a number is given again,
/// only the last frame with it was acknowledged. `frames` is in order of file and place.
pub(crate) fn keep_latest<T>(frames: &mut Vec<T>, entry: impl Fn(&T) -> &Entry) {
    let mut taken: HashMap<(String, String), u64> = HashMap::new();
    let mut kept = Vec::with_capacity(frames.len());
    while let Some(last) = frames.pop() {
        let entry = entry(&last);
        let from = taken.entry((entry.tenant.clone(), entry.class.clone())).or_insert(u64::MAX);
        if entry.batch < *from {
            *from = entry.batch;
            kept.push(last);
        }
    }
    kept.reverse();
    *frames = kept;
}

struct Reader<'a> {
    path: &'a Path,
    keys: HashMap<u16, FrameOpener>,
    /// Batches read last whose request is not whole yet.
    open: usize,
    found: Recovered,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, what: impl Into<String>) {
        self.found.faults.push(Fault { file: self.path.to_owned(), at: at as u64, what: what.into() });
    }

    fn frames(&mut self, bytes: &mut [u8], number: u64, unwrap: &mut Unwrap<'_>) {
        let mut at = FILE_HEAD_BYTES;
        let mut next_seq = 0;
        while at < bytes.len() {
            let rest = bytes.len() - at;
            let head = FrameHead::decode(&bytes[at..]);
            let Some(head) = head.filter(|head| head.seq >= next_seq) else {
                if rest < FRAME_HEAD_BYTES && is_head_prefix(&bytes[at..]) {
                    self.found.torn_bytes = rest as u64;
                    return;
                }
                let Some(next) = self.resume(bytes, at, next_seq, "a frame's head is damaged") else { return };
                at = next;
                continue;
            };
            let end = at + FRAME_HEAD_BYTES + head.len as usize;
            if end > bytes.len() {
                // Cut short by a stop, unless its length was damaged: then it is whole with another, or others follow.
                if find_frame(bytes, at + 4).is_none() && !head.fits(&bytes[at + FRAME_HEAD_BYTES..]) {
                    self.found.torn_bytes = rest as u64;
                    return;
                }
                let Some(next) = self.resume(bytes, at, next_seq, "a frame's length is damaged") else { return };
                at = next;
                continue;
            }
            let body = &mut bytes[at + FRAME_HEAD_BYTES..end];
            if head.checksum(body) != head.crc {
                let Some(next) = self.resume(bytes, at, next_seq, "a frame's checksum does not fit") else { return };
                at = next;
                continue;
            }
            if head.seq != next_seq {
                self.fault(at, format!("frames {next_seq} to {} are missing", head.seq - 1));
            }
            next_seq = head.seq + 1;
            if let Err(what) = self.frame(&head, body, number, unwrap) {
                self.open = 0;
                self.fault(at, what);
            }
            at = end;
        }
    }

    /// Reports damage and gives the place of the next whole frame; `None` if none follows that shows that the damaged
    /// one, which has number `seq` or a later one, had been synced.
    fn resume(&mut self, bytes: &[u8], at: usize, seq: u32, what: &str) -> Option<usize> {
        self.fault(at, what);
        let next = find_frame(bytes, at + 1);
        let mut later = next;
        while let Some(place) = later {
            if FrameHead::decode(&bytes[place..]).is_some_and(|head| head.group > seq) {
                // All before was durable, and what is whole of it is kept.
                self.open = 0;
                return next;
            }
            later = find_frame(bytes, place + 1);
        }
        self.found.cut_at = Some(at as u64);
        None
    }

    fn frame(&mut self, head: &FrameHead, body: &mut [u8], number: u64, unwrap: &mut Unwrap<'_>) -> Result<(), String> {
        match head.kind {
            Kind::Key => {
                let (len, rest) = body.split_first().ok_or("a key frame is empty")?;
                let (name, wrapped) = rest.split_at_checked(usize::from(*len)).ok_or("a key frame is cut")?;
                let name = std::str::from_utf8(name).map_err(|_| "a key frame's tenant is no text")?;
                let tenant = TenantId::new(name).map_err(|error| error.to_string())?;
                let key = unwrap(&tenant, wrapped)?;
                self.keys.insert(head.slot, FrameOpener::new(&key, &number.to_le_bytes()));
            }
            Kind::Batch | Kind::Part => {
                let opener = self.keys.get(&head.slot).ok_or("a batch comes without its tenant's key")?;
                let plain =
                    opener.open(u64::from(head.seq), &[head.kind as u8], body).map_err(|error| error.to_string())?;
                let batch = BatchFrame::decode(plain).ok_or("a batch's content cannot be read")?;
                self.found.batches.push(batch);
                self.open = if head.kind == Kind::Part { self.open + 1 } else { 0 };
            }
        }
        Ok(())
    }
}

fn is_head_prefix(bytes: &[u8]) -> bool {
    let known = bytes.len().min(FRAME_MAGIC.len());
    bytes[..known] == FRAME_MAGIC[..known]
}

/// The first place from `from` on where a whole frame with a right checksum begins.
fn find_frame(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + FRAME_HEAD_BYTES <= bytes.len() {
        at += bytes[at..].windows(4).position(|window| *window == FRAME_MAGIC)?;
        let whole = FrameHead::decode(&bytes[at..]).and_then(|head| {
            let body = bytes.get(at + FRAME_HEAD_BYTES..at + FRAME_HEAD_BYTES + head.len as usize)?;
            (head.checksum(body) == head.crc).then_some(())
        });
        if whole.is_some() {
            return Some(at);
        }
        at += 4;
    }
    None
}

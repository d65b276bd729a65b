//! Frames as bytes.

use logkeep_record::BatchSeed;
use logkeep_tlog::Entry;

use crate::documents::Run;
use crate::ledger::Ledger;

const FILE_MAGIC: &[u8; 7] = b"LKWAL\0\0";
/// What is written.
pub(crate) const FILE_VERSION: u8 = 6;
/// What is read. Version 5 has neither requests of several batches nor documents.
pub(crate) const FILE_VERSIONS: std::ops::RangeInclusive<u8> = 5..=6;
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"LKWF";
pub(crate) const FILE_HEAD_BYTES: usize = 20;
pub(crate) const FRAME_HEAD_BYTES: usize = 24;

/// What a file begins with: magic, version (one byte), number of the file (u64), CRC-32C of all that (u32). Little-endian.
/// Every version has it in this form, so that another version is told from a damaged head.
pub(crate) struct FileHead {
    pub(crate) version: u8,
    pub(crate) number: u64,
}

impl FileHead {
    pub(crate) fn encode(&self) -> [u8; FILE_HEAD_BYTES] {
        let mut out = [0; FILE_HEAD_BYTES];
        out[..7].copy_from_slice(FILE_MAGIC);
        out[7] = self.version;
        out[8..16].copy_from_slice(&self.number.to_le_bytes());
        let checksum = crc32c::crc32c(&out[..16]);
        out[16..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// `None`: it is no head, or a damaged one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let number: &[u8; 8] = bytes.get(8..16)?.first_chunk()?;
        let head = Self { version: bytes[7], number: u64::from_le_bytes(*number) };
        bytes.starts_with(&head.encode()).then_some(head)
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A tenant's name and its wrapped key for this file.
    Key = 1,
    /// A sealed batch, the last of its request.
    Batch = 2,
    /// A sealed batch. The next batch in the file is of the same request, and neither is there without the other.
    Part = 3,
}

/// Magic, body length (u32), checksum (u32), kind, slot of the tenant's key in this file (u16), one byte zero, number of
/// the frame in the file (u32), number of the first frame that was synced with it (u32). Little-endian. The checksum is CRC-32C over the head without magic and checksum, then
/// the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) kind: Kind,
    pub(crate) slot: u16,
    pub(crate) seq: u32,
    pub(crate) group: u32,
}

impl FrameHead {
    pub(crate) fn encode(&self) -> [u8; FRAME_HEAD_BYTES] {
        let mut out = [0; FRAME_HEAD_BYTES];
        out[..4].copy_from_slice(&FRAME_MAGIC);
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..12].copy_from_slice(&self.crc.to_le_bytes());
        out[12] = self.kind as u8;
        out[13..15].copy_from_slice(&self.slot.to_le_bytes());
        out[16..20].copy_from_slice(&self.seq.to_le_bytes());
        out[20..24].copy_from_slice(&self.group.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; FRAME_HEAD_BYTES] = bytes.first_chunk()?;
        let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let kind = match head[12] {
            1 => Kind::Key,
            2 => Kind::Batch,
            3 => Kind::Part,
            _ => return None,
        };
        (head[..4] == FRAME_MAGIC && head[15] == 0).then_some(Self {
            len: u32_at(4),
            crc: u32_at(8),
            kind,
            slot: u16::from_le_bytes([head[13], head[14]]),
            seq: u32_at(16),
            group: u32_at(20),
        })
    }

    /// Whether the checksum is right if all of `body` belongs to the frame.
    pub(crate) fn fits(&self, body: &[u8]) -> bool {
        Self { len: body.len() as u32, ..*self }.checksum(body) == self.crc
    }

    /// The checksum this head should carry.
    pub(crate) fn checksum(&self, body: &[u8]) -> u32 {
        let head = self.encode();
        crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&head[4..8]), &head[12..]), body)
    }
}

/// The content of a batch frame.
pub(crate) struct BatchFrame {
    pub(crate) entry: Entry,
    /// HMAC of the sender's batch key.
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) seed: BatchSeed,
    /// What it brought, and what became of what came with it.
    pub(crate) ledger: Ledger,
    /// Documents of its request.
    pub(crate) documents: Option<Run>,
    pub(crate) payload: Vec<u8>,
}

/// The same, of a batch that is being stored.
pub(crate) struct BatchParts<'a> {
    /// Its leaf, as bytes.
    pub(crate) entry: &'a [u8],
    pub(crate) key: Option<&'a [u8; 32]>,
    pub(crate) seed: &'a BatchSeed,
    /// Its lines, as bytes.
    pub(crate) ledger: &'a [u8],
    pub(crate) documents: Option<&'a Run>,
    pub(crate) payload: &'a [u8],
}

impl BatchParts<'_> {
    /// Appends: seed (32), key or zeroes (32), length of the entry (u16 LE), entry, length of the ledger's lines (u32 LE),
    /// lines, length of the documents (u32 LE), documents, payload.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut documents = Vec::new();
        self.documents.iter().for_each(|run| run.encode(&mut documents));
        out.extend_from_slice(self.seed.as_bytes());
        out.extend_from_slice(self.key.unwrap_or(&[0; 32]));
        out.extend_from_slice(&(self.entry.len() as u16).to_le_bytes());
        out.extend_from_slice(self.entry);
        for bytes in [self.ledger, &documents] {
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out.extend_from_slice(self.payload);
    }
}

impl BatchFrame {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (seed, rest) = bytes.split_first_chunk::<32>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (ledger, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        // In version 5 the payload follows. It begins as zstd does, and so is no length that a frame could have.
        let (len, after) = rest.split_first_chunk::<4>()?;
        let split = after.split_at_checked(u32::from_le_bytes(*len) as usize);
        let (documents, payload) = split.unwrap_or((&[], rest));
        let documents = Run::decode_all(documents)?;
        Some(Self {
            entry: Entry::decode(entry).ok()?,
            key: (*key != [0; 32]).then_some(*key),
            seed: BatchSeed::new(*seed),
            ledger: Ledger::decode(ledger).ok()?,
            documents: documents.into_iter().next(),
            payload: payload.to_vec(),
        })
    }
}

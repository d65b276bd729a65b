//! Frames of a write-ahead file, sealed one by one as they are appended.
//!
//! A log grows at its end and is read from its start, so a frame must open without knowing what follows. The nonce is
//! the frame's sequence number: the key belongs to one file, and the sealer refuses a number that is not above the
//! last, so none repeats. The file id and the number are authenticated, so a frame cannot be moved.

use crate::gcm::{CounterGcm, TAG_BYTES};
use crate::keys::DataKey;

/// How much longer a sealed frame is than its content.
pub const FRAME_TAG_BYTES: usize = TAG_BYTES;
const MAGIC: [u8; 4] = *b"LKF1";

/// Why a frame was not sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// A mistake of the caller: sealing twice under one number would reveal both contents.
    #[error("frame {seq} is not above frame {last}, which was sealed already; start a new file with a new key")]
    SequenceReused {
        /// The number asked for.
        seq: u64,
        /// The last number sealed.
        last: u64,
    },
    /// Torn, altered, moved, or of another file or key.
    #[error("frame {seq} does not open: torn, altered, or of another file or key")]
    Refused {
        /// The number of the frame.
        seq: u64,
    },
}

/// What is authenticated beside the content.
struct Binding(Vec<u8>);

impl Binding {
    fn new(file_id: &[u8]) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(file_id.len() as u64).to_be_bytes());
        bytes.extend_from_slice(file_id);
        Self(bytes)
    }

    fn aad(&self, seq: u64, aad: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + 8 + aad.len());
        bytes.extend_from_slice(&self.0);
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(aad);
        bytes
    }
}

/// Seals the frames of one file, whose key it has for itself.
pub struct FrameSealer {
    gcm: CounterGcm,
    binding: Binding,
    last: Option<u64>,
}

impl FrameSealer {
    /// A sealer for the file `file_id`; `key` must be new, as every file has its own.
    pub fn new(key: &DataKey, file_id: &[u8]) -> Self {
        Self { gcm: CounterGcm::new(key), binding: Binding::new(file_id), last: None }
    }

    /// Encrypts `buf` in place and appends the tag. `aad` is authenticated, not encrypted, such as a frame's length.
    ///
    /// # Errors
    /// [`FrameError::SequenceReused`] if `seq` is not above the last one sealed; do not retry.
    pub fn seal(&mut self, seq: u64, aad: &[u8], buf: &mut Vec<u8>) -> Result<(), FrameError> {
        self.seal_tail(seq, aad, buf, 0)
    }

    /// As [`FrameSealer::seal`], for the bytes of `buf` from `start` on, so that a frame can be built behind its head
    /// and behind other frames. A `start` beyond the end seals nothing but the tag.
    ///
    /// # Errors
    /// As [`FrameSealer::seal`].
    pub fn seal_tail(&mut self, seq: u64, aad: &[u8], buf: &mut Vec<u8>, start: usize) -> Result<(), FrameError> {
        if let Some(last) = self.last.filter(|last| seq <= *last) {
            return Err(FrameError::SequenceReused { seq, last });
        }
        self.last = Some(seq);
        let start = start.min(buf.len());
        let tag = self.gcm.seal(seq, &self.binding.aad(seq, aad), &mut buf[start..]);
        buf.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens the frames of one file.
pub struct FrameOpener {
    gcm: CounterGcm,
    binding: Binding,
}

impl FrameOpener {
    /// An opener for the file `file_id` with its key.
    pub fn new(key: &DataKey, file_id: &[u8]) -> Self {
        Self { gcm: CounterGcm::new(key), binding: Binding::new(file_id) }
    }

    /// Decrypts `sealed` in place and returns the content, which is [`FRAME_TAG_BYTES`] shorter. After an error the
    /// buffer holds nothing of use.
    ///
    /// # Errors
    /// [`FrameError::Refused`]; do not retry.
    pub fn open<'a>(&self, seq: u64, aad: &[u8], sealed: &'a mut [u8]) -> Result<&'a mut [u8], FrameError> {
        self.gcm.open_in_place(seq, &self.binding.aad(seq, aad), sealed).map_err(|_| FrameError::Refused { seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &DataKey, seq: u64, content: &[u8]) -> Vec<u8> {
        let mut buf = content.to_vec();
        FrameSealer::new(key, b"7").seal(seq, b"head", &mut buf).unwrap();
        buf
    }

    #[test]
    fn round_trips() {
        let key = DataKey::generate();
        for content in [b"".as_slice(), b"x", &[9; 70_000]] {
            let mut buf = sealed(&key, 3, content);
            assert_eq!(buf.len(), content.len() + FRAME_TAG_BYTES);
            assert_eq!(FrameOpener::new(&key, b"7").open(3, b"head", &mut buf).unwrap(), content);
        }
    }

    #[test]
    fn opens_only_where_it_was_sealed() {
        let key = DataKey::generate();
        let frame = sealed(&key, 3, b"content");
        let check = |what: &str, key: &DataKey, id: &[u8], seq: u64, aad: &[u8], mut bytes: Vec<u8>| {
            let answer = FrameOpener::new(key, id).open(seq, aad, &mut bytes).err();
            assert_eq!(answer, Some(FrameError::Refused { seq }), "{what}");
        };
        check("key", &DataKey::generate(), b"7", 3, b"head", frame.clone());
        check("file", &key, b"8", 3, b"head", frame.clone());
        check("place", &key, b"7", 4, b"head", frame.clone());
        check("head", &key, b"7", 3, b"heat", frame.clone());
        for cut in 0..frame.len() {
            check("torn", &key, b"7", 3, b"head", frame[..cut].to_vec());
        }
        for place in 0..frame.len() {
            let mut altered = frame.clone();
            altered[place] ^= 1;
            check("altered", &key, b"7", 3, b"head", altered);
        }
    }

    #[test]
    fn a_number_is_sealed_once() {
        let mut sealer = FrameSealer::new(&DataKey::generate(), b"7");
        for (seq, fits) in
            [(0, true), (0, false), (5, true), (4, false), (6, true), (u64::MAX, true), (u64::MAX, false)]
        {
            assert_eq!(sealer.seal(seq, b"", &mut Vec::new()).is_ok(), fits, "{seq}");
        }
    }

    #[test]
    fn frames_are_built_behind_one_another() {
        let key = DataKey::generate();
        let (mut sealer, opener) = (FrameSealer::new(&key, b"7"), FrameOpener::new(&key, b"7"));
        let mut buf = b"HEADone".to_vec();
        sealer.seal_tail(0, b"", &mut buf, 4).unwrap();
        let second = buf.len();
        buf.extend_from_slice(b"two");
        sealer.seal_tail(1, b"", &mut buf, second).unwrap();
        assert_eq!(&buf[..4], b"HEAD");
        assert_eq!(opener.open(1, b"", &mut buf[second..]).unwrap(), b"two");
        assert_eq!(opener.open(0, b"", &mut buf[4..second]).unwrap(), b"one");
    }
}

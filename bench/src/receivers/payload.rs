//! Requests, encoded before the clock starts and kept in a file, so that neither building them nor memory for all of them
//! is measured.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

use super::batch::batches;
use super::cases::Case;
use crate::generate::Lines;

const BUFFER_BYTES: usize = 1 << 20;

/// What is sent at once, and what must be heard then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) records: u64,
    pub(super) bytes: Vec<u8>,
    /// Empty where the protocol has none, or one that is no frame of bytes.
    pub(super) ack: Vec<u8>,
}

/// All requests of a run; connections take from it in turn.
#[derive(Debug)]
pub(super) struct Payload {
    reader: Mutex<BufReader<File>>,
    stopped: AtomicBool,
    /// Of the lines as NDJSON.
    pub(super) raw_bytes: u64,
    /// As they are sent.
    pub(super) sent_bytes: u64,
}

impl Payload {
    /// Encodes `count` lines for a receiver into `path`.
    pub(super) fn make(path: &Path, case: &Case, lines: &mut Lines, count: u64) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut sent_bytes = 0;
        let raw_bytes = batches(lines, count, case.pick, case.records, |batch| {
            let request = case.request(&batch)?;
            sent_bytes += request.bytes.len() as u64;
            request.write(&mut out)
        })?;
        out.flush()?;
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let reader = Mutex::new(BufReader::with_capacity(BUFFER_BYTES, file));
        Ok(Self { reader, stopped: AtomicBool::new(false), raw_bytes, sent_bytes })
    }

    /// The next one; `None` at the end, or once a connection has failed.
    pub(super) fn next(&self) -> anyhow::Result<Option<Request>> {
        if self.stopped.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Request::read(&mut *self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// No connection takes any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Request {
    fn write(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for number in [self.records, self.bytes.len() as u64, self.ack.len() as u64] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&self.bytes)?;
        Ok(out.write_all(&self.ack)?)
    }

    fn read(reader: &mut impl Read) -> anyhow::Result<Option<Self>> {
        let mut head = [0; 24];
        match reader.read(&mut head[..1])? {
            0 => return Ok(None),
            _ => reader.read_exact(&mut head[1..])?,
        }
        let number = |place: usize| head[place * 8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (mut bytes, mut ack) = (vec![0; number(1) as usize], vec![0; number(2) as usize]);
        reader.read_exact(&mut bytes)?;
        reader.read_exact(&mut ack)?;
        Ok(Some(Self { records: number(0), bytes, ack }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        let requests = [
            Request { records: 3, bytes: b"abc".to_vec(), ack: Vec::new() },
            Request { records: 0, bytes: vec![7; 100_000], ack: b"ok".to_vec() },
        ];
        let mut file = Vec::new();
        requests.iter().for_each(|request| request.write(&mut file).unwrap());
        let mut reader = file.as_slice();
        for request in requests {
            assert_eq!(Request::read(&mut reader).unwrap(), Some(request));
        }
        assert_eq!(Request::read(&mut reader).unwrap(), None);
        assert!(Request::read(&mut &file[..26]).is_err());
    }
}

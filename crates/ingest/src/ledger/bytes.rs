//! Lines as bytes: an array of JSON objects in frames of the log, the same under zstd on pages (`docs/formats/ledger.md`).

use std::io::{self, Read as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Counts, Ledger, Source};

const LEVEL: i32 = 3;
/// Of a page, opened.
const MOST_BYTES: u64 = 256 << 20;

#[derive(Serialize)]
struct Line<'a> {
    minute: i64,
    #[serde(flatten)]
    source: &'a Source,
    #[serde(flatten)]
    counts: &'a Counts,
}

#[derive(Deserialize)]
struct OwnedLine {
    minute: i64,
    #[serde(flatten)]
    source: Source,
    #[serde(flatten)]
    counts: Counts,
}

impl Ledger {
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let lines: Vec<Line<'_>> =
            self.lines().map(|(minute, source, counts)| Line { minute, source, counts }).collect();
        Ok(serde_json::to_vec(&lines)?)
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Self> {
        let lines: Vec<OwnedLine> = serde_json::from_slice(bytes)?;
        // All of them: they had their bound when they were written.
        let mut ledger = Self::bounded(usize::MAX);
        for OwnedLine { minute, source, counts } in lines {
            ledger.add(minute, &Arc::new(source), &counts);
        }
        Ok(ledger)
    }

    pub(crate) fn to_page(&self) -> io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.encode()?, LEVEL)
    }

    pub(crate) fn from_page(body: &[u8]) -> io::Result<Self> {
        let mut bytes = Vec::new();
        zstd::Decoder::new(body)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Self::decode(&bytes)
    }
}

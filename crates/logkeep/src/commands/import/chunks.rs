//! A file in chunks that end where a record ends.
//!
//! The same file is always cut in the same places, however the reads fall, or an import could not be recognised when it is
//! run again. Container runtimes cut a long line into parts, and parts of standard output and error interleave, so a chunk
//! of such a file ends only where neither has a part open.

use std::io::{self, Read};

use logkeep_normalize::{LineFormat, detect};
use logkeep_wire::container::Format;

/// Bytes of a chunk, about.
const CHUNK_BYTES: usize = 2 << 20;
/// A chunk grows to this if no record ends before; beyond it the cut is made wherever it falls.
const MAX_CHUNK_BYTES: usize = 8 << 20;
/// Lines from which the form of a file is told.
const SAMPLE: usize = 256;
/// Of each of them.
const SAMPLE_BYTES: usize = 16 << 10;

/// Some whole records of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where it begins in the (decompressed) file.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    /// Form of the lines of the file.
    pub(super) format: LineFormat,
}

/// Reads a file chunk by chunk.
pub(super) struct Chunks<R> {
    input: R,
    format: Option<LineFormat>,
    /// Read, and not given out yet.
    buffer: Vec<u8>,
    offset: u64,
    at_end: bool,
    chunk_bytes: usize,
    max_chunk_bytes: usize,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(input: R, format: Option<LineFormat>) -> Self {
        Self::with_sizes(input, format, CHUNK_BYTES, MAX_CHUNK_BYTES)
    }

    fn with_sizes(input: R, format: Option<LineFormat>, chunk_bytes: usize, max_chunk_bytes: usize) -> Self {
        Self { input, format, buffer: Vec::new(), offset: 0, at_end: false, chunk_bytes, max_chunk_bytes }
    }

    /// The next chunk; `None` at the end.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut wanted = self.chunk_bytes;
        loop {
            self.fill(wanted)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let format = *self.format.get_or_insert_with(|| detect_in(&self.buffer));
            let end = if self.at_end { Some(self.buffer.len()) } else { last_end(&self.buffer, format) };
            let end = match end {
                Some(end) => end,
                None if wanted < self.max_chunk_bytes => {
                    wanted = (wanted * 2).min(self.max_chunk_bytes);
                    continue;
                }
                None => memchr::memrchr(b'\n', &self.buffer).map_or(self.buffer.len(), |at| at + 1),
            };
            let rest = self.buffer.split_off(end);
            let bytes = std::mem::replace(&mut self.buffer, rest);
            let offset = self.offset;
            self.offset += bytes.len() as u64;
            return Ok(Some(Chunk { offset, bytes, format }));
        }
    }

    /// Reads until the buffer has `wanted` bytes or the file ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let missing = wanted.saturating_sub(self.buffer.len());
        if missing > 0 && !self.at_end {
            let read = (&mut self.input).take(missing as u64).read_to_end(&mut self.buffer)?;
            self.at_end = read < missing;
        }
        Ok(())
    }
}

/// Where the last record that is whole ends.
fn last_end(bytes: &[u8], format: LineFormat) -> Option<usize> {
    let container = match format {
        LineFormat::Cri => Format::Cri,
        LineFormat::DockerJson => Format::DockerJson,
        _ => return memchr::memrchr(b'\n', bytes).map(|at| at + 1),
    };
    let (mut open_stdout, mut open_stderr, mut start, mut end) = (false, false, 0, None);
    for at in memchr::memchr_iter(b'\n', bytes) {
        if let Some((stream, is_last)) = container.part(&bytes[start..at]) {
            *(if stream == "stdout" { &mut open_stdout } else { &mut open_stderr }) = !is_last;
        }
        start = at + 1;
        if !open_stdout && !open_stderr {
            end = Some(start);
        }
    }
    end
}

fn detect_in(bytes: &[u8]) -> LineFormat {
    let lines = bytes.split(|byte| *byte == b'\n').take(SAMPLE);
    let sample: Vec<_> = lines.map(|line| String::from_utf8_lossy(&line[..line.len().min(SAMPLE_BYTES)])).collect();
    detect(&sample.iter().map(AsRef::as_ref).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            (&mut self.0).take(count as u64).read(buffer)
        }
    }

    fn check(text: &str, format: Option<LineFormat>, sizes: (usize, usize), expected: &[&str]) {
        let read = |input: &mut dyn Read| {
            let mut chunks = Chunks::with_sizes(input, format, sizes.0, sizes.1);
            let mut found: Vec<String> = Vec::new();
            while let Some(chunk) = chunks.next_chunk().unwrap() {
                assert_eq!(chunk.offset as usize, found.concat().len());
                found.push(String::from_utf8(chunk.bytes).unwrap());
            }
            found
        };
        assert_eq!(read(&mut text.as_bytes()), expected, "{text}");
        assert_eq!(read(&mut Slow(text.as_bytes())), expected, "{text}, slowly");
    }

    #[test]
    fn chunks_end_with_lines() {
        check("", None, (4, 8), &[]);
        check("ab\ncd\nef", None, (4, 8), &["ab\n", "cd\n", "ef"]);
        check("ab\ncd\nef\n", None, (7, 8), &["ab\ncd\n", "ef\n"]);
        check("abcdef\ngh", None, (4, 8), &["abcdef\n", "gh"]);
        check("abcdefghijkl\nm", None, (4, 8), &["abcdefgh", "ijkl\nm"]);
    }

    #[test]
    fn parts_of_a_line_stay_together() {
        let line = |stream: &str, tag: &str| format!("2026-11-20T10:00:00Z {stream} {tag} x\n");
        let lines = [line("stdout", "P"), line("stderr", "F"), line("stdout", "F"), line("stderr", "F")];
        let (text, size) = (lines.concat(), lines[0].len());
        let whole = lines[..3].concat();
        check(&text, None, (size, 3 * size), &[&whole, &lines[3]]);
        check(&text, Some(LineFormat::PlainText), (size, 4 * size), &lines.each_ref().map(String::as_str));
        check(&text, None, (size, 2 * size), &[&lines[..2].concat(), &lines[2], &lines[3]]);
    }
}

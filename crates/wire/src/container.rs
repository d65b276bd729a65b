//! Container log files: what container runtimes write for the lines of a container, and what of it arrives as records (`parts`).
//!
//! Both formats cut long lines into parts, so a record is made of as many lines as it takes. Parts of standard output
//! and standard error interleave and are joined per stream. A part that nothing completes is kept, too: the container
//! died in the middle of a line, which is when its last words count.
//!
//! Not here: which pod a file belongs to, which its name says (`normalize`).

mod cri;
mod docker;
mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, limits};

use crate::text::{Text, body_and_original};

pub use parts::{Part as LinePart, PartLine};

/// Which format a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Kubernetes' container runtime interface: `<RFC 3339 time> <stream> <F or P> <content>`.
    Cri,
    /// Docker's `json-file`: `{"log": …, "stream": …, "time": …}`.
    DockerJson,
}

impl Format {
    /// The format of a file by one of its lines.
    pub fn detect(line: &[u8]) -> Option<Self> {
        if cri::parse(line).is_some() { Some(Self::Cri) } else { docker::parse(line).map(|_| Self::DockerJson) }
    }
}

impl Format {
    /// The stream of a line of this format, `stdout` or `stderr`, and whether it ends the container's own line.
    pub fn part(self, line: &[u8]) -> Option<(&'static str, bool)> {
        let part = match self {
            Self::Cri => cri::parse(line),
            Self::DockerJson => docker::parse(line),
        }?;
        Some((part.stream.name(), part.last))
    }
}

/// Where a container wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One line of the file.
#[derive(Debug)]
struct Part<'a> {
    time_ns: i64,
    stream: Stream,
    /// Whether it ends the container's line.
    last: bool,
    content: Cow<'a, [u8]>,
}

/// The parts of a line that is not complete yet.
#[derive(Clone, Debug, Default)]
struct Pending {
    /// Time of the first part.
    time_ns: i64,
    content: Vec<u8>,
    truncated_bytes: usize,
}

/// A character more than is kept in the end, so that the cut can be made between two characters.
fn max_pending_bytes() -> usize {
    limits::record_bytes() + 4
}

impl Pending {
    fn add(&mut self, content: &[u8]) {
        let room = max_pending_bytes().saturating_sub(self.content.len());
        let kept = content.len().min(room);
        self.content.extend_from_slice(&content[..kept]);
        self.truncated_bytes += content.len() - kept;
    }
}

/// Joins the lines of one file into records. It holds at most `limits::record_bytes()` for each of the two streams.
#[derive(Debug)]
pub struct Joiner {
    format: Format,
    pending: [Option<Pending>; 2],
}

impl Joiner {
    /// For one file.
    pub fn new(format: Format) -> Self {
        Self { format, pending: [None, None] }
    }

    /// The record that `line` completes, if it does. A line of another form is a record of its own.
    pub fn line<'a>(&mut self, line: &'a [u8], received_ns: i64, resource: &Arc<Resource>) -> Option<Record<'a>> {
        let parsed = match self.format {
            Format::Cri => cri::parse(line),
            Format::DockerJson => docker::parse(line),
        };
        let Some(part) = parsed else {
            let foreign = !line.trim_ascii().is_empty();
            return foreign.then(|| crate::ndjson::record(line, received_ns, Arc::clone(resource)));
        };
        let pending = &mut self.pending[part.stream as usize];
        if !part.last {
            let first = || Pending { time_ns: part.time_ns, ..Pending::default() };
            pending.get_or_insert_with(first).add(&part.content);
            return None;
        }
        let source = Source { stream: part.stream, received_ns, resource };
        match pending.take() {
            Some(mut joined) => {
                joined.add(&part.content);
                Some(source.joined(joined))
            }
            None => Some(match part.content {
                Cow::Borrowed(content) => source.record(Text::new(content), part.time_ns),
                Cow::Owned(content) => source.record(Text::new(&content), part.time_ns).into_owned(),
            }),
        }
    }

    /// What is left at the end of the file: lines that nothing completed.
    pub fn finish(&mut self, received_ns: i64, resource: &Arc<Resource>) -> Vec<Record<'static>> {
        let streams = [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut self.pending);
        streams
            .filter_map(|(stream, pending)| Some(Source { stream, received_ns, resource }.joined(pending.take()?)))
            .collect()
    }
}

/// What a line's record has beside its content.
struct Source<'r> {
    stream: Stream,
    received_ns: i64,
    resource: &'r Arc<Resource>,
}

impl Source<'_> {
    fn joined(&self, pending: Pending) -> Record<'static> {
        let mut text = Text::new(&pending.content);
        text.truncated_bytes += pending.truncated_bytes;
        self.record(text, pending.time_ns).into_owned()
    }

    fn record<'a>(&self, text: Text<'a>, time_ns: i64) -> Record<'a> {
        let mut record = Record::new(self.received_ns, Value::Null, Arc::clone(self.resource));
        record.time_ns = Some(time_ns);
        record.attributes.push((Cow::Borrowed("log.iostream"), Value::str(self.stream.name())));
        text.mark(&mut record.attributes);
        (record.body, record.original) = body_and_original(text.text);
        record
    }
}

/// RFC 3339 with up to nine digits.
fn time_ns(text: &[u8]) -> Option<i64> {
    let time: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

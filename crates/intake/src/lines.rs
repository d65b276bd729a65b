//! Lines of files to batches, by the form of the file.

use std::sync::Arc;

use logkeep_normalize::{LineFormat, detect};
use logkeep_record::{Resource, limits};
use logkeep_wire::container::{Format, Joiner};
use logkeep_wire::frame::Frame;
use logkeep_wire::{ndjson, syslog};

use crate::entry::Entry;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::{Kind, Refusal};

/// Lines from which the form of a file is told.
const SAMPLE: usize = 256;
/// Of each of them.
const SAMPLE_BYTES: usize = 16 << 10;

/// Prepares the lines of `body`; says how many records they are.
///
/// # Errors
/// [`Refusal`] for more lines than one request may have; nothing else is refused.
pub(crate) fn prepare(
    entry: Entry,
    body: &[u8],
    format: Option<LineFormat>,
    received_ns: i64,
) -> Result<Prepared, Refusal> {
    if ndjson::lines(body).nth(limits::RECORDS_PER_REQUEST).is_some() {
        let message = format!("the body has more than {} lines; send smaller ones", limits::RECORDS_PER_REQUEST);
        return Err(Refusal::new(Kind::TooLarge, message));
    }
    let format = format.unwrap_or_else(|| detect_in(body));
    let resource = Resource::from_attributes(Vec::new());
    let mut preparing = Preparing::new(entry);
    match format {
        LineFormat::Cri => joined(Format::Cri, body, received_ns, &resource, &mut preparing)?,
        LineFormat::DockerJson => joined(Format::DockerJson, body, received_ns, &resource, &mut preparing)?,
        LineFormat::Syslog => {
            let mut parser = syslog::Parser::new(0);
            for line in ndjson::lines(body) {
                preparing.push(parser.record(&Frame::new(line), received_ns))?;
            }
        }
        _ => {
            for record in ndjson::records(body, received_ns, resource) {
                preparing.push(record)?;
            }
        }
    }
    preparing.finish()
}

fn joined(
    format: Format,
    body: &[u8],
    received_ns: i64,
    resource: &Arc<Resource>,
    preparing: &mut Preparing,
) -> Result<(), Refusal> {
    let mut joiner = Joiner::new(format);
    for line in ndjson::lines(body) {
        if let Some(record) = joiner.line(line, received_ns, resource) {
            preparing.push(record)?;
        }
    }
    joiner.finish(received_ns, resource).into_iter().try_for_each(|record| preparing.push(record))
}

fn detect_in(body: &[u8]) -> LineFormat {
    let sample: Vec<_> = ndjson::lines(body)
        .take(SAMPLE)
        .map(|line| String::from_utf8_lossy(&line[..line.len().min(SAMPLE_BYTES)]))
        .collect();
    detect(&sample.iter().map(AsRef::as_ref).collect::<Vec<_>>())
}

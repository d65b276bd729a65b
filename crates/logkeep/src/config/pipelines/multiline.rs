//! How records that are lines of one text are joined.

use std::time::Duration;

use logkeep_pipeline::spec::Multiline;

use super::super::print::quoted;
use super::super::read::Reader;
use super::super::tree::Node;
use super::super::units::{format_bytes, format_duration, parse_bytes, parse_duration};
use super::{entries, scalar, unknown};

const PARTS: &[&str] = &["starts", "continues", "max_lines", "max_bytes", "timeout"];

/// What is not said.
fn unsaid() -> Multiline {
    let timeout = Duration::from_secs(1);
    Multiline { starts: None, continues: None, max_lines: 500, max_bytes: 256 << 10, timeout }
}

pub(super) fn multiline(reader: &mut Reader<'_>, node: &Node) -> Option<Multiline> {
    let mut multiline = unsaid();
    for entry in entries(reader, node, "how to tell lines of one text", "write `multiline: {continues: '^\\s'}`")? {
        if !PARTS.contains(&entry.key.as_str()) {
            unknown(reader, entry, PARTS);
            continue;
        }
        let text = scalar(reader, entry)?;
        if let Err(expected) = set(&mut multiline, &entry.key, text) {
            let message = format!("`pipelines`: `{}` is `{text}`, {expected} is expected", entry.key);
            reader.fault(entry.line, message, None);
        }
    }
    Some(multiline)
}

/// Sets a part; says what it should have been if it cannot.
fn set(multiline: &mut Multiline, part: &str, text: &str) -> Result<(), &'static str> {
    match part {
        "starts" => multiline.starts = Some(text.to_owned()),
        "continues" => multiline.continues = Some(text.to_owned()),
        "max_lines" => multiline.max_lines = text.parse().map_err(|_| "a number")?,
        "max_bytes" => {
            let bytes = parse_bytes(text).and_then(|bytes| usize::try_from(bytes).ok());
            multiline.max_bytes = bytes.ok_or("a size like 256KiB")?;
        }
        _ => multiline.timeout = parse_duration(text).ok_or("a time like 1s")?,
    }
    Ok(())
}

pub(super) fn print(multiline: &Multiline) -> String {
    let Multiline { starts, continues, max_lines, max_bytes, timeout } = multiline;
    let patterns = [("starts", starts), ("continues", continues)];
    let patterns = patterns.iter().filter_map(|(name, text)| Some(format!("{name}: {}, ", quoted(text.as_ref()?))));
    let (max_bytes, timeout) = (format_bytes(*max_bytes as u64), format_duration(*timeout));
    let patterns: String = patterns.collect();
    format!("{{{patterns}max_lines: {max_lines}, max_bytes: {max_bytes}, timeout: {timeout}}}")
}

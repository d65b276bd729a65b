//! Records that say of themselves that they are parts of a longer line: what Docker's drivers for Fluentd and for the journal
//! make of lines over 16 KiB, and lines in the form of Kubernetes' container runtime, wherever they come as text.
//!
//! Docker says which line (`partial_id`), which part of it from 1 (`partial_ordinal`), and whether it is the last one. A text without
//! a line feed at its end is a part, too, and nothing may ever follow it.

use std::borrow::Cow;

use logkeep_record::{JOINED_PARTS, Record, Value};

use super::{Pending, cri};
use crate::text::{INVALID_UTF8, TRUNCATED_BYTES, Text};

/// Says of a record that the rest of its line never came.
const PARTIAL: &str = "log.record.partial";

/// What a driver calls the parts of its documents.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    text: &'static str,
    id: &'static str,
    ordinal: &'static str,
    last: &'static str,
    /// Said of parts, beside the three before.
    mark: &'static str,
}

static FLUENTD: Names =
    Names { text: "log", id: "partial_id", ordinal: "partial_ordinal", last: "partial_last", mark: "partial_message" };
static JOURNALD: Names = Names {
    text: "MESSAGE",
    id: "CONTAINER_PARTIAL_ID",
    ordinal: "CONTAINER_PARTIAL_ORDINAL",
    last: "CONTAINER_PARTIAL_LAST",
    mark: "CONTAINER_PARTIAL_MESSAGE",
};

/// How parts are told, and how they are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Docker(&'static Names),
    Cri,
}

/// What a record says of the line that it is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Tells lines of one resource apart of which parts come at once.
    pub line: Box<str>,
    /// Whether nothing follows it.
    pub is_last: bool,
    kind: Kind,
    ordinal: Option<i64>,
}

impl Part {
    /// `None` for a record that is no part of anything.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        match &record.body {
            Value::Map(pairs) => {
                let names =
                    pairs.iter().find_map(|(key, _)| [&FLUENTD, &JOURNALD].into_iter().find(|n| n.id == key))?;
                let said = |name| member(&record.body, name).and_then(Value::as_str);
                said(names.text)?;
                let (line, is_last) = (said(names.id)?.into(), said(names.last)? == "true");
                let ordinal = said(names.ordinal).and_then(|ordinal| ordinal.parse().ok());
                Some(Self { line, is_last, kind: Kind::Docker(names), ordinal })
            }
            Value::Str(text) if text.starts_with(|first: char| first.is_ascii_digit()) => {
                let part = cri::parse(text.as_bytes())?;
                Some(Self { line: part.stream.name().into(), is_last: part.last, kind: Kind::Cri, ordinal: None })
            }
            _ => None,
        }
    }
}

/// A line of which parts have come.
#[derive(Clone, Debug)]
pub struct PartLine {
    kind: Kind,
    /// The first part; its text is in `content`, too.
    first: Record<'static>,
    content: Pending,
    /// The parts as they came, where they are texts.
    sources: Option<Pending>,
    /// The last one's.
    ordinal: Option<i64>,
    parts: i64,
    lacks_some: bool,
    is_ended: bool,
}

impl PartLine {
    /// Of its first part.
    pub fn begin(record: Record<'_>, part: &Part) -> Self {
        let mut line = Self {
            kind: part.kind,
            first: Record::new(record.received_ns, Value::Null, record.resource.clone()),
            content: Pending::default(),
            sources: None,
            ordinal: None,
            parts: 0,
            lacks_some: part.ordinal.is_some_and(|ordinal| ordinal > 1),
            is_ended: false,
        };
        line.add(&record, part);
        line.first = record.into_owned();
        line.first.attributes.retain(|(name, _)| name != TRUNCATED_BYTES);
        line
    }

    /// With one more.
    pub fn add(&mut self, record: &Record<'_>, part: &Part) {
        let gap = self.ordinal.zip(part.ordinal).is_some_and(|(before, this)| this != before.saturating_add(1));
        self.lacks_some |= gap;
        self.ordinal = part.ordinal;
        self.is_ended |= part.is_last;
        let source = match (record.original.as_deref(), record.body.as_str()) {
            (Some(source), _) | (None, Some(source)) => Some(source),
            (None, None) => None,
        };
        if let Some(source) = source {
            if self.parts > 0 {
                self.sources.get_or_insert_default().add(b"\n");
            }
            self.sources.get_or_insert_default().add(source.as_bytes());
        }
        match (part.kind, record.body.as_str()) {
            (Kind::Docker(names), _) => {
                let text = member(&record.body, names.text).and_then(Value::as_str);
                self.content.add(text.unwrap_or_default().as_bytes());
            }
            (Kind::Cri, text) => {
                let parsed = text.and_then(|text| cri::parse(text.as_bytes()));
                self.content.add(&parsed.map_or(Cow::default(), |part| part.content));
            }
        }
        if let Some(Value::Int(bytes)) = record.attribute(TRUNCATED_BYTES) {
            self.content.truncated_bytes += usize::try_from(*bytes).unwrap_or_default();
        }
        if record.attribute(INVALID_UTF8).is_some() && self.parts > 0 && self.first.attribute(INVALID_UTF8).is_none() {
            self.first.attributes.push((Cow::Borrowed(INVALID_UTF8), Value::Bool(true)));
        }
        self.parts += 1;
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let sources = self.sources.as_ref().map_or(0, |sources| sources.content.len());
        self.first.bytes() + self.content.content.len() + sources
    }

    /// The line, or what has come of it, which then says so.
    pub fn into_record(self) -> Record<'static> {
        let is_whole = self.is_ended && !self.lacks_some;
        let Self { kind, mut first, content, sources, parts, .. } = self;
        let truncated_bytes = content.truncated_bytes;
        let content = match kind {
            Kind::Docker(_) => content.content,
            Kind::Cri => [cri_head(&first, is_whole).as_bytes(), &content.content].concat(),
        };
        let mut text = Text::new(&content);
        text.truncated_bytes += truncated_bytes;
        text.mark(&mut first.attributes);
        let text = Value::Str(Cow::Owned(text.text.into_owned()));
        match (kind, &mut first.body) {
            (Kind::Docker(names), Value::Map(pairs)) => {
                if is_whole {
                    let said = [names.id, names.ordinal, names.last, names.mark];
                    pairs.retain(|(name, _)| !said.contains(&&**name));
                } else {
                    first.attributes.push((Cow::Borrowed(PARTIAL), Value::Bool(true)));
                }
                pairs
                    .iter_mut()
                    .filter(|(name, _)| name == names.text)
                    .take(1)
                    .for_each(|(_, old)| *old = text.clone());
            }
            (_, body) => *body = text,
        }
        if parts > 1 {
            first.original = sources.map(|sources| Cow::Owned(Text::new(&sources.content).text.into_owned()));
            first.attributes.push((Cow::Borrowed(JOINED_PARTS), Value::Int(parts)));
        }
        first
    }
}

/// `<time> <stream> F `, as in front of the first part.
fn cri_head(first: &Record<'_>, is_whole: bool) -> String {
    let mut fields = first.body.as_str().unwrap_or_default().splitn(4, ' ');
    let mut field = || fields.next().unwrap_or_default();
    let (time, stream, tags) = (field(), field(), field());
    let (flag, further) = (if is_whole { "F" } else { "P" }, tags.get(1..).unwrap_or_default());
    format!("{time} {stream} {flag}{further} ")
}

fn member<'r, 'a>(body: &'r Value<'a>, name: &str) -> Option<&'r Value<'a>> {
    let Value::Map(pairs) = body else { return None };
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

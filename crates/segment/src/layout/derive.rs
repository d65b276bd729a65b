//! Finding the layout of a text.
//!
//! The text is cut into leaves (JSON strings that are no keys, and numbers), and each leaf is looked for among the
//! fields. It need not find the best layout, nor a right one: a layout is tried on the text before it is used.

use logkeep_record::Record;

use super::{Layout, Notation, Part, Place};

/// Longer texts are stored as they are.
const MAX_TEXT_BYTES: usize = 64 << 10;
const MAX_PARTS: usize = 1_024;

pub(super) fn derive(record: &Record<'_>, text: &str) -> Option<Layout> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut draft = Draft::new(record);
    if text.starts_with('{') {
        draft.document(text)?;
    } else {
        draft.line(text)?;
    }
    draft.finish()
}

struct Draft<'r> {
    record: &'r Record<'r>,
    parts: Vec<Part>,
    /// Text since the last part.
    literal: String,
    /// Attributes that a part shows already.
    used: Vec<bool>,
    /// The attribute after the last one that was used: documents are read in order, so it is likely the next.
    next: usize,
    scratch: String,
}

impl<'r> Draft<'r> {
    fn new(record: &'r Record<'r>) -> Self {
        let used = vec![false; record.attributes.len()];
        Self { record, parts: Vec::new(), literal: String::new(), used, next: 0, scratch: String::new() }
    }

    fn finish(mut self) -> Option<Layout> {
        self.end_literal();
        // A layout that shows no field saves nothing.
        let shows = self.parts.iter().any(|part| !matches!(part, Part::Literal(_) | Part::Rest));
        (shows && self.parts.len() <= MAX_PARTS).then_some(Layout { parts: self.parts })
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(Part::Literal(std::mem::take(&mut self.literal).into()));
        }
    }

    fn push(&mut self, part: Part) {
        self.end_literal();
        if let Part::Value(Place::Attribute(place), _) = part {
            self.used[place as usize] = true;
            self.next = place as usize + 1;
        }
        self.parts.push(part);
    }

    /// A line that ends with the message, after a time perhaps and whatever else: container runtimes, syslog.
    fn line(&mut self, text: &str) -> Option<()> {
        let body = self.record.body.as_str().filter(|body| !body.is_empty())?;
        let head = text.strip_suffix(body)?;
        // Words must not grow together at the seams, or the index would not know them.
        if !head.ends_with([' ', '\t', ':']) {
            return None;
        }
        let first = head.split(' ').next().unwrap_or_default();
        let between = match self.time(first) {
            Some(part) if first.len() < head.len() => {
                self.push(part);
                &head[first.len()..]
            }
            _ => head,
        };
        if !between.is_empty() {
            self.push(Part::Rest);
        }
        self.push(Part::Value(Place::Body, Notation::Plain));
        Some(())
    }

    fn document(&mut self, text: &str) -> Option<()> {
        let bytes = text.as_bytes();
        let (mut at, mut copied) = (0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    let end = at + 1 + string_len(&bytes[at + 1..])?;
                    let is_key = bytes[end + 1..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                    if !is_key {
                        self.literal.push_str(&text[copied..=at]);
                        self.leaf(&text[at + 1..end]);
                        copied = end;
                    }
                    at = end + 1;
                }
                b'-' | b'0'..=b'9' => {
                    let is_number = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                    let end = at + bytes[at..].iter().take_while(is_number).count();
                    let alone = |byte: Option<&u8>| byte.is_none_or(|byte| byte.is_ascii() && !is_word(*byte));
                    if alone(at.checked_sub(1).and_then(|before| bytes.get(before))) && alone(bytes.get(end)) {
                        self.literal.push_str(&text[copied..at]);
                        self.leaf(&text[at..end]);
                        copied = end;
                    }
                    at = end;
                }
                _ => at += 1,
            }
            if self.parts.len() > MAX_PARTS {
                return None;
            }
        }
        self.literal.push_str(&text[copied..]);
        Some(())
    }

    /// What stands between quotes, or a number.
    fn leaf(&mut self, leaf: &str) {
        // What sources write for "none" is the same in every row that has none.
        if leaf.is_empty() || leaf == "-" {
            return self.literal.push_str(leaf);
        }
        if let Some(part) = self.find(leaf) {
            return self.push(part);
        }
        if self.joined(leaf, leaf.rfind(':')) || self.joined(leaf, leaf.find('?')) {
            return;
        }
        if let Some(version) = leaf.strip_prefix("HTTP/")
            && let Some(part) = self.find(version)
        {
            self.literal.push_str("HTTP/");
            return self.push(part);
        }
        self.push(Part::Rest);
    }

    /// Two fields with one character between them: an address and its port, a path and its query.
    fn joined(&mut self, leaf: &str, at: Option<usize>) -> bool {
        let Some(at) = at else { return false };
        let (Some(left), Some(right)) = (self.find(&leaf[..at]), self.find(&leaf[at + 1..])) else { return false };
        self.push(left);
        self.literal.push_str(&leaf[at..=at]);
        self.push(right);
        true
    }

    /// The field that is written like this; attributes in the document's order first.
    fn find(&mut self, leaf: &str) -> Option<Part> {
        let attributes = self.record.attributes.len();
        let in_order = (self.next..attributes).chain(0..self.next.min(attributes));
        let unused = in_order.clone().filter(|place| !self.used[*place]).collect::<Vec<_>>();
        let places = unused.into_iter().map(|place| Place::Attribute(place as u32));
        let places = places.chain([Place::Body, Place::SeverityText]);
        let resource = (0..self.record.resource.attributes().len()).map(|place| Place::Resource(place as u32));
        let used = in_order.filter(|place| self.used[*place]).map(|place| Place::Attribute(place as u32));
        for place in places.chain(resource).chain(used).collect::<Vec<_>>() {
            if let Some(notation) = self.notation(place, leaf) {
                return Some(Part::Value(place, notation));
            }
        }
        [Part::TraceId, Part::SpanId]
            .into_iter()
            .find(|part| part.text(self.record, &mut self.scratch) == Some(leaf))
            .or_else(|| self.time(leaf))
    }

    fn notation(&mut self, place: Place, leaf: &str) -> Option<Notation> {
        use super::Found;
        use logkeep_record::Value;
        let notations: &[Notation] = match place.find(self.record)? {
            Found::Text(text) if text == leaf => return Some(Notation::Plain),
            Found::Text(text) if leaf.contains('\\') && text.len() < leaf.len() => &[Notation::Escaped],
            Found::Value(Value::Int(_)) => &[Notation::Plain],
            Found::Value(Value::Double(_)) => &[Notation::Whole, Notation::Decimal, Notation::Nanos],
            _ => return None,
        };
        let starts_as_number = leaf.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let candidates = notations.iter().filter(|notation| **notation == Notation::Escaped || starts_as_number);
        candidates
            .copied()
            .find(|notation| Part::Value(place, *notation).text(self.record, &mut self.scratch) == Some(leaf))
    }

    fn time(&mut self, leaf: &str) -> Option<Part> {
        const WHOLE_SECONDS: usize = "2026-11-20T10:00:00Z".len();
        if !leaf.ends_with('Z') || leaf.len() > WHOLE_SECONDS + 10 {
            return None;
        }
        let part = Part::Time(leaf.len().checked_sub(WHOLE_SECONDS)?.saturating_sub(1) as u8);
        (part.text(self.record, &mut self.scratch) == Some(leaf)).then_some(part)
    }
}

/// Bytes of a JSON string up to the quote that ends it.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &bytes[from..])?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
        if from > bytes.len() {
            return None;
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

//! Whether a record may hold something, asked of all its text as one.
//!
//! Most fields were parts of the original, which is searched anyway. Of those only the names are searched with it, once, as long
//! as nothing beside a field's text in the original could change what it is taken for.

use logkeep_record::{Attributes, Record, Value};

use crate::kind::Kind;
use crate::recognise::{ELSEWHERE, END, FIELD, before, numbers};
use crate::rules::{Action, Plan};
use crate::scan::Scanner;

/// The smallest whole number that may be something: shorter ones are counts and sizes.
const SMALLEST_NUMBER: u64 = 1_000;
/// What stands around whole values in documents and lines.
const AROUND_VALUES: &[u8] = b" \t\r\n\"'`,;()[]{}<>|";

/// Names of fields that mean nothing, whatever their value is: senders have few, and name them in every record.
#[derive(Default)]
pub(crate) struct Harmless {
    /// The latest two of each place.
    places: Vec<[Box<str>; 2]>,
}

impl Harmless {
    const PLACES: usize = 256;
    /// Longer ones are searched every time.
    const NAME_BYTES: usize = 64;

    fn has(&mut self, name: &str, scanner: &Scanner) -> bool {
        if self.places.is_empty() {
            self.places.resize_with(Self::PLACES, Default::default);
        }
        let place = &mut self.places[place(name.as_bytes())];
        if place.iter().any(|known| **known == *name) {
            return true;
        }
        let is_harmless = name.len() <= Self::NAME_BYTES && is_harmless(name, scanner);
        if is_harmless {
            place.rotate_right(1);
            place[0] = name.into();
        }
        is_harmless
    }
}

fn place(name: &[u8]) -> usize {
    let at = |at: usize| usize::from(name.get(at).copied().unwrap_or_default());
    (name.len() * 31 + at(0) * 17 + at(name.len() / 2) * 7 + at(name.len().wrapping_sub(1))) % Harmless::PLACES
}

fn is_harmless(name: &str, scanner: &Scanner) -> bool {
    let mut found = Vec::new();
    let field = [name.as_bytes(), &[FIELD, ELSEWHERE, END]].concat();
    scanner.scan(&field, Kind::ALL.iter().copied().collect(), &mut found);
    found.is_empty()
}

/// How much of a record is gathered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of its text.
    Whole,
    /// Without what its original says as well.
    Once,
}

/// The text of a record as one.
pub(crate) struct Gathering<'p> {
    plan: &'p Plan,
    scanner: &'p Scanner,
    harmless: &'p mut Harmless,
    pub(crate) text: Vec<u8>,
    /// A field that a rule names.
    pub(crate) has_field: bool,
    /// Where parts of the original are left out, the original.
    spared_in: Option<&'p str>,
    /// Whether anything was left out.
    pub(crate) spared: bool,
}

impl<'p> Gathering<'p> {
    /// Nothing yet, in a buffer that was used before.
    pub(crate) fn new(plan: &'p Plan, scanner: &'p Scanner, harmless: &'p mut Harmless, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { plan, scanner, harmless, text: buffer, has_field: false, spared_in: None, spared: false }
    }

    pub(crate) fn record(&mut self, record: &'p Record<'_>, extent: Extent) {
        // Numbers are told by the words before them, which a field of another name than the source's changes.
        let can_spare = extent == Extent::Once && !self.plan.wanted.has_any(numbers::KINDS);
        self.spared_in = record.original.as_deref().filter(|_| can_spare);
        self.attributes("", &record.attributes);
        self.value("", &record.body);
        let original = record.original.as_deref().unwrap_or_default();
        for text in [original, &record.severity_text, &record.event_name] {
            if !text.is_empty() {
                self.text.extend_from_slice(text.as_bytes());
                self.text.push(END);
            }
        }
    }

    fn attributes(&mut self, above: &str, attributes: &Attributes<'_>) {
        for (name, value) in attributes {
            if self.plan.has_fields() {
                let path = crate::rewrite::path(above, name);
                match self.plan.of_field(&path).map(|decision| decision.action) {
                    // Its text is in the original, too, where the rewriter spares it.
                    Some(Action::Keep) => continue,
                    Some(_) => self.has_field = true,
                    None => {}
                }
                self.value(&path, value);
            } else {
                self.value(name, value);
            }
        }
    }

    fn value(&mut self, name: &str, value: &Value<'_>) {
        match value {
            Value::Str(text) => self.text(name, text.as_bytes()),
            Value::Bytes(bytes) => self.text(name, bytes),
            Value::Int(number) if number.unsigned_abs() >= SMALLEST_NUMBER => match self.spared_in {
                // By itself a number is nothing then, and its name says the same of any other text.
                Some(_) => self.name(name),
                None => self.field(name, itoa::Buffer::new().format(*number).as_bytes()),
            },
            Value::Array(values) => values.iter().for_each(|value| self.value(name, value)),
            Value::Map(pairs) => {
                self.field(name, b"");
                self.attributes(name, pairs);
            }
            _ if self.spared_in.is_some() => self.name(name),
            _ => self.field(name, b""),
        }
    }

    fn text(&mut self, name: &str, text: &[u8]) {
        if self.spared_in.is_some_and(|original| is_value_within(original.as_bytes(), text)) {
            self.name(name);
        } else {
            self.field(name, text);
        }
    }

    /// The name of a field whose text is left out.
    fn name(&mut self, name: &str) {
        self.spared = true;
        if !name.is_empty() && !self.harmless.has(name, self.scanner) {
            self.field(name, &[ELSEWHERE]);
        }
    }

    fn field(&mut self, name: &str, text: &[u8]) {
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(FIELD);
        self.text.extend_from_slice(text);
        self.text.push(END);
    }
}

/// Whether `part` is memory of `whole`, and a value of its own there.
fn is_value_within(whole: &[u8], part: &[u8]) -> bool {
    let Some(start) = part.as_ptr().addr().checked_sub(whole.as_ptr().addr()) else { return false };
    let end = start + part.len();
    let is_around = |byte: Option<u8>| byte.is_none_or(|byte| AROUND_VALUES.contains(&byte));
    end <= whole.len() && is_around(before(whole, start)) && is_around(whole.get(end).copied())
}

#[cfg(test)]
mod tests {
    use super::is_value_within;

    #[test]
    fn a_value_within_is_the_same_memory_with_something_around_it() {
        let whole = br#"{"user":"bob=1"} x"#;
        let elsewhere = whole.to_vec();
        assert!(is_value_within(whole, &whole[9..14]));
        assert!(is_value_within(whole, whole));
        assert!(is_value_within(whole, &whole[17..]));
        assert!(!is_value_within(whole, &elsewhere[9..14]), "equal bytes elsewhere");
        assert!(!is_value_within(whole, &whole[9..12]), "the rest of the word follows");
        assert!(!is_value_within(whole, &whole[10..14]), "the rest of the word comes before");
        assert!(!is_value_within(&whole[..12], &whole[9..14]), "it ends beyond");
        assert!(!is_value_within(&whole[10..], &whole[9..14]), "it begins before");
    }
}

//! A record with a finding, taken apart.
//!
//! The same value stands in several places of a record: an attribute, the line it was read from, the document around
//! that. What is found in a field is therefore hidden wherever else it stands in the record's texts, even where nothing
//! around it says what it is.

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use logkeep_record::{Attributes, Record, Resource, Scope, Value};

use crate::hash::TenantKey;
use crate::kind::{Kind, KindSet};
use crate::recognise::{END, FIELD, Found, before, is_word};
use crate::redactor::{LeftOut, Redactor};
use crate::replace::{Patch, RANK_KNOWN, apply, label_of_field, marker, rank};
use crate::rules::{Action, Decision, Plan};
use crate::scan::Scanner;
use crate::unescape::Layers;

/// Bytes of values that are looked for in the texts of one record. A record with more loses its texts instead.
const KNOWN_BYTES: usize = 64 << 10;

/// Values of fields, and what to write where they stand in texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    hidden: Vec<(String, String)>,
    /// Values of fields that are to be left alone.
    kept: Vec<String>,
    bytes: usize,
}

impl Known {
    pub(crate) fn is_empty(&self) -> bool {
        self.hidden.is_empty() && self.kept.is_empty()
    }

    fn hide(&mut self, value: &str, marker: &str) {
        let value = value.trim();
        if !value.is_empty() && value != marker {
            self.bytes += value.len();
            self.hidden.push((value.to_owned(), marker.to_owned()));
        }
    }

    fn keep(&mut self, value: &str) {
        if self.bytes + value.len() <= KNOWN_BYTES {
            self.bytes += value.len();
            self.kept.push(value.to_owned());
        }
    }

    fn is_kept(&self, value: &str) -> bool {
        self.kept.iter().any(|kept| kept.contains(value))
    }
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
}

/// Rewrites one record or resource.
pub(crate) struct Rewriter<'r> {
    redactor: &'r Redactor,
    plan: &'r Plan,
    key: &'r TenantKey,
    known: Known,
    changed: bool,
    gone: u32,
}

/// The name of a field within another.
pub(crate) fn path<'n>(above: &str, name: &'n str) -> Cow<'n, str> {
    if above.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{above}.{name}")) }
}

/// Calls `each` with all that is found in a text, by its place in it, with the value as it reads without escapes and
/// how many layers of them there were.
pub(crate) fn search(scanner: &Scanner, text: &str, wanted: KindSet, mut each: impl FnMut(Found, &str, usize)) {
    let mut found = Vec::new();
    let mut layers = Layers::of(text.as_bytes());
    loop {
        scanner.scan(layers.bytes(), wanted, &mut found);
        for one in found.drain(..) {
            let value = String::from_utf8_lossy(&layers.bytes()[one.start..one.end]);
            let (start, end) = (layers.place(one.start), layers.place(one.end));
            each(Found { start, end, ..one }, &value, layers.count());
        }
        if !layers.undo() {
            return;
        }
    }
}

impl<'r> Rewriter<'r> {
    pub(crate) fn new(redactor: &'r Redactor, plan: &'r Plan, key: &'r TenantKey, known: Known) -> Self {
        Self { redactor, plan, key, known, changed: false, gone: 0 }
    }

    /// Hides a value of which something else than itself says what it is.
    pub(crate) fn hide(&mut self, kind: Kind, value: &str) -> Result<(), LeftOut> {
        let Some(decision) = self.plan.of_kind(kind) else { return Ok(()) };
        self.redactor.count(kind);
        if decision.action == Action::DropRecord {
            return Err(LeftOut(decision.rule.clone()));
        }
        let marker = self.marker(kind.name(), Some(kind), decision.action, value);
        self.known.hide(value, &marker);
        Ok(())
    }

    pub(crate) fn into_known(self) -> Known {
        self.known
    }

    pub(crate) fn record(&mut self, record: &mut Record<'_>) -> Result<(), LeftOut> {
        self.attributes("", &mut record.attributes)?;
        record.dropped_attributes = record.dropped_attributes.saturating_add(std::mem::take(&mut self.gone));
        if self.known.bytes > KNOWN_BYTES {
            record.body = Value::Str(marker("body", None).into());
            record.original = record.original.as_ref().map(|_| marker("original", None).into());
            return Ok(());
        }
        let hidden = self.automaton();
        if self.value("", &mut record.body, hidden.as_ref())? == Fate::Goes {
            record.body = Value::Null;
        }
        for text in [&mut record.severity_text, &mut record.event_name] {
            self.replace(text, hidden.as_ref())?;
        }
        if let Some(original) = &mut record.original {
            self.replace(original, hidden.as_ref())?;
        }
        Ok(())
    }

    /// The resource without what is in it; `None` if there is nothing.
    pub(crate) fn resource(&mut self, resource: &Resource) -> Result<Option<Arc<Resource>>, LeftOut> {
        let mut attributes = resource.attributes().clone();
        self.attributes("", &mut attributes)?;
        let gone = std::mem::take(&mut self.gone);
        let mut scope: Scope = resource.scope().clone();
        self.attributes("", &mut scope.attributes)?;
        scope.dropped_attributes = scope.dropped_attributes.saturating_add(std::mem::take(&mut self.gone));
        let mut schema_url = resource.schema_url().to_owned();
        for text in [&mut scope.name, &mut scope.version, &mut scope.schema_url, &mut schema_url] {
            if let Some(new) = self.text(text, None)? {
                *text = new;
            }
        }
        let dropped = resource.dropped_attributes().saturating_add(gone);
        Ok(self.changed.then(|| Resource::new(attributes, dropped, schema_url, scope)))
    }

    fn replace(&mut self, text: &mut Cow<'_, str>, hidden: Option<&AhoCorasick>) -> Result<(), LeftOut> {
        if let Some(new) = self.text(text, hidden)? {
            *text = Cow::Owned(new);
        }
        Ok(())
    }

    fn attributes(&mut self, above: &str, attributes: &mut Attributes<'_>) -> Result<(), LeftOut> {
        let mut left_out = None;
        attributes.retain_mut(|(name, value)| {
            if left_out.is_some() {
                return true;
            }
            match self.attribute(above, name, value) {
                Ok(fate) => {
                    self.gone += u32::from(fate == Fate::Goes);
                    self.changed |= fate == Fate::Goes;
                    fate == Fate::Stays
                }
                Err(policy) => {
                    left_out = Some(policy);
                    true
                }
            }
        });
        left_out.map_or(Ok(()), Err)
    }

    fn attribute(&mut self, above: &str, name: &mut Cow<'_, str>, value: &mut Value<'_>) -> Result<Fate, LeftOut> {
        let path = path(above, name).into_owned();
        let fate = match self.plan.of_field(&path).cloned() {
            Some(decision) => self.decided(&path, value, &decision)?,
            None => self.value(&path, value, None)?,
        };
        if fate == Fate::Stays {
            self.replace(name, None)?;
        }
        Ok(fate)
    }

    /// A field that a rule names.
    fn decided(&mut self, name: &str, value: &mut Value<'_>, decision: &Decision) -> Result<Fate, LeftOut> {
        let label = label_of_field(name);
        match decision.action {
            Action::Keep => leaves(value, &mut |text| self.known.keep(text)),
            Action::DropRecord => return Err(LeftOut(decision.rule.clone())),
            Action::DropField => {
                let marker = marker(&label, None);
                leaves(value, &mut |text| self.known.hide(text, &marker));
                return Ok(Fate::Goes);
            }
            Action::Mask | Action::Hash if value.is_null() => {}
            Action::Mask | Action::Hash => {
                let whole = self.marker(&label, None, decision.action, &shown(value));
                // A resource comes again with every record that has it, and a record with every retry.
                if value.as_str().is_some_and(|text| is_our_marker(text, &label)) {
                    return Ok(Fate::Stays);
                }
                leaves(value, &mut |text| self.known.hide(text, &whole));
                *value = Value::Str(whole.into());
                self.changed = true;
            }
        }
        Ok(Fate::Stays)
    }

    fn marker(&self, label: &str, kind: Option<Kind>, action: Action, value: &str) -> String {
        let hash = (action == Action::Hash).then(|| self.key.hash(kind, value));
        marker(label, hash.as_deref())
    }

    fn value(&mut self, name: &str, value: &mut Value<'_>, hidden: Option<&AhoCorasick>) -> Result<Fate, LeftOut> {
        let text = match value {
            Value::Null | Value::Bool(_) | Value::Double(_) => return Ok(Fate::Stays),
            Value::Array(values) => {
                let mut fates = Vec::with_capacity(values.len());
                for value in values.iter_mut() {
                    fates.push(self.value(name, value, hidden)?);
                }
                let mut fates = fates.into_iter();
                values.retain(|_| fates.next() != Some(Fate::Goes));
                return Ok(Fate::Stays);
            }
            Value::Map(pairs) => {
                self.attributes(name, pairs)?;
                return Ok(Fate::Stays);
            }
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text.to_owned()),
                Err(_) => return Ok(Fate::Stays),
            },
            Value::Str(text) => Cow::Borrowed(&**text),
        };
        let (patches, fate) = self.field(name, &text, hidden)?;
        if fate == Fate::Stays && !patches.is_empty() {
            let new = apply(&text, patches);
            self.changed = true;
            *value = match value {
                Value::Bytes(_) => Value::Bytes(new.into_bytes().into()),
                _ => Value::Str(new.into()),
            };
        }
        Ok(fate)
    }

    /// What is found in a field, whose name may say what it holds.
    fn field(&mut self, name: &str, text: &str, hidden: Option<&AhoCorasick>) -> Result<(Vec<Patch>, Fate), LeftOut> {
        let mut patches = Vec::new();
        let mut fate = Fate::Stays;
        if !name.is_empty() {
            for one in self.named(name, text) {
                let value = text.get(one.start..one.end).unwrap_or_default();
                fate = self.found(one, value, 0, &mut patches)?.unwrap_or(fate);
            }
        }
        let mut all = Vec::new();
        search(&self.redactor.scanner, text, self.plan.wanted, |one, value, layer| {
            all.push((one, value.to_owned(), layer));
        });
        for (one, value, layer) in all {
            fate = self.found(one, &value, layer, &mut patches)?.unwrap_or(fate);
        }
        // A text is no field that could go.
        if name.is_empty() {
            fate = Fate::Stays;
            self.patch_known(text, hidden, &mut patches);
        } else {
            for patch in &patches {
                self.known.hide(text.get(patch.start..patch.end).unwrap_or_default(), &patch.marker);
            }
        }
        Ok((patches, fate))
    }

    /// What is found where the name stands before the text.
    fn named(&self, name: &str, text: &str) -> Vec<Found> {
        let mut both = [name.as_bytes(), &[FIELD], text.as_bytes()].concat();
        let start = name.len() + 1;
        both[start..].iter_mut().filter(|byte| [FIELD, END].contains(byte)).for_each(|byte| *byte = b' ');
        let mut found = Vec::new();
        self.redactor.scanner.scan(&both, self.plan.wanted, &mut found);
        found.retain(|one| one.start >= start);
        found.into_iter().map(|one| Found { start: one.start - start, end: one.end - start, ..one }).collect()
    }

    /// Adds the patch for something found. `Some` if the field is to go.
    fn found(
        &mut self,
        one: Found,
        value: &str,
        layer: usize,
        patches: &mut Vec<Patch>,
    ) -> Result<Option<Fate>, LeftOut> {
        let Some(decision) = self.plan.of_kind(one.kind).filter(|_| !self.known.is_kept(value)) else {
            return Ok(None);
        };
        self.redactor.count(one.kind);
        if decision.action == Action::DropRecord {
            return Err(LeftOut(decision.rule.clone()));
        }
        let marker = self.marker(one.kind.name(), Some(one.kind), decision.action, value);
        patches.push(Patch { start: one.start, end: one.end, marker, rank: rank(one.kind, layer) });
        Ok((decision.action == Action::DropField).then_some(Fate::Goes))
    }

    /// The text without what is in it; `None` if there is nothing.
    fn text(&mut self, text: &str, hidden: Option<&AhoCorasick>) -> Result<Option<String>, LeftOut> {
        let (patches, _) = self.field("", text, hidden)?;
        if patches.is_empty() {
            return Ok(None);
        }
        self.changed = true;
        Ok(Some(apply(text, patches)))
    }

    fn automaton(&self) -> Option<AhoCorasick> {
        let values = self.known.hidden.iter().map(|(value, _)| value);
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest);
        if self.known.hidden.is_empty() { None } else { builder.build(values).ok() }
    }

    /// Adds patches where values of hidden fields stand by themselves, under any layer of escapes.
    fn patch_known(&self, text: &str, hidden: Option<&AhoCorasick>, patches: &mut Vec<Patch>) {
        let Some(hidden) = hidden else { return };
        let mut layers = Layers::of(text.as_bytes());
        loop {
            let bytes = layers.bytes();
            for found in hidden.find_iter(bytes) {
                let (start, end) = (found.start(), found.end());
                let joins = |outer: Option<u8>, inner: u8| is_word(inner) && outer.is_some_and(is_word);
                if joins(before(bytes, start), bytes[start]) || joins(bytes.get(end).copied(), bytes[end - 1]) {
                    continue;
                }
                let marker = self.known.hidden[found.pattern().as_usize()].1.clone();
                patches.push(Patch { start: layers.place(start), end: layers.place(end), marker, rank: RANK_KNOWN });
            }
            if !layers.undo() {
                return;
            }
        }
    }
}

fn is_our_marker(text: &str, label: &str) -> bool {
    let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    inside.strip_prefix("redacted:") == Some(label)
        || inside.strip_prefix(label).and_then(|rest| rest.strip_prefix(':')).is_some_and(is_hash)
}

/// Calls `each` with every text and number in a value.
fn leaves(value: &Value<'_>, each: &mut dyn FnMut(&str)) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Int(_) | Value::Double(_) | Value::Bytes(_) => each(&shown(value)),
        Value::Str(text) => each(text),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, each)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| leaves(value, each)),
    }
}

/// A value as text, as in a document.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => text.clone().into_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        value => {
            let mut out = String::new();
            logkeep_record::json::write(value, &mut out);
            out
        }
    }
}

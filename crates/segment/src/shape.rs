//! The ordered keys and types of a record's attributes, stored once per distinct list.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use logkeep_record::Value;

use crate::columns::{AttributeColumn, ValueType};
use crate::layout::{HasToken, Layout, Word};

/// The tables that the numbers of rows point into, but for the streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forms {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) layouts: Vec<Layout>,
}

impl Forms {
    /// Whether some original may write `word` where no field of its record has it.
    pub(crate) fn may_reword(&self, word: Word<'_>, has_token: HasToken<'_>) -> bool {
        self.layouts.iter().any(|layout| layout.may_reword(word, has_token))
    }
}

/// Keys of which a row may have values outside the flat columns.
pub type OverflowKeys = HashSet<Arc<str>>;

/// The keys that some shape has twice with one type, or that have no column in `schema`.
pub(crate) fn overflow_keys(shapes: &[Shape], schema: &Schema) -> OverflowKeys {
    let parsed = schema.fields().iter().filter_map(|field| AttributeColumn::parse(field.name()));
    let columns: HashSet<(&str, ValueType)> = parsed.map(|column| (column.key, column.kind)).collect();
    let mut keys = OverflowKeys::new();
    for shape in shapes {
        let mut seen = HashSet::with_capacity(shape.slots.len());
        for slot in shape.slots.iter().filter(|slot| slot.kind != ValueType::Null) {
            let place = (&*slot.key, slot.kind);
            if !seen.insert(place) || !columns.contains(&place) {
                keys.insert(slot.key.clone());
            }
        }
    }
    keys
}

/// One place in a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) kind: ValueType,
    pub(crate) key: Arc<str>,
}

/// The slots of one shape, in the sender's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) slots: Vec<Slot>,
}

impl Shape {
    pub(crate) fn of(attributes: &logkeep_record::Attributes<'_>) -> Self {
        let slot = |(key, value): &(std::borrow::Cow<'_, str>, Value<'_>)| Slot {
            kind: ValueType::of(value),
            key: Arc::from(&**key),
        };
        Self { slots: attributes.iter().map(slot).collect() }
    }

    pub(crate) fn fits(&self, attributes: &logkeep_record::Attributes<'_>) -> bool {
        self.slots.len() == attributes.len()
            && self
                .slots
                .iter()
                .zip(attributes)
                .all(|(slot, (key, value))| slot.kind == ValueType::of(value) && *slot.key == **key)
    }

    /// One type letter, the length of the key as u32 LE and the key, for each slot.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for slot in &self.slots {
            out.push(slot.kind as u8);
            out.extend_from_slice(&(slot.key.len() as u32).to_le_bytes());
            out.extend_from_slice(slot.key.as_bytes());
        }
        out
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut slots = Vec::new();
        while let Some((letter, rest)) = bytes.split_first() {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            let key = std::str::from_utf8(key).ok()?;
            slots.push(Slot { kind: ValueType::from_letter(*letter)?, key: key.into() });
            bytes = rest;
        }
        Some(Self { slots })
    }
}

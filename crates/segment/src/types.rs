//! Which types the values of a key have, over all rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use logkeep_record::{Resource, Value};

use crate::columns::{AttributeColumn, ValueType};

/// Every key of attributes of records, resources and scopes, with the types of its values.
pub type AttributeTypes = BTreeMap<String, ValueTypes>;

/// A set of types; null is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueTypes(u8);

impl ValueTypes {
    const ALL: [ValueType; 6] =
        [ValueType::Bool, ValueType::Int, ValueType::Double, ValueType::Str, ValueType::Bytes, ValueType::Nested];

    /// Adds a type.
    pub fn add(&mut self, kind: ValueType) {
        if let Some(place) = Self::ALL.iter().position(|known| *known == kind) {
            self.0 |= 1 << place;
        }
    }

    /// The types in it, always in the same order.
    pub fn iter(self) -> impl Iterator<Item = ValueType> {
        Self::ALL.into_iter().enumerate().filter(move |(place, _)| self.0 & (1 << place) != 0).map(|(_, kind)| kind)
    }
}

pub(crate) fn attribute_types(schema: &Schema, streams: &[Arc<Resource>]) -> AttributeTypes {
    let mut types = AttributeTypes::new();
    let mut add = |key: &str, kind: ValueType| match types.get_mut(key) {
        Some(types) => types.add(kind),
        None => {
            let mut new = ValueTypes::default();
            new.add(kind);
            types.insert(key.to_owned(), new);
        }
    };
    for field in schema.fields() {
        if let Some(column) = AttributeColumn::parse(field.name()) {
            add(column.key, column.kind);
        }
    }
    for stream in streams {
        let pairs = stream.attributes().iter().chain(&stream.scope().attributes);
        pairs.filter(|(_, value)| *value != Value::Null).for_each(|(key, value)| add(key, ValueType::of(value)));
    }
    types
}

//! The columns users know: fixed ones, and one for each attribute by its own name, wherever it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use logkeep_segment::{ValueType, ValueTypes};

use super::QueryError;
use super::chunk::Source;

/// A fixed column of the tables `logs` and `audit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    Id,
    Time,
    Received,
    Observed,
    Severity,
    SeverityNumber,
    SeverityText,
    Body,
    Original,
    TraceId,
    SpanId,
    Flags,
    EventName,
    ScopeName,
}

impl Fixed {
    pub(crate) const ALL: &[(&'static str, Self)] = &[
        ("id", Self::Id),
        ("time", Self::Time),
        ("received", Self::Received),
        ("observed", Self::Observed),
        ("severity", Self::Severity),
        ("severity_number", Self::SeverityNumber),
        ("severity_text", Self::SeverityText),
        ("body", Self::Body),
        ("original", Self::Original),
        ("trace_id", Self::TraceId),
        ("span_id", Self::SpanId),
        ("flags", Self::Flags),
        ("event_name", Self::EventName),
        ("scope_name", Self::ScopeName),
    ];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Time | Self::Received | Self::Observed => {
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
            }
            Self::SeverityNumber => DataType::UInt8,
            Self::Flags => DataType::UInt32,
            _ => DataType::Utf8,
        }
    }
}

/// A column as users know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Fixed(Fixed),
    Attribute { key: String, data_type: DataType },
}

impl Column {
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Fixed(fixed) => fixed.data_type(),
            Self::Attribute { data_type, .. } => data_type.clone(),
        }
    }
}

/// The columns of a table, over the sources of one query.
#[derive(Clone, Debug)]
pub(crate) struct TableSchema {
    pub(crate) columns: Vec<Column>,
    pub(crate) arrow: SchemaRef,
}

impl TableSchema {
    pub(crate) fn of(sources: &[Source]) -> Result<Self, QueryError> {
        let mut columns: Vec<(String, Column)> =
            Fixed::ALL.iter().map(|(name, fixed)| ((*name).to_owned(), Column::Fixed(*fixed))).collect();
        for (key, types) in attribute_types(sources)? {
            // An attribute that is called like a fixed column goes by its longer name.
            let taken = Fixed::ALL.iter().any(|(name, _)| *name == key);
            let name = if taken { format!("attributes.{key}") } else { key.clone() };
            columns.push((name, Column::Attribute { key, data_type: data_type(types) }));
        }
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(name, column.data_type(), true)).collect();
        Ok(Self {
            columns: columns.into_iter().map(|(_, column)| column).collect(),
            arrow: Arc::new(Schema::new(fields)),
        })
    }
}

/// The narrowest type that shows values of all these types: text for a mixture.
fn data_type(types: ValueTypes) -> DataType {
    let kinds: Vec<ValueType> = types.iter().collect();
    match kinds.as_slice() {
        [ValueType::Bool] => DataType::Boolean,
        [ValueType::Int] => DataType::Int64,
        [ValueType::Double] | [ValueType::Int, ValueType::Double] => DataType::Float64,
        _ => DataType::Utf8,
    }
}

/// Every attribute key of any source (of record, resource or scope) with the types of its values.
fn attribute_types(sources: &[Source]) -> Result<BTreeMap<String, ValueTypes>, QueryError> {
    let mut all: BTreeMap<String, ValueTypes> = BTreeMap::new();
    for source in sources {
        for (key, types) in source.attribute_types()?.iter() {
            match all.get_mut(key) {
                Some(known) => types.iter().for_each(|kind| known.add(kind)),
                None => drop(all.insert(key.clone(), *types)),
            }
        }
    }
    Ok(all)
}

//! The filter language on columns.
//!
//! Says the same as [`kql::Compiled::matches`] for every row (a property test holds the two together), but looks only at
//! the columns the filter names, and at each distinct neighbour once. Where a value may lie outside the flat columns
//! (overflow, nested maps), the whole record is put together and asked.

use arrow::array::{Array, ArrayRef, AsArray as _, FixedSizeBinaryArray, StringArray};
use arrow::datatypes::{Int64Type, SchemaRef, UInt8Type, UInt32Type};
use logkeep_record::{Severity, SpanId, TraceId, Value};
use logkeep_segment::{AttributeColumn, OverflowKeys, ValueType, column_value, fixed};

use super::chunk::{Chunk, Source, Wanted, attribute_columns, may_be_nested, overflows};
use super::{QueryError, text};
use crate::kql::fields::{Builtin, Place, Target};
use crate::kql::{Compiled, Node, Test, find};

/// A filter made ready for one source.
#[derive(Clone, Copy)]
pub(crate) struct Filter<'a> {
    node: &'a Node,
    /// Whether records must be put together to decide.
    whole_records: bool,
}

impl<'a> Filter<'a> {
    /// Prepares `compiled` for a source, adding the columns it needs to `wanted`.
    pub(crate) fn prepare(compiled: &'a Compiled, source: &Source, wanted: &mut Wanted) -> Result<Self, QueryError> {
        let schema = source.schema()?;
        let overflow_keys = source.overflow_keys()?;
        let whole_records = needs_records(&compiled.node, &schema, &overflow_keys);
        if whole_records {
            wanted.extend(schema.fields().iter().map(|field| field.name().clone()));
        } else {
            columns_of(&compiled.node, source, &schema, wanted)?;
        }
        Ok(Self { node: &compiled.node, whole_records })
    }

    /// Clears `alive[row]` for every row that does not match.
    pub(crate) fn apply(&self, chunk: &Chunk<'_>, alive: &mut [bool]) -> Result<(), QueryError> {
        if self.whole_records {
            for (row, alive) in alive.iter_mut().enumerate().filter(|(_, alive)| **alive) {
                *alive = self.node.matches(&chunk.rows.record(row)?);
            }
            return Ok(());
        }
        restrict(self.node, chunk, alive)
    }
}

fn needs_records(node: &Node, schema: &SchemaRef, overflow: &OverflowKeys) -> bool {
    match node {
        Node::All => false,
        Node::And(parts) | Node::Or(parts) => parts.iter().any(|part| needs_records(part, schema, overflow)),
        Node::Not(inner) => needs_records(inner, schema, overflow),
        Node::Text(_) | Node::Field(Target::Builtin(_), _) => false,
        Node::Field(Target::Attribute(sources), _) => {
            let mut own = sources.iter().filter(|source| source.place == Place::Record);
            own.any(|source| overflows(overflow, &source.name) || may_be_nested(schema, &source.name))
        }
    }
}

fn columns_of(node: &Node, source: &Source, schema: &SchemaRef, wanted: &mut Wanted) -> Result<(), QueryError> {
    match node {
        Node::All => {}
        Node::And(parts) | Node::Or(parts) => {
            parts.iter().try_for_each(|part| columns_of(part, source, schema, wanted))?;
        }
        Node::Not(inner) => columns_of(inner, source, schema, wanted)?,
        Node::Text(matcher) => wanted.extend(text::columns(matcher, source, schema)?),
        // Originals are written anew from all columns.
        Node::Field(Target::Builtin(Builtin::Original), _) => {
            wanted.extend(schema.fields().iter().map(|field| field.name().clone()));
        }
        Node::Field(Target::Builtin(builtin), _) => {
            wanted.extend(builtin_columns(*builtin).iter().map(|name| (*name).to_owned()));
        }
        Node::Field(Target::Attribute(sources), _) => {
            wanted.insert(fixed::STREAM.to_owned());
            for source in sources.iter().filter(|source| source.place == Place::Record) {
                wanted.extend(attribute_columns(schema, &source.name).map(str::to_owned));
            }
        }
    }
    Ok(())
}

fn builtin_columns(builtin: Builtin) -> &'static [&'static str] {
    match builtin {
        Builtin::Original => &[],
        Builtin::Body => &[fixed::BODY, fixed::BODY_VALUE],
        Builtin::Severity | Builtin::SeverityNumber => &[fixed::SEVERITY],
        Builtin::SeverityText => &[fixed::SEVERITY_TEXT],
        Builtin::TraceId => &[fixed::TRACE_ID],
        Builtin::SpanId => &[fixed::SPAN_ID],
        Builtin::EventName => &[fixed::EVENT_NAME],
        Builtin::ScopeName | Builtin::ScopeVersion => &[fixed::STREAM],
        Builtin::Time => &[fixed::TIME],
        Builtin::Received => &[fixed::RECEIVED],
    }
}

/// Clears what does not match; rows that are cleared already are not looked at.
fn restrict(node: &Node, chunk: &Chunk<'_>, alive: &mut [bool]) -> Result<(), QueryError> {
    match node {
        Node::All => {}
        Node::And(parts) => parts.iter().try_for_each(|part| restrict(part, chunk, alive))?,
        Node::Or(parts) => {
            let mut matched = vec![false; alive.len()];
            for part in parts {
                let mut rest: Vec<bool> =
                    alive.iter().zip(&matched).map(|(alive, matched)| *alive && !matched).collect();
                restrict(part, chunk, &mut rest)?;
                matched.iter_mut().zip(&rest).for_each(|(matched, new)| *matched |= new);
            }
            alive.copy_from_slice(&matched);
        }
        Node::Not(inner) => {
            let mut matched = alive.to_vec();
            restrict(inner, chunk, &mut matched)?;
            alive.iter_mut().zip(&matched).for_each(|(alive, matched)| *alive &= !matched);
        }
        Node::Text(matcher) => text::search(matcher, chunk, alive)?,
        Node::Field(Target::Builtin(builtin), test) => builtin_field(*builtin, test, chunk, alive)?,
        Node::Field(Target::Attribute(sources), test) => attribute_field(sources, test, chunk, alive)?,
    }
    Ok(())
}

fn builtin_field(builtin: Builtin, test: &Test, chunk: &Chunk<'_>, alive: &mut [bool]) -> Result<(), QueryError> {
    let mut found = vec![false; alive.len()];
    let not_empty = |value: &Value<'_>| value.as_str() != Some("") && test.accepts(value);
    let mut text = |name: &str, check: &mut dyn FnMut(&Value<'_>) -> bool, kind: ValueType| {
        each_value(chunk.column(name)?, kind, alive, check, |row, matched| found[row] |= matched)
    };
    match builtin {
        Builtin::Body => {
            text(fixed::BODY, &mut |value| test.accepts(value), ValueType::Str)?;
            text(fixed::BODY_VALUE, &mut |value| test.accepts(value), ValueType::Nested)?;
        }
        Builtin::Original => {
            text(fixed::ORIGINAL, &mut |value| test.accepts(value), ValueType::Str)?;
            for row in (0..alive.len()).filter(|row| alive[*row]) {
                found[row] |= text::written_original(chunk, row)?.is_some_and(|text| test.accepts(&Value::str(&text)));
            }
        }
        Builtin::SeverityText => text(fixed::SEVERITY_TEXT, &mut |value| not_empty(value), ValueType::Str)?,
        Builtin::EventName => text(fixed::EVENT_NAME, &mut |value| not_empty(value), ValueType::Str)?,
        Builtin::Severity | Builtin::SeverityNumber => {
            let accepted: Vec<bool> = (0..=24).map(|number| accepts_severity(builtin, test, number)).collect();
            let column = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>();
            found.iter_mut().zip(column.values()).for_each(|(found, number)| {
                *found = accepted.get(usize::from(*number)).copied().unwrap_or_default();
            });
        }
        Builtin::TraceId => {
            each_id(chunk.column(fixed::TRACE_ID)?, |row, id| found[row] = alive[row] && not_empty(&Value::str(id)))
        }
        Builtin::SpanId => {
            each_id(chunk.column(fixed::SPAN_ID)?, |row, id| found[row] = alive[row] && not_empty(&Value::str(id)))
        }
        Builtin::ScopeName | Builtin::ScopeVersion => {
            let scope = |stream: &logkeep_record::Resource| {
                let scope = stream.scope();
                not_empty(&Value::str(if builtin == Builtin::ScopeName { &scope.name } else { &scope.version }))
            };
            let accepted: Vec<bool> = chunk.rows.streams().iter().map(|stream| scope(stream)).collect();
            let column = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>();
            found.iter_mut().zip(column.values()).for_each(|(found, stream)| *found = accepted[*stream as usize]);
        }
        Builtin::Time | Builtin::Received => {
            let name = if builtin == Builtin::Time { fixed::TIME } else { fixed::RECEIVED };
            let column = chunk.column(name)?.as_primitive::<Int64Type>();
            found.iter_mut().zip(column.values()).for_each(|(found, time)| *found = test.accepts_time(*time));
        }
    }
    alive.iter_mut().zip(found).for_each(|(alive, found)| *alive &= found);
    Ok(())
}

fn accepts_severity(builtin: Builtin, test: &Test, number: u8) -> bool {
    match builtin {
        Builtin::SeverityNumber => number != 0 && test.accepts(&Value::Int(number.into())),
        _ => test.accepts_severity(Severity::from_number(number.into())),
    }
}

/// The first source in which a row has a value decides.
fn attribute_field(
    sources: &[crate::kql::fields::Source],
    test: &Test,
    chunk: &Chunk<'_>,
    alive: &mut [bool],
) -> Result<(), QueryError> {
    let mut decided: Vec<bool> = alive.iter().map(|alive| !alive).collect();
    let mut matched = vec![false; alive.len()];
    let stream_of = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>();
    for source in sources {
        if source.place == Place::Record {
            let mut has = vec![false; alive.len()];
            let open: Vec<bool> = decided.iter().map(|decided| !decided).collect();
            for name in attribute_columns(chunk.rows.table().schema_ref(), &source.name) {
                let Some(AttributeColumn { kind, .. }) = AttributeColumn::parse(name) else { continue };
                each_value(chunk.column(name)?, kind, &open, &mut |value| test.accepts(value), |row, accepted| {
                    has[row] = true;
                    matched[row] |= accepted;
                })?;
            }
            decided.iter_mut().zip(has).for_each(|(decided, has)| *decided |= has);
            continue;
        }
        let answers: Vec<Option<bool>> =
            chunk.rows.streams().iter().map(|stream| stream_accepts(stream, source, test)).collect();
        for row in (0..alive.len()).filter(|row| !decided[*row]).collect::<Vec<_>>() {
            if let Some(accepted) = answers[stream_of.value(row) as usize] {
                decided[row] = true;
                matched[row] = accepted;
            }
        }
    }
    alive.iter_mut().zip(matched).for_each(|(alive, matched)| *alive &= matched);
    Ok(())
}

/// `None` if the stream has no value there.
fn stream_accepts(stream: &logkeep_record::Resource, source: &crate::kql::fields::Source, test: &Test) -> Option<bool> {
    let attributes = if source.place == Place::Resource { stream.attributes() } else { &stream.scope().attributes };
    let mut has = false;
    let accepted = find(attributes, &source.name, &mut |value| {
        has |= !value.is_null();
        test.accepts(value)
    });
    has.then_some(accepted)
}

/// Asks `check` of each non-null value of the rows marked in `wanted`, and hands the answers to `tell`. Equal
/// neighbours are asked once.
pub(super) fn each_value(
    column: &ArrayRef,
    kind: ValueType,
    wanted: &[bool],
    check: &mut dyn FnMut(&Value<'_>) -> bool,
    mut tell: impl FnMut(usize, bool),
) -> Result<(), QueryError> {
    if let (ValueType::Str, Some(texts)) = (kind, column.as_any().downcast_ref::<StringArray>()) {
        let mut last: Option<(&str, bool)> = None;
        for row in (0..texts.len()).filter(|row| texts.is_valid(*row)) {
            if wanted[row] {
                let text = texts.value(row);
                let answer = match last {
                    Some((same, answer)) if same == text => answer,
                    _ => check(&Value::str(text)),
                };
                last = Some((text, answer));
                tell(row, answer);
            }
        }
        return Ok(());
    }
    for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
        if wanted[row] {
            tell(row, check(&value_at(column, kind, row)?));
        }
    }
    Ok(())
}

/// A non-null value of a column.
pub(crate) fn value_at(column: &ArrayRef, kind: ValueType, row: usize) -> Result<Value<'_>, QueryError> {
    column_value(column, kind, row).ok_or_else(other_values)
}

pub(super) fn other_values() -> QueryError {
    QueryError::Internal("a column holds other values than its name says".into())
}

/// Calls `each` with every id that is there, in base 16.
pub(super) fn each_id(column: &ArrayRef, mut each: impl FnMut(usize, &str)) {
    let Some(ids) = column.as_any().downcast_ref::<FixedSizeBinaryArray>() else { return };
    for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
        if let Some(text) = id_text(ids.value(row)) {
            each(row, &text);
        }
    }
}

/// A trace or span id in base 16; `None` for all zeroes and other lengths.
pub(crate) fn id_text(id: &[u8]) -> Option<String> {
    match id.len() {
        16 => TraceId::new(id.try_into().ok()?).map(|id| id.to_string()),
        8 => SpanId::new(id.try_into().ok()?).map(|id| id.to_string()),
        _ => None,
    }
}

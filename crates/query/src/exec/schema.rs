//! The columns users know: fixed ones, and one for each attribute by its own name, wherever it is stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use logkeep_ingest::SegmentHandle;
use logkeep_record::span;
use logkeep_segment::{AttributeTypes, ValueType, ValueTypes};
use parking_lot::Mutex;

use super::QueryError;
use super::at_once::at_once;
use super::calls::Part;
use super::chunk::{Place, Source};
use super::named::Named;
use super::scan::{Dataset, Scan};
use crate::mask::Mask;

/// A column that is made from the fixed parts of a record.
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
    /// The trace id as it is stored.
    TraceIdBytes,
    /// The span id as it is stored.
    SpanIdBytes,
    Flags,
    EventName,
    ScopeName,
    /// The id of the message template.
    TemplateId,
    /// The message template.
    Template,
    /// When a span ended.
    End,
    /// How long a span took, in milliseconds.
    DurationMs,
}

/// Name of the column of [`Fixed::Time`].
pub(crate) const TIME: &str = "time";

impl Fixed {
    /// Those of the tables `logs` and `audit`.
    const OF_RECORDS: &[(&'static str, Self)] = &[
        ("id", Self::Id),
        (TIME, Self::Time),
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

    /// Those that only the table `logs` has: what they say must be found out, so nothing but SQL knows them.
    const OF_TEMPLATES: &[(&'static str, Self)] = &[("template_id", Self::TemplateId), ("template", Self::Template)];

    /// Those of the table `spans`.
    const OF_SPANS: &[(&'static str, Self)] = &[
        ("id", Self::Id),
        (TIME, Self::Time),
        ("end", Self::End),
        ("duration_ms", Self::DurationMs),
        ("received", Self::Received),
        ("trace_id", Self::TraceId),
        ("span_id", Self::SpanId),
        ("flags", Self::Flags),
        ("scope_name", Self::ScopeName),
    ];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Time | Self::End | Self::Received | Self::Observed => {
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
            }
            Self::SeverityNumber => DataType::UInt8,
            Self::Flags => DataType::UInt32,
            Self::TraceIdBytes => DataType::FixedSizeBinary(16),
            Self::SpanIdBytes => DataType::FixedSizeBinary(8),
            Self::DurationMs => DataType::Float64,
            _ => DataType::Utf8,
        }
    }
}

/// A column as users know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Fixed(Fixed),
    Attribute {
        key: String,
        data_type: DataType,
    },
    /// What a record of an access log says of a call.
    Call(Part),
}

impl Column {
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Fixed(fixed) => fixed.data_type(),
            Self::Attribute { data_type, .. } => data_type.clone(),
            Self::Call(part) => part.data_type(),
        }
    }

    /// Whether it is about calls.
    pub(crate) fn is_of_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    /// Whether it is about message templates.
    pub(crate) fn is_of_template(&self) -> bool {
        matches!(self, Self::Fixed(Fixed::TemplateId | Fixed::Template))
    }
}

/// Columns of the table `spans` that are attributes under a shorter name.
const SPAN_ATTRIBUTES: &[(&str, &str)] = &[
    ("parent_span_id", span::name::PARENT_ID),
    ("name", span::name::NAME),
    ("kind", span::name::KIND),
    ("status_code", span::name::STATUS_CODE),
    ("status_message", span::name::STATUS_MESSAGE),
    ("trace_state", span::name::TRACE_STATE),
    ("events", span::name::EVENTS),
    ("links", span::name::LINKS),
];

/// The columns of a table, over the sources of one query.
#[derive(Clone, Debug)]
pub(crate) struct TableSchema {
    pub(crate) columns: Vec<Column>,
    pub(crate) arrow: SchemaRef,
}

impl TableSchema {
    /// What is masked is a text.
    pub(crate) fn of(dataset: Dataset, sources: &[Source], mask: Option<&Mask>) -> Result<Self, QueryError> {
        Self::with(fixed_columns(dataset), sources, mask)
    }

    /// The same for SQL.
    fn of_table(dataset: Dataset, sources: &[Source], mask: Option<&Mask>) -> Result<Self, QueryError> {
        let mut columns = fixed_columns(dataset);
        if dataset == Dataset::Logs {
            let templates = Fixed::OF_TEMPLATES.iter();
            columns.extend(templates.map(|(name, fixed)| ((*name).to_owned(), Column::Fixed(*fixed))));
        }
        Self::with(columns, sources, mask)
    }

    fn with(mut columns: Vec<(String, Column)>, sources: &[Source], mask: Option<&Mask>) -> Result<Self, QueryError> {
        let fixed = columns.len();
        for (key, mut types) in attribute_types(sources)? {
            if mask.is_some_and(|mask| mask.covers(&key)) {
                types.add(ValueType::Str);
            }
            // An attribute that is called like a fixed column goes by its longer name.
            let taken = columns[..fixed].iter().any(|(name, _)| *name == key);
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

    /// Only the columns that a statement can be about, and the time, so that there is one.
    pub(super) fn narrowed(&self, named: &Named) -> Self {
        self.only(|name, _| name == TIME || named.may_be(name))
    }

    /// All but the columns of message templates.
    pub(super) fn without_templates(&self) -> Self {
        self.only(|_, column| !column.is_of_template())
    }

    fn only(&self, is_kept: impl Fn(&str, &Column) -> bool) -> Self {
        let fields = self.arrow.fields().iter().zip(&self.columns);
        let (fields, columns): (Vec<_>, Vec<_>) = fields
            .filter(|(field, column)| is_kept(field.name(), column))
            .map(|(field, column)| (field.clone(), column.clone()))
            .unzip();
        Self { columns, arrow: Arc::new(Schema::new(fields)) }
    }

    /// Whether the table has this column.
    pub(crate) fn has(&self, fixed: Fixed) -> bool {
        self.columns.contains(&Column::Fixed(fixed))
    }
}

/// The columns a table has whatever is in it.
fn fixed_columns(dataset: Dataset) -> Vec<(String, Column)> {
    let (fixed, attributes) = match dataset {
        Dataset::Logs | Dataset::Audit => (Fixed::OF_RECORDS, &[][..]),
        Dataset::Spans => (Fixed::OF_SPANS, SPAN_ATTRIBUTES),
    };
    let attribute = |key: &str| Column::Attribute { key: key.to_owned(), data_type: DataType::Utf8 };
    let fixed = fixed.iter().map(|(name, fixed)| ((*name).to_owned(), Column::Fixed(*fixed)));
    fixed.chain(attributes.iter().map(|(name, key)| ((*name).to_owned(), attribute(key)))).collect()
}

/// The schemas of the tables that were asked for last: most questions are about the same sources as the one before.
#[derive(Default)]
pub(crate) struct SchemaCache(Mutex<VecDeque<Known>>);

/// The schema of one table.
struct Known {
    dataset: Dataset,
    mask: Option<Arc<Mask>>,
    sources: Vec<Identity>,
    schema: Arc<TableSchema>,
}

impl Known {
    fn is_of(&self, scan: &Scan) -> bool {
        self.dataset == scan.dataset
            && self.mask == scan.view.mask
            && self.sources.len() == scan.sources.len()
            && self.sources.iter().zip(&scan.sources).all(|(one, source)| one.is(source))
    }
}

impl SchemaCache {
    /// Forgets all of them.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Schemas kept.
    const PLACES: usize = 6;

    /// The schema of what `scan` reads, if it is known.
    pub(crate) fn known(&self, scan: &Scan) -> Option<Arc<TableSchema>> {
        self.0.lock().iter().find(|known| known.is_of(scan)).map(|known| known.schema.clone())
    }

    /// The schema of what `scan` reads. Opens segments, blocking, if it is not known.
    pub(crate) fn schema(&self, scan: &Scan) -> Result<Arc<TableSchema>, QueryError> {
        if let Some(schema) = self.known(scan) {
            return Ok(schema);
        }
        open_all(&scan.sources)?;
        let schema = Arc::new(TableSchema::of_table(scan.dataset, &scan.sources, scan.view.mask.as_deref())?);
        let sources = scan.sources.iter().map(Identity::of).collect();
        let mut known = self.0.lock();
        known.truncate(Self::PLACES - 1);
        known.push_front(Known {
            dataset: scan.dataset,
            mask: scan.view.mask.clone(),
            sources,
            schema: schema.clone(),
        });
        Ok(schema)
    }
}

/// Opens the segments among the sources. One that is not in memory waits for the disk four times, so several wait at once.
fn open_all(sources: &[Source]) -> Result<(), QueryError> {
    const WAITING: usize = 8;
    at_once(WAITING, sources, |source| source.attribute_types().map(drop)).map(drop)
}

/// What tells one source from another, without keeping its rows.
enum Identity {
    Live(Arc<AttributeTypes>),
    /// While this is here no other handle can take its address.
    Segment(Weak<SegmentHandle>),
}

impl Identity {
    fn of(source: &Source) -> Self {
        match &source.place {
            Place::Live(rows) => Self::Live(rows.attribute_types().clone()),
            Place::Segment(handle) => Self::Segment(Arc::downgrade(handle)),
        }
    }

    fn is(&self, source: &Source) -> bool {
        match (self, &source.place) {
            (Self::Live(types), Place::Live(rows)) => Arc::ptr_eq(types, rows.attribute_types()),
            (Self::Segment(known), Place::Segment(handle)) => std::ptr::eq(known.as_ptr(), Arc::as_ptr(handle)),
            _ => false,
        }
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

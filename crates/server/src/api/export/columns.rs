//! What a table of records has in its columns.

use std::borrow::Cow;

use logkeep_query::kql::Field;
use logkeep_record::{Attributes, Record, Value, json};

use super::super::ApiError;
use super::super::params::Params;

/// Fields that can be asked for, and how long their names may be, in bytes.
const MOST: usize = 100;
const NAME_BYTES: usize = 256;

/// What stands beside the columns that every table has.
pub(super) enum Columns {
    /// All attributes of the record and of its resource, as two objects of JSON.
    All,
    /// These fields.
    Named(Vec<(String, Field)>),
}

impl Columns {
    pub(super) fn of(params: &Params) -> Result<Self, ApiError> {
        let text = params.text("fields");
        if text.is_empty() {
            return Ok(Self::All);
        }
        let mut fields: Vec<(String, Field)> = Vec::new();
        for name in text.split(',').map(str::trim) {
            let is_named = fields.iter().any(|(named, _)| named == name);
            if name.is_empty() || name.len() > NAME_BYTES || is_named || fields.len() == MOST {
                return Err(ApiError::bad_request(format!(
                    "`fields` must be at most {MOST} names of fields with commas between them, each once and of at most {NAME_BYTES} bytes"
                )));
            }
            fields.push((name.to_owned(), Field::named(name)));
        }
        Ok(Self::Named(fields))
    }

    /// An error if there are columns to choose and somebody did.
    pub(super) fn refuse(&self, why: &str) -> Result<(), ApiError> {
        match self {
            Self::All => Ok(()),
            Self::Named(_) => Err(ApiError::bad_request(format!("{why}: leave out `fields`"))),
        }
    }

    /// An error if one is asked for that is there anyway.
    pub(super) fn check_apart_from(&self, plain: &[&str]) -> Result<(), ApiError> {
        match self.names().iter().find(|name| plain.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(ApiError::bad_request(format!("`fields` has `{name}`, which is a column anyway: leave it out")))
            }
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::All => vec!["attributes".to_owned(), "resource".to_owned()],
            Self::Named(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// What a record has in each.
    pub(super) fn of_record(&self, record: &Record<'_>, each: &mut dyn FnMut(Option<&str>)) {
        match self {
            Self::All => {
                each(Some(&object(&record.attributes)));
                each(Some(&object(record.resource.attributes())));
            }
            Self::Named(fields) => {
                for (_, field) in fields {
                    each(field.of(record).as_ref().map(|value| text(value)).as_deref());
                }
            }
        }
    }
}

fn object(pairs: &Attributes<'_>) -> String {
    let mut out = String::new();
    json::write_object(pairs, &mut out);
    out
}

/// A value as a cell: text as it is, all else as JSON.
pub(super) fn text<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Str(text) => Cow::Borrowed(text),
        other => {
            let mut out = String::new();
            json::write(other, &mut out);
            // Bytes are their digits.
            Cow::Owned(if matches!(other, Value::Bytes(_)) { out.trim_matches('"').to_owned() } else { out })
        }
    }
}

//! Answers to `_bulk`, and errors, in the form that clients read.

use std::borrow::Cow;

use logkeep_record::{Value, json};

use super::{Action, FilterPath, ItemError};

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Stored under this id, its `version`th one (from 1).
    Stored {
        /// The sender's id or ours.
        id: Cow<'a, str>,
        /// 1 for a new id.
        version: u64,
    },
    /// Not stored.
    Failed {
        /// The id the sender gave, if any.
        id: Option<Cow<'a, str>>,
        /// Why.
        error: ItemError,
    },
}

/// The answer to one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAnswer<'a> {
    /// As asked.
    pub action: Action,
    /// As asked.
    pub index: Cow<'a, str>,
    /// What became of it.
    pub outcome: Outcome<'a>,
}

/// The body of the answer to `_bulk`; its HTTP status is 200 even if every item failed. `items` are in request order.
pub fn bulk_answer<'a>(took_ms: u64, items: &[ItemAnswer<'a>], filter: &FilterPath) -> Vec<u8> {
    let errors = items.iter().any(|item| matches!(item.outcome, Outcome::Failed { .. }));
    let mut out = String::with_capacity(64 + items.len() * 96);
    let mut open = '{';
    let mut member = |key: &str, value: Value<'_>, out: &mut String| {
        if let Some(value) = filter.apply_under(key, value) {
            out.push(open);
            open = ',';
            json::write_str(key, out);
            out.push(':');
            json::write(&value, out);
        }
    };
    member("errors", Value::Bool(errors), &mut out);
    member("took", Value::Int(took_ms as i64), &mut out);
    let mut between = "\"items\":[";
    for item in items {
        // Filtered one by one, so that a long answer is never held as a tree.
        if let Some(value) = filter.apply_under("items", item_value(item)) {
            if between.len() > 1 {
                out.push(open);
                open = ',';
            }
            out.push_str(between);
            between = ",";
            json::write(&value, &mut out);
        }
    }
    match (between, open) {
        (",", _) => out.push_str("]}"),
        (_, '{') => out.push_str("{}"),
        _ => out.push('}'),
    }
    out.into_bytes()
}

fn item_value<'b>(item: &'b ItemAnswer<'_>) -> Value<'b> {
    let index = ("_index", Value::str(&item.index));
    let fields = match &item.outcome {
        Outcome::Stored { id, version } => {
            let (result, status) = if *version > 1 { ("updated", 200) } else { ("created", 201) };
            let shards = object([("total", Value::Int(1)), ("successful", Value::Int(1)), ("failed", Value::Int(0))]);
            object([
                index,
                ("_id", Value::str(id)),
                ("_version", Value::Int(*version as i64)),
                ("result", Value::str(result)),
                ("_shards", shards),
                ("status", Value::Int(status)),
            ])
        }
        Outcome::Failed { id, error } => object([
            index,
            ("_id", id.as_deref().map_or(Value::Null, Value::str)),
            ("status", Value::Int(error.status.into())),
            ("error", object([("type", Value::str(error.kind)), ("reason", Value::str(&error.reason))])),
        ]),
    };
    object([(item.action.name(), fields)])
}

/// The body of an answer that is an error as a whole.
pub fn error_body(status: u16, kind: &str, reason: &str) -> Vec<u8> {
    let cause = || [("type", Value::str(kind)), ("reason", Value::str(reason))];
    let [kind, text] = cause();
    let error = object([("root_cause", Value::Array(vec![object(cause())])), kind, text]);
    to_bytes(&object([("error", error), ("status", Value::Int(status.into()))]))
}

/// A JSON object.
pub(super) fn object<'a, const N: usize>(pairs: [(&'a str, Value<'a>); N]) -> Value<'a> {
    Value::Map(pairs.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect())
}

/// As JSON text.
pub(super) fn to_bytes(value: &Value<'_>) -> Vec<u8> {
    let mut out = String::new();
    json::write(value, &mut out);
    out.into_bytes()
}

//! `_bulk`: pairs of lines, an action and a document.
//!
//! The framing is cut into items without looking into the documents; each document is parsed when its record is asked
//! for. A document that is not one fails alone. Only an action line that cannot be read fails the request, because
//! nothing after it can be told apart, and then nothing of the request may be stored (as Elasticsearch does).

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, json, limits};

use crate::ndjson::split_line;
use crate::text::Text;

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store it; a second one with the same id is a new version.
    Index,
    /// Store it; a second one with the same id is a conflict.
    Create,
    /// Change a stored one: refused, records are never changed.
    Update,
    /// Delete a stored one: refused, retention does that.
    Delete,
}

impl Action {
    /// As in the action line and in the answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Index, Self::Create, Self::Update, Self::Delete].into_iter().find(|action| action.name() == name)
    }
}

/// One item of the request, in its place in the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// To be stored, if [`Document::record`] finds a document in it.
    Document(Document<'a>),
    /// To be answered with an error.
    Rejected(Rejected<'a>),
}

/// A document and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'a> {
    /// [`Action::Index`] or [`Action::Create`].
    pub action: Action,
    /// The index or data stream it was sent to.
    pub index: Cow<'a, str>,
    /// Its id, where the sender gave one.
    pub id: Option<Cow<'a, str>>,
    source: &'a [u8],
}

/// An item that was refused without looking at its document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected<'a> {
    /// What was asked for.
    pub action: Action,
    /// The index it was for, empty where none was named.
    pub index: Cow<'a, str>,
    /// The id it was for.
    pub id: Option<Cow<'a, str>>,
    /// What to answer.
    pub error: ItemError,
}

/// An item's error in the form that Elasticsearch's clients read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct ItemError {
    /// HTTP status of this item.
    pub status: u16,
    /// Elasticsearch's `type`.
    pub kind: &'static str,
    /// For people.
    pub reason: String,
}

impl ItemError {
    /// The document can never be stored.
    pub fn document(reason: impl Into<String>) -> Self {
        Self { status: 400, kind: "document_parsing_exception", reason: reason.into() }
    }

    /// `create` of an id that exists. Senders with ids of their own take it for "already stored".
    pub fn conflict(id: &str) -> Self {
        let reason = format!("[{id}]: version conflict, document already exists");
        Self { status: 409, kind: "version_conflict_engine_exception", reason }
    }

    fn append_only(action: Action) -> Self {
        let reason =
            format!("[{}] is not supported: records are never changed; use [create] or [index]", action.name());
        Self { status: 400, kind: "illegal_argument_exception", reason }
    }

    fn index(index: &str) -> Self {
        let (kind, reason) = match index {
            "" => ("action_request_validation_exception", "index is missing".to_owned()),
            _ => {
                let shown: String = index.chars().take(60).collect();
                let what = "must not hold white space or any of \\/*?\"<>|,# or be over 255 bytes";
                ("invalid_index_name_exception", format!("Invalid index name [{shown}], {what}"))
            }
        };
        Self { status: 400, kind, reason }
    }
}

/// A request of which nothing can be stored: answer 400 with [`super::error_body`]; do not retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// Nothing after this line can be told apart.
    #[error("malformed action/metadata line [{line}]: {what}")]
    Action {
        /// Counted from 1.
        line: usize,
        /// What was wrong with it.
        what: String,
    },
    /// There was no action at all.
    #[error("the request body is empty: a bulk request has at least one action line")]
    Empty,
    /// More items than one request may hold.
    #[error("the request has more than {} items; send smaller ones", limits::RECORDS_PER_REQUEST)]
    TooMany,
}

/// Cuts a `_bulk` body into its items. `default_index` is the one named in the path.
///
/// # Errors
/// [`BulkError`]; nothing of the request is to be stored.
pub fn decode<'a>(body: &'a [u8], default_index: Option<&'a str>) -> Result<Vec<Item<'a>>, BulkError> {
    let mut reader = Reader { rest: body, line: 0, default_index, last: None };
    let mut items = Vec::new();
    while let Some(item) = reader.item()? {
        if items.len() == limits::RECORDS_PER_REQUEST {
            return Err(BulkError::TooMany);
        }
        items.push(item);
    }
    if items.is_empty() { Err(BulkError::Empty) } else { Ok(items) }
}

#[derive(Clone)]
struct ActionLine<'a> {
    action: Action,
    index: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
    default_index: Option<&'a str>,
    /// The action line before, because most requests repeat one and the same.
    last: Option<(&'a [u8], ActionLine<'a>)>,
}

impl<'a> Reader<'a> {
    fn next_line(&mut self) -> &'a [u8] {
        self.line += 1;
        split_line(&mut self.rest)
    }

    fn item(&mut self) -> Result<Option<Item<'a>>, BulkError> {
        // Some senders leave an empty line after each document.
        let line = loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let line = self.next_line();
            if !line.trim_ascii().is_empty() {
                break line;
            }
        };
        let ActionLine { action, index, id } = self.action(line)?;
        if action == Action::Delete {
            let error = ItemError::append_only(action);
            return Ok(Some(Item::Rejected(Rejected { action, index, id, error })));
        }
        let source = self.next_line();
        let error = match action {
            Action::Update => ItemError::append_only(action),
            _ if !is_index_name(&index) => ItemError::index(&index),
            _ if source.trim_ascii().is_empty() => ItemError::document("the document is missing"),
            _ => return Ok(Some(Item::Document(Document { action, index, id, source }))),
        };
        Ok(Some(Item::Rejected(Rejected { action, index, id, error })))
    }

    fn action(&mut self, line: &'a [u8]) -> Result<ActionLine<'a>, BulkError> {
        if let Some((last, action)) = &self.last
            && *last == line
        {
            return Ok(action.clone());
        }
        let mut action = parse_action(line).map_err(|what| BulkError::Action { line: self.line, what })?;
        if action.index.is_empty() {
            action.index = Cow::Borrowed(self.default_index.unwrap_or_default());
        }
        self.last = Some((line, action.clone()));
        Ok(action)
    }
}

fn is_index_name(name: &str) -> bool {
    let forbidden =
        |b: u8| matches!(b, b'\\' | b'/' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' | b',' | b'#' | 0..=b' ');
    !name.is_empty() && name.len() <= 255 && !name.bytes().any(forbidden)
}

fn parse_action(line: &[u8]) -> Result<ActionLine<'_>, String> {
    /// Longer ids are refused by Elasticsearch, too; a longer line is no action line.
    const MAX_LINE_BYTES: usize = 16 << 10;
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("it is {} bytes long; an action has at most {MAX_LINE_BYTES}", line.len()));
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let Value::Map(mut pairs) = json::parse(text).map_err(|error| error.to_string())? else {
        return Err("it is not a JSON object".to_owned());
    };
    let (Some((name, parameters)), true) = (pairs.pop(), pairs.is_empty()) else {
        return Err("it must hold exactly one action".to_owned());
    };
    let Some(action) = Action::from_name(&name) else {
        return Err("the action must be one of index, create, update, delete".to_owned());
    };
    let mut read = ActionLine { action, index: Cow::Borrowed(""), id: None };
    let Value::Map(parameters) = parameters else {
        return Err(format!("the parameters of [{}] must be a JSON object", action.name()));
    };
    for (key, value) in parameters {
        match (&*key, value) {
            ("_index", Value::Str(index)) => read.index = index,
            ("_id", Value::Str(id)) => read.id = Some(id),
            ("_id", Value::Int(id)) => read.id = Some(Cow::Owned(id.to_string())),
            ("_index" | "_id", Value::Null) => {}
            ("_index" | "_id", _) => return Err(format!("[{key}] must be a string")),
            _ => {}
        }
    }
    Ok(read)
}

impl<'a> Document<'a> {
    /// The document as it was sent, without its line end.
    pub fn source(&self) -> &'a [u8] {
        self.source
    }

    /// Its record: the document is the body, with its text as the original; index and id are attributes. Bytes that are
    /// not UTF-8 are replaced. A document over `limits::RECORD_BYTES` is cut and is then text.
    ///
    /// # Errors
    /// [`ItemError`] for anything but a JSON object; do not retry.
    pub fn record(&self, received_ns: i64, resource: &Arc<Resource>) -> Result<Record<'a>, ItemError> {
        let text = Text::new(self.source);
        let mut record = Record::new(received_ns, Value::Null, Arc::clone(resource));
        record.attributes.push((Cow::Borrowed("elasticsearch.index"), Value::Str(self.index.clone())));
        if let Some(id) = &self.id {
            record.attributes.push((Cow::Borrowed("elasticsearch.id"), Value::Str(id.clone())));
        }
        text.mark(&mut record.attributes);
        if text.truncated_bytes > 0 {
            record.body = Value::Str(text.text);
            return Ok(record);
        }
        let parsed = match &text.text {
            Cow::Borrowed(text) => json::parse(text),
            Cow::Owned(text) => json::parse(text).map(Value::into_owned),
        };
        match parsed {
            Ok(body @ Value::Map(_)) => record.body = body,
            Ok(_) => return Err(ItemError::document("the document is not a JSON object")),
            Err(error) => return Err(ItemError::document(format!("the document is {error}"))),
        }
        record.original = Some(text.text);
        Ok(record)
    }
}

//! Query strings to values, each with an error that names the parameter.

use std::collections::HashMap;
use std::str::FromStr;

use logkeep_query::Selection;
use logkeep_query::exec::{AskedTemplate, Dataset, Order, PageKey};
use logkeep_query::kql::{Expr, parse};
use logkeep_record::TimeRange;

use super::{ApiError, render};

/// The parameters of one request.
pub(crate) struct Params {
    values: HashMap<String, String>,
    now_ns: i64,
}

impl Params {
    pub(crate) fn new(values: HashMap<String, String>, now_ns: i64) -> Self {
        Self { values, now_ns }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The parameter as a number or other value; `default` where it is absent or empty.
    pub(crate) fn get<T: FromStr>(&self, name: &str, default: T) -> Result<T, ApiError> {
        match self.text(name) {
            "" => Ok(default),
            text => text.parse().map_err(|_| ApiError::bad_request(format!("`{name}` cannot be `{text}`"))),
        }
    }

    /// A count from 1 to `most`.
    pub(crate) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, ApiError> {
        let count = self.get(name, default)?;
        if (1..=most).contains(&count) {
            Ok(count)
        } else {
            Err(ApiError::bad_request(format!("`{name}` is `{count}`; it must be from 1 to {most}")))
        }
    }

    pub(crate) fn filter(&self) -> Result<Expr, ApiError> {
        Ok(parse(self.text("q"))?)
    }

    pub(crate) fn range(&self) -> Result<TimeRange, ApiError> {
        self.range_since("-15m")
    }

    /// What `from` and `to` say; since then if nothing is said.
    pub(crate) fn range_since(&self, since: &str) -> Result<TimeRange, ApiError> {
        let time = |name: &str, default: &str| {
            let text = if self.text(name).is_empty() { default } else { self.text(name) };
            logkeep_query::time::parse(text, self.now_ns)
                .map_err(|error| ApiError::bad_request(format!("`{name}`: {error}")))
        };
        let (from, to) = (time("from", since)?, time("to", "now")?);
        TimeRange::new(from, to).ok_or_else(|| ApiError::bad_request("`to` lies before `from`"))
    }

    /// `dataset`: `logs`, which it is where nothing is said, or `spans`.
    pub(crate) fn dataset(&self) -> Result<Dataset, ApiError> {
        match self.text("dataset") {
            "" | "logs" => Ok(Dataset::Logs),
            "spans" => Ok(Dataset::Spans),
            other => Err(ApiError::bad_request(format!("`dataset` is `{other}`; it must be `logs` or `spans`"))),
        }
    }

    /// `template`: the id or the text of a message template.
    fn template(&self, dataset: Dataset) -> Result<Option<AskedTemplate>, ApiError> {
        match (self.text("template"), dataset) {
            ("", _) => Ok(None),
            (text, Dataset::Logs) => {
                text.parse().map(Some).map_err(|error| ApiError::bad_request(format!("`template`: {error}")))
            }
            _ => Err(ApiError::bad_request("only logs have templates: leave out `template`")),
        }
    }

    /// What `q`, `from`, `to` and `template` select.
    pub(crate) fn selection(&self, dataset: Dataset) -> Result<Selection, ApiError> {
        Ok(Selection { dataset, filter: self.filter()?, range: self.range()?, template: self.template(dataset)? })
    }

    /// `order`: `desc`, newest first, which it is where nothing is said, or `asc`.
    pub(crate) fn order(&self) -> Result<Order, ApiError> {
        match self.text("order") {
            "" | "desc" => Ok(Order::Descending),
            "asc" => Ok(Order::Ascending),
            other => Err(ApiError::bad_request(format!("`order` is `{other}`; it must be `asc` or `desc`"))),
        }
    }

    /// Where a page begins: behind the `next` of the one before.
    pub(crate) fn after(&self) -> Result<Option<PageKey>, ApiError> {
        let key = |text| {
            render::parse_cursor(text).ok_or_else(|| ApiError::bad_request("`after` is not the `next` of a page"))
        };
        Some(self.text("after")).filter(|text| !text.is_empty()).map(key).transpose()
    }

    /// What the audit trail says was asked for.
    pub(crate) fn subject(&self, what: &str) -> Vec<(&'static str, String)> {
        self.subject_of(what, self.text("q").to_owned())
    }

    /// The same of a question whose filter is made of more than `q`.
    pub(crate) fn subject_of(&self, what: &str, query: String) -> Vec<(&'static str, String)> {
        let mut subject = vec![("audit.object", what.to_owned()), ("audit.query", query)];
        let keys = [("from", "audit.from"), ("to", "audit.to"), ("dataset", "audit.dataset")];
        for (name, key) in keys.into_iter().chain([("protocol", "audit.protocol"), ("template", "audit.template")]) {
            if !self.text(name).is_empty() {
                subject.push((key, self.text(name).to_owned()));
            }
        }
        subject
    }
}

//! Texts taken apart into attributes.

mod dissect;
mod grok;
mod patterns;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use logkeep_record::{Record, Value, limits};
use regex::{Regex, RegexBuilder};

use crate::field::Field;
use crate::spec::{Form, Parse};
use crate::vrl::keep_source;
use crate::when::{PATTERN_BYTES, last_line};
use dissect::Dissect;
use grok::Grok;

pub(crate) use patterns::Patterns;
pub use patterns::pattern_faults;

/// What is found, by name, in the order of the pattern.
type Found<'n> = Vec<(&'n str, Value<'static>)>;

/// Attributes that no text may set: they say where a record came from.
const OURS: &str = "logkeep.";

#[derive(Debug)]
pub(crate) struct Parser {
    field: Field,
    pattern: Pattern,
}

#[derive(Debug)]
enum Pattern {
    Regex(Regex),
    Grok(Grok),
    Dissect(Dissect),
}

impl Parser {
    pub(crate) fn new(parse: &Parse, patterns: Patterns<'_>) -> Result<Self, String> {
        let pattern = match parse.form {
            Form::Regex => Pattern::Regex(build(&parse.pattern)?),
            Form::Grok => Pattern::Grok(Grok::new(&parse.pattern, patterns)?),
            Form::Dissect => Pattern::Dissect(Dissect::new(&parse.pattern)?),
        };
        let parser = Self { field: Field::new(&parse.field)?, pattern };
        let names = parser.names();
        if names.is_empty() {
            return Err(format!("`{}` names no field to set", parse.pattern));
        }
        if let Some(name) = names.iter().find(|name| name.len() > limits::KEY_BYTES || name.starts_with(OURS)) {
            return Err(format!("`{name}` is no name of a field that a text may set"));
        }
        Ok(parser)
    }

    fn names(&self) -> Vec<&str> {
        match &self.pattern {
            Pattern::Regex(regex) => regex.capture_names().flatten().collect(),
            Pattern::Grok(grok) => grok.names(),
            Pattern::Dissect(dissect) => dissect.names(),
        }
    }

    fn find<'p>(&'p self, text: &str) -> Result<Found<'p>, String> {
        match &self.pattern {
            Pattern::Regex(regex) => {
                let found = regex.captures(text).ok_or("regex: the pattern does not match")?;
                let names = regex.capture_names().flatten();
                Ok(names.filter_map(|name| Some((name, owned(found.name(name)?.as_str())))).collect())
            }
            Pattern::Grok(grok) => grok.find(text),
            Pattern::Dissect(dissect) => dissect.find(text),
        }
    }

    /// Sets what is found in the field's text.
    ///
    /// # Errors
    /// Why nothing is; the record is as it was.
    pub(crate) fn apply(&self, record: &mut Record<'_>) -> Result<(), String> {
        let found = {
            let text = self.field.text(record).ok_or("there is no text in the field")?;
            self.find(&text)?
        };
        let mut body = None;
        for (name, value) in found {
            if name == "body" {
                body = Some(value);
            } else if let Some((_, old)) = record.attributes.iter_mut().find(|(old, _)| old == name) {
                *old = value;
            } else if record.attributes.len() < limits::ATTRIBUTES_PER_RECORD {
                record.attributes.push((Cow::Owned(name.to_owned()), value));
            }
        }
        if let Some(body) = body {
            let before = std::mem::replace(&mut record.body, body);
            keep_source(record, &before);
        }
        Ok(())
    }
}

fn owned(text: &str) -> Value<'static> {
    Value::Str(Cow::Owned(text.to_owned()))
}

pub(crate) fn build(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(4 * PATTERN_BYTES).build();
    built.map_err(|error| format!("`{pattern}` is no regular expression: {}", last_line(&error)))
}

//! Version 0.5: `[[texts…], [[span…]…]]`. A span is a list of twelve; each of its texts is a place in the table.
//!
//! A few bytes can point to a long text again and again, so what all spans point to is added up.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value};

use super::chunk::{Read, Taken};
use super::maps::malformed;
use super::span::{DatadogSpan, Fault};
use crate::Decoded;
use crate::msgpack::{MsgpackError, Reader, Token};
use crate::spans::{MAX_VALUES, SpansError, check_count};

const EXPECTED: &str = "Datadog traces of version 0.5 in MessagePack";
/// Values of a span.
const FIELDS: usize = 12;

pub(super) fn decode<'a>(body: &'a [u8], mut taken: Taken<'a>) -> Result<Decoded<'a>, SpansError> {
    let malformed = malformed(EXPECTED);
    let mut reader = Reader::with_wide_integers(body);
    match reader.array().map_err(&malformed)? {
        2 => {}
        _ => return Err(malformed(reader.fault("expected a table and a list of traces"))),
    }
    let table = table(&mut reader)?;
    for _ in 0..reader.array().map_err(&malformed)? {
        let announced = reader.array().map_err(&malformed)?;
        let mut spans = Vec::with_capacity(announced.min(64));
        for _ in 0..announced {
            let mut pointed = 0;
            let bytes = reader.skip().map_err(&malformed)?;
            let read = span(Reader::with_wide_integers(bytes), &table, &mut pointed);
            taken.take_text(pointed)?;
            if let Ok(span) = &read {
                taken.count(span)?;
            }
            spans.push(read);
            check_count(spans.len())?;
        }
        taken.chunk(spans)?;
    }
    Ok(taken.finish())
}

fn table<'a>(reader: &mut Reader<'a>) -> Result<Vec<Cow<'a, str>>, SpansError> {
    let announced = reader.array().map_err(malformed(EXPECTED))?;
    if announced > MAX_VALUES {
        return Err(SpansError::TooMany { what: "texts in its table", max: MAX_VALUES });
    }
    let mut table = Vec::with_capacity(announced.min(1_024));
    for _ in 0..announced {
        table.push(reader.key().map_err(malformed(EXPECTED))?);
    }
    Ok(table)
}

/// Adds to `pointed` the bytes of texts that the span points to.
fn span<'a>(mut reader: Reader<'a>, table: &[Cow<'a, str>], pointed: &mut usize) -> Read<'a> {
    let fault = |error: MsgpackError| Cow::Owned(error.to_string());
    let found = reader.array().map_err(fault)?;
    if found != FIELDS {
        return Err(format!("a span has {found} fields instead of {FIELDS}").into());
    }
    let mut row = Row { reader, table, pointed };
    let span = DatadogSpan {
        service: row.text()?,
        name: row.text()?,
        resource: row.text()?,
        trace_id: row.number()? as u64,
        span_id: row.number()? as u64,
        parent_id: row.number()? as u64,
        start_ns: row.number()?,
        duration_ns: row.number()?,
        failed: row.number()? != 0,
        meta: row.pairs(|row| row.text().map(Value::Str))?,
        metrics: row.pairs(|row| row.reader.value(0).map_err(fault))?,
        kind: row.text()?,
        ..DatadogSpan::default()
    };
    span.checked()
}

struct Row<'r, 'a> {
    reader: Reader<'a>,
    table: &'r [Cow<'a, str>],
    pointed: &'r mut usize,
}

impl<'a> Row<'_, 'a> {
    fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        let place = self.number()?;
        let text = usize::try_from(place).ok().and_then(|place| self.table.get(place));
        let text = text.ok_or_else(|| format!("text {place} is not in the table of {}", self.table.len()))?;
        *self.pointed += text.len();
        Ok(text.clone())
    }

    fn number(&mut self) -> Result<i64, Fault> {
        match self.reader.token().map_err(|error| error.to_string())? {
            Token::Int(number) => Ok(number),
            Token::Large(number) => Ok(number as i64),
            other => Err(format!("{} where a number must be", other.name()).into()),
        }
    }

    fn pairs(&mut self, read: impl Fn(&mut Self) -> Result<Value<'a>, Fault>) -> Result<Attributes<'a>, Fault> {
        let count = match self.reader.token().map_err(|error| error.to_string())? {
            Token::Map(count) => count,
            Token::Nil => 0,
            other => return Err(format!("{} where a map must be", other.name()).into()),
        };
        let mut pairs = Attributes::new();
        for _ in 0..count {
            pairs.push((self.text()?, read(self)?));
        }
        Ok(pairs)
    }
}

//! Free text in columns: a row stays if any of its texts has it.
//!
//! Most searches are for one word, or for something of which a word is a part. That is looked for in whole columns at once and only in those that can have it; and an original
//! that is written from fields need not be written to know whether it has the word: its fields were looked at, what all originals of
//! a layout have in common is looked at once, and what is left over is a column.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::array::{Array as _, AsArray as _, BinaryArray, Int64Array, StringArray};
use arrow::datatypes::{SchemaRef, UInt32Type};
use logkeep_record::{Value, decode_value_prefix};
use logkeep_segment::{AttributeColumn, ValueType, Word, fixed};

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::filter::{each_id, each_value, other_values};
use crate::kql::{TextMatcher, leaves};

/// The columns that must be read to look for it.
pub(super) fn columns(matcher: &TextMatcher, source: &Source, schema: &SchemaRef) -> Result<Wanted, QueryError> {
    let word = match matcher.word() {
        Some(word) if word.is_whole && !source.may_reword(word)? => Some(word),
        // Originals are written anew from all columns.
        _ => None,
    };
    let names = schema.fields().iter().map(|field| field.name());
    let is_read = |name: &&String| {
        let is_number = matches!(name.as_str(), fixed::STREAM | fixed::LAYOUT);
        word.is_none_or(|word| is_number || Texts::of(name).is_some_and(|texts| texts.may_have(word)))
    };
    Ok(names.filter(is_read).cloned().collect())
}

/// Clears the rows that do not have it; those that are cleared already are not looked at.
pub(super) fn search(matcher: &TextMatcher, chunk: &Chunk<'_>, alive: &mut [bool]) -> Result<(), QueryError> {
    let in_literals = in_literals(matcher, chunk, alive)?;
    let mut open: Vec<bool> = alive.iter().zip(&in_literals).map(|(alive, found)| *alive && !found).collect();
    let word = matcher.word();
    if word.is_none()
        && let Some(implied) = matcher.implied_word()
    {
        search(&implied, chunk, &mut open)?;
    }
    let mut found = in_fields(matcher, word, chunk, &open)?;
    // Where no original can have this word anew, what originals are written from was not read.
    if chunk.rows.column(fixed::SHAPE).is_some() {
        in_originals(matcher, word, chunk, &open, &mut found)?;
    }
    alive.iter_mut().zip(in_literals.iter().zip(&found)).for_each(|(alive, (a, b))| *alive = *a || *b);
    Ok(())
}

/// Adds the rows whose originals have it in other words than their fields.
fn in_originals(
    matcher: &TextMatcher,
    word: Option<Word<'_>>,
    chunk: &Chunk<'_>,
    open: &[bool],
    found: &mut [bool],
) -> Result<(), QueryError> {
    let mut may_reword = per_layout(chunk, |number| match word {
        Some(word) => chunk.rows.layout_may_reword(number, word),
        None => Some(true),
    })?;
    for row in open_rows(open, found) {
        if may_reword(row)? {
            found[row] = written_original(chunk, row)?.is_some_and(|text| matcher.matches(&text));
        }
    }
    Ok(())
}

/// The rows in whose originals it is by what all originals of their layout have in common.
fn in_literals(matcher: &TextMatcher, chunk: &Chunk<'_>, alive: &[bool]) -> Result<Vec<bool>, QueryError> {
    if !matcher.is_local() {
        return Ok(vec![false; alive.len()]);
    }
    let mut has = per_layout(chunk, |number| chunk.rows.layout_has(number, &|text| matcher.matches(text)))?;
    alive.iter().enumerate().map(|(row, alive)| Ok(*alive && has(row)?)).collect()
}

/// Answers for a row what `ask` answers for its layout; false for rows without one.
fn per_layout<'c>(
    chunk: &'c Chunk<'_>,
    ask: impl Fn(u32) -> Option<bool> + 'c,
) -> Result<impl FnMut(usize) -> Result<bool, QueryError> + 'c, QueryError> {
    let layouts = chunk.column(fixed::LAYOUT)?.as_primitive::<UInt32Type>();
    let mut known: HashMap<u32, bool> = HashMap::new();
    let mut last = None;
    Ok(move |row| {
        if layouts.is_null(row) {
            return Ok(false);
        }
        let number = layouts.value(row);
        // Neighbours often have the same one.
        if let Some((_, answer)) = last.filter(|(same, _)| *same == number) {
            return Ok(answer);
        }
        let answer = match known.entry(number) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let unknown = || QueryError::Internal("a row points to an unknown layout".into());
                *new.insert(ask(number).ok_or_else(unknown)?)
            }
        };
        last = Some((number, answer));
        Ok(answer)
    })
}

fn open_rows(alive: &[bool], found: &[bool]) -> Vec<usize> {
    (0..alive.len()).filter(|row| alive[*row] && !found[*row]).collect()
}

/// The original of a row that has one, but not as a text of its own.
pub(super) fn written_original<'c>(chunk: &'c Chunk<'_>, row: usize) -> Result<Option<Cow<'c, str>>, QueryError> {
    if chunk.column(fixed::LAYOUT)?.is_null(row) { Ok(None) } else { Ok(chunk.rows.original(row)?) }
}

/// What of a column is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Texts {
    Values(ValueType),
    /// An empty one is no text at all, and an empty pattern matches every text.
    NotEmpty,
    /// Values that have no column of their own, one after the other.
    Overflow,
    /// Ids of so many bytes.
    Id(usize),
    /// What of originals no field has: whole tokens, but not whole texts.
    Rest,
}

impl Texts {
    fn of(column: &str) -> Option<Self> {
        if let Some(column) = AttributeColumn::parse(column) {
            return Some(Self::Values(column.kind));
        }
        Some(match column {
            fixed::BODY | fixed::ORIGINAL => Self::Values(ValueType::Str),
            fixed::BODY_VALUE => Self::Values(ValueType::Nested),
            fixed::SEVERITY_TEXT => Self::NotEmpty,
            fixed::OVERFLOW => Self::Overflow,
            fixed::TRACE_ID => Self::Id(16),
            fixed::SPAN_ID => Self::Id(8),
            fixed::REST => Self::Rest,
            _ => return None,
        })
    }

    /// Whether it may have a word.
    fn may_have(self, word: Word<'_>) -> bool {
        let all = |is_allowed: fn(&u8) -> bool| word.text.as_bytes().iter().all(is_allowed);
        let in_one = |names: [&str; 2]| names.iter().any(|name| name.contains(word.text));
        match self {
            Self::Values(ValueType::Null) => false,
            Self::Values(ValueType::Bool) => in_one(["true", "false"]),
            Self::Values(ValueType::Int) => all(u8::is_ascii_digit),
            Self::Values(ValueType::Double) => {
                all(|byte| byte.is_ascii_digit() || *byte == b'e') || in_one(["nan", "infinity"])
            }
            Self::Values(ValueType::Bytes) => all(u8::is_ascii_hexdigit),
            Self::Id(bytes) => word.text.len() <= 2 * bytes && all(u8::is_ascii_hexdigit),
            Self::Values(ValueType::Str | ValueType::Nested) | Self::NotEmpty | Self::Overflow | Self::Rest => true,
        }
    }
}

/// The rows of which a field has it, or, if it is one word, the rest of an original.
fn in_fields(
    matcher: &TextMatcher,
    word: Option<Word<'_>>,
    chunk: &Chunk<'_>,
    alive: &[bool],
) -> Result<Vec<bool>, QueryError> {
    let mut found = in_streams(matcher, chunk, alive)?;
    for (field, column) in chunk.rows.table().schema_ref().fields().iter().zip(chunk.rows.table().columns()) {
        let Some(texts) = Texts::of(field.name()) else { continue };
        let may_have = word.map_or(texts != Texts::Rest, |word| texts.may_have(word));
        if !may_have || column.null_count() == column.len() {
            continue;
        }
        let open: Vec<bool> = alive.iter().zip(&found).map(|(alive, found)| *alive && !found).collect();
        let is_match = &mut |value: &Value<'_>| leaves(value, &mut |text| matcher.matches(text));
        let mut tell = |row: usize, matched| found[row] |= matched;
        match texts {
            Texts::Values(ValueType::Str) | Texts::NotEmpty | Texts::Rest => {
                let values = column.as_string_opt().ok_or_else(other_values)?;
                in_texts(matcher, values, texts == Texts::NotEmpty, &open, tell);
            }
            Texts::Values(ValueType::Int) if let Some(word) = word.filter(|word| word.is_whole) => {
                in_integers(word.text, column.as_primitive_opt().ok_or_else(other_values)?, tell);
            }
            Texts::Values(kind) => each_value(column, kind, &open, is_match, tell)?,
            Texts::Overflow => in_overflow(column.as_binary_opt().ok_or_else(other_values)?, &open, is_match, tell)?,
            Texts::Id(_) => each_id(column, |row, text| {
                if open[row] {
                    tell(row, matcher.matches(text));
                }
            }),
        }
    }
    found.iter_mut().zip(alive).for_each(|(found, alive)| *found &= alive);
    Ok(found)
}

fn in_streams(matcher: &TextMatcher, chunk: &Chunk<'_>, alive: &[bool]) -> Result<Vec<bool>, QueryError> {
    let stream_of = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    let streams = chunk.rows.streams();
    let mut known: Vec<Option<bool>> = vec![None; streams.len()];
    let mut has = |number: usize| {
        let attributes = streams[number].attributes();
        let found = || attributes.iter().any(|(_, value)| leaves(value, &mut |text| matcher.matches(text)));
        *known[number].get_or_insert_with(found)
    };
    Ok(stream_of.iter().zip(alive).map(|(stream, alive)| *alive && has(*stream as usize)).collect())
}

/// Where many rows are open, their texts are read as one.
fn in_texts(
    matcher: &TextMatcher,
    texts: &StringArray,
    skip_empty: bool,
    open: &[bool],
    mut tell: impl FnMut(usize, bool),
) {
    /// Reading all texts costs about as much as asking so many of them.
    const MANY: usize = 8;
    let is_text = |row: &usize| open[*row] && texts.is_valid(*row) && !(skip_empty && texts.value(*row).is_empty());
    let rows = (0..texts.len()).filter(is_text);
    if open.iter().filter(|open| **open).count() * MANY < open.len() {
        rows.for_each(|row| tell(row, matcher.matches(texts.value(row))));
    } else {
        let matched = matcher.matches_each(texts);
        rows.for_each(|row| tell(row, matched[row]));
    }
}

/// Integers whose digits are these.
fn in_integers(word: &str, numbers: &Int64Array, mut tell: impl FnMut(usize, bool)) {
    let Ok(wanted) = word.parse::<u64>() else { return };
    // Integers are written without zeroes in front.
    if word.len() > 1 && word.starts_with('0') {
        return;
    }
    numbers.iter().enumerate().for_each(|(row, number)| tell(row, number.map(i64::unsigned_abs) == Some(wanted)));
}

fn in_overflow(
    values: &BinaryArray,
    open: &[bool],
    is_match: &mut dyn FnMut(&Value<'_>) -> bool,
    mut tell: impl FnMut(usize, bool),
) -> Result<(), QueryError> {
    for row in (0..values.len()).filter(|row| open[*row] && values.is_valid(*row)) {
        let mut bytes = values.value(row);
        while !bytes.is_empty() {
            let (value, rest) = decode_value_prefix(bytes).map_err(|_| other_values())?;
            tell(row, is_match(&value));
            bytes = rest;
        }
    }
    Ok(())
}

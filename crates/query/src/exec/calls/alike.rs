//! Rows that are the same in some columns.

use std::collections::HashMap;
use std::hash::Hash;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};

use crate::exec::QueryError;
use crate::exec::filter::other_values;

type Map<K> = HashMap<K, u32, foldhash::fast::RandomState>;

/// Pairs of a kind and a value are told apart in a table of up to so many places a row, else in a map.
const PLACES: usize = 8;
const NONE: u32 = u32::MAX;

/// The rows of a chunk by their kinds.
pub(super) struct Alike {
    /// The kind of each row.
    pub(super) kinds: Vec<u32>,
    /// A row of each kind.
    pub(super) examples: Vec<u32>,
}

impl Alike {
    /// All rows of one kind.
    fn all(rows: usize) -> Self {
        Self { kinds: vec![0; rows], examples: if rows == 0 { Vec::new() } else { vec![0] } }
    }

    /// Each row of a kind of its own.
    pub(super) fn none(rows: usize) -> Self {
        let numbers: Vec<u32> = (0..rows as u32).collect();
        Self { kinds: numbers.clone(), examples: numbers }
    }

    /// Rows are of one kind if they have the same value in each of these columns.
    pub(super) fn by<'c>(rows: usize, columns: impl Iterator<Item = &'c ArrayRef>) -> Result<Self, QueryError> {
        let mut alike = Self::all(rows);
        for column in columns.filter(|column| column.null_count() < column.len()) {
            let (values, count) = numbered(column)?;
            alike.split(&values, count);
        }
        Ok(alike)
    }

    /// By values as well: `values` has that of each row as a number below `count`.
    fn split(&mut self, values: &[u32], count: usize) {
        let pairs = self.examples.len() * count;
        self.examples.clear();
        let rows = self.kinds.iter_mut().zip(values).enumerate();
        if pairs <= values.len() * PLACES {
            let mut known = vec![NONE; pairs];
            for (row, (kind, value)) in rows {
                let known = &mut known[*kind as usize * count + *value as usize];
                if *known == NONE {
                    *known = self.examples.len() as u32;
                    self.examples.push(row as u32);
                }
                *kind = *known;
            }
        } else {
            let mut known = Map::default();
            for (row, (kind, value)) in rows {
                *kind = *known.entry((*kind, *value)).or_insert_with(|| {
                    self.examples.push(row as u32);
                    self.examples.len() as u32 - 1
                });
            }
        }
    }
}

/// The value of each row as a number, and how many there may be; no value is one of them.
fn numbered(column: &ArrayRef) -> Result<(Vec<u32>, usize), QueryError> {
    if let Some(texts) = column.as_dictionary_opt::<UInt32Type>() {
        let keys = texts.keys();
        return Ok((keys.iter().map(|key| key.map_or(0, |key| key + 1)).collect(), texts.values().len() + 1));
    }
    Ok(if let Some(texts) = column.as_string_opt::<i32>() {
        by_value(texts.iter())
    } else if let Some(bytes) = column.as_binary_opt::<i32>() {
        by_value(bytes.iter())
    } else if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        by_value(numbers.iter())
    } else if let Some(numbers) = column.as_primitive_opt::<UInt32Type>() {
        by_value(numbers.iter())
    } else if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        by_value(numbers.iter().map(|number| number.map(f64::to_bits)))
    } else if let Some(flags) = column.as_boolean_opt() {
        by_value(flags.iter())
    } else {
        return Err(other_values());
    })
}

fn by_value<T: Copy + Hash + Eq>(values: impl Iterator<Item = Option<T>>) -> (Vec<u32>, usize) {
    let (mut known, mut last) = (Map::default(), None);
    let number = |value: Option<T>| match last {
        // Neighbours are often equal, as rows are in the order of their streams.
        Some((same, number)) if same == value => number,
        _ => {
            let next = known.len() as u32;
            let number = *known.entry(value).or_insert(next);
            last = Some((value, number));
            number
        }
    };
    let numbers = values.map(number).collect();
    (numbers, known.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray, UInt32Array};

    use super::*;

    fn kinds(columns: &[ArrayRef]) -> (Vec<u32>, Vec<u32>) {
        let alike = Alike::by(columns[0].len(), columns.iter()).unwrap();
        (alike.kinds, alike.examples)
    }

    #[test]
    fn rows_are_alike_that_are_the_same_in_every_column() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("a"), None]));
        let keys: ArrayRef = Arc::new(DictionaryArray::<UInt32Type>::from_iter([
            Some("x"),
            Some("x"),
            None,
            Some("x"),
            Some("x"),
            None,
        ]));
        assert_eq!(kinds(std::slice::from_ref(&texts)), (vec![0, 1, 0, 2, 0, 2], vec![0, 1, 3]));
        assert_eq!(kinds(&[texts.clone(), keys.clone()]), (vec![0, 1, 2, 3, 0, 4], vec![0, 1, 2, 3, 5]));
        let nothing: ArrayRef = Arc::new(Int64Array::new_null(6));
        assert_eq!(kinds(&[nothing.clone(), texts, keys]), (vec![0, 1, 2, 3, 0, 4], vec![0, 1, 2, 3, 5]));
        assert_eq!(kinds(&[nothing]), (vec![0; 6], vec![0]));
    }

    #[test]
    fn values_of_every_type_are_told_apart() {
        let columns: [ArrayRef; 5] = [
            Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(1), None])),
            Arc::new(UInt32Array::from(vec![Some(1), Some(2), Some(1), None])),
            Arc::new(Float64Array::from(vec![Some(0.5), Some(1.5), Some(0.5), None])),
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None])),
            Arc::new(arrow::array::BinaryArray::from_opt_vec(vec![Some(b"x"), Some(b"y"), Some(b"x"), None])),
        ];
        for column in columns {
            assert_eq!(kinds(std::slice::from_ref(&column)), (vec![0, 1, 0, 2], vec![0, 1, 3]), "{column:?}");
        }
    }

    /// In a table, and in a map.
    #[test]
    fn many_values_are_told_apart_as_few_are() {
        let count = 300u32;
        let values: ArrayRef = Arc::new(UInt32Array::from_iter_values((0..count).map(|row| row % 100)));
        let others: ArrayRef = Arc::new(UInt32Array::from_iter_values((0..count).map(|row| row % 150)));
        let (kinds, examples) = kinds(&[values, others]);
        assert_eq!(examples.len(), 300);
        assert_eq!(kinds, (0..count).collect::<Vec<_>>());
    }
}

//! Functions whose value may be much longer than what they are given.
//!
//! `repeat(body, 100000)` of some rows is more than any memory, and no operator is asked before a function makes its values.
//! So these are asked how much they may make. What may be too much is made of half the rows at a time, so that in the end only
//! what really is too much is refused.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, StringArray};
use arrow::compute::kernels::concat_elements::concat_elements_utf8;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::bounds::{BATCH_BYTES, LITERAL};

/// What a function may make of a batch of rows at most, in bytes. What it makes of literals alone is no longer than one.
const MOST_BYTES: u64 = BATCH_BYTES as u64;

/// How long a function's value may be, by what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// As all arguments together.
    Sum,
    /// As the first, as often as the second says.
    Times,
    /// So many characters as the second says.
    Padded,
    /// As the first, with the third in each place.
    Replaced,
    /// As the second where it stands for a time.
    Formatted,
    /// As the first with the second after each of its values. Also of those that take as long.
    Product,
}

impl Growth {
    /// Bytes that the value of so many rows may have.
    fn bytes(self, args: &[ColumnarValue], rows: usize) -> u64 {
        let all = |place: usize| args.get(place).map_or(0, |arg| bytes(arg, rows));
        let longest = |place: usize| args.get(place).map_or(0, longest);
        let number = |place: usize| args.get(place).map_or(0, largest_number);
        let rows = rows as u64;
        match self {
            Self::Sum => (0..args.len()).map(all).fold(0, u64::saturating_add),
            Self::Times => all(0).saturating_mul(number(1)),
            Self::Padded => rows.saturating_mul(number(1)).saturating_mul(char::MAX.len_utf8() as u64),
            // A group that is named takes two bytes and stands for a part of the text.
            Self::Replaced => {
                all(0).saturating_add(rows).saturating_mul(longest(2).saturating_mul(2).saturating_add(1))
            }
            // The longest of the two-letter items is a whole date with its time.
            Self::Formatted => rows.saturating_mul(longest(1)).saturating_mul(16),
            Self::Product => all(0).saturating_mul(longest(1).saturating_add(1)),
        }
    }
}

fn bytes(arg: &ColumnarValue, rows: usize) -> u64 {
    match arg {
        // What cannot be told is taken for too much, and goes row by row.
        ColumnarValue::Array(array) => array.to_data().get_slice_memory_size().map_or(u64::MAX, |bytes| bytes as u64),
        ColumnarValue::Scalar(value) => (value.size() as u64).saturating_mul(rows as u64),
    }
}

fn longest(arg: &ColumnarValue) -> u64 {
    match arg {
        ColumnarValue::Array(array) => match cast(array, &DataType::Utf8) {
            Ok(texts) => texts.as_string::<i32>().iter().flatten().map(str::len).max().unwrap_or(0) as u64,
            Err(_) => u64::MAX,
        },
        ColumnarValue::Scalar(value) => value.try_as_str().map_or(value.size(), |text| text.map_or(0, str::len)) as u64,
    }
}

fn largest_number(arg: &ColumnarValue) -> u64 {
    let array = match arg {
        ColumnarValue::Array(array) => Ok(array.clone()),
        ColumnarValue::Scalar(value) => value.to_array(),
    };
    match array.and_then(|array| Ok(cast(&array, &DataType::Int64)?)) {
        Ok(numbers) => {
            let largest = numbers.as_primitive::<Int64Type>().iter().flatten().max();
            u64::try_from(largest.unwrap_or(0)).unwrap_or(0)
        }
        Err(_) => u64::MAX,
    }
}

/// A function that is asked first.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl Bounded {
    pub(super) fn udf(inner: Arc<ScalarUDF>, growth: Growth) -> ScalarUDF {
        ScalarUDF::from(Self { inner, growth })
    }

    /// The value for these rows, as long as `left` bytes are.
    fn value(&self, args: ScalarFunctionArgs, left: &mut u64) -> Result<ColumnarValue> {
        let (rows, most) =
            if args.args.iter().any(is_array) { (args.number_rows, MOST_BYTES) } else { (1, LITERAL as u64) };
        if self.growth.bytes(&args.args, rows) <= most {
            let value = self.inner.invoke_with_args(args)?;
            return match left.checked_sub(bytes(&value, 1)) {
                Some(still) => {
                    *left = still;
                    Ok(value)
                }
                None => Err(self.too_much()),
            };
        }
        if rows < 2 {
            return Err(self.too_much());
        }
        let half = rows / 2;
        let mut parts = Vec::with_capacity(2);
        for (from, rows) in [(0, half), (half, rows - half)] {
            parts.push(self.value(slice(&args, from, rows), left)?.into_array(rows)?);
        }
        Ok(ColumnarValue::Array(concat(&[&*parts[0], &*parts[1]])?))
    }

    fn too_much(&self) -> DataFusionError {
        let name = self.inner.name();
        DataFusionError::ResourcesExhausted(format!("`{name}` would make too much"))
    }
}

fn is_array(arg: &ColumnarValue) -> bool {
    matches!(arg, ColumnarValue::Array(_))
}

fn slice(args: &ScalarFunctionArgs, from: usize, rows: usize) -> ScalarFunctionArgs {
    let part = |arg: &ColumnarValue| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        scalar => scalar.clone(),
    };
    ScalarFunctionArgs { args: args.args.iter().map(part).collect(), number_rows: rows, ..args.clone() }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut left = MOST_BYTES;
        self.value(args, &mut left)
    }
}

/// `a || b` of texts: null if one of them is.
pub(super) fn joined() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Bounded::udf(Arc::new(ScalarUDF::from(Joined { signature })), Growth::Sum)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect::<Vec<_>>().join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Utf8; types.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)] = args.args.as_slice() {
            let (left, right) = (left.try_as_str().flatten(), right.try_as_str().flatten());
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(left.zip(right).map(|(a, b)| [a, b].concat()))));
        }
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = texts.as_slice() else {
            return Err(DataFusionError::Plan("`||` has two sides".into()));
        };
        let text = |array: &ArrayRef| -> Result<StringArray> { Ok(cast(array, &DataType::Utf8)?.as_string().clone()) };
        Ok(ColumnarValue::Array(Arc::new(concat_elements_utf8(&text(left)?, &text(right)?)?)))
    }
}

//! Functions of our own in SQL.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use crate::kql::{TextMatcher, TextPattern};

/// `match_phrase(text, 'a phrase')`: what `field:"a phrase"` means in the filter bar. Whole words, any case; unlike
/// `like`, it is answered from the token index.
pub(crate) const MATCH_PHRASE: &str = "match_phrase";

pub(crate) fn match_phrase() -> ScalarUDF {
    ScalarUDF::from(MatchPhrase { signature: Signature::new(TypeSignature::String(2), Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MatchPhrase {
    signature: Signature,
}

impl ScalarUDFImpl for MatchPhrase {
    fn name(&self) -> &str {
        MATCH_PHRASE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts, phrase] = args.args.as_slice() else {
            return Err(DataFusionError::Plan("match_phrase takes a text and a phrase".into()));
        };
        let ColumnarValue::Scalar(phrase) = phrase else {
            return Err(DataFusionError::Plan("the phrase of match_phrase must be a literal".into()));
        };
        let Some(phrase) = phrase.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let matcher = TextMatcher::new(&TextPattern::Phrase(phrase.to_owned()))
            .map_err(|error| DataFusionError::Plan(error.to_string()))?;
        let texts = arrow::compute::cast(&texts.to_array(args.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let (first, last) = (texts.value_offsets()[0] as usize, texts.value_offsets()[texts.len()] as usize);
        // Offsets of a string array are on the bounds of characters.
        let all = std::str::from_utf8(&texts.value_data()[first..last])
            .map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let ends: Vec<usize> = texts.value_offsets()[1..].iter().map(|end| *end as usize - first).collect();
        let found = BooleanBuffer::from(matcher.matches_each(all, &ends));
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, texts.nulls().cloned()))))
    }
}

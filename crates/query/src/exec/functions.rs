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
    text_search(MATCH_PHRASE, TextPattern::Phrase)
}

/// `text ~ 'expression'`, faster: what the scan asks instead.
pub(crate) fn match_regex() -> ScalarUDF {
    text_search("match_regex", TextPattern::Regex)
}

fn text_search(name: &'static str, pattern: fn(String) -> TextPattern) -> ScalarUDF {
    let signature = Signature::new(TypeSignature::String(2), Volatility::Immutable);
    ScalarUDF::from(TextSearch { name, pattern, signature })
}

/// Looks for a pattern, the second argument, in each text of the first.
#[derive(Debug)]
struct TextSearch {
    name: &'static str,
    pattern: fn(String) -> TextPattern,
    signature: Signature,
}

impl PartialEq for TextSearch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TextSearch {}

impl std::hash::Hash for TextSearch {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for TextSearch {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts, pattern] = args.args.as_slice() else {
            return Err(DataFusionError::Plan(format!("{} takes a text and a pattern", self.name)));
        };
        let ColumnarValue::Scalar(pattern) = pattern else {
            return Err(DataFusionError::Plan(format!("the second argument of {} must be a literal", self.name)));
        };
        let Some(pattern) = pattern.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let matcher = TextMatcher::new(&(self.pattern)(pattern.to_owned()))
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

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

/// Looks for a phrase, the second argument, in each text of the first.
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
        let [texts, ColumnarValue::Scalar(phrase)] = args.args.as_slice() else {
            return Err(DataFusionError::Plan(format!("the second argument of {MATCH_PHRASE} must be a literal")));
        };
        match phrase.try_as_str().flatten() {
            Some(phrase) => search(&matcher(TextPattern::Phrase(phrase.to_owned()))?, texts, args.number_rows),
            None => Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None))),
        }
    }
}

/// Looks for one pattern in each text of its only argument. What a scan asks instead of `match_phrase` and `~`: the
/// pattern is made ready once, and not for each block of rows.
pub(crate) fn text_search(pattern: TextPattern) -> Result<ScalarUDF> {
    let signature = Signature::new(TypeSignature::String(1), Volatility::Immutable);
    let name = format!("text_search({pattern:?})");
    Ok(ScalarUDF::from(TextSearch { name, matcher: matcher(pattern)?, signature }))
}

/// The name has the pattern, and so says which search it is.
#[derive(Debug)]
struct TextSearch {
    name: String,
    matcher: TextMatcher,
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
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [texts] => search(&self.matcher, texts, args.number_rows),
            _ => Err(DataFusionError::Plan(format!("{} takes a text", self.name))),
        }
    }
}

fn matcher(pattern: TextPattern) -> Result<TextMatcher> {
    TextMatcher::new(&pattern).map_err(|error| DataFusionError::Plan(error.to_string()))
}

fn search(matcher: &TextMatcher, texts: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let texts = arrow::compute::cast(&texts.to_array(rows)?, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let found = BooleanBuffer::from(matcher.matches_each(texts));
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, texts.nulls().cloned()))))
}

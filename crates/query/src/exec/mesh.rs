//! Functions of SQL that read what meshes write, so that figures of services and a user's own statements mean the same.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use logkeep_normalize::{failure_in, service_of, workload_of};

/// What a text says; `None` if nothing.
type Read = fn(&str) -> Option<&str>;

/// Each by its name; `docs/api.md` tells users.
const FUNCTIONS: [(&str, Read); 3] =
    [("mesh_service", service_of), ("mesh_workload", |pod| Some(workload_of(pod))), ("mesh_failure", failure_in)];

pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    FUNCTIONS.into_iter().map(|(name, read)| {
        let signature = Signature::new(TypeSignature::String(1), Volatility::Immutable);
        ScalarUDF::from(Reading { name, read, signature })
    })
}

#[derive(Debug)]
struct Reading {
    name: &'static str,
    read: Read,
    signature: Signature,
}

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Reading {}

impl std::hash::Hash for Reading {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Reading {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = args.args.as_slice() else {
            return Err(DataFusionError::Plan(format!("{} takes a text", self.name)));
        };
        let texts = cast(&texts.to_array(args.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        if texts.null_count() == texts.len() {
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
        }
        // The rows of a block have few different names.
        let mut known: HashMap<&str, Option<&str>, foldhash::fast::RandomState> = HashMap::default();
        let mut out = StringBuilder::with_capacity(texts.len(), 0);
        for text in texts {
            out.append_option(text.and_then(|text| *known.entry(text).or_insert_with(|| (self.read)(text))));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

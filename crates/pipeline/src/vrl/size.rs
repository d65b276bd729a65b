//! How large a value may become while a program runs.
//!
//! VRL's own operators know no bound: `x = x + x` in a loop makes a gigabyte of a line. All that grows over more than one
//! expression passes a variable or a field, so whatever a program reads of them is measured first, by a call that is put around it in the
//! source (`bounds` says where).

use std::fmt;

use logkeep_record::limits;
use vrl::compiler::state::TypeState;
use vrl::prelude::{
    ArgumentList, Compiled, Context, Example, Expression, Function, FunctionCompileContext, Parameter, Resolved,
    TypeInfo, Value, kind,
};

/// The function's name; no list that programs choose from has it.
pub(super) const WITHIN: &str = "within_bounds";
/// Values within values. What a program leaves is bounded more narrowly.
const DEPTH: usize = 4 * limits::VALUE_DEPTH;
/// What a value takes, whatever it is.
const VALUE_BYTES: usize = 8;

/// What is left of the bytes that a value may have.
pub(super) struct Measure(usize);

impl Measure {
    pub(super) fn new() -> Self {
        Self(limits::made_bytes())
    }

    /// Takes a value into account.
    ///
    /// # Errors
    /// It is too much.
    pub(super) fn add(&mut self, value: &Value) -> Result<(), String> {
        self.value(value, 0)
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), String> {
        self.take(text.len())
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or_else(|| {
            format!("it makes a value of more than {} bytes, four times `limits.record_bytes`", limits::made_bytes())
        })?;
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("it makes a value that is nested more than {DEPTH} deep"));
        }
        self.take(VALUE_BYTES)?;
        match value {
            Value::Bytes(bytes) => self.take(bytes.len()),
            Value::String(text) => self.take(text.len()),
            Value::Array(values) => values.iter().try_for_each(|value| self.value(value, depth + 1)),
            Value::Object(pairs) => pairs.iter().try_for_each(|(name, value)| {
                self.take(name.len())?;
                self.value(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }
}

/// Whether a value is not too large.
///
/// # Errors
/// It is.
pub(super) fn check(value: &Value) -> Result<(), String> {
    Measure::new().add(value)
}

/// Gives its argument, if that is not too large.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within;

impl Function for Within {
    fn identifier(&self) -> &'static str {
        WITHIN
    }

    fn usage(&self) -> &'static str {
        ""
    }

    fn category(&self) -> &'static str {
        ""
    }

    fn return_kind(&self) -> u16 {
        kind::ANY
    }

    fn parameters(&self) -> &'static [Parameter] {
        const { &[Parameter::required("value", kind::ANY, "")] }
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, _: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        Ok(Box::new(Measured { value: arguments.required("value") }))
    }
}

#[derive(Clone, Debug)]
struct Measured {
    value: Box<dyn Expression>,
}

impl Expression for Measured {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        check(&value)?;
        Ok(value)
    }

    fn resolve_constant(&self, state: &TypeState) -> Option<Value> {
        self.value.resolve_constant(state)
    }

    fn type_info(&self, state: &TypeState) -> TypeInfo {
        self.value.type_info(state)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use vrl::prelude::ObjectMap;

    use super::*;

    #[test]
    fn values_are_measured_with_all_that_is_in_them() {
        let text = |bytes: usize| Value::from("x".repeat(bytes));
        let most = limits::made_bytes() - VALUE_BYTES;
        assert_eq!(check(&text(most)), Ok(()));
        let too_large = "it makes a value of more than 4194304 bytes, four times `limits.record_bytes`";
        let object = |value: Value| Value::Object(ObjectMap::from([("key".into(), value)]));
        for value in [
            text(most + 1),
            Value::Array(vec![text(most / 2), text(most / 2 + 1)]),
            Value::Array(vec![Value::Null; most / VALUE_BYTES + 1]),
            object(object(text(most - 20))),
        ] {
            assert_eq!(check(&value), Err(too_large.to_owned()));
        }
        let deep = |depth: usize| (0..depth).fold(Value::Null, |value, _| Value::Array(vec![value]));
        assert_eq!(check(&deep(DEPTH)), Ok(()));
        assert_eq!(check(&deep(DEPTH + 1)), Err(format!("it makes a value that is nested more than {DEPTH} deep")));
    }
}

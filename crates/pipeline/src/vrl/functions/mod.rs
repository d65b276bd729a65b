//! The functions that programs may call.
//!
//! Names, parameters and meaning are those of VRL's own library, so that its documentation holds; what is not here would
//! reach out of the record, not be the same twice, or have no bound (`docs/decisions/0012-pipelines.md`). Most are a
//! line in a table ([`Plain`]); those that take a path or a closure have files of their own.

mod collections;
mod loops;
mod paths;
mod text;
mod time;
mod types;

use std::borrow::Cow;

use super::size;
use vrl::prelude::{
    ArgumentList, Bytes, Compiled, Context, Example, Expression, ExpressionError, Function, FunctionCompileContext,
    FunctionExpression, NotNan, Parameter, Resolved, TypeDef, Value, VrlValueConvert, state,
};

/// Text that one call may make.
const TEXT_BYTES: usize = 4 << 20;

/// All of them.
pub(super) fn all() -> Vec<Box<dyn Function>> {
    let tables = [text::FUNCTIONS, types::FUNCTIONS, collections::FUNCTIONS, time::FUNCTIONS];
    let plain = tables.into_iter().flatten().map(|plain| Box::new(*plain) as Box<dyn Function>);
    plain.chain(paths::all()).chain(loops::all()).collect()
}

/// When a call may fail although its arguments have the right types.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Never,
    Always,
    /// Unless the first argument is surely of such a type.
    Unless(u16),
}

/// A function of its arguments' values alone.
#[derive(Clone, Copy, Debug)]
struct Plain {
    name: &'static str,
    parameters: &'static [Parameter],
    returns: u16,
    fails: Fails,
    run: fn(&mut Arguments) -> Result<Value, Cow<'static, str>>,
}

/// What a parameter with this name takes.
const fn needs(name: &'static str, kind: u16) -> Parameter {
    Parameter::required(name, kind, "")
}

const fn takes(name: &'static str, kind: u16) -> Parameter {
    Parameter::optional(name, kind, "")
}

impl Function for Plain {
    fn identifier(&self) -> &'static str {
        self.name
    }

    fn usage(&self) -> &'static str {
        ""
    }

    fn category(&self) -> &'static str {
        ""
    }

    fn return_kind(&self) -> u16 {
        self.returns
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, _: &state::TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let expressions = self.parameters.iter().map(|parameter| arguments.optional(parameter.keyword)).collect();
        Ok(Call { function: *self, expressions }.as_expr())
    }
}

#[derive(Clone, Debug)]
struct Call {
    function: Plain,
    expressions: Vec<Option<Box<dyn Expression>>>,
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let mut values = Vec::with_capacity(self.expressions.len());
        for expression in &self.expressions {
            values.push(expression.as_ref().map(|expression| expression.resolve(ctx)).transpose()?);
        }
        let mut arguments = Arguments { values };
        let failed = |error: &str| ExpressionError::from(format!("{}: {error}", self.function.name));
        let made = (self.function.run)(&mut arguments).map_err(|error| failed(&error))?;
        size::check(&made).map_err(|error| failed(&error))?;
        Ok(made)
    }

    fn type_def(&self, state: &state::TypeState) -> TypeDef {
        let returned = TypeDef::from(needs("", self.function.returns).kind());
        match self.function.fails {
            Fails::Never => returned,
            Fails::Always => returned.fallible(),
            Fails::Unless(kind) => {
                let first = self.expressions.first().and_then(Option::as_ref).map(|first| first.type_def(state));
                let is_sure = first.is_some_and(|first| needs("", kind).kind().is_superset(first.kind()).is_ok());
                returned.maybe_fallible(!is_sure)
            }
        }
    }
}

type Failure = Cow<'static, str>;

/// Values of a call's arguments, by their place.
struct Arguments {
    values: Vec<Option<Value>>,
}

impl Arguments {
    fn value(&mut self, at: usize) -> Value {
        self.values.get_mut(at).and_then(Option::take).unwrap_or(Value::Null)
    }

    fn given(&mut self, at: usize) -> Option<Value> {
        self.values.get_mut(at).and_then(Option::take)
    }

    fn text(&mut self, at: usize) -> Result<String, Failure> {
        let value = self.value(at);
        Ok(value.try_bytes_utf8_lossy().map_err(|error| error.to_string())?.into_owned())
    }

    fn text_or(&mut self, at: usize, default: &str) -> Result<String, Failure> {
        match self.given(at) {
            None => Ok(default.to_owned()),
            Some(value) => Ok(value.try_bytes_utf8_lossy().map_err(|error| error.to_string())?.into_owned()),
        }
    }

    fn integer(&mut self, at: usize) -> Result<i64, Failure> {
        Ok(self.value(at).try_integer().map_err(|error| error.to_string())?)
    }

    fn integer_or(&mut self, at: usize, default: i64) -> Result<i64, Failure> {
        self.given(at).map_or(Ok(default), |value| Ok(value.try_integer().map_err(|error| error.to_string())?))
    }

    fn flag_or(&mut self, at: usize, default: bool) -> Result<bool, Failure> {
        self.given(at).map_or(Ok(default), |value| Ok(value.try_boolean().map_err(|error| error.to_string())?))
    }
}

/// A number of our own as a value; what is no number is a failure.
fn number(value: f64) -> Result<Value, Failure> {
    NotNan::new(value).map(Value::Float).map_err(|_| Cow::Borrowed("the result is not a number"))
}

/// A text, if it is not longer than one call may make.
fn bounded(text: String) -> Result<Value, Failure> {
    if text.len() > TEXT_BYTES {
        return Err(Cow::Borrowed("the result has more than 4 MiB"));
    }
    Ok(Value::Bytes(Bytes::from(text)))
}

//! Functions that call a closure for each element.

use vrl::compiler::function::Closure;
use vrl::compiler::function::closure::{Definition, Input, Output, Runner, Variable, VariableKind};
use vrl::prelude::{
    ArgumentList, Collection, Compiled, Context, Example, Expression, ExpressionError, Function,
    FunctionCompileContext, FunctionExpression, Kind, Parameter, Resolved, TypeDef, Value, kind, state,
};

use super::needs;
use crate::vrl::size::Measure;

pub(super) fn all() -> [Box<dyn Function>; 4] {
    [Box::new(Each::Do), Box::new(Each::Filter), Box::new(Each::MapValues), Box::new(Each::MapKeys)]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Each {
    Do,
    Filter,
    MapValues,
    MapKeys,
}

impl Each {
    fn variables(self) -> Vec<Variable> {
        let key = || Variable { kind: VariableKind::TargetInnerKey };
        let value = || Variable { kind: VariableKind::TargetInnerValue };
        match self {
            Self::Do | Self::Filter => vec![key(), value()],
            Self::MapValues => vec![value()],
            Self::MapKeys => vec![key()],
        }
    }

    fn output(self) -> Kind {
        match self {
            Self::Do | Self::MapValues => Kind::any(),
            Self::Filter => Kind::boolean(),
            Self::MapKeys => Kind::bytes(),
        }
    }
}

const EXAMPLE: Example = Example {
    title: "",
    source: "",
    input: None,
    result: Ok("null"),
    file: "",
    line: 0,
    deterministic: true,
    skip: true,
};

impl Function for Each {
    fn identifier(&self) -> &'static str {
        match self {
            Self::Do => "for_each",
            Self::Filter => "filter",
            Self::MapValues => "map_values",
            Self::MapKeys => "map_keys",
        }
    }

    fn usage(&self) -> &'static str {
        ""
    }

    fn category(&self) -> &'static str {
        ""
    }

    fn return_kind(&self) -> u16 {
        match self {
            Self::Do => kind::NULL,
            Self::MapKeys => kind::OBJECT,
            _ => kind::ARRAY | kind::OBJECT,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        match self {
            Self::MapKeys => &[const { needs("value", kind::OBJECT) }],
            _ => &[const { needs("value", kind::OBJECT | kind::ARRAY) }],
        }
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, _: &state::TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let (value, closure) = (arguments.required("value"), arguments.required_closure()?);
        Ok(Loop { each: *self, value, closure }.as_expr())
    }

    fn closure(&self) -> Option<Definition> {
        let objects = Kind::object(Collection::any());
        let kind = if *self == Self::MapKeys { objects } else { objects.or_array(Collection::any()) };
        let output = Output::Kind(self.output());
        let input = Input { parameter_keyword: "value", kind, variables: self.variables(), output, example: EXAMPLE };
        Some(Definition { inputs: vec![input], is_iterator: true, supports_break: *self == Self::Do })
    }
}

#[derive(Clone, Debug)]
struct Loop {
    each: Each,
    value: Box<dyn Expression>,
    closure: Closure,
}

impl FunctionExpression for Loop {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        let Closure { variables, block, .. } = &self.closure;
        let runner = Runner::new(variables, |ctx: &mut Context| block.resolve(ctx));
        match self.each {
            Each::Do => for_each(value, ctx, &runner),
            Each::Filter => filter(value, ctx, &runner),
            Each::MapValues => map_values(value, ctx, &runner),
            Each::MapKeys => map_keys(value, ctx, &runner),
        }
    }

    fn type_def(&self, state: &state::TypeState) -> TypeDef {
        let of = self.value.type_def(state);
        let returned = match self.each {
            Each::Do => return TypeDef::null(),
            Each::MapKeys => Kind::object(Collection::any()),
            _ if of.is_array() => Kind::array(Collection::any()),
            _ if of.is_object() => Kind::object(Collection::any()),
            _ => Kind::object(Collection::any()).or_array(Collection::any()),
        };
        TypeDef::from(returned)
    }
}

fn for_each<T>(value: Value, ctx: &mut Context, runner: &Runner<T>) -> Resolved
where
    T: Fn(&mut Context) -> Resolved,
{
    let ends = |result: Resolved| match result {
        Ok(_) => Ok(false),
        Err(ExpressionError::Break { .. }) => Ok(true),
        Err(error) => Err(error),
    };
    match value {
        Value::Array(values) => {
            for (at, value) in values.into_iter().enumerate() {
                if ends(runner.run_index_value_owned(ctx, at, value))? {
                    break;
                }
            }
        }
        Value::Object(pairs) => {
            for (key, value) in pairs {
                if ends(runner.run_key_value_owned(ctx, key, value))? {
                    break;
                }
            }
        }
        _ => {}
    }
    Ok(Value::Null)
}

fn filter<T>(value: Value, ctx: &mut Context, runner: &Runner<T>) -> Resolved
where
    T: Fn(&mut Context) -> Resolved,
{
    match value {
        Value::Array(values) => {
            let mut kept = Vec::new();
            for (at, value) in values.into_iter().enumerate() {
                if runner.run_index_value(ctx, at, &value)? == Value::Boolean(true) {
                    kept.push(value);
                }
            }
            Ok(Value::Array(kept))
        }
        Value::Object(pairs) => {
            let mut kept = vrl::prelude::ObjectMap::new();
            for (key, value) in pairs {
                if runner.run_key_value(ctx, &key, &value)? == Value::Boolean(true) {
                    kept.insert(key, value);
                }
            }
            Ok(Value::Object(kept))
        }
        other => Ok(other),
    }
}

fn map_values<T>(mut value: Value, ctx: &mut Context, runner: &Runner<T>) -> Resolved
where
    T: Fn(&mut Context) -> Resolved,
{
    let mut measure = Measure::new();
    let mut map = |value: &mut Value| -> Result<(), ExpressionError> {
        runner.map_value(ctx, value)?;
        Ok(measure.add(value)?)
    };
    match &mut value {
        Value::Array(values) => values.iter_mut().try_for_each(&mut map)?,
        Value::Object(pairs) => pairs.values_mut().try_for_each(&mut map)?,
        _ => {}
    }
    Ok(value)
}

fn map_keys<T>(value: Value, ctx: &mut Context, runner: &Runner<T>) -> Resolved
where
    T: Fn(&mut Context) -> Resolved,
{
    let Value::Object(pairs) = value else { return Ok(value) };
    let (mut renamed, mut measure) = (vrl::prelude::ObjectMap::new(), Measure::new());
    for (mut key, value) in pairs {
        runner.map_key(ctx, &mut key)?;
        measure.text(&key)?;
        renamed.insert(key, value);
    }
    Ok(Value::Object(renamed))
}

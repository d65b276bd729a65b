//! `del` and `exists`: they take a path and not what is there.

use vrl::compiler::function::Error;
use vrl::path::OwnedTargetPath;
use vrl::prelude::{
    ArgumentList, Compiled, Context, Example, Expression, Function, FunctionCompileContext, Parameter, Resolved,
    TypeDef, TypeInfo, Value, expression::Query, fmt, kind, state,
};

use super::{needs, takes};

pub(super) fn all() -> [Box<dyn Function>; 2] {
    [Box::new(OfPath::Delete), Box::new(OfPath::Exists)]
}

#[derive(Clone, Copy, Debug)]
enum OfPath {
    Delete,
    Exists,
}

impl Function for OfPath {
    fn identifier(&self) -> &'static str {
        match self {
            Self::Delete => "del",
            Self::Exists => "exists",
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
            Self::Delete => kind::ANY,
            Self::Exists => kind::BOOLEAN,
        }
    }

    fn pure(&self) -> bool {
        matches!(self, Self::Exists)
    }

    fn parameters(&self) -> &'static [Parameter] {
        match self {
            Self::Delete => &[const { needs("target", kind::ANY) }, const { takes("compact", kind::BOOLEAN) }],
            Self::Exists => &[const { needs("field", kind::ANY) }],
        }
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, _: &state::TypeState, ctx: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        if let Self::Exists = self {
            return Ok(Box::new(Exists { query: arguments.required_query("field")? }));
        }
        let query = arguments.required_query("target")?;
        let is_read_only = |path: &OwnedTargetPath| ctx.is_read_only_path(path);
        if query.external_path().is_some_and(is_read_only) {
            return Err(Error::ReadOnlyMutation { context: format!("{query} cannot be deleted") }.into());
        }
        Ok(Box::new(Delete { query, compact: arguments.optional("compact") }))
    }
}

#[derive(Clone, Debug)]
struct Exists {
    query: Query,
}

impl Expression for Exists {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let path = self.query.path();
        let exists = if let Some(target) = self.query.external_path() {
            ctx.target().target_get(target).ok().flatten().is_some()
        } else if let Some(name) = self.query.variable_ident() {
            ctx.state().variable(name).is_some_and(|value| value.get(path).is_some())
        } else if let Some(expression) = self.query.expression_target() {
            expression.resolve(ctx)?.get(path).is_some()
        } else {
            false
        };
        Ok(Value::Boolean(exists))
    }

    fn type_info(&self, state: &state::TypeState) -> TypeInfo {
        TypeInfo::new(state.clone(), TypeDef::boolean())
    }
}

#[derive(Clone, Debug)]
struct Delete {
    query: Query,
    compact: Option<Box<dyn Expression>>,
}

impl Expression for Delete {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let compact = match &self.compact {
            Some(compact) => compact.resolve(ctx)? == Value::Boolean(true),
            None => false,
        };
        let path = self.query.path();
        let deleted = if let Some(target) = self.query.external_path() {
            ctx.target_mut().target_remove(target, compact).ok().flatten()
        } else if let Some(name) = self.query.variable_ident() {
            ctx.state_mut().variable_mut(name).and_then(|value| value.remove(path, compact))
        } else if let Some(expression) = self.query.expression_target() {
            expression.resolve(ctx)?.get(path).cloned()
        } else {
            None
        };
        Ok(deleted.unwrap_or(Value::Null))
    }

    fn type_info(&self, state: &state::TypeState) -> TypeInfo {
        let mut state = state.clone();
        let deleted = self.query.apply_type_info(&mut state).impure();
        // With and without what is empty then.
        let mut compacted = state.external.clone();
        self.query.delete_type_def(&mut state.external, false);
        self.query.delete_type_def(&mut compacted, true);
        state.external = state.external.merge(compacted);
        TypeInfo::new(state, deleted)
    }
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("del")
    }
}

//! The functions that statements may call.
//!
//! Each has been looked at: what it makes is no longer than what it is given and takes no longer to make (`PLAIN`), or it is asked
//! before ([`GROWING`]). Those that nobody has looked at, such as the new ones of the next version of DataFusion, are not there.

use std::sync::{Arc, LazyLock};

use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawDictionaryExpr};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable as _, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::growth::{Bounded, Growth, joined};

pub(super) const PLAIN: &str = "
    abs acos acosh array_add array_any_value array_avg array_compact array_dims array_distance array_distinct
    array_element array_except array_has array_has_all array_has_any array_intersect array_length array_max array_min
    array_ndims array_normalize array_pop_back array_pop_front array_position array_positions array_product array_remove
    array_remove_all array_remove_n array_reverse array_scale array_slice array_sort array_subtract array_sum
    arrow_typeof ascii asin asinh atan atan2 atanh bit_length btrim cardinality cbrt ceil character_length chr coalesce
    contains cos cosh cosine_distance cot current_date current_time date_bin date_part date_trunc decode degrees empty
    ends_with exp factorial find_in_set flatten floor from_unixtime gcd get_field greatest initcap inner_product isnan
    iszero lcm least left ln log log10 log2 lower ltrim make_date make_time nanvl now nullif nvl nvl2 octet_length pi
    power radians random regexp_count regexp_instr regexp_like regexp_match reverse right round rtrim signum sin sinh
    split_part sqrt starts_with string_to_array strpos substr substr_index tan tanh to_date to_hex to_local_time to_time
    to_timestamp to_timestamp_micros to_timestamp_millis to_timestamp_nanos to_timestamp_seconds to_unixtime translate
    trunc upper uuid
";

pub(super) const GROWING: &[(&str, Growth)] = &[
    ("array_append", Growth::Sum),
    ("array_concat", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_to_string", Growth::Product),
    ("array_union", Growth::Sum),
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("encode", Growth::Product),
    ("levenshtein", Growth::Product),
    ("lpad", Growth::Padded),
    ("make_array", Growth::Sum),
    ("overlay", Growth::Sum),
    ("regexp_replace", Growth::Replaced),
    ("repeat", Growth::Times),
    ("replace", Growth::Replaced),
    ("rpad", Growth::Padded),
    ("to_char", Growth::Formatted),
];

/// Functions of rows and of groups that can be called, by their first names.
pub(super) fn names() -> Vec<&'static str> {
    static OF_GROUPS: LazyLock<Vec<Arc<AggregateUDF>>> =
        LazyLock::new(SessionStateDefaults::default_aggregate_functions);
    let of_rows = PLAIN.split_whitespace().chain(GROWING.iter().map(|(name, _)| *name));
    of_rows.chain(OF_GROUPS.iter().map(|function| function.name())).collect()
}

/// Leaves out what has not been looked at, and puts what grows under a bound.
pub(super) fn only_allowed(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let functions = builder.scalar_functions().take().unwrap_or_default();
    let functions: Vec<Arc<ScalarUDF>> = functions.into_iter().filter_map(allowed).collect();
    let planner = Bounds { functions: functions.clone() };
    let planners = builder.expr_planners().take().unwrap_or_default();
    let ours: Arc<dyn ExprPlanner> = Arc::new(planner);
    builder
        .with_scalar_functions(functions)
        .with_higher_order_functions(Vec::new())
        .with_expr_planners([vec![ours], planners].concat())
}

fn allowed(function: Arc<ScalarUDF>) -> Option<Arc<ScalarUDF>> {
    let name = function.name();
    match GROWING.iter().find(|(growing, _)| *growing == name) {
        Some((_, growth)) => Some(Arc::new(Bounded::udf(function, *growth))),
        None => PLAIN.split_whitespace().any(|plain| plain == name).then_some(function),
    }
}

/// Has the syntax that stands for a function mean the one that is allowed.
#[derive(Debug)]
struct Bounds {
    functions: Vec<Arc<ScalarUDF>>,
}

impl Bounds {
    fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        match self.functions.iter().find(|function| function.name() == name) {
            Some(function) => Ok(function.call(args)),
            None => Err(not_there(name)),
        }
    }
}

fn not_there(what: &str) -> DataFusionError {
    DataFusionError::Plan(format!("{what} is not available here"))
}

impl ExprPlanner for Bounds {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let is_list = |side: &Expr| side.get_type(schema).map(|kind| kind.is_list());
        let function = match (is_list(&expr.left)?, is_list(&expr.right)?) {
            (true, true) => "array_concat",
            (true, false) => "array_append",
            (false, true) => "array_prepend",
            (false, false) => return Ok(PlannerResult::Planned(joined().call(vec![expr.left, expr.right]))),
        };
        self.call(function, vec![expr.left, expr.right]).map(PlannerResult::Planned)
    }

    fn plan_array_literal(&self, values: Vec<Expr>, _: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("make_array", values).map(PlannerResult::Planned)
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("overlay", args).map(PlannerResult::Planned)
    }

    fn plan_dictionary_literal(&self, _: RawDictionaryExpr, _: &DFSchema) -> Result<PlannerResult<RawDictionaryExpr>> {
        Err(not_there("a value with named parts"))
    }

    fn plan_struct_literal(&self, _: Vec<Expr>, _: bool) -> Result<PlannerResult<Vec<Expr>>> {
        Err(not_there("a row as a value"))
    }

    fn plan_make_map(&self, _: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Err(not_there("a map"))
    }
}

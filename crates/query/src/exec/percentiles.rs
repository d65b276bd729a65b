//! Several percentiles of one column by group, from one set of values.
//!
//! DataFusion's `percentile_cont` keeps every value for each percentile, and a list of them for each group. p50, p95 and p99
//! of a latency are asked for together, so a rule puts them into one aggregate that keeps the values once, behind one
//! another. The answers are the same (to a millionth of the step between two neighbours).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Float64Array, ListArray, ListBuilder, PrimitiveBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, ExprSchema as _, Result, ScalarValue};
use datafusion::functions_nested::expr_fn::array_element;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, Cast, EmitTo, Expr, GroupsAccumulator, LogicalPlan,
    Projection, Signature, Volatility, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::prelude::Column;

/// Puts percentiles of the same values in the same groups together.
#[derive(Debug)]
pub(crate) struct PercentilesTogether;

impl OptimizerRule for PercentilesTogether {
    fn name(&self) -> &'static str {
        "percentiles_together"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        // Without groups an accumulator of its own would be needed, and there is little to win.
        if aggregate.group_expr.is_empty() || !aggregate.aggr_expr.iter().any(|expr| percentile(expr).is_some()) {
            return Ok(Transformed::no(plan));
        }
        together(aggregate).map(Transformed::yes)
    }
}

/// The values and the percentile, if the expression is one that can be put together with others.
fn percentile(expr: &Expr) -> Option<(&Expr, f64)> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else { return None };
    let plain = func.name() == "percentile_cont"
        && !params.distinct
        && params.filter.is_none()
        && params.null_treatment.is_none()
        && params.order_by.iter().all(|sort| sort.asc);
    match params.args.as_slice() {
        [values, Expr::Literal(ScalarValue::Float64(Some(percentile)), _)]
            if plain && (0.0..=1.0).contains(percentile) =>
        {
            Some((values, *percentile))
        }
        _ => None,
    }
}

fn together(aggregate: &Aggregate) -> Result<LogicalPlan> {
    let mut sets: Vec<(Expr, Vec<f64>)> = Vec::new();
    let mut others = Vec::new();
    for expr in &aggregate.aggr_expr {
        match percentile(expr) {
            None => others.push(expr.clone()),
            Some((values, percentile)) => match sets.iter_mut().find(|(of, _)| of == values) {
                Some((_, percentiles)) => percentiles.push(percentile),
                None => sets.push((values.clone(), vec![percentile])),
            },
        }
    }
    let function = Arc::new(AggregateUDF::from(Percentiles::default()));
    let call = |(values, percentiles): &(Expr, Vec<f64>)| {
        let args = std::iter::once(values.clone()).chain(percentiles.iter().map(|p| lit(*p))).collect();
        Expr::AggregateFunction(AggregateFunction::new_udf(function.clone(), args, false, None, Vec::new(), None))
    };
    let calls: Vec<Expr> = sets.iter().map(call).collect();
    let lists: Vec<Expr> =
        calls.iter().map(|call| Expr::Column(Column::from_name(call.schema_name().to_string()))).collect();
    let group_columns = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
    let mut shown: Vec<Expr> = aggregate.schema.columns()[..group_columns].iter().cloned().map(Expr::Column).collect();
    let (mut used, columns) = (vec![0; sets.len()], &aggregate.schema.columns()[group_columns..]);
    for (expr, column) in aggregate.aggr_expr.iter().zip(columns) {
        let Some((values, _)) = percentile(expr) else {
            shown.push(Expr::Column(column.clone()));
            continue;
        };
        let set = sets.iter().position(|(of, _)| of == values).unwrap_or_default();
        used[set] += 1;
        let value = array_element(lists[set].clone(), lit(used[set] as i64));
        let data_type = aggregate.schema.field_from_column(column)?.data_type().clone();
        let value =
            if data_type == DataType::Float64 { value } else { Expr::Cast(Cast::new(Box::new(value), data_type)) };
        shown.push(value.alias(&column.name));
    }
    others.extend(calls);
    let inner = Aggregate::try_new(aggregate.input.clone(), aggregate.group_expr.clone(), others)?;
    Ok(LogicalPlan::Projection(Projection::try_new(shown, Arc::new(LogicalPlan::Aggregate(inner)))?))
}

/// `percentiles(values, p, …)`: a list of the percentiles of each group.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentiles {
    signature: Signature,
}

impl Default for Percentiles {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

fn list_of_values() -> DataType {
    DataType::List(item())
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

impl AggregateUDFImpl for Percentiles {
    fn name(&self) -> &str {
        "percentiles"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_values())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), list_of_values(), true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Err(DataFusionError::Internal("percentiles are only put together by group".into()))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let number = |expr: &Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Literal>().map(Literal::value) {
            Some(ScalarValue::Float64(Some(number))) => Ok(*number),
            _ => Err(DataFusionError::Internal("a percentile that is not a literal".into())),
        };
        let percentiles = args.exprs[1..].iter().map(number).collect::<Result<_>>()?;
        Ok(Box::new(Values { percentiles, ..Values::default() }))
    }
}

/// All values, in the order they came, each with its group.
#[derive(Default)]
struct Values {
    percentiles: Vec<f64>,
    values: Vec<f64>,
    runs: Vec<Run>,
    groups: usize,
}

/// Values of one group that came one after the other. Rows lie in the order of their streams, so runs are long.
#[derive(Clone, Copy)]
struct Run {
    group: u32,
    len: u32,
}

impl Values {
    /// Says that the last `len` values are of `group`.
    fn add_run(&mut self, group: usize, len: usize) {
        match self.runs.last_mut() {
            Some(last) if last.group as usize == group => last.len += len as u32,
            _ => self.runs.push(Run { group: group as u32, len: len as u32 }),
        }
    }

    /// Takes out the first `groups`: their values behind one another, and where each begins and the last ends.
    fn take(&mut self, emit: EmitTo) -> (Vec<f64>, Vec<i32>) {
        let groups = match emit {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups.min(self.groups),
        };
        let (all, runs) = (std::mem::take(&mut self.values), std::mem::take(&mut self.runs));
        let mut ends = vec![0_i32; groups + 1];
        let taken = |run: &&Run| (run.group as usize) < groups;
        runs.iter().filter(taken).for_each(|run| ends[run.group as usize + 1] += run.len as i32);
        (0..groups).for_each(|group| ends[group + 1] += ends[group]);
        let mut sorted = vec![0.0; ends[groups] as usize];
        let (mut next, mut rest) = (ends.clone(), all.as_slice());
        for run in &runs {
            let (values, others) = rest.split_at(run.len as usize);
            rest = others;
            if taken(&run) {
                let place = &mut next[run.group as usize];
                let from = *place as usize;
                sorted[from..from + values.len()].copy_from_slice(values);
                *place += run.len as i32;
            } else {
                self.values.extend_from_slice(values);
                self.add_run(run.group as usize - groups, values.len());
            }
        }
        self.groups -= groups;
        (sorted, ends)
    }

    fn room_for(&mut self, more: usize) -> Result<()> {
        // Lists count their values in 31 bits.
        if self.values.len() + more > i32::MAX as usize {
            return Err(DataFusionError::ResourcesExhausted("too many values for exact percentiles".into()));
        }
        Ok(())
    }
}

impl GroupsAccumulator for Values {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.groups = groups;
        let column = arrow::compute::cast(&values[0], &DataType::Float64)?;
        let column = column.as_primitive::<Float64Type>();
        self.room_for(column.len())?;
        if column.null_count() == 0 && filter.is_none() {
            self.values.extend_from_slice(column.values());
            group_indices.chunk_by(|a, b| a == b).for_each(|run| self.add_run(run[0], run.len()));
            return Ok(());
        }
        for (row, group) in group_indices.iter().enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if kept && column.is_valid(row) {
                self.values.push(column.value(row));
                self.add_run(*group, 1);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        self.groups = groups;
        let lists = states[0].as_list::<i32>();
        let offsets = lists.value_offsets();
        let values = lists.values().as_primitive::<Float64Type>().values();
        self.room_for((offsets[lists.len()] - offsets[0]) as usize)?;
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| lists.is_valid(*row)) {
            let part = &values[offsets[row] as usize..offsets[row + 1] as usize];
            self.values.extend_from_slice(part);
            self.add_run(*group, part.len());
        }
        Ok(())
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (values, ends) = self.take(emit);
        let values = Arc::new(Float64Array::from(values));
        Ok(vec![Arc::new(ListArray::try_new(item(), OffsetBuffer::new(ends.into()), values, None)?)])
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (mut values, ends) = self.take(emit);
        let mut lists = ListBuilder::new(PrimitiveBuilder::<Float64Type>::new());
        for bounds in ends.windows(2) {
            let group = &mut values[bounds[0] as usize..bounds[1] as usize];
            lists.values().extend(percentiles_of(group, &self.percentiles));
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = arrow::compute::cast(&values[0], &DataType::Float64)?;
        let kept = filter.map(|filter| NullBuffer::from_iter(filter.iter().map(|kept| kept == Some(true))));
        let valid = NullBuffer::union(kept.as_ref(), column.nulls());
        let ends: ScalarBuffer<i32> = (0..=column.len() as i32).collect();
        Ok(vec![Arc::new(ListArray::try_new(item(), OffsetBuffer::new(ends), column, valid)?)])
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<f64>() + self.runs.capacity() * size_of::<Run>()
    }
}

/// The values at these percentiles, each between its neighbours in proportion (PERCENTILE_CONT of SQL:2003); none of no
/// values.
fn percentiles_of(values: &mut [f64], percentiles: &[f64]) -> Vec<Option<f64>> {
    let mut found = vec![None; percentiles.len()];
    let Some(last) = values.len().checked_sub(1) else { return found };
    let mut ascending: Vec<usize> = (0..percentiles.len()).collect();
    ascending.sort_unstable_by(|a, b| f64::total_cmp(&percentiles[*a], &percentiles[*b]));
    // Where the last was found, everything behind it is as large or larger: the next is there.
    let mut from = 0;
    for at in ascending {
        let place = percentiles[at] * last as f64;
        let (_, lower, above) = values[from..].select_nth_unstable_by(place as usize - from, f64::total_cmp);
        let share = place.fract();
        found[at] = Some(if share == 0.0 {
            *lower
        } else {
            let upper = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*lower);
            *lower + (upper - *lower) * share
        });
        from = place as usize;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let check = |values: &[f64], percentile, expected: Option<f64>| {
            assert_eq!(percentiles_of(&mut values.to_vec(), &[percentile]), [expected], "{percentile} of {values:?}");
        };
        check(&[], 0.5, None);
        check(&[7.0], 0.99, Some(7.0));
        check(&[4.0, 1.0, 3.0, 2.0], 0.5, Some(2.5));
        check(&[4.0, 1.0, 3.0, 2.0], 0.0, Some(1.0));
        check(&[4.0, 1.0, 3.0, 2.0], 1.0, Some(4.0));
        check(&[10.0, 20.0, 30.0], 0.25, Some(15.0));
    }

    #[test]
    fn percentiles_come_in_the_order_they_were_asked_for() {
        let values: Vec<f64> = (0..=200).map(|number| f64::from(number * 83 % 201)).collect();
        let found = percentiles_of(&mut values.clone(), &[0.99, 0.5, 0.5, 1.0, 0.0, 257.0 / 512.0]);
        assert_eq!(found, [198.0, 100.0, 100.0, 200.0, 0.0, 100.390_625].map(Some));
    }

    #[test]
    fn groups_are_taken_from_the_front() {
        let mut values = Values { percentiles: vec![1.0], ..Values::default() };
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(4.0)]));
        values.update_batch(&[column], &[1, 0, 0, 2], None, 3).unwrap();
        assert_eq!(values.take(EmitTo::First(1)), (vec![2.0], vec![0, 1]));
        let state = values.state(EmitTo::All).unwrap();
        let mut merged = Values { percentiles: vec![1.0], ..Values::default() };
        merged.merge_batch(&state, &[1, 0], 2).unwrap();
        let lists = merged.evaluate(EmitTo::All).unwrap();
        let maxima = lists.as_list::<i32>().values().as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(maxima, [4.0, 1.0]);
    }

    #[test]
    fn a_row_is_a_state_of_its_own() {
        let values = Values::default();
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)]));
        let filter = BooleanArray::from(vec![Some(true), Some(true), None]);
        let state = values.convert_to_state(&[column], Some(&filter)).unwrap();
        let valid: Vec<bool> = (0..3).map(|row| state[0].is_valid(row)).collect();
        assert_eq!(valid, [true, false, false]);
    }
}

//! How large a statement may be.
//!
//! Neither the parser nor the planner can be interrupted, both call themselves for what lies within something else, and both
//! take twice as long for some kinds of bracket within another. So what would overflow the stack or take for ever is refused
//! before: by its words, whatever they mean, and when it is a plan by what would come of putting everything in its place.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ObjectName, Visit as _, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use logkeep_segment::BLOCK_ROWS;

use super::QueryError;

/// Words and signs without literals and commas. Nothing in a statement is deeper than this.
const WORDS: usize = 2_000;
/// Brackets, and what is between `case` and `end`, within one another.
const BRACKETS: usize = 12;
/// Bytes of one literal, which may be repeated for each row of a batch.
pub(super) const LITERAL: usize = 8 << 10;
/// Bytes that the values made for one batch of rows may have.
pub(super) const BATCH_BYTES: usize = 64 << 20;
/// Operators and calls within one another, as each `or` is within the next.
const DEPTH: usize = 300;
/// Tables, common ones written out wherever they are named.
const TABLES: u64 = 32;
/// Steps of a plan in which they are,
const STEPS: u64 = 500;
/// the columns it is sorted by at one place,
const SORT_KEYS: usize = 64;
/// and the parts of one expression, with the names of computed columns replaced by what they are computed from.
const PARTS: u64 = 10_000;

/// Bytes of stack for each thread that plans or runs statements: enough for the deepest that is let through, also in a build
/// that is not optimised. What is not used is never there.
pub const STACK_BYTES: usize = 256 << 20;

fn too_large(message: String) -> QueryError {
    QueryError::Sql { message, position: None, suggestion: None }
}

/// How many words and signs a statement has, if it is not too large to be looked at any closer.
pub(super) fn words(sql: &str) -> Result<usize, QueryError> {
    // What is wrong with the text is told by the parser.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return Ok(0) };
    let (mut words, mut depth) = (0, 0_usize);
    for token in &tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::CASE => depth += 1,
            Token::Word(word) if word.keyword == Keyword::END => depth = depth.saturating_sub(1),
            _ => {}
        }
        words += usize::from(!is_literal(token));
        if sql.len() > LITERAL && token.to_string().len() > LITERAL {
            return Err(too_large(format!("a word or literal of more than {LITERAL} bytes")));
        }
        if depth > BRACKETS {
            return Err(too_large(format!("more than {BRACKETS} brackets or `case` within one another")));
        }
    }
    if words > WORDS {
        return Err(too_large(format!(
            "more than {WORDS} words and signs (this has {words}, without literals and commas); \
             `x in ('a', 'b')` has fewer than `x = 'a' or x = 'b'`"
        )));
    }
    Ok(words)
}

/// What cannot hold anything else.
fn is_literal(token: &Token) -> bool {
    matches!(token, Token::EOF | Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_))
}

/// Refuses statements that would take too long to plan: one within which each operator has its name made anew with all that
/// are in it, and one whose common tables come to too many when they are written out.
pub(super) fn check_statement(statement: &Statement) -> Result<(), QueryError> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    match statement.visit(&mut Walk::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(TooMany::Tables) => {
            Err(too_large(format!("more than {TABLES} tables, common ones counted wherever they are named")))
        }
        ControlFlow::Break(TooMany::Operators) => Err(too_large(format!(
            "more than {DEPTH} operators within one another; `x in ('a', 'b')` has fewer than `x = 'a' or x = 'b'`"
        ))),
    }
}

enum TooMany {
    Tables,
    Operators,
}

#[derive(Default)]
struct Walk {
    /// Expressions that are being looked at.
    depth: usize,
    /// The queries that are, outermost first.
    queries: Vec<Query>,
}

#[derive(Default)]
struct Query {
    tables: u64,
    /// The names of its common tables that have not been looked at yet, first one last.
    to_come: Vec<String>,
    /// The tables in those that have.
    known: HashMap<String, u64>,
}

impl Visitor for Walk {
    type Break = TooMany;

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<TooMany> {
        let common = query.with.iter().flat_map(|with| with.cte_tables.iter().rev());
        let to_come = common.map(|table| table.alias.name.value.to_lowercase()).collect();
        self.queries.push(Query { to_come, ..Query::default() });
        ControlFlow::Continue(())
    }

    /// The common tables of a query are the first queries within it.
    fn post_visit_query(&mut self, _: &ast::Query) -> ControlFlow<TooMany> {
        let tables = self.queries.pop().map_or(1, |query| query.tables.max(1));
        let Some(outer) = self.queries.last_mut() else { return ControlFlow::Continue(()) };
        match outer.to_come.pop() {
            Some(name) => {
                outer.known.insert(name, tables);
                ControlFlow::Continue(())
            }
            None => outer.add(tables),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<TooMany> {
        let name = relation.0.last().and_then(|part| part.as_ident()).map(|name| name.value.to_lowercase());
        let known = |name| self.queries.iter().rev().find_map(|query| query.known.get(&name));
        let tables = name.and_then(known).copied().unwrap_or(1);
        self.queries.last_mut().map_or(ControlFlow::Continue(()), |query| query.add(tables))
    }

    fn pre_visit_expr(&mut self, _: &ast::Expr) -> ControlFlow<TooMany> {
        self.depth += 1;
        if self.depth > DEPTH { ControlFlow::Break(TooMany::Operators) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &ast::Expr) -> ControlFlow<TooMany> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Query {
    fn add(&mut self, tables: u64) -> ControlFlow<TooMany> {
        self.tables = self.tables.saturating_add(tables);
        if self.tables > TABLES { ControlFlow::Break(TooMany::Tables) } else { ControlFlow::Continue(()) }
    }
}

/// Refuses plans that would become too large while they are made better.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    Measure::default().size(plan).map(drop)
}

/// What a plan comes to when everything that it shares is written out.
#[derive(Clone)]
struct Size {
    steps: u64,
    /// Of each column of its result: the parts it is computed from.
    columns: Vec<u64>,
}

/// Plans share what is named more than once, so each is looked at once only.
#[derive(Default)]
struct Measure(HashMap<*const LogicalPlan, Size>);

impl Measure {
    fn size(&mut self, plan: &LogicalPlan) -> Result<Size, QueryError> {
        if let Some(known) = self.0.get(&std::ptr::from_ref(plan)) {
            return Ok(known.clone());
        }
        let size = self.size_of_new(plan)?;
        self.0.insert(plan, size.clone());
        Ok(size)
    }

    fn size_of_new(&mut self, plan: &LogicalPlan) -> Result<Size, QueryError> {
        let inputs = plan.inputs();
        let sizes = inputs.iter().map(|input| self.size(input)).collect::<Result<Vec<_>, _>>()?;
        let mut size = Size { steps: 1, columns: Vec::new() };
        for subplan in subqueries(plan) {
            size.steps = size.steps.saturating_add(self.size(&subplan)?.steps);
        }
        size.steps = sizes.iter().fold(size.steps, |steps, input| steps.saturating_add(input.steps));
        if size.steps > STEPS {
            return Err(too_large(format!("more than {STEPS} steps, common tables counted wherever they are named")));
        }
        if let LogicalPlan::Sort(sort) = plan
            && sort.expr.len() > SORT_KEYS
        {
            return Err(too_large(format!("sorted by more than {SORT_KEYS} columns")));
        }
        let parts = Parts { inputs: inputs.iter().map(|input| input.schema().as_ref()).zip(&sizes).collect() };
        let mut exprs = Vec::new();
        // The closure never fails.
        let _ = plan.apply_expressions(|expr| {
            exprs.push(parts.of(expr));
            Ok(TreeNodeRecursion::Continue)
        });
        if exprs.iter().any(|parts| *parts > PARTS) {
            return Err(too_large(format!(
                "an expression of more than {PARTS} parts, computed columns counted by what they are computed from"
            )));
        }
        size.columns = columns(plan, &exprs, &sizes);
        Ok(size)
    }
}

/// What the columns of a plan's result are computed from, given that for its own expressions and for its inputs.
fn columns(plan: &LogicalPlan, exprs: &[u64], inputs: &[Size]) -> Vec<u64> {
    let width = plan.schema().fields().len();
    let input = |place: usize| inputs.get(place).map(|size| size.columns.clone()).unwrap_or_default();
    let mut columns = match plan {
        LogicalPlan::Projection(_) => exprs.to_vec(),
        // What is aggregated is computed once; what it is grouped by may be put in the place of its name.
        LogicalPlan::Aggregate(node) => exprs[..node.group_expr.len().min(exprs.len())].to_vec(),
        LogicalPlan::Window(_) => [input(0), exprs.to_vec()].concat(),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => input(1),
            _ => [input(0), input(1)].concat(),
        },
        LogicalPlan::Union(_) => {
            let of = |place| inputs.iter().filter_map(|size| size.columns.get(place)).max().copied().unwrap_or(1);
            (0..width).map(of).collect()
        }
        _ => input(0),
    };
    columns.resize(width, 1);
    columns
}

/// The parts of expressions over some inputs.
struct Parts<'a> {
    inputs: Vec<(&'a DFSchema, &'a Size)>,
}

impl Parts<'_> {
    fn of(&self, expr: &Expr) -> u64 {
        let mut parts = 0_u64;
        // The closure never fails.
        let _ = expr.apply(|part| {
            parts = parts.saturating_add(match part {
                Expr::Column(column) => {
                    let places = self.inputs.iter().map(|(schema, size)| (schema.maybe_index_of_column(column), size));
                    let known = places.filter_map(|(place, size)| size.columns.get(place?).copied());
                    known.max().unwrap_or(1)
                }
                _ => 1,
            });
            Ok(if parts > PARTS { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        parts
    }
}

/// The plans of the queries within the expressions of a plan.
fn subqueries(plan: &LogicalPlan) -> Vec<Arc<LogicalPlan>> {
    let mut found = Vec::new();
    // The closures never fail.
    let _ = plan.apply_expressions(|expr| {
        expr.apply(|part| {
            match part {
                Expr::ScalarSubquery(query) => found.push(query.subquery.clone()),
                Expr::Exists(exists) => found.push(exists.subquery.subquery.clone()),
                Expr::InSubquery(within) => found.push(within.subquery.subquery.clone()),
                Expr::SetComparison(compared) => found.push(compared.subquery.subquery.clone()),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })
    });
    found
}

/// Rows at a time, so that the literals of a plan fit into memory for each of them.
pub(super) fn rows_at_a_time(plan: &LogicalPlan) -> Result<usize, DataFusionError> {
    let mut bytes = 0;
    let mut add = |expr: &Expr| match expr {
        Expr::Literal(value, _) => {
            bytes += value.size();
            Ok(TreeNodeRecursion::Continue)
        }
        // A list is looked through, and not repeated.
        Expr::InList(_) => Ok(TreeNodeRecursion::Jump),
        _ => Ok(TreeNodeRecursion::Continue),
    };
    plan.apply_with_subqueries(|node| match node {
        // A scan takes all rows of a block at once.
        LogicalPlan::TableScan(_) => Ok(TreeNodeRecursion::Continue),
        _ => node.apply_expressions(|expr| expr.apply(&mut add)),
    })?;
    Ok((BATCH_BYTES / bytes.max(1)).clamp(1, BLOCK_ROWS))
}

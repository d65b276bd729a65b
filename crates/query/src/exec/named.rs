//! Which columns of a table a statement can be about.
//!
//! A table has a column for every attribute of any record, and planning takes longer the more columns there are: of a table
//! with 80 of them a count takes more time to plan than to run. Most statements name two or three. The columns whose names
//! occur nowhere in the text may be left out of the plan, unless the statement speaks of columns without naming them.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, JoinConstraint, JoinOperator, ObjectName, Query,
    Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Visit as _, Visitor,
};

/// The text of a statement that names every column it is about.
pub(super) struct Named(String);

impl Named {
    /// `None` if the statement may be about columns that it does not name.
    pub(super) fn by(statement: &Statement, sql: &str) -> Option<Self> {
        let Statement::Statement(statement) = statement else { return None };
        let ast::Statement::Query(_) = &**statement else { return None };
        statement.visit(&mut NamesAll).is_continue().then(|| Self(sql.to_ascii_lowercase()))
    }

    /// False only if the statement is not about the column of this name.
    pub(super) fn may_be(&self, column: &str) -> bool {
        // Within a name a quotation mark is written twice.
        column.contains(['"', '`']) || self.0.contains(&column.to_ascii_lowercase())
    }
}

/// Breaks off where columns are meant without being named: by a wildcard, by their position, or by what another table has.
/// What is not known is taken for that.
struct NamesAll;

fn go_on_if(is_so: bool) -> ControlFlow<()> {
    if is_so { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl Visitor for NamesAll {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        go_on_if(query.pipe_operators.is_empty() && body_names_all(&query.body))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let named = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        go_on_if(
            !select.projection.is_empty()
                && select.projection.iter().all(named)
                && select.lateral_views.is_empty()
                && select.from.iter().all(joins_by_name),
        )
    }

    /// Other schemas, such as `information_schema`, are about the tables themselves.
    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        go_on_if(relation.0.len() == 1)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        go_on_if(match table {
            TableFactor::Table { alias, args: None, .. } => alias.as_ref().is_none_or(|alias| alias.columns.is_empty()),
            // Its query is looked at by itself, and names what it has.
            TableFactor::Derived { .. } => true,
            TableFactor::NestedJoin { table_with_joins, .. } => joins_by_name(table_with_joins),
            _ => false,
        })
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        go_on_if(match expr {
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => false,
            Expr::Function(call) => match &call.args {
                FunctionArguments::List(list) => list.args.iter().all(is_named_or_counted),
                FunctionArguments::None | FunctionArguments::Subquery(_) => true,
            },
            _ => true,
        })
    }
}

/// Whether a statement names the columns of message templates, or asks which columns there are.
pub(super) fn asks_for_templates(statement: &Statement) -> bool {
    let Statement::Statement(statement) = statement else { return true };
    match &**statement {
        ast::Statement::Query(_) => statement.visit(&mut NamesNoTemplate).is_break(),
        _ => true,
    }
}

struct NamesNoTemplate;

impl Visitor for NamesNoTemplate {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        go_on_if(relation.0.len() == 1)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let joins = select.from.iter().flat_map(|table| &table.joins);
        go_on_if(!joins.map(|join| format!("{join}")).any(|join| join.to_ascii_lowercase().contains("template")))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        let is_template = |name: &str| ["template", "template_id"].contains(&name.to_ascii_lowercase().as_str());
        go_on_if(!name.is_some_and(|name| is_template(&name.value)))
    }
}

fn body_names_all(body: &SetExpr) -> bool {
    match body {
        // These two are looked at by themselves.
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => true,
        SetExpr::SetOperation { left, right, .. } => body_names_all(left) && body_names_all(right),
        _ => false,
    }
}

fn joins_by_name(tables: &TableWithJoins) -> bool {
    use JoinOperator::{CrossJoin, FullOuter, Inner, Join, Left, LeftOuter, Right, RightOuter};
    tables.joins.iter().all(|join| match &join.join_operator {
        Join(by) | Inner(by) | Left(by) | LeftOuter(by) | Right(by) | RightOuter(by) | FullOuter(by)
        | CrossJoin(by) => !matches!(by, JoinConstraint::Natural),
        _ => false,
    })
}

/// The star of `count(*)` stands for rows.
fn is_named_or_counted(argument: &FunctionArg) -> bool {
    matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard))
}

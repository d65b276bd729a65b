//! What would take memory without bound is refused before a program runs.
//!
//! `*` repeats a text, and a sender may choose how often; an assignment to the millionth element makes all before it.
//! Everything else a program can do makes of a text another of about its length, or of a length that its function bounds.

use vrl::compiler::ExpressionError;
use vrl::diagnostic::{DiagnosticMessage, Label, Span};
use vrl::parser::ast::{
    Assignment, AssignmentTarget, Container, Expr, FunctionCall, Literal, Node, Opcode, Predicate, Query, QueryTarget,
    RootExpr, Unary,
};
use vrl::path::OwnedSegment;

/// Functions that give a number or fail.
const NUMBERS: &[&str] = &[
    "abs",
    "ceil",
    "float",
    "floor",
    "int",
    "length",
    "mod",
    "parse_float",
    "parse_int",
    "round",
    "strlen",
    "to_float",
    "to_int",
    "to_unix_timestamp",
];

/// Elements of a list that an assignment may make.
const ELEMENTS: isize = 1_000;

/// Finds the first place that has no bound.
pub(super) fn refuse(program: vrl::parser::Program) -> Result<(), Box<dyn DiagnosticMessage>> {
    for node in program {
        if let RootExpr::Expr(expr) = node.into_inner() {
            expression(expr)?;
        }
    }
    Ok(())
}

type Checked = Result<(), Box<dyn DiagnosticMessage>>;

fn fault(span: Span, message: &str, hint: &str) -> Box<dyn DiagnosticMessage> {
    let labels = vec![Label::primary(hint, span)];
    Box::new(ExpressionError::Error { message: message.to_owned(), labels, notes: Vec::new() })
}

fn repeats(span: Span) -> Box<dyn DiagnosticMessage> {
    fault(
        span,
        "`*` could repeat a text, as often as a sender likes",
        "write `int!(…)` or `to_int!(…)` around what is a number",
    )
}

fn target(target: &Node<AssignmentTarget>) -> Checked {
    let path = match target.inner() {
        AssignmentTarget::Query(query) => query.path.inner(),
        AssignmentTarget::Internal(_, Some(path)) => path,
        AssignmentTarget::External(Some(path)) => &path.path,
        _ => return Ok(()),
    };
    let is_far = |segment: &OwnedSegment| matches!(segment, OwnedSegment::Index(at) if at.saturating_abs() > ELEMENTS);
    if path.segments.iter().any(is_far) {
        return Err(fault(target.span(), "a list would have too many elements", "1,000 is the last to assign to"));
    }
    Ok(())
}

fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal) => matches!(literal.inner(), Literal::Integer(_) | Literal::Float(_)),
        Expr::FunctionCall(call) => NUMBERS.contains(&&**call.inner().ident.inner()),
        Expr::Container(container) => match container.inner() {
            Container::Group(group) => is_number(group.inner().0.inner()),
            _ => false,
        },
        Expr::Op(op) => match op.inner().1.inner() {
            Opcode::Div | Opcode::Sub => true,
            Opcode::Mul | Opcode::Add => is_number(op.inner().0.inner()) && is_number(op.inner().2.inner()),
            _ => false,
        },
        _ => false,
    }
}

fn all(nodes: impl IntoIterator<Item = Node<Expr>>) -> Checked {
    nodes.into_iter().try_for_each(expression)
}

fn expression(node: Node<Expr>) -> Checked {
    let span = node.span();
    match node.into_inner() {
        Expr::Op(op) => {
            let op = op.into_inner();
            if *op.1.inner() == Opcode::Mul && !(is_number(op.0.inner()) && is_number(op.2.inner())) {
                return Err(repeats(span));
            }
            all([*op.0, *op.2])
        }
        Expr::Container(node) => container(node.into_inner()),
        Expr::IfStatement(node) => {
            let node = node.into_inner();
            match node.predicate.into_inner() {
                Predicate::One(one) => expression(*one)?,
                Predicate::Many(many) => all(many)?,
            }
            all(node.if_node.into_inner())?;
            node.else_node.map_or(Ok(()), |node| all(node.into_inner()))
        }
        Expr::Assignment(node) => match node.into_inner() {
            Assignment::Single { target: to, expr, .. } => target(&to).and_then(|()| expression(*expr)),
            Assignment::Infallible { ok, err, expr, .. } => {
                target(&ok)?;
                target(&err)?;
                expression(*expr)
            }
        },
        Expr::Query(node) => query(node.into_inner()),
        Expr::FunctionCall(node) => call(node.into_inner()),
        Expr::Unary(node) => match node.into_inner() {
            Unary::Not(node) => expression(*node.into_inner().take().1),
        },
        Expr::Abort(node) => node.into_inner().message.map_or(Ok(()), |message| expression(*message)),
        Expr::Return(node) => expression(*node.into_inner().expr),
        Expr::Literal(_) | Expr::Variable(_) | Expr::Break(_) => Ok(()),
    }
}

fn container(container: Container) -> Checked {
    match container {
        Container::Group(group) => expression(group.into_inner().into_inner()),
        Container::Block(block) => all(block.into_inner()),
        Container::Array(array) => all(array.into_inner()),
        Container::Object(object) => all(object.into_inner().into_iter().map(|(_, value)| value)),
    }
}

fn query(query: Query) -> Checked {
    match query.target.into_inner() {
        QueryTarget::FunctionCall(function) => call(function),
        QueryTarget::Container(inner) => container(inner),
        QueryTarget::Internal(_) | QueryTarget::External(_) => Ok(()),
    }
}

fn call(call: FunctionCall) -> Checked {
    all(call.arguments.into_iter().map(|argument| argument.into_inner().expr))?;
    call.closure.map_or(Ok(()), |closure| all(closure.into_inner().block.into_inner()))
}

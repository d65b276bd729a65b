//! What would take memory without bound is refused before a program runs.
//!
//! `*` repeats a text, and a sender may choose how often; an assignment to the millionth element makes all before it.
//! Everything else a program can do makes of a text another of about its length, or of a length that its function bounds. What
//! it does so again and again is measured where it is read (`size`).

use vrl::compiler::ExpressionError;
use vrl::diagnostic::{DiagnosticMessage, Label, Span};
use vrl::parser::ast::{
    Assignment, AssignmentTarget, Container, Expr, FunctionCall, Literal, Node, Opcode, Predicate, Query, QueryTarget,
    RootExpr, Unary,
};
use vrl::parser::template_string::StringSegment;
use vrl::path::OwnedSegment;

use super::size::WITHIN;

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

/// Expressions within expressions; a sum of so many parts is as deep. The compiler's time grows with the square of it, and it needs stack for
/// each.
const DEPTH: usize = 100;

/// Functions that take a path and not what is there.
const OF_PATHS: &[&str] = &["del", "exists"];

type Checked = Result<(), Box<dyn DiagnosticMessage>>;

/// Finds the first place that has no bound; otherwise gives the source with a measure around all that it reads.
pub(super) fn measured(source: &str, program: vrl::parser::Program) -> Result<String, Box<dyn DiagnosticMessage>> {
    let mut walk = Walk { reads: Vec::new(), depth: 0 };
    for node in program {
        if let RootExpr::Expr(expr) = node.into_inner() {
            walk.expression(expr)?;
        }
    }
    walk.reads.sort_unstable_by_key(|span| span.start());
    let (mut measured, mut at) = (String::with_capacity(source.len() + 16 * walk.reads.len()), 0);
    for span in walk.reads {
        let (Some(before), Some(read)) = (source.get(at..span.start()), source.get(span.start()..span.end())) else {
            continue;
        };
        measured.extend([before, WITHIN, "(", read, ")"]);
        at = span.end();
    }
    measured.push_str(source.get(at..).unwrap_or_default());
    Ok(measured)
}

/// Where a program reads what it may have made.
struct Walk {
    reads: Vec<Span>,
    depth: usize,
}

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

impl Walk {
    fn all(&mut self, nodes: impl IntoIterator<Item = Node<Expr>>) -> Checked {
        nodes.into_iter().try_for_each(|node| self.expression(node))
    }

    fn expression(&mut self, node: Node<Expr>) -> Checked {
        if self.depth >= DEPTH {
            return Err(fault(
                node.span(),
                "expressions are nested more than 100 deep",
                "assign what is inside to a variable first",
            ));
        }
        self.depth += 1;
        let checked = self.inside(node);
        self.depth -= 1;
        checked
    }

    fn inside(&mut self, node: Node<Expr>) -> Checked {
        let span = node.span();
        match node.into_inner() {
            Expr::Op(op) => {
                let op = op.into_inner();
                if *op.1.inner() == Opcode::Mul && !(is_number(op.0.inner()) && is_number(op.2.inner())) {
                    return Err(repeats(span));
                }
                self.all([*op.0, *op.2])
            }
            Expr::Container(node) => self.container(node.into_inner()),
            Expr::IfStatement(node) => {
                let node = node.into_inner();
                match node.predicate.into_inner() {
                    Predicate::One(one) => self.expression(*one)?,
                    Predicate::Many(many) => self.all(many)?,
                }
                self.all(node.if_node.into_inner())?;
                node.else_node.map_or(Ok(()), |node| self.all(node.into_inner()))
            }
            Expr::Assignment(node) => match node.into_inner() {
                Assignment::Single { target: to, expr, .. } => target(&to).and_then(|()| self.expression(*expr)),
                Assignment::Infallible { ok, err, expr, .. } => {
                    target(&ok)?;
                    target(&err)?;
                    self.expression(*expr)
                }
            },
            Expr::Query(node) => self.query(span, node.into_inner()),
            Expr::FunctionCall(node) => self.call(node.into_inner()),
            Expr::Unary(node) => match node.into_inner() {
                Unary::Not(node) => self.expression(*node.into_inner().take().1),
            },
            Expr::Abort(node) => node.into_inner().message.map_or(Ok(()), |message| self.expression(*message)),
            Expr::Return(node) => self.expression(*node.into_inner().expr),
            Expr::Variable(_) => {
                self.reads.push(span);
                Ok(())
            }
            Expr::Literal(node) => {
                if let Literal::String(template) = node.inner()
                    && template.0.iter().any(|segment| matches!(segment, StringSegment::Template(..)))
                {
                    self.reads.push(span);
                }
                Ok(())
            }
            Expr::Break(_) => Ok(()),
        }
    }

    fn container(&mut self, container: Container) -> Checked {
        match container {
            Container::Group(group) => self.expression(group.into_inner().into_inner()),
            Container::Block(block) => self.all(block.into_inner()),
            Container::Array(array) => self.all(array.into_inner()),
            Container::Object(object) => self.all(object.into_inner().into_iter().map(|(_, value)| value)),
        }
    }

    fn query(&mut self, span: Span, query: Query) -> Checked {
        match query.target.into_inner() {
            QueryTarget::FunctionCall(function) => self.call(function),
            QueryTarget::Container(inner) => self.container(inner),
            QueryTarget::Internal(_) | QueryTarget::External(_) => {
                self.reads.push(span);
                Ok(())
            }
        }
    }

    fn call(&mut self, call: FunctionCall) -> Checked {
        let takes_path = OF_PATHS.contains(&&**call.ident.inner());
        let is_path = |expr: &Node<Expr>| takes_path && matches!(expr.inner(), Expr::Query(_) | Expr::Variable(_));
        let arguments = call.arguments.into_iter().map(|argument| argument.into_inner().expr);
        self.all(arguments.filter(|expr| !is_path(expr)))?;
        call.closure.map_or(Ok(()), |closure| self.all(closure.into_inner().block.into_inner()))
    }
}

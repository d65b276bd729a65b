//! The tree a query becomes.

use super::Wildcard;
use super::number::Number;

/// Where in the query text something stands, in Unicode characters.
///
/// All spans are equal to one another: two expressions that mean the same are equal wherever they were written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Characters before it.
    pub position: usize,
    /// Its own length.
    pub length: usize,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// A filter over records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Every record.
    All,
    /// Records all parts match; at least two parts, none of them an `And`.
    And(Vec<Expr>),
    /// Records any part matches; at least two parts, none of them an `Or`.
    Or(Vec<Expr>),
    /// Records the inner expression does not match, records without the field included.
    Not(Box<Expr>),
    /// Records with this text anywhere among their texts ([`super::for_each_text`]).
    Text {
        /// What to find.
        pattern: TextPattern,
        /// Where it was written.
        span: Span,
    },
    /// Records whose field satisfies the predicate.
    Field {
        /// The name as written, aliases unresolved ([`super::fields::resolve`]).
        name: String,
        /// What its value must satisfy.
        predicate: Predicate,
        /// Where it was written, name to value.
        span: Span,
    },
}

/// What free text looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPattern {
    /// A word or a quoted phrase: found where it stands between token boundaries, in any letter case.
    Phrase(String),
    /// A word with `*` or `?`, which do not cross white space here.
    Wildcard(Wildcard),
    /// A regular expression, found anywhere, letter case as written.
    Regex(String),
}

/// What a field's value must satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// The field is there and not null.
    Exists,
    /// The whole value is this word or number.
    Equals(Literal),
    /// The whole value fits the pattern.
    Pattern(Wildcard),
    /// The whole value is this text.
    Phrase(String),
    /// The value compares so with the literal.
    Range {
        /// The comparison.
        op: Op,
        /// Its right side.
        literal: Literal,
    },
    /// A part of the value fits the regular expression.
    Regex(String),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// Whether `ordering` of value to literal satisfies it.
    pub fn accepts(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

/// A value as written, escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its text.
    pub text: String,
}

impl Literal {
    /// A literal with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The number it reads as, if it does.
    pub fn number(&self) -> Option<Number> {
        Number::read(&self.text)
    }
}

impl Expr {
    /// All of `parts`, flattened to normal form.
    pub fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Self::one_or(flat, Self::And)
    }

    /// Any of `parts`, flattened to normal form.
    pub fn or(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Self::one_or(flat, Self::Or)
    }

    fn one_or(mut parts: Vec<Self>, many: fn(Vec<Self>) -> Self) -> Self {
        match parts.len() {
            0 => Self::All,
            1 => parts.swap_remove(0),
            _ => many(parts),
        }
    }

    /// Calls `visit` for every field name in the expression, in order, with the place it was written at.
    pub fn for_each_field<'a>(&'a self, visit: &mut dyn FnMut(&'a str, Span)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.for_each_field(visit)),
            Self::Not(inner) => inner.for_each_field(visit),
            Self::Field { name, span, .. } => visit(name, *span),
            Self::All | Self::Text { .. } => {}
        }
    }
}

//! Which blocks of a segment can hold a match at all.

use logkeep_segment::{TokenIndex, for_each_token, is_second_fraction, token_hash};

use crate::kql::{Expr, Predicate, TextPattern};

/// What must be among a block's tokens for one of its rows to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing is known: any block may match.
    Anything,
    /// All of these.
    All(Vec<Needs>),
    /// One of these.
    Any(Vec<Needs>),
    /// This token.
    Token(u64),
}

impl Needs {
    pub(crate) fn of(expr: &Expr) -> Self {
        match expr {
            Expr::And(parts) => Self::All(parts.iter().map(Self::of).collect()),
            Expr::Or(parts) => Self::Any(parts.iter().map(Self::of).collect()),
            Expr::Text { pattern: TextPattern::Phrase(phrase), .. } => Self::tokens(phrase),
            Expr::Field { name, predicate, .. } => Self::of_field(name, predicate),
            Expr::All | Expr::Not(_) | Expr::Text { .. } => Self::Anything,
        }
    }

    fn of_field(name: &str, predicate: &Predicate) -> Self {
        use crate::kql::fields::{Builtin, Target, resolve};
        let indexed = !matches!(
            resolve(name),
            Target::Builtin(
                Builtin::Severity
                    | Builtin::SeverityNumber
                    | Builtin::Time
                    | Builtin::Received
                    | Builtin::EventName
                    | Builtin::ScopeName
                    | Builtin::ScopeVersion
            )
        );
        match predicate {
            Predicate::Equals(literal) if indexed && plain_number(&literal.text) != Some(false) => {
                Self::tokens(&literal.text)
            }
            Predicate::Phrase(text) if indexed => Self::tokens(text),
            _ => Self::Anything,
        }
    }

    /// What trace and span ids alone say of it. Whether a block has any other token would tell of fields that the asker may
    /// not see: by the time that the answer takes, if by nothing else.
    pub(crate) fn of_ids(expr: &Expr) -> Self {
        use crate::kql::fields::{Builtin, Target, resolve};
        match expr {
            Expr::And(parts) => Self::All(parts.iter().map(Self::of_ids).collect()),
            Expr::Or(parts) => Self::Any(parts.iter().map(Self::of_ids).collect()),
            Expr::Field { name, predicate: Predicate::Phrase(text), .. } => match resolve(name) {
                Target::Builtin(Builtin::TraceId | Builtin::SpanId) => Self::id(text),
                _ => Self::Anything,
            },
            _ => Self::Anything,
        }
    }

    /// The token of a trace or span id.
    pub(crate) fn id(text: &str) -> Self {
        let is_id = matches!(text.len(), 16 | 32) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { Self::tokens(text) } else { Self::Anything }
    }

    /// Every whole token of a text that must occur as it is.
    pub(crate) fn tokens(text: &str) -> Self {
        let mut tokens = Vec::new();
        for_each_token(text, |token| {
            if !is_second_fraction(token) {
                tokens.push(Self::Token(token_hash(token)));
            }
        });
        Self::All(tokens)
    }

    /// False only if no row of the block can match.
    pub(crate) fn allows(&self, index: &TokenIndex, block: usize) -> bool {
        match self {
            Self::Anything => true,
            Self::All(parts) => parts.iter().all(|part| part.allows(index, block)),
            Self::Any(parts) => parts.iter().any(|part| part.allows(index, block)),
            Self::Token(token) => index.may_contain(block, *token),
        }
    }
}

/// `None` if the text is no number at all; else whether every equal number is indexed under the same token: `503` is
/// (503 and 503.0 both have it), `5.030e2` is not.
fn plain_number(text: &str) -> Option<bool> {
    text.parse::<f64>().ok()?;
    Some(text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::parse;

    #[test]
    fn only_what_must_be_there_is_needed() {
        let token = |text: &str| Needs::Token(token_hash(text.as_bytes()));
        let check = |query: &str, expected: Needs| assert_eq!(Needs::of(&parse(query).unwrap()), expected, "{query}");
        check("Foo", Needs::All(vec![token("foo")]));
        check("foo.bar not baz", Needs::All(vec![Needs::All(vec![token("foo"), token("bar")]), Needs::Anything]));
        check("status:503", Needs::All(vec![token("503")]));
        check("status:5.03e2", Needs::Anything);
        check("status:007", Needs::Anything);
        check("a:x or b:*", Needs::Any(vec![Needs::All(vec![token("x")]), Needs::Anything]));
        check("20T10:04:877Z", Needs::All(vec![token("20t10"), token("04")]));
        check("fo*", Needs::Anything);
        check("level:error", Needs::Anything);
    }
}

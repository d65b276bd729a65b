//! Query text to [`Expr`], by recursive descent.
//!
//! ```text
//! query  = [or] end
//! or     = and {"or" and}
//! and    = not {["and"] not}
//! not    = ("not" | "!" | "-") not | term
//! term   = "(" or ")" | regex | phrase | word | name ":" value | name ("<" | "<=" | ">" | ">=") literal
//! value  = "(" or-of-values ")" | regex | phrase | word | ("<" | "<=" | ">" | ">=") literal | range
//! range  = ("[" | "{") bound "to" bound ("]" | "}")
//! ```

use super::ast::{Expr, Literal, Op, Predicate, Span, TextPattern};
use super::error::KqlError;
use super::scanner::{Keyword, Place, Scanner, Word};
use super::text::compile_regex;
use super::wildcard::{Wildcard, WildcardItem};
use super::{fields, limits};

/// Words that are hardly anything but a mistyped operator, when they stand between two terms.
const MISTYPED: &[(&str, &str)] = &[
    ("adn", "and"),
    ("nad", "and"),
    ("andd", "and"),
    ("annd", "and"),
    ("aand", "and"),
    ("orr", "or"),
    ("oor", "or"),
    ("nto", "not"),
    ("nott", "not"),
    ("noot", "not"),
];

/// The operator a word is a typing error of.
pub(super) fn mistyped(word: &str) -> Option<&'static str> {
    MISTYPED.iter().find(|(wrong, _)| word.eq_ignore_ascii_case(wrong)).map(|(_, right)| *right)
}

/// Reads a query; empty text means everything.
///
/// # Errors
/// [`KqlError`] says what is wrong and where. A suggestion in it is always a query that parses.
pub fn parse(query: &str) -> Result<Expr, KqlError> {
    read(query).map_err(|mut error| {
        error.suggestion = error.suggestion.filter(|suggestion| read(suggestion).is_ok());
        error
    })
}

fn read(query: &str) -> Result<Expr, KqlError> {
    let mut parser = Parser { scanner: Scanner::new(query), open: 0, depth: 0, regexes: 0 };
    let length = parser.scanner.len();
    if length > limits::QUERY_CHARS {
        let message = format!("the query is {length} characters long; the limit is {}", limits::QUERY_CHARS);
        return Err(KqlError::new(message, limits::QUERY_CHARS, length - limits::QUERY_CHARS));
    }
    parser.scanner.skip_space();
    if parser.scanner.peek().is_none() {
        return Ok(Expr::All);
    }
    let expr = parser.or(None)?;
    if parser.scanner.peek().is_some() {
        let at = parser.scanner.at;
        return Err(KqlError::new("this `)` closes nothing", at, 1)
            .expected(&["term"])
            .suggest(parser.scanner.replaced(at, at + 1, "")));
    }
    Ok(expr)
}

/// The field that the values of a group belong to.
#[derive(Clone, Copy)]
struct Name<'a> {
    text: &'a str,
    position: usize,
}

struct Parser {
    scanner: Scanner,
    open: usize,
    depth: usize,
    regexes: usize,
}

impl Parser {
    fn or(&mut self, name: Option<Name<'_>>) -> Result<Expr, KqlError> {
        let mut parts = vec![self.and(name)?];
        while self.scanner.eat_keyword(Keyword::Or) {
            self.operand("or")?;
            parts.push(self.and(name)?);
        }
        Ok(Expr::or(parts))
    }

    fn and(&mut self, name: Option<Name<'_>>) -> Result<Expr, KqlError> {
        let mut parts = Vec::new();
        loop {
            self.scanner.skip_space();
            if !parts.is_empty() {
                if self.scanner.at_close() || self.scanner.peek_keyword() == Some(Keyword::Or) {
                    return Ok(Expr::and(parts));
                }
                if self.scanner.eat_keyword(Keyword::And) {
                    self.operand("and")?;
                } else {
                    self.check_mistyped()?;
                }
            }
            parts.push(self.not(name)?);
        }
    }

    /// Refuses an operator that nothing follows.
    fn operand(&mut self, operator: &str) -> Result<(), KqlError> {
        let end = self.scanner.at;
        self.scanner.skip_space();
        if !self.scanner.at_close() {
            return Ok(());
        }
        let start =
            self.scanner.text(0, end).trim_end_matches(|c: char| !c.is_whitespace() && c != ')').chars().count();
        let without = self.scanner.text(0, start).trim_end().to_owned() + &self.scanner.text(end, self.scanner.len());
        Err(KqlError::new(format!("nothing follows `{operator}`"), end, 0)
            .expected(&["term"])
            .suggest(without.trim_end()))
    }

    fn check_mistyped(&mut self) -> Result<(), KqlError> {
        let word = self.scanner.peek_raw();
        let Some(right) = mistyped(&word) else { return Ok(()) };
        let (start, length) = (self.scanner.at, word.chars().count());
        let rest = self.scanner.text(start + length, self.scanner.len());
        if rest.trim_start().is_empty() || rest.trim_start().starts_with(')') {
            return Ok(());
        }
        let message = format!("`{word}` looks like a mistyped `{right}`; quote it to search for the word");
        Err(KqlError::new(message, start, length).expected(&["and", "or"]).suggest(self.scanner.replaced(
            start,
            start + length,
            right,
        )))
    }

    fn not(&mut self, name: Option<Name<'_>>) -> Result<Expr, KqlError> {
        self.scanner.skip_space();
        if !self.eat_not(name.is_some()) {
            return self.term(name);
        }
        self.operand("not")?;
        self.deeper()?;
        let inner = self.not(name)?;
        self.depth -= 1;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn eat_not(&mut self, in_group: bool) -> bool {
        let next = self.scanner.peek_after(1);
        match self.scanner.peek() {
            // `-` belongs to the term right behind it; alone, or doubled as in `--flag`, it is text. Among values it may be
            // a sign.
            Some('-') if !in_group => {
                let term_follows = next.is_some_and(|c| !c.is_whitespace() && !matches!(c, '-' | ')' | '>'));
                self.scanner.at += usize::from(term_follows);
                term_follows
            }
            Some('!') if next != Some('=') => self.scanner.eat('!'),
            _ => self.scanner.eat_keyword(Keyword::Not),
        }
    }

    fn deeper(&mut self) -> Result<(), KqlError> {
        self.depth += 1;
        if self.depth <= limits::DEPTH {
            return Ok(());
        }
        let message = format!("nested more than {} deep", limits::DEPTH);
        Err(KqlError::new(message, self.scanner.at, 1))
    }

    fn term(&mut self, name: Option<Name<'_>>) -> Result<Expr, KqlError> {
        if self.scanner.peek_keyword().is_some() {
            return Err(self.stray_operator());
        }
        match (self.scanner.peek(), name) {
            (Some('('), _) => self.group(name),
            (_, Some(name)) => self.value(name),
            (Some('/'), None) => match self.regex()? {
                Some((source, span)) => Ok(Expr::Text { pattern: TextPattern::Regex(source), span }),
                None => self.word_or_field(),
            },
            (Some('"'), None) => self.phrase_or_field(),
            _ => self.word_or_field(),
        }
    }

    fn stray_operator(&self) -> KqlError {
        let word = self.scanner.peek_raw();
        let (at, length) = (self.scanner.at, word.chars().count());
        KqlError::new(format!("`{word}` stands where a term should; quote it to search for the word"), at, length)
            .expected(&["term"])
            .suggest(self.scanner.replaced(at, at + length, &format!("\"{word}\"")))
    }

    fn group(&mut self, name: Option<Name<'_>>) -> Result<Expr, KqlError> {
        let position = self.scanner.at;
        self.scanner.eat('(');
        self.deeper()?;
        self.open += 1;
        self.scanner.skip_space();
        if self.scanner.peek() == Some(')') {
            return Err(KqlError::new(
                "nothing stands between the parentheses",
                position,
                self.scanner.at + 1 - position,
            )
            .expected(&["term"])
            .suggest(self.scanner.replaced(position, self.scanner.at + 1, "*")));
        }
        if self.scanner.peek().is_none() {
            return Err(KqlError::new("nothing follows `(`", self.scanner.at, 0).expected(&["term"]));
        }
        let inner = self.or(name)?;
        if !self.scanner.eat(')') {
            let closed = self.scanner.text(0, self.scanner.len()) + &")".repeat(self.open);
            return Err(KqlError::new("the parenthesis is never closed", position, 1).expected(&[")"]).suggest(closed));
        }
        self.open -= 1;
        self.depth -= 1;
        Ok(inner)
    }

    fn regex(&mut self) -> Result<Option<(String, Span)>, KqlError> {
        let position = self.scanner.at;
        let Some(source) = self.scanner.regex() else { return Ok(None) };
        let span = self.span(position);
        self.regexes += 1;
        if self.regexes > limits::REGEXES {
            let message = format!("more than {} regular expressions in one query", limits::REGEXES);
            return Err(KqlError::new(message, position, span.length));
        }
        match compile_regex(&source) {
            Ok(_) => Ok(Some((source, span))),
            Err(error) => Err(KqlError::new(error.message, position, span.length).expected(&["regular expression"])),
        }
    }

    fn span(&self, position: usize) -> Span {
        Span { position, length: self.scanner.at - position }
    }

    fn phrase_or_field(&mut self) -> Result<Expr, KqlError> {
        let position = self.scanner.at;
        let text = self.scanner.quoted()?.unwrap_or_default();
        if let Some(field) = self.after_name(&text, position)? {
            return Ok(field);
        }
        if text.is_empty() {
            return Err(KqlError::new("the phrase is empty", position, 2).expected(&["phrase"]));
        }
        Ok(Expr::Text { pattern: TextPattern::Phrase(text), span: self.span(position) })
    }

    fn word_or_field(&mut self) -> Result<Expr, KqlError> {
        let word = self.scanner.word(Place::Term)?;
        if self.scanner.peek() == Some('=') {
            return Err(self.equals_sign());
        }
        let name = word.plain();
        if let Some(field) = self.after_name(name.as_deref().unwrap_or_default(), word.position)? {
            if name.is_none() {
                return Err(KqlError::new("a field name takes no wildcards", word.position, word.items.len())
                    .expected(&["field name"]));
            }
            return Ok(field);
        }
        let span = self.span(word.position);
        if word.items == [WildcardItem::Many] {
            return Ok(Expr::All);
        }
        let pattern = match name {
            Some(text) => TextPattern::Phrase(text),
            None => TextPattern::Wildcard(wildcard(word, span)?),
        };
        Ok(Expr::Text { pattern, span })
    }

    /// `name=value`, `name!=value`, `name = value`.
    fn equals_sign(&self) -> KqlError {
        let at = self.scanner.at;
        let end = (at..self.scanner.len()).find(|place| self.scanner.text(*place, place + 1) != "=");
        let end = end.unwrap_or(self.scanner.len());
        let rest = self.scanner.text(end, self.scanner.len());
        let rest = if rest.trim().is_empty() { "*" } else { rest.trim_start() };
        let before = self.scanner.text(0, at).trim_end().to_owned();
        let (message, suggestion) = match before.strip_suffix('!') {
            Some(before) => {
                let name_at = before.rfind(|c: char| c.is_whitespace() || c == '(').map_or(0, |place| place + 1);
                let (head, name) = before.split_at(name_at);
                ("`!=` is not an operator here; write `not name:value`", format!("{head}not {name}:{rest}"))
            }
            None => ("`=` is not an operator here; write `name:value`", format!("{before}:{rest}")),
        };
        KqlError::new(message, at, end - at).expected(&[":"]).suggest(suggestion)
    }

    /// The rest of a field term if `:` or a comparison follows the name that was just read.
    fn after_name(&mut self, name: &str, position: usize) -> Result<Option<Expr>, KqlError> {
        let back = self.scanner.at;
        self.scanner.skip_space();
        let next = self.scanner.peek();
        if !matches!(next, Some(':' | '<' | '>')) {
            self.scanner.at = back;
            return Ok(None);
        }
        if self.scanner.at == position || name.is_empty() && next != Some(':') {
            return Err(KqlError::new("a field name is missing here", self.scanner.at, 1).expected(&["field name"]));
        }
        let name = Name { text: name, position };
        if !self.scanner.eat(':') {
            return self.comparison(name).map(Some);
        }
        self.scanner.skip_space();
        if self.scanner.peek() == Some('(') {
            return self.group(Some(name)).map(Some);
        }
        self.value(name).map(Some)
    }

    fn value(&mut self, name: Name<'_>) -> Result<Expr, KqlError> {
        if self.scanner.at_close() || self.scanner.peek_keyword().is_some() {
            return Err(self.missing_value());
        }
        let position = self.scanner.at;
        if let Some((source, _)) = self.regex()? {
            return self.field(name, Predicate::Regex(source));
        }
        match self.scanner.peek() {
            Some('<' | '>') => return self.comparison(name),
            Some('[' | '{') => return self.range(name),
            _ => {}
        }
        if let Some(phrase) = self.scanner.quoted()? {
            return self.field(name, Predicate::Phrase(phrase));
        }
        let word = self.scanner.word(Place::Value)?;
        let predicate = match word.plain() {
            _ if word.items == [WildcardItem::Many] => Predicate::Exists,
            Some(text) => Predicate::Equals(Literal { text }),
            None => Predicate::Pattern(wildcard(word, self.span(position))?),
        };
        self.field(name, predicate)
    }

    fn missing_value(&self) -> KqlError {
        let at = self.scanner.at;
        let word = self.scanner.peek_keyword().map(|_| self.scanner.peek_raw()).unwrap_or_default();
        let length = word.chars().count();
        let suggestion = if length == 0 {
            self.scanner.replaced(at, at, "*")
        } else if self.scanner.text(at - 1, at) == ":" {
            self.scanner.replaced(at, at + length, &format!("\"{word}\""))
        } else {
            self.scanner.replaced(at - 1, at, "* ")
        };
        KqlError::new("expected a value", at, length).expected(&["value"]).suggest(suggestion)
    }

    fn comparison(&mut self, name: Name<'_>) -> Result<Expr, KqlError> {
        let less = self.scanner.peek() == Some('<');
        self.scanner.at += 1;
        let op = match (less, self.scanner.eat('=')) {
            (true, false) => Op::Lt,
            (true, true) => Op::Le,
            (false, false) => Op::Gt,
            (false, true) => Op::Ge,
        };
        self.scanner.skip_space();
        if self.scanner.at_close() || self.scanner.peek_keyword().is_some() {
            return Err(KqlError::new(format!("expected a value after `{}`", op.as_str()), self.scanner.at, 0)
                .expected(&["number", "value"]));
        }
        match self.literal(Place::Value)? {
            Some(literal) => self.field(name, Predicate::Range { op, literal }),
            None => Err(KqlError::new("a comparison takes no wildcards", self.scanner.at, 0).expected(&["number"])),
        }
    }

    /// A literal; `None` for one with wildcards.
    fn literal(&mut self, place: Place) -> Result<Option<Literal>, KqlError> {
        if let Some(text) = self.scanner.quoted()? {
            return Ok(Some(Literal { text }));
        }
        Ok(self.scanner.word(place)?.plain().filter(|text| !text.is_empty()).map(|text| Literal { text }))
    }

    fn range(&mut self, name: Name<'_>) -> Result<Expr, KqlError> {
        let position = self.scanner.at;
        let lower = if self.scanner.eat('[') { Op::Ge } else { Op::Gt };
        self.scanner.at = position + 1;
        let from = self.bound(position)?;
        if !self.scanner.peek_raw().eq_ignore_ascii_case("to") {
            return Err(self.bad_range(position, "to"));
        }
        self.scanner.at += 2;
        let to = self.bound(position)?;
        let upper = match self.scanner.peek() {
            Some(']') => Op::Le,
            Some('}') => Op::Lt,
            _ => return Err(self.bad_range(position, "]")),
        };
        self.scanner.at += 1;
        let mut parts = Vec::new();
        for (op, bound) in [(lower, from), (upper, to)] {
            if let Some(literal) = bound {
                parts.push(self.field(name, Predicate::Range { op, literal })?);
            }
        }
        if parts.is_empty() {
            return self.field(name, Predicate::Exists);
        }
        Ok(Expr::and(parts))
    }

    /// One end of a range; `None` for `*`.
    fn bound(&mut self, position: usize) -> Result<Option<Literal>, KqlError> {
        self.scanner.skip_space();
        let open = self.scanner.peek() == Some('*');
        let literal = self.literal(Place::Bound)?;
        self.scanner.skip_space();
        if literal.is_none() && !open {
            return Err(self.bad_range(position, "value"));
        }
        Ok(literal)
    }

    fn bad_range(&self, position: usize, expected: &'static str) -> KqlError {
        let length = self.scanner.at - position;
        KqlError::new("a range is written `[100 to 200]`", position, length.max(1)).expected(&[expected])
    }

    fn field(&self, name: Name<'_>, predicate: Predicate) -> Result<Expr, KqlError> {
        let span = self.span(name.position);
        if let Err(message) = fields::check(name.text, &predicate) {
            return Err(KqlError::new(message, span.position, span.length).expected(&["value"]));
        }
        Ok(Expr::Field { name: name.text.to_owned(), predicate, span })
    }
}

fn wildcard(word: Word, span: Span) -> Result<Wildcard, KqlError> {
    Wildcard::new(word.items).ok_or_else(|| {
        let message = format!("a pattern of more than {} characters", limits::WILDCARD_ITEMS);
        KqlError::new(message, span.position, span.length)
    })
}

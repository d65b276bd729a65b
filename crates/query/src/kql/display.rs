//! Expressions back to text, in one canonical form that reads as the same expression.

use std::fmt::{self, Write};

use super::ast::{Expr, Predicate, TextPattern};
use super::parser::mistyped;
use super::scanner::keyword;
use super::wildcard::{Wildcard, WildcardItem};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(parts) => joined(f, parts, " and ", |part| matches!(part, Self::Or(_))),
            Self::Or(parts) => joined(f, parts, " or ", |_| false),
            Self::Not(inner) if matches!(**inner, Self::And(_) | Self::Or(_)) => write!(f, "not ({inner})"),
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Text { pattern: TextPattern::Phrase(text), .. } => phrase(f, text),
            Self::Text { pattern: TextPattern::Wildcard(pattern), .. } => wildcard(f, pattern),
            Self::Text { pattern: TextPattern::Regex(source), .. } => regex(f, source),
            Self::Field { name, predicate, .. } => field(f, name, predicate),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], by: &str, grouped: fn(&Expr) -> bool) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(by)?;
        }
        if grouped(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

fn field(f: &mut fmt::Formatter<'_>, name: &str, predicate: &Predicate) -> fmt::Result {
    // Between digits a colon belongs to the word, as in `10:30`.
    let is_like_a_time =
        [name.chars().next(), name.chars().last()].iter().all(|c| c.is_some_and(|c| c.is_ascii_digit()));
    if is_like_a_time {
        quoted(f, name)?
    } else {
        phrase(f, name)?
    }
    match predicate {
        Predicate::Exists => f.write_str(":*"),
        Predicate::Equals(literal) => {
            f.write_char(':')?;
            word(f, &literal.text)
        }
        Predicate::Pattern(pattern) => {
            f.write_char(':')?;
            wildcard(f, pattern)
        }
        Predicate::Phrase(text) => {
            f.write_char(':')?;
            quoted(f, text)
        }
        Predicate::Range { op, literal } => {
            write!(f, " {} ", op.as_str())?;
            if is_bare(&literal.text) || literal.number().is_some() {
                word(f, &literal.text)
            } else {
                quoted(f, &literal.text)
            }
        }
        Predicate::Regex(source) => {
            f.write_char(':')?;
            regex(f, source)
        }
    }
}

/// Characters that mean only themselves wherever they stand in a word.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-')
}

/// Whether a text can stand without quotes anywhere.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(is_plain)
        && keyword(text).is_none()
        && mistyped(text).is_none()
}

fn phrase(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if is_bare(text) { f.write_str(text) } else { quoted(f, text) }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// A value word; what would mean something else is escaped, because quotes would make it a phrase.
fn word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut escape_first = keyword(text).is_some();
    for c in text.chars() {
        if escape_first || !(is_plain(c) || c == '+') {
            f.write_char('\\')?;
        }
        escape_first = false;
        f.write_char(c)?;
    }
    Ok(())
}

fn wildcard(f: &mut fmt::Formatter<'_>, pattern: &Wildcard) -> fmt::Result {
    for (place, item) in pattern.items().iter().enumerate() {
        match item {
            WildcardItem::Many => f.write_char('*')?,
            WildcardItem::One => f.write_char('?')?,
            WildcardItem::Char(c) if is_plain(*c) && (place > 0 || *c != '-') => f.write_char(*c)?,
            WildcardItem::Char(c) => write!(f, "\\{c}")?,
        }
    }
    Ok(())
}

fn regex(f: &mut fmt::Formatter<'_>, source: &str) -> fmt::Result {
    f.write_char('/')?;
    let mut escaped = false;
    for c in source.chars() {
        if !escaped && matches!(c, '/' | ':') {
            f.write_char('\\')?;
        }
        escaped = c == '\\' && !escaped;
        f.write_char(c)?;
    }
    f.write_char('/')
}

//! Grok: named regular expressions, put together (`%{IP:client.address} %{NUMBER:took:float}`), as Logstash has them.
//!
//! What Logstash's own library of patterns does by looking ahead is written without it (`patterns`), for an engine that
//! takes time in proportion to the text, whatever is in it.

use logkeep_record::Value;
use regex::Regex;

use super::patterns::Patterns;
use super::{Found, build, owned};

/// Patterns within patterns.
const DEPTH: usize = 16;
/// A pattern once all others are put in.
const EXPANDED_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Int,
    Float,
}

#[derive(Debug)]
struct Name {
    name: String,
    group: String,
    kind: Type,
}

#[derive(Debug)]
pub(super) struct Grok {
    regex: Regex,
    names: Vec<Name>,
}

struct Expansion<'p> {
    patterns: Patterns<'p>,
    regex: String,
    names: Vec<Name>,
}

impl Grok {
    pub(super) fn new(pattern: &str, patterns: Patterns<'_>) -> Result<Self, String> {
        let mut expansion = Expansion { patterns, regex: String::new(), names: Vec::new() };
        expansion.expand(pattern, 0)?;
        let regex = build(&expansion.regex).map_err(|error| match error.rsplit_once(": ") {
            Some((_, what)) => format!("`{pattern}` is no grok pattern: {what}"),
            None => error,
        })?;
        let mut names = expansion.names;
        // Logstash's own way to name a part without a pattern.
        let plain = regex.capture_names().flatten().filter(|group| !group.starts_with(GROUP));
        names.extend(plain.map(|name| Name { name: name.to_owned(), group: name.to_owned(), kind: Type::Text }));
        Ok(Self { regex, names })
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(|name| name.name.as_str()).collect()
    }

    pub(super) fn find(&self, text: &str) -> Result<Found<'_>, String> {
        let captures = self.regex.captures(text).ok_or("grok: the pattern does not match")?;
        let mut found: Found<'_> = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let Some(part) = captures.name(&name.group).filter(|part| !part.is_empty()) else { continue };
            // Of several alternatives under one name the first that matched.
            if found.iter().all(|(before, _)| *before != name.name) {
                found.push((&name.name, name.kind.value(part.as_str())));
            }
        }
        Ok(found)
    }
}

/// Groups of ours; a name of a field need not be one that a group can have.
const GROUP: &str = "__";

impl Expansion<'_> {
    fn expand(&mut self, pattern: &str, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("patterns are nested more than {DEPTH} deep"));
        }
        let mut rest = pattern;
        while let Some(start) = rest.find("%{") {
            self.push(&rest[..start])?;
            let (inside, after) = rest[start + 2..].split_once('}').ok_or("a `%{` has no `}`")?;
            self.part(inside, depth)?;
            rest = after;
        }
        self.push(rest)
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        self.regex.push_str(text);
        if self.regex.len() > EXPANDED_BYTES {
            return Err("the pattern is too large".to_owned());
        }
        Ok(())
    }

    /// `PATTERN`, `PATTERN:name` or `PATTERN:name:type`.
    fn part(&mut self, inside: &str, depth: usize) -> Result<(), String> {
        let mut parts = inside.splitn(3, ':');
        let pattern = parts.next().unwrap_or_default();
        let text = self.patterns.called(pattern).ok_or_else(|| unknown(pattern, self.patterns))?;
        let (name, kind) = (parts.next().filter(|name| !name.is_empty()), parts.next());
        match name {
            Some(name) => {
                let group = format!("{GROUP}{}", self.names.len());
                self.push(&format!("(?P<{group}>"))?;
                self.names.push(Name { name: field(name), group, kind: Type::called(kind)? });
            }
            None => self.push("(?:")?,
        }
        self.expand(text, depth + 1)?;
        self.push(")")
    }
}

/// `[client][address]` is Logstash's way to say `client.address`.
fn field(name: &str) -> String {
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.replace("][", "."),
        None => name.to_owned(),
    }
}

fn unknown(pattern: &str, patterns: Patterns<'_>) -> String {
    let near = patterns.names().filter(|name| name.eq_ignore_ascii_case(pattern) || name.starts_with(pattern));
    let near: Vec<_> = near.take(5).collect();
    let hint = if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) };
    format!("`{pattern}` is no pattern that grok knows{hint}")
}

impl Type {
    fn called(word: Option<&str>) -> Result<Self, String> {
        match word {
            None | Some("string") => Ok(Self::Text),
            Some("int" | "long") => Ok(Self::Int),
            Some("float" | "double") => Ok(Self::Float),
            Some(other) => Err(format!("`{other}` is no type: write int or float")),
        }
    }

    /// What is no number after all stays a text.
    fn value(self, text: &str) -> Value<'static> {
        let number = match self {
            Self::Text => None,
            Self::Int => text.parse().ok().map(Value::Int),
            Self::Float => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double),
        };
        number.unwrap_or_else(|| owned(text))
    }
}
